"""Order events in, the facts that disputes will be decided with out."""

from collections.abc import Sequence

from shared_events import orders
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from dispute_service.domain.order_facts import OrderFacts, evolve

ORDER_FACTS_DDL = """
    CREATE TABLE order_facts (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        marketplace_id text NOT NULL,
        country text NOT NULL,
        stage text NOT NULL,
        currency text NOT NULL,
        lines jsonb NOT NULL,
        order_discount_minor bigint NOT NULL,
        shipping_minor bigint NOT NULL,
        total_minor bigint NOT NULL,
        total_ref_minor bigint NOT NULL,
        placed_at timestamptz NOT NULL,
        deliver_by timestamptz,
        shipped_at timestamptz,
        delivered_at timestamptz,
        completed_at timestamptz,
        confirmed_by_buyer boolean NOT NULL
    );
"""
ROWS = Rows(table="order_facts", key="order_id", row=OrderFacts)


async def order_facts(batch: Sequence[Recorded[OrderEvent]], db: Connection) -> None:
    """What each order is, costs and has come to."""
    await ROWS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)


ORDER_FACTS = Projection(
    name="order_facts",
    version=1,
    topics=(orders.TOPIC,),
    handles=(
        OrderPlaced,
        OrderPaid,
        OrderShipped,
        OrderDelivered,
        OrderCompleted,
        OrderCancelled,
        OrderReopened,
    ),
    tables=("order_facts",),
    ddl=ORDER_FACTS_DDL,
    apply=order_facts,
)
PROJECTIONS = (ORDER_FACTS,)
