"""While the database is away requests are told so, and when it is back all goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from local_stack.databases import Database, create_database
from local_stack.servers import Servers
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, ORDER, line_of
from review_service.app import SERVICE
from shared_runtime.database import open_pool
from shared_runtime.migrate import migrate
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]

PATH = "/v1/orders/bulk"


@pytest.fixture
async def database(own_servers: Servers) -> Database:
    made = create_database(own_servers.postgres_url, "review")
    await migrate(SERVICE.package, made.owner_url, SERVICE.projections)
    return made


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database.app_url)
    yield pool
    pool.terminate()


def line(order_id: str) -> dict[str, Any]:
    told = deepcopy(LINE)
    told["order"]["order_id"] = order_id
    return told


async def test_while_the_database_is_down_requests_are_told_so_and_then_it_goes_on(
    own_servers: Servers, caller: Caller, clock: ManualClock
) -> None:
    if (postgres := own_servers.own_postgres) is None:
        pytest.skip("this PostgreSQL is not ours to stop")
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    client = caller("SYSTEM", "market", "IMPORTER", "AUDITOR")
    lines = line_of(line("O1")) + line_of(line("O2"))

    async def requests() -> list[httpx.Response]:
        return [
            await client.post("/v1/orders", json=ORDER, headers={"Idempotency-Key": "k"}),
            await client.get(f"/v1/orders/{ORDER['order_id']}"),
            await client.get("/v1/sellers/S-77/reviews"),
            await client.post(PATH, content=lines, headers={"Content-Type": NDJSON}),
        ]

    before = await requests()
    assert [answered.status_code for answered in before] == [201, 200, 200, 200]
    await asyncio.to_thread(postgres.stop, "immediate")
    for down in await requests():
        assert (down.status_code, down.json()["type"]) == (503, "/problems/unavailable")
        assert down.headers["Retry-After"] == "1"
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/livez")).status_code == 200
    await asyncio.to_thread(postgres.start)
    after = await requests()
    assert [answered.status_code for answered in after] == [201, 200, 200, 200]
    assert after[0].headers["Idempotent-Replayed"] == "true"
    assert after[3].text.count('"order":"unchanged"') == 2
