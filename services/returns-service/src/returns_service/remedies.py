"""Remedies that disputes have ordered, until each is on its way: rows that wait.

A remedy waits while the ledger of its order is not open here yet: what disputes tell and what
orders tell come in any order.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from shared_events.dispute import RemedyOrdered
from shared_events.envelope import Recorded
from shared_runtime.log import Database
from shared_runtime.rows import columns
from shared_runtime.timers import ARM, DueTimer, TimerName

from returns_service.domain.streams import ledger_stream

REMEDY = "REMEDY"
"""The timer of one that waits; the number of the attempt and its id follow."""

ADD = """
    INSERT INTO facts.waiting_remedy (remedy_id, event_id, ordered_at, told)
    SELECT remedy_id, event_id, ordered_at, told::jsonb
    FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
        AS waits (remedy_id, event_id, ordered_at, told)
    ON CONFLICT DO NOTHING
"""
READ = """
    SELECT json_build_object('event_id', event_id, 'ordered_at', ordered_at, 'told', told)::text
    FROM facts.waiting_remedy WHERE remedy_id = ANY($1::text[])
"""
# Those that are being tried just now are passed over: whoever tries one reads the ledger under the
# lock of its order, so he sees it open, or had been done before it was.
WAKE = """
    UPDATE es.timer SET due_at = $2 WHERE (stream_id, name) IN (
        SELECT stream_id, name FROM es.timer
        WHERE stream_id = ANY($1::text[]) AND name LIKE 'REMEDY/%' AND due_at > $2
        FOR UPDATE SKIP LOCKED)
"""
GONE = "DELETE FROM facts.waiting_remedy WHERE remedy_id = ANY($1::text[])"


class Attempt(Struct, frozen=True):
    """Which try of which remedy a timer is: stored behind the kind of its name."""

    number: int
    remedy_id: str

    @classmethod
    def of(cls, name: TimerName) -> "Attempt":
        number, _, remedy_id = name.of.partition("/")
        return cls(int(number), remedy_id)

    @property
    def name(self) -> TimerName:
        return TimerName(REMEDY, f"{self.number}/{self.remedy_id}")

    @property
    def next(self) -> "Attempt":
        return Attempt(self.number + 1, self.remedy_id)


class WaitingRemedy(Struct, frozen=True, kw_only=True):
    """What a dispute has ordered, and the event that has told it."""

    event_id: str
    ordered_at: datetime
    told: RemedyOrdered


class Trying(NamedTuple):
    """A remedy that is tried now, as this attempt, because of this timer."""

    timer: DueTimer
    attempt: Attempt
    remedy: WaitingRemedy


decode = msgspec.json.Decoder(WaitingRemedy).decode


async def add_remedies(ordered: Sequence[Recorded[RemedyOrdered]], db: Database) -> None:
    """Each is tried by a timer, at once."""
    if not ordered:
        return
    rows: list[tuple[Any, ...]] = []
    timers: list[tuple[Any, ...]] = []
    for recorded in ordered:
        told, event_id = recorded.event, recorded.event_id
        rows.append((told.remedy_id, event_id, recorded.time, msgspec.json.encode(told).decode()))
        first = Attempt(1, told.remedy_id)
        timers.append((ledger_stream(told.order_id), str(first.name), recorded.time, event_id))
    await db.execute(ADD, *columns(rows, 4))
    await db.execute(ARM, *columns(timers, 4))


async def read_remedies(remedy_ids: Iterable[str], db: Database) -> Mapping[str, WaitingRemedy]:
    told = [decode(row) for (row,) in await db.fetch(READ, [*remedy_ids])]
    return {each.told.remedy_id: each for each in told}


async def read_attempts(timers: Sequence[DueTimer], db: Database) -> list[Trying]:
    """Those that are still waiting."""
    if not timers:
        return []
    tried = [(timer, Attempt.of(timer.name)) for timer in timers]
    waiting = await read_remedies({attempt.remedy_id for _, attempt in tried}, db)
    return [
        Trying(timer, attempt, remedy)
        for timer, attempt in tried
        if (remedy := waiting.get(attempt.remedy_id))
    ]


async def wake_remedies(streams: Sequence[str], now: datetime, db: Database) -> None:
    """These ledgers are open: what waited for them is tried again."""
    await db.execute(WAKE, streams, now)


async def forget_remedies(remedy_ids: Sequence[str], db: Database) -> None:
    if remedy_ids:
        await db.execute(GONE, remedy_ids)
