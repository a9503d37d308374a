"""How a buyer stands by the ratings of sellers: why, its course, and what would raise it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient
from msgspec import Struct
from msgspec.structs import replace
from reputation_service.api.explanations import EXPLANATIONS_EACH
from reputation_service.domain.account import Explanation
from reputation_service.domain.explain import excluded, explain, reduced
from reputation_service.domain.facts import Fact, day_of, micros
from reputation_service.domain.fold import Facts, fold
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import (
    CONDUCT,
    CONDUCT_RULES,
    DEFAULT,
    DIMENSIONS,
    ScorePolicy,
    of_conduct,
)
from reputation_service.domain.read import NO_WEEKS, DimensionScore, read, read_dimension
from reputation_service.projections import SCORE
from reputation_service.queries.explanations import WantedExplanation, explanation
from reputation_service.testing.histories import (
    DAY,
    SELLERS,
    START,
    History,
    a_log,
    batches,
    completed,
    dice,
    history,
    ids,
    interleaved,
    rated,
    reviewed,
    tell,
)
from shared_events.review import ReviewHeld, ReviewRestricted, ReviewWithdrawn, WeightReason
from shared_runtime.delivery import enter_tables
from shared_runtime.projections import live_subscription
from shared_runtime.testing import InMemoryLog, ManualClock

BUYING = of_conduct(DEFAULT)


async def project(batch: History, pool: asyncpg.Pool) -> None:
    subscription = await live_subscription(pool, SCORE)
    async with pool.acquire() as db, db.transaction():
        await enter_tables(db, subscription.tables)
        await SCORE.apply([each for each in batch if isinstance(each.event, SCORE.handles)], db)


def observed(told: History) -> Facts:
    return Facts(fact for each in told for fact in observe(each, DEFAULT.sla))


async def explained(
    pool: asyncpg.Pool,
    account_id: str,
    as_of: int,
    policy: ScorePolicy,
    *,
    largest: int = 1000,
    asked: Sequence[str] = (),
) -> Explanation:
    wanted = WantedExplanation(
        account_id=account_id, as_of=as_of, reader="STAFF", largest=largest, entities=asked
    )
    async with pool.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
        return await explanation(db, wanted, policy)


async def both_sides(seed: int) -> History:
    """A history in which a buyer sells as well: B0 is S1."""

    def known_as(event: Struct) -> Struct:
        is_his = getattr(event, "buyer_id", None) == "B0"
        return replace(event, buyer_id="S1") if is_his else event

    events = [known_as(each.event) for each in await history(seed, orders=40)]
    return await tell(*events, log=a_log())


# --- Why, in the tables


@pytest.mark.parametrize("largest", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(3))
async def test_a_buyer_is_explained_to_the_bit_by_what_sellers_said_one_by_one(
    pool: asyncpg.Pool, seed: int, largest: int
) -> None:
    told = await both_sides(seed)
    for batch in batches(interleaved(told, dice(seed)), 23):
        await project(batch, pool)
    known = observed(told)
    for as_of in [micros(each.recorded_at) for each in (*told[::40], told[-1])]:
        for buyer in ("S1", "B1", "B2", "nobody"):
            ratings = [
                fact
                for fact in known.in_force(as_of)
                if (fact.seller_id, fact.dimension) == (buyer, CONDUCT)
            ]
            state = fold(ratings).get(buyer, {})
            score = read(state, day_of(as_of), BUYING)
            one_by_one = explain(state, ratings, score)[CONDUCT]
            found = await explained(pool, buyer, as_of, BUYING, largest=largest)
            assert set(found.explained.dimensions) == {CONDUCT}
            shares = found.explained.dimensions[CONDUCT]
            assert shares.score == one_by_one.score
            assert (shares.total_micro, shares.events) == (
                one_by_one.total_micro,
                len(one_by_one.shares),
            )
            assert [tuple(each) for each in found.listed[CONDUCT]] == [
                (share.fact, share.printed_micro) for share in one_by_one.largest(largest)
            ]
            assert found.excluded == excluded(ratings)[:largest]
            assert found.reduced == reduced(ratings)[:largest]


@pytest.mark.parametrize("seed", range(3))
async def test_who_buys_and_sells_has_two_explanations_that_share_nothing(
    pool: asyncpg.Pool, seed: int
) -> None:
    told = await both_sides(seed)
    await project(told, pool)
    as_of = micros(told[-1].recorded_at)
    all_of_him = {fact for fact in observed(told).in_force(as_of) if fact.seller_id == "S1"}
    asked = sorted({fact.entity_id for fact in all_of_him})
    sold = await explained(pool, "S1", as_of, DEFAULT, asked=asked)
    bought = await explained(pool, "S1", as_of, BUYING, asked=asked)

    def behind(found: Explanation) -> set[Fact]:
        listed = {each.fact for of_dimension in found.listed.values() for each in of_dimension}
        return listed.union(found.excluded, found.reduced, found.about)

    assert {fact.dimension for fact in behind(bought)} == {CONDUCT}
    assert {fact.dimension for fact in behind(sold)} <= set(DIMENSIONS)
    entities = [{fact.entity_id for fact in behind(found)} for found in (sold, bought)]
    assert all(entities)
    assert not entities[0] & entities[1]
    assert behind(sold) | behind(bought) == all_of_him


# --- Over HTTP


@pytest.fixture
def rate(pool: asyncpg.Pool, clock: ManualClock) -> Callable[..., Any]:
    """Brings in what is told now."""
    log = InMemoryLog(now=clock)

    async def told(*events: Struct) -> None:
        await project(await tell(*events, log=log), pool)

    return told


def rating(number: int, at: Any, stars: int = 5, **more: Any) -> Struct:  # noqa: ANN401
    return rated(ids(number, SELLERS[number % 4], "B1"), at, stars, **more)


def reading_of(score: DimensionScore) -> dict[str, int]:
    return {
        "n_milli": score.n_milli,
        "mean_micro": score.mean_micro,
        "lcb_micro": score.lcb_micro,
        "stars_micro": score.stars_micro,
    }


async def got(who: AsyncClient, path: str, **query: Any) -> Any:  # noqa: ANN401
    answered = await who.get(f"/v1/buyers/B1/score{path}", params=query)
    assert answered.status_code == 200, answered.text
    return answered.json()


READERS = [
    (("BUYER", "B1"), 200),
    (("AGENT", "a"), 200),
    (("MODERATOR", "a"), 200),
    (("ANALYST", "a"), 200),
    (("SENIOR", "a"), 200),
    (("AUDITOR", "a"), 200),
    (("BUYER", "B2"), 404),
    (("SELLER", "S1"), 403),
    (("SELLER", "B1"), 403),
    (("SYSTEM", "a"), 403),
    (("PRIVACY", "a"), 403),
    (("IMPORTER", "a"), 403),
    (("STOREFRONT", "a"), 403),
    # A party is a party first, and nobody is staff to himself.
    (("BUYER", "a", "AUDITOR"), 404),
    (("AUDITOR", "B1"), 404),
]


@pytest.mark.parametrize(("who", "status"), READERS)
async def test_how_a_buyer_stands_is_for_himself_and_staff(
    caller: Callable[..., AsyncClient],
    rate: Callable[..., Any],
    clock: ManualClock,
    who: tuple[str, ...],
    status: int,
) -> None:
    await rate(rating(1, clock()))
    for path in ("score", "score/explain", "score/history", "score/raise", "rates"):
        answered = await caller(*who).get(f"/v1/buyers/B1/{path}")
        assert answered.status_code == status, path


@pytest.mark.parametrize("largest", [1, 4, 1000])
async def test_a_buyer_and_staff_are_told_of_shares_that_add_up(
    caller: Callable[..., AsyncClient],
    rate: Callable[..., Any],
    clock: ManualClock,
    largest: int,
) -> None:
    for number in range(9):
        await rate(rating(number, clock(), 1 + number % 5))
        clock.advance(2 * DAY)
    await rate(
        rating(9, clock(), weight=0),
        rating(10, clock(), weight=250),
        completed(ids(11, "B1", "B2"), clock()),
    )
    for who in (("BUYER", "B1"), ("AUDITOR", "a")):
        standing = await got(caller(*who), "")
        told = await got(caller(*who), "/explain", largest=largest)
        assert told["reading"] == {name: standing[name] for name in told["reading"]}
        assert set(told["dimensions"]) == {CONDUCT}
        conduct = told["dimensions"][CONDUCT]
        listed = [share["share_micro"] for share in conduct["shares"]]
        assert sum(listed) + conduct["rest_micro"] == conduct["total_micro"]
        # One is held and still counts: for the buyer it is in a sum of five.
        assert (conduct["events"], len(listed)) == (10, min(largest, 5 if "BUYER" in who else 10))
        assert sum(week["n_milli"] for week in conduct["weeks"]) == standing["n_milli"] == 9250
        assert listed == sorted(listed, key=abs, reverse=True)


async def test_a_buyer_names_ratings_as_he_is_told_of_them(
    caller: Callable[..., AsyncClient], rate: Callable[..., Any], clock: ManualClock
) -> None:
    await rate(rating(1, clock()), rating(2, clock(), 1))
    buyer, staff = caller("BUYER", "B1"), caller("AGENT", "a")
    told = await got(buyer, "/explain")
    (bad,) = [each for each in told["dimensions"][CONDUCT]["shares"] if each["k"] == 0]
    assert bad["entity_id"] == "b-o2"
    assert not {"event", "version"} & bad.keys()
    by_ref, by_id, nothing = (await got(buyer, "/explain", without=[bad["ref"], "b-o2", "r-o2"]))[
        "without"
    ]
    (known,) = (await got(staff, "/explain", without=["b-o2"]))["without"]
    assert by_ref == {"name": bad["ref"], "reading": known["reading"]}
    assert by_id["reading"] == known["reading"]
    assert nothing["reading"] is None
    assert known["reading"]["mean_micro"] > told["reading"]["mean_micro"]
    assert known["reading"]["n_milli"] == told["reading"]["n_milli"] - 1000


async def test_a_buyer_is_told_what_counts_nothing_without_its_stars(
    caller: Callable[..., AsyncClient], rate: Callable[..., Any], clock: ManualClock
) -> None:
    said = rated(ids(1, "S1", "B1"), clock(), 2, weight=0)
    await rate(replace(said, reasons=[WeightReason(code="FAKE_CONFIRMED", effect_milli=0)]))
    told = await got(caller("BUYER", "B1"), "/explain")
    (nothing,) = told["excluded"]
    assert (nothing["entity_id"], nothing["reasons"]) == ("b-o1", ["FAKE_CONFIRMED"])
    assert "k" not in nothing
    assert (told["under_review"], told["excluded_events"]) == (0, 1)


def concealing(how: str, at: Any) -> list[Struct]:  # noqa: ANN401
    of: dict[str, Any] = {**ids(1, "S2", "B1"), "review_id": "b-o1", "side": "SELLER"}
    match how:
        case "held":
            event: Struct = ReviewHeld(**of, ground="FAKE", hold_until=at + 3 * DAY)
        case "hidden but counted":
            event = ReviewRestricted(
                **of,
                ground="PERSONAL_DATA",
                rule_ids=["R-3"],
                measures=["HIDE_REVIEW"],
                automated_detection=False,
                decided_by="m1",
                appeal_until=at + 30 * DAY,
                retain_until=at + 180 * DAY,
            )
        case _:
            event = ReviewWithdrawn(**of, before_reveal=False)
    counts = [] if "counted" in how else [rating(1, at, 2, seq=2, weight=0)]
    return [event, *counts]


@pytest.mark.parametrize("how", ["held", "hidden but counted", "withdrawn"])
async def test_of_a_rating_that_is_not_shown_a_buyer_learns_that_there_is_one(
    caller: Callable[..., AsyncClient], rate: Callable[..., Any], clock: ManualClock, how: str
) -> None:
    then = clock()
    others = [rating(number, clock(), 4) for number in range(20, 30)]
    await rate(rating(1, clock(), 2), *others, *concealing(how, clock()))
    buyer = caller("BUYER", "B1")
    for as_of in ({}, {"as_of": then.isoformat().replace("+00:00", "Z")}):
        answered = await buyer.get("/v1/buyers/B1/score/explain", params={"largest": 1000, **as_of})
        assert '"b-o1"' not in answered.text
        told = answered.json()
        assert told["under_review"] == 1
        assert (told["excluded_events"], told["excluded"], told["reduced"]) == (0, [], [])
    told = await got(buyer, "/explain", without=["b-o1"])
    assert told["without"] == [{"name": "b-o1", "reading": None}]
    conduct = told["dimensions"][CONDUCT]
    assert {share["k"] for share in conduct["shares"]} == {3}
    # What still counts is in a sum of five.
    assert conduct["events"] - len(conduct["shares"]) == (5 if "counted" in how else 0)
    staff = await got(caller("MODERATOR", "a"), "/explain", largest=1000, without=["b-o1"])
    named = [*staff["dimensions"][CONDUCT]["shares"], *staff["excluded"]]
    assert "b-o1" in {each["entity_id"] for each in named}


async def test_the_course_of_a_buyer_is_how_he_stood_week_by_week(
    caller: Callable[..., AsyncClient], rate: Callable[..., Any], clock: ManualClock
) -> None:
    began = clock()
    for number in range(4):
        await rate(rating(number, clock(), 2), reviewed(ids(50 + number, "B1", "B2"), clock()))
        clock.advance(7 * DAY)
    buyer = caller("BUYER", "B1")
    before = (await got(buyer, "/history", weeks=6))["items"]
    assert len(before) == 6
    for point in before:
        standing = await got(buyer, "", as_of=point["evaluated_at"])
        assert point["as_it_was"] == {name: standing[name] for name in point["as_it_was"]}
        assert point["as_known_now"] == point["as_it_was"]
    assert [point["as_it_was"]["n_milli"] for point in before] == [4000, 3000, 2000, 1000, 0, 0]
    await rate(rating(0, began, 2, seq=2, weight=0))
    after = (await got(buyer, "/history", weeks=6))["items"]
    assert [point["as_it_was"] for point in after] == [point["as_it_was"] for point in before]
    assert [point["as_known_now"]["n_milli"] for point in after] == [3000, 2000, 1000, 0, 0, 0]
    assert after[0]["as_known_now"]["mean_micro"] > after[0]["as_it_was"]["mean_micro"]


async def test_an_outlook_says_what_one_more_rating_brings_and_how_what_is_known_fades(
    caller: Callable[..., AsyncClient], rate: Callable[..., Any], clock: ManualClock
) -> None:
    log = a_log()
    told = await tell(*[rating(number, START, 2) for number in range(12)], log=log)
    weeks = fold(observed(told).in_force())["B1"][CONDUCT]
    assert isinstance(log.now, ManualClock)
    clock.at = log.now()
    await rate(*[each.event for each in told])
    buyer = caller("BUYER", "B1")
    outlook = await got(buyer, "/raise")
    standing = await got(buyer, "")
    assert outlook["reading"] == {name: standing[name] for name in outlook["reading"]}
    (gain,) = outlook["gains"]
    assert gain["what"] == "FIVE_STAR_RATING"
    assert gain["ten_micro"] > gain["one_micro"] > 0
    for later in outlook["if_nothing_happens"]:
        aged = read_dimension(weeks, later["day"], CONDUCT_RULES, DEFAULT)
        assert later["reading"] == reading_of(aged)
    means = [outlook["reading"]["mean_micro"]]
    means += [later["reading"]["mean_micro"] for later in outlook["if_nothing_happens"]]
    assert means == sorted(means)  # two stars fade towards what nobody is known of
    assert [later["day"] - day_of(micros(clock())) for later in outlook["if_nothing_happens"]] == [
        30, 90, 180,
    ]  # fmt: skip


async def test_a_buyer_whom_nobody_has_rated_stands_by_the_prior(
    caller: Callable[..., AsyncClient], pool: asyncpg.Pool
) -> None:
    assert pool
    buyer = caller("BUYER", "B1")
    prior = reading_of(read_dimension(NO_WEEKS, 0, CONDUCT_RULES, DEFAULT))
    told = await got(buyer, "/explain")
    assert (told["reading"], told["dimensions"][CONDUCT]["total_micro"]) == (prior, 0)
    assert (await got(buyer, "/raise"))["reading"] == prior
    assert {str(p["as_it_was"]) for p in (await got(buyer, "/history"))["items"]} == {str(prior)}


async def test_explanations_of_buyers_and_sellers_have_the_same_places(
    caller: Callable[..., AsyncClient],
    rate: Callable[..., Any],
    clock: ManualClock,
    owner: asyncpg.Pool,
    until_they_wait: Callable[[int], Awaitable[None]],
) -> None:
    await rate(rating(1, clock()), reviewed(ids(2, "S1", "B1"), clock()))
    buyer = caller("BUYER", "B1")
    paths = ("/v1/buyers/B1/score/explain", "/v1/sellers/S1/score/explain")
    async with owner.acquire() as db, db.transaction():
        await db.execute("LOCK TABLE score_g1.concealed IN ACCESS EXCLUSIVE MODE")
        working = [asyncio.create_task(buyer.get(path)) for path in paths[:EXPLANATIONS_EACH]]
        await until_they_wait(EXPLANATIONS_EACH)
        assert {(await buyer.get(path)).status_code for path in paths} == {503}
    assert {answered.status_code for answered in await asyncio.gather(*working)} == {200}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("explain", "largest=0"),
        ("explain", "largest=1001"),
        ("explain", "as_of=2999-01-01T00:00:00Z"),
        ("history", "weeks=0"),
        ("history", "weeks=157"),
        ("history", "as_of=2999-01-01T00:00:00Z"),
        ("raise", "as_of=2999-01-01T00:00:00Z"),
    ],
)
async def test_what_is_asked_of_a_buyer_has_bounds(
    caller: Callable[..., AsyncClient], path: str, wrong: str
) -> None:
    answered = await caller("BUYER", "B1").get(f"/v1/buyers/B1/score/{path}?{wrong}")
    assert answered.status_code == 422
