"""What other services tell of one order, for tests: it is placed, paid, disputed, cancelled.

O-1 and its like: two pieces at 25.00 on line 1, shipping 4.99; of B-5, at S-77.
"""

from datetime import datetime
from typing import Any

from msgspec.structs import replace
from shared_events.dispute import DisputedUnits, RemedyOrdered
from shared_events.orders import OrderCancelled, OrderLine, OrderPaid, OrderPlaced
from shared_events.reputation import SubjectErased


def order_placed(order_id: str, now: datetime, **changes: Any) -> OrderPlaced:  # noqa: ANN401
    placed = OrderPlaced(
        order_id=order_id,
        seller_id="S-77",
        buyer_id="B-5",
        policy_version="ae-2025-1",
        marketplace_id="example",
        country="DE",
        placed_at=now,
        lines=[
            OrderLine(
                line_id="1",
                sku="sku-1",
                category="shoes",
                quantity=2,
                unit_price_minor=2500,
                line_discount_minor=0,
            )
        ],
        order_discount_minor=0,
        shipping_minor=499,
        currency="EUR",
        total_minor=5499,
        total_ref_minor=5499,
        withdrawal_right=True,
    )
    return replace(placed, **changes)


def ids_of(placed: OrderPlaced) -> dict[str, Any]:
    return {
        "order_id": placed.order_id,
        "seller_id": placed.seller_id,
        "buyer_id": placed.buyer_id,
        "policy_version": placed.policy_version,
    }


def order_paid(placed: OrderPlaced, now: datetime) -> OrderPaid:
    return OrderPaid(**ids_of(placed), paid_at=now, payment_ref=f"P-{placed.order_id}")


def cancelled(placed: OrderPlaced, now: datetime) -> OrderCancelled:
    return OrderCancelled(**ids_of(placed), cancelled_at=now, by="SELLER", reason="OUT_OF_STOCK")


def remedy(order_id: str, now: datetime, **changes: Any) -> RemedyOrdered:  # noqa: ANN401
    """All of the first piece's money back, of the dispute D-<order>."""
    ordered = RemedyOrdered(
        **ids_of(order_placed(order_id, now)),
        dispute_id=f"D-{order_id}",
        remedy_id=f"R-{order_id}",
        basis="SETTLEMENT",
        reason="DAMAGED",
        outcome="REFUND_FULL",
        currency="EUR",
        lines=[DisputedUnits(line_id="1", quantity=1, units="1/1")],
        liable="SELLER",
        seller_at_fault=True,
        execute_by=now,
    )
    return replace(ordered, **changes)


def seller_erased(now: datetime) -> SubjectErased:
    return SubjectErased(
        account_kind="SELLER", seller_id="S-77", policy_version="ae-2025-1", erased_at=now
    )
