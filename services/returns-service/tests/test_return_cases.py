"""Cases from the field about returns and their money, from the request to the ledger's word."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from returns_service.domain.approving import ApproveReturn
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.exchanging import RecordReplacementDelivered, ShipReplacement
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.inspecting import InspectedUnit, InspectUnits
from returns_service.domain.labelling import IssueLabel
from returns_service.domain.offering import AnswerOffer, OfferPartialRefund
from returns_service.domain.outside import RecordOutsideRefund, UndoOutsideRefund
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.reserving import ReserveReplacement
from returns_service.domain.return_request import RequestReturn
from returns_service.domain.scanning import RecordScan
from returns_service.domain.shipping_back import ShipBack
from returns_service.domain.wanted import WantedLine
from returns_service.domain.withdrawing import ConfirmWithdrawal, DeclareWithdrawal
from returns_service.testing import SELLER, SYSTEM, line, order
from returns_service.testing.returns import FILE, A, B, E, arrived, at, kinds, words
from returns_service.testing.together import Together
from shared_events.returns import RefundNotDue, RefundRequested, ReturnClosed
from shared_runtime.decider import AlreadySubmitted, QuantityExceeded, WrongState

COLLECTION = Path(__file__).resolve().parents[4] / "shared" / "cases" / "disputes-returns.md"
ABOUT_DISPUTES = "## Disputes and inquiries"
"""They are told by dispute-service."""
ASKED, LOOKED = at(3), at(10)
PHOTO: dict[str, Any] = {"media": (words("media"),), "media_sha256": (FILE,)}


def asks(quantity: int = 1, line_id: str = "1", **told: Any) -> RequestReturn:  # noqa: ANN401
    said: dict[str, Any] = {
        "return_id": "RT-1",
        "kind": "RETURN",
        "lines": (WantedLine(line_id=line_id, quantity=quantity),),
        "reason": "NOT_AS_DESCRIBED",
        "wants": "REFUND",
    }
    return RequestReturn(**(said | told))


def returned(shop: Together, said: RequestReturn, now: datetime = ASKED) -> None:
    """Asked for, approved where somebody has to, sent, and found as good as new."""
    return_id = said.return_id
    asked = shop.say(said, now, return_id=return_id)
    if "ReturnReviewRequired" in kinds(asked):
        shop.say(ApproveReturn(), now, SELLER, return_id)
    units = pieces_of(shop, return_id)
    shop.say(ShipBack(units=units, tracking_id="OWN"), now, return_id=return_id)
    inspect(shop, *units, now=now, return_id=return_id)


def pieces_of(shop: Together, return_id: str) -> tuple[str, ...]:
    (state,) = (each for each in shop.states() if each.return_id == return_id)
    return tuple(state.pieces)


def inspect(shop: Together, *units: str, now: datetime = LOOKED, return_id: str = "RT-1") -> None:
    """As good as new."""
    found = tuple(InspectedUnit(unit=unit, verdict="ACCEPTED", grade="A") for unit in units)
    shop.say(InspectUnits(units=found), now, SELLER, return_id)


def withdrawn(shop: Together, quantity: int, now: datetime, line_id: str = "1") -> None:
    confirmed(shop, quantity, now, line_id)
    come_back(shop, now)


def confirmed(shop: Together, quantity: int, now: datetime, line_id: str = "1") -> None:
    lines = (WantedLine(line_id=line_id, quantity=quantity),)
    shop.say(DeclareWithdrawal(return_id="RT-W", lines=lines), now, return_id="RT-W")
    confirm = ConfirmWithdrawal(content=words("content"), content_sha256=FILE)
    shop.say(confirm, now, return_id="RT-W")


def come_back(shop: Together, now: datetime) -> None:
    units = pieces_of(shop, "RT-W")
    shop.say(ShipBack(units=units, tracking_id="OWN"), now, return_id="RT-W")
    inspect(shop, *units, now=now, return_id="RT-W")


def given(shop: Together) -> list[int]:
    """The total of each refund, in their order."""
    return [each.total_minor for each in shop.ledger if isinstance(each, RefundRequested)]


def end_of(shop: Together, return_id: str = "RT-1") -> tuple[str, int]:
    """How a return ended, and what it gave."""
    last = shop.returns[return_id][-1]
    assert isinstance(last, ReturnClosed)
    return last.resolution, last.refunded_minor


def test_g02_the_order_s_discount_is_in_every_piece() -> None:
    shop = Together(arrived(order(line("1", 1, 600), line("2", 1, 400), discount=100)))
    returned(shop, asks())
    returned(shop, asks(line_id="2", return_id="RT-2"))
    assert given(shop) == [540, 360]
    assert end_of(shop) == ("REFUNDED", 540)


def test_g03_a_discount_of_a_line_is_in_each_piece_once() -> None:
    shop = Together(arrived(order(line("1", 3, 1000, 100))))
    returned(shop, asks(2))
    returned(shop, asks(return_id="RT-2"))
    assert given(shop) == [1933, 967]
    assert shop.book.remaining.order_minor == 0


def test_g07_shipping_comes_with_the_last_piece() -> None:
    shop = Together(B)
    returned(shop, asks())
    returned(shop, asks(return_id="RT-2"))
    returned(shop, asks(line_id="2", return_id="RT-3"))
    assert given(shop) == [1060, 1061, 1168]


def test_g09_what_is_back_is_not_offered_again_and_shipping_not_given_with_it() -> None:
    shop = Together(B)
    returned(shop, asks())
    assert end_of(shop) == ("REFUNDED", 1060)
    with pytest.raises(QuantityExceeded) as refused:
        shop.say(asks(2, return_id="RT-2"), at(11), return_id="RT-2")
    assert (refused.value.line_id, refused.value.free) == ("1", 1)
    assert shop.book.remaining.shipping_minor == 490


def test_g15_what_is_back_cannot_be_asked_back_again_and_the_rest_can() -> None:
    shop = Together(arrived(order(line("1", 5, 1000))))
    returned(shop, asks(2))
    with pytest.raises(QuantityExceeded) as refused:
        shop.say(asks(4, return_id="RT-2"), at(11), return_id="RT-2")
    assert refused.value.free == 3
    returned(shop, asks(3, return_id="RT-2"))
    assert given(shop) == [2000, 3000]
    with pytest.raises(QuantityExceeded) as refused:
        shop.say(asks(1, return_id="RT-3"), at(12), return_id="RT-3")
    assert refused.value.free == 0


def test_g11_what_was_cancelled_can_be_asked_for_again() -> None:
    shop = Together(A)
    shop.say(asks(3), at(3))
    with pytest.raises(QuantityExceeded):
        shop.say(asks(return_id="RT-2"), at(3), return_id="RT-2")
    shop.say(CancelReturn(), at(4))
    assert end_of(shop) == ("CANCELLED", 0)
    assert shop.say(asks(3, return_id="RT-2"), at(4), return_id="RT-2")


def test_g16_several_partial_refunds_of_one_payment_never_exceed_it() -> None:
    shop = Together(A)
    goodwill = GiveGoodwill(refund_id="g-1", goodwill_minor=300, currency="EUR")
    shop.to_ledger(goodwill, at(2), SELLER)
    shop.say(asks(), at(3))
    offer = OfferPartialRefund(offer_id="o-1", amount_minor=700, currency="EUR")
    shop.say(offer, at(3), SELLER)
    shop.say(AnswerOffer(offer_id="o-1", accept=True), at(3))
    assert end_of(shop) == ("KEPT", 700)
    returned(shop, asks(2, return_id="RT-2"))
    withdrawn(shop, 1, at(11))
    assert given(shop) == [300, 700, 10799, 4399]
    assert sum(given(shop)) == 16198


@pytest.mark.parametrize("again", [1, 2])
def test_g27_what_was_sent_as_a_replacement_can_be_returned(again: int) -> None:
    """Once, or after it was replaced itself."""
    shop, unit = Together(A), "1/1"
    for number in range(1, again + 1):
        return_id = f"RT-{number}"
        returned(shop, asks(kind="EXCHANGE", wants="EXCHANGE", return_id=return_id), at(3 * number))
        now = at(3 * number + 1)
        reserve = ReserveReplacement(units=(unit,), sku="sku-1", stock=4)
        shop.say(reserve, now, SYSTEM, return_id)
        ships = ShipReplacement(units=(unit,), tracking_id="T-9")
        shop.say(ships, now, SELLER, return_id)
        shop.say(RecordReplacementDelivered(units=(unit,)), now, SYSTEM, return_id)
        assert end_of(shop, return_id) == ("EXCHANGED", 0)
        unit = f"1/1.r{number}"
    returned(shop, asks(return_id="RT-9"), at(14))
    assert given(shop) == [5399]
    (refund,) = (each for each in shop.ledger if isinstance(each, RefundRequested))
    assert [each.unit for each in refund.units] == [unit]


def test_g31_the_seller_pays_the_label_of_what_was_his_fault() -> None:
    shop = Together(A)
    shop.say(asks(reason="DAMAGED"), at(3))
    shop.say(ApproveReturn(), at(4), SELLER)
    scanned(shop, "1/1", cost=390)
    inspect(shop, "1/1")
    assert given(shop) == [5399]


def scanned(shop: Together, *units: str, cost: int) -> None:
    label = IssueLabel(
        label_id="L-1", carrier="DHL", tracking_id="T-1", cost_minor=cost, currency="EUR"
    )
    shop.say(label, at(4), SYSTEM)
    scan = RecordScan(kind="HANDED_OVER", units=units, scanned_at=at(5), tracking_id="T-1")
    shop.say(scan, at(5), SYSTEM)


def test_g32_a_label_is_deducted_once_and_no_refund_goes_below_zero() -> None:
    shop = Together(B)
    lines = (WantedLine(line_id="1", quantity=1), WantedLine(line_id="2", quantity=1))
    shop.say(asks(lines=lines, reason="CHANGE_OF_MIND"), at(3))
    scanned(shop, "1/1", "2/1", cost=990)
    inspect(shop, "2/1", now=at(10))
    inspect(shop, "1/1", now=at(11))
    assert given(shop) == [0, 748]
    costs = [each.label_cost_minor for each in shop.ledger if isinstance(each, RefundRequested)]
    assert costs == [678, 312]
    assert end_of(shop) == ("REFUNDED", 748)
    assert shop.book.remaining.order_minor == 2541


def test_g33_a_return_that_a_rule_has_approved_can_be_settled_for_money() -> None:
    shop = Together(B)
    asked = shop.say(asks(reason="CHANGE_OF_MIND"), at(3))
    assert kinds(asked) == ["ReturnRequested", "ReturnAuthorized"]
    offer = OfferPartialRefund(offer_id="o-1", amount_minor=400, currency="EUR")
    shop.say(offer, at(4), SELLER)
    shop.say(AnswerOffer(offer_id="o-1", accept=True), at(5))
    assert given(shop) == [400]
    assert end_of(shop) == ("KEPT", 400)
    with pytest.raises(WrongState):
        shop.say(ShipBack(units=("1/1",), tracking_id="OWN"), at(6))


def test_g34_what_was_kept_for_money_is_left_to_the_withdrawal() -> None:
    shop = Together(B)
    shop.say(asks(line_id="2", reason="CHANGE_OF_MIND"), at(3))
    offer = OfferPartialRefund(offer_id="o-1", amount_minor=200, currency="EUR")
    shop.say(offer, at(3), SELLER)
    shop.say(AnswerOffer(offer_id="o-1", accept=True), at(3))
    with pytest.raises(AlreadySubmitted) as refused:
        shop.say(asks(line_id="2", return_id="RT-2"), at(4), return_id="RT-2")
    assert refused.value.existing_id == "o-1"
    withdrawn(shop, 1, at(5), line_id="2")
    assert given(shop) == [200, 478]


def test_g24_what_the_bank_has_given_back_is_not_given_again() -> None:
    shop = Together(E)
    confirmed(shop, 1, at(4))
    bank = RecordOutsideRefund(
        outside_id="cb-1", kind="CHARGEBACK", amount_minor=9589, currency="EUR"
    )
    shop.to_ledger(bank, at(5))
    assert shop.book.remaining.order_minor == 0
    come_back(shop, at(10))
    (not_due,) = (each for each in shop.ledger if isinstance(each, RefundNotDue))
    assert (not_due.why, not_due.refund_ids) == ("GIVEN", ["cb-1"])
    assert end_of(shop, "RT-W") == ("REFUNDED", 0)
    shop.to_ledger(UndoOutsideRefund(outside_id="cb-1"), at(50))
    assert shop.book.remaining.order_minor == 9589


def test_g38_a_withdrawal_needs_no_reason_and_ends_as_one() -> None:
    shop = Together(A)
    withdrawn(shop, 1, at(10, 12))
    assert kinds(shop.returns["RT-W"])[:3] == [
        "WithdrawalDeclared",
        "WithdrawalConfirmed",
        "ReturnAuthorized",
    ]
    last = shop.returns["RT-W"][-1]
    assert isinstance(last, ReturnClosed)
    assert (last.kind, last.reason, last.lane) == ("WITHDRAWAL", "WITHDRAWAL", "STATUTORY")
    assert given(shop) == [5399]


def test_g39_a_withdrawal_gives_the_shipping_back_too() -> None:
    shop = Together(E)
    withdrawn(shop, 1, at(5))
    assert given(shop) == [9589]
    assert end_of(shop, "RT-W") == ("REFUNDED", 9589)


def test_g40_a_coupon_is_shared_and_never_computed_anew() -> None:
    shop = Together(arrived(order(line("1", 6, 5000), discount=3000)))
    returned(shop, asks(5))
    assert given(shop) == [22_500]
    assert shop.book.remaining.units["1/6"] == 4500


def test_case_47_an_advance_is_not_the_end_and_not_paid_again() -> None:
    shop = Together(A)
    shop.say(asks(reason="DAMAGED", **PHOTO), at(3))
    scanned(shop, "1/1", cost=390)
    assert given(shop) == [5399]
    assert shop.states()[0].status == "IN_TRANSIT"
    inspect(shop, "1/1")
    assert kinds(shop.returns["RT-1"])[-2:] == ["UnitsAccepted", "ReturnClosed"]
    assert (given(shop), end_of(shop)) == ([5399], ("REFUNDED", 5399))


def test_case_30_an_advance_for_another_thing_is_the_platforms_until_the_right_one_comes() -> None:
    shop = Together(A)
    shop.say(asks(reason="DAMAGED", **PHOTO), at(3))
    scanned(shop, "1/1", cost=390)
    wrong = (FoundUnit(unit="1/1", reception="WRONG_ITEM"),)
    shop.say(ReceiveUnits(units=wrong, photos=PHOTO["media"], photos_sha256=(FILE,)), at(9), SYSTEM)
    found = InspectedUnit(unit="1/1", verdict="REJECTED", reason="WRONG_ITEM")
    shop.say(InspectUnits(units=(found,)), at(9), SYSTEM)
    (refund,) = shop.book.refunds.values()
    assert (refund.total_minor, refund.platform_minor) == (5399, 5399)
    right = (FoundUnit(unit="1/1", reception="RECEIVED"),)
    shop.say(ReceiveUnits(units=right), at(12), SYSTEM)
    inspect(shop, "1/1", now=at(12))
    (refund,) = shop.book.refunds.values()
    assert (refund.total_minor, refund.platform_minor) == (5399, 0)


def test_case_49_a_label_that_takes_all_leaves_nothing_to_pay() -> None:
    shop = Together(arrived(order(line("1", 1, 300), line("2", 1, 0))))
    lines = (WantedLine(line_id="1", quantity=1), WantedLine(line_id="2", quantity=1))
    shop.say(asks(lines=lines, reason="CHANGE_OF_MIND"), at(3))
    scanned(shop, "1/1", "2/1", cost=390)
    inspect(shop, "1/1", now=at(10))
    inspect(shop, "2/1", now=at(11))
    assert given(shop) == [0, 0]
    assert end_of(shop) == ("REFUNDED", 0)


def test_case_60_a_small_claim_is_paid_where_the_seller_is_silent() -> None:
    shop = Together(A)
    claim = asks(kind="CLAIM", reason="MISSING_PARTS", amount_minor=1000, currency="EUR", **PHOTO)
    shop.say(claim, at(3))
    shop.say(ApproveReturn(), at(8), SYSTEM)
    assert given(shop) == [1000]
    assert end_of(shop) == ("KEPT", 1000)


@pytest.mark.skipif(
    not COLLECTION.exists(), reason="the cases are not beside the repository: ../shared/cases"
)
def test_every_case_about_returns_and_money_is_told() -> None:
    section, _, _ = COLLECTION.read_text().partition(ABOUT_DISPUTES)
    numbers = set(re.findall(r"^\| (G\d+) \|", section, re.MULTILINE))
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    names = re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE)
    told = {each.upper() for name in names for each in re.findall(r"(?<=_)g\d\d(?=_)", name)}
    assert numbers
    assert numbers <= told
