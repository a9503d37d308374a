"""An order's state in, what its reader sees of it out, and what he can do about it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.orders import OrderDelayAttributed, OrderEvent
from shared_runtime.decider import Actor
from shared_runtime.fields import Money
from shared_runtime.history import signed
from shared_runtime.rules import Action

from review_service.domain.known import Sender
from review_service.domain.order import Placed, Stage
from review_service.domain.order_readers import may_know
from review_service.domain.order_rules import ORDER_RULES
from review_service.told_order import REFERENCE_CURRENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLineView:
    """A quantity of one product. The discount is for the whole line."""

    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: Money
    line_discount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayView:
    """Whom a late delivery is attributed to, if not to the seller."""

    incident_id: str
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order and how far it has come. An instant is null until it is reached."""

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    stage: Stage
    lines: list[OrderLineView]
    order_discount: Money
    shipping: Money
    total: Money
    total_ref: Money
    withdrawal_right: bool
    withdrawal_informed: bool
    policy_version: str
    placed_at: datetime
    dispatch_by: datetime | None
    deliver_by: datetime | None
    paid_at: datetime | None
    payment_ref: str | None
    shipped_at: datetime | None
    tracking_id: str | None
    delivered_at: datetime | None
    signed: bool | None
    late: bool | None
    auto_complete_at: datetime | None
    completed_at: datetime | None
    completion_no: int
    reopened_at: datetime | None
    cancelled_at: datetime | None
    delay: DelayView | None
    available_actions: list[Action]


def order_view(order: Placed, by: Sender) -> OrderView:
    """The order for somebody, with what he can do about it now."""
    placed = order.placed

    def money(minor: int) -> Money:
        return shown_money(minor, placed.currency)

    done = order.stage == "COMPLETED"
    return OrderView(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        marketplace_id=placed.marketplace_id,
        country=placed.country,
        currency=placed.currency,
        stage=order.stage,
        lines=[
            OrderLineView(
                line_id=line.line_id,
                sku=line.sku,
                category=line.category,
                quantity=line.quantity,
                unit_price=money(line.unit_price_minor),
                line_discount=money(line.line_discount_minor),
            )
            for line in placed.lines
        ],
        order_discount=money(placed.order_discount_minor),
        shipping=money(placed.shipping_minor),
        total=money(placed.total_minor),
        total_ref=shown_money(placed.total_ref_minor, REFERENCE_CURRENCY),
        withdrawal_right=placed.withdrawal_right,
        withdrawal_informed=placed.withdrawal_informed is not False,
        policy_version=placed.policy_version,
        placed_at=placed.placed_at,
        dispatch_by=placed.dispatch_by,
        deliver_by=order.deliver_by,
        paid_at=order.paid.paid_at if order.paid else None,
        payment_ref=order.paid.payment_ref if order.paid else None,
        shipped_at=order.shipped.shipped_at if order.shipped else None,
        tracking_id=order.shipped.tracking_id if order.shipped else None,
        delivered_at=order.delivered.delivered_at if order.delivered else None,
        signed=order.delivered.signed if order.delivered else None,
        late=late_of(order),
        auto_complete_at=order.delivered.auto_complete_at if order.delivered else None,
        completed_at=order.completions[-1].completed_at if done else None,
        completion_no=len(order.completions),
        reopened_at=order.reopenings[-1].reopened_at if order.reopenings else None,
        cancelled_at=order.cancelled.cancelled_at if order.cancelled else None,
        delay=delay_view(order.delay),
        available_actions=ORDER_RULES.offered(order, by),
    )


def shown_money(minor: int, currency: str) -> Money:
    """As the event has it: an order may be older than what is asked of a currency today."""
    return Money.model_construct(amount=minor, currency=currency)


def delay_view(delay: OrderDelayAttributed | None) -> DelayView | None:
    if delay is None:
        return None
    return DelayView(incident_id=delay.incident_id, liable=delay.liable)


def late_of(order: Placed) -> bool | None:
    """Without a delivery the completion serves as one."""
    if order.stage == "COMPLETED":
        return order.completions[-1].late
    return order.delivered.late if order.delivered else None


def readable_order(
    history: Sequence[Recorded[OrderEvent]], actor: Actor
) -> list[Recorded[OrderEvent]]:
    """The events of an order that somebody may know of who may read it."""
    return [
        replace(recorded, actor=signed(recorded, actor))
        for recorded in history
        if may_know(recorded.event, actor)
    ]
