"""Importers share a process with everybody else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from msgspec.structs import replace
from review_service.bulk.intake import DECIDING_MAX, Intake, Numbered, Tally
from review_service.bulk.story import Teller
from review_service.domain.policy import policies
from shared_cli.demo import marketplace
from shared_events.fields import Party
from shared_runtime.clock import system_clock
from shared_runtime.decider import Actor
from shared_runtime.testing import InMemoryKeyStore, InMemoryLog

UPLOADS = 12
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Watched(InMemoryLog):
    """A log that notes how many are deciding on it at once."""

    deciding = most = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[InMemoryLog]:
        self.deciding += 1
        self.most = max(self.most, self.deciding)
        await asyncio.sleep(0)  # as a database is waited for
        async with super().transaction() as log:
            yield log
        self.deciding -= 1


async def test_uploads_at_once_leave_connections_to_the_others() -> None:
    log = Watched(now=system_clock)
    importer = Actor(role="IMPORTER", id="test", on_behalf_of="SYSTEM")
    sides: dict[Party, Actor] = {
        "BUYER": replace(importer, on_behalf_of="BUYER"),
        "SELLER": replace(importer, on_behalf_of="SELLER"),
    }
    intake = Intake(log, policies(), InMemoryKeyStore(), system_clock)
    lines = [*marketplace(7, UPLOADS, NOW)]
    tallies = [Tally() for _ in lines]
    await asyncio.gather(
        *(
            intake.take(
                [Numbered(1, line)], Teller(orders=importer, sides=sides, moderator=importer), tally
            )
            for line, tally in zip(lines, tallies, strict=True)
        )
    )
    assert log.most == DECIDING_MAX
    assert len([name for name in log.streams if name.startswith("order-")]) == UPLOADS
