"""The buyer sends goods back, or they expire."""

from datetime import datetime, timedelta

import pytest
from returns_service.domain.shipping_back import ExpireReturn, ShipBack
from returns_service.testing import SELLER, SYSTEM, TICK
from returns_service.testing.returns import (
    BUYER,
    DAY,
    FILE,
    IDS,
    at,
    authorized,
    handed_over,
    kinds,
    labelled,
    played,
    received,
    requested,
    return_of,
    reviewed,
    say,
    shipped,
    withdrawn,
)
from shared_events.returns import (
    OfferDeclined,
    PartialOfferMade,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    ReturnShipped,
)
from shared_runtime.decider import (
    Actor,
    InvalidValue,
    NotAParty,
    NotFound,
    QuantityExceeded,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

TWO = ("1/1", "1/2")
BEGUN = (requested(*TWO), authorized(*TWO))
OFFER = PartialOfferMade(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, answer_due=at(9))


def sends(*units: str, **said: str) -> ShipBack:
    return ShipBack(units=units, tracking_id="T-1", **said)


def test_goods_that_are_sent_count_as_lost_after_the_longest_transit() -> None:
    done = played(say(sends("1/1", proof_sha256=FILE), at(5)), after=BEGUN)
    done.then(
        ReturnShipped(
            **IDS,
            units=["1/1"],
            tracking_id="T-1",
            proof_sha256=FILE,
            lost_at=at(5) + 45 * DAY,
        )
    )


def test_the_rest_can_follow_in_a_parcel_of_its_own() -> None:
    played(say(sends("1/2"), at(6)), after=(*BEGUN, shipped("1/1"), received("1/1"))).then(
        ReturnShipped(**IDS, units=["1/2"], tracking_id="T-1", lost_at=at(6) + 45 * DAY)
    )


def test_an_offer_to_keep_the_goods_is_over_once_they_are_sent() -> None:
    done = played(say(sends(*TWO), at(7)), after=(*BEGUN, OFFER))
    assert kinds(done.events) == ["OfferDeclined", "ReturnShipped"]
    assert done.events[0] == OfferDeclined(**IDS, offer_id="o-1", lapsed=True)


def test_goods_are_sent_before_ship_by_and_a_withdrawals_a_good_while_longer() -> None:
    played(say(sends("1/1"), at(17) - TICK), after=BEGUN).then(
        ReturnShipped(**IDS, units=["1/1"], tracking_id="T-1", lost_at=at(17) - TICK + 45 * DAY)
    )
    played(say(sends("1/1"), at(17)), after=BEGUN).then_refused(WindowClosed, closed_at=at(17))
    late = at(25) + 60 * DAY
    assert kinds(played(say(sends("1/1"), late - TICK), after=withdrawn("1/1")).events) == [
        "ReturnShipped"
    ]
    played(say(sends("1/1"), late), after=withdrawn("1/1")).then_refused(
        WindowClosed, closed_at=late
    )
    longer = (*BEGUN, labelled(ship_by=at(20)))
    assert kinds(played(say(sends("1/1"), at(20) - TICK), after=longer).events) == ["ReturnShipped"]


def test_no_more_is_sent_than_is_still_to_be_sent() -> None:
    played(say(sends(*TWO), at(6)), after=(*BEGUN, shipped("1/1"))).then_refused(
        QuantityExceeded, line_id="1", free=1
    )
    played(say(sends("1/3"), at(6)), after=BEGUN).then_refused(InvalidValue)


@pytest.mark.parametrize(
    "history",
    [
        (requested("1/1"), reviewed()),
        (requested("1/1"), authorized("1/1"), shipped("1/1")),
        withdrawn("1/1", goods_back=False),
        (
            requested("1/1", kind="CLAIM"),
            authorized("1/1", kind="CLAIM", goods_back=False, ship_by=None),
        ),
        (*BEGUN, ReturnExpired(**IDS, units=[*TWO], ship_by=at(17))),
    ],
)
def test_nothing_is_sent_that_was_not_asked_for_or_was_sent_already(
    history: tuple[ReturnEvent, ...],
) -> None:
    done = played(say(sends("1/1"), at(6)), after=history)
    done.then_refused(WrongState, state=return_of(history).status)


def test_the_buyer_of_the_return_alone_sends_goods_back() -> None:
    stranger = Actor(role="BUYER", id="B2")
    played(say(sends("1/1"), actor=stranger), after=BEGUN).then_refused(NotAParty)
    played(say(sends("1/1"), actor=SELLER), after=BEGUN).then_refused(RoleNotAllowed)
    played(say(sends("1/1"), actor=BUYER, erased=True), after=BEGUN).then_refused(SubjectErased)
    played(say(sends("1/1"))).then_refused(NotFound)


def expires(now: datetime, *history: ReturnEvent) -> list[ReturnEvent]:
    return played(say(ExpireReturn(), now, SYSTEM), after=history).events


def test_what_was_not_sent_expires_at_ship_by_and_the_rest_goes_on() -> None:
    assert expires(at(17) - TICK, *BEGUN) == []
    whole = expires(at(17), *BEGUN)
    assert kinds(whole) == ["ReturnExpired", "ReturnClosed"]
    closed = whole[1]
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("EXPIRED", 0)
    assert expires(at(17), *BEGUN, shipped("1/1")) == [
        ReturnExpired(**IDS, units=["1/2"], ship_by=at(17))
    ]
    assert expires(at(17), *BEGUN, handed_over(*TWO)) == []


def test_a_withdrawal_expires_late_and_one_without_goods_never() -> None:
    due = at(25) + 60 * DAY
    assert expires(due - TICK, *withdrawn("1/1")) == []
    assert kinds(expires(due, *withdrawn("1/1"))) == ["ReturnExpired", "ReturnClosed"]
    assert expires(due, *withdrawn("1/1", goods_back=False)) == []


def test_a_return_that_has_expired_expires_once() -> None:
    gone = (*BEGUN, *expires(at(17), *BEGUN))
    assert expires(at(17) + timedelta(hours=1), *gone) == []
