"""A deadline fires once, never early; and late, it decides what it would have decided in time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self

import asyncpg
import pytest
from shared_events.orders import OrderDelivered, OrderPaid
from shared_runtime.database import STATEMENT_SECONDS_MAX
from shared_runtime.decider import Actor, Decider
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.skew import SKEW_MAX
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import ManualClock, facts
from shared_runtime.timers import (
    LATENESS_MAX,
    RETRY_AFTER,
    TIMER,
    Arm,
    Cancel,
    DueTimer,
    TimerName,
    fire_due,
    timer_subscription,
)
from shared_runtime.worker import STALLED_AFTER_SECONDS

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
DUE = AT + timedelta(days=15)
TICK = timedelta(microseconds=1)
TIMERS = 20
SECONDS_OF_ONE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The command that the timer sends: an order is paid at the instant it is judged at."""

    now: datetime
    actor: Actor

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


def close(paid: int, command: Close) -> list[OrderPaid]:
    if paid:
        return []  # what a second timer finds
    return [
        OrderPaid(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="p1",
            paid_at=command.now,
            payment_ref="timer",
        )
    ]


CLOSING = Decider[int, Close, OrderPaid](initial=0, decide=close, evolve=lambda paid, _: paid + 1)


async def fire(decisions: Decisions, due: Sequence[DueTimer]) -> None:
    await decisions.read(timer.stream for timer in due)
    for timer in due:
        if timer.name.kind == "BROKEN":
            raise ValueError("a fault of this release")
        command = Close(now=timer.now, actor=TIMER)
        ask = Ask(stream=timer.stream, command=command, cause=timer.cause, correlation="O1")
        decisions.decide(CLOSING, ask)


async def arm(pool: asyncpg.Pool, stream: str, due: datetime = DUE, name: str = "CLOSE") -> None:
    await pool.execute(
        "INSERT INTO es.timer (stream_id, name, due_at, armed_by)"
        " VALUES ($1, $2, $3, gen_random_uuid())",
        stream,
        name,
        due,
    )


async def closed_at(journal: PostgresLog, stream: str) -> list[datetime]:
    histories = await journal.read([stream])
    return [recorded.time for recorded in histories.get(stream, [])]


async def test_i14_a_timer_never_fires_early(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    await arm(pool, "order-1")
    clock.at = DUE - TICK
    assert await fire_due(pool, journal, fire, clock) == 0
    clock.at = DUE
    assert await fire_due(pool, journal, fire, clock) == 1
    assert await closed_at(journal, "order-1") == [DUE]


async def test_i14_a_process_whose_clock_is_ahead_fires_nothing_early(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    checked = PostgresLog(pool, source="/test", now=clock, skew_max=SKEW_MAX)
    clock.at = await pool.fetchval("SELECT clock_timestamp()")
    await arm(pool, "order-1", clock.at + timedelta(minutes=10))
    await arm(pool, "order-2", clock.at)
    ahead = ManualClock(clock.at + timedelta(days=1))
    assert await fire_due(pool, checked, fire, ahead) == 1
    assert await closed_at(journal, "order-1") == []
    assert await closed_at(journal, "order-2") == [clock.at]


async def test_i14_a_timer_fires_once(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    await arm(pool, "order-1")
    clock.at = DUE
    assert await fire_due(pool, journal, fire, clock) == 1
    assert await fire_due(pool, journal, fire, clock) == 0
    assert len(await closed_at(journal, "order-1")) == 1


async def test_i14_two_workers_fire_each_timer_once(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    for number in range(TIMERS):
        await arm(pool, f"order-{number}")
    clock.at = DUE

    async def worker() -> int:
        fired = 0
        while count := await fire_due(pool, journal, fire, clock, limit=3):
            fired += count
        return fired

    assert sum(await asyncio.gather(worker(), worker(), worker())) == TIMERS
    assert await pool.fetchval("SELECT count(*) FROM es.event") == TIMERS
    assert await pool.fetchval("SELECT count(*) FROM es.timer") == 0


async def test_i14_a_timer_whose_cause_has_gone_changes_nothing(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    await arm(pool, "order-1")
    await arm(pool, "order-1", DUE + timedelta(days=1), "CLOSE_AGAIN")
    clock.at = DUE + timedelta(days=1)
    assert await fire_due(pool, journal, fire, clock) == 2
    assert len(await closed_at(journal, "order-1")) == 1


@pytest.mark.parametrize(
    ("late", "judged"),
    [
        (timedelta(0), DUE),
        (timedelta(minutes=7), DUE),
        (LATENESS_MAX, DUE),
        (LATENESS_MAX + TICK, DUE + LATENESS_MAX + TICK),
    ],
)
async def test_i14_a_late_timer_is_judged_as_if_in_time_but_after_an_outage_by_the_clock(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    clock: ManualClock,
    late: timedelta,
    judged: datetime,
) -> None:
    await arm(pool, "order-1")
    clock.at = DUE + late
    await fire_due(pool, journal, fire, clock)
    assert await closed_at(journal, "order-1") == [judged]


async def test_the_oldest_timers_fire_first(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    for number in (3, 1, 2):
        await arm(pool, f"order-{number}", DUE + timedelta(hours=number))
    clock.at = DUE + timedelta(days=1)
    assert await fire_due(pool, journal, fire, clock, limit=2) == 2
    left = await pool.fetch("SELECT stream_id FROM es.timer")
    assert [row["stream_id"] for row in left] == ["order-3"]


async def test_a_timer_that_cannot_be_fired_holds_up_no_other_and_is_tried_again_later(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    await arm(pool, "order-1", name="BROKEN")
    await arm(pool, "order-2")
    clock.at = DUE
    await fire_due(pool, journal, fire, clock)
    assert await closed_at(journal, "order-2") == [DUE]
    assert "a fault of this release" in str(await pool.fetchval("SELECT fault FROM es.timer"))
    assert await fire_due(pool, journal, fire, clock) == 0
    clock.advance(RETRY_AFTER)
    assert await fire_due(pool, journal, partial(ignoring_names, fire), clock) == 1
    assert len(await closed_at(journal, "order-1")) == 1


@dataclass(slots=True)
class Slow:
    """Fires, but for one timer: with that it takes as long as a statement may. `seconds` is what
    has passed by it.
    """

    stream: str
    passed: float = 0.0
    sizes: list[int] = field(default_factory=list[int])

    def seconds(self) -> float:
        return self.passed

    async def fire(self, decisions: Decisions, due: Sequence[DueTimer]) -> None:
        if any(timer.stream == self.stream for timer in due):
            self.sizes.append(len(due))
            self.passed += STATEMENT_SECONDS_MAX
            raise TimeoutError
        self.passed += SECONDS_OF_ONE * len(due)
        await fire(decisions, due)


async def test_i14_a_timer_that_takes_longer_than_a_statement_may_is_looked_for_once(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    """In the batch that it is in, and alone: for so long the others wait for it."""
    slow = Slow("order-100")
    for number in range(200):
        await arm(pool, f"order-{number:03}", DUE + number * TICK)
    clock.at = DUE + timedelta(hours=1)
    turns: list[float] = []
    while True:
        began = slow.passed
        if not await fire_due(pool, journal, slow.fire, clock, seconds=slow.seconds):
            break
        turns.append(slow.passed - began)
    assert slow.sizes == [200, 1]
    assert max(turns) < 3 * STATEMENT_SECONDS_MAX < STALLED_AFTER_SECONDS
    assert await pool.fetchval("SELECT count(*) FROM es.event") == 199
    assert await pool.fetchval("SELECT retry_at FROM es.timer") == clock.at + RETRY_AFTER


async def test_i14_a_timer_that_took_long_is_tried_again_behind_the_others(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    slow = Slow("order-1")
    await arm(pool, "order-1", DUE - TICK)
    clock.at = DUE
    await fire_due(pool, journal, slow.fire, clock, seconds=slow.seconds)
    clock.advance(RETRY_AFTER)
    for number in range(2, 9):
        await arm(pool, f"order-{number}", clock.at)
    slow.sizes = []
    assert await fire_due(pool, journal, slow.fire, clock, 1, seconds=slow.seconds) == 1
    assert slow.sizes == []
    assert await fire_due(pool, journal, slow.fire, clock, seconds=slow.seconds) == 7
    assert slow.sizes == [1]
    assert await pool.fetchval("SELECT count(*) FROM es.event") == 7


async def test_i14_timers_that_all_take_long_do_not_keep_a_worker_from_turning(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    """Whether they fail for the first time or again."""
    passed = 0.0

    async def slow(_: Decisions, __: Sequence[DueTimer]) -> None:
        nonlocal passed
        passed += STATEMENT_SECONDS_MAX
        raise TimeoutError

    for number in range(9):
        await arm(pool, f"order-{number}")
    clock.at = DUE
    for _ in range(20):
        began = passed
        await fire_due(pool, journal, slow, clock, seconds=lambda: passed)
        clock.advance(RETRY_AFTER)
        assert 0 < passed - began <= 3 * STATEMENT_SECONDS_MAX < STALLED_AFTER_SECONDS


async def test_i14_timers_that_fail_are_in_front_of_nobody(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    for number in range(3):
        await arm(pool, f"order-{number}", DUE - timedelta(days=1), "BROKEN")
    clock.at = DUE
    await fire_due(pool, journal, fire, clock, limit=3)
    clock.advance(RETRY_AFTER - TICK)
    await arm(pool, "order-9", clock.at)
    assert await fire_due(pool, journal, fire, clock, limit=1) == 1
    assert len(await closed_at(journal, "order-9")) == 1


async def test_i14_a_timer_that_failed_has_its_turn_by_when_it_is_tried_again(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    """Not by when it was due: what is due meanwhile comes before it."""
    for number in range(3):
        await arm(pool, f"order-{number}", DUE - timedelta(days=1), "BROKEN")
    clock.at = DUE
    await fire_due(pool, journal, fire, clock, limit=3)
    await arm(pool, "order-9", DUE + RETRY_AFTER - TICK)
    clock.advance(RETRY_AFTER)
    assert await fire_due(pool, journal, fire, clock, limit=1) == 1
    assert len(await closed_at(journal, "order-9")) == 1


async def test_a_timer_that_goes_on_failing_is_tried_ever_less_often(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    await arm(pool, "order-1", name="BROKEN")
    clock.at = DUE
    pauses: list[timedelta] = []
    for _ in range(12):
        await fire_due(pool, journal, fire, clock)
        tried_again = await pool.fetchval("SELECT retry_at FROM es.timer")
        pauses.append(tried_again - clock.at)
        clock.at = tried_again
    assert pauses[:3] == [RETRY_AFTER, 2 * RETRY_AFTER, 4 * RETRY_AFTER]
    assert pauses[-1] == timedelta(days=1)


async def test_one_timer_that_fails_does_not_make_the_others_fire_one_by_one(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    fired: list[int] = []

    async def counting(decisions: Decisions, due: Sequence[DueTimer]) -> None:
        fired.append(len(due))
        await fire(decisions, due)

    for number in range(200):
        await arm(pool, f"order-{number:03}", DUE + number * TICK)
    await arm(pool, "order-x", DUE + 100 * TICK, "BROKEN")
    clock.at = DUE + timedelta(hours=1)
    while await fire_due(pool, journal, counting, clock):
        pass
    assert await pool.fetchval("SELECT count(*) FROM es.event") == 200
    assert len(fired) < 40


async def ignoring_names(mended: object, decisions: Decisions, due: Sequence[DueTimer]) -> None:
    """The release that mends it."""
    assert mended is fire
    await fire(decisions, [replace(timer, name=TimerName("CLOSE")) for timer in due])


async def test_the_log_arms_moves_and_cancels_timers(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    ids = {"order_id": "O1", "seller_id": "S1", "buyer_id": "B1", "policy_version": "p1"}

    def timers_of(event: OrderDelivered | OrderPaid) -> list[Arm | Cancel]:
        if isinstance(event, OrderDelivered):
            return [Arm(name=TimerName("CLOSE"), due=event.auto_complete_at)]
        return [Cancel(name=TimerName("CLOSE"))]

    def delivered(due: datetime) -> OrderDelivered:
        return OrderDelivered(
            order_id=ids["order_id"],
            seller_id=ids["seller_id"],
            buyer_id=ids["buyer_id"],
            policy_version=ids["policy_version"],
            delivered_at=AT,
            late=False,
            signed=True,
            auto_complete_at=due,
        )

    subscription = timer_subscription((topic,), (OrderDelivered, OrderPaid), timers_of)
    runner = Runner(subscription=subscription, source=OwnLog(pool, (topic,)), pool=pool)
    await runner.start()

    async def armed() -> list[datetime]:
        while await runner.turn():
            pass
        return [row["due_at"] for row in await pool.fetch("SELECT due_at FROM es.timer")]

    await journal.append(facts("order-1", delivered(DUE), at=AT))
    assert await armed() == [DUE]
    moved = DUE + timedelta(days=1)
    await journal.append(facts("order-1", delivered(moved), at=AT, after=1))
    assert await armed() == [moved]
    (paid,) = close(0, Close(now=AT, actor=TIMER))
    await journal.append(facts("order-1", paid, at=AT, after=2))
    assert await armed() == []


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (TimerName("CLOSE"), "CLOSE"),
        (TimerName("DUE", "A1"), "DUE/A1"),
        (TimerName("DUE", "A/1"), "DUE/A/1"),  # somebody's own ids may have a slash
    ],
)
def test_the_stored_name_of_a_timer_leads_back_to_it(name: TimerName, stored: str) -> None:
    assert str(name) == stored
    assert TimerName.parse(stored) == name
