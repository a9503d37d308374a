"""What returns know of an order follows its events."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import asyncpg
import pytest
from local_stack.databases import Database
from returns_service.app import SERVICE
from returns_service.domain.order_facts import OrderFacts, evolve
from returns_service.projections import ORDER_FACTS, PROJECTIONS, ROWS
from shared_events.envelope import Recorded
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
from shared_runtime.database import open_pool
from shared_runtime.delivery import enter_tables
from shared_runtime.migrate import migrate
from shared_runtime.projections import live_subscription

AT = datetime(2025, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


class Ids(TypedDict):
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str


IDS = Ids(order_id="O1", seller_id="S1", buyer_id="B1", policy_version="ae-2025-1")
LINE = OrderLine(line_id="1", sku="mug", category="HOME", quantity=2, unit_price_minor=500)

placed = OrderPlaced(
    **IDS,
    marketplace_id="m1",
    country="BR",
    currency="BRL",
    placed_at=AT,
    lines=[LINE],
    order_discount_minor=0,
    shipping_minor=100,
    total_minor=1100,
    total_ref_minor=330,
    deliver_by=AT + 9 * DAY,
    withdrawal_right=True,
)
paid = OrderPaid(**IDS, paid_at=AT, payment_ref="P1")
shipped = OrderShipped(**IDS, shipped_at=AT + DAY, late_dispatch=False)
delivered = OrderDelivered(
    **IDS, delivered_at=AT + 2 * DAY, late=False, signed=True, auto_complete_at=AT + 9 * DAY
)
completed = OrderCompleted(
    **IDS,
    completed_at=AT + 3 * DAY,
    completion_no=1,
    how="BUYER_CONFIRMED",
    total_ref_minor=330,
    late=False,
)
cancelled = OrderCancelled(**IDS, cancelled_at=AT + DAY, by="BUYER", reason="CHANGED_MIND")
bounced = OrderReopened(**IDS, reopened_at=AT + 4 * DAY, completion_no=1, reason="PAYMENT_REVERSED")
lost = OrderReopened(**IDS, reopened_at=AT + 4 * DAY, completion_no=1, reason="CARRIER_CORRECTION")
delay = OrderDelayAttributed(**IDS, incident_id="storm", liable="FORCE_MAJEURE")
life = (placed, paid, shipped, delivered, completed)


def facts_of(*events: OrderEvent) -> OrderFacts:
    facts: OrderFacts | None = None
    for event in events:
        facts = evolve(facts, event)
    assert facts is not None
    return facts


def test_a_placed_order_is_known_with_its_lines_and_amounts() -> None:
    facts = facts_of(placed)
    assert (facts.stage, facts.lines, facts.total_minor) == ("PLACED", [LINE], 1100)
    assert facts.withdrawal_right


def test_each_step_is_known_with_its_instant() -> None:
    facts = facts_of(*life)
    assert facts.stage == "COMPLETED"
    assert (facts.shipped_at, facts.delivered_at) == (AT + DAY, AT + 2 * DAY)
    assert facts.completed_at == AT + 3 * DAY
    assert (facts.paid_at, facts.payment_ref) == (AT, "P1")


def test_without_a_delivery_the_completion_serves_as_one() -> None:
    assert facts_of(placed, paid, shipped, completed).delivered_at == AT + 3 * DAY


def test_of_two_deliveries_the_later_counts() -> None:
    again = OrderDelivered(
        **IDS, delivered_at=AT + 6 * DAY, late=False, signed=True, auto_complete_at=AT + 13 * DAY
    )
    assert facts_of(*life, lost, again).delivered_at == AT + 6 * DAY


def test_a_cancelled_order_stays_known() -> None:
    assert facts_of(placed, paid, cancelled).stage == "CANCELLED"


def test_a_carrier_takes_a_delivery_back_and_a_bounced_payment_does_not() -> None:
    assert facts_of(*life, lost).delivered_at is None
    assert facts_of(*life, bounced).delivered_at == AT + 2 * DAY


def test_a_window_counts_from_the_last_completion_until_there_is_another() -> None:
    again = OrderCompleted(
        **IDS,
        completed_at=AT + 8 * DAY,
        completion_no=2,
        how="FEED",
        total_ref_minor=330,
        late=False,
    )
    assert facts_of(*life, bounced).completed_at == AT + 3 * DAY
    assert facts_of(*life, bounced, again).completed_at == AT + 8 * DAY


def test_who_is_liable_for_a_delay_is_not_a_fact_of_the_order() -> None:
    assert facts_of(*life, delay) == facts_of(*life)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    await migrate(SERVICE.package, database.owner_url, PROJECTIONS)
    async with await open_pool(database.app_url) as pool:
        yield pool


def recorded(events: Sequence[OrderEvent]) -> list[Recorded[OrderEvent]]:
    return [
        Recorded(
            topic="orders.events",
            partition=0,
            position=position,
            event_id=f"e{position}",
            stream="order-O1",
            version=position,
            type="",
            time=AT,
            recorded_at=AT,
            key="S1",
            actor="system:feed",
            correlation_id="O1",
            causation_id="c",
            event=event,
        )
        for position, event in enumerate(events, 1)
    ]


@pytest.mark.parametrize("cut", range(len(life) + 1))
async def test_rows_are_the_fold_of_the_events_however_they_are_batched(
    pool: asyncpg.Pool, cut: int
) -> None:
    subscription = await live_subscription(pool, ORDER_FACTS)
    batch = recorded(life)
    async with pool.acquire() as db, db.transaction():
        await enter_tables(db, subscription.tables)
        await ORDER_FACTS.apply(batch[:cut], db)
        await ORDER_FACTS.apply(batch[cut:], db)
        rows = await ROWS.read(["O1", "O2"], db)
    assert rows == {"O1": facts_of(*life)}
