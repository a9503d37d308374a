"""The reviews of a product are those of the orders that it was in, whichever was told first."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from review_service.queries.reviews import Sort, WantedReviews, of_product
from review_service.testing.refs import reviews_in
from shared_events.orders import OrderLine, OrderPlaced
from shared_events.review import (
    ReviewHeld,
    ReviewReleased,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    WeightReason,
)
from shared_runtime.pages import PageStart
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

MANY = 20_000
FILL = """
    INSERT INTO public_reviews_g1.public_reviews
        (order_id, seller_id, review_id, quality, logistics, service, incentive, media,
         revealed_at, weight_milli, reasons, delivery_counted, held, measures, hidden,
         withdrawn, usefulness)
    SELECT 'O' || n, 'S' || n % 50, 'R' || n, 5, 4, 5, 'NONE', '[]',
           timestamptz '2026-01-01Z' + (n % 5000) * interval '1 minute', 1000,
           '[{"code": "FULL", "effect_milli": 1000}]', true, false, '[]', '[]', false, 1000
    FROM generate_series(1, $1::int) AS n;
    INSERT INTO public_reviews_g1.product_reviews
        (order_id, marketplace_id, seller_id, sku, stars, usefulness, usefulness_voted, has_text,
         has_media, revealed_at, tie)
    SELECT order_id, 'market', seller_id, 'LAMP-4', stars, usefulness, usefulness_voted, has_text,
           has_media, revealed_at, tie
    FROM public_reviews_g1.public_reviews;
"""


def placed(clock: ManualClock, *skus: str, on: str = "market") -> partial[Any]:
    return partial(
        OrderPlaced,
        marketplace_id=on,
        country="BR",
        currency="BRL",
        placed_at=clock.at,
        lines=[
            OrderLine(
                line_id=f"{number}", sku=sku, category="home", quantity=1, unit_price_minor=100
            )
            for number, sku in enumerate(skus, 1)
        ],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=100 * len(skus),
        total_ref_minor=1000,
        withdrawal_right=True,
    )


def reviewed(clock: ManualClock, stars: int = 5) -> list[partial[Any]]:
    """Submitted, revealed and weighted."""
    return [
        partial(
            ReviewSubmitted,
            submitted_at=clock.at,
            quality=stars,
            logistics=stars,
            service=stars,
            incentive="NONE",
        ),
        partial(
            ReviewsRevealed,
            trigger="WINDOW_CLOSED",
            revealed_at=clock.at,
            review_ids=["R1"],
            sides=["BUYER"],
        ),
        partial(
            ReviewWeighted,
            seq=1,
            weight_milli=1000,
            reasons=[WeightReason(code="FULL", effect_milli=1000)],
            excluded_dimensions=[],
            counted_at=clock.at,
            decided_by="RULE",
        ),
    ]


@pytest.fixture
def anybody(caller: Caller) -> httpx.AsyncClient:
    return caller("AUDITOR", "X")


async def of(client: httpx.AsyncClient, sku: str, **query: str) -> list[str]:
    asked = {"marketplace_id": "market"} | query
    page = (await client.get(f"/v1/products/{sku}/reviews", params=asked)).json()
    return reviews_in(page)


async def test_a_review_of_an_order_of_two_products_is_among_those_of_both(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", placed(clock, "LAMP", "SHADE", "LAMP"), *reviewed(clock))
    clock.advance(timedelta(hours=1))
    await tell("O2", placed(clock, "LAMP"), *reviewed(clock, stars=2), seller_id="S-78")
    await work()
    assert await of(anybody, "LAMP") == ["O2", "O1"]
    assert await of(anybody, "SHADE") == ["O1"]
    assert await of(anybody, "LAMP", stars="2", sort="most_useful") == ["O2"]
    assert await of(anybody, "CHAIR") == []
    query = {"marketplace_id": "market", "limit": "1"}
    first = await anybody.get("/v1/products/LAMP/reviews", params=query)
    assert await of(anybody, "LAMP", cursor=first.json()["next_cursor"]) == ["O1"]


async def test_a_sku_is_a_product_of_its_marketplace_and_with_a_seller_of_his(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", placed(clock, "001"), *reviewed(clock), seller_id="alice")
    await tell("O2", placed(clock, "001"), *reviewed(clock, stars=4), seller_id="carol")
    await tell("O3", placed(clock, "001", on="other"), *reviewed(clock, stars=1), seller_id="bob")
    await work()
    for query, told in (
        ({"marketplace_id": "market"}, [("market", "alice", 5), ("market", "carol", 4)]),
        ({"marketplace_id": "market", "seller_id": "alice"}, [("market", "alice", 5)]),
        ({"marketplace_id": "market", "seller_id": "alice", "stars": "4"}, []),
        ({"marketplace_id": "other"}, [("other", "bob", 1)]),
        ({"marketplace_id": "market", "seller_id": "bob"}, []),
        ({"marketplace_id": "nowhere"}, []),
    ):
        page = (await anybody.get("/v1/products/001/reviews", params=query)).json()
        names = [
            (item["marketplace_id"], item["seller_id"], item["stars"]) for item in page["items"]
        ]
        assert sorted(names) == told
    refused = await anybody.get("/v1/products/001/reviews")
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "marketplace_id", "bound": "required"}]
    (of_seller,) = (await anybody.get("/v1/sellers/bob/reviews")).json()["items"]
    assert (of_seller["marketplace_id"], of_seller["seller_id"]) == ("other", "bob")


async def test_a_page_of_a_product_belongs_to_its_marketplace_and_seller(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    for order_id in ("O1", "O2"):
        await tell(order_id, placed(clock, "LAMP"), *reviewed(clock))
    await work()
    path, query = "/v1/products/LAMP/reviews", {"marketplace_id": "market", "limit": "1"}
    cursor = (await anybody.get(path, params=query)).json()["next_cursor"]
    for other in ({"marketplace_id": "other"}, {"marketplace_id": "market", "seller_id": "S-77"}):
        refused = await anybody.get(path, params=other | {"cursor": cursor})
        assert refused.status_code == 422


@pytest.mark.parametrize("order_first", [True, False])
async def test_order_and_review_may_be_read_in_either_order(
    anybody: httpx.AsyncClient,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    rebuilt: Callable[[], Awaitable[bool]],
    *,
    order_first: bool,
) -> None:
    order, review = [placed(clock, "LAMP", "SHADE")], reviewed(clock)
    for events in (order, review) if order_first else (review, order):
        assert await of(anybody, "LAMP") == []
        await tell("O1", *events)
        await work()
    assert await of(anybody, "LAMP") == await of(anybody, "SHADE") == ["O1"]
    assert await rebuilt()
    assert await of(anybody, "LAMP") == ["O1"]


async def test_nothing_is_there_before_the_reveal_or_while_it_is_held(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, pool: asyncpg.Pool
) -> None:
    submission, *reveal = reviewed(clock)
    await tell("O1", placed(clock, "LAMP"), submission)
    await work()
    assert await of(anybody, "LAMP") == []
    assert await pool.fetchval("SELECT count(*) FROM read.product_reviews") == 0
    await tell("O1", *reveal)
    await work()
    assert await of(anybody, "LAMP") == ["O1"]
    held = partial(ReviewHeld, ground="FAKE", hold_until=clock.at + timedelta(days=3))
    await tell("O1", held)
    await work()
    assert await of(anybody, "LAMP") == []
    await tell("O1", partial(ReviewReleased, how="HOLD_EXPIRED"))
    await work()
    assert await of(anybody, "LAMP") == ["O1"]


@pytest.mark.usefixtures("impatient")
async def test_a_token_of_either_topic_is_waited_for(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, pool: asyncpg.Pool
) -> None:
    await tell("O1", placed(clock, "LAMP"), *reviewed(clock))
    partition = await pool.fetchval("SELECT partition FROM es.event LIMIT 1")
    path = "/v1/products/LAMP/reviews?marketplace_id=market"
    tokens = [f"orders.events/{partition}:1", f"review.events/{partition}:3"]
    early = await anybody.get(path, headers={"Consistency-Token": tokens[0]})
    assert (early.status_code, early.json()["type"]) == (503, "/problems/not-yet-visible")
    await work()
    for token in tokens:
        page = await anybody.get(path, headers={"Consistency-Token": token})
        assert len(page.json()["items"]) == 1
    other = await anybody.get(path, headers={"Consistency-Token": "dispute.events/1:1"})
    assert other.status_code == 422


async def test_reviews_of_a_product_are_found_by_when_they_were_revealed(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", placed(clock, "LAMP"), *reviewed(clock))
    clock.advance(timedelta(hours=1))
    at = clock().isoformat().replace("+00:00", "Z")
    await tell("O2", placed(clock, "LAMP"), *reviewed(clock))
    await work()
    assert await of(anybody, "LAMP", since=at) == ["O2"]
    assert await of(anybody, "LAMP", until=at) == ["O1"]
    assert await of(anybody, "LAMP", verified="false") == []


async def test_a_page_of_many_reviews_is_read_from_the_index_of_its_order(
    database: Database, pool: asyncpg.Pool, anybody: httpx.AsyncClient
) -> None:
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(FILL.replace("$1", str(MANY)))
        await owner.execute("ANALYZE public_reviews_g1.product_reviews")
        await owner.execute("ANALYZE public_reviews_g1.public_reviews")
    finally:
        await owner.close()
    cases: list[tuple[Sort, str | None, str]] = [
        ("newest", None, "product_reviews_newest"),
        ("most_useful", None, "product_reviews_useful"),
        ("newest", "S7", "sellers_product_reviews_newest"),
        ("most_useful", "S7", "sellers_product_reviews_useful"),
    ]
    for sort, seller_id, index in cases:
        wanted = WantedReviews(of=of_product("LAMP-4", "market", seller_id), sort=sort)
        sql, values = wanted.sql(PageStart(limit=50, after=None, cursor=str))
        rows = await pool.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {sql}", *values)
        plan = "\n".join(row[0] for row in rows)
        assert f"Index Scan Backward using {index} " in plan
        assert "Seq Scan" not in plan
    for whose in ({}, {"seller_id": "S7"}):
        asked = {"marketplace_id": "market", "limit": "50"} | whose
        page = (await anybody.get("/v1/products/LAMP-4/reviews", params=asked)).json()
        assert len(page["items"]) == 50
