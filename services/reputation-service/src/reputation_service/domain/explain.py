"""A score and the facts behind it in, why it is so out: exact shares, exclusions, what helps.

A fact's share of the mean is F*w*(250000*k - m) / (1e6*P); the shares of a dimension add up to
mean - m0 exactly. Caution (z standard errors) belongs to no single fact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from reputation_service.domain.decay import SCALE, WEEK_DAYS
from reputation_service.domain.facts import K_MAX, Fact
from reputation_service.domain.ledger import contribution
from reputation_service.domain.level import RANK, band, is_at_least
from reputation_service.domain.policy import LEVELS, STARS, Level, ScorePolicy
from reputation_service.domain.read import (
    NO_WEEKS,
    Bucket,
    Buckets,
    DimensionScore,
    SellerScore,
    Sums,
    composite,
    read,
    rhe,
    score_of,
    share_out,
    week_factors,
)

FULL_MILLI = 1000
K_UNIT = 250_000  # one step of k, in micro
SHARE_UNIT = 100  # micro-points of a dimension are 10^8 of the mean; the shares are in 10^6


class Share(NamedTuple):
    """What one fact adds to the mean of its dimension, exactly and as printed (micro-points)."""

    fact: Fact
    numerator: int
    denominator: int
    printed_micro: int

    @property
    def exact(self) -> Fraction:
        return Fraction(self.numerator, self.denominator)


class WeekWeight(NamedTuple):
    """How much a kept week counts: F on the scale of 2^32, and whether the clamp bound it."""

    week: int
    n_milli: int
    factor: int
    clamped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionExplanation:
    """`shares` of the facts with weight; `total_micro` is mean - m0 and what they add up to."""

    score: DimensionScore
    total_micro: int
    shares: tuple[Share, ...]
    weeks: tuple[WeekWeight, ...]

    def largest(self, count: int) -> list[Share]:
        """The shares that move the mean most; the earlier entity first where they tie."""
        order = sorted(self.shares, key=lambda s: (-abs(s.printed_micro), s.fact.entity_id))
        return order[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """What would raise a seller: so many full five-star reviews, or None: reviews do not help."""

    goal: Literal["RATED"] | Level
    five_star_reviews: int | None


def explain(
    buckets: Buckets, facts: Iterable[Fact], score: SellerScore
) -> dict[str, DimensionExplanation]:
    """Every dimension of a score; `facts` are those in force that made the buckets."""
    by_dimension: dict[str, list[Fact]] = {}
    for fact in facts:
        by_dimension.setdefault(fact.dimension, []).append(fact)
    return {
        read.rules.name: explain_dimension(
            buckets, by_dimension.get(read.rules.name, []), read, score.day, score.policy
        )
        for read in score.dimensions
    }


def explain_dimension(
    buckets: Buckets,
    facts: Iterable[Fact],
    score: DimensionScore,
    day: int,
    policy: ScorePolicy,
) -> DimensionExplanation:
    """The share of every fact of one dimension that has weight, sorted by entity."""
    rules = score.rules
    weeks = buckets.get(rules.name, NO_WEEKS)
    factors = week_factors(weeks, day, rules, policy)
    weighing = sorted((f for f in facts if f.weight_milli > 0), key=lambda f: f.entity_id)
    numerators = [
        factors.get(fact.day // WEEK_DAYS, 0)
        * fact.weight_milli
        * (K_UNIT * fact.k - rules.prior_mean_micro)
        for fact in weighing
    ]
    total = rhe(25 * (score.a - 4 * rules.prior_mean_micro * score.p), score.p)
    printed = share_out([SHARE_UNIT * share for share in numerators], score.p, total)
    return DimensionExplanation(
        score=score,
        total_micro=total,
        shares=tuple(
            Share(fact, share, 1_000_000 * score.p, micro)
            for fact, share, micro in zip(weighing, numerators, printed, strict=True)
        ),
        weeks=tuple(
            WeekWeight(week, n, factors[week], _is_clamped(n, score.cap_2000))
            for week, (n, _, _, _) in sorted(weeks.items())
            if week in factors
        ),
    )


def excluded(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in force that weigh nothing: their `reasons` say why."""
    return sorted((fact for fact in facts if fact.weight_milli == 0), key=_entity)


def reduced(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in force that weigh something, but for a reason less than a full one."""
    less = (f for f in facts if f.reasons and 0 < f.weight_milli < FULL_MILLI)
    return sorted(less, key=_entity)


def without_entity(buckets: Buckets, facts: Iterable[Fact], entity_id: str) -> Buckets:
    """The buckets as they would be had the entity never been; `facts` are those in force."""
    taken = {dimension: dict(weeks) for dimension, weeks in buckets.items()}
    for fact in facts:
        if fact.entity_id == entity_id:
            weeks = taken[fact.dimension]
            week = fact.day // WEEK_DAYS
            weeks[week] = _minus(weeks.get(week, (0, 0, 0, 0)), contribution(fact))
    return taken


def score_without(
    buckets: Buckets, facts: Sequence[Fact], entity_id: str, day: int, policy: ScorePolicy
) -> int:
    """The composite without the entity: the effect of one event is the difference to it."""
    return read(without_entity(buckets, facts, entity_id), day, policy).score_micro


def what_would_raise(score: SellerScore) -> Raise | None:
    """The next goal and the full five-star reviews it takes; None for GOLD."""
    now = band(score)
    if now == "UNRATED":
        missing = score.policy.rated.min_milli - score.recent_milli
        return Raise(goal="RATED", five_star_reviews=-(-missing // FULL_MILLI))
    if now == LEVELS[-1]:
        return None
    goal = LEVELS[RANK[now] + 1]
    # One after the other: rounding may make the score fall a little, so halving could miss one.
    for reviews in range(1, score.policy.raise_search_max + 1):
        raised = [_with_five_stars(each, reviews, score.policy) for each in score.dimensions]
        if is_at_least(goal, composite(raised), score.policy):
            return Raise(goal=goal, five_star_reviews=reviews)
    return Raise(goal=goal, five_star_reviews=None)


def _with_five_stars(score: DimensionScore, reviews: int, policy: ScorePolicy) -> DimensionScore:
    """The dimension after so many five-star reviews of today, outside the clamp."""
    if score.rules.name not in STARS:
        return score
    n, s1, s2, q = score.sums
    more = FULL_MILLI * reviews * SCALE
    sums = Sums(
        n + more,
        s1 + K_MAX * more,
        s2 + K_MAX * K_MAX * more,
        q + FULL_MILLI * more * SCALE,
    )
    return score_of(
        sums,
        score.rules,
        policy.z_milli,
        n_milli=score.n_milli,
        weeks=score.weeks,
        cap_2000=score.cap_2000,
    )


def _is_clamped(n_milli: int, cap_2000: int | None) -> bool:
    return cap_2000 is not None and 2000 * n_milli > cap_2000


def _entity(fact: Fact) -> tuple[str, str]:
    return (fact.entity_id, fact.dimension)


def _minus(left: Bucket, right: Bucket) -> Bucket:
    return (left[0] - right[0], left[1] - right[1], left[2] - right[2], left[3] - right[3])
