"""Everybody can check that bad reviews are treated as good ones are, and small sellers as large."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_stack.databases import Database
from review_service.api.callers import EVERYBODY
from review_service.queries.neutrality import (
    ALL_STARS,
    GROUP_MIN,
    GROUPS,
    MEDIUM_BELOW,
    SIZES,
    SMALL_BELOW,
    SUMS,
    Group,
    too_few,
)
from review_service.words import SIZES as WORDS_OF_SIZES
from shared_casework.figures import half_up, milli
from shared_events.common import DecisionOverdue
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.review import (
    ModerationAppealDecided,
    ModerationAppealed,
    Restriction,
    ReviewAmended,
    ReviewFlagged,
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWithdrawn,
)
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

PATH = "/v1/neutrality"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE, TICK = timedelta(minutes=1), timedelta(microseconds=1)


def submitted(clock: ManualClock, stars: int) -> partial[Any]:
    return partial(
        ReviewSubmitted,
        submitted_at=clock.at,
        quality=stars,
        logistics=stars,
        service=stars,
        incentive="NONE",
    )


def revealed(at: datetime) -> partial[Any]:
    return partial(
        ReviewsRevealed,
        trigger="WINDOW_CLOSED",
        revealed_at=at,
        review_ids=["R1"],
        sides=["BUYER"],
    )


def held(clock: ManualClock) -> partial[Any]:
    return partial(ReviewHeld, ground="FAKE", hold_until=clock.at + 3 * DAY)


def restricted(clock: ManualClock, *measures: Restriction) -> partial[Any]:
    return partial(
        ReviewRestricted,
        ground="FAKE",
        rule_ids=["R-1"],
        measures=[*measures],
        automated_detection=False,
        decided_by="mod-1",
        appeal_until=clock.at + 183 * DAY,
        retain_until=clock.at + 365 * DAY,
    )


async def some(tell: Tell, clock: ManualClock, reviews: dict[int, int]) -> None:
    """So many of each number of stars, of nothing in particular."""
    for stars, many in reviews.items():
        for number in range(many):
            order_id = f"{clock.at.isoformat()}-{stars}-{number}"
            await tell(order_id, submitted(clock, stars), revealed(clock.at))


@pytest.fixture
def anybody(caller: Caller) -> httpx.AsyncClient:
    return caller("BUYER", "X")


async def by_stars(client: httpx.AsyncClient, **query: str) -> dict[int, dict[str, Any]]:
    answered = await client.get(PATH, params=query)
    assert answered.status_code == 200, answered.text
    return {each["stars"]: each for each in answered.json()["by_stars"]}


async def test_figures_are_told_for_every_star_and_size_to_every_role(caller: Caller) -> None:
    for role in EVERYBODY:
        told = (await caller(role, "X").get(PATH)).json()
        assert [each["stars"] for each in told["by_stars"]] == [1, 2, 3, 4, 5]
        assert [each["seller_size"] for each in told["by_seller_size"]] == [
            "SMALL",
            "MEDIUM",
            "LARGE",
        ]
        assert len(told["by_stars_and_seller_size"]) == 15
        assert told["by_stars"][0] == {
            "stars": 1,
            "seller_size": None,
            "suppressed": True,
            "revealed": None,
            "held": None,
            "held_milli": None,
            "restricted": None,
            "restricted_milli": None,
            "median_hours_to_visible": None,
            "flags": None,
            "flags_milli": None,
            "flags_overdue": None,
            "appeals": None,
            "appeals_milli": None,
            "appeals_reversed": None,
            "appeals_reversed_milli": None,
            "appeals_overdue": None,
        }


async def test_what_was_done_to_reviews_is_counted_by_their_stars(
    anybody: httpx.AsyncClient,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    key_store: InMemoryKeyStore,
) -> None:
    flag = partial(
        ReviewFlagged,
        flagger_role="SELLER",
        flagger_id="S-77",
        reason="FAKE",
        decide_by=clock.at + 5 * DAY,
    )
    appeal = partial(
        ModerationAppealed,
        appeal_id="A1",
        appellant_id="B-5",
        against="RESTRICTED",
        text=(await key_store.key_of("buyer:B-5")).unsealed("Why?"),
        decide_by=clock.at + 14 * DAY,
    )
    reversal = partial(
        ModerationAppealDecided,
        appeal_id="A1",
        outcome="REVERSED",
        rule_ids=["R-1"],
        decided_by="mod-2",
    )
    flags = [partial(flag, flag_id=flag_id) for flag_id in ("F1", "F2")]
    late = partial(DecisionOverdue, due_at=clock.at, side="BUYER", review_id="R-O1-B")
    of_flags = [partial(late, what="FLAG", ref_id=flag_id) for flag_id in ("F1", "F2")]
    of_appeal = partial(late, what="MODERATION_APPEAL", ref_id="A1")
    hidden = restricted(clock, "HIDE_REVIEW")
    restored = partial(ReviewRestored, appeal_id="A1")
    await tell("O1", submitted(clock, 1), revealed(clock.at), *flags, *of_flags)
    await tell("O1", hidden, appeal, of_appeal, reversal, restored)
    await tell("O2", submitted(clock, 1), held(clock), revealed(clock.at))
    for order_id in ("O3", "O6", "O7", "O8"):
        await tell(order_id, submitted(clock, 1), revealed(clock.at))
    for order_id in ("P1", "P2", "P3", "P4"):
        await tell(order_id, submitted(clock, 5), revealed(clock.at))
    await tell("O4", submitted(clock, 5), revealed(clock.at), partial(flag, flag_id="F3"))
    await tell("O5", submitted(clock, 5))  # not revealed: not counted
    await work()
    clock.advance(DAY)
    figures = await by_stars(anybody)
    assert figures[1] == {
        "stars": 1,
        "seller_size": None,
        "suppressed": False,
        "revealed": 6,
        "held": 1,
        "held_milli": 167,
        "restricted": 1,
        "restricted_milli": 167,
        "median_hours_to_visible": 0,
        "flags": 2,
        "flags_milli": 333,
        "flags_overdue": 2,
        "appeals": 1,
        "appeals_milli": 167,
        "appeals_reversed": 1,
        "appeals_reversed_milli": 1000,
        "appeals_overdue": 1,
    }
    assert (figures[5]["revealed"], figures[5]["flags_milli"]) == (5, 200)
    assert (figures[5]["flags_overdue"], figures[5]["appeals_overdue"]) == (0, 0)
    assert figures[3]["suppressed"]


async def test_a_part_that_is_hidden_restricts_no_review(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    """It ends no hold of the review either; and what shows it again does not show the review."""
    for order_id in ("O1", "O2"):
        await tell(order_id, submitted(clock, 2), held(clock), restricted(clock, "HIDE_REPLY"))
        await tell(order_id, revealed(clock.at))
    for order_id in ("O3", "O4"):
        await tell(order_id, submitted(clock, 2), restricted(clock, "HIDE_REVIEW"))
        await tell(order_id, partial(ReviewRestored, appeal_id="A1", part="REPLY"))
        await tell(order_id, revealed(clock.at))
    await some(tell, clock, {2: 1})
    clock.advance(48 * HOUR)
    for order_id in ("O1", "O2"):
        await tell(order_id, partial(ReviewReleased, how="HUMAN"))
    for order_id in ("O3", "O4"):
        await tell(order_id, partial(ReviewRestored, appeal_id="A2"))
    await work()
    clock.advance(DAY)
    figures = (await by_stars(anybody))[2]
    assert (figures["revealed"], figures["held"], figures["restricted"]) == (5, 2, 2)
    assert figures["median_hours_to_visible"] == 48


async def test_the_median_is_from_the_submission_to_when_everybody_can_read_it(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    start = clock.at
    for number in range(3):
        clock.at = start
        await tell(f"O{number}", submitted(clock, 2))
        clock.advance((number + 1) * 10 * HOUR)
        await tell(f"O{number}", revealed(clock.at))
    clock.at = start
    await tell("O3", submitted(clock, 2), held(clock), revealed(clock.at + 10 * HOUR))
    await tell("O4", submitted(clock, 2), revealed(clock.at), restricted(clock, "HIDE_TEXT"))
    await tell("O5", submitted(clock, 2), restricted(clock, "HIDE_REVIEW"), revealed(clock.at))
    clock.advance(50 * HOUR)
    await tell("O3", partial(ReviewReleased, how="HOLD_EXPIRED"))
    await work()
    clock.advance(DAY)
    # 0, 10, 20, 30 and 50 hours; the one that was never visible has none.
    assert (await by_stars(anybody))[2]["median_hours_to_visible"] == 20


async def test_a_review_counts_with_the_stars_of_its_reveal(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    amended = partial(ReviewAmended, version=2, quality=4, logistics=4, service=5, incentive="NONE")
    await tell("O1", submitted(clock, 1), amended, revealed(clock.at))
    await tell("O2", submitted(clock, 1), partial(ReviewWithdrawn, before_reveal=True))
    await tell("O3", submitted(clock, 1), revealed(clock.at))
    await tell("O3", partial(ReviewWithdrawn, before_reveal=False))
    await some(tell, clock, {1: 5, 4: 5})
    await work()
    clock.advance(DAY)
    figures = await by_stars(anybody)
    assert [figures[stars]["revealed"] for stars in range(1, 6)] == [6, None, None, 6, None]


async def test_a_sellers_size_is_how_many_orders_are_complete(
    anybody: httpx.AsyncClient,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    database: Database,
) -> None:
    completed = partial(
        OrderCompleted,
        completed_at=clock.at,
        completion_no=1,
        how="FEED",
        total_ref_minor=1000,
        late=False,
    )
    reopened = partial(
        OrderReopened, reopened_at=clock.at, completion_no=1, reason="CARRIER_CORRECTION"
    )
    await some(tell, clock, {3: 5})
    await tell("O2", completed)
    await tell("O3", completed, reopened)
    await work()
    clock.advance(DAY)

    async def size() -> list[int | None]:
        """How many reviews are of small, medium and large sellers."""
        clock.advance(timedelta(minutes=1))
        told = (await anybody.get(PATH)).json()["by_seller_size"]
        return [each["revealed"] for each in told]

    owner = await asyncpg.connect(database.owner_url)
    try:
        counted = await owner.fetchval("SELECT orders_completed FROM read.seller_sizes")
        assert counted == 1
        for orders, groups in (
            (99, [5, None, None]),
            (100, [None, 5, None]),
            (999, [None, 5, None]),
            (1000, [None, None, 5]),
        ):
            await owner.execute(
                "UPDATE neutrality_g1.seller_sizes SET orders_completed = $1", orders
            )
            assert await size() == groups
    finally:
        await owner.close()


async def test_a_period_is_of_whole_days_that_are_over(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    first, last = clock.at.replace(hour=0), clock.at.replace(hour=0) + DAY - TICK
    clock.at = first
    await some(tell, clock, {4: 5})
    clock.at = last
    await some(tell, clock, {4: 5})
    await work()
    assert (await by_stars(anybody))[4]["suppressed"]  # the day is not over
    clock.at = last + TICK
    today, tomorrow = "2026-01-16T00:00:00Z", "2026-01-17T00:00:00Z"
    that_day = {"since": "2026-01-15T00:00:00Z", "until": today}
    assert (await by_stars(anybody, **that_day))[4]["revealed"] == 10
    assert (await by_stars(anybody))[4]["revealed"] == 10
    assert (await by_stars(anybody, until=that_day["since"]))[4]["suppressed"]
    clock.advance(DAY)
    assert (await by_stars(anybody, since=today))[4]["suppressed"]
    for query in (
        {"since": today, "until": today},
        {"since": "2027-01-01T00:00:00Z"},
        {"since": tomorrow},
        {"until": "2026-01-18T00:00:00Z"},
        {"until": "2026-01-15"},
        {"since": "2026-01-15T00:00:00+02:00"},
        {"since": "2026-01-15T12:00:00Z"},
        {"since": "2026-01-15T23:59:59.999999Z", "until": today},
        {"until": "2026-01-15T00:00:00.001Z"},
    ):
        refused = await anybody.get(PATH, params=query)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-value")


async def test_nobody_finds_the_stars_of_one_review_that_is_held(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", submitted(clock, 2), held(clock), revealed(clock.at))
    await some(tell, clock, {2: 3, 3: 6, 4: 7, 5: 5})
    await work()
    clock.advance(DAY)
    told = (await anybody.get(PATH)).json()
    # It is one of four; with the others and the sum of all, they would be told all the same.
    assert [each["revealed"] for each in told["by_stars"]] == [None, None, 6, 7, 5]
    assert [each["revealed"] for each in told["by_seller_size"]] == [22, None, None]
    assert {each["held"] for each in told["by_stars"] if each["suppressed"]} == {None}
    await tell("O2", submitted(clock, 2), revealed(clock.at - DAY))
    await work()
    clock.advance(MINUTE)
    figures = await by_stars(anybody)
    assert (figures[2]["revealed"], figures[2]["held"]) == (5, 1)


def groups(**told: int) -> dict[Group, int]:
    """Of one number of stars and one size: `stars_5_small=3`; the sums follow."""
    found: dict[Group, int] = dict.fromkeys(GROUPS, 0)
    for name, reviews in told.items():
        _, stars, size = name.split("_")
        for group in GROUPS:
            if group[0] in (int(stars), None) and group[1] in (size.upper(), None):
                found[group] += reviews
    return found


def test_what_is_left_out_does_not_follow_from_what_is_told() -> None:
    plenty = {f"stars_{stars}_{size.lower()}": 9 for stars in ALL_STARS for size in SIZES}
    assert too_few(groups(**plenty)) == set()
    # Another of the same stars goes with it; then, of the size of each, one other of the same.
    one = plenty | {"stars_1_large": 4, "stars_2_small": 5, "stars_2_large": 6}
    assert too_few(groups(**one)) == {(1, "LARGE"), (1, "SMALL"), (2, "SMALL"), (2, "LARGE")}


@given(st.lists(st.sampled_from((0, 1, 4, 5, 6, 50)), min_size=15, max_size=15))
def test_of_groups_that_add_up_never_one_alone_is_left_out(reviews: list[int]) -> None:
    names = [f"stars_{stars}_{size.lower()}" for stars in ALL_STARS for size in SIZES]
    told = groups(**dict(zip(names, reviews, strict=True)))
    hidden = too_few(told)
    assert all(told[group] >= GROUP_MIN for group in GROUPS if group not in hidden)
    assert all(len(hidden.intersection(of_sum)) != 1 for of_sum in SUMS)


async def test_figures_are_computed_once_a_minute(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await some(tell, clock, {4: 5})
    await work()
    clock.advance(DAY)
    assert (await by_stars(anybody))[4]["revealed"] == 5
    await tell("O2", submitted(clock, 4), revealed(clock.at - DAY))
    await work()
    clock.advance(MINUTE - TICK)
    assert (await by_stars(anybody))[4]["revealed"] == 5
    clock.advance(TICK)
    assert (await by_stars(anybody))[4]["revealed"] == 6


def test_shares_are_rounded_half_up_and_null_of_nothing() -> None:
    assert [milli(1, 3), milli(2, 3), milli(1, 2000), milli(0, 5), milli(0, 0)] == [
        333,
        667,
        1,
        0,
        None,
    ]
    assert [half_up(1799, 3600), half_up(1800, 3600)] == [0, 1]


async def test_built_again_it_is_the_same(
    clock: ManualClock, tell: Tell, work: Work, rebuilt: Callable[[], Awaitable[bool]]
) -> None:
    await tell("O1", submitted(clock, 4), held(clock), revealed(clock.at))
    await work()
    await tell("O1", partial(ReviewReleased, how="HUMAN"))
    await work()
    assert await rebuilt()


def test_how_large_sellers_are_is_said_with_the_figures_by_which_they_are_told_apart() -> None:
    assert str(SMALL_BELOW) in WORDS_OF_SIZES["SMALL"]
    assert all(str(MEDIUM_BELOW) in WORDS_OF_SIZES[size] for size in ("MEDIUM", "LARGE"))
