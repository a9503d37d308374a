"""Events in, armed deadlines out; passed deadlines in, commands out.

A timer only sends its command, the decider judges: it may fire late, twice, or after its cause
has gone. It never fires before its due instant.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

import asyncpg
import structlog
from msgspec import Struct
from shared_events.envelope import Recorded

from shared_runtime.decider import Actor
from shared_runtime.delivery import WORLD_FAILURES, Connection, Subscription
from shared_runtime.ids import derived_id
from shared_runtime.log import Decisions, PostgresLog, VersionConflict
from shared_runtime.parking import is_of_the_events
from shared_runtime.subscription import decoded

DUE_MAX = 2_000
IDLE_SECONDS = 0.25
ONE_BY_ONE_SECONDS = 10.0
RETRY_AFTER = timedelta(minutes=5)
FAULT_LENGTH_MAX = 500
LATENESS_MAX = timedelta(hours=1)
"""Fired later than this, the deadlines that follow count from the clock: an outage is no fault."""
TIMER = Actor(role="SYSTEM", id="timer")

log = structlog.get_logger()


class TimerName(NamedTuple):
    """Which timer of a stream: what it is for; and, where there are several of a kind, the id of
    what this one is about. Stored as `<kind>` or `<kind>/<of>`: a kind has no slash, an id may.
    """

    kind: str
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.of}" if self.of else self.kind

    @classmethod
    def parse(cls, stored: str) -> Self:
        kind, _, of = stored.partition("/")
        return cls(kind, of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Sets the stream's timer of this name, or moves it."""

    name: TimerName
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Takes the stream's timer of this name away, if it is set."""

    name: TimerName


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTimer:
    """A timer whose instant has come. `now` is the instant its command is judged at."""

    stream: str
    name: TimerName
    due: datetime
    now: datetime
    cause: str


type Fire = Callable[[Decisions, Sequence[DueTimer]], Awaitable[None]]

CANCEL = """
    DELETE FROM es.timer USING unnest($1::text[], $2::text[]) AS gone (stream_id, name)
    WHERE es.timer.stream_id = gone.stream_id AND es.timer.name = gone.name
"""
ARM = """
    INSERT INTO es.timer (stream_id, name, due_at, armed_by)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[])
    ON CONFLICT (stream_id, name)
    DO UPDATE SET due_at = excluded.due_at, armed_by = excluded.armed_by,
                  retry_at = NULL, fault = NULL
"""
DUE = """
    SELECT stream_id, name, due_at, armed_by FROM es.timer
    WHERE due_at <= $1 AND (retry_at IS NULL OR retry_at <= $1)
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
FAILED = "UPDATE es.timer SET retry_at = $3, fault = $4 WHERE stream_id = $1 AND name = $2"
FIRED = """
    DELETE FROM es.timer USING unnest($1::text[], $2::text[]) AS fired (stream_id, name)
    WHERE es.timer.stream_id = fired.stream_id AND es.timer.name = fired.name
"""


def timer_subscription(
    topics: tuple[str, ...],
    handles: Iterable[type[Struct]],
    timers_of: Callable[[Any], Sequence[Arm | Cancel]],
) -> Subscription:
    """Keeps `es.timer` in line with the own log."""

    async def arm_and_cancel(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        last: dict[tuple[str, str], tuple[Arm | Cancel, str]] = {}
        for recorded in batch:
            for timer in timers_of(recorded.event):
                last[recorded.stream, str(timer.name)] = (timer, recorded.event_id)
        gone = [place for place, (timer, _) in last.items() if isinstance(timer, Cancel)]
        armed = [
            (*place, timer.due, event_id)
            for place, (timer, event_id) in last.items()
            if isinstance(timer, Arm)
        ]
        if gone:
            await db.execute(CANCEL, *columns(gone))
        if armed:
            await db.execute(ARM, *columns(armed))

    return Subscription(name="timers", topics=topics, apply=decoded(handles, arm_and_cancel))


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows to columns, as UNNEST takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


async def fire_due(
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    fire: Fire,
    now: Callable[[], datetime],
    limit: int = DUE_MAX,
) -> int:
    """Fires timers that are due, the oldest first, in one transaction; how many there were.

    If one of them cannot be fired, each is, in a transaction of its own and for
    `ONE_BY_ONE_SECONDS` at most, and that one is left alone for `RETRY_AFTER`. Raises
    `VersionConflict` if other writers were first.
    """
    clock = await own_log.instant(now)
    try:
        async with pool.acquire() as db, db.transaction():
            return await _fire(await db.fetch(DUE, clock, limit), own_log, fire, clock, db)
    except Exception as fault:
        if not is_of_the_events(fault):
            raise
        log.warning("timers refused, firing one by one", fault=type(fault).__name__)
    handled = 0
    ends_at = asyncio.get_running_loop().time() + ONE_BY_ONE_SECONDS
    while handled < limit and asyncio.get_running_loop().time() < ends_at:
        if not await _fire_oldest(pool, own_log, fire, clock):
            break
        handled += 1
    return handled


async def _fire_oldest(
    pool: asyncpg.Pool, own_log: PostgresLog, fire: Fire, clock: datetime
) -> bool:
    """Fires the oldest timer, or notes why it cannot be fired; False if none is due."""
    async with pool.acquire() as db, db.transaction():
        rows = await db.fetch(DUE, clock, 1)
        if not rows:
            return False
        try:
            async with db.transaction():
                await _fire(rows, own_log, fire, clock, db)
        except Exception as fault:
            if not is_of_the_events(fault):
                raise
            stream, name = rows[0]["stream_id"], rows[0]["name"]
            reason = f"{type(fault).__name__}: {fault}"[:FAULT_LENGTH_MAX]
            log.error("timer failed", stream=stream, timer=name, fault=reason)  # noqa: TRY400
            await db.execute(FAILED, stream, name, clock + RETRY_AFTER, reason)
        return True


async def _fire(
    rows: Sequence[asyncpg.Record],
    own_log: PostgresLog,
    fire: Fire,
    clock: datetime,
    db: Connection,
) -> int:
    if not rows:
        return 0
    decisions = Decisions(own_log.within(db))
    await fire(
        decisions,
        [
            due_timer(stream, TimerName.parse(name), due, str(armed_by), clock=clock)
            for stream, name, due, armed_by in rows
        ],
    )
    await db.execute(FIRED, *columns([(row["stream_id"], row["name"]) for row in rows]))
    await decisions.append()
    return len(rows)


def due_timer(
    stream: str, name: TimerName, due: datetime, armed_by: str, *, clock: datetime
) -> DueTimer:
    """A timer as it fires when the clock says so. Its cause is the event that armed it."""
    late = clock - due > LATENESS_MAX
    return DueTimer(
        stream=stream,
        name=name,
        due=due,
        now=clock if late else due,
        cause=derived_id(armed_by, str(name)),
    )


@dataclass(slots=True)
class Timers:
    """The loop that fires due timers, without a pause while many are due."""

    pool: asyncpg.Pool
    own_log: PostgresLog
    fire: Fire
    now: Callable[[], datetime]
    turned_at: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Fires until `stop`."""
        limit = DUE_MAX
        while not stop.is_set():
            self.turned_at = asyncio.get_running_loop().time()
            fired = 0
            try:
                fired = await fire_due(self.pool, self.own_log, self.fire, self.now, limit)
                limit = DUE_MAX
            except VersionConflict:
                # Somebody wrote on one of the streams meanwhile: decided again on that, and on
                # fewer.
                limit = max(1, limit // 4)
                continue
            except WORLD_FAILURES as failure:
                log.warning("timers wait", failure=type(failure).__name__)
            if not fired:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), IDLE_SECONDS)
