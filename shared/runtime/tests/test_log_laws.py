"""Commands decided together come to what they come to one by one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_runtime.decider import Actor, Decider, LimitReached, Refused, TimeGoesBack
from shared_runtime.log import (
    Ask,
    Decisions,
    Planned,
    Reply,
    StaleVersion,
    VersionConflict,
    handle,
    handle_many,
    read_stream,
)
from shared_runtime.testing import TESTS, InMemoryLog, ManualClock, facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
LIMIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    order_id: str
    refs: tuple[str, ...]
    now: datetime
    actor: Actor

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


type Payments = tuple[str, ...]


def pay(paid: Payments, command: Pay) -> list[OrderPaid]:
    """Each payment once and no more than `LIMIT` in all: some commands do nothing, some are
    refused, some record several events.
    """
    new = [ref for ref in dict.fromkeys(command.refs) if ref not in paid]
    if len(paid) + len(new) > LIMIT:
        raise LimitReached(limit=LIMIT)
    return [
        OrderPaid(
            order_id=command.order_id,
            seller_id=f"S{command.order_id}",
            buyer_id="B1",
            policy_version="p1",
            paid_at=command.now,
            payment_ref=ref,
        )
        for ref in new
    ]


def remember(paid: Payments, event: OrderPaid) -> Payments:
    return (*paid, event.payment_ref)


PAYMENTS = Decider[Payments, Pay, OrderPaid](initial=(), decide=pay, evolve=remember)
BUYER = Actor(role="BUYER", id="B1")


def ask(
    order: str = "1",
    *refs: str,
    minute: int = 0,
    cause: int = 0,
    expected: int | None = None,
    states_time: bool = False,
) -> Ask[Pay]:
    return Ask(
        stream=f"order-{order}",
        command=Pay(order_id=order, refs=refs, now=AT + timedelta(minutes=minute), actor=BUYER),
        cause=str(uuid5(TESTS, f"{cause}")),
        correlation=order,
        expected=expected,
        states_time=states_time,
    )


@st.composite
def any_ask(draw: st.DrawFn) -> Ask[Pay]:
    return ask(
        draw(st.sampled_from("123")),
        *draw(st.lists(st.sampled_from("abcd"), max_size=3)),
        minute=draw(st.integers(0, 5)),
        cause=draw(st.integers()),
        expected=draw(st.none() | st.integers(0, LIMIT)),
        states_time=draw(st.booleans()),
    )


def cause_of(asked: Ask[Pay]) -> str:
    return asked.cause


asks = st.lists(any_ask(), max_size=12, unique_by=cause_of)


async def one_by_one(log: InMemoryLog, asked: Sequence[Ask[Pay]]) -> list[int | Refused]:
    answers: list[int | Refused] = []
    for each in asked:
        try:
            answers.append((await handle(log, PAYMENTS, each)).version)
        except Refused as refused:
            answers.append(refused)
    return answers


def told(answers: Sequence[int | Refused]) -> list[int | str]:
    return [str(answer) if isinstance(answer, Refused) else answer for answer in answers]


@given(asks)
def test_a_batch_is_answered_and_recorded_as_its_commands_are_one_by_one(
    asked: list[Ask[Pay]],
) -> None:
    together, apart = InMemoryLog(ManualClock(AT)), InMemoryLog(ManualClock(AT))
    answers = asyncio.run(handle_many(together, PAYMENTS, asked))
    assert told(answers) == told(asyncio.run(one_by_one(apart, asked)))
    assert together == apart


@given(asks, st.integers(0, 12))
def test_where_a_batch_is_cut_makes_no_difference(asked: list[Ask[Pay]], cut: int) -> None:
    whole, halves = InMemoryLog(ManualClock(AT)), InMemoryLog(ManualClock(AT))
    answers = asyncio.run(handle_many(whole, PAYMENTS, asked))
    first = asyncio.run(handle_many(halves, PAYMENTS, asked[:cut]))
    second = asyncio.run(handle_many(halves, PAYMENTS, asked[cut:]))
    assert told(answers) == told([*first, *second])
    assert whole == halves


@given(asks)
def test_the_same_batch_again_records_nothing_that_is_not_new(asked: list[Ask[Pay]]) -> None:
    """A repeated message is decided on a history that has its effects: no change, no event."""
    asked = [each for each in asked if each.expected is None and not each.states_time]
    log = InMemoryLog(ManualClock(AT))
    asyncio.run(handle_many(log, PAYMENTS, asked))
    once = dict(log.heads)
    accepted = asyncio.run(one_by_one(log, asked))
    assert log.heads == once
    assert all(isinstance(answer, int | LimitReached) for answer in accepted)


@given(asks)
def test_time_never_goes_back_within_a_stream(asked: list[Ask[Pay]]) -> None:
    log = InMemoryLog(ManualClock(AT))
    asyncio.run(handle_many(log, PAYMENTS, asked))
    for history in log.streams.values():
        instants = [history[version].time for version in sorted(history)]
        assert instants == sorted(instants)
        assert sorted(history) == list(range(1, len(history) + 1))


async def test_a_clock_that_is_behind_the_stream_is_lifted_to_it() -> None:
    log = InMemoryLog(ManualClock(AT))
    await handle(log, PAYMENTS, ask("1", "a", minute=5, cause=1))
    await handle(log, PAYMENTS, ask("1", "b", minute=0, cause=2))
    assert [recorded.time for recorded in await read_stream(log, "order-1")] == [
        AT + timedelta(minutes=5)
    ] * 2


async def test_a_stated_instant_before_the_stream_is_refused_if_anything_comes_of_it() -> None:
    log = InMemoryLog(ManualClock(AT))
    await handle(log, PAYMENTS, ask("1", "a", minute=5, cause=1))
    with pytest.raises(TimeGoesBack):
        await handle(log, PAYMENTS, ask("1", "b", minute=0, cause=2, states_time=True))
    nothing = await handle(log, PAYMENTS, ask("1", "a", minute=0, cause=3, states_time=True))
    assert (nothing.version, nothing.recorded) == (1, [])


@dataclass(slots=True)
class Raced:
    """A log on which others are first, a number of times."""

    log: InMemoryLog
    times: int

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["Raced"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["Raced"]:
        yield self

    async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
        return await self.log.read(streams)

    async def recorded(self, event_ids: Sequence[str]) -> set[str]:
        return await self.log.recorded(event_ids)

    async def append(
        self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
    ) -> list[Recorded[Any]]:
        if self.times:
            self.times -= 1
            (version,) = {item.version for item in planned}
            other = ask("1", f"other-{version}").command
            (event,) = pay((), other)
            await self.log.append(facts("order-1", event, at=AT, after=version - 1))
        return await self.log.append(planned, replies)


async def test_what_has_been_answered_is_passed_over_and_its_stream_is_not_read() -> None:
    log = InMemoryLog(ManualClock(AT))
    one, other = ask("1", "a", cause=1), ask("2", "b", cause=2)
    await handle(log, PAYMENTS, one)
    decisions = Decisions(log)
    assert await decisions.unanswered([one, other]) == [other]
    assert [decisions.history(each.stream) for each in (one, other)] == [(), ()]
    assert decisions.decide(PAYMENTS, other)


async def test_what_nothing_came_of_is_asked_again() -> None:
    log = InMemoryLog(ManualClock(AT))
    nothing = ask("1")
    await handle(log, PAYMENTS, nothing)
    assert await Decisions(log).unanswered([nothing]) == [nothing]


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_who_loses_a_race_decides_again_on_what_is_there_now(times: int) -> None:
    raced = Raced(InMemoryLog(ManualClock(AT)), times)
    outcome = await handle(raced, PAYMENTS, ask("1", "a"))
    assert outcome.version == times + 1
    assert outcome.state == (*(f"other-{n}" for n in range(1, times + 1)), "a")


async def test_who_loses_three_races_gives_up() -> None:
    with pytest.raises(VersionConflict):
        await handle(Raced(InMemoryLog(ManualClock(AT)), 3), PAYMENTS, ask("1", "a"))


async def test_who_said_which_version_he_saw_is_told_that_another_was_first() -> None:
    raced = Raced(InMemoryLog(ManualClock(AT)), 1)
    for _ in range(2):
        with pytest.raises(StaleVersion):
            await handle(raced, PAYMENTS, ask("1", "a", expected=0))


async def test_another_who_was_first_in_secret_makes_nothing_stale() -> None:
    raced = Raced(InMemoryLog(ManualClock(AT)), 1)
    outcome = await handle(raced, PAYMENTS, ask("1", "a", expected=0), version_of=lambda _: 0)
    assert outcome.state == ("other-1", "a")


async def test_ids_of_events_follow_from_their_cause() -> None:
    log = InMemoryLog(ManualClock(AT))
    outcome = await handle(log, PAYMENTS, ask("1", "a", "b", cause=1))
    cause = UUID(ask(cause=1).cause)
    assert [recorded.event_id for recorded in outcome.recorded] == [
        str(uuid5(cause, f"order-1/{n}")) for n in range(2)
    ]
    assert outcome.token == f"orders.events/{outcome.recorded[-1].partition}:2"


async def test_a_stream_is_read_before_it_is_decided_on() -> None:
    with pytest.raises(AssertionError, match="was not read"):
        Decisions(InMemoryLog(ManualClock(AT))).decide(PAYMENTS, ask("1", "a"))
