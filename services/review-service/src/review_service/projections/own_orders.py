"""Events in, rows out: the orders of each buyer and of each seller, and how far they have come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import orders
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

# Newest first, page by page. A seller looks for the few of a stage among very many.
OWN_ORDERS_DDL = """
    CREATE TABLE own_orders (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        marketplace_id text NOT NULL,
        stage text NOT NULL,
        total_minor bigint NOT NULL,
        currency text NOT NULL,
        placed_at timestamptz NOT NULL,
        delivered_at timestamptz,
        auto_complete_at timestamptz,
        completed_at timestamptz,
        cancelled_at timestamptz
    );
    CREATE INDEX own_orders_of_buyer ON own_orders (buyer_id, placed_at, order_id);
    CREATE INDEX own_orders_of_seller ON own_orders (seller_id, placed_at, order_id);
    CREATE INDEX own_orders_of_seller_and_stage
        ON own_orders (seller_id, stage, placed_at, order_id);
"""


class OwnOrder(Struct, frozen=True, kw_only=True):
    """An order as its two parties list it. An instant is that of the step it stands on."""

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    stage: Literal["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED"]
    total_minor: int
    currency: str
    placed_at: datetime
    delivered_at: datetime | None = None
    auto_complete_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None


type OrderStep = (
    OrderPaid | OrderShipped | OrderDelivered | OrderCompleted | OrderCancelled | OrderReopened
)
ROWS = Rows(table="own_orders", key="order_id", row=OwnOrder)


async def own_orders(batch: Sequence[Recorded[OrderPlaced | OrderStep]], db: Connection) -> None:
    await ROWS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)


def evolve(before: OwnOrder | None, event: OrderPlaced | OrderStep) -> OwnOrder | None:
    if isinstance(event, OrderPlaced):
        return OwnOrder(
            order_id=event.order_id,
            seller_id=event.seller_id,
            buyer_id=event.buyer_id,
            marketplace_id=event.marketplace_id,
            stage="PLACED",
            total_minor=event.total_minor,
            currency=event.currency,
            placed_at=event.placed_at,
        )
    return None if before is None else evolve_known(before, event)


def evolve_known(order: OwnOrder, event: OrderStep) -> OwnOrder:
    match event:
        case OrderPaid():
            return replace(order, stage="PAID")
        case OrderShipped():
            return replace(order, stage="SHIPPED")
        case OrderDelivered():
            return replace(
                order,
                stage="DELIVERED",
                delivered_at=event.delivered_at,
                auto_complete_at=event.auto_complete_at,
            )
        case OrderCompleted():
            return replace(
                order, stage="COMPLETED", auto_complete_at=None, completed_at=event.completed_at
            )
        case OrderCancelled():
            return replace(
                order, stage="CANCELLED", auto_complete_at=None, cancelled_at=event.cancelled_at
            )
        case OrderReopened():
            # As the order itself has it: a payment that bounced leaves the goods where they are.
            stands = event.reason == "PAYMENT_REVERSED"
            return replace(
                order,
                stage="SHIPPED",
                delivered_at=order.delivered_at if stands else None,
                completed_at=None,
            )


OWN_ORDERS = Projection(
    name="own_orders",
    version=1,
    topics=(orders.TOPIC,),
    handles=(OrderPlaced, *get_args(OrderStep.__value__)),
    tables=("own_orders",),
    ddl=OWN_ORDERS_DDL,
    apply=own_orders,
)
