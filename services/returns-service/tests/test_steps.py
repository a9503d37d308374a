"""What is done by itself about what happens to a return: each row of the process."""

from typing import Any

import pytest
from msgspec.structs import replace
from returns_service.domain.bearing import MoveCost
from returns_service.domain.ending import CloseReturn
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.known import PieceFacts
from returns_service.domain.remedy_returns import AttachRemedy, OpenRemedyReturn
from returns_service.domain.replacing import ReplaceUnits
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.steps import (
    AskLabel,
    AskStock,
    ReleaseStock,
    Step,
    ToLedger,
    ToReturn,
    after_replacement,
    steps_of,
)
from returns_service.domain.steps_elsewhere import (
    of_answer,
    of_cancellation,
    of_remedy_ordered,
    of_shipping,
)
from returns_service.domain.withdrawing import AskForGoods
from returns_service.testing.returns import (
    IDS,
    A,
    accepted,
    at,
    authorized,
    contested,
    delivered_back,
    fast,
    handed_over,
    labelled,
    pieces_of,
    received,
    rejected,
    requested,
    return_of,
    shipped,
    withdrawn,
)
from shared_events.dispute import DisputedUnits, Outcome, RemedyOrdered
from shared_events.returns import (
    AdvanceUnrecovered,
    DifferencePaid,
    ExchangeFellBack,
    ExchangeShipped,
    OfferAccepted,
    RefundedUnit,
    RefundIssued,
    RefundNotDue,
    RemedyAlreadyMet,
    RemedyAttached,
    ReplacedUnit,
    ReplacementReserved,
    ReturnEvent,
    UnitsLost,
    UnitsReplaced,
)

U, V = "1/1", "1/2"
EXCHANGE = (
    requested(U, V, kind="EXCHANGE", wants="EXCHANGE", replacement_sku="size-43"),
    authorized(U, V, kind="EXCHANGE"),
    shipped(U, V),
    received(U, V),
)
BOTH = (requested(U, V), authorized(U, V), shipped(U, V), received(U, V))
CLAIM: dict[str, Any] = {"kind": "CLAIM", "goods_back": False, "ship_by": None}


def unrecovered(*, confirmed: bool = True) -> AdvanceUnrecovered:
    return AdvanceUnrecovered(
        **IDS, units=[U], currency="EUR", amount_minor=5399, confirmed=confirmed
    )


def after(*history: ReturnEvent) -> list[Step]:
    """What the last of these brings about."""
    return steps_of("event-1", history[-1], return_of(history))


def money(step: Step) -> RequestRefund:
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, RequestRefund)
    return step.said


def units(said: RequestRefund) -> list[str]:
    return [each.unit for each in said.units]


def reserved(difference: int = 0, *, cross_shipped: bool = False) -> ReplacementReserved:
    return ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="size-43",
        currency="EUR",
        difference_minor=difference,
        pay_by=at(17) if difference > 0 else None,
        ship_by=None if difference > 0 else at(17),
        cross_shipped=cross_shipped,
    )


def sent(difference: int = 0) -> ExchangeShipped:
    return ExchangeShipped(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        tracking_id="T-9",
        currency="EUR",
        difference_minor=difference,
        shipped_at=at(12),
    )


FELL_BACK = ExchangeFellBack(**IDS, units=[U], reason="NOT_SHIPPED")
PAID = DifferencePaid(
    **IDS, currency="EUR", difference_minor=500, payment_ref="p-1", ship_by=at(20)
)


def attached(*named: str) -> RemedyAttached:
    return RemedyAttached(
        **IDS,
        remedy_id="RM-1",
        units=[*named],
        reason="COUNTERFEIT",
        liable="PLATFORM",
        seller_at_fault=False,
    )


# --- ReturnAuthorized


def test_goods_that_are_to_come_back_need_a_label() -> None:
    assert after(requested(U), authorized(U)) == [AskLabel(return_id="RT-1", units=(U,))]
    there = authorized(U, ship_by=None, inspect_by=at(6))
    assert after(requested(U), there) == [], "they are in already"
    again = authorized(U, by="RULE")
    assert after(requested(U), authorized(U), labelled(), again) == [], "there is one"


def test_a_claim_is_paid_or_replaced_at_once() -> None:
    asked = requested(U, kind="CLAIM", asked_minor=1000)
    (step,) = after(asked, authorized(U, amount_minor=1000, **CLAIM))
    said = money(step)
    assert (said.source, said.amount_minor, units(said)) == ("CLAIM", 1000, [U])
    assert (said.seller_at_fault, said.label_cost_minor) == (True, 0)
    swap = requested(U, kind="CLAIM", wants="REPLACEMENT")
    (step,) = after(swap, authorized(U, **CLAIM))
    assert step == AskStock(return_id="RT-1", units=(U,), sku=None)


def test_of_a_withdrawal_of_what_was_never_shipped_nothing_is_to_be_done() -> None:
    assert after(*withdrawn(U, goods_back=False)) == []


# --- ReturnScanned


def test_the_fast_lane_pays_at_the_first_scan() -> None:
    (step,) = after(*fast(U, V), handed_over(U))
    said = money(step)
    assert (said.source, said.advance, units(said)) == ("RETURN", True, [U])
    assert said.units[0].standing == "ADVANCED"
    assert after(*fast(U), delivered_back(U)) == []
    assert after(requested(U), authorized(U), handed_over(U)) == []


def test_the_fast_lane_has_a_replacement_reserved_at_the_first_scan() -> None:
    (step,) = after(*fast(U, kind="EXCHANGE", wants="EXCHANGE"), handed_over(U))
    assert step == AskStock(return_id="RT-1", units=(U,), sku=None)


# --- UnitsAccepted


def test_accepted_goods_are_refunded_together_less_what_was_deducted() -> None:
    (step,) = after(*BOTH, accepted(U, V, deduction_milli=250, contest_until=at(17)))
    said = money(step)
    assert (said.source, said.source_id, units(said)) == ("RETURN", "RT-1", [U, V])
    assert [(each.deduction_milli, each.standing) for each in said.units] == [
        (250, "ACCEPTED"),
        (250, "ACCEPTED"),
    ]


def test_those_of_a_remedy_are_asked_for_apart() -> None:
    first, second = after(*BOTH, attached(V), accepted(U, V))
    assert (units(money(first)), money(first).remedy_id) == ([U], None)
    assert (units(money(second)), money(second).remedy_id) == ([V], "RM-1")
    assert (money(second).liable, money(second).seller_at_fault) == ("PLATFORM", False)
    assert money(first).refund_id != money(second).refund_id


def test_what_was_advanced_is_not_asked_for_again() -> None:
    assert after(*fast(U), handed_over(U), received(U), accepted(U)) == []


def test_the_platform_bears_an_advance_once_it_is_confirmed_that_nothing_stands_behind_it() -> None:
    bad = (*fast(U), handed_over(U), received(U), rejected(U, reason="NOT_OURS"))
    assert after(*bad, unrecovered(confirmed=False)) == []
    assert after(*bad, unrecovered()) == [
        ToLedger(MoveCost(return_id="RT-1", units=(U,), borne_by="PLATFORM"))
    ]
    attached = RemedyAttached(
        **IDS,
        remedy_id="RM-1",
        units=[U],
        reason="DAMAGED",
        liable="SELLER",
        seller_at_fault=True,
    )
    (step,) = after(*bad, attached, unrecovered())
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, MoveCost)
    assert step.said.remedy_ids == ("RM-1",)


def test_the_seller_bears_it_again_once_the_goods_have_come_after_all() -> None:
    short = {U: "SHORT"}
    bad = (*fast(U), handed_over(U), received(U, as_found=short), rejected(U, reason="SHORT"))
    assert after(*bad, unrecovered(), received(U), accepted(U)) == [
        ToLedger(MoveCost(return_id="RT-1", units=(U,), borne_by="SELLER"))
    ]
    assert after(*bad, unrecovered(confirmed=False), received(U), accepted(U)) == []


def test_a_withdrawal_and_a_covered_loss_say_so() -> None:
    (step,) = after(*withdrawn(U), handed_over(U), accepted(U, by_default=True))
    assert money(step).source == "WITHDRAWAL"
    lost = UnitsLost(**IDS, units=[U], covered=True)
    (step,) = after(*BOTH[:3], lost, accepted(U, by_default=True))
    assert money(step).units[0].standing == "COVERED"


@pytest.mark.parametrize(
    ("payer", "scan", "cost"),
    [
        ("BUYER", handed_over(U), 390),
        ("BUYER", handed_over(U, tracking_id="other"), 0),
        ("SELLER", handed_over(U), 0),
        ("BUYER", shipped(U), 0),
    ],
)
def test_the_buyers_label_is_deducted_once_goods_have_travelled_under_it(
    payer: Any,  # noqa: ANN401 - a word
    scan: ReturnEvent,
    cost: int,
) -> None:
    history = (requested(U), authorized(U), labelled(paid_by=payer), scan, received(U))
    (step,) = after(*history, accepted(U))
    assert money(step).label_cost_minor == cost


def test_an_exchange_asks_the_stock() -> None:
    (step,) = after(*EXCHANGE, accepted(U))
    assert step == AskStock(return_id="RT-1", units=(U,), sku="size-43")


def test_an_exchange_that_fell_back_before_is_refunded_as_a_return_is() -> None:
    (step,) = after(*EXCHANGE, reserved(500), PAID, FELL_BACK, accepted(U))
    said = money(step)
    assert (said.source, units(said), said.difference_minor) == ("EXCHANGE_FALLBACK", [U], 0)


def test_what_was_sent_ahead_takes_the_place_of_the_original_once_that_is_accepted() -> None:
    history = (*EXCHANGE[:3], reserved(cross_shipped=True), sent())
    assert after(*history) == [], "nobody has seen the original"
    (step,) = after(*history, received(U), accepted(U))
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, ReplaceUnits)
    assert [(each.old_unit, each.new_unit) for each in step.said.pairs] == [(U, "1/1.r1")]


# --- OfferAccepted, ExchangeFellBack, ExchangeShipped, UnitsReplaced


def test_an_accepted_offer_is_paid() -> None:
    taken = OfferAccepted(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, units=[U, V])
    (step,) = after(requested(U, V), taken)
    said = money(step)
    assert (said.source, said.amount_minor, units(said)) == ("OFFER", 700, [U, V])


def test_where_there_is_no_replacement_accepted_goods_are_refunded() -> None:
    (step,) = after(*EXCHANGE, accepted(U), reserved(500), PAID, FELL_BACK)
    said = money(step)
    assert (said.source, said.difference_minor, said.remedy_id) == ("EXCHANGE_FALLBACK", 500, None)
    assert after(*EXCHANGE, reserved(cross_shipped=True), FELL_BACK) == []


@pytest.mark.parametrize(
    "then",
    [
        [],
        [rejected(U)],
        [rejected(U), contested(U)],
        [UnitsLost(**IDS, units=[U], covered=False, contest_until=at(17))],
    ],
    ids=["pending", "rejected", "contested", "lost"],
)
def test_what_was_paid_for_a_replacement_that_does_not_come_goes_back_whatever_becomes_of_the_goods(
    then: list[ReturnEvent],
) -> None:
    ahead = (*EXCHANGE[:3], reserved(500, cross_shipped=True), PAID, *then)
    (step,) = after(*ahead, FELL_BACK)
    said = money(step)
    assert (said.source, said.source_id, units(said)) == ("EXCHANGE_DIFFERENCE", "RT-1", [U])
    assert (said.amount_minor, said.difference_minor, said.seller_at_fault) == (0, 500, False)


def test_of_what_was_paid_for_several_each_has_its_part() -> None:
    both = replace(reserved(501), units=[U, V], new_units=["1/1.r1", "1/2.r1"])
    paid = replace(PAID, difference_minor=501)
    fell_back = replace(FELL_BACK, units=[U, V])
    story = (*EXCHANGE, accepted(U), both, paid)
    of_goods, apart = (money(each) for each in after(*story, fell_back))
    assert (units(of_goods), of_goods.difference_minor) == ([U], 251)
    assert (units(apart), apart.difference_minor) == ([V], 250)
    (alone,) = after(*story, replace(FELL_BACK, units=[V]))
    assert money(alone).difference_minor == 250


def test_what_was_paid_for_a_claim_goes_back_before_its_goods_are_asked_for() -> None:
    claimed = (requested(U, kind="CLAIM", wants="REPLACEMENT"), authorized(U, **CLAIM))
    (step,) = after(*claimed, reserved(500), PAID, FELL_BACK)
    said = money(step)
    assert (said.source, said.amount_minor, said.difference_minor) == (
        "EXCHANGE_DIFFERENCE",
        0,
        500,
    )


def test_what_was_kept_in_stock_for_it_is_given_back() -> None:
    kept = replace(reserved(500), reservation_id="rs-1")
    *_, step = after(*EXCHANGE, accepted(U, V), kept, FELL_BACK)
    assert step == ReleaseStock(return_id="RT-1", reservation_id="rs-1")
    other = replace(kept, units=[V], new_units=["1/2.r1"], reservation_id="rs-2")
    *_, step = after(*EXCHANGE, accepted(U, V), kept, other, FELL_BACK)
    assert step == ReleaseStock(return_id="RT-1", reservation_id="rs-1")
    nobody_was_asked = after(*EXCHANGE, accepted(U), reserved(500), FELL_BACK)
    assert not any(isinstance(each, ReleaseStock) for each in nobody_was_asked)


def test_a_dispute_that_let_the_buyer_keep_the_goods_pays_all_that_is_left_of_them() -> None:
    remedy: dict[str, Any] = {"remedy_id": "RM-1", "liable": "SELLER", "seller_at_fault": True}
    asked = requested(U, kind="CLAIM", wants="REPLACEMENT", origin="DISPUTE", **remedy)
    (step,) = after(asked, authorized(U, **CLAIM), FELL_BACK)
    said = money(step)
    assert (said.source, said.source_id, said.remedy_id) == ("DISPUTE", "RM-1", "RM-1")
    assert (said.amount_minor, said.liable) == (None, "SELLER")


def test_a_replacement_that_is_sent_takes_the_money_along() -> None:
    (step,) = after(*EXCHANGE, accepted(U), reserved(500), PAID, sent(500))
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, ReplaceUnits)
    assert (step.said.difference_minor, step.said.return_id) == (500, "RT-1")


def test_one_that_costs_less_is_credited_first() -> None:
    credit, moved = after(*EXCHANGE, accepted(U), reserved(-300), sent(-300))
    assert (money(credit).source, money(credit).amount_minor) == ("EXCHANGE_DIFFERENCE", 300)
    assert isinstance(moved, ToLedger)
    assert isinstance(moved.said, ReplaceUnits)
    assert moved.said.difference_minor == -300


def test_what_was_paid_for_a_dearer_piece_does_not_swallow_what_a_cheaper_one_credits() -> None:
    """Given two pieces, replaced ahead by two reservations: 500 were paid for one, the other costs
    500 less. When both are accepted at once, then the buyer is credited 500.
    """
    dearer = reserved(500, cross_shipped=True)
    cheaper = replace(reserved(-500, cross_shipped=True), units=[V], new_units=["1/2.r1"])
    gone = replace(sent(-500), units=[V], new_units=["1/2.r1"])
    history = (*EXCHANGE, dearer, PAID, cheaper, sent(500), gone, accepted(U, V))
    of_dearer, credit, of_cheaper = after(*history)
    assert (money(credit).source, money(credit).amount_minor) == ("EXCHANGE_DIFFERENCE", 500)
    assert units(money(credit)) == [V]
    moved = [each.said for each in (of_dearer, of_cheaper) if isinstance(each, ToLedger)]
    told = [each for each in moved if isinstance(each, ReplaceUnits)]
    assert [(each.pairs[0].old_unit, each.difference_minor) for each in told] == [
        (U, 500),
        (V, -500),
    ]


def test_a_replacement_for_goods_that_stay_takes_their_money_at_once() -> None:
    swap = requested(U, kind="CLAIM", wants="REPLACEMENT")
    (step,) = after(swap, authorized(U, **CLAIM), reserved(), sent())
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, ReplaceUnits)


def test_case_57_a_new_piece_that_was_accepted_first_is_paid_once_money_has_moved_to_it() -> None:
    moved = UnitsReplaced(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="ae-2025-1",
        currency="EUR",
        pairs=[ReplacedUnit(old_unit=U, new_unit="1/1.r1", moved_minor=5399, added_minor=0)],
    )
    waiting = return_of((*withdrawn("1/1.r1"), handed_over("1/1.r1"), accepted("1/1.r1")))
    (step,) = after_replacement("event-2", moved, waiting)
    assert (money(step).source, units(money(step))) == ("WITHDRAWAL", ["1/1.r1"])
    still_out = return_of((*withdrawn("1/1.r1"), handed_over("1/1.r1")))
    assert after_replacement("event-2", moved, still_out) == []


def test_what_leads_to_nothing_by_itself() -> None:
    assert after(*BOTH, rejected(U)) == []
    assert after(*BOTH) == []


def test_a_step_has_the_same_id_however_often_its_cause_comes() -> None:
    history = (*BOTH, accepted(U))
    matter = return_of(history)
    assert steps_of("event-1", history[-1], matter) == steps_of("event-1", history[-1], matter)
    (one,), (other,) = (steps_of(each, history[-1], matter) for each in ("event-1", "event-2"))
    assert money(one).refund_id != money(other).refund_id


# --- What orders, disputes and the ledger tell


def test_what_was_shipped_or_cancelled_though_it_was_withdrawn_from() -> None:
    never = return_of(withdrawn(U, goods_back=False))
    others = [return_of(withdrawn(V)), return_of(BOTH)]
    assert of_shipping([never, *others]) == [ToReturn("RT-1", AskForGoods())]
    assert of_cancellation([never, *others]) == [ToReturn("RT-1", AcceptByDefault())]


def answered(source_id: str = "RT-1", remedy_id: str | None = None) -> RefundIssued:
    return RefundIssued(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="ae-2025-1",
        refund_id="f-1",
        source="DISPUTE" if remedy_id else "RETURN",
        source_id=source_id,
        remedy_id=remedy_id,
        borne_by="SELLER",
        units=[RefundedUnit(unit=U, amount_minor=5399)],
        currency="EUR",
        shipping_minor=0,
        goodwill_minor=0,
        label_cost_minor=0,
        total_minor=5399,
        refunded_total_minor=5399,
        remaining_minor=0,
        issued_at=at(12),
    )


def test_the_ledgers_answer_closes_the_return_that_has_waited_for_it() -> None:
    waiting = return_of((*BOTH, accepted(U, V)))
    assert of_answer(answered(), [waiting]) == [ToReturn("RT-1", CloseReturn())]
    assert of_answer(answered("RT-9"), [waiting]) == []
    of_remedy = return_of((*BOTH, attached(U), accepted(U, V)))
    assert of_answer(answered("RM-1", "RM-1"), [of_remedy])
    about: dict[str, Any] = {
        "order_id": "O1",
        "seller_id": "S1",
        "buyer_id": "B1",
        "policy_version": "ae-2025-1",
        "units": [U],
        "refund_ids": ["cb-1"],
    }
    met = RemedyAlreadyMet(**about, remedy_id="RM-1")
    assert of_answer(met, [of_remedy]) == [ToReturn("RT-1", CloseReturn())]
    none = RefundNotDue(**about, refund_id="f-1", source="RETURN", source_id="RT-1", why="GIVEN")
    assert of_answer(none, [waiting]) == [ToReturn("RT-1", CloseReturn())]


def ordered(outcome: Outcome, *named: str) -> RemedyOrdered:
    return RemedyOrdered(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="ae-2025-1",
        dispute_id="D-1",
        remedy_id="RM-1",
        basis="DECISION",
        reason="NOT_AS_DESCRIBED",
        outcome=outcome,
        currency="EUR",
        amount_minor=2000 if outcome == "REFUND_PARTIAL" else None,
        lines=[DisputedUnits(line_id="1", quantity=len(named), units=",".join(named))],
        liable="SELLER",
        seller_at_fault=True,
        execute_by=at(40),
    )


def carried_out(
    outcome: Outcome,
    *named: str,
    pieces: tuple[PieceFacts, ...] = pieces_of(A),
    history: tuple[ReturnEvent, ...] = (),
) -> list[Step]:
    returns = {"RT-1": return_of(history)} if history else {}
    return of_remedy_ordered("event-3", ordered(outcome, *named), pieces, returns)


@pytest.mark.parametrize("outcome", ["REFUND_FULL", "REFUND_PARTIAL"])
def test_money_alone_is_given_without_goods(outcome: Outcome) -> None:
    (step,) = carried_out(outcome, U, V)
    assert (money(step).source, units(money(step))) == ("DISPUTE", [U, V])


@pytest.mark.parametrize("outcome", ["RETURN_AND_REFUND", "EXCHANGE", "REPLACEMENT_NO_RETURN"])
def test_free_pieces_get_a_return_of_the_remedys_own(outcome: Outcome) -> None:
    (step,) = carried_out(outcome, U, V)
    assert isinstance(step, ToReturn)
    assert isinstance(step.said, OpenRemedyReturn)
    assert (step.said.units, step.said.outcome) == ((U, V), outcome)
    assert step.return_id == step.said.return_id


def test_pieces_on_their_way_stay_there_and_what_is_back_is_paid() -> None:
    held = pieces_of(A, in_return={U: "RT-1", V: "RT-1"})
    history = (*BOTH, accepted(U))
    attach, opened, paid = carried_out(
        "RETURN_AND_REFUND", U, V, "1/3", pieces=held, history=history
    )
    assert isinstance(attach, ToReturn)
    assert isinstance(attach.said, AttachRemedy)
    assert (attach.return_id, attach.said.units) == ("RT-1", (V,))
    assert isinstance(opened, ToReturn)
    assert isinstance(opened.said, OpenRemedyReturn)
    assert opened.said.units == ("1/3",)
    assert units(money(paid)) == [U]


def test_of_a_return_that_is_over_nothing_more_is_to_come() -> None:
    held = pieces_of(A, in_return={U: "RT-9"})
    (paid,) = carried_out("RETURN_AND_REFUND", U, pieces=held)
    assert units(money(paid)) == [U]
    assert replace(money(paid), units=()).remedy_id == "RM-1"
