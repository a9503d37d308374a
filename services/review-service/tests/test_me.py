"""Somebody sees his own orders and reviews, with what he can still do, and nothing of the others'
that he may not know.
"""

import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.order import Stage
from review_service.domain.streams import review_id_of
from review_service.queries.own_orders import WantedOrders
from review_service.queries.own_reviews import WantedOwnReviews
from review_service.testing.refs import review_ref
from shared_events.orders import OrderCancelled, OrderReopened
from shared_events.review import Side
from shared_runtime.pages import PageStart
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]
type Bring = Callable[..., Awaitable[None]]

ORDERS, REVIEWS = "/v1/me/orders", "/v1/me/reviews"
COMPLETED = datetime(2026, 1, 15, 18, tzinfo=UTC)
DAY = timedelta(days=1)
FIVE = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE", "text": "Bright."}
GOOD = {"rating": 5}
STEPS = ("paid", "shipped", "delivered", "completed")


@pytest.fixture
def bring(caller: Caller, clock: ManualClock, work: Work) -> Bring:
    """Orders, one placed a second after the other, that have come so far: completed if not said."""

    async def bring(
        *order_ids: str, up_to: str = "completed", buyer_id: str = "B-5", seller_id: str = "S-77"
    ) -> None:
        clock.at = max(clock.at, COMPLETED)
        steps = STEPS[: STEPS.index(up_to) + 1] if up_to in STEPS else ()
        lines: list[str] = []
        for number, order_id in enumerate(order_ids):
            told = {name: deepcopy(LINE[name]) for name in ("order", *steps)}
            told["order"] |= {"order_id": order_id, "buyer_id": buyer_id, "seller_id": seller_id}
            placed_at = datetime.fromisoformat(told["order"]["placed_at"])
            told["order"]["placed_at"] = (placed_at + timedelta(seconds=number)).isoformat()
            lines.append(line_of(told))
        answered = await caller("IMPORTER", "olist").post(
            "/v1/orders/bulk", content="".join(lines), headers={"Content-Type": NDJSON}
        )
        assert answered.text.count('"order":"accepted"') == len(order_ids), answered.text
        await work()

    return bring


async def write(
    client: httpx.AsyncClient, order_id: str, body: dict[str, Any], path: str = ""
) -> None:
    answered = await client.post(
        f"/v1/orders/{order_id}/evaluation/reviews{path}",
        json=body,
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answered.status_code == 201, answered.text


async def withdraw(client: httpx.AsyncClient, order_id: str, side: Side) -> None:
    await write(client, order_id, {}, f"/{review_id_of(order_id, side)}/withdrawal")


async def items(client: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    answered = await client.get(path, params=query)
    assert answered.status_code == 200, answered.text
    told: list[dict[str, Any]] = answered.json()["items"]
    return told


async def ids(client: httpx.AsyncClient, path: str, **query: str) -> list[str]:
    return [each["order_id"] for each in await items(client, path, **query)]


async def all_pages(
    client: httpx.AsyncClient, path: str, limit: int, **query: str
) -> list[tuple[str, str | None]]:
    told: list[tuple[str, str | None]] = []
    query = {"limit": str(limit)} | query
    while True:
        page = (await client.get(path, params=query)).json()
        assert len(page["items"]) <= limit
        told += [(each["order_id"], each.get("kind")) for each in page["items"]]
        if page["next_cursor"] is None:
            return told
        query["cursor"] = page["next_cursor"]


async def test_an_order_is_listed_with_how_far_it_has_come_and_what_is_left_to_do(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    await bring("O1")
    (told,) = await items(buyer, ORDERS)
    assert told == {
        "order_id": "O1",
        "side": "BUYER",
        "seller_id": "S-77",
        "buyer_id": "B-5",
        "marketplace_id": LINE["order"]["marketplace_id"],
        "stage": "COMPLETED",
        "total": LINE["order"]["total"],
        "placed_at": told["placed_at"],
        "delivered_at": told["delivered_at"],
        "auto_complete_at": None,
        "completed_at": "2026-01-15T18:00:00Z",
        "cancelled_at": None,
        "reviewable": {"state": "OPEN", "closes_at": "2026-01-30T18:00:00Z", "cap_at": None},
        "own_review": None,
    }
    assert [{**each, "side": "BUYER"} for each in await items(seller, ORDERS)] == [told]


async def test_each_step_of_an_order_shows(
    bring: Bring, buyer: httpx.AsyncClient, tell: Tell, clock: ManualClock, work: Work
) -> None:
    for number, step in enumerate(("placed", *STEPS)):
        await bring(f"O{number}", up_to=step)
    told = {each["order_id"]: each for each in await items(buyer, ORDERS)}
    stages = {name: each["stage"] for name, each in told.items()}
    assert stages == {
        "O0": "PLACED",
        "O1": "PAID",
        "O2": "SHIPPED",
        "O3": "DELIVERED",
        "O4": "COMPLETED",
    }
    assert [name for name, each in told.items() if each["auto_complete_at"]] == ["O3"]
    assert [name for name, each in told.items() if each["reviewable"]] == ["O4"]
    reopened = partial(OrderReopened, reopened_at=clock.at, completion_no=1)
    await tell("O3", partial(OrderCancelled, cancelled_at=clock.at, by="SELLER", reason="LOST"))
    await tell("O4", partial(reopened, reason="PAYMENT_REVERSED"))
    await work()
    told = {each["order_id"]: each for each in await items(buyer, ORDERS)}
    assert (told["O3"]["stage"], told["O3"]["cancelled_at"]) == (
        "CANCELLED",
        "2026-01-15T18:00:00Z",
    )
    assert told["O3"]["auto_complete_at"] is None
    assert (told["O4"]["stage"], told["O4"]["completed_at"]) == ("SHIPPED", None)
    assert told["O4"]["delivered_at"] is not None
    await tell("O4", partial(reopened, reason="CARRIER_CORRECTION"))
    await work()
    assert (await items(buyer, ORDERS))[-1]["delivered_at"] is None


async def test_orders_come_newest_first_and_pages_neither_skip_nor_repeat(
    bring: Bring, buyer: httpx.AsyncClient
) -> None:
    await bring("O1", "O2", "O3", "O4", "O5")
    await bring("O9", buyer_id="B-6")
    newest = ["O5", "O4", "O3", "O2", "O1"]
    assert await ids(buyer, ORDERS) == newest
    for limit in (1, 2, 5, 6):
        assert [name for name, _ in await all_pages(buyer, ORDERS, limit)] == newest
        kept = await all_pages(buyer, ORDERS, limit, stage="COMPLETED")
        assert [name for name, _ in kept] == newest


async def test_orders_can_be_chosen_by_stage_and_marketplace(
    bring: Bring, buyer: httpx.AsyncClient
) -> None:
    await bring("O1", up_to="paid")
    await bring("O2")
    market = LINE["order"]["marketplace_id"]
    assert await ids(buyer, ORDERS, stage="PAID") == ["O1"]
    assert await ids(buyer, ORDERS, stage="COMPLETED", marketplace_id=market) == ["O2"]
    assert await ids(buyer, ORDERS, marketplace_id="elsewhere") == []
    assert (await buyer.get(ORDERS, params={"stage": "LOST"})).status_code == 422
    page = (await buyer.get(ORDERS, params={"limit": 1})).json()
    foreign = await buyer.get(ORDERS, params={"cursor": page["next_cursor"], "stage": "PAID"})
    assert foreign.status_code == 422  # a cursor belongs to its list


async def test_an_order_can_be_reviewed_up_to_its_end_and_once(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    await bring("O1", "O2")
    await write(buyer, "O2", FIVE)
    await work()
    clock.advance(15 * DAY - timedelta(microseconds=1))
    two, one = await items(buyer, ORDERS)
    assert (one["reviewable"]["closes_at"], one["own_review"]) == ("2026-01-30T18:00:00Z", None)
    assert (two["reviewable"], two["own_review"]) == (None, review_ref("O2", "BUYER"))
    assert all(each["reviewable"] for each in await items(seller, ORDERS))
    clock.advance(timedelta(microseconds=1))
    assert not any(each["reviewable"] for each in await items(seller, ORDERS))


async def test_the_lists_are_the_same_whether_or_not_the_other_side_has_written(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    """Law 9: also after it took back what it had written, and after one of the two was revealed."""
    await bring("O1", "O2", "O3")
    await write(seller, "O1", GOOD)
    await work()
    orders, reviews = await items(seller, ORDERS), await items(seller, REVIEWS)
    assert [each["order_id"] for each in reviews] == ["O1"]
    await write(buyer, "O2", FIVE)
    await write(buyer, "O3", FIVE)
    await withdraw(buyer, "O3", "BUYER")
    await work()
    assert await items(seller, ORDERS) == orders
    assert await items(seller, REVIEWS) == reviews
    first = PageStart(limit=20, after=None, cursor=str)
    sql, _ = WantedOrders(side="BUYER", account="B-5").sql(first, COMPLETED)
    assert "seller_wrote" not in sql


async def test_what_one_wrote_is_his_at_once_and_the_others_from_the_reveal_on(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    await bring("O1")
    await write(buyer, "O1", FIVE)
    await work()
    assert await items(seller, REVIEWS) == []
    (own,) = await items(buyer, REVIEWS)
    assert (own["kind"], own["state"], own["revealed_at"]) == ("WRITTEN", "OPEN", None)
    assert own["closes_at"] == "2026-01-30T18:00:00Z"
    assert (own["review"]["status"], own["review"]["text"]) == ("SUBMITTED", "Bright.")
    clock.advance(DAY)
    await write(seller, "O1", GOOD)
    await work()
    received, own = await items(buyer, REVIEWS)
    assert (received["kind"], received["review"]["by"]) == ("RECEIVED", "SELLER")
    assert (received["at"], received["review"]["rating"]) == ("2026-01-16T18:00:00Z", 5)
    assert (own["at"], own["state"]) == ("2026-01-15T18:00:00Z", "REVEALED")
    assert own["revealed_at"] == received["revealed_at"] == "2026-01-16T18:00:00Z"
    of_seller = await items(seller, REVIEWS)
    assert [each["review"]["by"] for each in of_seller] == ["SELLER", "BUYER"]
    assert [each["kind"] for each in of_seller] == ["WRITTEN", "RECEIVED"]
    assert of_seller[1]["review"]["text"] == "Bright."


async def test_a_reply_shows_with_the_review_that_it_answers(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    await bring("O1")
    await write(buyer, "O1", FIVE)
    await write(seller, "O1", GOOD)
    await write(seller, "O1", {"text": "Thank you."}, f"/{review_id_of('O1', 'BUYER')}/reply")
    await work()
    for client, kind in ((buyer, "WRITTEN"), (seller, "RECEIVED")):
        (told,) = await items(client, REVIEWS, kind=kind)
        assert told["review"]["reply"]["text"] == "Thank you."


async def test_what_a_moderator_hides_is_its_writers_alone(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, caller: Caller, work: Work
) -> None:
    await bring("O1")
    await write(buyer, "O1", FIVE)
    await write(seller, "O1", GOOD)
    held = await caller("MODERATOR", "mod-1").post(
        f"/v1/reviews/{review_ref('O1', 'BUYER')}/holds",
        json={"ground": "FAKE"},
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert held.status_code == 201, held.text
    await work()
    (own,) = await items(buyer, REVIEWS, kind="WRITTEN")
    assert (own["review"]["status"], own["review"]["text"]) == ("HELD", "Bright.")
    assert own["review"]["hold"]["ground"] == "FAKE"
    (received,) = await items(seller, REVIEWS, kind="RECEIVED")
    assert (received["review"]["status"], received["review"]["text"]) == ("HELD", None)
    assert (received["review"]["quality"], received["review"]["hold"]) == (None, None)


async def test_what_was_withdrawn_before_the_reveal_is_gone_and_after_it_still_told(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    await bring("O1")
    await write(buyer, "O1", FIVE)
    await withdraw(buyer, "O1", "BUYER")
    assert await items(buyer, REVIEWS) == []  # also before the list has heard of it
    await work()
    assert await items(buyer, REVIEWS) == []
    await write(buyer, "O1", FIVE)
    await write(seller, "O1", GOOD)
    await withdraw(buyer, "O1", "BUYER")
    await work()
    (received,) = await items(seller, REVIEWS, kind="RECEIVED")
    assert (received["review"]["status"], received["review"]["text"]) == ("WITHDRAWN", None)


async def test_pages_of_written_and_received_neither_skip_nor_repeat(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    """All of one instant: told apart by the order, and by whose it is."""
    await bring("O1", "O2", "O3")
    for order_id in ("O1", "O2", "O3"):
        await write(buyer, order_id, FIVE)
        await write(seller, order_id, GOOD)
    await work()
    told = [(order_id, kind) for order_id in ("O3", "O2", "O1") for kind in ("WRITTEN", "RECEIVED")]
    for limit in (1, 2, 4, 6, 7):
        assert await all_pages(buyer, REVIEWS, limit) == told
    written = [each for each in told if each[1] == "WRITTEN"]
    assert await all_pages(buyer, REVIEWS, 2, kind="WRITTEN") == written


async def test_a_member_of_a_seller_sees_the_sellers_and_a_stranger_nothing(
    bring: Bring, buyer: httpx.AsyncClient, caller: Caller, work: Work
) -> None:
    await bring("O1")
    await write(buyer, "O1", FIVE)
    await write(caller("SELLER", "S-77"), "O1", GOOD)
    await work()
    for member in (caller("SELLER", "clerk", seller_id="S-77"), caller("SELLER", "S-77")):
        assert await ids(member, ORDERS) == ["O1"]
        assert await ids(member, REVIEWS) == ["O1", "O1"]
    for stranger in (
        caller("SELLER", "S-77", seller_id="S-78"),
        caller("SELLER", "B-5"),
        caller("BUYER", "S-77"),
        caller("BUYER", "B-6"),
    ):
        assert await ids(stranger, ORDERS) == await ids(stranger, REVIEWS) == []


async def test_who_buys_and_sells_says_as_which_he_asks(bring: Bring, caller: Caller) -> None:
    await bring("O1", buyer_id="X")
    await bring("O2", seller_id="X")
    both = caller("BUYER", "X", "SELLER")
    assert await ids(both, ORDERS) == ["O1"]
    assert await ids(both, ORDERS, side="SELLER") == ["O2"]
    for path in (ORDERS, REVIEWS):
        refused = await caller("BUYER", "X").get(path, params={"side": "SELLER"})
        assert refused.status_code == 403
        assert (await caller("MODERATOR", "X").get(path)).status_code == 403


async def test_built_again_they_are_the_same(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    work: Work,
    rebuilt: Callable[[], Awaitable[bool]],
) -> None:
    await bring("O1", "O2", "O3")
    await bring("O4", up_to="delivered")
    await write(buyer, "O1", FIVE)
    await write(seller, "O1", GOOD)
    await write(buyer, "O2", FIVE)
    await withdraw(buyer, "O2", "BUYER")
    await work()
    assert await rebuilt()


FILL = """
    INSERT INTO own_orders_g1.own_orders
        (order_id, seller_id, buyer_id, marketplace_id, stage, total_minor, currency, placed_at)
    SELECT 'O' || n, 'S-77', 'B' || n, 'market',
           CASE WHEN n % 1000 = 0 THEN 'PAID' ELSE 'COMPLETED' END, 1, 'EUR',
           timestamptz '2026-01-01Z' + n * interval '1 minute'
    FROM generate_series(1, 20000) AS n;
    INSERT INTO own_reviews_g1.own_reviews
        (order_id, seller_id, buyer_id, buyer_wrote_at, seller_wrote_at, revealed_at)
    SELECT order_id, seller_id, buyer_id, placed_at, placed_at, placed_at
    FROM own_orders_g1.own_orders;
"""


async def test_a_page_of_many_is_read_from_the_index_of_its_order(
    database: Database, pool: asyncpg.Pool
) -> None:
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute(FILL)
    await owner.execute("ANALYZE own_orders_g1.own_orders, own_reviews_g1.own_reviews")
    await owner.close()
    middle = "2026-01-08T00:00:00Z"
    stages: dict[Stage | None, str] = {
        None: "own_orders_of_seller",
        "PAID": "own_orders_of_seller_and_stage",
    }
    for last in (None, (middle, "O5")):
        start = PageStart(limit=50, after=last, cursor=str)
        for stage, index in stages.items():
            wanted = WantedOrders(side="SELLER", account="S-77", stage=stage)
            sql, values = wanted.sql(start, COMPLETED)
            told = await plan(pool, sql, values)
            assert f"Index Scan Backward using {index}" in told
            assert "Seq Scan on own_orders" not in told
    for behind in (None, (middle, "O5", "WRITTEN")):
        start = PageStart(limit=50, after=behind, cursor=str)
        sql, values = WantedOwnReviews(side="SELLER", account="S-77").sql(start)
        told = await plan(pool, sql, values)
        for index in ("written_by_seller", "received_by_seller"):
            assert f"Index Scan Backward using {index}" in told
        assert max(map(int, re.findall(r"actual rows=(\d+)", told))) <= 2 * 51


async def plan(pool: asyncpg.Pool, sql: str, values: list[Any]) -> str:
    told = await pool.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", *values)
    return "\n".join(row[0] for row in told)
