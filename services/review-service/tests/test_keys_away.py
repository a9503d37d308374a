"""A key is asked for where words are sealed or shown: without the key database all else goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from local_stack.servers import Servers
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.streams import review_id_of
from review_service.testing.refs import review_ref
from shared_runtime import testing
from shared_runtime.keys import PostgresKeyStore
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Json = dict[str, Any]

REVIEWS = "/v1/orders/O1/evaluation/reviews"
OF_BUYER = f"/v1/reviews/{review_ref('O1', 'BUYER')}"
OWN, OTHER = review_id_of("O1", "BUYER"), review_id_of("O1", "SELLER")
FIVE: Json = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
FOUND: Json = {"factor_milli": 400, "campaign": False, "terms": [], "calibration": "burst-1"}
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


@pytest.fixture
def keys_database(make_database: Callable[[], Database]) -> Database:
    return make_database()


@pytest.fixture
async def key_store(keys_database: Database) -> AsyncIterator[PostgresKeyStore]:
    async with testing.key_store(keys_database.owner_url, keys_database.app_url) as store:
        yield store


async def post(client: httpx.AsyncClient, path: str, body: Json, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())} | named)


async def recorded(client: httpx.AsyncClient, path: str, body: Json, **headers: str) -> Json:
    answered = await post(client, path, body, **headers)
    assert answered.status_code == 201, answered.text
    told: Json = answered.json()
    return told


async def version(moderator: httpx.AsyncClient) -> str:
    return (await moderator.get(OF_BUYER)).headers["ETag"]


async def test_without_the_key_database_all_that_has_no_words_goes_on(
    servers: Servers,
    keys_database: Database,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    clock.at = datetime(2026, 1, 15, 18, tzinfo=UTC)
    buyer, seller = caller("BUYER", "B-5"), caller("SELLER", "employee", seller_id="S-77")
    moderator, detector = caller("MODERATOR", "mod-1"), caller("SYSTEM", "detector")
    line: dict[str, Any] = LINE | {"reviews": [], "order": LINE["order"] | {"order_id": "O1"}}
    brought = await caller("IMPORTER", "history").post(
        "/v1/orders/bulk", content=line_of(line), headers={"Content-Type": NDJSON}
    )
    assert '"order":"accepted"' in brought.text
    await work()

    server = await asyncpg.connect(servers.postgres_url)
    await server.execute(f"ALTER DATABASE {keys_database.name} ALLOW_CONNECTIONS false")
    await server.execute(END_SESSIONS, keys_database.name)
    await recorded(buyer, REVIEWS, FIVE)
    await recorded(moderator, f"{OF_BUYER}/holds", {"ground": "FAKE"})
    await recorded(moderator, f"{OF_BUYER}/releases", {}, If_Match=await version(moderator))
    await recorded(seller, REVIEWS, {"rating": 4})
    await recorded(detector, f"{OF_BUYER}/screenings", FOUND)
    flag = await recorded(caller("BUYER", "B-9"), f"{OF_BUYER}/flags", {"reason": "FAKE"})
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    await recorded(moderator, f"{OF_BUYER}/keeps", keep, If_Match=await version(moderator))
    reply = {"text": "The bank was slow."}
    refused = await post(buyer, f"{REVIEWS}/{OTHER}/reply", reply)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
    assert refused.headers["Retry-After"] == "1"
    await recorded(buyer, f"{REVIEWS}/{OWN}/withdrawal", {})

    await server.execute(f"ALTER DATABASE {keys_database.name} ALLOW_CONNECTIONS true")
    await server.close()
    await recorded(buyer, f"{REVIEWS}/{OTHER}/reply", reply)
    # Who writes no words has no key, staff neither.
    assert await persons_with_keys(keys_database) == ["buyer:B-5"]


async def persons_with_keys(keys_database: Database) -> list[str]:
    db = await asyncpg.connect(keys_database.owner_url)
    rows = await db.fetch("SELECT person FROM keys.person_key")
    await db.close()
    return [row["person"] for row in rows]
