"""What no history of an order can break."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict
from review_service.domain.completion import CompleteOrder
from review_service.domain.known import Known
from review_service.domain.order_readers import ORDER_READERS, may_know
from review_service.domain.order_rules import ORDER_RULES, ORDERS, OrderCommand
from review_service.domain.placing import PlaceOrder
from review_service.domain.policy import policies
from review_service.testing import change
from review_service.testing.order_histories import (
    ACTORS,
    DAY,
    FEED,
    LIFE,
    PLACED,
    TEMPLATES,
    declare,
    in_time,
    place,
)
from shared_events.orders import OrderCompleted, OrderDelivered, OrderEvent, OrderReopened
from shared_events.registry import encode_data
from shared_runtime.decider import Actor, Refused
from shared_runtime.rule import By
from shared_runtime.testing import play

KNOWN = Known(policies=policies())

days = st.integers(min_value=0, max_value=9).map(lambda count: count * DAY)
some = st.lists(st.tuples(st.sampled_from(TEMPLATES), days), max_size=12)
# Random steps alone seldom get far: most histories follow a life for a while.
lives = st.integers(min_value=0, max_value=len(LIFE)).flatmap(
    lambda length: st.tuples(*(st.tuples(st.just(step), days) for step in LIFE[:length]))
)
histories = st.tuples(lives, some).map(lambda parts: in_time([*parts[0], *parts[1]]))


@given(histories)
def test_replaying_gives_the_same_state_and_the_same_bytes(commands: list[OrderCommand]) -> None:
    played, again = play(ORDERS, commands), play(ORDERS, commands)
    assert ORDERS.fold(played.events) == played.state
    assert [encode_data(event) for event in again.events] == [
        encode_data(event) for event in played.events
    ]


@given(histories)
def test_a_command_sent_twice_adds_no_event(commands: list[OrderCommand]) -> None:
    twice = [command for command in commands for _ in range(2)]
    assert play(ORDERS, twice).events == play(ORDERS, commands).events


@given(histories, st.sampled_from(TEMPLATES))
def test_a_refusal_or_a_no_op_changes_nothing(
    commands: list[OrderCommand], other: OrderCommand
) -> None:
    history = play(ORDERS, commands).events
    before = ORDERS.fold(history)
    asked = change(other, now=commands[-1].now if commands else PLACED)
    if not play(ORDERS, [asked], history).events:
        assert ORDERS.fold(history) == before == play(ORDERS, [asked], history).state


@given(histories)
def test_time_never_falls_and_no_deadline_lies_behind(commands: list[OrderCommand]) -> None:
    last = PLACED
    for command in commands:
        history = play(ORDERS, commands[: commands.index(command)]).events
        for event in play(ORDERS, [command], history).events:
            assert command.now >= last
            last = command.now
            if isinstance(event, OrderDelivered):
                assert event.auto_complete_at >= command.now


@given(histories)
def test_every_event_is_a_row_of_the_table(commands: list[OrderCommand]) -> None:
    state = ORDERS.initial
    for command in commands:
        try:
            events = ORDERS.decide(state, command)
        except Refused:
            continue
        row = ORDER_RULES[type(command.said)]
        for event in events:
            assert type(event) in row.events
            assert command.actor.acts_as in row.roles
            assert state.status in row.states or (state.status == "NONE" and not row.states)
            state = ORDERS.evolve(state, event)


@given(histories)
def test_completions_are_counted_from_one(commands: list[OrderCommand]) -> None:
    events = play(ORDERS, commands).events
    numbers = [event.completion_no for event in events if isinstance(event, OrderCompleted)]
    assert numbers == list(range(1, len(numbers) + 1))
    undone = [event.completion_no for event in events if isinstance(event, OrderReopened)]
    assert undone == numbers[: len(undone)]


@given(histories, st.sampled_from(ACTORS))
def test_what_is_offered_would_be_accepted(commands: list[OrderCommand], actor: Actor) -> None:
    played = play(ORDERS, commands)
    now = (commands[-1].now if commands else PLACED) + DAY
    for action in ORDER_RULES.offered(played.state, By(actor=actor, now=now, known=KNOWN)):
        template = next(t for t in TEMPLATES[::-1] if type(t.said).__name__ == action.action)
        if isinstance(template.said, CompleteOrder) and actor == FEED:
            template = declare
        if isinstance(template.said, PlaceOrder) or not action.allowed:
            continue
        assert play(ORDERS, [change(template, now=now, actor=actor)], played.events).events


@given(histories)
def test_a_new_policy_changes_nothing_of_an_order_that_began_before(
    commands: list[OrderCommand],
) -> None:
    since = policies([(PLACED, "ae-2025-1"), (PLACED + DAY, "ae-30d")])
    begun = [place, *commands]
    events = play(ORDERS, [change(each, policies=since) for each in begun]).events
    assert events == play(ORDERS, begun).events
    assert {asdict(event)["policy_version"] for event in events} == {"ae-2025-1"}


def test_of_every_kind_of_event_of_an_order_it_is_said_who_may_know_of_it() -> None:
    assert set(ORDER_READERS) == set(get_args(OrderEvent.__value__))


@given(histories, st.sampled_from(ACTORS))
def test_whoever_reads_an_order_may_know_of_as_much_as_its_version_says(
    commands: list[OrderCommand], reader: Actor
) -> None:
    history = play(ORDERS, commands).events
    assert [event for event in history if may_know(event, reader)] == history
