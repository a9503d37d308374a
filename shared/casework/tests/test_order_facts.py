"""What disputes, returns and refunds know of an order follows its events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, TypedDict

import pytest
from local_stack.databases import Database
from msgspec.structs import replace
from shared_casework.order_facts import OrderFacts, evolve
from shared_casework.order_rows import ORDER_FACTS, ORDERS
from shared_casework.parties import PARTY
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
from shared_runtime.decider import Actor, NotAParty
from shared_runtime.delivery import enter_tables
from shared_runtime.migrate import migrate
from shared_runtime.projections import live_subscription
from shared_runtime.rule import By
from shared_runtime.service import Service

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
    withdrawal_informed=False,
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
again = OrderCompleted(
    **IDS, completed_at=AT + 8 * DAY, completion_no=2, how="FEED", total_ref_minor=330, late=False
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
    assert (facts.currency, facts.country, facts.marketplace_id) == ("BRL", "BR", "m1")
    assert (facts.deliver_by, facts.completion_no) == (AT + 9 * DAY, 0)


def test_each_step_is_known_with_its_instant() -> None:
    facts = facts_of(*life)
    assert facts.stage == "COMPLETED"
    assert (facts.paid_at, facts.payment_ref) == (AT, "P1")
    assert (facts.shipped_at, facts.delivered_at) == (AT + DAY, AT + 2 * DAY)
    assert (facts.completed_at, facts.completion_no) == (AT + 3 * DAY, 1)
    assert facts.confirmed_at == AT + 3 * DAY


def test_the_promise_of_the_shipment_replaces_the_first_one() -> None:
    sooner = OrderShipped(**IDS, shipped_at=AT + DAY, late_dispatch=False, deliver_by=AT + 5 * DAY)
    assert facts_of(placed, paid, sooner).deliver_by == AT + 5 * DAY
    assert facts_of(placed, paid, shipped).deliver_by == AT + 9 * DAY


def test_a_buyer_knew_that_he_may_withdraw_unless_it_is_said_that_he_did_not() -> None:
    silent = replace(placed, withdrawal_informed=None)
    assert not facts_of(placed).withdrawal_informed
    assert facts_of(silent).withdrawal_informed


def test_the_goods_are_received_when_they_are_delivered() -> None:
    assert facts_of(placed, paid, shipped).received_at is None
    assert facts_of(*life).received_at == AT + 2 * DAY


def test_without_a_delivery_the_completion_serves_as_one_and_none_is_made_up() -> None:
    facts = facts_of(placed, paid, shipped, completed)
    assert (facts.received_at, facts.delivered_at) == (AT + 3 * DAY, None)


def test_of_two_deliveries_the_later_counts() -> None:
    second = OrderDelivered(
        **IDS, delivered_at=AT + 6 * DAY, late=False, signed=True, auto_complete_at=AT + 13 * DAY
    )
    facts = facts_of(*life, lost, second)
    assert (facts.delivered_at, facts.received_at) == (AT + 6 * DAY, AT + 6 * DAY)


def test_a_carrier_takes_a_delivery_back_and_a_bounced_payment_does_not() -> None:
    taken = facts_of(*life, lost)
    assert (taken.delivered_at, taken.confirmed_at, taken.received_at) == (None, None, None)
    left = facts_of(*life, bounced)
    assert (left.delivered_at, left.received_at) == (AT + 2 * DAY, AT + 2 * DAY)
    assert left.confirmed_at == AT + 3 * DAY


def test_a_buyers_word_that_he_has_it_stands_when_the_order_completes_once_more() -> None:
    assert facts_of(*life, bounced, again).confirmed_at == AT + 3 * DAY
    assert facts_of(*life, lost, again).confirmed_at is None


def test_a_window_counts_from_the_last_completion_until_there_is_another() -> None:
    facts = facts_of(*life, bounced)
    assert (facts.stage, facts.completed_at, facts.completion_no) == ("SHIPPED", AT + 3 * DAY, 1)
    assert (facts.reopened_at, facts.reopened_for) == (AT + 4 * DAY, "PAYMENT_REVERSED")
    facts = facts_of(*life, bounced, again)
    assert (facts.stage, facts.completed_at, facts.completion_no) == ("COMPLETED", AT + 8 * DAY, 2)


def test_a_cancelled_order_stays_known() -> None:
    facts = facts_of(placed, paid, cancelled)
    assert (facts.stage, facts.cancelled_at, facts.cancelled_by) == (
        "CANCELLED",
        AT + DAY,
        "BUYER",
    )
    assert (facts.paid_at, facts.shipped_at) == (AT, None)


def test_who_is_liable_for_a_delay_is_known() -> None:
    facts = facts_of(*life, delay)
    assert (facts.delay_incident_id, facts.delay_liable) == ("storm", "FORCE_MAJEURE")


def test_an_order_says_whose_it_is_and_where_it_stands_to_what_begins_on_it() -> None:
    order = facts_of(*life)
    assert order.status == "COMPLETED"
    buyer = By(actor=Actor(role="BUYER", id="B1"), now=AT, known=None)
    PARTY(order, None, buyer)
    with pytest.raises(NotAParty):
        PARTY(order, None, By(actor=Actor(role="BUYER", id="S1"), now=AT, known=None))


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


whole = (*life, delay, bounced, again, lost, delivered, cancelled)


@pytest.mark.parametrize("package", ["dispute_service", "returns_service"])
async def test_a_services_rows_are_the_fold_of_the_events_however_they_are_batched(
    database: Database, package: str
) -> None:
    service: Service[Any] = import_module(f"{package}.app").SERVICE
    assert ORDER_FACTS in service.projections
    await migrate(package, database.owner_url, service.projections)
    async with await open_pool(database.app_url) as pool:
        subscription = await live_subscription(pool, ORDER_FACTS)
        for cut in range(len(whole) + 1):
            async with pool.acquire() as db, db.transaction():
                await enter_tables(db, subscription.tables)
                await ORDERS.delete(["O1"], db)
                batch = recorded(whole)
                await ORDER_FACTS.apply(batch[:cut], db)
                await ORDER_FACTS.apply(batch[cut:], db)
                rows = await ORDERS.read(["O1", "O2"], db)
            assert rows == {"O1": facts_of(*whole)}
