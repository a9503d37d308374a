"""How much a revealed review counts, and why: both sides of every edge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from review_service.domain.commands import BuyerReview, OrderFacts, SellerReview
from review_service.domain.policy import AE_2025_1
from review_service.domain.weight import weigh
from shared_events.review import Incentive, WeightReason

PLACED = datetime(2025, 2, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
REVIEW = BuyerReview(quality=5, logistics=5, service=5)
FACTS = OrderFacts(
    total_ref_minor=500, placed_at=PLACED, buyer_registered_at=PLACED - timedelta(hours=24)
)
NEWCOMER = replace(FACTS, buyer_registered_at=PLACED - timedelta(hours=24) + TICK)


def weight(
    review: BuyerReview | SellerReview = REVIEW, facts: OrderFacts = FACTS
) -> tuple[int, list[tuple[str, int]]]:
    weighed = weigh(review, facts, AE_2025_1)
    return weighed.weight_milli, [(r.code, r.effect_milli) for r in weighed.reasons]


def test_an_ordinary_review_counts_in_full() -> None:
    assert weight() == (1000, [("FULL", 1000)])


@pytest.mark.parametrize("incentive", ["FREE_OR_DISCOUNTED", "PAYMENT", "RELATED_PARTY"])
def test_a_review_that_was_rewarded_does_not_count(incentive: Incentive) -> None:
    assert weight(replace(REVIEW, incentive=incentive)) == (0, [("INCENTIVIZED", 0)])


def test_a_review_of_a_small_order_does_not_count() -> None:
    assert weight(facts=replace(FACTS, total_ref_minor=499)) == (0, [("LOW_VALUE", 0)])


def test_a_review_of_a_new_account_is_capped() -> None:
    assert weight(facts=NEWCOMER) == (400, [("NEW_ACCOUNT", 400)])


def test_an_account_of_unknown_age_is_not_new() -> None:
    assert weight(facts=replace(FACTS, buyer_registered_at=None)) == (1000, [("FULL", 1000)])


def test_every_reason_is_named_in_the_order_of_the_table() -> None:
    rewarded = replace(REVIEW, incentive="PAYMENT")
    assert weight(rewarded, replace(NEWCOMER, total_ref_minor=0)) == (
        0,
        [("INCENTIVIZED", 0), ("LOW_VALUE", 0), ("NEW_ACCOUNT", 400)],
    )


def test_a_weight_above_zero_is_never_below_the_floor() -> None:
    policy = replace(AE_2025_1, review_new_account_cap_milli=50, review_weight_floor_milli=200)
    weighed = weigh(REVIEW, NEWCOMER, policy)
    assert weighed.weight_milli == 200
    assert weighed.reasons == [WeightReason(code="NEW_ACCOUNT", effect_milli=50)]


def test_the_weight_does_not_depend_on_the_stars() -> None:
    worst = BuyerReview(quality=1, logistics=1, service=1)
    assert weight(worst, NEWCOMER) == weight(REVIEW, NEWCOMER)


def test_what_a_seller_says_of_a_buyer_is_not_judged_by_the_order() -> None:
    assert weight(SellerReview(rating=1), replace(NEWCOMER, total_ref_minor=0)) == (
        1000,
        [("FULL", 1000)],
    )
