"""A day that is over in, the provider's book and ours compared out, each day once.

What was lost on the way is recorded then, as if it were told just now; what one side alone knows is
named. A day is compared whole or not at all: a page that is not answered is asked for again later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import asyncpg
import msgspec
import structlog
from prometheus_client import Gauge
from shared_events.characters import is_id
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.ids import derived_id
from shared_runtime.log import PostgresLog, VersionConflict, read_stream
from shared_runtime.pausing import pause
from shared_runtime.worker import SessionLocks

from returns_service.connectors.comparing import Met, by_reference, compared, telling
from returns_service.connectors.words import Hearing, UnknownRefund, Words, asked_of
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Refund, RefundStatus, Unopened
from returns_service.domain.policy import Policies
from returns_service.domain.streams import ledger_stream
from returns_service.ports.line import NO_ANSWER, Unknown
from returns_service.ports.opened import with_line
from returns_service.ports.payment import READS_MAX, Absent, Looked, PaymentPort, TheirRefund
from returns_service.queries.reconciliations import Report, ReportedRefund

DAYS = "0c8f1f0a-6a0e-5f7e-8a55-2f2c0b6f9d11"
"""The namespace of the causes that comparisons are: one for each refund of a day."""
GRACE = timedelta(hours=1)
"""So long after its end a day is compared: the provider has written all of it down by then."""
DAYS_MAX = 31
"""So many days of an outage are made up for by themselves; older ones are asked for by hand."""
LOOK_SECONDS = 1.0
AT_ONCE = 32

log = structlog.get_logger()
unclear = Gauge(
    "aftersales_reconciliation_unclear", "Refunds of the last compared day to look into"
)


class Incomplete(OSError):  # noqa: N818 - a state of the world
    """The provider has not answered for all of the day."""


ASK_FOR = """
    INSERT INTO ports.reconciliation AS known (day, asked_at) VALUES ($1, $2)
    ON CONFLICT (day) DO UPDATE SET asked_at = excluded.asked_at, compared_at = NULL, report = NULL
"""
# A day that was compared before it was over is compared again.
DUE = """
    INSERT INTO ports.reconciliation AS known (day, asked_at)
    SELECT day::date, $2 FROM generate_series(
        greatest(coalesce((SELECT max(day) FROM ports.reconciliation WHERE day < $1::date),
                          $1::date), $1::date - $3::int),
        $1::date, interval '1 day') AS day
    ON CONFLICT (day) DO UPDATE SET asked_at = excluded.asked_at, compared_at = NULL, report = NULL
    WHERE known.compared_at < (known.day + 1)::timestamp AT TIME ZONE 'UTC' + $4::interval
"""
NEXT = "SELECT day FROM ports.reconciliation WHERE compared_at IS NULL ORDER BY day LIMIT 1"
KEEP = "UPDATE ports.reconciliation SET compared_at = $2, report = $3::text::jsonb WHERE day = $1"
OURS = """
    SELECT case_id, order_id, gateway_ref, total_minor, currency, state FROM read.listed_refund
    WHERE settled_at >= $1 AND settled_at < $2 AND total_minor > 0
"""


async def ask_for(day: date, pool: asyncpg.Pool, now: datetime) -> None:
    """Has a day compared, again if it was before."""
    await pool.execute(ASK_FOR, day, now)


@dataclass(slots=True)
class Reconciling:
    """The loop that compares; one worker at a time has it."""

    port: PaymentPort
    _: KW_ONLY
    pool: asyncpg.Pool
    own_log: PostgresLog
    policies: Policies
    now: Callable[[], datetime]
    _words: Words = field(init=False)

    def __post_init__(self) -> None:
        self._words = Words(self.own_log)

    async def run(self, stop: asyncio.Event) -> None:
        """Compares each day when it is over, and what is asked for, until `stop`."""
        locks = SessionLocks(self.pool)
        try:
            while not stop.is_set():
                try:
                    if await locks.hold("reconciliation") and await self.turn():
                        continue
                except (VersionConflict, *WORLD_FAILURES) as failure:
                    log.warning("reconciliation waits", failure=type(failure).__name__)
                await pause(stop, LOOK_SECONDS)
        finally:
            await locks.release()

    async def turn(self) -> bool:
        """Compares one day, if one is to be. Raises `Incomplete`."""
        clock = await self.own_log.instant(self.now)
        over = (clock - GRACE).astimezone(UTC).date() - timedelta(days=1)
        await self.pool.execute(DUE, over, clock, DAYS_MAX, GRACE)
        day = await self.pool.fetchval(NEXT)
        if day is None:
            return False
        report = await self.compare(day)
        told = msgspec.json.encode(report).decode()
        await self.pool.execute(KEEP, day, report.compared_at, told)
        unclear.set(len(report.to_look_into))
        log.info("day compared", day=str(day), unclear=len(report.to_look_into))
        return True

    async def compare(self, day: date) -> Report:
        """Raises `Incomplete`."""
        listed = await self.port.of_day(day)
        if isinstance(listed, Unknown):
            raise Incomplete(listed.code)
        met = await _some_at_a_time(by_reference(listed), self._meet)
        ours = await self._only_ours(day, {each.reference for each in listed})
        clock = await self.own_log.instant(self.now)
        return compared(day, len(listed), met, ours, clock)

    async def _meet(self, theirs: list[TheirRefund]) -> Met:
        """Tells the ledger how it stands there."""
        first = theirs[0]
        if not (is_id(first.order_ref) and is_id(first.reference)):
            return Met(theirs=theirs, ours=None, news=False)  # no ledger has such names
        try:
            recorded = [await self._words.hear(each, self._heard(each)) for each in telling(theirs)]
        except UnknownRefund:
            return Met(theirs=theirs, ours=None, news=False)
        ours = await self._refund(first.order_ref, first.reference)
        return Met(theirs=theirs, ours=ours, news=sum(recorded) > 0)

    def _heard(self, told: TheirRefund) -> Hearing:
        return Hearing(
            cause=derived_id(DAYS, f"{told.id}/{told.status}"),
            purpose="day",
            now=self.now(),
            policies=self.policies,
        )

    async def _only_ours(self, day: date, listed: set[str]) -> list[ReportedRefund]:
        """What has settled here that day and is not there, on whatever day."""
        begin = datetime.combine(day, time(), UTC)
        rows = await self.pool.fetch(OURS, begin, begin + timedelta(days=1))
        unlisted = [row for row in rows if row["case_id"] not in listed]
        lines = await _some_at_a_time(unlisted, self._line_if_absent)
        return [line for line in lines if line]

    async def _line_if_absent(self, row: asyncpg.Record) -> ReportedRefund | None:
        refund = await self._refund(row["order_id"], row["case_id"])
        assert refund is not None, "a row is of a refund"
        word = await self._look(refund)
        if isinstance(word, Unknown):
            raise Incomplete(word.code)
        if not isinstance(word, Absent):
            return None  # of another day
        ours: RefundStatus = refund.status
        return ReportedRefund(
            refund_id=refund.refund_id,
            order_id=row["order_id"],
            gateway_refs=[row["gateway_ref"]],
            amount_minor=row["total_minor"],
            currency=row["currency"],
            theirs=None,
            ours=ours,
        )

    async def _look(self, refund: Refund) -> Looked:
        """A few times, as for the pages: one answer of a hundred that is lost is not to begin the
        day anew.
        """
        word: Looked = Unknown(code=NO_ANSWER)
        for _ in range(READS_MAX):
            word = await self.port.look(asked_of(refund))
            if not isinstance(word, Unknown):
                break
        return word

    async def _refund(self, order_id: str, refund_id: str) -> Refund | None:
        history = await read_stream(self.own_log, ledger_stream(order_id))
        ledger = LEDGERS.fold(recorded.event for recorded in history)
        return None if isinstance(ledger, Unopened) else ledger.refunds.get(refund_id)


async def _some_at_a_time[T, R](items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """What comes of each, in their order; the first failure is raised when all have ended."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with places:
            return await do(item)

    done = await asyncio.gather(*map(one, items), return_exceptions=True)
    if failures := [each for each in done if isinstance(each, BaseException)]:
        raise failures[0]
    return [each for each in done if not isinstance(each, BaseException)]


async def reconcile(
    open_port: Callable[[], PaymentPort],
    loop_on: Callable[[PaymentPort], Reconciling],
    stop: asyncio.Event,
) -> None:
    """What the worker runs: with a line of its own to the provider."""
    await with_line(open_port, loop_on, stop)
