"""What the tests of this service's edges share, besides the kit of all services.

service   returns-service
database  one that is at head
desk      B-5, who buys, S-77, who sells, and who speaks to the ledgers of their orders
sandbox   the payment provider in a process of its own; its book is that of all tests
till      the desk's refunds and the provider, turn by turn
ids       an order and three refunds that no other test has
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack import companies
from local_stack.databases import Database
from local_stack.sandbox_kit import Sandbox, sandbox_process
from returns_service.app import SERVICE
from returns_service.ports.line import line_to
from returns_service.ports.payment import PaymentPort
from returns_service.testing.desk import Desk
from returns_service.testing.till import Till
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts, Service
from shared_runtime.testing import ManualClock

ANSWER_SECONDS = 0.5


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
def desk(
    parts: Parts[Any],
    others: PostgresLog,
    caller: Callable[..., httpx.AsyncClient],
    clock: ManualClock,
    work: Callable[[], Awaitable[None]],
) -> Desk:
    return Desk(
        buyer=caller("BUYER", "B-5"),
        seller=caller("SELLER", "employee", seller_id="S-77"),
        agent=caller("AGENT", "agent-1"),
        auditor=caller("AUDITOR", "auditor-1"),
        feed=caller("SYSTEM", "bank"),
        parts=parts,
        others=others,
        clock=clock,
        work=work,
    )


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with sandbox_process(folder, returns_url="") as running:
        yield running


@pytest.fixture
async def till(desk: Desk, sandbox: Sandbox) -> AsyncIterator[Till]:
    sandbox.behave()
    sandbox.move_to(desk.clock())
    port = PaymentPort(line_to(f"{sandbox.url}/payments", companies.KEY, seconds=ANSWER_SECONDS))
    yield Till(desk=desk, port=port)
    await port.close()


@pytest.fixture
def ids() -> tuple[str, str, str, str]:
    name = uuid4().hex[:10]
    return f"O-{name}", f"f1-{name}", f"f2-{name}", f"f3-{name}"
