"""Returns that their buyers object to, until a dispute is opened on each: rows that wait.

A contest waits while a unit of it is in another open dispute, or until its order is known here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.returns import ReturnContested
from shared_runtime.log import Database
from shared_runtime.rows import columns
from shared_runtime.timers import ARM, TimerName

from dispute_service.domain.streams import contest_id_of, dispute_stream

CONTEST = "CONTEST"
"""The timer of one that waits; the number of the attempt follows."""

ADD = """
    INSERT INTO facts.waiting_contest (stream_id, order_id, event_id, told)
    SELECT stream_id, order_id, event_id, told::jsonb
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[])
        AS waits (stream_id, order_id, event_id, told)
    ON CONFLICT DO NOTHING
"""
READ = """
    SELECT json_build_object('stream_id', stream_id, 'event_id', event_id, 'told', told)::text
    FROM facts.waiting_contest WHERE stream_id = ANY($1::text[])
"""
WAKE = """
    UPDATE es.timer SET due_at = least(due_at, $2) FROM facts.waiting_contest AS waits
    WHERE waits.order_id = ANY($1::text[]) AND es.timer.stream_id = waits.stream_id
"""
GONE = "DELETE FROM facts.waiting_contest WHERE stream_id = ANY($1::text[])"


class Waiting(Struct, frozen=True, kw_only=True):
    """`stream_id`: of the dispute that it is to become."""

    stream_id: str
    event_id: str
    told: ReturnContested


decode = msgspec.json.Decoder(Waiting).decode


async def add_contests(contested: Sequence[Recorded[ReturnContested]], db: Database) -> None:
    """Each is opened by a timer, at once if nothing is in the way."""
    if not contested:
        return
    rows: list[tuple[Any, ...]] = []
    timers: list[tuple[Any, ...]] = []
    for recorded in contested:
        stream, event_id = dispute_stream(contest_id_of(recorded.event_id)), recorded.event_id
        told = msgspec.json.encode(recorded.event).decode()
        rows.append((stream, recorded.event.order_id, event_id, told))
        timers.append((stream, str(TimerName(CONTEST, "1")), recorded.time, event_id))
    await db.execute(ADD, *columns(rows, 4))
    await db.execute(ARM, *columns(timers, 4))


async def read_contests(streams: Sequence[str], db: Database) -> Mapping[str, Waiting]:
    if not streams:
        return {}
    told = [decode(row) for (row,) in await db.fetch(READ, [*streams])]
    return {each.stream_id: each for each in told}


async def wake_contests(order_ids: Iterable[str], now: datetime, db: Database) -> None:
    """A dispute of these orders is over: what waited for its units is tried again."""
    await db.execute(WAKE, [*order_ids], now)


async def forget_contests(streams: Sequence[str], db: Database) -> None:
    if streams:
        await db.execute(GONE, [*streams])
