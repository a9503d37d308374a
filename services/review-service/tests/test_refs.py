"""A review is found by its `ref` from the moment on that somebody has been told of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.streams import review_id_of, review_ref
from review_service.refs import find_ref
from shared_events.review import Side
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Send = Callable[[str, dict[str, Any]], Awaitable[httpx.Response]]

REF = review_ref("O-1001", "SELLER")
REVIEW_ID = review_id_of("O-1001", "SELLER")
SIDES: tuple[Side, ...] = ("BUYER", "SELLER")
GOOD = {"rating": 5}


@pytest.fixture
async def send(caller: Caller, clock: ManualClock, work: Work) -> Send:
    """Has the seller of a completed order write, or take back what he wrote."""
    clock.at = datetime(2026, 1, 16, tzinfo=UTC)
    await bring(caller, LINE | {"reviews": []})
    await work()
    seller = caller("SELLER", "employee", seller_id="S-77")

    async def sent(path: str, body: dict[str, Any]) -> httpx.Response:
        return await seller.post(
            f"/v1/orders/O-1001/evaluation/reviews{path}",
            json=body,
            headers={"Idempotency-Key": str(uuid4())},
        )

    return sent


async def bring(caller: Caller, line: dict[str, Any]) -> str:
    brought = await caller("IMPORTER", "olist").post(
        "/v1/orders/bulk", content=line_of(line), headers={"Content-Type": NDJSON}
    )
    assert '"order":"accepted"' in brought.text
    return brought.text


async def test_a_review_is_found_as_soon_as_it_is_recorded(
    send: Send, pool: asyncpg.Pool, work: Work
) -> None:
    assert await find_ref(pool, REF) is None
    assert (await send("", GOOD)).status_code == 201
    assert await find_ref(pool, REF) == ("O-1001", "SELLER", True)
    before = await pool.fetch("SELECT * FROM facts.review")
    await work()  # the reaction to own events repeats it
    assert await pool.fetch("SELECT * FROM facts.review") == before


async def test_what_is_refused_leaves_no_ref(
    send: Send, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    clock.advance(timedelta(days=15))
    assert (await send("", GOOD)).status_code == 409
    assert await find_ref(pool, REF) is None


async def test_a_dry_run_leaves_no_ref(send: Send, pool: asyncpg.Pool) -> None:
    assert (await send("?validate_only=true", GOOD)).status_code == 200
    assert await find_ref(pool, REF) is None


async def test_a_review_written_once_more_is_of_when_it_was_written_last(
    send: Send, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await send("", GOOD)
    clock.advance(timedelta(hours=1))
    assert (await send(f"/{REVIEW_ID}/withdrawal", {})).status_code == 201
    clock.advance(timedelta(hours=1))
    assert (await send("", GOOD)).status_code == 201
    assert await pool.fetchval("SELECT submitted_at FROM facts.review") == clock.at


async def test_where_there_is_none_another_one_is_given_to_be_read(
    send: Send, pool: asyncpg.Pool
) -> None:
    await send("", GOOD)
    for missing in ("0" * 32, "f" * 32, "", "é"):
        assert await find_ref(pool, missing) == ("O-1001", "SELLER", False)


async def test_what_is_brought_in_bulk_is_found_at_once(
    caller: Caller, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    clock.advance(timedelta(days=10))
    assert '"reviews":{"accepted":2' in await bring(caller, LINE)
    for side in SIDES:
        ref = review_ref("O-1001", side)
        assert await find_ref(pool, ref) == ("O-1001", side, True)
        read = await caller("AUDITOR", "aud-1").get(f"/v1/reviews/{ref}")
        assert read.json()["order_id"] == "O-1001"
