"""What a buyer may ask to send back, of which pieces, and who decides it."""

from typing import Any

import pytest
from msgspec.structs import replace
from returns_service.domain.known import BuyerFacts, DeclinedRequest
from returns_service.domain.return_request import RequestReturn
from returns_service.domain.wanted import WantedLine
from returns_service.testing import BUYER, SELLER, TICK
from returns_service.testing.returns import (
    DAY,
    A,
    B,
    at,
    knowing,
    pieces_of,
    played,
    return_of,
    say,
    words,
)
from shared_casework.order_facts import OrderFacts
from shared_events.returns import (
    ReturnAuthorized,
    ReturnEvent,
    ReturnRequested,
    ReturnReviewRequired,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    AmountExceedsCeiling,
    EvidenceRequired,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotReturnable,
    NotYetEligible,
    QuantityExceeded,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

PHOTO: dict[str, Any] = {"media": (words("media"),), "media_sha256": ("0" * 64,)}
DAY_3 = at(3)


def asks(quantity: int = 1, line_id: str = "1", **told: Any) -> RequestReturn:  # noqa: ANN401
    """For a return of a piece that is not as described."""
    said: dict[str, Any] = {
        "return_id": "RT-1",
        "kind": "RETURN",
        "lines": (WantedLine(line_id=line_id, quantity=quantity),),
        "reason": "NOT_AS_DESCRIBED",
        "wants": "REFUND",
    }
    return RequestReturn(**(said | told))


def claims(amount: int = 1000, **told: Any) -> RequestReturn:  # noqa: ANN401
    said: dict[str, Any] = {
        "kind": "CLAIM",
        "reason": "MISSING_PARTS",
        "amount_minor": amount,
        "currency": "EUR",
    }
    return asks(**(said | PHOTO | told))


def answer(said: RequestReturn, now: Any = DAY_3, of: OrderFacts = A, **known: Any) -> Any:  # noqa: ANN401
    done = played(say(said, now, of=of, **known))
    assert done.refused is None, done.refused
    return done.events


def refusal(said: RequestReturn, now: Any = DAY_3, of: OrderFacts = A, **known: Any) -> Any:  # noqa: ANN401
    done = played(say(said, now, of=of, **known))
    assert not done.events
    return done.refused


def requested(events: list[ReturnEvent]) -> ReturnRequested:
    (told,) = (each for each in events if isinstance(each, ReturnRequested))
    return told


# --- Who decides


def test_a_request_is_decided_in_the_same_commit() -> None:
    first, review = answer(asks())
    assert isinstance(review, ReturnReviewRequired)
    assert (first.units, first.value_ref_minor, first.requested_at) == (["1/1"], 5399, DAY_3)
    assert (review.by, review.answer_due) == ("SELLER", at(8))
    assert review.rule_trace[-1] == "D6:pass:else"


def test_what_a_rule_may_decide_is_authorized_at_once() -> None:
    _, given = answer(asks(reason="DAMAGED", **PHOTO))
    assert isinstance(given, ReturnAuthorized)
    assert (given.lane, given.by, given.goods_back) == ("FAST", "RULE", True)
    assert (given.label_paid_by, given.label_due, given.ship_by) == ("SELLER", at(6), at(16))
    assert given.decision_seconds == 0


def test_a_buyer_who_pays_the_label_does_not_wait_for_it() -> None:
    _, given = answer(asks(reason="CHANGE_OF_MIND"), of=B)
    assert (given.lane, given.label_paid_by) == ("STANDARD", "BUYER")
    assert (given.label_due, given.ship_by) == (None, at(13))


def test_a_buyer_whom_people_decide_about_is_reviewed_by_the_desk() -> None:
    manual = BuyerFacts(measures=frozenset({"MANUAL_ONLY"}))
    _, review = answer(claims(), buyer=manual)
    assert (review.by, review.answer_due) == ("AGENT", at(5))


def test_sizes_take_the_place_of_a_proof() -> None:
    sizes: dict[str, Any] = {"size_ordered": "42", "size_felt": "SMALL", "size_measured": "27"}
    _, given = answer(asks(reason="SIZE_MISFIT", **sizes))
    assert (given.lane, given.label_paid_by) == ("FAST", "PLATFORM")
    _, review = answer(asks(reason="SIZE_MISFIT", size_ordered="42"))
    assert isinstance(review, ReturnReviewRequired)


def test_goods_that_the_seller_has_already_are_only_looked_at() -> None:
    there = pieces_of(B, came_unasked={"1/1": True})
    both = answer(asks(reason="CHANGE_OF_MIND"), of=B, pieces=there)
    _, given = both
    assert (given.units, given.ship_by, given.inspect_by) == (["1/1"], None, at(5))
    assert return_of(both).pieces["1/1"].is_back


# --- Which pieces (G09 to G13, G15, G37)


def test_the_lowest_free_pieces_are_taken() -> None:
    taken = pieces_of(A, in_return={"1/1": "RT-9"})
    assert requested(answer(asks(2), pieces=taken)).units == ["1/2", "1/3"]


def test_g10_more_pieces_than_there_are_cannot_be_asked_back() -> None:
    assert isinstance(refusal(asks(99_999)), InvalidValue)
    told = refusal(asks(4))
    assert (type(told), told.line_id, told.free) == (QuantityExceeded, "1", 3)
    assert isinstance(refusal(asks(0)), InvalidValue)
    assert isinstance(refusal(asks(1, line_id="7")), InvalidValue)


def test_g13_one_request_does_not_name_a_line_twice() -> None:
    twice = (WantedLine(line_id="1", quantity=1), WantedLine(line_id="1", quantity=1))
    told = refusal(asks(lines=twice))
    assert [error.field for error in told.errors] == ["lines"]


def test_g09_what_was_returned_is_not_asked_back_again() -> None:
    gone = pieces_of(B, in_return={"1/1": "RT-9"})
    told = refusal(asks(2), of=B, pieces=gone)
    assert (told.line_id, told.free) == ("1", 1)


def test_g11_a_piece_is_in_one_return_at_most() -> None:
    all_in = pieces_of(A, in_return=dict.fromkeys(("1/1", "1/2", "1/3"), "RT-9"))
    assert refusal(asks(), pieces=all_in).free == 0


@pytest.mark.parametrize("field", ["in_dispute", "in_contest"])
def test_what_a_dispute_has_is_not_free(field: str) -> None:
    of_a_dispute: dict[str, Any] = {field: {"1/1": "D-1"}}
    assert requested(answer(asks(), pieces=pieces_of(A, **of_a_dispute))).units == ["1/2"]


def test_a_piece_of_which_nothing_is_left_is_not_free_unless_it_cost_nothing() -> None:
    ledger = knowing().ledger
    assert ledger
    none = replace(ledger, units={**ledger.units, "1/1": 0})
    assert requested(answer(asks(), ledger=none)).units == ["1/2"]
    gift = (replace(knowing().pieces[0], paid_minor=0), *knowing().pieces[1:])
    assert requested(answer(asks(), ledger=none, pieces=gift)).units == ["1/1"]


def test_g37_the_window_opens_with_the_delivery_and_ends_to_the_microsecond() -> None:
    shipped = replace(A, stage="SHIPPED", delivered_at=None, received_at=None, completed_at=None)
    assert isinstance(refusal(asks(), of=shipped), NotYetEligible)
    never_told = replace(A, delivered_at=None, received_at=at(8))
    assert answer(asks(), at(23) - TICK, of=never_told)
    told = refusal(asks(), at(23), of=never_told)
    assert (type(told), told.closed_at) == (WindowClosed, at(23))


def test_a_replacement_has_a_window_of_its_own() -> None:
    first, *others = knowing().pieces
    new = replace(first, unit="1/1.r1", delivered_at=at(14))
    pieces = (new, *others)
    ledger = knowing().ledger
    assert ledger
    moved = replace(ledger, units={**ledger.units, "1/1.r1": 5399})
    assert requested(answer(asks(), at(20), pieces=pieces, ledger=moved)).units == ["1/1.r1"]
    assert refusal(asks(2), at(20), pieces=pieces, ledger=moved).closed_at == at(16)
    on_its_way = (replace(new, delivered_at=None), *others)
    assert requested(answer(asks(), at(10), pieces=on_its_way)).units == ["1/2"]
    assert isinstance(refusal(asks(3), at(10), pieces=on_its_way), NotYetEligible)


def test_a_request_that_was_declined_can_be_made_once_more_otherwise() -> None:
    declined = DeclinedRequest("RETURN", "NOT_AS_DESCRIBED")
    one = pieces_of(A, declined=dict.fromkeys(("1/1", "1/2", "1/3"), declined))
    assert refusal(asks(), pieces=one).limit == 1
    assert answer(asks(kind="EXCHANGE", wants="EXCHANGE"), pieces=one)
    assert answer(asks(reason="DEFECTIVE"), pieces=one)
    again = pieces_of(
        A,
        declined=dict.fromkeys(("1/1", "1/2", "1/3"), declined),
        asked_again=dict.fromkeys(("1/1", "1/2", "1/3"), True),
    )
    assert isinstance(refusal(asks(reason="DEFECTIVE"), pieces=again), LimitReached)


def test_g34_what_was_kept_for_money_is_not_returned_but_by_withdrawal() -> None:
    kept = pieces_of(B, kept_by={"2/1": "o-1"})
    told = refusal(asks(line_id="2"), of=B, pieces=kept)
    assert (type(told), told.existing_id) == (AlreadySubmitted, "o-1")


def test_of_the_reasons_against_pieces_the_first_is_told() -> None:
    """The window, then what was asked before, what was kept, and who has it."""
    declined = DeclinedRequest("RETURN", "NOT_AS_DESCRIBED")
    pieces = pieces_of(
        A,
        in_return={"1/1": "RT-9"},
        kept_by={"1/2": "o-1"},
        declined={"1/3": declined},
    )
    assert isinstance(refusal(asks(3), pieces=pieces), LimitReached)
    assert isinstance(refusal(asks(3), pieces=pieces[:2]), AlreadySubmitted)
    assert isinstance(refusal(asks(3), pieces=pieces[:1]), QuantityExceeded)
    assert isinstance(refusal(asks(3), at(17), pieces=pieces), WindowClosed)


# --- What may be asked


def test_a_claim_needs_a_photo_and_the_sellers_fault() -> None:
    assert refusal(claims(media=(), media_sha256=())).needed == ["PHOTO"]
    assert isinstance(refusal(claims(media=(), media_sha256=())), EvidenceRequired)
    assert refusal(claims(reason="CHANGE_OF_MIND")).errors[0].field == "reason"


def test_a_claim_asks_for_no_more_than_is_left_of_its_pieces() -> None:
    told = refusal(claims(5400))
    assert (type(told), told.ceiling_minor, told.currency) == (AmountExceedsCeiling, 5399, "EUR")
    assert requested(answer(claims(5399))).asked_minor == 5399
    assert refusal(claims(1000, currency="GBP")).errors[0].field == "currency"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (asks(wants="EXCHANGE"), "wants"),
        (asks(kind="EXCHANGE"), "wants"),
        (claims(wants="REPLACEMENT"), "amount_minor"),
        (claims(0), "amount_minor"),
        (asks(amount_minor=5), "amount_minor"),
        (claims(currency=None), "currency"),
        (asks(replacement_sku="sku-2"), "replacement_sku"),
        (asks(media=(words("media"),)), "media_sha256"),
    ],
)
def test_what_makes_no_sense_is_named(said: RequestReturn, field: str) -> None:
    assert field in [error.field for error in refusal(said).errors]


def test_what_is_made_for_one_goes_back_only_with_something_wrong() -> None:
    made = replace(A, lines=[replace(A.lines[0], category="MADE_TO_ORDER")])
    told = refusal(asks(reason="CHANGE_OF_MIND"), of=made)
    assert (type(told), told.category) == (NotReturnable, "MADE_TO_ORDER")
    assert answer(asks(), of=made)


def test_of_a_cancelled_order_nothing_is_asked() -> None:
    assert isinstance(refusal(asks(), of=replace(A, stage="CANCELLED")), WrongState)


def test_a_reopened_order_whose_payment_was_reversed_has_its_goods_still() -> None:
    again = replace(A, stage="SHIPPED", reopened_for="PAYMENT_REVERSED")
    assert answer(asks(), of=again)


def test_only_the_buyer_of_the_order_asks() -> None:
    assert isinstance(played(say(asks(), DAY_3, SELLER)).refused, RoleNotAllowed)
    stranger = Actor(role="BUYER", id="B2")
    assert isinstance(played(say(asks(), DAY_3, stranger)).refused, NotAParty)
    assert isinstance(refusal(asks(), erased=True), SubjectErased)
    assert played(say(asks(), DAY_3, BUYER)).events


def test_the_same_request_again_is_nothing_and_another_one_of_that_id_is_told() -> None:
    told = answer(asks(2))
    assert played(say(asks(2), at(4)), after=told).events == []
    done = played(say(asks(1), at(4)), after=told)
    done.then_refused(AlreadySubmitted, existing_id="RT-1")


def test_a_longer_window_by_category_is_told_by_the_policy() -> None:
    assert isinstance(refusal(asks(), at(16)), WindowClosed)
    assert answer(asks(), at(16) - TICK)
    assert at(16) == at(1) + 15 * DAY
