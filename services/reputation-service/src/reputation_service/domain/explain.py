"""A score and the facts behind it in, why it is so out: exact shares, exclusions, what helps.

A fact's share of the mean is F*w*(250000*k - m) / (1e6*P); the shares of a dimension add up to
mean - m0 exactly. Caution (z standard errors) belongs to no single fact.

Facts of the same week, weight and k have equal shares. So a seller is explained by counting his
facts, however many they are: only how many of a tie are printed one micro-point higher is left to
the order of entities.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from reputation_service.domain.decay import SCALE, WEEK_DAYS
from reputation_service.domain.facts import K_MAX, Fact
from reputation_service.domain.ledger import contribution
from reputation_service.domain.level import RANK, band, is_at_least
from reputation_service.domain.observations import FULL_MILLI
from reputation_service.domain.policy import CONDUCT, LEVELS, STARS, Level, ScorePolicy
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
    week_factors,
)

STARRED = (*STARS, CONDUCT)
"""The dimensions in which people are rated with stars."""
K_UNIT = 250_000  # one step of k, in micro
SHARE_UNIT = 100  # micro-points of a dimension are 10^8 of the mean; the shares are in 10^6


class Alike(NamedTuple):
    """What facts of one dimension have in common whose exact shares are equal."""

    week: int
    weight_milli: int
    k: int


class Printed(NamedTuple):
    """The share of facts that are alike: numerator / (1e6*P) of the mean exactly.

    In micro-points it is printed as `floor_micro`, and one more for the first `raised` of all
    facts of the `tie`, in the order of their entities.
    """

    numerator: int
    floor_micro: int
    tie: int
    raised: int


class Group(NamedTuple):
    """So many facts of a dimension in force that are alike in all that their reader may ask for.

    `concealed`: of a review that is not shown. `of_order`: an order without a dispute.
    """

    dimension: str
    week: int
    weight_milli: int
    k: int
    with_reasons: bool
    concealed: bool
    of_order: bool
    events: int


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
class DimensionShares:
    """How a mean comes about, of counted facts: `total_micro` is mean - m0, `events` how many
    facts have weight.
    """

    score: DimensionScore
    total_micro: int
    events: int
    printed: Mapping[Alike, Printed]
    weeks: tuple[WeekWeight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A seller explained by his counted facts, in whole and by dimension.

    `under_review`: how many reviews are not shown, whatever they weigh. `less`: how many facts
    weigh nothing (True) or less than a full one (False), without those that are not shown;
    `less_concealed`: those.
    """

    score: SellerScore
    buckets: Buckets
    groups: Sequence[Group]
    dimensions: Mapping[str, DimensionShares]
    under_review: int
    less: Mapping[bool, int]
    less_concealed: Mapping[bool, int]


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
    weighing = sorted((f for f in facts if f.weight_milli > 0), key=lambda f: f.entity_id)
    found = share_dimension(buckets, Counter(map(alike, weighing)), score, day, policy)
    places: Counter[int] = Counter()
    shares: list[Share] = []
    for fact in weighing:
        numerator, floor, tie, raised = found.printed[alike(fact)]
        micro = floor + (places[tie] < raised)
        places[tie] += 1
        shares.append(Share(fact, numerator, 1_000_000 * score.p, micro))
    return DimensionExplanation(
        score=score, total_micro=found.total_micro, shares=tuple(shares), weeks=found.weeks
    )


def explain_counted(groups: Sequence[Group], day: int, policy: ScorePolicy) -> Explained:
    """Every dimension of a score, and the score itself, of facts of which only the counts are
    known: to the bit what `explain` says of them one by one.
    """
    counts: dict[str, Counter[Alike]] = {rules.name: Counter() for rules in policy.dimensions}
    not_shown: Counter[str] = Counter()
    less: dict[bool, Counter[bool]] = {False: Counter(), True: Counter()}
    for group in groups:
        if group.weight_milli:
            counts[group.dimension][alike_in(group)] += group.events
        if group.concealed:
            not_shown[group.dimension] += group.events
        if group.weight_milli == 0 or (group.with_reasons and group.weight_milli < FULL_MILLI):
            less[group.concealed][group.weight_milli == 0] += group.events
    buckets = fold_counts(counts)
    score = read(buckets, day, policy)
    return Explained(
        score=score,
        buckets=buckets,
        groups=groups,
        dimensions={
            read.rules.name: share_dimension(buckets, counts[read.rules.name], read, day, policy)
            for read in score.dimensions
        },
        # A review has a star in each dimension, or is told by the one in which it has.
        under_review=max(not_shown[name] for name in STARRED),
        less=less[False],
        less_concealed=less[True],
    )


def alike_in(group: Group) -> Alike:
    return Alike(group.week, group.weight_milli, group.k)


def alike(fact: Fact) -> Alike:
    """Which facts of its dimension have the same share."""
    return Alike(fact.day // WEEK_DAYS, fact.weight_milli, fact.k)


def fold_counts(counts: Mapping[str, Mapping[Alike, int]]) -> Buckets:
    """The buckets of so many facts of each dimension."""
    return {dimension: _weeks(of_dimension) for dimension, of_dimension in counts.items()}


def share_dimension(
    buckets: Buckets,
    counts: Mapping[Alike, int],
    score: DimensionScore,
    day: int,
    policy: ScorePolicy,
) -> DimensionShares:
    """The shares of one dimension, of whose facts with weight there are so many of each kind."""
    rules = score.rules
    weeks = buckets.get(rules.name, NO_WEEKS)
    factors = week_factors(weeks, day, rules, policy)
    numerators = {
        said: factors.get(said.week, 0)
        * said.weight_milli
        * (K_UNIT * said.k - rules.prior_mean_micro)
        for said in counts
    }
    total = rhe(25 * (score.a - 4 * rules.prior_mean_micro * score.p), score.p)
    return DimensionShares(
        score=score,
        total_micro=total,
        events=sum(counts.values()),
        printed=print_shares(numerators, counts, score.p, total),
        weeks=tuple(
            WeekWeight(week, n, factors[week], _is_clamped(n, score.cap_2000))
            for week, (n, _, _, _) in sorted(weeks.items())
            if week in factors
        ),
    )


def print_shares(
    numerators: Mapping[Alike, int], counts: Mapping[Alike, int], p: int, total: int
) -> dict[Alike, Printed]:
    """Whole micro-points near the shares that add up to `total`, their rounded sum.

    As `share_out` does it for single facts: floors, then one more for the largest remainders, in
    the order of entities where they tie.
    """
    parts = {said: divmod(SHARE_UNIT * numerators[said], p) for said in counts}
    ties: Counter[int] = Counter()
    for said, (_, remainder) in parts.items():
        ties[remainder] += counts[said]
    left = total - sum(floor * counts[said] for said, (floor, _) in parts.items())
    assert 0 <= left <= ties.total()
    raised: dict[int, tuple[int, int]] = {}
    for tie, remainder in enumerate(sorted(ties, reverse=True)):
        raised[remainder] = (tie, min(left, ties[remainder]))
        left -= raised[remainder][1]
    return {
        said: Printed(numerators[said], floor, *raised[remainder])
        for said, (floor, remainder) in parts.items()
    }


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


def read_without(
    buckets: Buckets, facts: Sequence[Fact], entity_id: str, day: int, policy: ScorePolicy
) -> SellerScore:
    """The score without the entity: the effect of one event is the difference to it."""
    return read(without_entity(buckets, facts, entity_id), day, policy)


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
        raised = [
            with_more(each, reviews, FULL_MILLI, score.policy)
            if each.rules.name in STARRED
            else each
            for each in score.dimensions
        ]
        if is_at_least(goal, composite(raised), score.policy):
            return Raise(goal=goal, five_star_reviews=reviews)
    return Raise(goal=goal, five_star_reviews=None)


def with_more(
    score: DimensionScore, count: int, weight_milli: int, policy: ScorePolicy
) -> DimensionScore:
    """The dimension after so many of the best observations of today, outside the clamp."""
    n, s1, s2, q = score.sums
    more = weight_milli * count * SCALE
    sums = Sums(
        n + more,
        s1 + K_MAX * more,
        s2 + K_MAX * K_MAX * more,
        q + weight_milli * more * SCALE,
    )
    return score_of(
        sums,
        score.rules,
        policy.z_milli,
        n_milli=score.n_milli,
        weeks=score.weeks,
        cap_2000=score.cap_2000,
    )


def _weeks(counts: Mapping[Alike, int]) -> dict[int, Bucket]:
    weeks: dict[int, Bucket] = {}
    for (week, weight, k), count in counts.items():
        if weight:
            wk = weight * k
            n, a, b, s = weeks.get(week, (0, 0, 0, 0))
            weeks[week] = (
                n + count * weight,
                a + count * wk,
                b + count * wk * k,
                s + count * weight * weight,
            )
    return weeks


def _is_clamped(n_milli: int, cap_2000: int | None) -> bool:
    return cap_2000 is not None and 2000 * n_milli > cap_2000


def _entity(fact: Fact) -> tuple[str, str]:
    return (fact.entity_id, fact.dimension)


def _minus(left: Bucket, right: Bucket) -> Bucket:
    return (left[0] - right[0], left[1] - right[1], left[2] - right[2], left[3] - right[3])
