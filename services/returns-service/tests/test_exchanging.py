"""Another piece in the place of one: reserved, paid for, sent, delivered, or not to be had."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from returns_service.domain.ending import CloseReturn
from returns_service.domain.exchanging import (
    DifferenceUnpaid,
    RecordReplacementDelivered,
    ShipReplacement,
)
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.reserving import (
    FallBackToRefund,
    RecordDifferencePaid,
    ReserveReplacement,
)
from returns_service.domain.unreturned import MarkUnreturned
from returns_service.testing import BUYER, SELLER, SYSTEM, TICK
from returns_service.testing.returns import (
    DAY,
    IDS,
    A,
    accepted,
    at,
    authorized,
    contested,
    fast,
    handed_over,
    kinds,
    labelled,
    pieces_of,
    played,
    received,
    refunded,
    rejected,
    requested,
    return_of,
    say,
    shipped,
)
from shared_casework.money import money_of
from shared_events.returns import (
    DifferencePaid,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    ExchangeUnreturned,
    RemedyAttached,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnClosed,
    ReturnEvent,
    UnitsLost,
)
from shared_runtime.decider import (
    Actor,
    InvalidValue,
    NotAParty,
    RoleNotAllowed,
    WindowClosed,
    WrongState,
)

U, V = "1/1", "1/2"
SWAP: dict[str, Any] = {"kind": "EXCHANGE", "wants": "EXCHANGE"}
SENT = (requested(U, V, **SWAP), authorized(U, V, kind="EXCHANGE"), shipped(U, V))
IN = (*SENT, received(U, V), accepted(U, V, stock_due=at(12)))
ONE = (requested(U, **SWAP), authorized(U, kind="EXCHANGE"), shipped(U), received(U), accepted(U))
FAST = (*fast(U, **SWAP), handed_over(U, stock_due=at(7)))
CLAIM = (
    requested(U, kind="CLAIM", wants="REPLACEMENT"),
    authorized(U, kind="CLAIM", goods_back=False, ship_by=None, stock_due=at(6)),
)
REMEDY = RemedyAttached(
    **IDS,
    remedy_id="D-1",
    units=[U],
    reason="NOT_AS_DESCRIBED",
    liable="SELLER",
    seller_at_fault=True,
)


def told(
    said: Struct,
    now: datetime,
    *before: ReturnEvent,
    actor: Actor = SYSTEM,
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    done = played(say(said, now, actor, **known), after=before)
    assert done.refused is None, done.refused
    return done.events


def stock(
    *units: str, there: int = 4, difference: int = 0, sku: str = "size-43"
) -> ReserveReplacement:
    return ReserveReplacement(
        units=units or (U,), sku=sku, stock=there, difference_minor=difference
    )


def reserved(day: int = 10, difference: int = 0, **said: Any) -> ReplacementReserved:  # noqa: ANN401
    owes = difference > 0
    whole: dict[str, Any] = {"units": [U], "new_units": ["1/1.r1"], "cross_shipped": False} | said
    return ReplacementReserved(
        **IDS,
        sku="size-43",
        currency="EUR",
        difference_minor=difference,
        pay_by=at(day) + 7 * DAY if owes else None,
        ship_by=None if owes else at(day) + 7 * DAY,
        **whole,
    )


def sent(**said: Any) -> ExchangeShipped:  # noqa: ANN401 - any field
    whole: dict[str, Any] = {"units": [U], "new_units": ["1/1.r1"], "difference_minor": 0} | said
    return ExchangeShipped(**IDS, tracking_id="T-9", currency="EUR", shipped_at=at(12), **whole)


SHIP = ShipReplacement(units=(U,), tracking_id="T-9")
THERE = RecordReplacementDelivered(units=(U,))
PAID = DifferencePaid(
    **IDS, currency="EUR", difference_minor=500, payment_ref="pay-1", ship_by=at(20)
)


# --- Reserving


def test_a_size_exchange_costs_nothing_and_is_to_be_sent_within_a_week() -> None:
    """Case G30."""
    assert told(stock(), at(10), *ONE) == [reserved()]
    kept = replace(stock(), reservation_id="rs-1")
    (done,) = told(kept, at(10), *ONE)
    assert done == reserved(reservation_id="rs-1")
    after = return_of((*ONE, done))
    assert [each.unit for each in after.kept_by("rs-1")] == [U]
    assert after.kept_by("rs-2") == []


@pytest.mark.parametrize(("history", "cross_shipped"), [(ONE, False), (FAST, True), (CLAIM, False)])
def test_a_replacement_is_reserved_once_it_is_due(
    history: tuple[ReturnEvent, ...], cross_shipped: bool
) -> None:
    (done,) = told(stock(), at(10), *history)
    assert isinstance(done, ReplacementReserved)
    assert (done.new_units, done.cross_shipped) == (["1/1.r1"], cross_shipped)


@pytest.mark.parametrize(
    "history",
    [
        SENT,
        (*SENT, handed_over(U)),
        (*SENT, received(U), rejected(U)),
        fast(U, **SWAP),
        (*FAST, received(U), rejected(U, reason="WRONG_ITEM")),
        (*FAST, UnitsLost(**IDS, units=[U], covered=False, contest_until=at(60))),
        (*fast(U), handed_over(U)),
        (*ONE, reserved()),
        (*ONE, ExchangeFellBack(**IDS, units=[U], reason="OUT_OF_STOCK")),
        CLAIM[:1],
    ],
)
def test_no_replacement_is_reserved_for_what_has_not_come_or_has_one(
    history: tuple[ReturnEvent, ...],
) -> None:
    assert told(stock(), at(10), *history) == []


def test_a_difference_is_owed_for_a_week_and_one_below_0_is_not() -> None:
    assert told(stock(difference=500), at(10), *ONE) == [reserved(difference=500)]
    assert told(stock(difference=-500), at(10), *ONE) == [reserved(difference=-500)]


def test_the_same_article_costs_the_same_whatever_its_price_is_now() -> None:
    (done,) = told(stock(difference=500, sku="sku-1"), at(10), *ONE)
    assert isinstance(done, ReplacementReserved)
    assert (done.difference_minor, done.pay_by) == (0, None)
    again = pieces_of(A, sku={U: "size-43"})
    (same,) = told(stock(difference=500), at(10), *ONE, pieces=again)
    assert isinstance(same, ReplacementReserved)
    assert same.difference_minor == 0


def test_what_a_sellers_fault_makes_necessary_costs_no_more() -> None:
    for asked, owed in ((500, 0), (-500, -500)):
        (done,) = told(stock(difference=asked), at(10), *ONE, REMEDY)
        assert isinstance(done, ReplacementReserved)
        assert done.difference_minor == owed
    innocent = replace(REMEDY, seller_at_fault=False)
    assert told(stock(difference=500), at(10), *ONE, innocent) == [reserved(difference=500)]


def test_without_stock_an_exchange_falls_back() -> None:
    """Case G29."""
    assert told(stock(there=0), at(10), *ONE) == [
        ExchangeFellBack(**IDS, units=[U], reason="OUT_OF_STOCK")
    ]
    assert kinds(told(stock(U, V, there=1), at(10), *IN)) == ["ExchangeFellBack"]
    assert kinds(told(stock(U, V, there=2), at(10), *IN)) == ["ReplacementReserved"]
    fallen = (*ONE, *told(stock(there=0), at(10), *ONE))
    (closed,) = told(CloseReturn(), at(11), *fallen, refunds=refunded(U))
    assert isinstance(closed, ReturnClosed)
    assert (closed.kind, closed.resolution) == ("EXCHANGE", "REFUNDED")


def test_a_claim_without_stock_has_its_goods_back() -> None:
    fallen, anew = told(stock(there=0), at(6), *CLAIM)
    assert fallen == ExchangeFellBack(**IDS, units=[U], reason="OUT_OF_STOCK")
    assert anew == ReturnAuthorized(
        **IDS,
        kind="RETURN",
        lane="STANDARD",
        by="RULE",
        units=[U],
        goods_back=True,
        currency="EUR",
        label_due=at(9),
        ship_by=at(19),
        label_paid_by="SELLER",
        rule_trace=[],
        decision_seconds=0,
    )
    after = return_of((*CLAIM, fallen, anew))
    assert (after.kind, after.status, after.decision_seconds) == ("RETURN", "AUTHORIZED", 86_400)
    ordered = (*CLAIM, REMEDY)
    assert kinds(told(stock(there=0), at(6), *ordered)) == ["ExchangeFellBack"]


def test_a_claim_of_which_a_part_falls_back_ends_in_two_ways() -> None:
    two = (
        requested(U, V, kind="CLAIM", wants="REPLACEMENT"),
        authorized(U, V, kind="CLAIM", goods_back=False, ship_by=None),
        reserved(),
        sent(),
        ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13)),
    )
    fallen = told(stock(V, there=0), at(13), *two)
    assert kinds(fallen) == ["ExchangeFellBack", "ReturnAuthorized"]
    back = (*two, *fallen, received(V, day=20), accepted(V))
    (closed,) = told(CloseReturn(), at(22), *back, refunds=refunded(V))
    assert isinstance(closed, ReturnClosed)
    assert [each.result for each in closed.units] == ["REPLACED", "REFUNDED"]


def test_one_goes_out_ahead_and_the_other_after_its_original_is_accepted() -> None:
    both = (*fast(U, V, **SWAP), handed_over(U, V), received(U), accepted(U))
    ahead, after = told(stock(U, V, difference=501), at(10), *both)
    assert isinstance(ahead, ReplacementReserved)
    assert isinstance(after, ReplacementReserved)
    assert (ahead.units, ahead.cross_shipped, ahead.difference_minor) == ([V], True, 250)
    assert (after.units, after.cross_shipped, after.difference_minor) == ([U], False, 251)


def test_the_next_replacement_has_the_next_name() -> None:
    swap = (
        requested("1/1.r1", **SWAP),
        authorized("1/1.r1", kind="EXCHANGE"),
        received("1/1.r1"),
        accepted("1/1.r1"),
    )
    (done,) = told(stock("1/1.r1"), at(10), *swap)
    assert isinstance(done, ReplacementReserved)
    assert done.new_units == ["1/1.r2"]


# --- The difference


def test_a_difference_is_paid_before_it_falls_back_and_once() -> None:
    owed = (*ONE, reserved(difference=500))
    said = RecordDifferencePaid(payment_ref="pay-1")
    assert told(said, at(17) - TICK, *owed) == [
        replace(PAID, ship_by=at(24) - TICK),
    ]
    assert told(said, at(17), *owed) == []
    assert told(said, at(13), *owed, PAID) == []
    assert told(said, at(13), *ONE, reserved()) == []
    played(say(said, at(13), BUYER), after=owed).then_refused(RoleNotAllowed)


def test_the_reservation_that_has_waited_longest_is_paid_first() -> None:
    second = {"units": [V], "new_units": ["1/2.r1"]}
    both = (*IN, reserved(difference=500), reserved(day=11, difference=700, **second))
    first = told(RecordDifferencePaid(payment_ref="a"), at(12), *both)
    then = told(RecordDifferencePaid(payment_ref="b"), at(12), *both, *first)
    paid = [each.difference_minor for each in (*first, *then) if isinstance(each, DifferencePaid)]
    assert paid == [500, 700]
    again = told(RecordDifferencePaid(payment_ref="a"), at(12), *both, *first)
    assert again == [], "it is the same money"


# --- Sending it


def test_a_replacement_is_sent_in_the_place_of_its_original() -> None:
    assert told(SHIP, at(12), *ONE, reserved(), actor=SELLER) == [sent()]
    assert told(SHIP, at(12), *ONE, REMEDY, reserved()) == [sent(remedy_id="D-1")]
    assert told(SHIP, at(12), *ONE, reserved(difference=-500)) == [sent(difference_minor=-500)]


def test_a_replacement_is_sent_before_it_falls_back() -> None:
    history = (*ONE, reserved())
    assert kinds(told(SHIP, at(17) - TICK, *history, actor=SELLER)) == ["ExchangeShipped"]
    played(say(SHIP, at(17), SELLER), after=history).then_refused(WindowClosed, closed_at=at(17))
    assert told(SHIP, at(17), *history) == []


def test_nothing_is_sent_before_the_difference_is_paid() -> None:
    owed = (*ONE, reserved(difference=500))
    for actor in (SELLER, SYSTEM):
        played(say(SHIP, at(12), actor), after=owed).then_refused(
            DifferenceUnpaid, difference_minor=500, currency="EUR"
        )
    played(say(SHIP, at(17), SELLER), after=owed).then_refused(WindowClosed, closed_at=at(17))
    assert told(SHIP, at(12), *owed, PAID) == [sent(difference_minor=500)]


def test_two_parcels_share_the_difference_of_one_reservation() -> None:
    both: dict[str, Any] = {"units": [U, V], "new_units": ["1/1.r1", "1/2.r1"]}
    paid = (*IN, reserved(difference=501, **both), replace(PAID, difference_minor=501))
    first = told(SHIP, at(12), *paid)
    rest = ShipReplacement(units=(V,), tracking_id="T-9")
    second = told(rest, at(12), *paid, *first)
    told_of = [each for each in (*first, *second) if isinstance(each, ExchangeShipped)]
    assert [each.difference_minor for each in told_of] == [251, 250]
    (whole,) = told(ShipReplacement(units=(U, V), tracking_id="T-9"), at(12), *paid)
    assert isinstance(whole, ExchangeShipped)
    assert whole.difference_minor == 501


@pytest.mark.parametrize(
    ("history", "known"),
    [
        (ONE, {}),
        ((*ONE, reserved(), sent()), {}),
        ((*ONE, reserved(), ExchangeFellBack(**IDS, units=[U], reason="NOT_SHIPPED")), {}),
        ((*FAST, reserved(cross_shipped=True), received(U), rejected(U, reason="SHORT")), {}),
        (
            (
                *FAST,
                reserved(cross_shipped=True),
                UnitsLost(**IDS, units=[U], covered=False, contest_until=at(60)),
            ),
            {},
        ),
        ((*ONE, reserved()), {"of": replace(A, stage="CANCELLED")}),
        (
            (*ONE, reserved()),
            {"ledger": replace(money_of(A).remaining, units={U: 0, V: 5399, "1/3": 5400})},
        ),
    ],
)
def test_nothing_is_sent_that_nobody_waits_for_or_that_is_paid_back(
    history: tuple[ReturnEvent, ...], known: dict[str, Any]
) -> None:
    played(say(SHIP, at(12), SELLER, **known), after=history).then_refused(WrongState)
    assert told(SHIP, at(12), *history, **known) == []


def test_the_seller_of_the_return_sends_replacements() -> None:
    history = (*ONE, reserved())
    played(say(SHIP, at(12), BUYER), after=history).then_refused(RoleNotAllowed)
    stranger = Actor(role="SELLER", id="S2")
    played(say(SHIP, at(12), stranger), after=history).then_refused(NotAParty)
    unknown = ShipReplacement(units=("1/3",), tracking_id="T-9")
    played(say(unknown, at(12), SELLER), after=history).then_refused(InvalidValue)


# --- Its arrival


def test_an_exchange_ends_where_its_replacement_arrives() -> None:
    history = (*ONE, reserved(), sent())
    for actor in (SYSTEM, BUYER):
        done = told(THERE, at(13), *history, actor=actor)
        assert kinds(done) == ["ExchangeDelivered", "ReturnClosed"]
        assert done[0] == ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13))
        closed = done[1]
        assert isinstance(closed, ReturnClosed)
        assert (closed.resolution, closed.refunded_minor) == ("EXCHANGED", 0)


def test_a_claims_replacement_ends_it_where_it_arrives() -> None:
    done = told(THERE, at(13), *CLAIM, reserved(), sent())
    closed = done[1]
    assert isinstance(closed, ReturnClosed)
    assert closed.resolution == "REPLACED"


def test_a_replacement_counts_as_delivered_after_the_longest_transit() -> None:
    history = (*ONE, reserved(), sent())
    assumed = RecordReplacementDelivered(units=(U,), assumed=True)
    due = at(12) + 45 * DAY
    assert told(assumed, due - TICK, *history) == []
    (done, _) = told(assumed, due, *history)
    assert isinstance(done, ExchangeDelivered)
    assert done.assumed is True
    played(say(assumed, due, BUYER), after=history).then_refused(InvalidValue)


def test_an_arrival_is_told_once_and_of_what_was_sent() -> None:
    there = ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13))
    for actor in (SYSTEM, BUYER):
        assert told(THERE, at(14), *ONE, reserved(), sent(), there, actor=actor) == []
    assert told(THERE, at(14), *ONE, reserved()) == []
    played(say(THERE, at(14), BUYER), after=(*ONE, reserved())).then_refused(WrongState)
    played(say(THERE, at(14), SELLER), after=(*ONE, reserved())).then_refused(RoleNotAllowed)


CROSS = (*FAST, reserved(cross_shipped=True), sent())


def test_an_original_that_is_still_out_is_due_two_weeks_after_the_arrival() -> None:
    (there,) = told(THERE, at(13), *CROSS)
    assert isinstance(there, ExchangeDelivered)
    assert there.original_due == at(27)
    came = (*CROSS, received(U, day=12))
    (home,) = told(THERE, at(13), *came)
    assert isinstance(home, ExchangeDelivered)
    assert home.original_due is None


# --- There is none


def test_who_does_not_pay_the_difference_is_refunded() -> None:
    owed = (*ONE, reserved(difference=500))
    said = FallBackToRefund(reason="UNPAID")
    assert told(said, at(17) - TICK, *owed) == []
    assert told(said, at(17), *owed) == [ExchangeFellBack(**IDS, units=[U], reason="UNPAID")]
    assert told(FallBackToRefund(reason="NOT_SHIPPED"), at(17), *owed) == []
    assert told(said, at(17), *owed, PAID) == []


def test_whose_replacement_is_not_sent_is_refunded() -> None:
    history = (*ONE, reserved())
    said = FallBackToRefund(reason="NOT_SHIPPED")
    assert told(said, at(17) - TICK, *history) == []
    fallen = told(said, at(17), *history)
    assert fallen == [ExchangeFellBack(**IDS, units=[U], reason="NOT_SHIPPED")]
    assert told(said, at(17), *history, *fallen) == []
    assert told(said, at(17), *history, sent()) == []
    paid = (*ONE, reserved(difference=500), PAID)
    assert told(said, at(20) - TICK, *paid) == []
    assert kinds(told(said, at(20), *paid)) == ["ExchangeFellBack"]
    played(say(said, at(17), SELLER), after=history).then_refused(RoleNotAllowed)


@pytest.mark.parametrize("ground", [None, "REJECTED"])
def test_for_goods_that_were_rejected_nothing_is_sent_and_what_was_kept_falls_back(
    ground: Any,  # noqa: ANN401 - a word
) -> None:
    """Contested or not: else what was paid for it would stay with the seller."""
    judged: list[ReturnEvent] = [received(U), rejected(U)]
    if ground:
        judged.append(contested(U, ground=ground))
    owed = (*FAST, reserved(difference=500, cross_shipped=True), *judged)
    assert kinds(told(FallBackToRefund(reason="UNPAID"), at(17), *owed))[0] == "ExchangeFellBack"
    paid = (*FAST, reserved(difference=500, cross_shipped=True), PAID, *judged)
    unsent = FallBackToRefund(reason="NOT_SHIPPED")
    assert told(unsent, at(20) - TICK, *paid) == []
    fallen = told(unsent, at(20), *paid)
    assert kinds(fallen)[0] == "ExchangeFellBack"
    assert return_of((*paid, *fallen)).pieces[U].difference_back_minor == 500
    if ground:
        assert told(RecordDifferencePaid(payment_ref="pay-1"), at(11), *owed) == []


def test_a_difference_is_paid_for_the_oldest_reservation_that_something_is_to_come_of() -> None:
    ahead = (*fast(U, V, **SWAP), handed_over(U, V))
    first = reserved(difference=500, cross_shipped=True)
    second = replace(reserved(difference=700, cross_shipped=True), units=[V], new_units=["1/2.r1"])
    before = (*ahead, first, second, received(U), rejected(U), contested(U))
    (paid,) = told(RecordDifferencePaid(payment_ref="pay-1"), at(11), *before)
    assert isinstance(paid, DifferencePaid)
    assert paid.difference_minor == 700
    new = return_of((*before, paid)).pieces[V].replacement
    assert new
    assert new.paid


# --- The original


def test_an_original_that_never_comes_is_noted_and_not_charged() -> None:
    out = (
        *FAST[:2],
        shipped(U),
        reserved(cross_shipped=True),
        sent(),
        ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13), original_due=at(27)),
    )
    assert told(MarkUnreturned(), at(27) - TICK, *out) == []
    done = told(MarkUnreturned(), at(27), *out)
    assert kinds(done) == ["ExchangeUnreturned", "ReturnClosed"]
    assert done[0] == ExchangeUnreturned(**IDS, units=[U], currency="EUR", amount_minor=5399)
    assert told(MarkUnreturned(), at(28), *out, *done) == []
    assert told(MarkUnreturned(), at(27), *out, received(U, day=20)) == []
    assert told(MarkUnreturned(), at(27), *out, handed_over(U)) == [], "its loss decides"


def test_an_original_that_comes_after_all_is_looked_at() -> None:
    gone = (
        *CROSS,
        ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13), original_due=at(27)),
        UnitsLost(**IDS, units=[U], covered=False, contest_until=at(57)),
        ExchangeUnreturned(**IDS, units=[U], currency="EUR", amount_minor=5399),
    )
    said = ReceiveUnits(units=(FoundUnit(unit=U, reception="RECEIVED"),))
    came = told(said, at(60), *gone, actor=SELLER)
    assert kinds(came) == ["UnitsReceived"]
    done = told(AcceptByDefault(), at(62), *gone, *came)
    assert kinds(done)[0] == "UnitsAccepted"


def test_a_lost_parcel_that_comes_back_after_the_replacement_changes_nothing() -> None:
    """Case G26."""
    history = (
        requested(U, **SWAP),
        authorized(U, kind="EXCHANGE"),
        labelled(),
        handed_over(U),
        UnitsLost(**IDS, units=[U], covered=True),
        accepted(U, by_default=True),
        reserved(),
        sent(),
    )
    closed = told(THERE, at(13), *history)
    assert kinds(closed) == ["ExchangeDelivered", "ReturnClosed"]
    said = ReceiveUnits(units=(FoundUnit(unit=U, reception="RECEIVED"),))
    late = told(said, at(60), *history, *closed, actor=SELLER)
    assert kinds(late) == ["UnitsReceived"]
    assert told(stock(), at(61), *history, *closed, *late) == []
    assert told(AcceptByDefault(), at(61) + timedelta(days=9), *history, *closed, *late) == []
