"""A parcel is opened: what was in it, what was not, and what nobody had asked for."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from returns_service.domain.known import RefundFacts
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.testing import BUYER, SELLER, TICK
from returns_service.testing.returns import (
    DAY,
    FILE,
    IDS,
    WAREHOUSE,
    A,
    accepted,
    at,
    authorized,
    delivered_back,
    handed_over,
    kinds,
    pieces_of,
    played,
    received,
    refunded,
    rejected,
    requested,
    return_of,
    reviewed,
    say,
    shipped,
    withdrawn,
    words,
)
from shared_events.returns import (
    AdvanceUnrecovered,
    OfferAccepted,
    PartialOfferMade,
    ReceivedUnit,
    ReturnCancelled,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnExpired,
    UnitsLost,
    UnitsReceived,
    UnitsSentBack,
)
from shared_runtime.decider import (
    Actor,
    EvidenceRequired,
    InvalidValue,
    NotAParty,
    QuantityExceeded,
    RoleNotAllowed,
    WrongState,
)

U, V = "1/1", "1/2"
TWO = (requested(U, V), authorized(U, V), shipped(U, V))
TAKEN = pieces_of(A, in_return={U: "RT-9"})
EXPIRED = ReturnExpired(**IDS, units=[U], ship_by=at(17))
NOT_COVERED = UnitsLost(**IDS, units=[U], covered=False, contest_until=at(57))
COVERED = UnitsLost(**IDS, units=[U], covered=True)
DECLINED = ReturnDeclined(
    **IDS, by="SELLER", code="OTHER", units=[U], contest_until=at(12), decision_seconds=60
)
KEPT = OfferAccepted(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, units=[U])
SHORT = (*TWO, received(U, V, as_found={U: "SHORT"}))


def opens(*units: str, photo: bool = False, surplus: int = 0, **found: Any) -> ReceiveUnits:  # noqa: ANN401
    """`found`: by piece, as `u="SHORT"`."""
    as_found = {{"u": U, "v": V}[name]: told for name, told in found.items()}
    return ReceiveUnits(
        units=tuple(FoundUnit(unit=u, reception=as_found.get(u, "RECEIVED")) for u in units),
        surplus=surplus,
        tracking_id="T-1",
        photos=(words("photo"),) if photo else (),
        photos_sha256=(FILE,) if photo else (),
    )


def told(
    said: ReceiveUnits,
    now: datetime,
    *history: ReturnEvent,
    actor: Actor = SELLER,
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    done = played(say(said, now, actor, **known), after=history)
    assert done.refused is None, done.refused
    return done.events


def one(events: list[ReturnEvent]) -> UnitsReceived:
    (event,) = events
    assert isinstance(event, UnitsReceived)
    return event


def test_goods_that_have_come_are_looked_at_within_two_days() -> None:
    assert one(told(opens(U, V, surplus=1), at(10), *TWO)) == UnitsReceived(
        **IDS,
        units=[ReceivedUnit(unit=unit, reception="RECEIVED") for unit in (U, V)],
        surplus=1,
        tracking_id="T-1",
        inspect_by=at(12),
    )
    assert one(told(opens(U), at(10), *TWO, actor=WAREHOUSE)).by_warehouse is True


def test_goods_need_not_have_been_announced_to_come() -> None:
    awaited = (requested(U), authorized(U))
    assert one(told(opens(U), at(10), *awaited)).inspect_by == at(12)


def test_opening_the_parcel_late_gives_no_more_than_two_days_on_top() -> None:
    back = (*TWO, delivered_back(U, V, day=9))
    assert one(told(opens(U), at(13), *back)).inspect_by == at(15)
    assert one(told(opens(U), at(14), *back)).inspect_by == at(16)
    assert one(told(opens(U), at(14) + timedelta(hours=1), *back)).inspect_by == at(16)
    assert one(told(opens(U), at(20), *back)).inspect_by == at(20), "never before now"


def test_what_was_not_in_the_parcel_is_shown_on_a_photo() -> None:
    for reception in ("SHORT", "WRONG_ITEM"):
        said = opens(U, V, u=reception)
        for actor in (SELLER, WAREHOUSE):
            played(say(said, at(10), actor), after=TWO).then_refused(
                EvidenceRequired, needed=["PHOTO"]
            )
        done = one(told(opens(U, V, photo=True, u=reception), at(10), *TWO))
        assert [each.reception for each in done.units] == [reception, "RECEIVED"]
        assert done.photos_sha256 == [FILE]


@pytest.mark.parametrize("reception", ["SHORT", "WRONG_ITEM"])
def test_a_second_parcel_brings_what_was_missing(reception: Any) -> None:  # noqa: ANN401
    first = (*TWO, received(U, V, as_found={U: reception}))
    second = one(told(opens(U), at(11), *first))
    assert second.inspect_by == at(13)
    judged = (*first, rejected(U, reason=reception, day=11))
    again = one(told(opens(U), at(18) - TICK, *judged))
    piece = return_of((*judged, again)).pieces[U]
    assert (piece.acceptance, piece.where, piece.contest_until) == ("PENDING", "RECEIVED", None)


def test_a_second_parcel_has_two_days_of_its_own() -> None:
    first = (*TWO, delivered_back(U, V, day=9), received(U, V, as_found={U: "SHORT"}))
    assert one(told(opens(U), at(25), *first)).inspect_by == at(27)


def test_what_was_rejected_as_missing_is_taken_again_while_nobody_else_has_it() -> None:
    judged = (*SHORT, rejected(U, reason="SHORT", day=11))
    assert one(told(opens(U), at(40), *judged)).inspect_by == at(42)
    played(say(opens(U), at(40), SELLER, pieces=TAKEN), after=judged).then_refused(
        QuantityExceeded, line_id="1", free=0
    )
    found_so = (*TWO, received(U, V), rejected(U, reason="SHORT", day=11))
    assert one(told(opens(U), at(40), *found_so)).inspect_by == at(42)


@pytest.mark.parametrize("gone", [EXPIRED, NOT_COVERED])
def test_goods_that_were_given_up_are_looked_at_when_they_come_after_all(gone: ReturnEvent) -> None:
    assert one(told(opens(U), at(60), *TWO, gone)).inspect_by == at(62)
    for actor in (SELLER, WAREHOUSE):
        played(say(opens(U), at(60), actor, pieces=TAKEN), after=(*TWO, gone)).then_refused(
            QuantityExceeded, line_id="1", free=0
        )


def test_goods_that_are_paid_already_are_only_noted() -> None:
    """Case 28."""
    paid = (*TWO, handed_over(U, V), COVERED, accepted(U, by_default=True))
    noted = one(told(opens(U), at(60), *paid))
    assert (noted.inspect_by, noted.unasked) == (None, None)
    piece = return_of((*paid, noted)).pieces[U]
    assert (piece.where, piece.acceptance) == ("RECEIVED", "ACCEPTED")
    assert told(opens(U), at(61), *paid, noted) == []


def test_another_thing_in_the_place_of_what_is_paid_is_not_recovered() -> None:
    paid = (*withdrawn(U), handed_over(U), accepted(U, by_default=True))
    money = refunded(U, total=5889, shipping=490)
    said = opens(U, photo=True, u="WRONG_ITEM")
    done = told(said, at(20), *paid, refunds=money)
    assert kinds(done) == ["UnitsReceived", "AdvanceUnrecovered"]
    assert done[1] == AdvanceUnrecovered(
        **IDS, units=[U], currency="EUR", amount_minor=5889, confirmed=False
    )
    by_warehouse = told(said, at(20), *paid, actor=WAREHOUSE, refunds=money)[1]
    assert isinstance(by_warehouse, AdvanceUnrecovered)
    assert by_warehouse.confirmed is True
    assert kinds(told(said, at(20), *paid, refunds=RefundFacts())) == ["UnitsReceived"]


@pytest.mark.parametrize(
    ("history", "until"),
    [
        ((requested(U), reviewed()), None),
        ((requested(U), reviewed(), DECLINED), at(20)),
        ((requested(U), reviewed(), ReturnCancelled(**IDS, units=[U])), at(20)),
        ((requested(U), reviewed(), KEPT), at(20)),
        (
            (
                requested(U, kind="CLAIM"),
                authorized(U, kind="CLAIM", goods_back=False, ship_by=None),
            ),
            at(20),
        ),
    ],
)
def test_goods_that_come_unasked_are_noted_and_sent_back_once_the_return_is_over(
    history: tuple[ReturnEvent, ...], until: datetime | None
) -> None:
    noted = one(told(opens(U), at(10), *history))
    assert (noted.unasked, noted.inspect_by, noted.send_back_until) == (True, None, until)
    assert told(opens(U), at(11), *history, noted) == []


def test_goods_that_come_unasked_and_were_sent_back_can_come_again() -> None:
    asked = (requested(U), reviewed(), received(U, unasked=True, inspect_by=None))
    gone = (*asked, UnitsSentBack(**IDS, units=[U], tracking_id="T-3"))
    assert return_of(gone).goods_in == []
    assert one(told(opens(U), at(12), *gone)).unasked is True


def test_what_a_dispute_is_about_is_only_noted() -> None:
    contested = ReturnContested(
        **IDS,
        units=[U],
        ground="LOST",
        reason="DAMAGED",
        seller_at_fault=True,
        file_sha256=FILE,
        text=words("contest"),
        contest_until=at(57),
    )
    noted = one(told(opens(U), at(60), *TWO, NOT_COVERED, contested))
    assert (noted.unasked, noted.inspect_by) == (None, None)


def test_pieces_of_one_parcel_that_fare_differently_are_told_apart() -> None:
    history = (*TWO, handed_over(U, V), COVERED, accepted(U, by_default=True))
    first, second = told(opens(U, V, surplus=2), at(60), *history)
    assert isinstance(first, UnitsReceived)
    assert isinstance(second, UnitsReceived)
    assert ([u.unit for u in first.units], first.inspect_by, first.surplus) == ([U], None, 2)
    assert ([u.unit for u in second.units], second.inspect_by, second.surplus) == ([V], at(62), 0)


def test_an_offer_to_keep_the_goods_is_over_once_they_have_come() -> None:
    offer = PartialOfferMade(
        **IDS, offer_id="o-1", currency="EUR", amount_minor=700, answer_due=at(9)
    )
    begun = (requested(U), authorized(U), offer)
    assert kinds(told(opens(U), at(8), *begun)) == ["OfferDeclined", "UnitsReceived"]
    in_review = (requested(U), reviewed(), offer)
    assert kinds(told(opens(U), at(8), *in_review)) == ["OfferDeclined", "UnitsReceived"]


def test_goods_in_hand_do_not_come_again() -> None:
    there = (*TWO, received(U, V))
    assert told(opens(U), at(11), *there) == []
    again = opens(U, photo=True, u="SHORT")
    played(say(again, at(11), SELLER), after=there).then_refused(WrongState, state="RECEIVED")
    assert told(again, at(11), *there, actor=WAREHOUSE) == []
    used = (*there, rejected(U))
    played(say(again, at(11), SELLER), after=used).then_refused(WrongState)


def test_the_seller_and_the_warehouse_receive_pieces_of_the_return() -> None:
    played(say(opens(U), at(10), BUYER), after=TWO).then_refused(RoleNotAllowed)
    stranger = Actor(role="SELLER", id="S2")
    played(say(opens(U), at(10), stranger), after=TWO).then_refused(NotAParty)
    played(say(opens("1/3"), at(10), SELLER), after=TWO).then_refused(InvalidValue)
    without_digest = ReceiveUnits(
        units=(FoundUnit(unit=U, reception="SHORT"),), photos=(words("photo"),)
    )
    played(say(without_digest, at(10), SELLER), after=TWO).then_refused(InvalidValue)


def test_what_comes_after_the_end_does_not_open_it_again() -> None:
    history = (*TWO[:2], EXPIRED, ReturnExpired(**IDS, units=[V], ship_by=at(17)))
    closed = played(say(opens(U), at(40), SELLER), after=history)
    assert kinds(closed.events) == ["UnitsReceived"]
    assert one(closed.events).inspect_by == at(40) + 2 * DAY
