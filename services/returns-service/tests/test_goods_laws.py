"""What no history of a return can break: whoever does what with its goods, or nothing."""

from collections.abc import Iterator
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import SENT_BACK_OR_PAID
from returns_service.testing import SYSTEM, kinds
from returns_service.testing.return_lives import (
    DOING,
    STORIES,
    Act,
    Doing,
    Life,
    decided,
    in_silence,
    is_refunded,
    lived,
)
from shared_events.common import DecisionOverdue
from shared_events.returns import (
    AdvanceUnrecovered,
    DifferencePaid,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    ExchangeUnreturned,
    GoodsWaived,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnClosed,
    ReturnContested,
    ReturnEvent,
    ReturnExpired,
    ReturnScanned,
    UnitsAccepted,
    UnitsLost,
    UnitsReceived,
    UnitsRejected,
    UnitsRevived,
    UnitsSentBack,
)

AFTER_THE_END = (
    AdvanceUnrecovered,
    DecisionOverdue,
    DifferencePaid,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    ExchangeUnreturned,
    GoodsWaived,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnContested,
    ReturnExpired,
    ReturnScanned,
    UnitsAccepted,
    UnitsLost,
    UnitsReceived,
    UnitsRejected,
    UnitsRevived,
    UnitsSentBack,
)
"""Of goods that come late or unasked or are to be sent back, and what follows from those."""
DUE = ("_until", "_by", "_due")

stories = st.sampled_from(list(STORIES.values()))
acts = st.lists(
    st.builds(
        Act,
        doing=st.sampled_from(DOING),
        hours=st.sampled_from([0, 1, 12, 24, 48, 120, 240, 1100]),
    ),
    max_size=10,
)


def dues_of(event: ReturnEvent) -> Iterator[datetime]:
    for name, value in asdict(event).items():
        if isinstance(value, datetime) and name.endswith(DUE):
            yield value


@given(stories, acts)
def test_a_return_that_nobody_touches_any_more_is_closed_by_its_deadlines(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    life = in_silence(lived(begun, doing))
    assert life.state.status == "CLOSED"
    assert kinds(life.events).count("ReturnClosed") == 1


@given(stories, acts)
def test_after_its_end_nothing_is_told_but_of_goods_that_come_late_or_go_back(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    events = in_silence(lived(begun, doing)).events
    end = next(n for n, each in enumerate(events) if isinstance(each, ReturnClosed))
    assert all(isinstance(each, AFTER_THE_END) for each in events[end + 1 :])


@given(stories, acts)
def test_no_piece_is_refunded_and_replaced(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    life = in_silence(lived(begun, doing))
    paid: set[str] = set()
    shown = Life(begun=begun)
    for step in life.steps:
        shown = Life(begun=shown.events, steps=(step,))
        state = shown.state
        paid |= {unit for unit, piece in state.pieces.items() if is_refunded(state, piece)}
    replaced = {
        unit for event in life.events if isinstance(event, ExchangeShipped) for unit in event.units
    }
    assert not paid & replaced


@given(stories, acts)
def test_no_deadline_lies_before_what_sets_it(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    for step in in_silence(lived(begun, doing)).steps:
        for event in step.events:
            if isinstance(event, ReturnExpired | ReturnContested | DecisionOverdue):
                continue  # they tell of one that another event has set
            assert all(due >= step.now for due in dues_of(event)), event


@given(stories, acts)
def test_nobody_gets_goods_and_money_by_waiting(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    state = in_silence(lived(begun, doing)).state
    for piece in state.pieces.values():
        if piece.acceptance == "REJECTED" and piece.rejected in SENT_BACK_OR_PAID:
            paid = state.is_advanced(piece) or piece.is_cross_shipped
            assert piece.sent_back or piece.waived or paid


@given(stories, acts, st.sampled_from(DOING))
def test_what_a_machine_tells_twice_is_told_once(
    begun: tuple[ReturnEvent, ...], doing: list[Act], told: Doing
) -> None:
    said, actor = told
    if actor != SYSTEM:
        return
    once = decided(lived(begun, doing), said, SYSTEM)
    assert decided(once, said, SYSTEM) == once


@settings(max_examples=50)
@given(stories, acts)
def test_a_history_told_again_leads_to_the_same(
    begun: tuple[ReturnEvent, ...], doing: list[Act]
) -> None:
    life = lived(begun, doing)
    assert RETURNS.fold(life.events) == life.state
