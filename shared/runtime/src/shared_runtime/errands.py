"""Own events in, what is to be asked of a company out; its answer in, commands out.

A company cannot be asked in a transaction. So an event leaves an errand in a table, together with
the cursor; a loop takes errands, asks (many at once), and records what comes of the answers in one
transaction with the errands' end. Whoever dies on the way leaves them there, and the next one sets
out again: that it may be for the second time is told by `tries`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import structlog
from msgspec import Struct
from prometheus_client import Counter, Gauge

from shared_runtime.bells import IDLE_SECONDS_MAX, Doze
from shared_runtime.delivery import WORLD_FAILURES, Connection
from shared_runtime.log import Decisions, PostgresLog, VersionConflict, decided_again
from shared_runtime.parking import is_of_the_events
from shared_runtime.pausing import pause
from shared_runtime.rows import columns
from shared_runtime.worker import SessionLocks

IDLE_SECONDS = 0.25
LEASE_LOOK_SECONDS = 0.5
PAUSE_SECONDS = 0.5
RETRY_AFTER = timedelta(minutes=5)
ATTEMPTS_MAX = 5

log = structlog.get_logger()
under_way_now = Gauge("aftersales_errands_under_way", "Requests to a company under way", ["port"])
failed_total = Counter("aftersales_errands_failed", "Errands that met a fault of ours", ["port"])


class Begin(Struct, frozen=True, kw_only=True):
    """Something is to be asked. Another errand of that key is replaced, unless it ranks higher:
    then it is only brought forward.
    """

    key: str
    stream: str
    task: str
    rank: int = 0
    due: datetime
    cause: str


class ErrandEnd(Struct, frozen=True, kw_only=True):
    """Nothing is to be asked any more."""

    key: str


class Errand(Struct, frozen=True, kw_only=True):
    """What is to be asked, by whoever has taken it. `tries`: how often it was taken, this time
    included. `cause`: the event that it follows from.
    """

    key: str
    stream: str
    task: str
    cause: str
    tries: int


BEGIN = """
    INSERT INTO ports.errand AS errand (port, key, stream_id, task, rank, due_at, cause, tries)
    SELECT $1, key, stream, task, rank, due_at, cause, 0
    FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::uuid[])
        AS told (key, stream, task, rank, due_at, cause) ORDER BY key
    ON CONFLICT (port, key) DO UPDATE SET
        task = CASE WHEN errand.rank > excluded.rank THEN errand.task ELSE excluded.task END,
        rank = greatest(errand.rank, excluded.rank),
        due_at = excluded.due_at, cause = excluded.cause
"""
END = "DELETE FROM ports.errand WHERE port = $1 AND key = ANY($2::text[])"
TAKE = """
    WITH due AS (
        SELECT key FROM ports.errand
        WHERE port = $1 AND due_at <= $2 AND holder IS DISTINCT FROM $3
        ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
    )
    UPDATE ports.errand SET holder = $3, tries = tries + 1
    WHERE port = $1 AND key IN (SELECT key FROM due)
    RETURNING key, stream_id, task, cause, tries
"""
LOCK = """
    SELECT key, cause FROM ports.errand
    WHERE port = $1 AND key = ANY($2::text[]) AND holder = $3 ORDER BY key FOR UPDATE
"""
LEAVE = "UPDATE ports.errand SET holder = NULL WHERE port = $1 AND key = ANY($2::text[])"
LATER = """
    UPDATE ports.errand SET holder = NULL, due_at = told.due_at
    FROM unnest($2::text[], $3::timestamptz[]) AS told (key, due_at)
    WHERE port = $1 AND errand.key = told.key
"""


async def write_errands(port: str, told: Iterable[Begin | ErrandEnd], db: Connection) -> None:
    """In the transaction of whoever reads the log. `told`: in the order of the events."""
    last: dict[str, Begin | ErrandEnd] = {}
    for each in told:
        last[each.key] = after(last.get(each.key), each)
    if ended := sorted(key for key, each in last.items() if isinstance(each, ErrandEnd)):
        await db.execute(END, port, ended)
    if begun := [each for each in last.values() if isinstance(each, Begin)]:
        rows = [(e.key, e.stream, e.task, e.rank, e.due, e.cause) for e in begun]
        await db.execute(BEGIN, port, *columns(rows, 6))


def after(before: Begin | ErrandEnd | None, told: Begin | ErrandEnd) -> Begin | ErrandEnd:
    """What is left of two of one key."""
    if isinstance(before, Begin) and isinstance(told, Begin) and before.rank > told.rank:
        return Begin(
            key=told.key,
            stream=told.stream,
            task=before.task,
            rank=before.rank,
            due=told.due,
            cause=told.cause,
        )
    return told


@dataclass(slots=True)
class Errands[A]:
    """The loop of one port: one worker at a time has it, `at_once` requests are under way.

    `ask`: goes and asks; it raises nothing but for a fault of ours. `tell`: has decided what comes
    of an answer, on a stream that was read; when to ask again, or None.
    """

    port: str
    pool: asyncpg.Pool
    own_log: PostgresLog
    now: Callable[[], datetime]
    ask: Callable[[Errand], Awaitable[A]]
    tell: Callable[[Decisions, Errand, A], datetime | None]
    at_once: int
    holder: UUID = field(default_factory=uuid4)
    _under_way: dict[asyncio.Task[A], Errand] = field(default_factory=dict[asyncio.Task[A], Errand])
    _answers: list[tuple[Errand, A]] = field(default_factory=list[tuple[Errand, A]])
    _in_doubt: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Asks until `stop`. What is under way then is left to the next one."""
        locks = SessionLocks(self.pool)
        doze = self.own_log.bells.applied.doze(IDLE_SECONDS, IDLE_SECONDS_MAX)
        # A run that was broken off has left some; to this one they are another's.
        self._in_doubt = True
        self._answers.clear()
        try:
            while not stop.is_set():
                try:
                    if await locks.hold(f"port {self.port}"):
                        await self._turn(doze, stop)
                    else:
                        await pause(stop, LEASE_LOOK_SECONDS)
                except VersionConflict:
                    continue
                except WORLD_FAILURES as failure:
                    log.warning("port waits", port=self.port, failure=type(failure).__name__)
                    self._in_doubt = True
                    await pause(stop, PAUSE_SECONDS)
        finally:
            await self._forget()
            await locks.release()

    async def turn(self) -> int:
        """Takes what is due, asks all of it and tells what comes of it; how many there were."""
        await self._take()
        handled = len(self._under_way)
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._tell_answers()
        return handled

    async def _turn(self, doze: Doze, stop: asyncio.Event) -> None:
        await self._take()
        if not self._under_way and not self._answers:
            await doze.pause(stop)
            return
        doze.busy()
        if self._under_way:
            # Not for ever: what has become due meanwhile is not to wait for one slow answer.
            await asyncio.wait(
                self._under_way, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        await self._tell_answers()

    async def _take(self) -> None:
        if self._in_doubt:
            # Some may have been taken without our hearing of it. Under another name they are found
            # again, but not before those that are known to be on their way are back.
            if self._under_way or self._answers:
                return
            self.holder, self._in_doubt = uuid4(), False
        if (room := self.at_once - len(self._under_way) - len(self._answers)) <= 0:
            return
        clock = await self.own_log.instant(self.now)
        for key, stream, task, cause, tries in await self.pool.fetch(
            TAKE, self.port, clock, self.holder, room
        ):
            errand = Errand(key=key, stream=stream, task=task, cause=str(cause), tries=tries)
            self._under_way[asyncio.create_task(self._asked(errand))] = errand
        under_way_now.labels(self.port).set(len(self._under_way))

    async def _asked(self, errand: Errand) -> A:
        return await self.ask(errand)

    async def _tell_answers(self) -> None:
        failed: list[Errand] = []
        for task in [task for task in self._under_way if task.done()]:
            errand = self._under_way.pop(task)
            if (fault := task.exception()) is None:
                self._answers.append((errand, task.result()))
            else:
                log.error("errand failed", port=self.port, key=errand.key, exc_info=fault)
                failed.append(errand)
        if failed:
            await self._set_aside(failed)
        if self._answers:
            await self._record(self._answers)
            self._answers.clear()

    async def _record(self, answers: Sequence[tuple[Errand, A]]) -> None:
        """What comes of answers, with the errands' end; each by itself if together they cannot."""
        try:
            await self._recorded(answers)
        except Exception as fault:
            if not is_of_the_events(fault):
                raise
            if len(answers) > 1:
                for each in answers:
                    await self._record([each])
                return
            (errand, _) = answers[0]
            log.exception("answer not recorded", port=self.port, key=errand.key)
            await self._set_aside([errand])

    async def _recorded(self, answers: Sequence[tuple[Errand, A]]) -> None:
        async def once() -> None:
            async with self.pool.acquire() as db, db.transaction():
                await self._append(answers, db)

        await decided_again(once, ATTEMPTS_MAX)

    async def _append(self, answers: Sequence[tuple[Errand, A]], db: Connection) -> None:
        keys = sorted(errand.key for errand, _ in answers)
        held = {
            key: str(cause) for key, cause in await db.fetch(LOCK, self.port, keys, self.holder)
        }
        decisions = Decisions(self.own_log.within(db))
        await decisions.read(errand.stream for errand, _ in answers)
        done: list[str] = []
        later: list[tuple[str, datetime]] = []
        for errand, answer in answers:
            again = self.tell(decisions, errand, answer)
            if held.get(errand.key) != errand.cause:
                continue  # it has ended, or something else is to be asked by now
            if again is None:
                done.append(errand.key)
            else:
                later.append((errand.key, again))
        await db.execute(LEAVE, self.port, keys)
        await db.execute(END, self.port, done)
        if later:
            # `tell` goes by this process's clock, whoever looks what is due by the database's.
            ahead = self.now() - await self.own_log.within(db).instant(self.now)
            later = [(key, again - ahead) for key, again in later]
            await db.execute(LATER, self.port, *columns(later, 2))
        await decisions.append()

    async def _set_aside(self, errands: Sequence[Errand]) -> None:
        """Tried again after a while: a fault of ours is not to be met in a circle."""
        failed_total.labels(self.port).inc(len(errands))
        due = await self.own_log.instant(self.now) + RETRY_AFTER
        rows = [(errand.key, due) for errand in errands]
        await self.pool.execute(LATER, self.port, *columns(rows, 2))

    async def _forget(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()
