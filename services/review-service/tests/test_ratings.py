"""A storefront's numbers are those of the lists beside them, at any moment and for anybody."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from review_service.projections.ratings import COUNT
from shared_events.orders import OrderLine, OrderPlaced
from shared_events.review import (
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    WeightReason,
)
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

NOTHING = {
    "rating": None,
    "ratings": 0,
    "histogram": {"5": 0, "4": 0, "3": 0, "2": 0, "1": 0},
    "quality": None,
    "logistics": None,
    "service": None,
    "with_text": 0,
    "with_media": 0,
    "not_counted": 0,
    "exact": dict.fromkeys(
        (
            "weight_milli",
            "quality_milli",
            "service_milli",
            "logistics_milli",
            "logistics_weight_milli",
        ),
        0,
    ),
}


@pytest.fixture
def anybody(caller: Caller) -> httpx.AsyncClient:
    return caller("AUDITOR", "X")


def placed(clock: ManualClock, *skus: str, on: str = "market") -> partial[Any]:
    lines = [
        OrderLine(line_id=f"{n}", sku=sku, category="home", quantity=1, unit_price_minor=100)
        for n, sku in enumerate(skus, 1)
    ]
    return partial(
        OrderPlaced,
        marketplace_id=on,
        country="BR",
        currency="BRL",
        placed_at=clock.at,
        lines=lines,
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=100 * len(skus),
        total_ref_minor=1000,
        withdrawal_right=True,
    )


def submitted(clock: ManualClock, quality: int, logistics: int, service: int) -> partial[Any]:
    return partial(
        ReviewSubmitted,
        submitted_at=clock.at,
        quality=quality,
        logistics=logistics,
        service=service,
        incentive="NONE",
    )


def revealed(clock: ManualClock) -> partial[Any]:
    return partial(
        ReviewsRevealed,
        trigger="WINDOW_CLOSED",
        revealed_at=clock.at,
        review_ids=["R1"],
        sides=["BUYER"],
    )


def weighted(clock: ManualClock, milli: int, *, delivery: bool = True) -> partial[Any]:
    return partial(
        ReviewWeighted,
        seq=1,
        weight_milli=milli,
        reasons=[WeightReason(code="FULL", effect_milli=milli)],
        excluded_dimensions=[] if delivery else ["LOGISTICS"],
        counted_at=clock.at,
        decided_by="RULE",
    )


def reviewed(clock: ManualClock, *stars: int, milli: int = 1000) -> list[partial[Any]]:
    return [submitted(clock, *stars), revealed(clock), weighted(clock, milli)]


async def ratings(client: httpx.AsyncClient, path: str, **query: str) -> dict[str, Any]:
    answered = await client.get(f"/v1/{path}/ratings", params=query)
    assert answered.status_code == 200
    told: dict[str, Any] = answered.json()
    return told


async def test_a_shop_reads_how_many_stars_and_how_many_reviews(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    assert await ratings(anybody, "sellers/S-77") == NOTHING
    await tell("O1", *reviewed(clock, 5, 4, 5))
    await tell("O2", *reviewed(clock, 2, 1, 3))
    await tell("O3", *reviewed(clock, 1, 1, 1, milli=0))
    await work()
    told = await ratings(anybody, "sellers/S-77")
    assert (told["rating"], told["ratings"], told["not_counted"]) == (3.3, 2, 1)
    assert told["histogram"] == {"5": 1, "4": 0, "3": 0, "2": 1, "1": 0}
    assert (told["quality"], told["logistics"], told["service"]) == (3.5, 2.5, 4.0)
    assert told["exact"]["weight_milli"] == 2000


async def test_a_review_counts_as_far_as_it_is_weighed(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", *reviewed(clock, 5, 5, 5))
    await tell("O2", *reviewed(clock, 1, 1, 1, milli=250))
    await work()
    assert (await ratings(anybody, "sellers/S-77"))["rating"] == 4.2  # (5 + 1/4) / (1 + 1/4)


async def test_a_carriers_stars_are_no_part_of_a_sellers_logistics(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", *reviewed(clock, 5, 5, 5))
    carriers = [submitted(clock, 5, 1, 5), revealed(clock), weighted(clock, 1000, delivery=False)]
    await tell("O2", *carriers)
    await work()
    told = await ratings(anybody, "sellers/S-77")
    assert (told["rating"], told["logistics"]) == (5.0, 5.0)


async def test_a_mean_between_two_tenths_is_rounded_half_up(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", *reviewed(clock, 5, 5, 5, milli=50))
    await tell("O2", *reviewed(clock, 4, 4, 4, milli=950))
    await work()
    assert (await ratings(anybody, "sellers/S-77"))["rating"] == 4.1  # 4.05


async def test_a_product_has_the_ratings_of_its_marketplace_and_of_each_seller(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", placed(clock, "001", "002"), *reviewed(clock, 5, 5, 5), seller_id="alice")
    await tell("O2", placed(clock, "001"), *reviewed(clock, 1, 1, 1), seller_id="carol")
    elsewhere = placed(clock, "001", on="other")
    await tell("O3", elsewhere, *reviewed(clock, 2, 2, 2), seller_id="bob")
    await work()
    for query, rating, number in (
        ({"marketplace_id": "market"}, 3.0, 2),
        ({"marketplace_id": "market", "seller_id": "alice"}, 5.0, 1),
        ({"marketplace_id": "market", "seller_id": "bob"}, None, 0),
        ({"marketplace_id": "other"}, 2.0, 1),
    ):
        told = await ratings(anybody, "products/001", **query)
        assert (told["rating"], told["ratings"]) == (rating, number)
    assert (await ratings(anybody, "sellers/alice"))["ratings"] == 1  # however many products
    refused = await anybody.get("/v1/products/001/ratings")
    assert refused.json()["errors"] == [{"field": "marketplace_id", "bound": "required"}]


async def listed(client: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    page = (await client.get(f"/v1/{path}/reviews", params={"limit": "100"} | query)).json()
    items: list[dict[str, Any]] = page["items"]
    return items


def summed(items: list[dict[str, Any]]) -> dict[str, Any]:
    """What a reader of the list finds by himself."""
    weighed = [item for item in items if item["weight_milli"]]
    delivered = [item for item in weighed if not item["delivery_not_counted"]]
    return {
        "histogram": {s: sum(str(item["stars"]) == s for item in weighed) for s in "54321"},
        "not_counted": len(items) - len(weighed),
        "weight_milli": sum(item["weight_milli"] for item in weighed),
        "quality_milli": sum(item["weight_milli"] * item["quality"] for item in weighed),
        "service_milli": sum(item["weight_milli"] * item["service"] for item in weighed),
        "logistics_milli": sum(item["weight_milli"] * item["logistics"] for item in delivered),
        "logistics_weight_milli": sum(item["weight_milli"] for item in delivered),
    }


def anything(chance: random.Random, clock: ManualClock) -> partial[Any]:
    """An event that some review might see next."""
    stars = [chance.randint(1, 5) for _ in range(3)]
    quality, logistics, service = stars
    later = clock.at + timedelta(days=365)
    (event,) = chance.choices(
        [
            submitted(clock, *stars),
            revealed(clock),
            weighted(clock, chance.choice([0, 100, 1000]), delivery=chance.random() < 0.7),
            partial(
                ReviewRevised,
                was_quality=1,
                was_logistics=1,
                was_service=1,
                quality=quality,
                logistics=logistics,
                service=service,
            ),
            partial(ReviewHeld, ground="FAKE", hold_until=later),
            partial(ReviewReleased, how="HUMAN"),
            partial(
                ReviewRestricted,
                ground="OFFENSIVE",
                rule_ids=["R-1"],
                measures=[chance.choice(["HIDE_REVIEW", "HIDE_TEXT", "HIDE_REPLY"])],
                automated_detection=False,
                decided_by="mod-1",
                appeal_until=later,
                retain_until=later,
            ),
            partial(ReviewRestored, appeal_id="A-1"),
            partial(ReviewWithdrawn, before_reveal=False),
        ],
        weights=[3, 6, 6, 4, 2, 3, 2, 3, 1],
    )
    return event


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_to_reviews_the_numbers_are_those_of_the_lists(  # noqa: PLR0917
    anybody: httpx.AsyncClient,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    rebuilt: Callable[[], Awaitable[bool]],
    seed: int,
) -> None:
    """A law, of any history, told in batches of any size, and built again."""
    chance = random.Random(seed)
    sellers = {f"O{n}": f"S-{n % 2}" for n in range(12)}
    unplaced = {*sellers}
    found: list[int] = []

    async def hold() -> None:
        lists: list[tuple[str, dict[str, str]]]
        lists = [(f"sellers/{seller}", {}) for seller in ("S-0", "S-1")]
        lists += [(f"products/{sku}", {"marketplace_id": "market"}) for sku in ("001", "002")]
        lists.append(("products/003", {"marketplace_id": "market", "seller_id": "S-1"}))
        for path, query in lists:
            items, told = (
                await listed(anybody, path, **query),
                await ratings(anybody, path, **query),
            )
            found.append(len(items))
            assert summed(items) == {
                "histogram": told["histogram"],
                "not_counted": told["not_counted"],
            } | {name: told["exact"][name] for name in told["exact"]}

    for _ in range(30):
        for _ in range(chance.randint(1, 20)):
            order_id = chance.choice([*sellers])
            told = anything(chance, clock)
            if order_id in unplaced and chance.random() < 0.2:
                unplaced.remove(order_id)
                told = placed(clock, *chance.choices(["001", "002", "003"], k=2))
            await tell(order_id, told, seller_id=sellers[order_id])
        await work()
        await hold()
    assert await rebuilt()
    await hold()
    assert max(found) > 1


async def test_a_sellers_sums_are_found_by_all_of_their_key_while_the_table_is_new(
    pool: asyncpg.Pool,
) -> None:
    """A plan that has been made is kept: by another index each seller would be looked for among all
    of them, until there are statistics."""
    async with pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL search_path = public_reviews_g1")
        rows = await db.fetch(f"EXPLAIN (COSTS OFF) {COUNT}", ["O1", "O2"])
    plan = "\n".join(row[0] for row in rows)
    assert "Index Scan using ratings_pkey on ratings" in plan
    assert "ratings_of_product" not in plan
