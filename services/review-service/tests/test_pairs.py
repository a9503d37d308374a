"""Of one buyer's reviews of one seller one counts, however close together and by whatever door."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.app import workload
from review_service.pairs import lock_pairs
from review_service.settings import ReviewSettings
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock, take_all_at_once
from shared_runtime.timers import fire_due

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Json = dict[str, Any]

ORDERS = "/v1/orders"
CLOSING = datetime(2026, 1, 30, 18, tzinfo=UTC)
WINDOW, DAY = timedelta(days=15), timedelta(days=1)
FIVE: Json = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
GOOD: Json = {"rating": 5}
EACH = 6


async def write(client: httpx.AsyncClient, order_id: str, body: Json) -> None:
    answered = await client.post(
        f"{ORDERS}/{order_id}/evaluation/reviews",
        json=body,
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answered.status_code == 201, answered.text


async def bring(
    caller: Caller, orders: Sequence[str], completed: datetime, reviews: Sequence[Json] = ()
) -> None:
    """Completed orders of the same two."""
    at = completed.isoformat()
    lines = [
        LINE
        | {
            "order": LINE["order"] | {"order_id": order_id},
            "completed": {"at": at},
            "reviews": [*reviews],
        }
        for order_id in orders
    ]
    answered = await caller("IMPORTER", "history").post(
        f"{ORDERS}/bulk", content="".join(map(line_of, lines)), headers={"Content-Type": NDJSON}
    )
    assert answered.text.count('"order":"accepted"') == len(orders), answered.text
    assert f'"reviews":{{"accepted":{len(reviews) * len(orders)},' in answered.text


async def weights(buyer: httpx.AsyncClient, orders: Sequence[str]) -> Counter[tuple[int, bool]]:
    """What the buyer's reviews of these orders weigh, and whether as one that repeats another."""

    async def weighed() -> Iterator[tuple[int, bool]]:
        told = [(await buyer.get(f"{ORDERS}/{each}/evaluation")).json() for each in orders]
        reviews = [next(each for each in one["reviews"] if each["by"] == "BUYER") for one in told]
        return (
            (each["weight_milli"], {"code": "REPEAT_10D", "effect_milli": 0} in each["reasons"])
            for each in reviews
        )

    return Counter(await weighed())


async def test_i17_of_twenty_reviews_of_a_pair_that_are_revealed_at_once_one_counts(
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    orders = [f"O{number}" for number in range(20)]
    clock.at = CLOSING - WINDOW
    await bring(caller, orders, clock.at)
    await work()
    for order_id in orders:
        await write(buyer, order_id, FIVE)
    await asyncio.gather(*(write(seller, order_id, GOOD) for order_id in orders))
    assert await weights(buyer, orders) == {(1000, False): 1, (0, True): 19}


async def test_i17_of_a_pairs_reviews_by_request_by_deadline_and_in_bulk_one_counts(
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    parts: Parts[ReviewSettings],
    work: Work,
) -> None:
    """All of them are revealed at the same instant."""
    clock = parts.now
    assert isinstance(clock, ManualClock)
    asked, due, brought = ([f"{door}{n}" for n in range(EACH)] for door in ("H", "T", "B"))
    clock.at = CLOSING - WINDOW
    await bring(caller, due, clock.at)
    later = clock.advance(DAY)
    await bring(caller, asked, later)
    await work()
    for order_id in (*asked, *due):
        await write(buyer, order_id, FIVE)
    await work()
    clock.at = CLOSING
    now = {"at": CLOSING.isoformat()}
    fire = workload(parts).fire
    assert fire
    await asyncio.gather(
        *(write(seller, order_id, GOOD) for order_id in asked),
        fire_due(parts.pool, parts.log, fire, clock),
        *(
            bring(
                caller,
                [order_id],
                later,
                [FIVE | {"by": "BUYER"} | now, GOOD | {"by": "SELLER"} | now],
            )
            for order_id in brought
        ),
    )
    orders = [*asked, *due, *brought]
    assert await weights(buyer, orders) == {(1000, False): 1, (0, True): 3 * EACH - 1}


WAITS = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
               WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())
"""


@pytest.mark.parametrize("door", ["request", "deadline", "bulk"])
async def test_i17_whoever_decides_about_a_pair_waits_for_him_who_does_by_another_door(
    door: str, caller: Caller, parts: Parts[ReviewSettings], work: Work
) -> None:
    clock = parts.now
    assert isinstance(clock, ManualClock)
    clock.at = CLOSING - WINDOW
    await bring(caller, ["O1"], clock.at)
    await work()
    await write(caller("BUYER", "B-5"), "O1", FIVE)
    clock.at = CLOSING - DAY if door == "request" else CLOSING
    now = {"at": CLOSING.isoformat()}
    seller = caller("SELLER", "employee", seller_id="S-77")
    fire = workload(parts).fire
    assert fire
    doors: dict[str, Callable[[], Awaitable[object]]] = {
        "request": lambda: write(seller, "O1", GOOD),
        "deadline": lambda: fire_due(parts.pool, parts.log, fire, clock),
        "bulk": lambda: bring(
            caller,
            ["O2"],
            CLOSING - WINDOW + DAY,
            [FIVE | {"by": "BUYER"} | now, GOOD | {"by": "SELLER"} | now],
        ),
    }
    async with parts.pool.acquire() as db:
        async with db.transaction():
            await lock_pairs([("B-5", "S-77")], db)
            deciding = asyncio.ensure_future(doors[door]())
            while not deciding.done() and not await db.fetchval(WAITS):
                pass
            assert not deciding.done()
        await deciding


async def test_locks_of_pairs_are_taken_in_one_order(pool: asyncpg.Pool) -> None:
    await take_all_at_once(lock_pairs, [(f"B-{n}", "S-77") for n in range(16)], pool)


async def test_i17_a_late_closing_counts_what_was_revealed_while_its_timer_waited(
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    clock.at = CLOSING - WINDOW
    await bring(caller, ["due"], clock.at)
    clock.advance(DAY)
    await bring(caller, ["asked"], clock.at)
    await work()
    for order_id in ("due", "asked"):
        await write(buyer, order_id, FIVE)
    await work()
    clock.at = CLOSING + timedelta(minutes=30)  # and no worker was there
    await write(seller, "asked", GOOD)
    await work()
    assert await weights(buyer, ["asked"]) == {(1000, False): 1}
    assert await weights(buyer, ["due"]) == {(0, True): 1}


async def test_i17_old_history_in_two_uploads_is_a_repetition_as_in_one(
    caller: Caller, buyer: httpx.AsyncClient, clock: ManualClock
) -> None:
    completed = CLOSING - WINDOW
    clock.at = CLOSING + 800 * DAY
    for order_id, day in (("first", 1), ("second", 3)):
        at = {"at": (completed + day * DAY).isoformat()}
        reviews = [FIVE | {"by": "BUYER"} | at, GOOD | {"by": "SELLER"} | at]
        await bring(caller, [order_id], completed, reviews)
    assert await weights(buyer, ["first"]) == {(1000, False): 1}
    assert await weights(buyer, ["second"]) == {(0, True): 1}
