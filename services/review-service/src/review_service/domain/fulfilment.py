"""From payment to delivery: what the marketplace tells of an order in, facts about it out."""

from datetime import datetime

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import Id, Instant
from shared_events.orders import OrderDelivered, OrderEvent, OrderPaid, OrderShipped
from shared_runtime.decider import AlreadySubmitted

from review_service.domain.known import Sender
from review_service.domain.order import (
    Order,
    OrderRule,
    Placed,
    ids,
    is_late,
    placed_one,
    told_again,
)


class MarkPaid(Struct, frozen=True, kw_only=True):
    payment_ref: Id


def mark_paid(order: Order, said: MarkPaid, by: Sender) -> list[OrderEvent]:
    """Told again, it changes nothing; told differently, it is refused. So are all steps."""
    return [paid(placed_one(order), said, by)]


def is_paid(order: Order, said: MarkPaid, by: Sender) -> bool:
    return isinstance(order, Placed) and told_again(order, order.paid, paid(order, said, by))


def paid(order: Placed, said: MarkPaid, by: Sender) -> OrderPaid:
    return OrderPaid(**ids(order), paid_at=utc(by.now), payment_ref=said.payment_ref)


MARK_PAID = OrderRule(
    MarkPaid,
    mark_paid,
    roles=("SYSTEM",),
    repeated=is_paid,
    states=("PLACED",),
    refuses=(AlreadySubmitted,),
    events=(OrderPaid,),
    example=MarkPaid(payment_ref="P-1"),
)


class MarkShipped(Struct, frozen=True, kw_only=True):
    """`deliver_by`, where given, replaces the one of placing."""

    deliver_by: Instant | None = None
    tracking_id: Id | None = None


def mark_shipped(order: Order, said: MarkShipped, by: Sender) -> list[OrderEvent]:
    """`deliver_by` here replaces the one of placing."""
    return [shipped(placed_one(order), said, by)]


def is_shipped(order: Order, said: MarkShipped, by: Sender) -> bool:
    return isinstance(order, Placed) and told_again(order, order.shipped, shipped(order, said, by))


def shipped(order: Placed, said: MarkShipped, by: Sender) -> OrderShipped:
    return OrderShipped(
        **ids(order),
        shipped_at=utc(by.now),
        deliver_by=utc(said.deliver_by) if said.deliver_by else None,
        late_dispatch=is_late(by.now, order.placed.dispatch_by),
        tracking_id=said.tracking_id,
    )


MARK_SHIPPED = OrderRule(
    MarkShipped,
    mark_shipped,
    roles=("SYSTEM",),
    repeated=is_shipped,
    states=("PAID",),
    refuses=(AlreadySubmitted,),
    events=(OrderShipped,),
    example=MarkShipped(
        tracking_id="BR123", deliver_by=datetime.fromisoformat("2026-01-20T00:00:00Z")
    ),
)


class MarkDelivered(Struct, frozen=True, kw_only=True):
    signed: bool


def mark_delivered(order: Order, said: MarkDelivered, by: Sender) -> list[OrderEvent]:
    """It completes by itself `order_auto_complete` later. It is late if it was promised earlier."""
    return [delivered(placed_one(order), said, by)]


def is_delivered(order: Order, said: MarkDelivered, by: Sender) -> bool:
    """One that a reopening has undone was told all the same."""
    if not isinstance(order, Placed):
        return False
    if delivered(order, said, by) in order.deliveries:
        return True
    if order.delivered and order.stage != "SHIPPED":
        raise AlreadySubmitted(existing_id=order.placed.order_id)
    return False


def delivered(order: Placed, said: MarkDelivered, by: Sender) -> OrderDelivered:
    policy = by.known.policies.of(order.placed.policy_version)
    return OrderDelivered(
        **ids(order),
        delivered_at=utc(by.now),
        late=is_late(by.now, order.deliver_by),
        signed=said.signed,
        auto_complete_at=utc(by.now) + policy.order_auto_complete,
    )


MARK_DELIVERED = OrderRule(
    MarkDelivered,
    mark_delivered,
    roles=("SYSTEM",),
    repeated=is_delivered,
    states=("SHIPPED",),
    refuses=(AlreadySubmitted,),
    events=(OrderDelivered,),
    example=MarkDelivered(signed=True),
)
