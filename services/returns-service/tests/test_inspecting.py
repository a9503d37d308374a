"""Goods that are back are accepted or rejected, by somebody or because nobody has looked."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from returns_service.domain.ending import CloseReturn
from returns_service.domain.inspecting import (
    AcceptByDefault,
    InspectedUnit,
    InspectUnits,
)
from returns_service.domain.recovering import ConfirmUnrecovered
from returns_service.testing import AGENT, BUYER, SELLER, SENIOR, SYSTEM, TICK
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
    fast,
    handed_over,
    history,
    kinds,
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
    AcceptedUnit,
    AdvanceUnrecovered,
    RejectedUnit,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    UnitsAccepted,
    UnitsRejected,
)
from shared_runtime.decider import (
    Actor,
    AmountExceedsCeiling,
    ConflictOfInterest,
    EvidenceRequired,
    HumanRequired,
    InvalidValue,
    NotAParty,
    RoleNotAllowed,
    WindowClosed,
    WrongState,
)

U, V, W = "1/1", "1/2", "1/3"
SENT = (requested(U, V), authorized(U, V), shipped(U, V))
IN = (*SENT, received(U, V))
ADVANCED = (*fast(U), handed_over(U))
MONEY = refunded(U)
GOOD = InspectedUnit(unit=U, verdict="ACCEPTED", grade="A")


def bad(reason: Any, unit: str = U) -> InspectedUnit:  # noqa: ANN401 - a word
    return InspectedUnit(unit=unit, verdict="REJECTED", reason=reason)


def worn(milli: int, unit: str = U) -> InspectedUnit:
    return InspectedUnit(unit=unit, verdict="ACCEPTED", grade="C", deduction_milli=milli)


def finds(*units: InspectedUnit, photo: bool = True) -> InspectUnits:
    return InspectUnits(
        units=units,
        photos=(words("photo"),) if photo else (),
        photos_sha256=(FILE,) if photo else (),
    )


def told(
    said: Struct,
    now: datetime,
    *before: ReturnEvent,
    actor: Actor = SELLER,
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    done = played(say(said, now, actor, **known), after=before)
    assert done.refused is None, done.refused
    return done.events


def test_goods_that_are_as_they_should_be_are_accepted() -> None:
    assert told(finds(GOOD, photo=False), at(11), *IN) == [
        UnitsAccepted(
            **IDS,
            units=[AcceptedUnit(unit=U, grade="A", deduction_milli=0)],
            by_default=False,
            handling_seconds=86_400,
        )
    ]


def test_goods_wait_since_they_were_delivered() -> None:
    (done,) = told(finds(GOOD), at(11), *SENT, delivered_back(U, day=9), received(U, day=10))
    assert isinstance(done, UnitsAccepted)
    assert done.handling_seconds == 2 * 86_400
    (on_its_way,) = told(finds(GOOD), at(11), *SENT)
    assert isinstance(on_its_way, UnitsAccepted)
    assert on_its_way.handling_seconds == 0


def test_a_deduction_is_shown_and_can_be_contested() -> None:
    (done,) = told(finds(worn(250)), at(11), *IN)
    assert isinstance(done, UnitsAccepted)
    assert done.contest_until == at(18)
    assert return_of((*IN, done)).pieces[U].contest_until == at(18)
    played(say(finds(worn(250), photo=False), at(11), SELLER), after=IN).then_refused(
        EvidenceRequired, needed=["PHOTO"]
    )


def test_at_most_half_is_deducted_and_nothing_in_the_fast_lane() -> None:
    assert kinds(told(finds(worn(500)), at(11), *IN)) == ["UnitsAccepted"]
    played(say(finds(worn(501)), at(11), SELLER), after=IN).then_refused(
        AmountExceedsCeiling, ceiling_minor=2699, currency="EUR"
    )
    played(say(finds(worn(1)), at(11), SELLER), after=ADVANCED).then_refused(InvalidValue)


def test_rejected_goods_are_shown_can_be_contested_and_are_sent_back_after_that() -> None:
    assert told(finds(bad("USED")), at(11), *IN) == [
        UnitsRejected(
            **IDS,
            units=[RejectedUnit(unit=U, reason="USED")],
            by_default=False,
            photos=[words("photo")],
            photos_sha256=[FILE],
            contest_until=at(18),
            send_back_until=at(28),
        )
    ]
    played(say(finds(bad("USED"), photo=False), at(11), SELLER), after=IN).then_refused(
        EvidenceRequired, needed=["PHOTO"]
    )


@pytest.mark.parametrize(
    ("reason", "goes_back"),
    [("WRONG_ITEM", True), ("NOT_OURS", True), ("OTHER", True), ("SHORT", False)],
)
def test_whatever_was_there_goes_back(reason: str, goes_back: bool) -> None:
    (done,) = told(finds(bad(reason)), at(11), *IN)
    assert isinstance(done, UnitsRejected)
    assert (done.send_back_until is not None) == goes_back


def test_some_are_accepted_and_others_rejected_in_one_commit() -> None:
    done = told(finds(GOOD, bad("USED", V)), at(11), *IN)
    assert kinds(done) == ["UnitsAccepted", "UnitsRejected"]


def test_late_are_goods_that_came_after_they_had_expired_and_no_withdrawals() -> None:
    expired = ReturnExpired(**IDS, units=[U], ship_by=at(17))
    late = (*SENT[:2], expired, received(U, day=30))
    assert kinds(told(finds(bad("LATE")), at(31), *late)) == ["UnitsRejected"]
    played(say(finds(bad("LATE")), at(11), SELLER), after=IN).then_refused(InvalidValue)
    gone = (*withdrawn(U), expired, received(U, day=10))
    played(say(finds(bad("LATE")), at(11), SELLER), after=gone).then_refused(InvalidValue)


@pytest.mark.parametrize("reception", ["SHORT", "WRONG_ITEM"])
def test_what_was_not_in_the_parcel_is_rejected_as_that(reception: Any) -> None:  # noqa: ANN401
    missing = (*SENT, received(U, V, as_found={U: reception}))
    done = told(finds(bad(reception), photo=False), at(11), *missing)
    assert kinds(done) == ["UnitsRejected"], "it was photographed when the parcel was opened"
    for other in (GOOD, bad("USED")):
        played(say(finds(other), at(11), SELLER), after=missing).then_refused(InvalidValue)


def test_goods_are_looked_at_before_the_time_for_that_is_over() -> None:
    assert kinds(told(finds(GOOD), at(12) - TICK, *IN)) == ["UnitsAccepted"]
    played(say(finds(GOOD), at(12), SELLER), after=IN).then_refused(WindowClosed, closed_at=at(12))
    assert told(finds(GOOD), at(12), *IN, actor=WAREHOUSE) == []
    back = (*SENT, delivered_back(U, V, day=9))
    assert kinds(told(finds(GOOD), at(14) - TICK, *back)) == ["UnitsAccepted"]
    played(say(finds(GOOD), at(14), SELLER), after=back).then_refused(
        WindowClosed, closed_at=at(14)
    )


def test_a_withdrawals_goods_are_looked_at_before_its_refund_is_due() -> None:
    there = (*withdrawn(U), handed_over(U, day=15), received(U, day=17))
    assert kinds(told(finds(bad("USED")), at(18) - TICK, *there)) == ["UnitsRejected"]
    played(say(finds(bad("USED")), at(18), SELLER), after=there).then_refused(
        WindowClosed, closed_at=at(18)
    )


@pytest.mark.parametrize(
    "before",
    [
        (requested(U), reviewed()),
        (requested(U), reviewed(), received(U, unasked=True, inspect_by=None)),
        SENT[:2],
        (*IN, accepted(U)),
        (*IN, rejected(U)),
        (requested(U, kind="CLAIM"), authorized(U, kind="CLAIM", goods_back=False)),
    ],
)
def test_only_what_is_back_and_not_judged_is_judged(before: tuple[ReturnEvent, ...]) -> None:
    played(say(finds(GOOD), at(11), SELLER), after=before).then_refused(WrongState)
    assert told(finds(GOOD), at(11), *before, actor=WAREHOUSE) == []


def test_an_inspection_makes_sense_and_is_the_sellers_or_a_warehouses() -> None:
    nonsense = [
        InspectedUnit(unit=U, verdict="ACCEPTED"),
        InspectedUnit(unit=U, verdict="ACCEPTED", grade="A", reason="USED"),
        InspectedUnit(unit=U, verdict="REJECTED"),
        InspectedUnit(unit=U, verdict="REJECTED", reason="USED", deduction_milli=1),
    ]
    for each in nonsense:
        played(say(finds(each), at(11), SELLER), after=IN).then_refused(InvalidValue)
    played(say(finds(GOOD, GOOD), at(11), SELLER), after=IN).then_refused(InvalidValue)
    played(say(finds(replace(GOOD, unit=W)), at(11), SELLER), after=IN).then_refused(InvalidValue)
    undigested = InspectUnits(units=(GOOD,), photos=(words("photo"),))
    played(say(undigested, at(11), SELLER), after=IN).then_refused(InvalidValue)
    played(say(finds(GOOD), at(11), BUYER), after=IN).then_refused(RoleNotAllowed)
    stranger = Actor(role="SELLER", id="S2")
    played(say(finds(GOOD), at(11), stranger), after=IN).then_refused(NotAParty)


def test_three_were_announced_and_two_arrived() -> None:
    """Case G01."""
    whole = (requested(U, V, W), authorized(U, V, W), shipped(U, V, W))
    parcel = (*whole, received(U, V, W, as_found={W: "SHORT"}))
    assert return_of(parcel).status == "PARTLY_RECEIVED"
    second = replace(GOOD, unit=V)
    done = told(finds(GOOD, second, bad("SHORT", W), photo=False), at(11), *parcel)
    assert kinds(done) == ["UnitsAccepted", "UnitsRejected"]
    lost = done[1]
    assert isinstance(lost, UnitsRejected)
    assert (lost.contest_until, lost.send_back_until) == (at(18), None)


# --- Advances


def test_an_advance_for_another_thing_is_not_recovered() -> None:
    """Cases 30 and G35."""
    done = told(finds(bad("WRONG_ITEM")), at(10), *ADVANCED, actor=WAREHOUSE, refunds=MONEY)
    assert kinds(done) == ["UnitsRejected", "AdvanceUnrecovered"]
    unrecovered = AdvanceUnrecovered(
        **IDS, units=[U], currency="EUR", amount_minor=5399, confirmed=True
    )
    assert done[1] == unrecovered
    rejection = done[0]
    assert isinstance(rejection, UnitsRejected)
    assert rejection.send_back_until is None, "the buyer has the money"
    ended = told(CloseReturn(), at(17), *ADVANCED, *done, actor=SYSTEM, refunds=MONEY)
    assert kinds(ended) == ["ReturnClosed"]
    closed = ended[0]
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("REJECTED", 5399)
    assert told(CloseReturn(), at(17) - TICK, *ADVANCED, *done, actor=SYSTEM, refunds=MONEY) == []


def test_goods_that_stand_behind_an_advance_end_their_return() -> None:
    """Case 47."""
    done = told(finds(GOOD), at(10), *ADVANCED, refunds=MONEY)
    assert kinds(done) == ["UnitsAccepted", "ReturnClosed"]
    closed = done[1]
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("REFUNDED", 5399)


def rejected_by_seller() -> tuple[ReturnEvent, ...]:
    said = say(finds(bad("NOT_OURS")), at(10), SELLER, refunds=MONEY)
    return history(said, after=ADVANCED)


def test_a_seller_who_rejects_is_believed_by_an_agent() -> None:
    before = rejected_by_seller()
    told_first = before[-1]
    assert isinstance(told_first, AdvanceUnrecovered)
    assert told_first.confirmed is False
    said = ConfirmUnrecovered(units=(U,))
    for agent in (AGENT, SENIOR):
        assert told(said, at(11), *before, actor=agent, refunds=MONEY) == [
            replace(told_first, confirmed=True)
        ]
    confirmed = (*before, replace(told_first, confirmed=True))
    assert told(said, at(12), *confirmed, actor=AGENT, refunds=MONEY) == []


def test_nobody_confirms_what_is_his_own_or_is_no_advance() -> None:
    before = rejected_by_seller()
    said = ConfirmUnrecovered(units=(U,))
    insider = Actor(role="AGENT", id="agent-7", seller_id="S1")
    played(say(said, at(11), insider), after=before).then_refused(ConflictOfInterest)
    played(say(said, at(11), SYSTEM), after=before).then_refused(HumanRequired)
    played(say(said, at(11), SELLER), after=before).then_refused(RoleNotAllowed)
    played(say(said, at(11), AGENT), after=ADVANCED).then_refused(WrongState)
    played(say(said, at(11), AGENT), after=(*IN, rejected(U))).then_refused(WrongState)
    came = (*before, received(U, day=12), accepted(U))
    played(say(said, at(13), AGENT), after=came).then_refused(WrongState)


def test_the_shipping_that_came_with_an_advance_is_told_once() -> None:
    money = refunded(U, V, total=11288, shipping=490)
    sent = (*fast(U, V), handed_over(U, V))
    first = told(finds(bad("SHORT", V)), at(10), *sent, refunds=money)
    second = told(finds(bad("SHORT")), at(10), *sent, *first, refunds=money)
    amounts = [
        each.amount_minor for each in (*first, *second) if isinstance(each, AdvanceUnrecovered)
    ]
    assert amounts == [5889, 5399]
    both = told(
        ConfirmUnrecovered(units=(U, V)),
        at(11),
        *sent,
        *first,
        *second,
        actor=AGENT,
        refunds=money,
    )
    (event,) = both
    assert isinstance(event, AdvanceUnrecovered)
    assert event.amount_minor == 11288


# --- Nobody has looked


def by_default(now: datetime, *before: ReturnEvent, **known: Any) -> list[ReturnEvent]:  # noqa: ANN401
    return told(AcceptByDefault(), now, *before, actor=SYSTEM, **known)


def test_what_nobody_has_looked_at_is_accepted() -> None:
    assert by_default(at(12) - TICK, *IN) == []
    (done,) = by_default(at(12), *IN)
    assert isinstance(done, UnitsAccepted)
    assert [(each.unit, each.grade) for each in done.units] == [(U, "A"), (V, "A")]
    assert (done.by_default, done.handling_seconds) == (True, 2 * 86_400)
    assert return_of((*IN, done)).forced
    assert by_default(at(12), *IN, done) == []
    back = (*SENT, delivered_back(U, day=9))
    (only,) = by_default(at(14), *back)
    assert isinstance(only, UnitsAccepted)
    assert [each.unit for each in only.units] == [U]
    assert return_of((*back, only)).pieces[U].where == "RECEIVED"


def test_what_was_not_in_its_parcel_is_rejected_when_nobody_looks() -> None:
    """Case 55."""
    missing = (*SENT, received(U, V, as_found={U: "WRONG_ITEM"}))
    good, wrong = by_default(at(12), *missing)
    assert isinstance(good, UnitsAccepted)
    assert isinstance(wrong, UnitsRejected)
    assert (wrong.by_default, wrong.contest_until, wrong.send_back_until) == (
        True,
        at(19),
        at(29),
    )
    assert [(each.unit, each.reason) for each in wrong.units] == [(U, "WRONG_ITEM")]
    short = (*SENT, received(U, as_found={U: "SHORT"}))
    (gone,) = by_default(at(12), *short)
    assert isinstance(gone, UnitsRejected)
    assert gone.send_back_until is None


@pytest.mark.parametrize("by_warehouse", [True, False])
def test_an_advance_for_what_was_not_there_is_not_recovered(by_warehouse: bool) -> None:
    missing = (
        *ADVANCED,
        received(U, as_found={U: "SHORT"}, by_warehouse=by_warehouse or None),
    )
    done = by_default(at(12), *missing, refunds=MONEY)
    assert kinds(done) == ["UnitsRejected", "AdvanceUnrecovered"]
    told_of = done[1]
    assert isinstance(told_of, AdvanceUnrecovered)
    assert told_of.confirmed is by_warehouse


@pytest.mark.parametrize(
    ("before", "is_paid"),
    [
        (withdrawn(U), False),
        ((*withdrawn(U), shipped(U)), False),
        ((*withdrawn(U), shipped(U, proof_sha256=FILE)), True),
        ((*withdrawn(U), handed_over(U)), True),
        ((*withdrawn(U), received(U, day=17)), True),
        ((*withdrawn(U), received(U, day=17, as_found={U: "SHORT"})), False),
        (withdrawn(U, goods_back=False), True),
    ],
)
def test_a_withdrawal_is_paid_when_its_refund_is_due_once_goods_were_posted(
    before: tuple[ReturnEvent, ...], is_paid: bool
) -> None:
    assert by_default(at(18) - TICK, *before) == []
    assert (kinds(by_default(at(18), *before)) == ["UnitsAccepted"]) == is_paid


def test_what_never_went_out_is_paid_when_its_order_is_cancelled() -> None:
    cancelled = replace(A, stage="CANCELLED", cancelled_at=at(6), cancelled_by="SELLER")
    inside = withdrawn(U, goods_back=False)
    assert by_default(at(6), *inside) == []
    assert kinds(by_default(at(6), *inside, of=cancelled)) == ["UnitsAccepted"]
    assert by_default(at(6), *withdrawn(U), of=cancelled) == []
    assert by_default(at(6), *SENT, of=cancelled) == []


def test_an_exchange_that_is_accepted_asks_the_stock() -> None:
    swap = (
        requested(U, kind="EXCHANGE", wants="EXCHANGE"),
        authorized(U, kind="EXCHANGE"),
        shipped(U),
        received(U),
    )
    (done,) = told(finds(GOOD), at(11), *swap)
    assert isinstance(done, UnitsAccepted)
    assert done.stock_due == at(11) + timedelta(hours=48)
    (plain,) = told(finds(GOOD), at(11), *IN)
    assert isinstance(plain, UnitsAccepted)
    assert plain.stock_due is None


# --- The end


def test_a_return_is_closed_once_by_the_ledgers_answer() -> None:
    done = (*IN, accepted(U), accepted(V))
    both = refunded(U, V, total=10798)
    assert told(CloseReturn(), at(12), *done, actor=SYSTEM) == []
    ended = told(CloseReturn(), at(12), *done, actor=SYSTEM, refunds=both)
    assert kinds(ended) == ["ReturnClosed"]
    assert told(CloseReturn(), at(12), *done, *ended, actor=SYSTEM, refunds=both) == []
    played(say(CloseReturn(), at(12), SELLER), after=done).then_refused(RoleNotAllowed)


def test_a_rejected_piece_ends_its_return_when_it_cannot_be_contested_any_more() -> None:
    done = (*SENT[:1], authorized(U, V), shipped(U, V), received(U, V), accepted(V))
    lost = (*done, rejected(U, reason="NOT_OURS", day=10))
    money = refunded(V)
    assert told(CloseReturn(), at(17) - TICK, *lost, actor=SYSTEM, refunds=money) == []
    (closed,) = told(CloseReturn(), at(17), *lost, actor=SYSTEM, refunds=money)
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.closed_at) == ("MIXED", at(17))
    assert closed.handling_seconds == 3600
    assert at(17) - at(10) == 7 * DAY
