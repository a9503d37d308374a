"""A party sees which of its orders it can review, and until when; of the other side, nothing."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
from review_service.queries.reviewable import reviewable_query
from shared_events.review import (
    EvaluationClosed,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.pages import PageStart
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

PATH = "/v1/reviewable-orders"
DAY = timedelta(days=1)


def opened(clock: ManualClock, days: int) -> partial[Any]:
    """The evaluation of an order that has just been completed, open for so many days."""
    return partial(
        EvaluationOpened,
        completed_at=clock.at,
        completion_no=1,
        opened_at=clock.at,
        closes_at=clock.at + days * DAY,
    )


def paused(clock: ManualClock, days: int) -> partial[Any]:
    return partial(
        EvaluationPaused,
        cause="DISPUTE",
        cause_id="D1",
        remaining_seconds=1,
        cap_at=clock.at + days * DAY,
    )


def submitted(clock: ManualClock, side: Side) -> partial[Any]:
    submission = partial(ReviewSubmitted, side=side, submitted_at=clock.at, incentive="NONE")
    if side == "SELLER":
        return partial(submission, rating=5)
    return partial(submission, quality=5, logistics=4, service=5)


async def orders_of(client: httpx.AsyncClient, **query: str) -> list[str]:
    page = (await client.get(PATH, params=query)).json()
    return [item["order_id"] for item in page["items"]]


async def test_those_that_close_soonest_come_first_and_pages_neither_skip_nor_repeat(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    buyer = caller("BUYER", "B-5")
    for number, days in enumerate((9, 3, 7, 3, 12)):
        await tell(f"O{number}", opened(clock, days))
    await tell("O9", opened(clock, 1), buyer_id="B-6")
    await work()
    soonest = ["O1", "O3", "O2", "O0", "O4"]
    assert await orders_of(buyer) == soonest
    for limit in (1, 2, 3):
        told: list[str] = []
        query = {"limit": str(limit)}
        while True:
            page = (await buyer.get(PATH, params=query)).json()
            told += [item["order_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert told == soonest


async def test_an_order_is_told_with_its_end_or_with_the_end_of_its_pause(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", opened(clock, 15))
    await tell("O2", opened(clock, 15), paused(clock, 120), paused(clock, 130))
    await work()
    one, two = (await caller("BUYER", "B-5").get(PATH)).json()["items"]
    assert one == {
        "order_id": "O1",
        "side": "BUYER",
        "seller_id": "S-77",
        "buyer_id": "B-5",
        "state": "OPEN",
        "completed_at": "2026-01-15T12:00:00Z",
        "closes_at": "2026-01-30T12:00:00Z",
        "cap_at": None,
    }
    assert (two["state"], two["closes_at"], two["cap_at"]) == (
        "PAUSED",
        None,
        "2026-05-15T12:00:00Z",
    )


async def test_an_order_is_there_until_its_window_closes_whether_or_not_the_timer_has_fired(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    buyer = caller("BUYER", "B-5")
    await tell("O1", opened(clock, 15))
    await tell("O2", opened(clock, 15), paused(clock, 15))
    await work()
    clock.advance(15 * DAY - timedelta(microseconds=1))
    assert await orders_of(buyer) == ["O1", "O2"]
    clock.advance(timedelta(microseconds=1))
    assert await orders_of(buyer) == ["O2"]  # a pause may be written in whatever the date
    resumed = partial(EvaluationResumed, open_causes=[], closes_at=clock.at + DAY)
    await tell("O2", partial(EvaluationResumed, cause_id="D1", open_causes=["D2"]))
    await work()
    assert (await buyer.get(PATH)).json()["items"][0]["state"] == "PAUSED"
    await tell("O2", resumed)
    await work()
    assert (await buyer.get(PATH)).json()["items"][0]["closes_at"] == "2026-01-31T12:00:00Z"


async def test_what_one_has_written_is_gone_until_it_is_withdrawn_before_the_reveal(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    buyer, seller = caller("BUYER", "B-5"), caller("SELLER", "S-77")
    await tell("O1", opened(clock, 15), submitted(clock, "BUYER"))
    await work()
    assert (await orders_of(buyer), await orders_of(seller)) == ([], ["O1"])
    await tell("O1", partial(ReviewWithdrawn, before_reveal=True))
    await work()
    assert (await orders_of(buyer), await orders_of(seller)) == (["O1"], ["O1"])


async def test_what_is_revealed_or_closed_is_gone(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    revealed = partial(
        ReviewsRevealed,
        trigger="WINDOW_CLOSED",
        revealed_at=clock.at,
        review_ids=["R1"],
        sides=["SELLER"],
    )
    await tell("O1", opened(clock, 15), submitted(clock, "SELLER"), revealed)
    closed = partial(EvaluationClosed, reason="ORDER_CANCELLED", closed_at=clock.at)
    await tell("O2", opened(clock, 15), closed)
    await work()
    assert await orders_of(caller("BUYER", "B-5")) == []


async def test_the_list_is_the_same_whether_or_not_the_other_side_has_written(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    """Law 9."""
    buyer, seller = caller("BUYER", "B-5"), caller("SELLER", "S-77")
    await tell("O1", opened(clock, 15))
    await tell("O2", opened(clock, 15))
    await work()
    of_buyer, of_seller = (await buyer.get(PATH)).json(), (await seller.get(PATH)).json()
    await tell("O1", submitted(clock, "SELLER"))
    await work()
    assert (await buyer.get(PATH)).json() == of_buyer
    await tell("O2", submitted(clock, "BUYER"))
    await work()
    without = [item for item in of_seller["items"] if item["order_id"] != "O1"]
    assert (await seller.get(PATH)).json()["items"] == without
    first = PageStart(limit=20, after=None, cursor=str)
    assert "seller_wrote" not in reviewable_query("BUYER", first)
    assert "buyer_wrote" not in reviewable_query("SELLER", first)


async def test_a_member_of_a_sellers_account_sees_the_accounts_orders_and_no_others(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    """Whose own name is that of another account is no member of it."""
    await tell("O1", opened(clock, 9))
    await tell("O2", opened(clock, 5), seller_id="clerk")
    await tell("O3", opened(clock, 7), seller_id="S-78")
    await tell("O4", opened(clock, 11))
    await work()
    member = caller("SELLER", "clerk", seller_id="S-77")
    assert await orders_of(member) == ["O1", "O4"]
    assert await orders_of(caller("SELLER", "clerk")) == ["O2"]
    first = (await member.get(PATH, params={"limit": 1})).json()
    other = caller("SELLER", "porter", seller_id="S-77")
    assert await orders_of(other, cursor=first["next_cursor"]) == ["O4"]


async def test_who_buys_and_sells_says_as_which_he_asks(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", opened(clock, 9), seller_id="S-78", buyer_id="X")
    await tell("O2", opened(clock, 5), seller_id="X", buyer_id="B-6")
    await work()
    both = caller("BUYER", "X", "SELLER")
    assert await orders_of(both) == ["O1"]
    assert await orders_of(both, side="SELLER") == ["O2"]
    refused = await caller("BUYER", "X").get(PATH, params={"side": "SELLER"})
    assert refused.status_code == 403
    assert (await caller("MODERATOR", "X").get(PATH)).status_code == 403


async def test_built_again_it_is_the_same(
    clock: ManualClock, tell: Tell, work: Work, rebuilt: Callable[[], Awaitable[bool]]
) -> None:
    await tell("O1", opened(clock, 9), submitted(clock, "BUYER"))
    await tell("O2", opened(clock, 9), paused(clock, 20))
    await work()
    assert await rebuilt()
