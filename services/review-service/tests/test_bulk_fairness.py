"""Importers share a process with everybody else, and with each other."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from review_service.bulk.intake import (
    DECIDING_MAX,
    DECIDING_OF_ONE_MAX,
    Intake,
    Numbered,
    UploadTally,
)
from review_service.bulk.story import importer
from review_service.domain.policy import policies
from shared_cli.demo import marketplace
from shared_runtime.clock import system_clock
from shared_runtime.testing import InMemoryKeyStore, InMemoryLog

UPLOADS = 12
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Watched(InMemoryLog):
    """A log that notes how many are deciding on it at once. Those that begin while it is `slow`
    wait until it says otherwise.
    """

    deciding = most = 0
    slow: asyncio.Event | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[InMemoryLog]:
        self.deciding += 1
        self.most = max(self.most, self.deciding)
        await asyncio.sleep(0)  # as a database is waited for
        if self.slow is not None:
            await self.slow.wait()
        async with super().transaction() as log:
            yield log
        self.deciding -= 1


def uploads(intake: Intake, lines: Sequence[bytes], account: str) -> list[asyncio.Task[bytes]]:
    """One upload for each line, all at once."""
    return [
        asyncio.create_task(intake.take([Numbered(1, line)], importer(account), UploadTally()))
        for line in lines
    ]


@pytest.fixture
def log() -> Watched:
    return Watched(now=system_clock)


@pytest.fixture
def intake(log: Watched) -> Intake:
    return Intake(log, policies(), InMemoryKeyStore(), system_clock)


async def test_uploads_at_once_leave_connections_to_the_others(
    log: Watched, intake: Intake
) -> None:
    lines = [*marketplace(7, UPLOADS, NOW)]
    half = UPLOADS // 2
    one, another = uploads(intake, lines[:half], "one"), uploads(intake, lines[half:], "another")
    await asyncio.gather(*one, *another)
    assert log.most == DECIDING_MAX
    assert len([name for name in log.streams if name.startswith("order-")]) == UPLOADS


async def test_an_importer_with_many_uploads_keeps_no_other_waiting(
    log: Watched, intake: Intake
) -> None:
    """He has all that one account may have, and more of his are waiting than there are places."""
    lines = [*marketplace(7, UPLOADS, NOW)]
    log.slow = asyncio.Event()
    his = uploads(intake, lines[1:], "one")
    for _ in range(100):
        await asyncio.sleep(0)
    assert log.deciding == DECIDING_OF_ONE_MAX
    finished, log.slow = log.slow, None
    async with asyncio.timeout(5):
        await asyncio.gather(*uploads(intake, lines[:1], "another"))
    assert not any(each.done() for each in his)
    finished.set()
    await asyncio.gather(*his)
    assert log.most == DECIDING_MAX
