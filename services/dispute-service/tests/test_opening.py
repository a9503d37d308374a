"""When a dispute may be opened, on which pieces, and with which terms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from dispute_service.domain.known import UnitFacts
from dispute_service.domain.opening import NamedLine, OpenDispute
from dispute_service.domain.policy import AE_2025_1
from dispute_service.testing import (
    COMPLETED,
    DAY,
    DELIVERED,
    LEDGER,
    OPENING,
    ORDER,
    PIECES,
    SELLER,
    STRANGER,
    TICK,
    at,
    kinds,
    played,
    say,
    words,
)
from dispute_service.testing.stories import OPEN, opening
from msgspec.structs import replace
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.dispute import DisputedUnits, DisputeOpened, DisputeReason
from shared_events.orders import OrderLine
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    AmountExceedsCeiling,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotFound,
    NotYetEligible,
    QuantityExceeded,
    Refused,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

LATE = COMPLETED + AE_2025_1.dispute_open_window
SHIPPED = at(1) - 8 * DAY
PAID = at(1) - 9 * DAY
UNDELIVERED = replace(
    ORDER, stage="SHIPPED", delivered_at=None, received_at=None, completed_at=None
)


def lines(quantity: int, *units: str) -> tuple[NamedLine, ...]:
    return (NamedLine(line_id="1", quantity=quantity, units=units or None),)


def asking(**changes: Any) -> OpenDispute:  # noqa: ANN401 - any field
    return replace(opening, **changes)


refund = asking(outcome="REFUND_FULL", amount_minor=None, currency=None)
missing = replace(refund, reason="NOT_RECEIVED")


def opened(said: OpenDispute, now: datetime = OPENING, **known: Any) -> DisputeOpened:  # noqa: ANN401
    done = played(say(said, now=now, **known))
    assert done.refused is None, done.refused
    (event,) = done.events
    assert isinstance(event, DisputeOpened)
    return event


def refused(
    said: OpenDispute,
    rule: type[Refused],
    now: datetime = OPENING,
    members: Mapping[str, object] | None = None,
    **known: Any,  # noqa: ANN401
) -> None:
    played(say(said, now=now, **known)).then_refused(rule, **(members or {}))


def test_every_deadline_counts_from_the_opening_and_what_is_asked_is_held() -> None:
    event = opened(opening)
    assert (event.ceiling_minor, event.held_minor, event.amount_minor) == (16198, 2000, 2000)
    assert (event.answer_due, event.auto_escalate_at) == (at(10), at(12))
    assert (event.buyer_may_escalate_at, event.seller_may_escalate_at) == (at(8), at(10))
    assert event.policy_version == "ae-2025-1"
    assert event.lines == [DisputedUnits(line_id="1", quantity=3, units="1/1,1/2,1/3")]
    assert opened(refund).held_minor == 16198


# --- Windows


@pytest.mark.parametrize("reason", ["DAMAGED", "WRONG_ITEM", "COUNTERFEIT", "SIZE_MISFIT"])
def test_what_came_may_be_disputed_from_its_delivery_until_15_days_after_completion(
    reason: DisputeReason,
) -> None:
    said = asking(reason=reason)
    refused(said, NotYetEligible, DELIVERED - TICK, {"eligible_from": DELIVERED})
    assert opened(said, DELIVERED).reason == reason
    assert opened(said, LATE - TICK).reason == reason
    refused(said, WindowClosed, LATE, {"closed_at": LATE})


def test_while_an_order_is_not_completed_the_window_stays_open() -> None:
    order = replace(ORDER, stage="DELIVERED", completed_at=None)
    assert opened(opening, LATE + 300 * DAY, order=order)


def test_before_a_delivery_nobody_can_say_when_it_may_be_disputed() -> None:
    refused(opening, NotYetEligible, members={"eligible_from": None}, order=UNDELIVERED)
    placed = replace(UNDELIVERED, stage="PLACED", paid_at=None, shipped_at=None)
    refused(missing, NotYetEligible, members={"eligible_from": None}, order=placed)


@pytest.mark.parametrize(
    ("order", "due"),
    [
        (replace(UNDELIVERED, deliver_by=at(4)), at(4)),
        (UNDELIVERED, SHIPPED + 10 * DAY),
        (replace(UNDELIVERED, stage="PAID", shipped_at=None), PAID + 10 * DAY),
        (replace(UNDELIVERED, stage="PAID", shipped_at=None, deliver_by=at(6)), at(6)),
    ],
    ids=["promised", "shipped", "paid", "promised and never shipped"],
)
def test_what_did_not_come_may_be_disputed_when_it_should_have_and_90_days_after(
    order: OrderFacts, due: datetime
) -> None:
    refused(missing, NotYetEligible, due - TICK, {"eligible_from": due}, order=order)
    assert opened(missing, due, order=order)
    over = due + 90 * DAY
    assert opened(missing, over - TICK, order=order)
    refused(missing, WindowClosed, over, {"closed_at": over}, order=order)


def test_what_did_not_come_and_was_completed_may_be_disputed_as_long_as_what_came() -> None:
    order = replace(ORDER, deliver_by=at(1), delivered_at=None)
    assert opened(missing, LATE - TICK, order=order)
    refused(missing, WindowClosed, LATE, {"closed_at": LATE}, order=order)


def test_a_replacement_has_a_window_of_its_own() -> None:
    sent = UnitFacts(unit="1/1.r1", shipped_at=at(20))
    came = replace(sent, delivered_at=at(22))
    one = {"lines": lines(1, "1/1.r1")}
    money: dict[str, Any] = {"ledger": replace(LEDGER, units={"1/1.r1": 5399})}

    refused(asking(**one), NotYetEligible, at(21), {"eligible_from": None}, units=(sent,), **money)
    assert opened(asking(**one), at(22), units=(came,), **money)
    assert opened(asking(**one), at(37) - TICK, units=(came,), **money)
    refused(asking(**one), WindowClosed, at(37), {"closed_at": at(37)}, units=(came,), **money)

    lost = replace(missing, lines=lines(1))
    refused(lost, NotYetEligible, at(30) - TICK, {"eligible_from": at(30)}, units=(sent,), **money)
    assert opened(lost, at(30), units=(sent,), **money)
    assert opened(lost, at(90), units=(sent,), **money)
    refused(lost, WindowClosed, at(37), {"closed_at": at(37)}, units=(came,), **money)
    packed = replace(sent, shipped_at=None)
    refused(lost, NotYetEligible, members={"eligible_from": None}, units=(packed,), **money)


# --- Which pieces


def test_named_by_their_number_the_lowest_that_may_be_disputed_are_taken() -> None:
    first, second, third = PIECES
    in_return = (replace(first, in_return="RT4"), second, third)
    assert opened(asking(lines=lines(1))).lines[0].units == "1/1"
    assert opened(asking(lines=lines(2)), units=in_return).lines[0].units == "1/2,1/3"
    refused(
        asking(lines=lines(3)),
        QuantityExceeded,
        members={"line_id": "1", "free": 2},
        units=in_return,
    )


def test_a_piece_that_something_open_has_or_without_money_in_it_is_not_free() -> None:
    one = asking(lines=lines(1, "1/1"))
    first, *others = PIECES
    for taken in (replace(first, in_dispute="D0"), replace(first, in_return="RT4")):
        refused(one, QuantityExceeded, members={"free": 0}, units=(taken, *others))
    empty = replace(LEDGER, units={"1/1": 0, "1/2": 1})
    refused(one, QuantityExceeded, members={"free": 0}, ledger=empty)
    assert (
        opened(
            asking(lines=lines(1, "1/2"), amount_minor=None, outcome="REFUND_FULL", currency=None),
            ledger=empty,
        )
        .lines[0]
        .units
        == "1/2"
    )


def test_more_pieces_than_there_are_are_too_many() -> None:
    refused(asking(lines=lines(4)), QuantityExceeded, members={"line_id": "1", "free": 3})


def test_pieces_and_lines_that_the_order_does_not_have_make_no_sense() -> None:
    refused(asking(lines=lines(1, "1/7")), InvalidValue)
    refused(asking(lines=(NamedLine(line_id="7", quantity=1),)), InvalidValue)
    refused(asking(lines=lines(2, "1/1")), InvalidValue)
    refused(asking(lines=(*lines(1), *lines(1))), InvalidValue)
    refused(asking(lines=lines(2, "1/1", "1/1")), InvalidValue)
    refused(asking(lines=()), InvalidValue)


def test_what_was_decided_once_is_not_disputed_again() -> None:
    ended = (replace(PIECES[0], ended_by="D7"), *PIECES[1:])
    refused(
        asking(lines=lines(1, "1/1")), AlreadySubmitted, members={"existing_id": "D7"}, units=ended
    )
    assert opened(asking(lines=lines(1)), units=ended).lines[0].units == "1/2"


def test_a_piece_is_disputed_again_twice_after_it_was_withdrawn() -> None:
    one = asking(lines=lines(1, "1/1"))
    first, *others = PIECES
    assert opened(one, units=(replace(first, withdrawn=1), *others))
    twice = (replace(first, withdrawn=2), *others)
    refused(one, LimitReached, members={"limit": 2}, units=twice)


def test_an_order_has_three_open_disputes_and_six_withdrawn_ones() -> None:
    assert opened(opening, open_disputes=2)
    refused(opening, LimitReached, members={"limit": 3}, open_disputes=3)
    assert opened(opening, withdrawn_disputes=5)
    refused(opening, LimitReached, members={"limit": 6}, withdrawn_disputes=6)


def test_the_first_reason_that_holds_for_a_piece_passed_over_is_told() -> None:
    first, second, third = PIECES
    early = UnitFacts(unit="1/3.r1", shipped_at=at(4))
    ended = replace(first, ended_by="D7")
    worn = replace(second, withdrawn=2)
    taken = replace(third, in_return="RT4")
    three = asking(lines=lines(3))
    refused(three, NotYetEligible, units=(ended, worn, early))
    refused(three, LimitReached, units=(taken, ended, worn))
    refused(three, AlreadySubmitted, units=(ended, second, taken))
    refused(three, QuantityExceeded, members={"free": 2}, units=(first, second, taken))


# --- Terms and ceiling


def test_the_shipping_belongs_to_the_ceiling_of_the_last_pieces() -> None:
    money = LedgerFacts(
        units={"1/1": 1060, "1/2": 1061, "1/3": 678},
        left=frozenset({"1/1", "1/2", "1/3"}),
        shipping_minor=490,
        order_minor=3289,
    )
    assert opened(refund, ledger=money).ceiling_minor == 3289
    two = replace(refund, lines=lines(2))
    assert opened(two, ledger=money).ceiling_minor == 2121
    last = replace(money, left=frozenset({"1/1", "1/2"}))
    assert opened(two, ledger=last).ceiling_minor == 2611
    assert opened(two, ledger=replace(last, order_minor=2000)).ceiling_minor == 2000


def test_all_that_is_left_is_no_part_of_it() -> None:
    assert opened(asking(amount_minor=16197)).held_minor == 16197
    refused(
        asking(amount_minor=16198),
        AmountExceedsCeiling,
        members={"ceiling_minor": 16198, "currency": "EUR"},
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 0},
        {"amount_minor": None},
        {"currency": None},
        {"currency": "GBP"},
        {"outcome": "REFUND_FULL"},
        {"outcome": "REJECTED", "amount_minor": None, "currency": None},
        {"replacement_sku": "sku-2"},
        {"reason": "SELLER_REFUSED_RETURN"},
        {"inquiry_id": "I9"},
        {"text": ""},
        {
            "reason": "NOT_RECEIVED",
            "outcome": "RETURN_AND_REFUND",
            "amount_minor": None,
            "currency": None,
        },
        {"reason": "NOT_RECEIVED", "outcome": "EXCHANGE", "amount_minor": None, "currency": None},
    ],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    refused(asking(**changes), InvalidValue, inquiry_ids=frozenset({"I1"}))


def test_another_article_may_be_asked_for_where_one_is_sent() -> None:
    exchange = replace(refund, outcome="EXCHANGE", replacement_sku="sku-2")
    assert opened(exchange).replacement_sku == "sku-2"


def test_an_inquiry_of_the_order_may_become_a_dispute() -> None:
    assert opened(asking(inquiry_id="I1"), inquiry_ids=frozenset({"I1"})).inquiry_id == "I1"


# --- Who, and how often


def test_a_buyer_opens_it_himself_on_an_order_of_his_that_is_not_cancelled() -> None:
    played(say(opening, now=OPENING, actor=SELLER)).then_refused(RoleNotAllowed)
    played(say(opening, now=OPENING, actor=STRANGER)).then_refused(NotAParty)
    played(say(opening, now=OPENING, order=None)).then_refused(NotFound)
    cancelled = replace(ORDER, stage="CANCELLED")
    refused(opening, WrongState, members={"state": "CANCELLED"}, order=cancelled)
    played(say(opening, now=OPENING, erased=True)).then_refused(SubjectErased)


def test_an_importer_opens_what_was_opened_then() -> None:
    importer = Actor(role="IMPORTER", id="olist", on_behalf_of="BUYER")
    assert kinds(played(say(opening, now=OPENING, actor=importer)).events) == ["DisputeOpened"]


def test_the_same_dispute_is_opened_once() -> None:
    played(*OPEN, say(opening, now=at(6))).then(*played(*OPEN).events)
    other = asking(text=words("something else"))
    played(*OPEN, say(other, now=at(6))).then_refused(AlreadySubmitted, existing_id="D1")


def test_two_lines_are_told_in_their_order() -> None:
    two = OrderLine(line_id="0", sku="sku-2", category="hats", quantity=1, unit_price_minor=700)
    event = opened(
        asking(lines=(*lines(2), NamedLine(line_id="0", quantity=1))),
        order=replace(ORDER, lines=[*ORDER.lines, two]),
        units=(*PIECES, UnitFacts(unit="0/1")),
        ledger=replace(LEDGER, units={**LEDGER.units, "0/1": 700}, order_minor=99_999),
    )
    assert [(line.line_id, line.units) for line in event.lines] == [("0", "0/1"), ("1", "1/1,1/2")]
    assert event.ceiling_minor == 5399 + 5399 + 700
