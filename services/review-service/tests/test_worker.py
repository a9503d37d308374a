"""What the worker does by itself: orders open, pause and end their evaluations; deadlines pass."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.reactions.orders import OPENING
from review_service.settings import ReviewSettings
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]

DELIVERED = datetime(2026, 1, 15, 14, tzinfo=UTC)
FORGET = "UPDATE es.cursor SET position = 0, chain_hash = decode(repeat('00', 32), 'hex')"
MANY = 700  # more than are fired at once


async def bring(client: httpx.AsyncClient, *order_ids: str) -> None:
    """Orders that have just been delivered."""
    lines: list[str] = []
    for order_id in order_ids:
        told: dict[str, Any] = deepcopy(LINE)
        told["order"]["order_id"] = order_id
        lines.append(line_of({k: v for k, v in told.items() if k not in ("completed", "reviews")}))
    answered = await client.post(
        "/v1/orders/bulk", content="".join(lines), headers={"Content-Type": NDJSON}
    )
    assert answered.text.count('"order":"accepted"') == len(order_ids)


async def step(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answered = await client.post(
        f"/v1/orders/{path}", json=body, headers={"Idempotency-Key": str(uuid4())}
    )
    assert answered.status_code == 201, answered.text


async def history(parts: Parts[ReviewSettings], order_id: str) -> list[tuple[str, datetime]]:
    stream = f"evaluation-{order_id}"
    recorded = (await parts.log.read([stream])).get(stream, [])
    return [(each.type.partition(".")[0], each.time) for each in recorded]


async def count(pool: asyncpg.Pool, kind: str) -> int:
    found: int = await pool.fetchval("SELECT count(*) FROM es.event WHERE type = $1", f"{kind}.v1")
    return found


@pytest.fixture
def feed(caller: Caller, clock: ManualClock) -> httpx.AsyncClient:
    clock.at = DELIVERED
    return caller("SYSTEM", "market")


async def test_a_completed_order_opens_its_evaluation_once_however_often_it_is_read(
    feed: httpx.AsyncClient, parts: Parts[ReviewSettings], work: Work
) -> None:
    await bring(feed, "O1")
    await step(feed, "O1/completion", {})
    assert await history(parts, "O1") == []
    await work()
    assert await history(parts, "O1") == [("EvaluationOpened", DELIVERED)]
    await parts.pool.execute(f"{FORGET} WHERE subscription = $1", OPENING)
    await work()
    assert await history(parts, "O1") == [("EvaluationOpened", DELIVERED)]


async def test_a_reopened_order_stops_the_clock_until_it_completes_again(
    feed: httpx.AsyncClient, parts: Parts[ReviewSettings], clock: ManualClock, work: Work
) -> None:
    await bring(feed, "O1")
    await step(feed, "O1/completion", {})
    await work()
    await step(feed, "O1/reopening", {"reason": "CARRIER_CORRECTION"})
    clock.advance(timedelta(days=20))
    await work()
    await step(feed, "O1/delivery", {"signed": True})
    await step(feed, "O1/completion", {})
    await work()
    again = clock.at
    clock.advance(timedelta(days=15))
    await work()
    assert await history(parts, "O1") == [
        ("EvaluationOpened", DELIVERED),
        ("EvaluationPaused", DELIVERED),
        ("EvaluationResumed", again),
        ("EvaluationClosed", again + timedelta(days=15)),
    ]


async def test_a_pause_ends_when_it_has_lasted_too_long(
    feed: httpx.AsyncClient, parts: Parts[ReviewSettings], clock: ManualClock, work: Work
) -> None:
    await bring(feed, "O1")
    await step(feed, "O1/completion", {})
    await work()
    await step(feed, "O1/reopening", {"reason": "CARRIER_CORRECTION"})
    await work()
    clock.advance(timedelta(days=120))
    await work()
    assert [kind for kind, _ in await history(parts, "O1")] == [
        "EvaluationOpened",
        "EvaluationPaused",
        "EvaluationResumed",
    ]


async def test_many_deadlines_that_pass_at_once_are_each_met_once(
    feed: httpx.AsyncClient, parts: Parts[ReviewSettings], clock: ManualClock, work: Work
) -> None:
    """I14: never early, each once; a little late changes no date."""
    await bring(feed, *(f"O{n}" for n in range(MANY)))
    await work()
    completing = DELIVERED + timedelta(days=7)
    clock.at = completing - timedelta(microseconds=1)
    await work()
    assert await count(parts.pool, "OrderCompleted") == 0
    clock.at = completing + timedelta(minutes=59)
    await work()
    assert await count(parts.pool, "OrderCompleted") == MANY
    assert await count(parts.pool, "EvaluationOpened") == MANY
    closing = completing + timedelta(days=15)
    clock.at = closing - timedelta(microseconds=1)
    await work()
    assert await count(parts.pool, "EvaluationClosed") == 0
    clock.at = closing + timedelta(minutes=59)
    await work()
    assert await count(parts.pool, "EvaluationClosed") == MANY
    assert await parts.pool.fetchval("SELECT count(*) FROM es.timer") == 0
    for order_id in ("O0", f"O{MANY - 1}"):
        assert await history(parts, order_id) == [
            ("EvaluationOpened", completing),
            ("EvaluationClosed", closing),
        ]


async def test_after_an_outage_the_deadlines_that_follow_count_from_the_real_firing(
    feed: httpx.AsyncClient, parts: Parts[ReviewSettings], clock: ManualClock, work: Work
) -> None:
    await bring(feed, "O1")
    clock.at = DELIVERED + timedelta(days=10)
    await work()
    assert await history(parts, "O1") == [("EvaluationOpened", clock.at)]
