"""What was activated in, the versions that every process of the service knows out.

A version is in force no sooner than a minute after it was recorded, and every process reads what
was recorded each second: all of them have heard of it by then.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
import msgspec
import structlog
from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.returns import ReturnPolicyActivated
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.log import Database, Planned
from shared_runtime.pausing import pause
from shared_runtime.worker import Task

from returns_service.domain.activating import version_of
from returns_service.domain.policy import Policies, ReturnsPolicy

LOOK_SECONDS = 1.0
ADD = """
    INSERT INTO facts.policy_start (policy_version, since, entries) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING
"""
READ = """
    SELECT policy_version, since, entries FROM facts.policy_start ORDER BY since, policy_version
"""

log = structlog.get_logger()


class Start(Struct, frozen=True, array_like=True):
    """One row."""

    policy_version: str
    since: datetime
    entries: str | None


async def write_starts(planned: Iterable[Planned | Recorded[Any]], db: Database) -> None:
    """In the transaction that records them."""
    for each in planned:
        if isinstance(event := each.event, ReturnPolicyActivated):
            await db.execute(ADD, event.policy_version, event.since, event.entries)


async def learn(policies: Policies, db: Database | asyncpg.Pool) -> None:
    """Has the policies know all that was activated by now."""
    starts = [Start(*row) for row in await db.fetch(READ)]
    unknown = {
        each.policy_version: each.entries
        for each in starts
        if each.entries and each.policy_version not in policies.by_version
    }
    policies.learn(
        [kept_version(name, told) for name, told in unknown.items()],
        [(each.since, each.policy_version) for each in starts],
    )


@cache
def kept_version(name: str, entries: str) -> ReturnsPolicy:
    """To read one whole, with all of its tables, takes longer than all else in a batch of events;
    none ever changes.
    """
    return version_of(name, msgspec.json.decode(entries))


def following(policies: Policies, pool: asyncpg.Pool) -> Task:
    """What every process does beside its work."""

    async def follow(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await learn(policies, pool)
            except WORLD_FAILURES as failure:
                log.warning("policies not read", failure=type(failure).__name__)
            await pause(stop, LOOK_SECONDS)

    return follow
