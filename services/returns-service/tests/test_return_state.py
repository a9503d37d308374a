"""Where a return stands is where the least advanced of its pieces is."""

import pytest
from msgspec.structs import replace
from returns_service.domain.return_state import ReturnStatus
from returns_service.testing.returns import (
    FILE,
    IDS,
    accepted,
    at,
    authorized,
    delivered_back,
    fast,
    handed_over,
    received,
    rejected,
    requested,
    return_of,
    reviewed,
    shipped,
    withdrawn,
    words,
)
from shared_events.returns import (
    AdvanceUnrecovered,
    OfferAccepted,
    RemedyAttached,
    ReturnCancelled,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnExpired,
    UnitsLost,
    UnitsRevived,
)

TWO = ("1/1", "1/2")
ASKED = (requested(*TWO), reviewed())
BEGUN = (requested(*TWO), authorized(*TWO))
SENT = (*BEGUN, shipped(*TWO))
LOST = UnitsLost(**IDS, units=["1/2"], covered=False, contest_until=at(20))


def declined(*units: str) -> ReturnDeclined:
    return ReturnDeclined(
        **IDS, by="SELLER", code="OTHER", units=[*units], contest_until=at(14), decision_seconds=60
    )


def rejection_contested(*units: str) -> ReturnContested:
    return ReturnContested(
        **IDS,
        units=[*units],
        ground="REJECTED",
        reason="DAMAGED",
        seller_at_fault=True,
        file_sha256=FILE,
        text=words("contest"),
        contest_until=at(17),
    )


@pytest.mark.parametrize(
    ("history", "status"),
    [
        (withdrawn("1/1")[:1], "DRAFT"),
        (withdrawn("1/1"), "AUTHORIZED"),
        (ASKED, "REVIEW"),
        (BEGUN, "AUTHORIZED"),
        ((*BEGUN, shipped("1/1")), "AUTHORIZED"),
        (SENT, "IN_TRANSIT"),
        ((*SENT, delivered_back(*TWO)), "IN_TRANSIT"),
        ((*SENT, received("1/1")), "PARTLY_RECEIVED"),
        ((*SENT, received("1/1"), accepted("1/1")), "PARTLY_RECEIVED"),
        ((*SENT, received("1/1", "1/2", as_found={"1/2": "SHORT"})), "PARTLY_RECEIVED"),
        ((*SENT, received("1/1", "1/2", as_found={"1/2": "WRONG_ITEM"})), "RECEIVED"),
        ((*SENT, received(*TWO, as_found=dict.fromkeys(TWO, "SHORT"))), "RECEIVED"),
        ((*SENT, received(*TWO), accepted("1/1")), "RECEIVED"),
        ((*SENT, received(*TWO), accepted("1/1"), rejected("1/2")), "INSPECTED"),
        ((*SENT, received("1/1"), accepted("1/1"), LOST), "INSPECTED"),
        ((*SENT, received(*TWO), accepted(*TWO)), "RESOLVING"),
        ((*ASKED, declined(*TWO)), "DECLINED"),
        ((requested("1/1", kind="CLAIM"), authorized("1/1", kind="CLAIM")), "RESOLVING"),
    ],
)
def test_a_return_stands_where_the_least_advanced_piece_is(
    history: tuple[ReturnEvent, ...], status: ReturnStatus
) -> None:
    assert return_of(history).status == status


def test_pieces_that_have_left_do_not_hold_the_others_up() -> None:
    expired = ReturnExpired(**IDS, units=["1/2"], ship_by=at(17))
    one_there = (*BEGUN, shipped("1/1"), received("1/1"), accepted("1/1"))
    assert return_of(one_there).status == "PARTLY_RECEIVED"
    assert return_of((*one_there, expired)).status == "RESOLVING"
    rest = (*SENT, received(*TWO), accepted("1/1"), rejected("1/2"))
    assert return_of((*rest, rejection_contested("1/2"))).status == "RESOLVING"


def test_what_was_kept_for_money_waits_for_that_money_alone() -> None:
    kept = OfferAccepted(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, units=[*TWO])
    assert return_of((*ASKED, kept)).status == "RESOLVING"


def test_an_expired_piece_that_was_sent_in_time_is_on_its_way() -> None:
    expired = ReturnExpired(**IDS, units=[*TWO], ship_by=at(17))
    revived = UnitsRevived(**IDS, units=["1/1"])
    told = return_of((*BEGUN, expired, revived, handed_over("1/1")))
    assert (told.status, told.pieces["1/2"].where) == ("IN_TRANSIT", "EXPIRED")


def test_a_second_parcel_makes_a_piece_pending_again() -> None:
    short = (*SENT, received(*TWO, as_found={"1/2": "SHORT"}), rejected("1/2", reason="SHORT"))
    piece = return_of((*short, received("1/2", day=12))).pieces["1/2"]
    assert (piece.where, piece.acceptance, piece.rejected) == ("RECEIVED", "PENDING", None)
    assert piece.contest_until is None


def test_goods_that_come_to_be_kept_by_the_seller_are_his_silence_once_looked_at_by_default() -> (
    None
):
    back = (*SENT, received(*TWO), accepted(*TWO, by_default=True))
    assert (return_of(back).forced, return_of(back).late) == (True, True)
    warehouse = (*SENT, received(*TWO, by_warehouse=True), accepted(*TWO, by_default=True))
    assert (return_of(warehouse).forced, return_of(warehouse).late) == (False, False)
    looked = (*SENT, received(*TWO), accepted(*TWO))
    assert (return_of(looked).forced, return_of(looked).late) == (False, False)


def test_a_withdrawal_that_is_paid_at_its_refunds_date_is_nobodys_silence() -> None:
    scanned = (*withdrawn("1/1"), handed_over("1/1"))
    paid = (*scanned, accepted("1/1", by_default=True))
    assert return_of(paid).forced is False
    late = (*scanned, delivered_back("1/1", day=15), accepted("1/1", by_default=True))
    assert return_of(late).forced is False, "inspection was due after the refund"
    silent = (*scanned, delivered_back("1/1", day=9), accepted("1/1", by_default=True))
    assert return_of(silent).forced is True


def test_rejected_goods_that_are_kept_count_as_late_but_not_as_forced() -> None:
    kept = (*SENT, received(*TWO), rejected(*TWO), accepted(*TWO, by_default=True))
    assert (return_of(kept).late, return_of(kept).forced) == (True, False)


def test_an_advance_is_of_what_was_handed_over_in_the_fast_lane() -> None:
    told = return_of((*fast("1/1", "1/2"), handed_over("1/1")))
    assert told.is_advanced(told.pieces["1/1"])
    assert not told.is_advanced(told.pieces["1/2"])
    swapped = return_of((*fast("1/1", kind="EXCHANGE", wants="EXCHANGE"), handed_over("1/1")))
    assert not swapped.is_advanced(swapped.pieces["1/1"])


def test_an_advance_is_to_be_confirmed_as_lost_until_it_is_or_the_goods_have_come() -> None:
    short = {"1/1": "SHORT"}
    bad = (*fast("1/1"), handed_over("1/1"), received("1/1", as_found=short))
    said = AdvanceUnrecovered(
        **IDS, units=["1/1"], currency="EUR", amount_minor=5399, confirmed=False
    )
    told = (*bad, rejected("1/1", reason="SHORT"), said)
    assert return_of(told).has_advance_to_confirm
    assert not return_of((*told, replace(said, confirmed=True))).has_advance_to_confirm
    assert return_of((*told, received("1/1"))).has_advance_to_confirm
    assert not return_of((*told, received("1/1"), accepted("1/1"))).has_advance_to_confirm


def test_a_remedy_tells_whose_fault_it_is() -> None:
    remedy = RemedyAttached(
        **IDS,
        remedy_id="D-1",
        units=["1/2"],
        reason="COUNTERFEIT",
        liable="SELLER",
        seller_at_fault=True,
    )
    told = return_of((requested(*TWO, reason="CHANGE_OF_MIND"), authorized(*TWO), remedy))
    assert told.remedy_id == "D-1"
    assert told.seller_at_fault
    assert [told.seller_at_fault_for(unit) for unit in TWO] == [False, True]
    assert return_of(BEGUN).seller_at_fault
    assert not return_of(withdrawn("1/1")).seller_at_fault


def test_silence_turns_a_claim_into_what_brings_the_goods_back() -> None:
    claim = requested("1/1", kind="CLAIM", wants="REPLACEMENT", reason="MISSING_PARTS")
    silent = authorized("1/1", kind="EXCHANGE", by="SILENCE", decision_seconds=432_000)
    told = return_of((claim, reviewed(), silent))
    assert (told.kind, told.status) == ("EXCHANGE", "AUTHORIZED")
    assert told.wants_replacement(told.pieces["1/1"])
    assert (told.late, told.forced, told.decision_seconds) == (True, True, 432_000)


def test_a_cancelled_return_has_nothing_left() -> None:
    cancelled = ReturnCancelled(**IDS, units=[*TWO])
    told = return_of((*ASKED, cancelled))
    assert told.live == []
    assert told.review is None
