"""A revealed review and the facts of its order in, how much it counts and why out.

Codes that give zero come first, then caps, then factors, then the floor; within each, the order of
the table. Some codes are judged once, at the reveal, and kept; the others follow their causes.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from shared_events.review import (
    ReviewHeld,
    ReviewRestricted,
    ReviewWithdrawn,
    Side,
    WeightCode,
    WeightReason,
)

from review_service.domain.content import BuyerReview, Content, side_of
from review_service.domain.policy import ReviewPolicy
from review_service.domain.review_state import Clear, Review, Standing

WEIGHT_FULL_MILLI = 1000
FULL = WeightReason(code="FULL", effect_milli=WEIGHT_FULL_MILLI)
GOOD_STARS_MIN = 12
NEUTRAL_STARS_MIN = 8

type Sign = Literal["GOOD", "NEUTRAL", "BAD"]


class PairReview(Struct, frozen=True, kw_only=True):
    """An earlier review by the same buyer of the same seller that counts (weight over 0)."""

    sign: Sign
    counted_at: datetime


class WeightFacts(Struct, frozen=True, kw_only=True):
    """What the weights of an order's reviews need to know besides the reviews.

    `late`: it was delivered late. `corroborated`: goods came back, money was given back, or a
    dispute ended against the seller. `buyer_abuse`: a dispute ended so. `rating_right_lost`: the
    sides whose author has lost it. `fake_confirmed`: the ids of reviews that a confirmed violation
    names; `open_cases`: of those that an open case names. `pair`: in the last `repeat_span`.
    """

    total_ref_minor: int
    placed_at: datetime
    buyer_registered_at: datetime | None = None
    late: bool = False
    corroborated: bool = False
    buyer_abuse: bool = False
    rating_right_lost: frozenset[Side] = frozenset()
    fake_confirmed: frozenset[str] = frozenset()
    open_cases: frozenset[str] = frozenset()
    pair: tuple[PairReview, ...] = ()


type Codes = frozenset[WeightCode]
type Effects = dict[WeightCode, int]
type Judge = Callable[[BuyerReview, WeightFacts, ReviewPolicy, datetime], int | None]
"""The effect of a code in milli, or None where it does not apply."""

ZERO_CODES: Sequence[WeightCode] = (
    "RESTRICTED",
    "HELD",
    "WITHDRAWN",
    "INCENTIVIZED",
    "LOW_VALUE",
    "REPEAT_10D",
    "BUYER_ABUSE",
    "RATING_RIGHT_LOST",
    "FAKE_CONFIRMED",
)
CAPS: Sequence[WeightCode] = ("NEW_ACCOUNT",)
FACTORS: Sequence[WeightCode] = ("REPEAT_180D", "SUSPECT")
LIFTING: Sequence[WeightCode] = ("CAMPAIGN_UNPROVEN", "CORROBORATED")
TABLE: Sequence[WeightCode] = (*ZERO_CODES, *CAPS, *FACTORS, *LIFTING)
OF_SELLERS: Codes = frozenset(
    {"RESTRICTED", "HELD", "WITHDRAWN", "RATING_RIGHT_LOST", "FAKE_CONFIRMED"}
)
"""The codes that a seller's review of a buyer may have."""
FOLLOWING: Codes = frozenset({"BUYER_ABUSE", "RATING_RIGHT_LOST", "FAKE_CONFIRMED", "CORROBORATED"})
"""The codes whose causes are in other streams."""


class Weight(Struct, frozen=True, kw_only=True):
    weight_milli: int
    reasons: list[WeightReason]


def weigh(
    review: Review, codes: Codes, facts: WeightFacts, policy: ReviewPolicy, at: datetime
) -> Weight:
    """The weight, 0 or between the policy's floor and 1000, with every code that applies.

    `codes` are those that other streams give. What is named beside a zero is what remains should
    the zero go away.
    """
    zeros = codes & frozenset(ZERO_CODES)
    effects: Effects = dict.fromkeys((*standing_codes(review.standing), *zeros), 0)
    effects |= judged_once(review, facts, policy, at)
    effects |= suspicion(review, codes, facts, at)
    if not isinstance(review.content, BuyerReview):
        effects = {code: effect for code, effect in effects.items() if code in OF_SELLERS}
    return composed(effects, policy)


def composed(effects: Mapping[WeightCode, int], policy: ReviewPolicy) -> Weight:
    weight = WEIGHT_FULL_MILLI
    for cap in CAPS:
        weight = min(weight, effects.get(cap, weight))
    for factor in FACTORS:
        weight = weight * effects.get(factor, WEIGHT_FULL_MILLI) // WEIGHT_FULL_MILLI
    weight = max(weight, policy.review_weight_floor_milli)
    reasons = [
        WeightReason(code=code, effect_milli=effects[code]) for code in TABLE if code in effects
    ]
    zero = not effects.keys().isdisjoint(ZERO_CODES)
    return Weight(weight_milli=0 if zero else weight, reasons=reasons or [FULL])


def standing_codes(standing: Standing) -> tuple[WeightCode, ...]:
    match standing:
        case ReviewHeld():
            return ("HELD",)
        case ReviewRestricted(measures=measures) if "EXCLUDE_SCORE" in measures:
            return ("RESTRICTED",)
        case ReviewWithdrawn():
            return ("WITHDRAWN",)
        case Clear() | ReviewRestricted():
            return ()


# Judged once, at the reveal.


def judged_once(review: Review, facts: WeightFacts, policy: ReviewPolicy, at: datetime) -> Effects:
    if not isinstance(review.content, BuyerReview):
        return {}
    if review.weighted:
        return {r.code: r.effect_milli for r in review.weighted.reasons if r.code in JUDGES}
    return {
        code: effect
        for code, judge in JUDGES.items()
        if (effect := judge(review.content, facts, policy, at)) is not None
    }


def incentivized(
    review: BuyerReview, _: WeightFacts, __: ReviewPolicy, ___: datetime
) -> int | None:
    return None if review.incentive == "NONE" else 0


def low_value(_: BuyerReview, facts: WeightFacts, policy: ReviewPolicy, __: datetime) -> int | None:
    return 0 if facts.total_ref_minor < policy.review_min_value_ref_minor else None


def repeated_sign(
    review: BuyerReview, facts: WeightFacts, policy: ReviewPolicy, at: datetime
) -> int | None:
    recent = counted_within(facts.pair, policy.review_repeat_sign_span, at)
    return 0 if any(other.sign == sign_of(review) for other in recent) else None


def new_account(
    _: BuyerReview, facts: WeightFacts, policy: ReviewPolicy, __: datetime
) -> int | None:
    if facts.buyer_registered_at is None:
        return None
    age = facts.placed_at - facts.buyer_registered_at
    return policy.review_new_account_cap_milli if age < policy.review_new_account_age else None


def repeated(_: BuyerReview, facts: WeightFacts, policy: ReviewPolicy, at: datetime) -> int | None:
    recent = counted_within(facts.pair, policy.review_repeat_span, at)
    return WEIGHT_FULL_MILLI // 2 ** len(recent) if recent else None


JUDGES: Mapping[WeightCode, Judge] = {
    "INCENTIVIZED": incentivized,
    "LOW_VALUE": low_value,
    "REPEAT_10D": repeated_sign,
    "NEW_ACCOUNT": new_account,
    "REPEAT_180D": repeated,
}


def counted_within(pair: Sequence[PairReview], span: timedelta, at: datetime) -> list[PairReview]:
    """The reviews that began to count less than the span away from this instant. Those that did so
    later were revealed before all the same: by a clock that is ahead, or while a timer was late.
    """
    return [other for other in pair if abs(at - other.counted_at) < span]


def sign_of(review: BuyerReview) -> Sign:
    stars = review.quality + review.logistics + review.service
    if stars >= GOOD_STARS_MIN:
        return "GOOD"
    return "NEUTRAL" if stars >= NEUTRAL_STARS_MIN else "BAD"


# Following their causes.


def codes_elsewhere(review: Review, facts: WeightFacts) -> Codes:
    """What the facts say of other streams."""
    holds: Mapping[WeightCode, bool] = {
        "BUYER_ABUSE": facts.buyer_abuse,
        "RATING_RIGHT_LOST": side_of(review.content) in facts.rating_right_lost,
        "FAKE_CONFIRMED": review.review_id in facts.fake_confirmed,
    }
    return frozenset(code for code, held in holds.items() if held)


def suspicion(review: Review, codes: Codes, facts: WeightFacts, at: datetime) -> Effects:
    """What screenings make of the review, and what lifts that."""
    corroborated = is_corroborated(review, codes, facts)
    unproven = "FAKE_CONFIRMED" not in codes and (review.unproven or is_over(review, facts, at))
    effects: Effects = {}
    if corroborated:
        effects["CORROBORATED"] = WEIGHT_FULL_MILLI
    if unproven:
        effects["CAMPAIGN_UNPROVEN"] = WEIGHT_FULL_MILLI
    screened = review.screened
    if screened and screened.factor_milli < WEIGHT_FULL_MILLI:
        lifted = corroborated or (unproven and screened.campaign)
        effects |= {} if lifted else {"SUSPECT": screened.factor_milli}
    return effects


def is_corroborated(review: Review, codes: Codes, facts: WeightFacts) -> bool:
    """Whether an order fact stands behind a review that is not good; once so, for ever."""
    if "CORROBORATED" in review.codes:
        return True
    told = facts.late or facts.corroborated or "CORROBORATED" in codes
    return told and not is_good(review.content)


def is_good(content: Content) -> bool:
    return isinstance(content, BuyerReview) and sign_of(content) == "GOOD"


def is_over(review: Review, facts: WeightFacts, at: datetime) -> bool:
    """Whether the time to prove a campaign has passed and no case names the review."""
    until = review.campaign_until
    return until is not None and at >= until and review.review_id not in facts.open_cases
