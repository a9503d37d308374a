"""What a return, an offer, a claim, a cancellation or a remedy gets of an order's money."""

from typing import get_args

import pytest
from returns_service.domain.ledger_rules import LedgerCommand
from returns_service.domain.requesting import AskedUnit, NothingReceived, RequestRefund, Standing
from returns_service.testing import (
    AGENT,
    DAY,
    NOW,
    ORDER_A,
    ORDER_B,
    ORDER_D,
    ORDER_E,
    SELLER,
    asks,
    charged_back,
    goodwill,
    history,
    kinds,
    ledger_after,
    line,
    opened,
    order,
    paid,
    played,
    refused,
    reissue,
    remedy,
    replaced,
    say,
)
from returns_service.testing.stories import FAILED, OPEN, SETTLED, UNDONE
from shared_events.returns import (
    RefundedUnit,
    RefundEvent,
    RefundNotDue,
    RefundRequested,
    RemedyAlreadyMet,
)
from shared_runtime.decider import InvalidValue, RoleNotAllowed, WrongState

type LedgerSaying = RequestRefund | LedgerCommand


def told(*commands: LedgerSaying) -> tuple[RefundEvent, ...]:
    """What comes of them; a request is a machine's."""
    return history(*(say(each) if isinstance(each, RequestRefund) else each for each in commands))


def the_last(*commands: LedgerSaying) -> RefundRequested:
    """The refund that was asked for last."""
    (*_, last) = [each for each in told(*commands) if isinstance(each, RefundRequested)]
    return last


def answer(*commands: LedgerSaying) -> RefundEvent:
    return told(*commands)[-1]


def amounts(refund: RefundRequested) -> dict[str, int]:
    return {each.unit: each.amount_minor for each in refund.units}


def test_a_piece_that_came_back_is_refunded_with_what_was_paid_for_it() -> None:
    played(say(asks("f-1", "1/1")), after=history(*OPEN)).then(
        RefundRequested(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="ae-2025-1",
            refund_id="f-1",
            source="RETURN",
            source_id="RT-1",
            way="ORIGINAL",
            borne_by="SELLER",
            units=[RefundedUnit(unit="1/1", amount_minor=5399)],
            currency="EUR",
            shipping_minor=0,
            goodwill_minor=0,
            label_cost_minor=0,
            total_minor=5399,
            seller_at_fault=False,
            advance=False,
            remaining_minor=10799,
            overdue_at=NOW + 14 * DAY,
        )
    )


def test_the_same_refund_is_asked_once_whatever_is_said_of_it_again() -> None:
    asked = history(*OPEN, say(asks("f-1", "1/1")))
    played(say(remedy("f-1", "1/2", "1/3")), after=asked).then_nothing()


def test_before_the_ledger_is_open_a_refund_waits() -> None:
    played(say(asks("f-1", "1/1"))).then_refused(WrongState, state="NONE")


def test_nobody_asks_for_it_in_person() -> None:
    played(say(asks("f-1", "1/1"), NOW, SELLER), after=history(*OPEN)).then_refused(RoleNotAllowed)


@pytest.mark.parametrize(
    "said",
    [
        asks("f-1", "7/1"),
        asks("f-1", "7/1.r1"),
        asks("f-1", "1/1.rx"),
        asks("f-1", "1/1", "1/1"),
        asks("f-1"),
        asks("f-1", "1/1", currency="GBP"),
        asks("f-1", "1/1", currency=None, amount_minor=100, source="OFFER"),
        asks("f-1", "1/1", source="DISPUTE"),
    ],
)
def test_what_is_asked_makes_sense(said: RequestRefund) -> None:
    played(say(said), after=history(*OPEN)).then_refused(InvalidValue)


# --- Goods that came back


def test_a_deduction_is_of_what_is_left_and_stays_in_the_ceiling() -> None:
    """Worked case 36."""
    one = order(line("1", 1, 5399))
    cut = asks("f-1", "1/1", deduction_milli=250)
    assert amounts(the_last(opened(one), cut)) == {"1/1": 4050}
    assert amounts(the_last(opened(one), cut, remedy("f-2", "1/1"))) == {"1/1": 1349}


def test_without_anything_received_a_return_gives_nothing() -> None:
    unit = AskedUnit(unit="1/1")
    bare = RequestRefund(refund_id="f-1", source="RETURN", source_id="RT-1", units=(unit,))
    played(say(bare), after=history(*OPEN)).then_refused(NothingReceived)


@pytest.mark.parametrize("standing", get_args(Standing.__value__))
def test_only_what_has_a_standing_is_refunded(standing: Standing) -> None:
    units = (AskedUnit(unit="1/1", standing=standing), AskedUnit(unit="1/2"))
    said = RequestRefund(refund_id="f-1", source="RETURN", source_id="RT-1", units=units)
    assert amounts(the_last(*OPEN, said)) == {"1/1": 5399}


def test_goods_come_back_once() -> None:
    again = answer(*SETTLED, asks("f-2", "1/1", source="WITHDRAWAL", source_id="RT-2"))
    assert isinstance(again, RefundNotDue)
    assert (again.why, again.units, again.refund_ids) == ("GIVEN", ["1/1"], ["f-1"])


def test_what_failed_for_good_is_paid_by_its_reissue_alone() -> None:
    assert isinstance(answer(*FAILED, asks("f-2", "1/1")), RefundNotDue)
    assert amounts(the_last(*FAILED, asks("f-2", "1/1", "1/2"))) == {"1/1": 0, "1/2": 5399}


def test_nor_does_shipping_that_failed_with_it_come_by_another_way() -> None:
    failed = (
        opened(ORDER_E),
        say(asks("f-1", "1/1", seller_at_fault=True)),
        say(refused("f-1")),
    )
    assert isinstance(answer(*failed, asks("f-2", "1/1", seller_at_fault=True)), RefundNotDue)


def test_free_pieces_are_settled_without_the_gateway() -> None:
    """Worked case 49: the label takes all of the first, the second was free."""
    of = order(line("1", 1, 300), line("2", 1, 0))
    first = asks("f-1", "1/1", label_cost_minor=390)
    second = asks("f-2", "2/1", label_cost_minor=390)
    events = history(opened(of), say(first), say(second))
    settled = ["RefundRequested", "RefundSettled", "RefundIssued"]
    assert kinds(events) == ["RefundLedgerOpened", *settled, *settled]
    requested = [each for each in events if isinstance(each, RefundRequested)]
    assert [(each.total_minor, each.label_cost_minor) for each in requested] == [(0, 300), (0, 0)]


# --- Labels


def test_a_label_is_deducted_once_and_its_rest_from_the_next() -> None:
    """G32: two pieces, 678 and 1060, and a label of 990."""
    first = asks("f-1", "2/1", label_cost_minor=990)
    second = asks("f-2", "1/1", label_cost_minor=990)
    refunds = [the_last(opened(ORDER_B), first), the_last(opened(ORDER_B), first, second)]
    assert [(each.total_minor, each.label_cost_minor) for each in refunds] == [(0, 678), (748, 312)]
    assert refunds[1].remaining_minor == 2541


def test_each_return_has_its_own_label() -> None:
    first = asks("f-1", "1/1", label_cost_minor=100)
    second = asks("f-2", "1/2", label_cost_minor=100, source_id="RT-2")
    assert amounts(the_last(*OPEN, first, second)) == {"1/2": 5299}


def test_a_label_that_a_failed_refund_has_deducted_is_in_its_reissue() -> None:
    """Worked case 63."""
    first, second = (asks(f"f-{n}", f"1/{n}", label_cost_minor=390) for n in (1, 2))
    story = (*OPEN, say(first), say(refused("f-1")), say(second))
    assert amounts(the_last(*story)) == {"1/2": 5399}
    again = asks("f-3", "1/1", label_cost_minor=390, reissues="f-1")
    assert amounts(the_last(*story, again)) == {"1/1": 5009}


def test_a_label_dearer_than_the_goods_is_paid_of_shipping() -> None:
    said = asks("f-1", "1/1", source="WITHDRAWAL", label_cost_minor=9000)
    refund = the_last(opened(ORDER_E), said)
    assert (amounts(refund), refund.shipping_minor) == ({"1/1": 0}, 589)


# --- Shipping


def test_shipping_comes_with_the_last_piece_if_any_return_was_the_sellers_fault() -> None:
    """Worked case 62 and G07, either way round."""
    story = (
        asks("f-1", "1/1", seller_at_fault=True),
        asks("f-2", "1/2"),
        asks("f-3", "2/1"),
    )
    assert the_last(opened(ORDER_B), *story).total_minor == 678 + 490
    assert the_last(opened(ORDER_B), *story[::-1]).total_minor == 1060 + 490
    assert the_last(opened(ORDER_B), *story[:2]).shipping_minor == 0


def test_shipping_stays_paid_where_nobody_is_at_fault() -> None:
    assert the_last(opened(ORDER_E), asks("f-1", "1/1")).total_minor == 8999


@pytest.mark.parametrize(
    "said",
    [
        asks("f-1", "1/1", source="WITHDRAWAL"),  # G39
        asks("f-1", "1/1", source="CANCELLATION", source_id="O1"),
        asks("f-1", "1/1", seller_at_fault=True),
        remedy("f-1", "1/1"),
    ],
)
def test_what_brings_shipping_with_it(said: RequestRefund) -> None:
    refund = the_last(opened(ORDER_E), said)
    assert (amounts(refund), refund.shipping_minor) == ({"1/1": 8999}, 590)


def test_a_remedy_told_twice_is_paid_once() -> None:
    """G08."""
    story = history(opened(ORDER_E), say(remedy("f-1", "1/1")))
    played(say(remedy("f-2", "1/1")), after=story).then_nothing()


def test_a_remedy_that_is_no_full_refund_brings_no_shipping_by_itself() -> None:
    said = remedy("f-1", "1/1", outcome="RETURN_AND_REFUND")
    assert the_last(opened(ORDER_E), said).shipping_minor == 0


# --- Amounts


def test_an_agreed_amount_is_spread_over_its_units() -> None:
    """Worked cases 37 and 39, G17."""
    partial = remedy("f-1", "1/1", "1/2", amount_minor=1000, outcome="REFUND_PARTIAL")
    assert amounts(the_last(opened(ORDER_B), partial)) == {"1/1": 500, "1/2": 500}
    back = asks("f-2", "1/1", "1/2", source="WITHDRAWAL")
    assert the_last(opened(ORDER_B), partial, back).total_minor == 1121
    of_all = remedy("f-1", "1/1", "1/2", "1/3", amount_minor=4000)
    assert list(amounts(the_last(*OPEN, of_all)).values()) == [1333, 1333, 1334]
    in_yen = remedy("f-1", "1/1", "1/2", "1/3", amount_minor=580, currency="JPY")
    assert list(amounts(the_last(opened(ORDER_D), in_yen)).values()) == [193, 194, 193]


def test_an_offer_is_clipped_to_its_unit_and_says_so() -> None:
    refund = the_last(*OPEN, asks("f-1", "1/1", source="OFFER", amount_minor=5400))
    assert (refund.total_minor, refund.clipped_from_minor) == (5399, 5400)
    refund = the_last(*OPEN, asks("f-1", "1/1", source="OFFER", amount_minor=5399))
    assert (refund.total_minor, refund.clipped_from_minor) == (5399, None)


def test_what_a_remedys_amount_exceeds_the_last_goods_by_is_shipping() -> None:
    over = {"amount_minor": 9300, "outcome": "REFUND_PARTIAL"}
    refund = the_last(opened(ORDER_E), remedy("f-1", "1/1", **over))
    assert (amounts(refund), refund.shipping_minor) == ({"1/1": 8999}, 301)
    claim = the_last(opened(ORDER_E), asks("f-1", "1/1", source="CLAIM", amount_minor=9300))
    assert (claim.total_minor, claim.clipped_from_minor) == (8999, 9300)


def test_goodwill_takes_from_the_order_and_so_from_the_last_refund() -> None:
    """Worked case 38."""
    story: tuple[LedgerSaying, ...] = (*OPEN, say(goodwill("g-1", 500), NOW, SELLER))
    returns = [asks(f"f-{n}", f"1/{n}") for n in (1, 2, 3)]
    last = the_last(*story, *returns)
    assert (last.total_minor, last.clipped_from_minor, last.remaining_minor) == (4900, 5400, 0)


def test_every_source_in_turn_gets_what_is_left() -> None:
    """G16: goodwill 300, an offer of 700, the others returned, then a withdrawal of the first."""
    story: tuple[LedgerSaying, ...] = (
        *OPEN,
        say(goodwill("g-1", 300), NOW, SELLER),
        asks("f-1", "1/1", source="OFFER", amount_minor=700),
        asks("f-2", "1/2", "1/3"),
    )
    assert [the_last(*story[:n]).remaining_minor for n in (2, 3, 4)] == [15898, 15198, 4399]
    last = the_last(*story, asks("f-3", "1/1", source="WITHDRAWAL"))
    assert (last.total_minor, last.clipped_from_minor) == (4399, 4699)


def test_a_paid_difference_goes_back_besides() -> None:
    said = asks("f-1", "1/1", source="EXCHANGE_FALLBACK", difference_minor=600)
    refund = the_last(*OPEN, said)
    assert (refund.total_minor, refund.difference_minor) == (5999, 600)
    assert refund.remaining_minor == 10799
    given = (*OPEN, say(remedy("f-0", "1/1")))
    assert the_last(*given, said).total_minor == 600


# --- Nothing left


def test_a_remedy_that_comes_after_a_return_is_met_already() -> None:
    """Worked case 26 and G14."""
    met = answer(opened(order(line("1", 1, 5399))), asks("f-1", "1/1"), remedy("f-2", "1/1"))
    assert isinstance(met, RemedyAlreadyMet)
    assert (met.remedy_id, met.units, met.refund_ids) == ("D-1", ["1/1"], ["f-1"])


def test_of_a_remedy_each_piece_is_answered_once() -> None:
    story: tuple[LedgerSaying, ...] = (*OPEN, asks("f-1", "1/1"), remedy("f-2", "1/1", "1/2"))
    assert amounts(the_last(*story)) == {"1/1": 0, "1/2": 5399}
    assert amounts(the_last(*story, remedy("f-3", "1/2", "1/3"))) == {"1/3": 5400}


def test_what_leaves_nothing_of_the_order_is_named_too() -> None:
    """So that it is found once it is taken back."""
    offer = asks("f-1", "1/1", source="OFFER", amount_minor=399)
    story: tuple[LedgerSaying, ...] = (*OPEN, offer, say(charged_back("cb-1", 15799)))
    gone = answer(*story, asks("f-2", "1/1"))
    assert isinstance(gone, RefundNotDue)
    assert gone.refund_ids == ["f-1", "cb-1"]


def test_a_piece_sent_ahead_has_no_money_until_its_original_is_accepted() -> None:
    """Worked case 57."""
    ahead = asks("f-1", "1/1.r1", source="WITHDRAWAL")
    out = answer(*OPEN, ahead)
    assert isinstance(out, RefundNotDue)
    assert (out.why, out.refund_ids) == ("ORIGINAL_OUT", [])
    moved: tuple[LedgerSaying, ...] = (*OPEN, ahead, say(replaced("1/1")))
    again = asks("f-2", "1/1.r1", source="WITHDRAWAL")
    assert amounts(the_last(*moved, again)) == {"1/1.r1": 5399}


def test_a_difference_goes_back_by_itself_and_leaves_the_piece_as_it_is() -> None:
    said = asks("f-1", "1/1", source="EXCHANGE_DIFFERENCE", amount_minor=0, difference_minor=600)
    refund = the_last(*OPEN, said)
    assert (refund.total_minor, refund.difference_minor, amounts(refund)) == (600, 600, {"1/1": 0})
    assert amounts(the_last(*OPEN, said, asks("f-2", "1/1"))) == {"1/1": 5399}


def test_a_difference_that_was_paid_for_a_piece_sent_ahead_does_not_wait_for_its_original() -> None:
    said = asks("f-1", "1/1.r1", source="EXCHANGE_FALLBACK", difference_minor=600)
    refund, out = history(*OPEN, say(said))[1:]
    assert isinstance(refund, RefundRequested)
    assert (refund.total_minor, refund.difference_minor, refund.units) == (600, 600, [])
    assert isinstance(out, RefundNotDue)
    assert out.units == ["1/1.r1"]


def test_of_several_pieces_those_sent_ahead_are_answered_apart() -> None:
    events = history(*OPEN, say(asks("f-1", "1/2", "1/1.r1")))
    requested, out = events[1:]
    assert isinstance(requested, RefundRequested)
    assert amounts(requested) == {"1/2": 5399}
    assert isinstance(out, RefundNotDue)
    assert (out.why, out.units) == ("ORIGINAL_OUT", ["1/1.r1"])


def test_a_replaced_piece_gives_nothing_any_more() -> None:
    gone = answer(*OPEN, say(replaced("1/1")), asks("f-1", "1/1"))
    assert isinstance(gone, RefundNotDue)
    assert (gone.why, gone.refund_ids) == ("GIVEN", [])


# --- Asked again


def test_what_was_clipped_is_asked_again_when_the_bank_has_given_it_back() -> None:
    """Worked case 64."""
    short = asks("f-1", "1/1")
    story: tuple[LedgerSaying, ...] = (opened(), say(charged_back("cb-9", 12198)), short)
    clipped = the_last(*story)
    assert (clipped.total_minor, clipped.clipped_from_minor) == (4000, 5399)
    undone: tuple[LedgerSaying, ...] = (*story, UNDONE[-1])
    rest = asks("f-2", "1/1", amount_minor=1399, outside_id="cb-9")
    assert amounts(the_last(*undone, rest)) == {"1/1": 1399}
    assert isinstance(answer(*undone, asks("f-3", "1/1")), RefundNotDue)


def test_nothing_is_asked_again_while_the_money_is_still_outside() -> None:
    again = asks("f-2", "1/1", outside_id="cb-9")
    played(say(again), after=history(*OPEN, say(charged_back("cb-9", 1)))).then_nothing()
    played(say(again), after=history(*OPEN)).then_nothing()


def test_a_refund_that_was_stopped_is_asked_anew_by_the_rules() -> None:
    story = (*OPEN, say(asks("f-1", "1/1")), say(charged_back("cb-9", 14198)))
    anew = asks("f-2", "1/1", reissues="f-1")
    played(say(anew), after=history(*story)).then_nothing()  # not stopped yet
    refund = the_last(*story, say(refused("f-1")), anew)
    assert (refund.total_minor, refund.clipped_from_minor) == (2000, 5399)
    assert ledger_after(*story, say(refused("f-1")), say(anew)).refunds["f-1"].reissued_by == "f-2"


@pytest.mark.parametrize(
    "said",
    [
        asks("f-2", "1/2", reissues="f-1"),
        asks("f-2", "1/1", reissues="f-1", source_id="RT-2"),
        remedy("f-2", "1/1", reissues="f-1"),
    ],
)
def test_what_is_asked_anew_is_what_was_stopped(said: RequestRefund) -> None:
    played(say(said), after=history(*FAILED)).then_refused(InvalidValue)


def test_what_the_desk_has_reissued_meanwhile_is_not_asked_anew() -> None:
    story = (*FAILED, say(reissue("f-3", "f-1"), NOW, AGENT))
    played(say(asks("f-2", "1/1", reissues="f-1")), after=history(*story)).then_nothing()


def test_whose_expense_it_is() -> None:
    refunds = {liable: the_last(*OPEN, remedy("f-1", "1/1", liable=liable)) for liable in LIABLE}
    assert {liable: each.borne_by for liable, each in refunds.items()} == LIABLE


LIABLE = {"SELLER": "SELLER", "CARRIER": "SELLER", "NONE": "SELLER", "PLATFORM": "PLATFORM"}


def test_g04_returns_in_any_grouping_give_the_same() -> None:
    whole = order(line("1", 2, 4339), line("2", 20, 366), discount=999)
    units = ["1/1", "1/2", *(f"2/{n}" for n in range(1, 21))]
    for groups in ([units], [[unit] for unit in units], [units[11:], units[:11]]):
        said = [asks(f"f-{n}", *group) for n, group in enumerate(groups)]
        ledger = ledger_after(
            opened(whole), *map(say, said), *(say(paid(each.refund_id)) for each in said)
        )
        assert ledger.refunded_minor == 14999


def test_five_of_six_bought_with_a_coupon() -> None:
    """G40, and G15: what was not returned can still be."""
    of = order(line("1", 6, 5000), discount=3000)
    five = asks("f-1", *(f"1/{n}" for n in range(1, 6)))
    assert the_last(opened(of), five).total_minor == 22500
    assert ledger_after(opened(of), say(five)).remaining.units["1/6"] == 4500
    some = order(line("1", 5, 1000))
    first, rest = asks("f-1", "1/1", "1/2"), asks("f-2", "1/3", "1/4", "1/5")
    assert the_last(opened(some), first, rest).total_minor == 3000


def test_a_label_that_the_seller_pays_takes_nothing() -> None:
    """G31."""
    refund = the_last(opened(ORDER_A), asks("f-1", "1/1", seller_at_fault=True))
    assert (refund.total_minor, refund.label_cost_minor) == (5399, 0)
