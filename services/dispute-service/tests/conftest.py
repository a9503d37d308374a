"""What the tests of this service's edges share, besides the kit of all services.

service   dispute-service
database  one that is at head
tell      events of other services into their log, and all done that there is to do
delivered an order of B-5 at S-77 that has come, with its ledger: two pieces at 25.00, shipping 4.99
buyer     the client of its buyer
seller    that of a member of its seller
desk      these two with their order, who judges between them, and the clock of all
judges    the agent and the senior come on duty
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from dispute_service.app import SERVICE
from dispute_service.testing import returned
from dispute_service.testing.desk import Desk
from local_stack.databases import Database
from msgspec import Struct
from shared_events.orders import OrderDelivered, OrderLine, OrderPaid, OrderPlaced, OrderShipped
from shared_runtime.log import PostgresLog
from shared_runtime.service import Service
from shared_runtime.testing import ManualClock, facts

DAY = timedelta(days=1)


@pytest.fixture(scope="session")
def service() -> Service[Any]:
    return SERVICE


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
def followed(others: PostgresLog) -> asyncpg.Pool:
    assert isinstance(others.db, asyncpg.Pool)
    return others.db


@pytest.fixture
def tell(
    others: PostgresLog, clock: ManualClock, work: Callable[[], Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    versions: dict[str, int] = {}

    async def publish(stream: str, *events: Struct) -> None:
        after = versions.get(stream, 0)
        cause = str(uuid4())
        await others.append(facts(stream, *events, at=clock(), after=after, cause=cause))
        versions[stream] = after + len(events)
        await work()

    return publish


@pytest.fixture
def delivered(
    tell: Callable[..., Awaitable[None]], clock: ManualClock
) -> Callable[..., Awaitable[str]]:
    async def order(order_id: str = "O-1", *, currency: str = "EUR", ledger: bool = True) -> str:
        ids: dict[str, Any] = {
            "order_id": order_id,
            "seller_id": "S-77",
            "buyer_id": "B-5",
            "policy_version": "ae-2025-1",
        }
        now = clock()
        line = OrderLine(
            line_id="1",
            sku="sku-1",
            category="shoes",
            quantity=2,
            unit_price_minor=2500,
            line_discount_minor=0,
        )
        await tell(
            f"order-{order_id}",
            OrderPlaced(
                **ids,
                marketplace_id="example",
                country="DE",
                placed_at=now - 9 * DAY,
                lines=[line],
                order_discount_minor=0,
                shipping_minor=499,
                currency=currency,
                total_minor=5499,
                total_ref_minor=5499,
                withdrawal_right=True,
            ),
            OrderPaid(**ids, paid_at=now - 9 * DAY, payment_ref="P-1"),
            OrderShipped(**ids, shipped_at=now - 5 * DAY, late_dispatch=False),
            OrderDelivered(
                **ids,
                delivered_at=now - DAY,
                late=False,
                signed=True,
                auto_complete_at=now + 6 * DAY,
            ),
        )
        if ledger:
            await tell(f"refunds-{order_id}", returned.ledger(order_id, currency))
        return order_id

    return order


@pytest.fixture
def buyer(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("BUYER", "B-5")


@pytest.fixture
def seller(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("SELLER", "employee", seller_id="S-77")


@pytest.fixture
async def desk(  # noqa: PLR0917 - what pytest gives
    delivered: Callable[..., Awaitable[str]],
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    caller: Callable[..., httpx.AsyncClient],
    clock: ManualClock,
    work: Callable[[], Awaitable[None]],
    pool: asyncpg.Pool,
) -> Desk:
    return Desk(
        buyer=buyer,
        seller=seller,
        agent=caller("AGENT", "agent-1"),
        senior=caller("SENIOR", "senior-1"),
        auditor=caller("AUDITOR", "auditor-1"),
        order_id=await delivered(),
        clock=clock,
        work=work,
        pool=pool,
    )


@pytest.fixture
async def judges(desk: Desk) -> None:
    await desk.on_duty("agent-1")
    await desk.on_duty("senior-1", "SENIOR")
