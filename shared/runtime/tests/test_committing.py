"""Commands that arrive together are decided together, and each is answered as if it were alone."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID, uuid5

import asyncpg
import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_runtime.commands import CommandRequest, Commands, commands_on
from shared_runtime.committing import Committer, Member, committed
from shared_runtime.decider import Actor, Decider, LimitReached, NotFound, Refused
from shared_runtime.log import (
    ATTEMPTS_MAX,
    AlreadyAnswered,
    AlreadyRecorded,
    AlsoWrite,
    AnyAlsoWrite,
    AnyUnderLock,
    Ask,
    Database,
    Decisions,
    Handled,
    Log,
    Planned,
    PostgresLog,
    Reply,
    StaleVersion,
    UnderLock,
    database_of,
    handle,
    read_stream,
)
from shared_runtime.testing import TESTS, InMemoryLog, ManualClock, facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
LIMIT = 3
BUYER = Actor(role="BUYER", id="B1")
DENSE = """
    SELECT bool_and(last = events AND first = 1) FROM (
        SELECT max(position) AS last, min(position) AS first, count(*) AS events
        FROM es.event GROUP BY topic, partition) AS told
"""

LONGEST = """
    SELECT max(bytes)::int FROM (
        SELECT sum(octet_length(body)) AS bytes FROM es.event GROUP BY stream_id) AS of_one
"""
BESIDE = "SELECT coalesce(sum(cardinality(positions)), 0) FROM history"
MOST_OF_A_BUYER = "SELECT max(cardinality(positions)) FROM history"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    order_id: str
    refs: tuple[str, ...]
    now: datetime = AT
    actor: Actor = BUYER
    limit: int = LIMIT

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


type Payments = tuple[str, ...]


def pay(paid: Payments, said: Pay) -> list[OrderPaid]:
    """Each payment once and so many at most: some commands do nothing, some are refused, some
    record several events.
    """
    new = [ref for ref in dict.fromkeys(said.refs) if ref not in paid]
    if len(paid) + len(new) > said.limit:
        raise LimitReached(limit=said.limit)
    return [
        OrderPaid(
            order_id=said.order_id,
            seller_id=f"S{said.order_id}",
            buyer_id="B1",
            policy_version="p1",
            paid_at=said.now,
            payment_ref=ref,
        )
        for ref in new
    ]


def remember(paid: Payments, event: OrderPaid) -> Payments:
    return (*paid, event.payment_ref)


PAYMENTS = Decider[Payments, Pay, OrderPaid](initial=(), decide=pay, evolve=remember)


def ask(order: str, *refs: str, cause: object = "", **more: Any) -> Ask[Pay]:  # noqa: ANN401
    return Ask(
        stream=f"order-{order}",
        command=Pay(order_id=order, refs=refs),
        cause=str(uuid5(TESTS, f"{order}/{refs}/{cause}")),
        correlation=order,
        **more,
    )


def answer_to(asked: Ask[Pay]) -> Callable[[Handled[Payments, OrderPaid]], Reply]:
    """Kept under the id of the command: what had been paid then."""

    def reply(outcome: Handled[Payments, OrderPaid]) -> Reply:
        return Reply(
            request_id=UUID(asked.cause),
            fingerprint=b"f",
            status=201,
            etag=f'"{outcome.version}"',
            body=",".join(outcome.state).encode(),
        )

    return reply


async def together(committer: Committer, *asked: Ask[Pay], **more: Any) -> list[Any]:  # noqa: ANN401
    """Those that are there at once, with their answers to keep: what came of each."""
    return await asyncio.gather(
        *(committer.handle(PAYMENTS, each, reply=answer_to(each), **more) for each in asked),
        return_exceptions=True,
    )


async def transactions(pool: asyncpg.Pool) -> list[int]:
    """How many events were recorded in each."""
    rows = await pool.fetch("SELECT count(*) AS events FROM es.event GROUP BY xmin::text")
    return sorted(row["events"] for row in rows)


async def kept(pool: asyncpg.Pool) -> dict[str, tuple[str, str, str]]:
    rows = await pool.fetch(
        "SELECT request_id, etag, convert_from(body, 'UTF8'), token FROM es.reply"
    )
    return {str(row[0]): (row[1], row[2], row[3]) for row in rows}


# --- Together


async def test_i10_what_comes_together_is_recorded_together_with_the_answers_of_all(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    asked = [ask("1", "a", "b"), ask("2", "a"), ask("3", "a"), ask("3", "b"), ask("1")]
    told = await together(Committer(journal), *asked)
    assert [each.state for each in told] == [("a", "b"), ("a",), ("a",), ("a", "b"), ("a", "b")]
    assert await transactions(pool) == [5]
    answers = await kept(pool)
    assert [answers.get(each.cause) for each in asked] == [
        ('"2"', "a,b", told[0].token),
        ('"1"', "a", told[1].token),
        ('"1"', "a", told[2].token),
        ('"2"', "a,b", told[3].token),
        None,
    ], "nothing came of the last"
    assert await pool.fetchval(DENSE)


async def test_i10_a_refusal_takes_nobody_with_it(pool: asyncpg.Pool, journal: PostgresLog) -> None:
    asked = [ask("1", "a"), ask("2", *"abcd"), ask("3", "a"), ask("1", *"bcd"), ask("1", "b")]
    told = await together(Committer(journal), *asked)
    assert [type(each) for each in told] == [Handled, LimitReached, Handled, LimitReached, Handled]
    assert told[4].state == ("a", "b")
    assert await transactions(pool) == [3]
    assert (await kept(pool)).keys() == {asked[n].cause for n in (0, 2, 4)}


async def test_i2_of_those_who_saw_one_version_one_is_done(journal: PostgresLog) -> None:
    await handle(journal, PAYMENTS, ask("1", "a"))
    asked = [ask("1", "b", expected=1), ask("1", "c", expected=1), ask("2", "a", expected=0)]
    told = await together(Committer(journal), *asked)
    assert [type(each) for each in told] == [Handled, StaleVersion, Handled]
    assert (told[1].expected, told[1].actual) == (1, 2)


def seen(events: Sequence[OrderPaid]) -> int:
    """The version that somebody knows who does not see all."""
    return sum(event.payment_ref != "unseen" for event in events)


async def test_i2_what_one_does_unseen_makes_nothing_stale_for_those_behind_him(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    asked = [ask("1", "unseen"), ask("1", "a", expected=0), ask("1", "b", expected=0)]
    told = await together(Committer(journal), *asked, version_of=seen)
    assert [type(each) for each in told] == [Handled, Handled, StaleVersion]
    assert (told[2].expected, told[2].actual) == (0, 1)
    assert await transactions(pool) == [2]


async def test_i10_a_request_that_came_twice_is_done_once(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    """The twin goes with the next batch, and finds what the first has done."""
    told = await together(Committer(journal), *[ask("1", "a")] * 3, ask("2", "a"))
    assert [len(each.recorded) for each in told] == [1, 0, 0, 1]
    assert await transactions(pool) == [2]


@given(
    st.lists(
        st.builds(
            ask,
            st.sampled_from("123"),
            st.sampled_from("abcd"),
            st.sampled_from("abcd"),
            cause=st.integers(),
            expected=st.none() | st.integers(0, LIMIT),
        ),
        max_size=12,
        unique_by=lambda each: each.cause,
    )
)
def test_a_batch_comes_to_what_its_commands_come_to_one_by_one(asked: list[Ask[Pay]]) -> None:
    batch, one_by_one = InMemoryLog(ManualClock(AT)), InMemoryLog(ManualClock(AT))
    members = [member(each) for each in asked]
    told = [outcome(each) for each in asyncio.run(committed(batch, members))]
    assert told == asyncio.run(each_by_itself(one_by_one, asked))
    assert replace(batch, replies={}) == replace(one_by_one, replies={})
    bodies = {request: reply.body for request, reply in one_by_one.replies.items()}
    assert bodies == {request: reply.body for request, reply in batch.replies.items()}


def member(asked: Ask[Pay]) -> Member:
    return Member(
        decider=PAYMENTS,
        ask=asked,
        reply=answer_to(asked),
        under_lock=None,
        also_write=None,
        version_of=len,
    )


def outcome(told: Handled[Any, Any] | Exception) -> object:
    return (told.state, told.version, told.recorded) if isinstance(told, Handled) else str(told)


async def each_by_itself(log: Log, asked: Sequence[Ask[Pay]]) -> list[object]:
    told: list[object] = []
    for each in asked:
        try:
            told.append(outcome(await handle(log, PAYMENTS, each, reply=answer_to(each))))
        except Refused as refused:
            told.append(outcome(refused))
    return told


# --- Races


def read_by(pool: asyncpg.Pool, topic: str, others: list[Planned]) -> PostgresLog:
    """A log on which somebody else is first with these, once it has been read."""

    class OthersFirst(PostgresLog):
        async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
            read = await super().read(streams)
            if others:
                late, others[:] = [*others], []
                await journal.append(late)
            return read

    clock = ManualClock(AT)
    journal = PostgresLog(pool, source="/test", now=clock, topic_of=lambda _: topic)
    return OthersFirst(pool, source="/test", now=clock, topic_of=lambda _: topic)


async def test_i2_those_who_lose_a_race_are_decided_again_on_what_has_happened(
    pool: asyncpg.Pool, topic: str
) -> None:
    """Nor is there more than the limit: the others have used it up in the meantime."""
    (paid,) = pay((), Pay(order_id="1", refs=("x",)))
    (more,) = pay((), Pay(order_id="1", refs=("y",)))
    log = read_by(pool, topic, facts("order-1", paid, more, at=AT))
    asked = [ask("1", "a"), ask("1", "b"), ask("2", "a"), ask("3", *"abcd")]
    told = await together(Committer(log), *asked)
    first = 0 if isinstance(told[0], Handled) else 1
    assert [type(told[n]) for n in (first, 1 - first)] == [Handled, LimitReached]
    assert [type(each) for each in told[2:]] == [Handled, LimitReached]
    assert told[first].state == ("x", "y", "ab"[first])
    assert [each.version for each in await read_stream(log, "order-1")] == [1, 2, 3]
    assert (await kept(pool)).keys() == {asked[first].cause, asked[2].cause}
    assert await pool.fetchval(DENSE)


@pytest.mark.parametrize(("ref", "outcome"), [("x", StaleVersion), ("unseen", Handled)])
async def test_i2_who_saw_a_version_has_it_compared_again_where_he_loses_a_race(
    pool: asyncpg.Pool, topic: str, ref: str, outcome: type[object]
) -> None:
    (paid,) = pay((), Pay(order_id="1", refs=(ref,)))
    log = read_by(pool, topic, facts("order-1", paid, at=AT))
    asked = [ask("1", "a", expected=0), ask("2", "a", expected=0)]
    told = await together(Committer(log), *asked, version_of=seen)
    assert [type(each) for each in told] == [outcome, Handled]


@pytest.mark.parametrize(("answers", "times"), [(True, 1), (False, ATTEMPTS_MAX)])
async def test_a_request_that_is_in_the_log_is_not_decided_again(
    *, answers: bool, times: int
) -> None:
    """Its answer is kept. A reaction has none: it finds in the history what it has done."""
    log, decided = InMemoryLog(ManualClock(AT)), list[Pay]()

    def pay_anew(_: Payments, said: Pay) -> list[OrderPaid]:
        decided.append(said)
        return pay((), said)

    decider, asked = replace(PAYMENTS, decide=pay_anew), ask("1", "a")
    await handle(log, decider, asked)
    decided.clear()
    with pytest.raises(AlreadyRecorded):
        await handle(log, decider, asked, reply=answer_to(asked) if answers else None)
    assert len(decided) == times


async def test_i10_what_is_answered_already_is_told_to_its_own_sender_alone(
    pool: asyncpg.Pool, topic: str
) -> None:
    """Another process has done the same request since."""
    twin, other = ask("1", "a"), ask("2", "a")
    (paid,) = pay((), Pay(order_id="1", refs=("z",)))
    planned = facts("order-1", paid, at=AT)
    log = read_by(pool, topic, planned)
    journal = PostgresLog(pool, source="/test", now=ManualClock(AT), topic_of=lambda _: topic)
    await journal.append(
        facts("order-9", paid, at=AT),
        [Reply(request_id=UUID(twin.cause), fingerprint=b"f", status=201, etag=None, body=b"")],
    )
    told = await together(Committer(log), twin, other)
    assert [type(each) for each in told] == [AlreadyAnswered, Handled]
    assert await read_stream(log, "order-2")


# --- Who goes away


async def test_i10_who_goes_away_takes_nobodys_answer_with_him(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    """One before his turn, one while his batch is under way: that one is done all the same."""
    committer = Committer(journal)
    tasks = [
        asyncio.create_task(committer.handle(PAYMENTS, each, reply=answer_to(each)))
        for each in (ask("1", "a"), ask("2", "a"), ask("3", "a"))
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # they are gathered, and on their way
    late = asyncio.create_task(committer.handle(PAYMENTS, ask("4", "a")))
    stays = asyncio.create_task(committer.handle(PAYMENTS, ask("5", "a")))
    await asyncio.sleep(0)
    tasks[1].cancel()
    late.cancel()
    async with asyncio.timeout(10):
        told = await asyncio.gather(*tasks, late, stays, return_exceptions=True)
    away = asyncio.CancelledError
    assert [type(each) for each in told] == [Handled, away, Handled, away, Handled]
    there = await journal.read([f"order-{n}" for n in range(1, 6)])
    assert there.keys() == {"order-1", "order-2", "order-3", "order-5"}
    assert ask("2", "a").cause in await kept(pool)


@pytest.mark.parametrize("role", ["commands", "commands-beside"])
async def test_i10_a_process_that_dies_at_any_step_leaves_events_and_answers_or_neither(
    pool: asyncpg.Pool,
    dying: Callable[[str, str, int], int],
    sight: None,  # noqa: ARG001 - what is written beside
    role: str,
) -> None:
    asked = 100
    events, replies = "SELECT count(*) FROM es.event", "SELECT count(*) FROM es.reply"
    for step in ("taken", "applied", "moved"):
        assert dying(role, step, asked) == -signal.SIGKILL
        assert await pool.fetchval(events) == await pool.fetchval(replies)
        assert await pool.fetchval(BESIDE) == (
            await pool.fetchval(events) if "beside" in role else 0
        )
    assert await pool.fetchval(events) > 0
    assert dying(role, "none", asked) == 0
    assert await pool.fetchval(events) == await pool.fetchval(replies) == asked
    assert await pool.fetchval(DENSE)


STATEMENTS_MIN = {"commands": 2, "commands-beside": 5, "commands-locked": 14}
"""Of a batch, and of those whom it leaves to the next: their buyers have paid by then."""


@pytest.mark.parametrize("role", STATEMENTS_MIN)
async def test_i10_a_process_that_dies_behind_any_statement_leaves_all_of_a_batch_or_nothing(
    pool: asyncpg.Pool,
    dying: Callable[[str, str, int], int],
    sight: None,  # noqa: ARG001 - what is written beside
    role: str,
) -> None:
    """With what is written beside it; and no buyer is past the limit that he is locked for."""
    asked, most = 6, {"commands": None, "commands-beside": 2, "commands-locked": 1}[role]
    done, recorded = asked if most != 1 else asked // 2, 0
    statement, ended = 0, -signal.SIGKILL
    while ended == -signal.SIGKILL:
        statement += 1
        ended = dying(role, str(statement), asked)
        before, recorded = recorded, await pool.fetchval("SELECT count(*) FROM es.event")
        assert recorded - before in ({done} if ended == 0 else {done, 0})
        assert await pool.fetchval("SELECT count(*) FROM es.reply") == recorded
        assert await pool.fetchval(BESIDE) == (recorded if most else 0)
    assert ended == 0
    assert statement > STATEMENTS_MIN[role]
    assert await pool.fetchval(MOST_OF_A_BUYER) == most
    assert await pool.fetchval(DENSE)


# --- Locks, and what is written beside


type Point = Literal["locked", "read", "told", "written", "appended", "alone"]


@dataclass(slots=True)
class Halt:
    """Whoever comes to this point stands still until he may go on."""

    at: Point | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def come_to(self, point: Point) -> None:
        if point == self.at:
            self.reached.set()
            await self.goes_on.wait()

    def log(self, pool: asyncpg.Pool, topic: str) -> PostgresLog:
        halt = self

        class Halting(PostgresLog):
            async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
                read = await super().read(streams)
                await halt.come_to("read" if len(streams) > 1 else "alone")
                return read

            async def append(
                self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
            ) -> list[Recorded[Any]]:
                appended = await super().append(planned, replies)
                await halt.come_to("appended")
                return appended

        clock = ManualClock(AT)
        return Halting(pool, source="/test", now=clock, topic_of=lambda _: topic)


@dataclass(slots=True)
class Rates:
    """One payment of a buyer in all his orders: told by a table, under his lock."""

    order: list[str] = field(default_factory=list[str])
    halt: Halt = field(default_factory=Halt)

    def of(self, buyer: str, lock: str = "one") -> AnyUnderLock[Pay]:
        locks = {"one": self.lock_one, "two": self.lock_two}
        return UnderLock(lock=locks[lock], key=buyer, read=self.read, about=buyer)

    async def lock_one(self, buyers: Sequence[str], db: Database) -> None:
        await self._lock("one", buyers, db)

    async def lock_two(self, buyers: Sequence[str], db: Database) -> None:
        await self._lock("two", buyers, db)

    async def _lock(self, kind: str, buyers: Sequence[str], db: Database) -> None:
        self.order.append(f"{kind}: {', '.join(sorted(buyers))}")
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtext(buyer)) FROM "
            "(SELECT buyer FROM unnest($1::text[]) AS buyer ORDER BY hashtext(buyer)) AS asked",
            [*buyers],
        )
        await self.halt.come_to("locked")

    async def read(self, decisions: Decisions, told: Sequence[tuple[str, Pay]]) -> list[Pay]:
        db = database_of(decisions.log)
        assert db is not None
        buyers = [buyer for buyer, _ in told]
        rows = await db.fetch("SELECT key FROM history WHERE key = ANY($1)", buyers)
        done = {row["key"] for row in rows}
        await self.halt.come_to("told")
        return [replace(said, limit=0 if buyer in done else 1) for buyer, said in told]

    def note(self, buyer: str) -> AnyAlsoWrite:
        return AlsoWrite(write=self.write, about=buyer)

    async def write(self, log: Log, told: Sequence[tuple[str, Sequence[Planned]]]) -> None:
        db = database_of(log)
        assert db is not None
        buyers = [buyer for buyer, _ in told]
        await db.execute(
            "SELECT see($1, $2, $3, $4)", buyers, [0] * len(told), [*range(len(told))], buyers
        )
        await self.halt.come_to("written")
        if "odd" in buyers:
            raise NotFound


def under_locks(
    committer: Committer, rates: Rates, *asked: tuple[str, str], lock: Callable[[int], str | None]
) -> list[Coroutine[Any, Any, Handled[Any, Any]]]:
    """Orders and their buyers: one command for each."""
    return [
        committer.handle(
            PAYMENTS,
            ask(order, "a", cause=n),
            reply=answer_to(ask(order, "a", cause=n)),
            under_lock=rates.of(buyer, kind) if (kind := lock(n)) else None,
            also_write=rates.note(buyer),
        )
        for n, (order, buyer) in enumerate(asked)
    ]


async def of_buyers(
    committer: Committer, rates: Rates, *asked: tuple[str, str], lock: Callable[[int], str | None]
) -> list[Any]:
    """What comes of them at once."""
    told = under_locks(committer, rates, *asked, lock=lock)
    outcomes: list[Any] = await asyncio.gather(*told, return_exceptions=True)
    return outcomes


@pytest.mark.usefixtures("sight")
async def test_i2_a_limit_across_streams_holds_for_those_who_come_together(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    asked = [("1", "B1"), ("2", "B2"), ("3", "B1"), ("4", "B3"), ("5", "B1")]
    told = await of_buyers(Committer(journal), Rates(), *asked, lock=lambda _: "one")
    assert [type(each) for each in told] == [Handled, Handled, LimitReached, Handled, LimitReached]
    assert await transactions(pool) == [3]


@pytest.mark.usefixtures("sight")
async def test_i2_what_is_decided_under_a_lock_is_decided_on_what_was_there_when_it_was_had(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    """Somebody else has the lock, and uses up what there is, before he lets it go. Nobody waits for
    that but those who need that lock.
    """
    rates, committer = Rates(), Committer(journal)
    async with pool.acquire() as db:
        transaction = db.transaction()
        await transaction.start()
        await rates.lock_one(["B1"], db)
        asked = [("1", "B1"), ("2", "B2")]
        waits, goes = [
            asyncio.create_task(each)
            for each in under_locks(committer, rates, *asked, lock=lambda _: "one")
        ]
        await waiting_for_a_lock(pool)
        assert isinstance(await committer.handle(PAYMENTS, ask("9", "a")), Handled)
        assert isinstance(await goes, Handled)
        assert not waits.done()
        await db.execute("SELECT see($1, $2, $3, $4)", ["B1"], [9], [9], ["B1"])
        await transaction.commit()
    with pytest.raises(LimitReached):
        await waits


@pytest.mark.usefixtures("sight")
async def test_i2_a_batch_that_waits_for_its_locks_is_decided_on_what_is_there_when_it_has_them(
    pool: asyncpg.Pool, journal: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.committing.PATIENCE_MS", 10_000)
    rates, asked = Rates(), [("1", "B1"), ("2", "B2")]
    async with pool.acquire() as db, db.transaction():
        await rates.lock_one(["B1"], db)
        told = asyncio.create_task(
            of_buyers(Committer(journal), rates, *asked, lock=lambda _: "one")
        )
        await waiting_for_a_lock(pool)
        await db.execute("SELECT see($1, $2, $3, $4)", ["B1"], [9], [9], ["B1"])
    assert [type(each) for each in await told] == [LimitReached, Handled]
    assert rates.order == ["one: B1", "one: B1, B2"]


@pytest.mark.usefixtures("sight")
@pytest.mark.parametrize(
    ("point", "lock"),
    [
        *((point, None) for point in ("read", "written", "appended", "alone")),
        *((point, "one") for point in ("locked", "read", "told", "written", "appended", "alone")),
    ],
)
async def test_i10_who_goes_away_at_any_point_is_done_and_takes_nobodys_answer_with_him(
    pool: asyncpg.Pool, topic: str, point: Point, lock: str | None
) -> None:
    """His own is kept for when he asks again. Each does by himself where one cannot be done."""
    halt = Halt(point)
    asked = [("1", "B1"), ("2", "B2"), ("3", "B3"), ("4", "odd" if point == "alone" else "B4")]
    committer, rates = Committer(halt.log(pool, topic)), Rates(halt=halt)
    tasks = [
        asyncio.create_task(each)
        for each in under_locks(committer, rates, *asked, lock=lambda _: lock)
    ]
    async with asyncio.timeout(10):
        await halt.reached.wait()
        tasks[1].cancel()
        await asyncio.sleep(0)
        halt.goes_on.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        last = NotFound if point == "alone" else Handled
        assert [*map(type, told)] == [Handled, asyncio.CancelledError, Handled, last]
        while ask("2", "a", cause=1).cause not in await kept(pool):
            pass
    assert await pool.fetchval("SELECT count(*) FROM es.event") == len(await kept(pool))
    assert await pool.fetchval(BESIDE) == len(await kept(pool))


# --- Answers


async def test_what_a_sender_sees_of_what_has_come_is_counted_once() -> None:
    """To count it is to fold all of a stream."""
    counted: list[int] = []

    def version_of(events: Sequence[OrderPaid]) -> int:
        counted.append(len(events))
        return seen(events)

    async def nothing_kept(_: UUID) -> None: ...

    asked = ask("1", "a")
    request = CommandRequest(
        id=UUID(asked.cause), fingerprint=b"f", expected=None, validate_only=False, traceparent=None
    )
    log = InMemoryLog(ManualClock(AT))
    response = await Commands(log, nothing_kept).run(
        request,
        PAYMENTS,
        asked.command,
        stream=asked.stream,
        correlation="1",
        view=lambda outcome: outcome.state,
        version_of=version_of,
    )
    assert counted == [1]
    assert response.headers["ETag"] == log.replies[request.id].etag == '"1"'


# --- Rehearsals


async def requested(
    commands: Commands,
    rates: Rates,
    order: str,
    buyer: str,
    *,
    expected: int | None = None,
    validate_only: bool = False,
) -> Response:
    asked = ask(order, "a", cause=(expected, validate_only))
    request = CommandRequest(
        id=UUID(asked.cause),
        fingerprint=b"f",
        expected=expected,
        validate_only=validate_only,
        traceparent=None,
    )
    return await commands.run(
        request,
        PAYMENTS,
        asked.command,
        stream=asked.stream,
        correlation=order,
        view=lambda outcome: outcome.state,
        status=201,
        under_lock=rates.of(buyer),
        also_write=rates.note(buyer),
    )


@pytest.mark.usefixtures("sight")
async def test_i10_who_rehearses_among_others_is_told_what_would_come_and_leaves_nothing(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    """Nor does he use anything up."""
    commands, rates = commands_on(journal, pool), Rates()
    told = await asyncio.gather(
        requested(commands, rates, "1", "B1", validate_only=True),
        requested(commands, rates, "2", "B2"),
        requested(commands, rates, "3", "B3", validate_only=True),
        requested(commands, rates, "4", "B4"),
        requested(commands, rates, "5", "B5", validate_only=True, expected=1),
        return_exceptions=True,
    )
    late = told[-1]
    assert isinstance(late, StaleVersion)
    assert (late.expected, late.actual) == (1, 0)
    answers = [each for each in told if isinstance(each, Response)]
    assert [each.status_code for each in answers] == [200, 201, 200, 201]
    assert [b"OrderPaid.v1" in each.body for each in answers] == [True, False, True, False]
    assert await transactions(pool) == [2]
    assert len(await kept(pool)) == await pool.fetchval(BESIDE) == 2
    assert (await requested(commands, rates, "1", "B1")).status_code == 201


@pytest.mark.usefixtures("sight")
async def test_i2_who_rehearses_is_told_of_what_those_before_him_have_used_up(
    pool: asyncpg.Pool, topic: str
) -> None:
    """Also where it is not yet to be seen."""
    halt = Halt("appended")
    commands, rates = commands_on(halt.log(pool, topic), pool), Rates()
    async with asyncio.timeout(10):
        done = asyncio.create_task(requested(commands, rates, "1", "B1"))
        await halt.reached.wait()
        rehearsed = asyncio.create_task(requested(commands, rates, "2", "B1", validate_only=True))
        await waiting_for_a_lock(pool)
        halt.goes_on.set()
        with pytest.raises(LimitReached):
            await rehearsed
        assert (await done).status_code == 201


async def waiting_for_a_lock(pool: asyncpg.Pool) -> None:
    async with asyncio.timeout(10):
        while not await pool.fetchval(  # noqa: ASYNC110 - what is waited for is in the database
            "SELECT count(*) FROM pg_locks JOIN pg_database AS here ON here.oid = database "
            "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        ):
            await asyncio.sleep(0)


@pytest.mark.usefixtures("sight")
async def test_i2_no_transaction_holds_locks_of_two_kinds(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    """So there is no circle of those who wait for each other."""
    rates, locks = Rates(), ["one", "two", "one"]
    asked = [("1", "B2"), ("2", "B1"), ("3", "B3")]
    told = await of_buyers(Committer(journal), rates, *asked, lock=locks.__getitem__)
    assert [type(each) for each in told] == [Handled] * 3
    assert sorted(rates.order) == ["one: B2, B3", "two: B1"]
    assert await transactions(pool) == [1, 2]


@pytest.mark.usefixtures("sight")
@pytest.mark.parametrize("lock", ["one", None])
async def test_i10_what_cannot_be_written_beside_takes_its_own_command_with_it_alone(
    pool: asyncpg.Pool, journal: PostgresLog, lock: str | None
) -> None:
    asked = [("1", "B1"), ("2", "odd"), ("3", "B3")]
    told = await of_buyers(Committer(journal), Rates(), *asked, lock=lambda _: lock)
    assert [type(each) for each in told] == [Handled, NotFound, Handled]
    rows = await pool.fetch("SELECT key, cardinality(positions) FROM history ORDER BY key")
    assert [tuple(row) for row in rows] == [("B1", 1), ("B3", 1)]
    assert len(await kept(pool)) == 2


@pytest.mark.servers
async def test_those_whose_histories_are_too_much_together_are_decided_one_by_one(
    journal: PostgresLog, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order in ("O1", "O2", "O3"):
        await handle(journal, PAYMENTS, ask(order, "P1", "P2"))
    size: int = await pool.fetchval(LONGEST)
    monkeypatch.setattr("shared_runtime.log.HISTORIES_BYTES_MAX", size)
    asks = [ask(order, "P3") for order in ("O1", "O2", "O3")]
    told = await together(Committer(journal), *asks)
    assert [outcome.version for outcome in told] == [3, 3, 3]
