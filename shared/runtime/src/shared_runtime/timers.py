"""Events in, armed deadlines out; passed deadlines in, commands out.

A timer only sends its command, the decider judges: it may fire late, twice, or after its cause
has gone. It never fires before its due instant.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

import asyncpg
import structlog
from msgspec import Struct
from prometheus_client import Counter
from shared_events.envelope import Recorded

from shared_runtime.decider import Actor
from shared_runtime.delivery import WORLD_FAILURES, Connection, Subscription
from shared_runtime.ids import derived_id
from shared_runtime.log import Decisions, PostgresLog, VersionConflict
from shared_runtime.parking import is_of_the_events
from shared_runtime.subscription import decoded

DUE_MAX = 2_000
IDLE_SECONDS = 0.25
CLOCK_LOOK_SECONDS = 1.0
"""So soon it is seen that somebody has moved the clock."""
APART_SECONDS = 5.0
APART = 8
RETRY_AFTER = timedelta(minutes=5)
FAULT_LENGTH_MAX = 500
LATENESS_MAX = timedelta(hours=1)
"""Fired later than this, the deadlines that follow count from the clock: an outage is no fault."""
TIMER = Actor(role="SYSTEM", id="timer")

log = structlog.get_logger()
failed_total = Counter("aftersales_failed_timers", "Deadlines that could not be fired")


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
                  retry_at = NULL, fault = NULL, faults = 0
"""
DUE = """
    SELECT stream_id, name, due_at, armed_by FROM es.timer
    WHERE coalesce(retry_at, due_at) <= $1 AND retry_at IS NULL
    ORDER BY coalesce(retry_at, due_at) LIMIT $2 FOR UPDATE SKIP LOCKED
"""
DUE_AGAIN = """
    SELECT stream_id, name, due_at, armed_by FROM es.timer
    WHERE retry_at <= $1 ORDER BY retry_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
NEXT_DUE = """
    SELECT coalesce(retry_at, due_at) FROM es.timer ORDER BY coalesce(retry_at, due_at) LIMIT 1
"""
# Longer and longer, up to a day: what fails for ever takes ever less time from the others.
FAILED = """
    UPDATE es.timer
    SET faults = faults + 1, fault = $4,
        retry_at = $3::timestamptz + least($5::interval * 2 ^ least(faults, 10), interval '1 day')
    WHERE stream_id = $1 AND name = $2
"""
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
    *,
    seconds: Callable[[], float] = time.monotonic,
) -> int:
    """Fires timers that are due, the oldest first, in one transaction; how many there were.

    If one of them cannot be fired, fewer are at once, until it is alone; if to find that out took
    `APART_SECONDS`, each is alone from then on. What cannot be fired is left alone for
    `RETRY_AFTER`, and longer each time, and then fired by itself, behind the others. Neither goes
    on for longer than `APART_SECONDS`, by `seconds`, and one timer. Raises `VersionConflict` if
    other writers were first.
    """
    clock = await own_log.instant(now)
    handled, size, one_by_one = 0, limit, False
    ends_at = seconds() + APART_SECONDS
    while handled < limit:
        wanted = min(size, limit - handled)
        fired = (
            await _try_to_fire(pool, own_log, fire, clock, wanted)
            if wanted > 1
            else int(await _fire_oldest(pool, own_log, fire, clock, DUE))
        )
        if fired is None:
            # What takes long would hold up all others once more in each batch that it is in.
            one_by_one = seconds() >= ends_at
            size = 1 if one_by_one else max(1, wanted // APART)
            if one_by_one:
                ends_at = seconds() + APART_SECONDS
            continue
        handled += fired
        # All that were due, or enough for once.
        if fired < wanted or size == limit or seconds() >= ends_at:
            break
        size = 1 if one_by_one else min(limit, size * 2)
    while handled < limit and await _fire_oldest(pool, own_log, fire, clock, DUE_AGAIN):
        handled += 1
        if seconds() >= ends_at:
            break
    return handled


async def _try_to_fire(
    pool: asyncpg.Pool, own_log: PostgresLog, fire: Fire, clock: datetime, count: int
) -> int | None:
    """How many were fired together, the oldest first; None if one of them cannot be fired."""
    try:
        async with pool.acquire() as db, db.transaction():
            return await _fire(await db.fetch(DUE, clock, count), own_log, fire, clock, db)
    except Exception as fault:
        if not _is_of_the_timers(fault):
            raise
        log.warning("timers refused, firing fewer", count=count, fault=type(fault).__name__)
        return None


async def _fire_oldest(
    pool: asyncpg.Pool, own_log: PostgresLog, fire: Fire, clock: datetime, due: str
) -> bool:
    """Fires the oldest timer of those that are due, or notes why it cannot be fired; False if none
    is.
    """
    async with pool.acquire() as db, db.transaction():
        rows = await db.fetch(due, clock, 1)
        if not rows:
            return False
        try:
            async with db.transaction():
                await _fire(rows, own_log, fire, clock, db)
        except Exception as fault:
            if not _is_of_the_timers(fault):
                raise
            stream, name = rows[0]["stream_id"], rows[0]["name"]
            reason = f"{type(fault).__name__}: {fault}"[:FAULT_LENGTH_MAX]
            log.error("timer failed", stream=stream, timer=name, fault=reason)  # noqa: TRY400
            failed_total.inc()
            await db.execute(FAILED, stream, name, clock, reason, RETRY_AFTER)
        return True


def _is_of_the_timers(fault: Exception) -> bool:
    """Whether fewer of them may go where these do not: what takes longer than a statement may is
    left alone as what fails, and not in front of the others.
    """
    return isinstance(fault, TimeoutError) or is_of_the_events(fault)


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
        doze = self.own_log.bells.applied.doze(IDLE_SECONDS, CLOCK_LOOK_SECONDS)
        while not stop.is_set():
            self.turned_at = asyncio.get_running_loop().time()
            fired, seconds = 0, CLOCK_LOOK_SECONDS
            try:
                seconds = await self._seconds_to_next()
                if seconds <= 0:
                    fired = await fire_due(self.pool, self.own_log, self.fire, self.now, limit)
                limit = DUE_MAX
            except VersionConflict:
                # Somebody wrote on one of the streams meanwhile: decided again on that, and on
                # fewer.
                limit = max(1, limit // 4)
                continue
            except WORLD_FAILURES as failure:
                log.warning("timers wait", failure=type(failure).__name__)
            if fired:
                doze.busy()
            else:
                await doze.pause(stop, most=seconds)

    async def _seconds_to_next(self) -> float:
        """Zero or less if one is due."""
        due: datetime | None = await self.pool.fetchval(NEXT_DUE)
        if due is None:
            return CLOCK_LOOK_SECONDS
        return (due - await self.own_log.instant(self.now)).total_seconds()
