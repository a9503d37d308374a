"""What returns-service tells of order O-1, about a piece at 25.00 of it: its events, for tests."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_events.dispute import ContestGround
from shared_events.returns import (
    ClosedUnit,
    PaidUnit,
    RefundedUnit,
    RefundFailed,
    RefundIssued,
    RefundLedgerOpened,
    RefundRequested,
    RemedyAlreadyMet,
    Resolution,
    ReturnClosed,
    ReturnContested,
    ReturnRequested,
)

from dispute_service.testing import words

UNIT = "1/1"


def ids(order_id: str = "O-1") -> dict[str, Any]:
    return {
        "order_id": order_id,
        "seller_id": "S-77",
        "buyer_id": "B-5",
        "policy_version": "ae-2025-1",
    }


def ledger(order_id: str = "O-1", currency: str = "EUR") -> Struct:
    """Two pieces at 25.00, shipping 4.99."""
    return RefundLedgerOpened(
        **ids(order_id),
        units=[PaidUnit(unit=UNIT, paid_minor=2500), PaidUnit(unit="1/2", paid_minor=2500)],
        currency=currency,
        shipping_minor=499,
        total_minor=5499,
        total_ref_minor=5499,
    )


def requested(now: datetime, remedy_id: str | None = None, return_id: str = "R-1") -> Struct:
    """A return: the one that a remedy asks for, or the buyer's own."""
    return ReturnRequested(
        **ids(),
        return_id=return_id,
        kind="RETURN",
        origin="DISPUTE" if remedy_id else "BUYER",
        remedy_id=remedy_id,
        reason="NOT_AS_DESCRIBED",
        wants="REFUND",
        units=[UNIT],
        value_ref_minor=2500,
        currency="EUR",
        requested_at=now,
    )


def closed(
    now: datetime,
    remedy_id: str | None = None,
    *,
    return_id: str = "R-1",
    resolution: Resolution = "REFUNDED",
    refunded_minor: int = 2500,
) -> Struct:
    return ReturnClosed(
        **ids(),
        return_id=return_id,
        kind="RETURN",
        remedy_id=remedy_id,
        reason="NOT_AS_DESCRIBED",
        resolution=resolution,
        units=[ClosedUnit(unit=UNIT, result="REFUNDED")],
        currency="EUR",
        refunded_minor=refunded_minor,
        seller_at_fault=True,
        timely=True,
        forced=False,
        closed_at=now,
    )


def contested(
    now: datetime,
    remedy_id: str | None = None,
    *,
    order_id: str = "O-1",
    return_id: str = "R-1",
    ground: ContestGround = "DECLINED",
) -> Struct:
    """The buyer objects to what the seller did."""
    return ReturnContested(
        **ids(order_id),
        return_id=return_id,
        units=[UNIT],
        ground=ground,
        reason="NOT_AS_DESCRIBED",
        seller_at_fault=True,
        remedy_id=remedy_id,
        file_sha256="0" * 64,
        text=words("contest"),
        contest_until=now,
    )


def refund_requested(
    now: datetime, remedy_id: str, refund_id: str, amount_minor: int, reissues: str | None = None
) -> Struct:
    return RefundRequested(
        **ids(),
        refund_id=refund_id,
        source="DISPUTE",
        source_id=remedy_id,
        remedy_id=remedy_id,
        reissues=reissues,
        way="BANK_TRANSFER" if reissues else "ORIGINAL",
        borne_by="SELLER",
        units=[RefundedUnit(unit=UNIT, amount_minor=amount_minor)],
        currency="EUR",
        shipping_minor=0,
        goodwill_minor=0,
        label_cost_minor=0,
        total_minor=amount_minor,
        seller_at_fault=True,
        advance=False,
        remaining_minor=5499 - amount_minor,
        overdue_at=now,
    )


def refund_failed(refund_id: str) -> Struct:
    """For good."""
    return RefundFailed(
        **ids(), refund_id=refund_id, code="closed", kind="REFUSED", attempt=1, final=True
    )


def refund_issued(now: datetime, remedy_id: str, refund_id: str, amount_minor: int) -> Struct:
    return RefundIssued(
        **ids(),
        refund_id=refund_id,
        source="DISPUTE",
        source_id=remedy_id,
        remedy_id=remedy_id,
        borne_by="SELLER",
        units=[RefundedUnit(unit=UNIT, amount_minor=amount_minor)],
        currency="EUR",
        shipping_minor=0,
        goodwill_minor=0,
        label_cost_minor=0,
        total_minor=amount_minor,
        refunded_total_minor=amount_minor,
        remaining_minor=5499 - amount_minor,
        issued_at=now,
    )


def already_met(remedy_id: str) -> Struct:
    return RemedyAlreadyMet(**ids(), remedy_id=remedy_id, units=[UNIT], refund_ids=["f-0"])
