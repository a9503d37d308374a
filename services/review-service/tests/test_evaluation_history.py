"""Who reads a history page by page while something of it comes to light misses nothing of it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from shared_events.orders import OrderLine, OrderPlaced
from shared_events.review import (
    EvaluationOpened,
    EvaluationPaused,
    ReviewsRevealed,
    ReviewSubmitted,
)
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]

PATH = "/v1/orders/O1/evaluation/events"
DAY = timedelta(days=1)


@pytest.fixture
async def written(clock: ManualClock, tell: Tell) -> None:
    """The buyer has written, and then a dispute was opened."""
    line = OrderLine(line_id="1", sku="LAMP", category="home", quantity=1, unit_price_minor=100)
    placed = partial(
        OrderPlaced,
        marketplace_id="market",
        country="BR",
        currency="BRL",
        placed_at=clock.at,
        lines=[line],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=100,
        total_ref_minor=1000,
        withdrawal_right=True,
    )
    opened = partial(
        EvaluationOpened,
        completed_at=clock.at,
        completion_no=1,
        opened_at=clock.at,
        closes_at=clock.at + 15 * DAY,
    )
    submitted = partial(
        ReviewSubmitted,
        submitted_at=clock.at,
        quality=5,
        logistics=4,
        service=5,
        incentive="NONE",
    )
    await tell("O1", placed, opened, submitted, paused(clock, "D1"), paused(clock, "D2"))


def paused(clock: ManualClock, cause_id: str) -> partial[Any]:
    return partial(
        EvaluationPaused,
        cause="DISPUTE",
        cause_id=cause_id,
        remaining_seconds=1,
        cap_at=clock.at + 120 * DAY,
    )


def revealed(clock: ManualClock) -> partial[Any]:
    return partial(
        ReviewsRevealed,
        trigger="BOTH_IN",
        revealed_at=clock.at,
        review_ids=["R-O1-B"],
        sides=["BUYER"],
    )


async def page(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    told: dict[str, Any] = (await client.get(PATH, params={"limit": "2"} | query)).json()
    return told


def kinds(*pages: dict[str, Any]) -> list[str]:
    return [event["type"].partition(".")[0] for told in pages for event in told["items"]]


@pytest.mark.usefixtures("written")
async def test_a_reveal_between_two_pages_is_answered_with_start_again(
    caller: Caller, clock: ManualClock, tell: Tell
) -> None:
    seller = caller("SELLER", "S-77")
    first = await page(seller)
    assert kinds(first) == ["EvaluationOpened", "EvaluationPaused"]
    await tell("O1", revealed(clock))
    refused = await seller.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")
    again = await page(seller)
    rest = await page(seller, cursor=again["next_cursor"])
    last = await page(seller, cursor=rest["next_cursor"])
    assert kinds(again, rest, last) == [
        "EvaluationOpened",
        "ReviewSubmitted",
        "EvaluationPaused",
        "EvaluationPaused",
        "ReviewsRevealed",
    ]


@pytest.mark.usefixtures("written")
async def test_an_event_is_told_in_the_same_words_before_and_after_the_reveal(
    caller: Caller, clock: ManualClock, tell: Tell
) -> None:
    seller = caller("SELLER", "S-77")
    before = (await page(seller))["items"]
    await tell("O1", revealed(clock))
    after = (await page(seller, limit="100"))["items"]
    assert [event for event in before if event not in after] == []


@pytest.mark.usefixtures("written")
async def test_what_is_hidden_from_a_reader_is_not_counted_in_his_pages(caller: Caller) -> None:
    """The buyer, who knows of the review, is given another cursor for the same event."""
    pages = [await page(caller("BUYER", "B-5"), limit="3"), await page(caller("SELLER", "S-77"))]
    of_buyer, of_seller = pages
    assert of_buyer["items"][-1]["id"] == of_seller["items"][-1]["id"]
    foreign = await caller("SELLER", "S-77").get(PATH, params={"cursor": of_buyer["next_cursor"]})
    assert foreign.status_code == 422


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(("role", "who"), [("BUYER", "B-5"), ("SELLER", "S-77")])
@pytest.mark.parametrize("path", [PATH, "/v1/orders/O1/events"])
async def test_a_party_is_told_no_place_in_the_log(
    caller: Caller, role: str, who: str, path: str
) -> None:
    """How much lies between two events would tell how much others sell."""
    items = (await caller(role, who).get(path)).json()["items"]
    assert items
    assert {frozenset(event) for event in items} == {
        frozenset({"id", "type", "time", "actor", "data"})
    }
