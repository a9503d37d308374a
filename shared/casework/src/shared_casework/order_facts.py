"""Order events in, what a dispute, a return or a refund needs to know of an order out.

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

from shared_casework.parties import Account, parties_of

type Stage = Literal["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED"]


class OrderFacts(Struct, frozen=True, kw_only=True):
    """One order, with the lines that its units and paid shares are made of.

    `delivered_at`: as somebody told, until a carrier takes it back. `confirmed_at`: when the buyer
    said that he has it. `received_at`: from when on he counts as having it; where nobody told of a
    delivery, the completion serves as one. `completed_at` is of the latest completion, also after
    a reopening: windows count from it until the order completes again; `completion_no` is 0 before
    the first. `reopened_at` is of the latest reopening.
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
    withdrawal_informed: bool
    placed_at: datetime
    deliver_by: datetime | None = None
    paid_at: datetime | None = None
    payment_ref: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    confirmed_at: datetime | None = None
    received_at: datetime | None = None
    completed_at: datetime | None = None
    completion_no: int = 0
    reopened_at: datetime | None = None
    reopened_for: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"] | None = None
    cancelled_at: datetime | None = None
    cancelled_by: Literal["BUYER", "SELLER", "PLATFORM"] | None = None
    delay_incident_id: str | None = None
    delay_liable: Literal["CARRIER", "FORCE_MAJEURE"] | None = None

    @property
    def status(self) -> Stage:
        """Where the matter stands that is yet to begin on this order."""
        return self.stage

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.buyer_id, seller_id=self.seller_id)


def evolve(  # noqa: PLR0911 - one arm for each event
    facts: OrderFacts | None, event: OrderEvent
) -> OrderFacts:
    if isinstance(event, OrderPlaced):
        return placed(event)
    assert facts is not None  # a stream begins with its placing, and comes in order
    match event:
        case OrderPaid():
            return paid(facts, event)
        case OrderShipped():
            return shipped(facts, event)
        case OrderDelivered():
            return delivered(facts, event)
        case OrderCompleted():
            return completed(facts, event)
        case OrderCancelled():
            return cancelled(facts, event)
        case OrderReopened():
            return reopened(facts, event)
        case OrderDelayAttributed():
            return delayed(facts, event)


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
        withdrawal_informed=event.withdrawal_informed is not False,
        placed_at=event.placed_at,
        deliver_by=event.deliver_by,
    )


def paid(facts: OrderFacts, event: OrderPaid) -> OrderFacts:
    return replace(facts, stage="PAID", paid_at=event.paid_at, payment_ref=event.payment_ref)


def shipped(facts: OrderFacts, event: OrderShipped) -> OrderFacts:
    deliver_by = event.deliver_by or facts.deliver_by
    return replace(facts, stage="SHIPPED", shipped_at=event.shipped_at, deliver_by=deliver_by)


def delivered(facts: OrderFacts, event: OrderDelivered) -> OrderFacts:
    at = event.delivered_at
    return replace(facts, stage="DELIVERED", delivered_at=at, received_at=at)


def completed(facts: OrderFacts, event: OrderCompleted) -> OrderFacts:
    at = event.completed_at
    confirmed_at = at if event.how == "BUYER_CONFIRMED" else None
    return replace(
        facts,
        stage="COMPLETED",
        confirmed_at=facts.confirmed_at or confirmed_at,
        received_at=facts.received_at or at,
        completed_at=at,
        completion_no=event.completion_no,
    )


def cancelled(facts: OrderFacts, event: OrderCancelled) -> OrderFacts:
    return replace(facts, stage="CANCELLED", cancelled_at=event.cancelled_at, cancelled_by=event.by)


def reopened(facts: OrderFacts, event: OrderReopened) -> OrderFacts:
    again = replace(
        facts, stage="SHIPPED", reopened_at=event.reopened_at, reopened_for=event.reason
    )
    if event.reason == "PAYMENT_REVERSED":  # the goods stay where they are
        return again
    return replace(again, delivered_at=None, confirmed_at=None, received_at=None)


def delayed(facts: OrderFacts, event: OrderDelayAttributed) -> OrderFacts:
    return replace(facts, delay_incident_id=event.incident_id, delay_liable=event.liable)
