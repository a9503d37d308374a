"""What may be asked of an order. `now` is part of the question."""

from datetime import datetime
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor


class Asked(Struct, frozen=True, kw_only=True):
    """When it is asked, and by whom. For a step of an order's life, `now` is when it happened."""

    now: datetime
    actor: Actor

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


class PlaceOrder(Asked, frozen=True, kw_only=True):
    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    order_discount_minor: int
    shipping_minor: int
    total_minor: int
    total_ref_minor: int
    dispatch_by: datetime | None = None
    deliver_by: datetime | None = None
    buyer_registered_at: datetime | None = None
    withdrawal_right: bool
    withdrawal_informed: bool | None = None


class MarkPaid(Asked, frozen=True, kw_only=True):
    payment_ref: str


class MarkShipped(Asked, frozen=True, kw_only=True):
    deliver_by: datetime | None = None
    tracking_id: str | None = None


class MarkDelivered(Asked, frozen=True, kw_only=True):
    signed: bool


class CompleteOrder(Asked, frozen=True, kw_only=True):
    """By the buyer, by a feed that declares completion, or by the timer (SYSTEM, not `by_feed`)."""

    by_feed: bool = False
    open_disputes: tuple[str, ...] = ()


class CancelOrder(Asked, frozen=True, kw_only=True):
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: str


class ReopenOrder(Asked, frozen=True, kw_only=True):
    reason: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"]


class AttributeDelay(Asked, frozen=True, kw_only=True):
    incident_id: str
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


type OrderCommand = (
    PlaceOrder
    | MarkPaid
    | MarkShipped
    | MarkDelivered
    | CompleteOrder
    | CancelOrder
    | ReopenOrder
    | AttributeDelay
)
