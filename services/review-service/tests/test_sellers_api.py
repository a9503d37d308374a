"""What buyers say of a seller is for everybody to read, newest first, from the reveal on."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from review_service.api.bulk import NDJSON
from review_service.api.callers import EVERYBODY
from review_service.api.examples import LINE, line_of
from review_service.queries import SELLER_REVIEWS_AFTER, SELLER_REVIEWS_FIRST
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]

PATH = "/v1/sellers/S-77/reviews"
FIRST = datetime(2026, 1, 16, tzinfo=UTC)
MANY = 100_000
FILL = """
    INSERT INTO seller_reviews_g1.seller_reviews
        (order_id, seller_id, review_id, quality, logistics, service, weight_milli, reasons,
         revealed_at)
    SELECT 'O' || n, 'S-77', 'R' || n, 5, 4, 3, 1000, '[{"code": "FULL", "effect_milli": 1000}]',
           timestamptz '2026-01-01Z' + (n % 5000) * interval '1 minute'
    FROM generate_series(1, $1::int) AS n
"""


def reviewed(n: int, **order: str) -> dict[str, Any]:
    """An order whose reviews are revealed when its seller writes, an hour after the one before."""
    told = deepcopy(LINE)
    told["order"] |= {"order_id": f"O{n}"} | order
    at = (FIRST + timedelta(hours=n)).isoformat().replace("+00:00", "Z")
    for review in told["reviews"]:
        review |= {"at": at, "review_id": f"R{n}{review['by'][0]}"}
    return told


async def bring(client: httpx.AsyncClient, *lines: dict[str, Any]) -> list[str]:
    """The tokens of what was brought."""
    answered = await client.post(
        "/v1/orders/bulk",
        content="".join(map(line_of, lines)),
        headers={"Content-Type": NDJSON},
    )
    *_, summary = answered.text.splitlines()
    tokens: list[str] = httpx.Response(200, text=summary).json()["tokens"]
    return tokens


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


async def pages(client: httpx.AsyncClient, limit: int) -> list[list[str]]:
    told: list[list[str]] = []
    query = {"limit": str(limit)}
    while True:
        page = (await client.get(PATH, params=query)).json()
        told.append([item["review_id"] for item in page["items"]])
        if page["next_cursor"] is None:
            return told
        query["cursor"] = page["next_cursor"]


@pytest.fixture
def importer(caller: Caller, clock: ManualClock) -> httpx.AsyncClient:
    clock.at = datetime(2026, 1, 25, tzinfo=UTC)
    return caller("IMPORTER", "olist")


async def test_a_revealed_review_is_there_for_every_role(
    importer: httpx.AsyncClient, caller: Caller, work: Work
) -> None:
    hidden = reviewed(2)
    del hidden["reviews"][1]
    await bring(importer, reviewed(1), hidden, reviewed(3, seller_id="S-78"))
    await work()
    for role in EVERYBODY:
        page = (await caller(role, "X").get(PATH)).json()
        assert page == {
            "items": [
                {
                    "review_id": "R1B",
                    "quality": 5,
                    "logistics": 4,
                    "service": 5,
                    "weight_milli": 1000,
                    "reasons": [{"code": "FULL", "effect_milli": 1000}],
                    "verified_purchase": True,
                    "revealed_at": "2026-01-16T01:00:00Z",
                }
            ],
            "next_cursor": None,
        }


async def test_the_newest_comes_first_and_pages_neither_skip_nor_repeat(
    importer: httpx.AsyncClient, work: Work
) -> None:
    same = [reviewed(7, order_id=f"same{n}") for n in range(4)]  # one id, one instant, four orders
    await bring(importer, *(reviewed(n) for n in range(5, 10) if n != 7), *same)
    await work()
    newest = ["R9B", "R8B", *["R7B"] * 4, "R6B", "R5B"]
    assert await pages(importer, 100) == [newest]
    for limit in (1, 2, 3):
        told = await pages(importer, limit)
        assert [each for page in told for each in page] == newest
        assert {len(page) for page in told[:-1]} == {limit}


async def test_a_page_belongs_to_its_list(importer: httpx.AsyncClient, work: Work) -> None:
    await bring(importer, reviewed(1), reviewed(2))
    await work()
    cursor = (await importer.get(PATH, params={"limit": 1})).json()["next_cursor"]
    other = await importer.get("/v1/sellers/S-78/reviews", params={"cursor": cursor})
    assert slug(other) == (422, "invalid-value")
    assert slug(await importer.get(PATH, params={"cursor": "made up"})) == (422, "invalid-value")
    assert slug(await importer.get(PATH, params={"limit": 0})) == (422, "invalid-value")
    nobody = await importer.get("/v1/sellers/nobody/reviews")
    assert nobody.json() == {"items": [], "next_cursor": None}


async def test_a_read_with_a_token_shows_what_it_stands_for_or_says_that_it_cannot_yet(
    importer: httpx.AsyncClient, work: Work
) -> None:
    """I11."""
    tokens = await bring(importer, reviewed(1))
    (token,) = [token for token in tokens if token.startswith("review.events/")]
    headers = {"Consistency-Token": token}
    early = await importer.get(PATH, headers=headers)
    assert slug(early) == (503, "not-yet-visible")
    assert early.headers["Retry-After"] == "1"
    await work()
    assert len((await importer.get(PATH, headers=headers)).json()["items"]) == 1


async def test_a_page_of_many_reviews_is_read_from_the_index(
    database: Database, pool: asyncpg.Pool, importer: httpx.AsyncClient
) -> None:
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(FILL.replace("$1", str(MANY)))
        await owner.execute("ANALYZE seller_reviews_g1.seller_reviews")
    finally:
        await owner.close()
    middle = (datetime(2026, 1, 2, tzinfo=UTC), "R5", "")
    for query, arguments in (
        (SELLER_REVIEWS_FIRST, ("S-77", 21)),
        (SELLER_REVIEWS_AFTER, ("S-77", 21, *middle)),
    ):
        rows = await pool.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {query}", *arguments)
        plan = "\n".join(row[0] for row in rows)
        assert "Index Scan Backward using seller_reviews_newest" in plan
        assert "Sort" not in plan
        assert "rows=21" in plan
    page = (await importer.get(PATH, params={"limit": 100})).json()
    assert len(page["items"]) == 100
    assert page["next_cursor"]
