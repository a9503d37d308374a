"""Which deadlines a return has, wherever it stands."""

from datetime import datetime

import pytest
from returns_service.domain.known import ContestEnd
from returns_service.domain.policy import policies
from returns_service.domain.return_readers import folded
from returns_service.domain.return_state import Unbegun
from returns_service.domain.return_timers import return_deadlines
from returns_service.testing.returns import (
    DAY,
    FILE,
    IDS,
    accepted,
    at,
    authorized,
    delivered_back,
    handed_over,
    labelled,
    received,
    rejected,
    requested,
    reviewed,
    shipped,
    withdrawn,
    words,
)
from shared_events.common import DecisionOverdue
from shared_events.returns import (
    DifferencePaid,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    OfferDeclined,
    PartialOfferMade,
    ReplacementReserved,
    ReturnCancelled,
    ReturnContested,
    ReturnEvent,
    UnitsSentBack,
)

U, V = "1/1", "1/2"
TWO = (requested(U, V), authorized(U, V, label_due=at(7)))
SWAP = (requested(U, kind="EXCHANGE", wants="EXCHANGE"), authorized(U, kind="EXCHANGE"), shipped(U))
OWN = (*SWAP, received(U), accepted(U, stock_due=at(12)))
OFFER = PartialOfferMade(**IDS, offer_id="o-1", currency="EUR", amount_minor=700, answer_due=at(6))


def reserved(*, difference: int = 0, cross_shipped: bool = False) -> ReplacementReserved:
    return ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="sku-1",
        currency="EUR",
        difference_minor=difference,
        pay_by=at(18) if difference > 0 else None,
        ship_by=None if difference > 0 else at(18),
        cross_shipped=cross_shipped,
    )


SENT = ExchangeShipped(
    **IDS,
    units=[U],
    new_units=["1/1.r1"],
    tracking_id="T-9",
    currency="EUR",
    difference_minor=0,
    shipped_at=at(12),
)
CROSS = (*SWAP, reserved(cross_shipped=True), SENT)
ARRIVED = ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13), original_due=at(27))
CONTESTED = ReturnContested(
    **IDS,
    units=[U],
    ground="REJECTED",
    reason="DAMAGED",
    seller_at_fault=True,
    file_sha256=FILE,
    text=words("contest"),
    contest_until=at(17),
)
LABEL_LATE = DecisionOverdue(**IDS, what="LABEL", ref_id="RT-1", due_at=at(7))


def set_in(
    history: tuple[ReturnEvent, ...], **contests: ContestEnd
) -> dict[str, tuple[datetime, tuple[str, ...]]]:
    ended = {unit.replace("_", "/"): end for unit, end in contests.items()}
    found = return_deadlines(folded(history), policies(), ended)
    return {each.name: (each.due, each.units) for each in found}


@pytest.mark.parametrize(
    ("history", "deadlines"),
    [
        (withdrawn(U)[:1], {"DRAFT_END": (at(5), ())}),
        ((requested(U), reviewed()), {"RETURN_ANSWER": (at(8), ())}),
        (
            (requested(U), reviewed(), OFFER),
            {"RETURN_ANSWER": (at(8), ()), "OFFER_DUE": (at(6), ())},
        ),
        (
            (
                requested(U),
                reviewed(),
                OFFER,
                OfferDeclined(**IDS, offer_id="o-1", lapsed=True),
            ),
            {"RETURN_ANSWER": (at(8), ())},
        ),
        (TWO, {"LABEL_DUE": (at(7), ()), "SHIP_BY": (at(17), (U, V))}),
        ((*TWO, LABEL_LATE), {"SHIP_BY": (at(17), (U, V))}),
        ((*TWO, labelled(ship_by=at(19))), {"SHIP_BY": (at(19), (U, V))}),
        (
            (*TWO, shipped(U)),
            {"SHIP_BY": (at(17), (V,)), "TRANSIT_MAX": (at(50), (U,))},
        ),
        (withdrawn(U), {"SHIP_BY": (at(25) + 60 * DAY, (U,))}),
        (withdrawn(U, goods_back=False), {"WITHDRAWAL_REFUND": (at(18), (U,))}),
        ((*withdrawn(U), shipped(U)), {"TRANSIT_MAX": (at(50), (U,))}),
        (
            (*withdrawn(U), shipped(U, proof_sha256=FILE)),
            {"TRANSIT_MAX": (at(50), (U,)), "WITHDRAWAL_REFUND": (at(18), (U,))},
        ),
        (
            (*withdrawn(U), handed_over(U), delivered_back(U)),
            {"INSPECT_DUE": (at(14), (U,)), "WITHDRAWAL_REFUND": (at(18), (U,))},
        ),
        (
            (*withdrawn(U), handed_over(U), received(U, as_found={U: "WRONG_ITEM"})),
            {"INSPECT_DUE": (at(12), (U,))},
        ),
        ((*TWO, shipped(U, V), received(U, V), accepted(U, V)), {}),
        (
            (*TWO, shipped(U, V), received(U, V), accepted(U), rejected(V)),
            {"CONTEST_END": (at(17), (V,)), "SEND_BACK": (at(27), (V,))},
        ),
        (
            (
                *TWO,
                shipped(U, V),
                received(U, V),
                accepted(U),
                rejected(V),
                UnitsSentBack(**IDS, units=[V], tracking_id="T-3"),
            ),
            {"CONTEST_END": (at(17), (V,))},
        ),
        (OWN, {"STOCK_ANSWER": (at(12), (U,))}),
        ((*OWN, reserved()), {"REPLACEMENT_DUE": (at(18), (U,))}),
        ((*OWN, reserved(difference=500)), {"DIFFERENCE_DUE": (at(18), (U,))}),
        (
            (
                *OWN,
                reserved(difference=500),
                DifferencePaid(
                    **IDS, currency="EUR", difference_minor=500, payment_ref="p", ship_by=at(20)
                ),
            ),
            {"REPLACEMENT_DUE": (at(20), (U,))},
        ),
        ((*OWN, reserved(), SENT), {"REPLACEMENT_ARRIVED": (at(12) + 45 * DAY, (U,))}),
        ((*OWN, reserved(), ExchangeFellBack(**IDS, units=[U], reason="NOT_SHIPPED")), {}),
        (
            (*CROSS, ARRIVED),
            {"TRANSIT_MAX": (at(50), (U,)), "ORIGINAL_DUE": (at(27), (U,))},
        ),
        (
            (*CROSS[:2], handed_over(U), *CROSS[3:], ARRIVED),
            {"TRANSIT_MAX": (at(50), (U,))},
        ),
    ],
)
def test_a_return_has_the_deadlines_that_lead_on_from_where_it_stands(
    history: tuple[ReturnEvent, ...], deadlines: dict[str, object]
) -> None:
    assert set_in(history) == deadlines


def test_goods_that_were_contested_are_to_be_sent_back_once_that_came_to_nothing() -> None:
    contested = (*SWAP, received(U), rejected(U), CONTESTED)
    assert set_in(contested) == {}
    lost = ContestEnd(closed_at=at(40), remedied=False)
    assert set_in(contested, **{"1_1": lost}) == {"SEND_BACK": (at(50), (U,))}
    won = ContestEnd(closed_at=at(40), remedied=True)
    assert set_in(contested, **{"1_1": won}) == {}


def test_goods_that_came_unasked_are_to_be_sent_back_once_the_return_is_over() -> None:
    asked = (requested(U), reviewed(), received(U, unasked=True, inspect_by=None))
    assert "SEND_BACK" not in set_in(asked)
    cancelled = ReturnCancelled(**IDS, units=[U], send_back_until=at(20))
    assert set_in((*asked, cancelled)) == {"SEND_BACK": (at(20), (U,))}
    told = DecisionOverdue(**IDS, what="SEND_BACK", ref_id="RT-1", due_at=at(20))
    assert set_in((*asked, cancelled, told)) == {}


def test_nothing_has_begun_and_nothing_is_due() -> None:
    assert return_deadlines(Unbegun(), policies(), {}) == []
