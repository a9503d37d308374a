"""Readers say whether a review helped them: it moves the review in one order, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import httpx
import pytest
from review_service.domain.policy import AE_2025_1
from review_service.domain.votes import Tally, Voter, counted, voted
from review_service.testing.refs import review_ref, reviews_in
from shared_events.orders import OrderLine, OrderPlaced
from shared_events.reputation import SubjectErased
from shared_events.review import (
    ReviewHeld,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    WeightReason,
)
from shared_runtime.clock import system_clock
from shared_runtime.decider import RateLimited
from shared_runtime.decider import SubjectErased as Erased
from shared_runtime.log import PostgresLog
from shared_runtime.testing import ManualClock, facts

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]
type Public = Callable[..., Awaitable[None]]

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
MOST = AE_2025_1.review_votes_per_hour_max


@pytest.fixture
def followed(others: PostgresLog) -> asyncpg.Pool:
    """Who was erased, reputation-service tells."""
    assert isinstance(others.db, asyncpg.Pool)
    return others.db


@pytest.fixture
def reader(caller: Caller) -> httpx.AsyncClient:
    return caller("BUYER", "B-9")


@pytest.fixture
def public(tell: Tell, clock: ManualClock, work: Work) -> Public:
    """Orders of a lamp whose buyer's review everybody may read."""

    async def public(*order_ids: str, stars: int = 5) -> None:
        for order_id in order_ids:
            placed = partial(
                OrderPlaced,
                marketplace_id="market",
                country="BR",
                currency="BRL",
                placed_at=clock.at,
                lines=[
                    OrderLine(
                        line_id="1", sku="LAMP-4", category="home", quantity=1, unit_price_minor=1
                    )
                ],
                order_discount_minor=0,
                shipping_minor=0,
                total_minor=1,
                total_ref_minor=1000,
                withdrawal_right=True,
            )
            submitted = partial(
                ReviewSubmitted,
                submitted_at=clock.at,
                quality=stars,
                logistics=stars,
                service=stars,
                incentive="NONE",
            )
            revealed = partial(
                ReviewsRevealed,
                trigger="WINDOW_CLOSED",
                revealed_at=clock.at,
                review_ids=["R1"],
                sides=["BUYER"],
            )
            weighted = partial(
                ReviewWeighted,
                seq=1,
                weight_milli=1000,
                reasons=[WeightReason(code="FULL", effect_milli=1000)],
                excluded_dimensions=[],
                counted_at=clock.at,
                decided_by="RULE",
            )
            await tell(order_id, placed, submitted, revealed, weighted)
            clock.advance(timedelta(seconds=1))
        await work()

    return public


def path_of(order_id: str) -> str:
    return f"/v1/reviews/{review_ref(order_id, 'BUYER')}/votes"


async def say(
    client: httpx.AsyncClient, order_id: str, helpful: object, **query: str
) -> httpx.Response:
    return await client.post(path_of(order_id), json={"helpful": helpful}, params=query)


async def take_back(client: httpx.AsyncClient, order_id: str) -> httpx.Response:
    return await client.delete(f"{path_of(order_id)}/mine")


def told(answered: httpx.Response) -> tuple[int, int, bool | None]:
    assert answered.is_success, answered.text
    view = answered.json()
    return view["helpful"], view["not_helpful"], view["voted"]


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


async def useful(client: httpx.AsyncClient, **query: str) -> list[tuple[str, int, int, int]]:
    """The seller's list and the product's are one, in the order of use."""
    asked = {"sort": "most_useful"} | query
    of_seller = await client.get("/v1/sellers/S-77/reviews", params=asked)
    of_product = await client.get(
        "/v1/products/LAMP-4/reviews", params={"marketplace_id": "market"} | asked
    )
    assert of_seller.json()["items"] == of_product.json()["items"]
    page = of_seller.json()
    return [
        (order_id, each["helpful"], each["not_helpful"], each["usefulness"])
        for order_id, each in zip(reviews_in(page), page["items"], strict=True)
    ]


async def test_i14_a_process_whose_clock_is_a_day_ahead_dates_no_vote_by_it(
    pool: asyncpg.Pool, public: Public, caller_ahead: Caller
) -> None:
    await public("O1")
    reader = caller_ahead("BUYER", "B-9")
    assert told(await say(reader, "O1", True)) == (1, 0, True)
    (voted_at,) = await pool.fetch("SELECT voted_at FROM votes.vote")
    lately = await pool.fetchval("SELECT lately FROM votes.voter")
    assert [*voted_at, *lately] == [pytest.approx(system_clock(), abs=HOUR)] * 2


# --- What is decided


def test_votes_add_less_than_a_bound_either_way_and_the_first_ones_little() -> None:
    def points(helpful: int, not_helpful: int) -> int:
        return Tally(helpful=helpful, not_helpful=not_helpful).helpfulness

    assert [points(*votes) for votes in ((0, 0), (1, 0), (0, 1), (3, 3))] == [0, 83, -83, 0]
    assert (points(10, 0), points(10, 1), points(100_000, 0)) == (333, 281, 499)
    assert points(0, 10**9) == -499


def test_so_many_changes_in_any_hour_are_taken_and_no_more() -> None:
    lately = [NOW - HOUR + TICK] * (MOST - 1)
    assert voted(Voter(lately=lately), True, NOW, AE_2025_1) is not None
    full = Voter(lately=[*lately, NOW - TICK])
    with pytest.raises(RateLimited) as refused:
        voted(full, True, NOW, AE_2025_1)
    assert refused.value.retry_at == NOW + TICK
    after = voted(full, True, NOW + TICK, AE_2025_1)
    assert after is not None
    assert (after.says, [*after.lately]) == (True, [NOW - TICK, NOW + TICK])


def test_the_same_again_is_nothing_new_however_often() -> None:
    for says in (True, False, None):
        assert voted(Voter(lately=[NOW] * MOST, says=says), says, NOW, AE_2025_1) is None


def test_who_was_erased_says_nothing_any_more() -> None:
    with pytest.raises(Erased):
        voted(Voter(erased=True), True, NOW, AE_2025_1)


def test_a_vote_is_counted_where_it_stands_and_no_longer_where_it_stood() -> None:
    one = Tally(helpful=3, not_helpful=2)
    assert counted(one, None, True) == Tally(helpful=4, not_helpful=2)
    assert counted(one, True, False) == Tally(helpful=2, not_helpful=3)
    assert counted(one, False, None) == Tally(helpful=3, not_helpful=1)


# --- Over HTTP


async def test_a_reader_says_so_changes_his_mind_and_takes_it_back(
    public: Public, reader: httpx.AsyncClient
) -> None:
    await public("O1")
    first = await say(reader, "O1", True)
    assert (first.status_code, told(first)) == (201, (1, 0, True))
    again = await say(reader, "O1", True)
    assert (again.status_code, told(again)) == (200, (1, 0, True))
    assert told(await say(reader, "O1", False)) == (0, 1, False)
    assert told(await reader.get(f"{path_of('O1')}/mine")) == (0, 1, False)
    assert told(await take_back(reader, "O1")) == (0, 0, None)
    assert told(await take_back(reader, "O1")) == (0, 0, None)
    assert told(await reader.get(f"{path_of('O1')}/mine")) == (0, 0, None)
    assert first.json()["ref"] == review_ref("O1", "BUYER")


async def test_votes_move_a_review_in_the_order_of_use_and_nowhere_else(
    public: Public, reader: httpx.AsyncClient, caller: Caller
) -> None:
    await public("O1", "O2", "O3", stars=1)
    scores = (await reader.get("/v1/sellers/S-77/ratings")).json()
    newest = (await reader.get("/v1/sellers/S-77/reviews")).json()
    assert reviews_in(newest) == ["O3", "O2", "O1"]
    await say(reader, "O1", True)
    await say(caller("SELLER", "S-99"), "O1", True)
    await say(reader, "O3", False)
    order = [("O1", 2, 0, 1142), ("O2", 0, 0, 1000), ("O3", 0, 1, 917)]
    assert await useful(reader) == order
    assert await useful(reader, stars="1") == order
    first = (await reader.get("/v1/sellers/S-77/reviews?sort=most_useful&limit=1")).json()
    following = await reader.get(
        "/v1/sellers/S-77/reviews",
        params={"sort": "most_useful", "cursor": first["next_cursor"]},
    )
    assert reviews_in(following.json()) == ["O2", "O3"]
    assert (await reader.get("/v1/sellers/S-77/ratings")).json() == scores
    again = (await reader.get("/v1/sellers/S-77/reviews")).json()
    assert reviews_in(again) == ["O3", "O2", "O1"]


async def test_the_parties_have_no_vote(
    public: Public, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, caller: Caller
) -> None:
    """Nor the same person as somebody who buys elsewhere."""
    await public("O1")
    for party in (buyer, seller, caller("SELLER", "S-77"), caller("BUYER", "X", seller_id="S-77")):
        for answered in (await say(party, "O1", True), await take_back(party, "O1")):
            assert slug(answered) == (403, "conflict-of-interest")
    for role in ("MODERATOR", "STOREFRONT", "SYSTEM"):
        assert slug(await say(caller(role, "X"), "O1", True)) == (403, "role-not-allowed")


async def test_of_what_is_not_in_the_lists_there_is_no_vote(  # noqa: PLR0917 - fixtures
    public: Public,
    reader: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    tell: Tell,
    work: Work,
    clock: ManualClock,
) -> None:
    await public("O1")
    await say(reader, "O1", True)
    await tell("O1", partial(ReviewHeld, ground="FAKE", hold_until=clock.at + HOUR))
    await work()
    for client in (reader, seller):
        for order_id in ("O1", "O-none"):
            assert slug(await say(client, order_id, True)) == (404, "not-found")
            assert slug(await take_back(client, order_id)) == (404, "not-found")
            mine = await client.get(f"{path_of(order_id)}/mine")
            assert slug(mine) == (404, "not-found")


async def test_a_vote_says_yes_or_no(public: Public, reader: httpx.AsyncClient) -> None:
    await public("O1")
    for body in ({}, {"helpful": None}, {"helpful": "yes"}, {"helpful": True, "stars": 5}):
        answered = await reader.post(path_of("O1"), json=body)
        assert slug(answered) == (422, "invalid-value")


async def test_a_sellers_people_have_one_vote_and_who_buys_and_sells_two(
    public: Public, caller: Caller
) -> None:
    await public("O1")
    assert told(await say(caller("SELLER", "clerk", seller_id="S-99"), "O1", True))[0] == 1
    assert told(await say(caller("SELLER", "porter", seller_id="S-99"), "O1", True))[0] == 1
    both = caller("BUYER", "S-99", "SELLER")
    assert told(await both.get(f"{path_of('O1')}/mine", params={"side": "SELLER"}))[2] is True
    assert told(await say(both, "O1", True)) == (2, 0, True)


async def test_who_votes_too_often_waits_until_the_hour_is_over(
    public: Public, reader: httpx.AsyncClient, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await public("O1", "O2")
    await say(reader, "O1", True)
    await pool.execute(
        "UPDATE votes.voter SET lately = array_fill(lately[1], ARRAY[$1::int])", MOST
    )
    refused = await say(reader, "O2", True)
    assert slug(refused) == (429, "rate-limited")
    assert int(refused.headers["Retry-After"]) == HOUR.total_seconds()
    assert slug(await take_back(reader, "O1")) == (429, "rate-limited")
    assert told(await say(reader, "O1", True)) == (1, 0, True)  # nothing new
    clock.advance(HOUR)
    assert told(await say(reader, "O2", True)) == (1, 0, True)


async def test_votes_at_once_are_all_counted(public: Public, caller: Caller) -> None:
    await public("O1")
    readers = [caller("BUYER", f"B-{number}") for number in range(20, 32)]
    again = [*readers, *readers]
    await asyncio.gather(*(say(each, "O1", True) for each in again))
    assert await useful(readers[0]) == [("O1", 12, 0, 1000 + 352)]


async def test_who_was_erased_is_in_no_vote_and_casts_none(  # noqa: PLR0917 - fixtures
    public: Public,
    reader: httpx.AsyncClient,
    caller: Caller,
    others: PostgresLog,
    pool: asyncpg.Pool,
    work: Work,
) -> None:
    await public("O1")
    await say(reader, "O1", True)
    await say(caller("SELLER", "B-9"), "O1", True)  # of the same name, and somebody else
    erased = SubjectErased(
        account_kind="BUYER", buyer_id="B-9", policy_version="ae-2025-1", erased_at=NOW
    )
    await others.append(facts("buyer-B-9", erased, at=NOW))
    await work()
    left = await pool.fetch("SELECT voter FROM votes.vote")
    assert [row["voter"] for row in left] == ["seller:B-9"]
    assert await useful(caller("AUDITOR", "X")) == [("O1", 2, 0, 1142)]
    for answered in (await say(reader, "O1", False), await take_back(reader, "O1")):
        assert slug(answered) == (410, "subject-erased")


async def test_what_changes_about_a_review_leaves_its_votes(
    public: Public, reader: httpx.AsyncClient, tell: Tell, work: Work, clock: ManualClock
) -> None:
    await public("O1")
    await say(reader, "O1", True)
    less = partial(
        ReviewWeighted,
        seq=2,
        weight_milli=400,
        reasons=[WeightReason(code="NEW_ACCOUNT", effect_milli=400)],
        excluded_dimensions=[],
        counted_at=clock.at,
        decided_by="RULE",
    )
    await tell("O1", less)
    await work()
    assert await useful(reader) == [("O1", 1, 0, 483)]


async def test_i15_lists_that_are_built_again_have_their_votes(
    public: Public,
    reader: httpx.AsyncClient,
    caller: Caller,
    rebuilt: Callable[[], Awaitable[bool]],
) -> None:
    await public("O1", "O2")
    await say(reader, "O1", True)
    before = await useful(reader)
    assert await rebuilt()
    assert await useful(reader) == before
    assert told(await say(caller("BUYER", "B-10"), "O1", True)) == (2, 0, True)
    assert (await useful(reader))[0] == ("O1", 2, 0, 1142)
