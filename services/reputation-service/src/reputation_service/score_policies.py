"""The stream of the score's policies, kept folded in this process: as new as the log, always."""

import asyncio
from dataclasses import dataclass, field

from shared_runtime.log import Database, PostgresLog, read_stream

from reputation_service.domain.policy import PolicyAt, ScorePolicy
from reputation_service.domain.policy_book import STREAM, PolicyBook, evolve

# A look at an index: what it saves is the fold, of some hundred numbers a policy.
NEWEST = "SELECT coalesce(max(stream_version), 0) FROM es.event WHERE stream_id = $1"


@dataclass(slots=True)
class ScorePolicies:
    """`base` holds until the first activation begins."""

    log: PostgresLog
    base: ScorePolicy
    _version: int = 0
    _book: PolicyBook = field(default_factory=PolicyBook)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def book(self, db: Database) -> PolicyBook:
        """Every policy as of now."""
        if await db.fetchval(NEWEST, STREAM) > self._version:
            async with self._reading:
                recorded = await read_stream(self.log, STREAM)
                if len(recorded) > self._version:
                    book = PolicyBook()
                    for each in recorded:
                        book = evolve(book, each.event)
                    self._book, self._version = book, len(recorded)
        return self._book

    async def policy_at(self, db: Database) -> PolicyAt:
        """The policies that scores are read by, as they are activated now."""
        book = await self.book(db)
        return lambda instant: book.policy_at(instant, self.base)
