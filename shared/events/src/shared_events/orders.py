"""Facts about orders: topic `orders.events`, streams `order-<order id>`, keyed by seller.

Stored and published for ever: add optional fields and new events, never rename.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared_events.fields import (
    LINES_MAX,
    Code,
    Count,
    Country,
    Currency,
    Id,
    Instant,
    Minor,
    Quantity,
)

TOPIC = "orders.events"


class OrderFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an order says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quantity of one product. `line_discount_minor` is for the whole line."""

    line_id: Id
    sku: Id
    category: Id
    quantity: Quantity
    unit_price_minor: Minor
    line_discount_minor: Minor = 0


class OrderPlaced(OrderFact, frozen=True, kw_only=True, tag="OrderPlaced.v1"):
    """The total is the sum of the lines less discounts plus shipping; amounts include taxes.

    `total_ref_minor` is the total in the policy's reference currency. `withdrawal_informed`:
    whether the buyer was told of his right to withdraw; absent: he was.
    """

    marketplace_id: Id
    country: Country
    currency: Currency
    placed_at: Instant
    lines: Annotated[list[OrderLine], Meta(min_length=1, max_length=LINES_MAX)]
    order_discount_minor: Minor
    shipping_minor: Minor
    total_minor: Minor
    total_ref_minor: Minor
    dispatch_by: Instant | None = None
    deliver_by: Instant | None = None
    buyer_registered_at: Instant | None = None
    withdrawal_right: bool
    withdrawal_informed: bool | None = None


class OrderPaid(OrderFact, frozen=True, kw_only=True, tag="OrderPaid.v1"):
    paid_at: Instant
    payment_ref: Id


class OrderShipped(OrderFact, frozen=True, kw_only=True, tag="OrderShipped.v1"):
    """`deliver_by`, where given, replaces the one of placing."""

    shipped_at: Instant
    deliver_by: Instant | None = None
    late_dispatch: bool
    tracking_id: Id | None = None


class OrderDelivered(OrderFact, frozen=True, kw_only=True, tag="OrderDelivered.v1"):
    delivered_at: Instant
    late: bool
    signed: bool
    auto_complete_at: Instant


class OrderCompleted(OrderFact, frozen=True, kw_only=True, tag="OrderCompleted.v1"):
    """`completion_no` counts from 1 and rises when a reopened order completes again."""

    completed_at: Instant
    completion_no: Count
    how: Literal["BUYER_CONFIRMED", "AUTOMATIC", "FEED"]
    total_ref_minor: Minor
    late: bool


class OrderCancelled(OrderFact, frozen=True, kw_only=True, tag="OrderCancelled.v1"):
    cancelled_at: Instant
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: Code


class OrderReopened(OrderFact, frozen=True, kw_only=True, tag="OrderReopened.v1"):
    """`completion_no` is the completion that is undone."""

    reopened_at: Instant
    completion_no: Count
    reason: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"]


class OrderDelayAttributed(OrderFact, frozen=True, kw_only=True, tag="OrderDelayAttributed.v1"):
    incident_id: Id
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


type OrderEvent = (
    OrderPlaced
    | OrderPaid
    | OrderShipped
    | OrderDelivered
    | OrderCompleted
    | OrderCancelled
    | OrderReopened
    | OrderDelayAttributed
)
