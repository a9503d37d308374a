"""What is to be asked of a company is asked until it is answered, whoever dies on the way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Self
from uuid import uuid4

import asyncpg
import pytest
from shared_events.orders import OrderPaid
from shared_runtime.clock import system_clock
from shared_runtime.decider import Actor, Decider
from shared_runtime.errands import (
    RETRY_AFTER,
    TAKE,
    Begin,
    Errand,
    ErrandEnd,
    Errands,
    after,
    write_errands,
)
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.skew import SKEW_MAX
from shared_runtime.testing import ManualClock, comes_to_wait

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PORT = "bank"
BANK = Actor(role="SYSTEM", id="bank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    now: datetime
    actor: Actor

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


def pay(paid: int, command: Commanded) -> list[OrderPaid]:
    if paid:
        return []
    told = OrderPaid(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=command.now,
        payment_ref="bank",
    )
    return [told]


PAYING = Decider[int, Commanded, OrderPaid](initial=0, decide=pay, evolve=lambda paid, _: paid + 1)


@dataclass(slots=True)
class Bank:
    """Notes who asked what, and answers "paid"; or as it is told to, by the key."""

    asked: list[Errand] = field(default_factory=list[Errand])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    busy: asyncio.Event | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    now_open: int = 0
    most_open: int = 0

    async def ask(self, errand: Errand) -> str:
        self.asked.append(errand)
        self.now_open += 1
        self.changed.set()
        self.most_open = max(self.most_open, self.now_open)
        try:
            if self.busy is not None:
                await self.busy.wait()
        finally:
            self.now_open -= 1
        answer = self.answers.get(errand.key, "paid")
        if answer == "fault":
            raise ValueError("a fault of this release")
        return answer

    async def was_asked(self, times: int) -> None:
        while len(self.asked) < times:
            self.changed.clear()
            await self.changed.wait()

    @property
    def heard(self) -> list[tuple[str, str, int]]:
        return [(each.key, each.task, each.tries) for each in self.asked]


def tell(decisions: Decisions, errand: Errand, answer: str) -> datetime | None:
    if answer == "later":
        return AT + HOUR
    if answer == "untold":
        raise ValueError("a fault of this release")
    ask = Ask(
        stream=errand.stream,
        command=Commanded(now=AT, actor=BANK),
        cause=errand.cause,
        correlation="O1",
    )
    decisions.decide(PAYING, ask)
    return None


@pytest.fixture
async def errands(owner: asyncpg.Pool) -> None:
    await owner.execute((files("shared_runtime") / "sql" / "errands.sql").read_text())


type Make = Callable[..., Errands[str]]


@pytest.fixture
def loop_of(pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock, errands: None) -> Make:  # noqa: ARG001
    def make(bank: Bank, at_once: int = 10) -> Errands[str]:
        clock.at = AT
        return Errands(
            port=PORT,
            pool=pool,
            own_log=journal,
            now=clock,
            ask=bank.ask,
            tell=tell,
            at_once=at_once,
        )

    return make


@pytest.fixture
def begin(pool: asyncpg.Pool) -> Callable[..., Awaitable[None]]:
    async def write(key: str, task: str = "SEND", rank: int = 0, due: datetime = AT) -> None:
        told = Begin(
            key=key, stream=f"order-{key}", task=task, rank=rank, due=due, cause=str(uuid4())
        )
        async with pool.acquire() as db, db.transaction():
            await write_errands(PORT, [told], db)

    return write


type Write = Callable[..., Awaitable[None]]


async def paid(journal: PostgresLog, key: str) -> int:
    return len((await journal.read([f"order-{key}"])).get(f"order-{key}", []))


async def left(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT key, task FROM ports.errand ORDER BY key")
    return [(row["key"], row["task"]) for row in rows]


async def test_an_errand_is_asked_once_and_its_answer_recorded(
    pool: asyncpg.Pool, journal: PostgresLog, loop_of: Make, begin: Write
) -> None:
    bank = Bank()
    loop = loop_of(bank)
    for key in ("a", "b"):
        await begin(key)
    assert await loop.turn() == 2
    assert await loop.turn() == 0
    assert sorted(bank.heard) == [("a", "SEND", 1), ("b", "SEND", 1)]
    assert [await paid(journal, key) for key in ("a", "b")] == [1, 1]
    assert await left(pool) == []


async def test_an_errand_is_never_asked_early_and_again_when_it_is_told_to(
    loop_of: Make, begin: Write, clock: ManualClock
) -> None:
    bank = Bank(answers={"a": "later"})
    loop = loop_of(bank)
    await begin("a", due=AT + HOUR)
    clock.at = AT + HOUR - timedelta(microseconds=1)
    assert await loop.turn() == 0
    clock.at = AT + HOUR
    assert await loop.turn() == 1
    assert await loop.turn() == 1  # it is told to come back at that very instant
    assert bank.heard == [("a", "SEND", 1), ("a", "SEND", 2)]


async def test_i14_an_errand_is_not_asked_a_day_late_since_a_clock_was_ahead(
    pool: asyncpg.Pool, loop_of: Make, begin: Write, clock: ManualClock
) -> None:
    loop = loop_of(Bank(answers={"a": "later"}))
    clock.at = system_clock() + timedelta(days=1)
    loop.own_log = PostgresLog(pool, source="/test", now=clock, skew_max=SKEW_MAX)

    def later(*_: object) -> datetime:
        return clock() + HOUR

    loop.tell = later
    await begin("a")
    assert await loop.turn() == 1
    due = await pool.fetchval("SELECT due_at - clock_timestamp() FROM ports.errand")
    assert due == pytest.approx(HOUR, abs=timedelta(minutes=10))


async def test_whoever_dies_leaves_it_to_the_next_who_knows_that_it_is_not_the_first_time(
    pool: asyncpg.Pool, journal: PostgresLog, loop_of: Make, begin: Write
) -> None:
    bank = Bank(busy=asyncio.Event())
    dying = loop_of(bank)
    await begin("a")
    turning = asyncio.create_task(dying.turn())
    await bank.was_asked(1)
    turning.cancel()
    assert await paid(journal, "a") == 0
    bank.busy = None
    assert await loop_of(bank).turn() == 1
    assert bank.heard == [("a", "SEND", 1), ("a", "SEND", 2)]
    assert await paid(journal, "a") == 1
    assert await left(pool) == []


async def test_what_is_asked_in_its_place_meanwhile_stays(
    pool: asyncpg.Pool, journal: PostgresLog, loop_of: Make, begin: Write
) -> None:
    bank = Bank(busy=asyncio.Event())
    loop = loop_of(bank)
    await begin("a")
    turning = asyncio.create_task(loop.turn())
    await bank.was_asked(1)
    await begin("a", "STOP", rank=1)
    assert bank.busy is not None
    bank.busy.set()
    await turning
    assert await paid(journal, "a") == 1  # an answer is an answer
    assert await left(pool) == [("a", "STOP")]
    await loop.turn()
    assert bank.heard == [("a", "SEND", 1), ("a", "STOP", 2)]
    assert await left(pool) == []


async def test_locks_what_is_asked_in_its_place_while_the_answer_is_recorded_stays(
    pool: asyncpg.Pool, loop_of: Make, begin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an answer whose errand was looked at, when another takes its place before it ends."""
    read = Decisions.read
    comes: list[asyncio.Future[None]] = []

    async def read_late(self: Decisions, streams: Iterable[str]) -> None:
        comes.append(asyncio.ensure_future(begin("a", "STOP", rank=1)))
        await comes_to_wait(comes[-1], pool)
        await read(self, streams)

    loop = loop_of(Bank())
    await begin("a")
    monkeypatch.setattr(Decisions, "read", read_late)
    await loop.turn()
    await asyncio.gather(*comes)
    assert await left(pool) == [("a", "STOP")]


async def test_locks_of_two_who_take_at_once_each_errand_is_taken_by_one(
    pool: asyncpg.Pool, loop_of: Make, begin: Write
) -> None:
    """As when a worker that was paused wakes up beside the next one."""
    bank = Bank()
    await begin("a")
    async with pool.acquire() as paused, paused.transaction():
        assert await paused.fetch(TAKE, PORT, AT, uuid4(), 10)
        turning = asyncio.ensure_future(loop_of(bank).turn())
        assert not await comes_to_wait(turning, pool), "it waits for what is another's"
    await turning
    assert bank.asked == []


async def test_a_task_of_a_higher_rank_is_only_brought_forward(
    pool: asyncpg.Pool, loop_of: Make, begin: Write
) -> None:
    bank = Bank()
    loop = loop_of(bank)
    await begin("a", "STOP", rank=1, due=AT + HOUR)
    assert await loop.turn() == 0
    await begin("a", "SEND")
    assert await left(pool) == [("a", "STOP")]
    assert await loop.turn() == 1
    assert bank.heard == [("a", "STOP", 1)]


async def test_what_has_ended_is_not_asked(pool: asyncpg.Pool, loop_of: Make, begin: Write) -> None:
    bank = Bank()
    loop = loop_of(bank)
    await begin("a")
    async with pool.acquire() as db:
        await write_errands(PORT, [ErrandEnd(key="a")], db)
    assert await loop.turn() == 0
    assert bank.asked == []


async def test_so_many_are_under_way_and_no_more(loop_of: Make, begin: Write) -> None:
    bank = Bank(busy=asyncio.Event())
    loop = loop_of(bank, at_once=3)
    for key in "abcdefg":
        await begin(key)
    stop = asyncio.Event()
    running = asyncio.create_task(loop.run(stop))
    await bank.was_asked(3)
    assert bank.busy is not None
    bank.busy.set()
    await bank.was_asked(7)
    stop.set()
    await running
    assert bank.most_open == 3


async def test_one_worker_at_a_time_asks(loop_of: Make, begin: Write) -> None:
    banks = [Bank(), Bank()]
    stop = asyncio.Event()
    running = [asyncio.create_task(loop_of(bank).run(stop)) for bank in banks]
    for n in range(20):
        await begin(f"k{n}")
    asked = [asyncio.create_task(bank.was_asked(20)) for bank in banks]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.gather(*running)
    for task in asked:
        task.cancel()
    assert sorted(len(bank.asked) for bank in banks) == [0, 20]


@pytest.mark.parametrize("fault", ["fault", "untold"])
async def test_a_fault_of_ours_is_set_aside_and_the_others_go_on(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    loop_of: Make,
    begin: Write,
    fault: str,
) -> None:
    bank = Bank(answers={"b": fault})
    loop = loop_of(bank)
    for key in ("a", "b", "c"):
        await begin(key)
    await loop.turn()
    assert [await paid(journal, key) for key in ("a", "b", "c")] == [1, 0, 1]
    assert await left(pool) == [("b", "SEND")]
    assert await loop.turn() == 0
    loop.now = ManualClock(AT + RETRY_AFTER)
    bank.answers.clear()
    assert await loop.turn() == 1
    assert await paid(journal, "b") == 1


def test_of_two_in_one_batch_the_last_counts_unless_the_first_ranks_higher() -> None:
    send = Begin(key="a", stream="s", task="SEND", due=AT, cause="1")
    stop = Begin(key="a", stream="s", task="STOP", rank=1, due=AT, cause="2")
    assert after(send, stop) == stop
    later = Begin(key="a", stream="s", task="SEND", due=AT + HOUR, cause="3")
    assert after(stop, later) == Begin(
        key="a", stream="s", task="STOP", rank=1, due=AT + HOUR, cause="3"
    )
    assert after(stop, ErrandEnd(key="a")) == ErrandEnd(key="a")
    assert after(ErrandEnd(key="a"), send) == send
