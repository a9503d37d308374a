"""When nothing more is to come of a piece, and what became of it."""

from datetime import datetime
from typing import Any

import pytest
from returns_service.domain.closing import closing, result_of
from returns_service.domain.known import RefundFacts
from returns_service.testing.returns import (
    FILE,
    IDS,
    accepted,
    at,
    authorized,
    fast,
    handed_over,
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
from shared_casework.overdue import NoteOverdue
from shared_events.returns import (
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    ExchangeUnreturned,
    GoodsWaived,
    OfferAccepted,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnCancelled,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnExpired,
    UnitResult,
    UnitsLost,
    UnitsSentBack,
)

ANYTHING = NoteOverdue(what="LABEL", ref_id="RT-1", due_at=at(3))
U = "1/1"
BEGUN = (requested(U), authorized(U), shipped(U))
IN = (*BEGUN, received(U))
EXCHANGE = (
    requested(U, kind="EXCHANGE", wants="EXCHANGE"),
    authorized(U, kind="EXCHANGE"),
    shipped(U),
    received(U),
)
CLAIM = (requested(U, kind="CLAIM"), authorized(U, kind="CLAIM", goods_back=False))
ADVANCED = (*fast(U), handed_over(U))
MONEY = refunded(U)
NONE = RefundFacts()


def reserved(*, cross_shipped: bool = False) -> ReplacementReserved:
    return ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="sku-1",
        currency="EUR",
        difference_minor=0,
        ship_by=at(17),
        cross_shipped=cross_shipped,
    )


SHIPPED = ExchangeShipped(
    **IDS,
    units=[U],
    new_units=["1/1.r1"],
    tracking_id="T-9",
    currency="EUR",
    difference_minor=0,
    shipped_at=at(12),
)
ARRIVED = ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13))
LOST = UnitsLost(**IDS, units=[U], covered=False, contest_until=at(17))


def contested(ground: Any) -> ReturnContested:  # noqa: ANN401 - a word
    return ReturnContested(
        **IDS,
        units=[U],
        ground=ground,
        reason="DAMAGED",
        seller_at_fault=True,
        file_sha256=FILE,
        text=words("contest"),
        contest_until=at(17),
    )


def became(
    history: tuple[ReturnEvent, ...], now: datetime, refunds: RefundFacts = NONE
) -> UnitResult | None:
    told = return_of(history)
    return result_of(told, told.pieces[U], say(ANYTHING, now, refunds=refunds).by)


DECLINED = ReturnDeclined(
    **IDS, by="SELLER", code="OTHER", units=[U], contest_until=at(17), decision_seconds=60
)
KEPT = OfferAccepted(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, units=[U])
FELL_BACK = ExchangeFellBack(**IDS, units=[U], reason="OUT_OF_STOCK")
DEDUCTED = accepted(U, deduction_milli=250, contest_until=at(17))
CROSS = (*EXCHANGE[:3], reserved(cross_shipped=True), SHIPPED, ARRIVED)


@pytest.mark.parametrize(
    ("history", "refunds", "before", "after"),
    [
        ((requested(U), reviewed(), DECLINED), NONE, None, "DECLINED"),
        (
            (requested(U), ReturnCancelled(**IDS, units=[U])),
            NONE,
            "CANCELLED",
            "CANCELLED",
        ),
        ((*BEGUN[:2], ReturnExpired(**IDS, units=[U], ship_by=at(8))), NONE, "EXPIRED", "EXPIRED"),
        ((requested(U), KEPT), NONE, None, None),
        ((requested(U), KEPT), MONEY, "KEPT", "KEPT"),
        ((*IN, accepted(U)), NONE, None, None),
        ((*IN, accepted(U)), MONEY, "REFUNDED", "REFUNDED"),
        ((*IN, DEDUCTED), MONEY, None, "REFUNDED"),
        ((*IN, DEDUCTED, contested("DEDUCTION")), NONE, None, None),
        ((*IN, DEDUCTED, contested("DEDUCTION")), MONEY, "CONTESTED", "CONTESTED"),
        ((*IN, rejected(U), contested("REJECTED")), NONE, "CONTESTED", "CONTESTED"),
        ((*IN, rejected(U, reason="NOT_OURS")), NONE, None, "REJECTED"),
        ((*IN, rejected(U, reason="USED")), NONE, None, None),
        (
            (*IN, rejected(U), UnitsSentBack(**IDS, units=[U], tracking_id="T-3")),
            NONE,
            None,
            "REJECTED",
        ),
        ((*IN, rejected(U), GoodsWaived(**IDS, units=[U])), NONE, None, "REJECTED"),
        ((*BEGUN, LOST), NONE, None, "LOST"),
        (ADVANCED, MONEY, None, None),
        ((*ADVANCED, received(U), accepted(U)), MONEY, "REFUNDED", "REFUNDED"),
        ((*ADVANCED, received(U), rejected(U)), NONE, None, None),
        ((*ADVANCED, received(U), rejected(U)), MONEY, None, "REJECTED"),
        ((*ADVANCED, LOST), MONEY, None, "LOST"),
        ((*CLAIM,), NONE, None, None),
        ((*CLAIM,), MONEY, "KEPT", "KEPT"),
        ((*EXCHANGE, accepted(U)), NONE, None, None),
        ((*EXCHANGE, accepted(U), reserved()), NONE, None, None),
        ((*EXCHANGE, accepted(U), reserved(), SHIPPED), NONE, None, None),
        ((*EXCHANGE, accepted(U), reserved(), SHIPPED, ARRIVED), NONE, "EXCHANGED", "EXCHANGED"),
        ((*EXCHANGE, accepted(U), FELL_BACK), NONE, None, None),
        ((*EXCHANGE, accepted(U), FELL_BACK), MONEY, "REFUNDED", "REFUNDED"),
        ((*CROSS,), NONE, None, None),
        ((*CROSS, received(U), rejected(U)), NONE, None, "EXCHANGED"),
        (
            (*CROSS, ExchangeUnreturned(**IDS, units=[U], currency="EUR", amount_minor=5399)),
            NONE,
            "EXCHANGED",
            "EXCHANGED",
        ),
    ],
)
def test_a_piece_is_done_with_at_the_last_thing_that_can_come_of_it(
    history: tuple[ReturnEvent, ...],
    refunds: RefundFacts,
    before: UnitResult | None,
    after: UnitResult | None,
) -> None:
    """`before`: on the 16th; `after`: at `contest_until`, which is the 17th at 10."""
    assert became(history, at(16), refunds) == before
    assert became(history, at(17), refunds) == after


def test_a_replacement_of_a_claim_ends_it_where_it_arrives() -> None:
    claim = (
        requested(U, kind="CLAIM", wants="REPLACEMENT"),
        authorized(U, kind="CLAIM", goods_back=False),
        reserved(),
        SHIPPED,
    )
    assert became(claim, at(13)) is None
    assert became((*claim, ARRIVED), at(13)) == "REPLACED"


def test_a_return_ends_with_its_last_piece_and_once() -> None:
    both = (requested(U, "1/2"), authorized(U, "1/2"), shipped(U, "1/2"), received(U, "1/2"))
    one = return_of((*both, accepted(U)))
    money = refunded(U, "1/2", total=10798)
    assert closing(one, say(ANYTHING, at(12), refunds=money).by) == []
    done = return_of((*both, accepted(U), accepted("1/2", handling_seconds=7200)))
    (closed,) = closing(done, say(ANYTHING, at(12), refunds=money).by)
    assert (closed.resolution, closed.refunded_minor) == ("REFUNDED", 10798)
    assert (closed.decision_seconds, closed.handling_seconds) == (86_400, 7200)
    assert (closed.timely, closed.forced, closed.seller_at_fault) == (True, False, True)
    again = return_of((*both, accepted(U), accepted("1/2"), closed))
    assert again.status == "CLOSED"
    assert closing(again, say(ANYTHING, at(12), refunds=money).by) == []


def test_pieces_that_came_to_different_ends_make_a_mixed_one() -> None:
    both = (requested(U, "1/2"), authorized(U, "1/2"), shipped(U), received(U), accepted(U))
    expired = ReturnExpired(**IDS, units=["1/2"], ship_by=at(17))
    (closed,) = closing(return_of((*both, expired)), say(ANYTHING, at(18), refunds=MONEY).by)
    assert closed.resolution == "MIXED"
    assert [each.result for each in closed.units] == ["REFUNDED", "EXPIRED"]


def test_a_withdrawal_that_is_not_confirmed_has_no_end_before_it_is_cancelled() -> None:
    draft = withdrawn(U)[:1]
    by = say(ANYTHING, at(5)).by
    assert closing(return_of(draft), by) == []
    (closed,) = closing(return_of((*draft, ReturnCancelled(**IDS, units=[]))), by)
    assert (closed.resolution, closed.units, closed.lane) == ("CANCELLED", [], None)


def test_goods_that_came_unasked_and_were_kept_are_paid_for() -> None:
    asked = (requested(U), reviewed(), received(U, unasked=True, inspect_by=None), DECLINED)
    kept = (*asked, accepted(U, by_default=True))
    assert became(kept, at(30)) is None
    assert became(kept, at(30), MONEY) == "REFUNDED"


def test_what_is_not_decided_has_no_end() -> None:
    told: ReturnAuthorized = authorized(U)
    assert became((requested(U), reviewed()), at(40)) is None
    assert became((requested(U), told), at(40)) is None
