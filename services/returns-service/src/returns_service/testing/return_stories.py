"""Every place where a return can stand, what has led there, and when one asks what may be done."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    OfferAccepted,
    PartialOfferMade,
    ReplacementReserved,
    ReturnCancelled,
    ReturnClosed,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnExpired,
    UnitsLost,
    UnitsSentBack,
)

from returns_service.testing.returns import (
    FILE,
    IDS,
    accepted,
    at,
    authorized,
    delivered_back,
    fast,
    handed_over,
    labelled,
    received,
    refunded,
    rejected,
    requested,
    reviewed,
    shipped,
    withdrawn,
    words,
)


class Place(Struct, frozen=True):
    """`known`: what is to be otherwise than that nothing was given back."""

    events: Sequence[ReturnEvent]
    now: datetime
    known: Mapping[str, Any] = {}


U = "1/1"
CLAIM: dict[str, Any] = {"kind": "CLAIM", "goods_back": False, "ship_by": None}
SWAP: dict[str, Any] = {"kind": "EXCHANGE", "wants": "EXCHANGE"}

ASKED = (requested(U), reviewed())
OFFERED = (
    *ASKED,
    PartialOfferMade(**IDS, offer_id="OF-1", currency="EUR", amount_minor=700, answer_due=at(7)),
)
DECLINED = ReturnDeclined(
    **IDS, by="SELLER", code="OTHER", units=[U], contest_until=at(14), decision_seconds=60
)
UNASKED = received(U, day=4, unasked=True, inspect_by=None)
KEPT = OfferAccepted(**IDS, offer_id="OF-1", currency="EUR", amount_minor=700, units=[U])
CANCELLED = ReturnCancelled(**IDS, units=[U])
BEGUN = (requested(U), authorized(U, label_due=at(7)))
LABELLED = (*BEGUN, labelled())
SHIPPED = (*LABELLED, shipped(U))
SCANNED = (*LABELLED, handed_over(U))
BACK = (*SCANNED, delivered_back(U))
IN = (*SCANNED, received(U))
SHORT = (*SCANNED, received(U, as_found={U: "SHORT"}))
DEDUCTED = (*IN, accepted(U, deduction_milli=250, contest_until=at(17)))
USED = (*IN, rejected(U))
LOST = (*SHIPPED, UnitsLost(**IDS, units=[U], covered=False, contest_until=at(20)))
EXPIRED = (*LABELLED, ReturnExpired(**IDS, units=[U], ship_by=at(17)))
CONTESTED = (
    *USED,
    ReturnContested(
        **IDS,
        units=[U],
        ground="REJECTED",
        reason="DAMAGED",
        seller_at_fault=True,
        file_sha256=FILE,
        text=words("contest"),
        contest_until=at(17),
    ),
)
FAST = fast(U)
ADVANCED = (*FAST, handed_over(U))
UNRECOVERED = (
    *ADVANCED,
    received(U, as_found={U: "WRONG_ITEM"}),
    rejected(U, reason="WRONG_ITEM", send_back_until=None),
    AdvanceUnrecovered(**IDS, units=[U], currency="EUR", amount_minor=5399, confirmed=False),
)
WITHDRAWN = withdrawn(U)
EXCHANGE = (
    requested(U, **SWAP),
    authorized(U, kind="EXCHANGE"),
    shipped(U),
    received(U),
    accepted(U, stock_due=at(12)),
)


def reserved(*, owed: int = 0) -> ReplacementReserved:
    return ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="size-43",
        currency="EUR",
        difference_minor=owed,
        pay_by=at(18) if owed else None,
        ship_by=None if owed else at(18),
        cross_shipped=False,
    )


RESERVED = (*EXCHANGE, reserved())
OWED = (*EXCHANGE, reserved(owed=500))
REPLACED = (
    *RESERVED,
    ExchangeShipped(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        tracking_id="T-9",
        currency="EUR",
        difference_minor=0,
        shipped_at=at(12),
    ),
)
CROSS = (
    requested(U, **SWAP, reason="DAMAGED"),
    authorized(U, kind="EXCHANGE", lane="FAST"),
    shipped(U),
    ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="size-43",
        currency="EUR",
        difference_minor=0,
        ship_by=at(14),
        cross_shipped=True,
    ),
    REPLACED[-1],
    ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(13), original_due=at(27)),
)
FELL_BACK = (*RESERVED, ExchangeFellBack(**IDS, units=[U], reason="NOT_SHIPPED"))
CLAIMED = (requested(U, kind="CLAIM", wants="REPLACEMENT"), authorized(U, **CLAIM, stock_due=at(6)))
AT_DESK = (requested(U), reviewed(at(5), by="AGENT"))
PAID_CLAIM = (
    requested(U, kind="CLAIM", reason="MISSING_PARTS", asked_minor=1000),
    reviewed(),
)
SENT_BACK = (*USED, UnitsSentBack(**IDS, units=[U], tracking_id="T-3"))


def closed(*history: ReturnEvent, resolution: Any) -> tuple[ReturnEvent, ...]:  # noqa: ANN401
    end = ReturnClosed(
        **IDS,
        kind="RETURN",
        lane="STANDARD",
        reason="NOT_AS_DESCRIBED",
        resolution=resolution,
        units=[],
        currency="EUR",
        refunded_minor=0,
        seller_at_fault=True,
        timely=True,
        forced=False,
        closed_at=at(21),
    )
    return (*history, end)


PLACES: Mapping[str, Place] = {
    "draft": Place(WITHDRAWN[:1], at(4, 11)),
    "draft over": Place(WITHDRAWN[:1], at(5)),
    "asked": Place(ASKED, at(4)),
    "answer due": Place(ASKED, at(8)),
    "claimed": Place(PAID_CLAIM, at(4)),
    "at the desk": Place(AT_DESK, at(4)),
    "desk due": Place(AT_DESK, at(5)),
    "offered": Place(OFFERED, at(5)),
    "offer due": Place(OFFERED, at(7)),
    "came unasked": Place((*ASKED, UNASKED), at(5)),
    "declined": Place((*ASKED, DECLINED), at(10)),
    "kept": Place((*OFFERED, KEPT), at(6)),
    "authorized": Place(BEGUN, at(6)),
    "label due": Place(BEGUN, at(7)),
    "labelled": Place(LABELLED, at(6)),
    "ship by": Place(LABELLED, at(17)),
    "shipped": Place(SHIPPED, at(6)),
    "scanned": Place(SCANNED, at(6)),
    "transit max": Place(SCANNED, at(51)),
    "delivered back": Place(BACK, at(10)),
    "inspection due": Place(BACK, at(14)),
    "received": Place(IN, at(11)),
    "received short": Place(SHORT, at(11)),
    "accepted": Place((*IN, accepted(U)), at(12)),
    "refunded": Place((*IN, accepted(U)), at(12), {"refunds": refunded(U)}),
    "deducted": Place(DEDUCTED, at(12)),
    "rejected": Place(USED, at(12)),
    "to send back": Place(USED, at(18)),
    "send back over": Place(USED, at(28)),
    "contested": Place(CONTESTED, at(18)),
    "lost": Place(LOST, at(15)),
    "expired": Place(closed(*EXPIRED, resolution="EXPIRED"), at(22)),
    "fast": Place(FAST, at(4)),
    "advanced": Place(ADVANCED, at(6)),
    "unrecovered": Place(UNRECOVERED, at(12), {"refunds": refunded(U)}),
    "withdrawn": Place(WITHDRAWN, at(5)),
    "not shipped": Place(withdrawn(U, goods_back=False), at(5)),
    "refund due": Place(withdrawn(U, goods_back=False), at(18)),
    "to reserve": Place(EXCHANGE, at(11)),
    "reserved": Place(RESERVED, at(13)),
    "difference owed": Place(OWED, at(13)),
    "difference due": Place(OWED, at(18)),
    "replacement due": Place(RESERVED, at(18)),
    "replaced": Place(REPLACED, at(13)),
    "sent ahead": Place(CROSS, at(20)),
    "original due": Place(CROSS, at(27)),
    "fell back": Place(FELL_BACK, at(18)),
    "claim of another": Place(CLAIMED, at(5)),
    "cancelled with goods": Place(
        closed(
            *ASKED,
            UNASKED,
            ReturnCancelled(**IDS, units=[U], send_back_until=at(15)),
            resolution="CANCELLED",
        ),
        at(6),
    ),
    "cancelled": Place(closed(*ASKED, CANCELLED, resolution="CANCELLED"), at(6)),
    "sent back": Place(closed(*SENT_BACK, resolution="REJECTED"), at(22)),
}
"""With what its clocks say; U is the only piece."""
