"""Order events in, a table of the facts of orders out: the projection that services have of them.

SERVICE = Service(…, projections=(ORDER_FACTS,), …)
facts = await ORDERS.read([order_id], db)
"""

from collections.abc import Sequence

from shared_events import orders
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
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

from shared_casework.order_facts import OrderFacts, evolve

DDL = """
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
        withdrawal_right boolean NOT NULL,
        withdrawal_informed boolean NOT NULL,
        placed_at timestamptz NOT NULL,
        deliver_by timestamptz,
        paid_at timestamptz,
        payment_ref text,
        shipped_at timestamptz,
        delivered_at timestamptz,
        confirmed_at timestamptz,
        received_at timestamptz,
        completed_at timestamptz,
        completion_no integer NOT NULL,
        reopened_at timestamptz,
        reopened_for text,
        cancelled_at timestamptz,
        cancelled_by text,
        delay_incident_id text,
        delay_liable text
    );
"""
ORDERS = Rows(table="order_facts", key="order_id", row=OrderFacts)


async def order_facts(batch: Sequence[Recorded[OrderEvent]], db: Connection) -> None:
    """What each order is, costs and has come to."""
    await ORDERS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)


ORDER_FACTS = Projection(
    name="order_facts",
    version=2,
    topics=(orders.TOPIC,),
    handles=(
        OrderPlaced,
        OrderPaid,
        OrderShipped,
        OrderDelivered,
        OrderCompleted,
        OrderCancelled,
        OrderReopened,
        OrderDelayAttributed,
    ),
    tables=("order_facts",),
    ddl=DDL,
    apply=order_facts,
)
