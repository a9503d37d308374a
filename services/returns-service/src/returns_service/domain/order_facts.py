"""Order events in, what a return and a refund need to know of an order out.

A snapshot of another service's streams: it may lag behind, so what must never be wrong is
guarded where it is decided, not here.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)

type Stage = Literal["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED"]


class OrderFacts(Struct, frozen=True, kw_only=True):
    """One order, with the lines that its units and paid shares are made of.

    `delivered_at` is that of the later of two deliveries; where nobody told of one, the
    completion serves as it.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    stage: Stage
    currency: str
    lines: list[OrderLine]
    order_discount_minor: int
    shipping_minor: int
    total_minor: int
    total_ref_minor: int
    withdrawal_right: bool
    placed_at: datetime
    paid_at: datetime | None = None
    payment_ref: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None


def evolve(  # noqa: PLR0911 - one arm for each event
    facts: OrderFacts | None, event: OrderEvent
) -> OrderFacts:
    if isinstance(event, OrderPlaced):
        return placed(event)
    assert facts is not None  # a stream begins with its placing, and comes in order
    match event:
        case OrderPaid():
            return replace(
                facts, stage="PAID", paid_at=event.paid_at, payment_ref=event.payment_ref
            )
        case OrderShipped():
            return replace(facts, stage="SHIPPED", shipped_at=event.shipped_at)
        case OrderDelivered():
            return replace(facts, stage="DELIVERED", delivered_at=event.delivered_at)
        case OrderCompleted():
            return replace(
                facts,
                stage="COMPLETED",
                completed_at=event.completed_at,
                delivered_at=facts.delivered_at or event.completed_at,
            )
        case OrderCancelled():
            return replace(facts, stage="CANCELLED")
        case OrderReopened():
            # A carrier takes the delivery back; a payment that bounced leaves the goods there.
            stands = event.reason == "PAYMENT_REVERSED"
            return replace(
                facts, stage="SHIPPED", delivered_at=facts.delivered_at if stands else None
            )
        case OrderDelayAttributed():
            return facts


def placed(event: OrderPlaced) -> OrderFacts:
    return OrderFacts(
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        marketplace_id=event.marketplace_id,
        country=event.country,
        stage="PLACED",
        currency=event.currency,
        lines=event.lines,
        order_discount_minor=event.order_discount_minor,
        shipping_minor=event.shipping_minor,
        total_minor=event.total_minor,
        total_ref_minor=event.total_ref_minor,
        withdrawal_right=event.withdrawal_right,
        placed_at=event.placed_at,
    )
