"""How much a revealed review counts, and why: both sides of every edge."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from review_service.domain.content import BuyerReview, Content, SellerReview
from review_service.domain.policy import AE_2025_1, ReviewPolicy
from review_service.domain.review_state import Review
from review_service.domain.weight import (
    PairReview,
    Sign,
    WeightFacts,
    codes_elsewhere,
    sign_of,
    weigh,
)
from review_service.testing import change
from shared_events.review import Incentive

AT = datetime(2025, 3, 1, tzinfo=UTC)
PLACED = datetime(2025, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
REVIEW = BuyerReview(quality=5, logistics=5, service=5)
FACTS = WeightFacts(
    total_ref_minor=500, placed_at=PLACED, buyer_registered_at=PLACED - timedelta(hours=24)
)
NEWCOMER = change(FACTS, buyer_registered_at=PLACED - timedelta(hours=24) + TICK)


def weight(
    content: Content = REVIEW, facts: WeightFacts = FACTS, policy: ReviewPolicy = AE_2025_1
) -> tuple[int, list[tuple[str, int]]]:
    review = Review(review_id="R1", submitted_at=AT, submitted=content, content=content)
    weighed = weigh(review, codes_elsewhere(review, facts), facts, policy, AT)
    return weighed.weight_milli, [(r.code, r.effect_milli) for r in weighed.reasons]


def pair(*reviews: tuple[Sign, timedelta]) -> WeightFacts:
    """The facts, with reviews of the pair that began to count so long before the reveal."""
    counted = tuple(PairReview(sign=sign, counted_at=AT - age) for sign, age in reviews)
    return change(FACTS, pair=counted)


def test_an_ordinary_review_counts_in_full() -> None:
    assert weight() == (1000, [("FULL", 1000)])


@pytest.mark.parametrize("incentive", ["FREE_OR_DISCOUNTED", "PAYMENT", "RELATED_PARTY"])
def test_a_review_that_was_rewarded_does_not_count(incentive: Incentive) -> None:
    assert weight(change(REVIEW, incentive=incentive)) == (0, [("INCENTIVIZED", 0)])


def test_a_review_of_a_small_order_does_not_count() -> None:
    assert weight(facts=change(FACTS, total_ref_minor=499)) == (0, [("LOW_VALUE", 0)])


def test_a_review_of_a_new_account_is_capped() -> None:
    assert weight(facts=NEWCOMER) == (400, [("NEW_ACCOUNT", 400)])


def test_an_account_of_unknown_age_is_not_new() -> None:
    assert weight(facts=change(FACTS, buyer_registered_at=None)) == (1000, [("FULL", 1000)])


@pytest.mark.parametrize(
    ("stars", "sign"),
    [((4, 4, 4), "GOOD"), ((4, 4, 3), "NEUTRAL"), ((2, 3, 3), "NEUTRAL"), ((3, 3, 1), "BAD")],
)
def test_the_sign_is_that_of_the_sum_of_the_stars(stars: tuple[int, int, int], sign: Sign) -> None:
    quality, logistics, service = stars
    assert sign_of(BuyerReview(quality=quality, logistics=logistics, service=service)) == sign


def test_a_second_review_of_the_same_sign_within_ten_days_does_not_count() -> None:
    half = ("REPEAT_180D", 500)
    assert weight(facts=pair(("GOOD", 10 * DAY - TICK))) == (0, [("REPEAT_10D", 0), half])
    assert weight(facts=pair(("GOOD", 10 * DAY))) == (500, [half])
    assert weight(facts=pair(("BAD", DAY))) == (500, [half])


def test_each_review_of_the_pair_within_half_a_year_halves_the_weight() -> None:
    last = 180 * DAY - TICK
    assert weight(facts=pair(("BAD", last))) == (500, [("REPEAT_180D", 500)])
    assert weight(facts=pair(("BAD", last + TICK))) == (1000, [("FULL", 1000)])
    older: tuple[Sign, timedelta] = ("BAD", 20 * DAY)
    assert weight(facts=pair(older, older, older)) == (125, [("REPEAT_180D", 125)])
    assert weight(facts=pair(*[older] * 12)) == (50, [("REPEAT_180D", 0)])


def test_what_was_revealed_before_by_a_clock_that_is_ahead_is_a_repetition_too() -> None:
    """Or while the timer of this one was late: which of the two counts, the lock says."""
    span = timedelta(days=10)
    both = [("REPEAT_10D", 0), ("REPEAT_180D", 500)]
    assert weight(facts=pair(("GOOD", -TICK))) == (0, both)
    assert weight(facts=pair(("GOOD", TICK - span))) == (0, both)
    assert weight(facts=pair(("GOOD", -span))) == (500, [("REPEAT_180D", 500)])


def test_every_reason_is_named_in_the_order_of_the_table() -> None:
    rewarded = change(REVIEW, incentive="PAYMENT", quality=1, logistics=1)
    facts = change(
        NEWCOMER,
        total_ref_minor=0,
        late=True,
        buyer_abuse=True,
        rating_right_lost=frozenset({"BUYER"}),
        fake_confirmed=frozenset({"R1"}),
        pair=pair(("BAD", DAY)).pair,
    )
    assert weight(rewarded, facts) == (
        0,
        [
            ("INCENTIVIZED", 0),
            ("LOW_VALUE", 0),
            ("REPEAT_10D", 0),
            ("BUYER_ABUSE", 0),
            ("RATING_RIGHT_LOST", 0),
            ("FAKE_CONFIRMED", 0),
            ("NEW_ACCOUNT", 400),
            ("REPEAT_180D", 500),
            ("CORROBORATED", 1000),
        ],
    )


def test_a_weight_above_zero_is_never_below_the_floor() -> None:
    policy = dataclasses.replace(
        AE_2025_1, review_new_account_cap_milli=50, review_weight_floor_milli=200
    )
    assert weight(facts=NEWCOMER, policy=policy) == (200, [("NEW_ACCOUNT", 50)])


def test_the_weight_does_not_depend_on_the_stars() -> None:
    worst = BuyerReview(quality=1, logistics=1, service=1)
    assert weight(worst, NEWCOMER) == weight(REVIEW, NEWCOMER)


@pytest.mark.parametrize("facts", [change(FACTS, late=True), change(FACTS, corroborated=True)])
def test_an_order_fact_corroborates_what_is_not_good(facts: WeightFacts) -> None:
    neutral = change(REVIEW, quality=1)
    assert weight(neutral, facts) == (1000, [("CORROBORATED", 1000)])
    assert weight(REVIEW, facts) == (1000, [("FULL", 1000)])


def test_what_a_seller_says_of_a_buyer_is_not_judged_by_the_order() -> None:
    facts = change(NEWCOMER, total_ref_minor=0, late=True, buyer_abuse=True)
    assert weight(SellerReview(rating=1), facts) == (1000, [("FULL", 1000)])
