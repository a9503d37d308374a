"""What no history of an order can break."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace
from review_service.domain.actions import order_actions
from review_service.domain.commands import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    OrderCommand,
    PlaceOrder,
    ReopenOrder,
)
from review_service.domain.order import ROWS, Placed, orders
from review_service.domain.policy import policies
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)
from shared_events.registry import encode_data
from shared_runtime.decider import Actor, Refused
from shared_runtime.testing import play

PLACED = datetime(2025, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = Actor(role="SYSTEM", id="feed")
BUYER = Actor(role="BUYER", id="B1")
ACTORS = (FEED, BUYER, Actor(role="SELLER", id="S1"), Actor(role="MODERATOR", id="M1"))
EVENT_OF: dict[type[OrderCommand], type[OrderEvent]] = {
    PlaceOrder: OrderPlaced,
    MarkPaid: OrderPaid,
    MarkShipped: OrderShipped,
    MarkDelivered: OrderDelivered,
    CompleteOrder: OrderCompleted,
    CancelOrder: OrderCancelled,
    ReopenOrder: OrderReopened,
    AttributeDelay: OrderDelayAttributed,
}
POLICIES = policies()
decider = orders(POLICIES)

line = OrderLine(line_id="1", sku="S", category="C", quantity=1, unit_price_minor=1000)
place = PlaceOrder(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    marketplace_id="M1",
    country="BR",
    currency="BRL",
    placed_at=PLACED,
    lines=(line,),
    order_discount_minor=0,
    shipping_minor=0,
    total_minor=1000,
    total_ref_minor=1000,
    deliver_by=PLACED + 6 * DAY,
    withdrawal_right=True,
    now=PLACED,
    actor=FEED,
)
TEMPLATES: list[OrderCommand] = [
    place,
    replace(place, withdrawal_right=False),
    MarkPaid(payment_ref="P1", now=PLACED, actor=FEED),
    MarkPaid(payment_ref="P2", now=PLACED, actor=FEED),
    MarkShipped(now=PLACED, actor=FEED),
    MarkDelivered(signed=True, now=PLACED, actor=FEED),
    CompleteOrder(now=PLACED, actor=FEED),
    CompleteOrder(now=PLACED, actor=FEED, open_disputes=("d1",)),
    CompleteOrder(by_feed=True, now=PLACED, actor=FEED),
    CompleteOrder(now=PLACED, actor=BUYER),
    CancelOrder(by="BUYER", reason="R", now=PLACED, actor=FEED),
    ReopenOrder(reason="CARRIER_CORRECTION", now=PLACED, actor=FEED),
    ReopenOrder(reason="PAYMENT_REVERSED", now=PLACED, actor=FEED),
    AttributeDelay(incident_id="I1", liable="CARRIER", now=PLACED, actor=FEED),
]
LIFE: list[OrderCommand] = [TEMPLATES[n] for n in (0, 2, 4, 5, 8, 11, 5, 9)]


def in_time(steps: list[tuple[OrderCommand, int]]) -> list[OrderCommand]:
    """Each command so many days after the one before."""
    now = PLACED
    timed: list[OrderCommand] = []
    for command, days in steps:
        now += days * DAY
        timed.append(replace(command, now=now))
    return timed


days = st.integers(min_value=0, max_value=9)
some = st.lists(st.tuples(st.sampled_from(TEMPLATES), days), max_size=12)
# Random steps alone seldom get far: most histories follow a life for a while.
lives = st.integers(min_value=0, max_value=len(LIFE)).flatmap(
    lambda length: st.tuples(*(st.tuples(st.just(step), days) for step in LIFE[:length]))
)
histories = st.tuples(lives, some).map(lambda parts: in_time([*parts[0], *parts[1]]))


@given(histories)
def test_replaying_gives_the_same_state_and_the_same_bytes(commands: list[OrderCommand]) -> None:
    played, again = play(decider, commands), play(decider, commands)
    assert decider.fold(played.events) == played.state
    assert [encode_data(event) for event in again.events] == [
        encode_data(event) for event in played.events
    ]


@given(histories)
def test_a_command_sent_twice_adds_no_event(commands: list[OrderCommand]) -> None:
    twice = [command for command in commands for _ in range(2)]
    assert play(decider, twice).events == play(decider, commands).events


@given(histories, st.sampled_from(TEMPLATES))
def test_a_refusal_or_a_no_op_changes_nothing(
    commands: list[OrderCommand], other: OrderCommand
) -> None:
    history = play(decider, commands).events
    before = decider.fold(history)
    asked = replace(other, now=commands[-1].now if commands else PLACED)
    if not play(decider, [asked], history).events:
        assert decider.fold(history) == before == play(decider, [asked], history).state


@given(histories)
def test_time_never_falls_and_no_deadline_lies_behind(commands: list[OrderCommand]) -> None:
    last = PLACED
    for command in commands:
        history = play(decider, commands[: commands.index(command)]).events
        for event in play(decider, [command], history).events:
            assert command.now >= last
            last = command.now
            if isinstance(event, OrderDelivered):
                assert event.auto_complete_at >= command.now


@given(histories)
def test_every_event_is_a_row_of_the_table(commands: list[OrderCommand]) -> None:
    state = decider.initial
    for command in commands:
        stage = state.stage if isinstance(state, Placed) else None
        try:
            events = decider.decide(state, command)
        except Refused:
            continue
        for event in events:
            row = ROWS[type(command)]
            assert type(event) is EVENT_OF[type(command)]
            assert command.actor.acts_as in row.roles
            assert stage in row.stages or (stage is None and isinstance(command, PlaceOrder))
            state = decider.evolve(state, event)


@given(histories)
def test_completions_are_counted_from_one(commands: list[OrderCommand]) -> None:
    events = play(decider, commands).events
    numbers = [event.completion_no for event in events if isinstance(event, OrderCompleted)]
    assert numbers == list(range(1, len(numbers) + 1))
    undone = [event.completion_no for event in events if isinstance(event, OrderReopened)]
    assert undone == numbers[: len(undone)]


@given(histories, st.sampled_from(ACTORS))
def test_what_is_offered_would_be_accepted(commands: list[OrderCommand], actor: Actor) -> None:
    played = play(decider, commands)
    now = (commands[-1].now if commands else PLACED) + DAY
    for action in order_actions(played.state, actor, now, POLICIES):
        template = next(t for t in TEMPLATES[::-1] if type(t).__name__ == action.action)
        if isinstance(template, CompleteOrder) and actor == FEED:
            template = replace(template, by_feed=True)
        if isinstance(template, PlaceOrder) or not action.allowed:
            continue
        assert play(decider, [replace(template, now=now, actor=actor)], played.events).events


@given(histories)
def test_a_new_policy_changes_nothing_of_an_order_that_began_before(
    commands: list[OrderCommand],
) -> None:
    since = orders(policies([(PLACED, "ae-2025-1"), (PLACED + DAY, "ae-30d")]))
    begun = [place, *commands]
    events = play(since, begun).events
    assert events == play(decider, begun).events
    assert {asdict(event)["policy_version"] for event in events} == {"ae-2025-1"}
