"""Buckets, a day and a policy in, means, bounds and the composite out: integers to the end.

X = 2^32 is the scale of the decay table; A, B, P, V are those of the closed form

    mean = A / (4e6 P)    variance = V / (16e12 P^2)    se = sqrt(variance / (C + E + 1))

of a Dirichlet mean with a base rate, E being the evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, sumprod
from typing import NamedTuple, cast

from reputation_service.domain.decay import SCALE, WEEK_DAYS, weekly_weights
from reputation_service.domain.policy import STARS, ClampRules, DimensionRules, ScorePolicy

type Bucket = tuple[int, int, int, int]
"""n, a, b, s = the sums of w, w*k, w*k^2, w^2 over the facts in force of one week."""
type Weeks = Mapping[int, Bucket]
type Buckets = Mapping[str, Weeks]
"""Of one seller: dimension -> week -> sums."""

CAP_UNIT = 2000  # caps are counted in milli/2000, so that a median of two needs no fraction
NO_WEEKS: Weeks = {}

# Of integers it is an integer, exactly; its declared type knows only floats.
_dot = cast("Callable[[Sequence[int], Sequence[int]], int]", sumprod)


def rhe(p: int, q: int) -> int:
    """p/q rounded to the nearest integer, halves to even; q > 0."""
    whole, rest = divmod(p, q)
    twice = 2 * rest
    return whole + (twice > q or (twice == q and whole & 1))


class Sums(NamedTuple):
    """The decayed and clamped sums over kept weeks: N, S1, S2, Q."""

    n: int
    s1: int
    s2: int
    q: int


# A tuple, not a dataclass: one is made per dimension and seller, and makes a third of the read.
class DimensionScore(NamedTuple):
    """One dimension as it is read on a day. What people see is derived when they ask."""

    rules: DimensionRules
    n_milli: int
    """Full weight of the kept weeks, neither decayed nor clamped."""
    weeks: int
    cap_2000: int | None
    """What a week counts at most, in milli/2000; None where weeks are not clamped."""
    sums: Sums
    p: int
    a: int
    mean_nano: int
    se_nano: int
    lcb_nano: int

    @property
    def mean_micro(self) -> int:
        return rhe(self.a, 4 * self.p)

    @property
    def lcb_micro(self) -> int:
        return rhe(self.lcb_nano, 1000)

    @property
    def display_micro(self) -> int:
        """The mean with the friendlier prior: for people, never for ranking."""
        rules = self.rules
        kinder = rules.display_mean_micro - rules.prior_mean_micro
        shift = 4 * rules.prior_strength_milli * kinder * SCALE
        return rhe(self.a + shift, 4 * self.p)

    @property
    def stars_micro(self) -> int:
        return 1_000_000 + 4 * self.display_micro

    @property
    def decayed_milli(self) -> int:
        return rhe(self.sums.n, SCALE)

    @property
    def evidence_milli(self) -> int:
        """How many observations of weight 1 the sums are worth."""
        n, _, _, q = self.sums
        return rhe(n, SCALE) if q <= 1000 * SCALE * n else rhe(1000 * n * n, q)


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerScore:
    """A seller as he is read on a day: `score_micro` in micro-points of 0..100."""

    policy: ScorePolicy
    day: int
    score_micro: int
    recent_milli: int
    dimensions: tuple[DimensionScore, ...]

    @property
    def is_rated(self) -> bool:
        return self.recent_milli >= self.policy.rated.min_milli

    @property
    def parts_micro(self) -> dict[str, int]:
        """What each dimension brings to the composite; the parts add up to it."""
        exact = [read.rules.weight_milli * read.lcb_nano for read in self.dimensions]
        parts = share_out(exact, 10_000, self.score_micro)
        return {read.rules.name: part for read, part in zip(self.dimensions, parts, strict=True)}

    @property
    def overall_stars_micro(self) -> int:
        """The stars people see: the weighted mean of the three star dimensions."""
        starred = [read for read in self.dimensions if read.rules.name in STARS]
        weights = sum(read.rules.weight_milli for read in starred)
        total = sum(read.rules.weight_milli * read.stars_micro for read in starred)
        if weights == 0:  # nothing says which counts more
            return rhe(sum(read.stars_micro for read in starred), len(starred))
        return rhe(total, weights)


def read(buckets: Buckets, day: int, policy: ScorePolicy) -> SellerScore:
    """A seller's score on `day` (days since 1970-01-01) over the buckets as of some instant.

    Only the dimensions of the policy are read; absent ones have their prior.
    """
    dimensions = tuple(
        [
            read_dimension(buckets.get(rules.name, NO_WEEKS), day, rules, policy)
            for rules in policy.dimensions
        ]
    )
    rated = policy.rated
    return SellerScore(
        policy=policy,
        day=day,
        score_micro=composite(dimensions),
        recent_milli=recent(buckets.get(rated.dimension, NO_WEEKS), day, rated.window_weeks),
        dimensions=dimensions,
    )


def composite(dimensions: Sequence[DimensionScore]) -> int:
    """The weighted sum of the bounds in micro-points, rounded once."""
    return rhe(sum([read.rules.weight_milli * read.lcb_nano for read in dimensions]), 10_000)


def recent(weeks: Weeks, day: int, window_weeks: int) -> int:
    """The weight of the last `window_weeks`, neither decayed nor clamped."""
    now = day // WEEK_DAYS
    return sum([bucket[0] for week, bucket in weeks.items() if 0 <= now - week < window_weeks])


def read_dimension(
    weeks: Weeks, day: int, rules: DimensionRules, policy: ScorePolicy
) -> DimensionScore:
    """One dimension on `day`. The same code reads a buyer's conduct."""
    backs, n, a, b, s = _columns(weeks, day // WEEK_DAYS, policy.keep_weeks)
    cap = _cap(backs, n, policy.clamp) if rules.clamped else None
    factors, squares = _factors(backs, n, cap, day % WEEK_DAYS, policy)
    sums = Sums(_dot(factors, n), _dot(factors, a), _dot(factors, b), _dot(squares, s))
    return score_of(sums, rules, policy.z_milli, n_milli=sum(n), weeks=len(n), cap_2000=cap)


def score_of(
    sums: Sums,
    rules: DimensionRules,
    z_milli: int,
    *,
    n_milli: int,
    weeks: int,
    cap_2000: int | None,
) -> DimensionScore:
    """Mean, error and bound of these sums, by the closed form."""
    n, s1, s2, q = sums
    c, m = rules.prior_strength_milli, rules.prior_mean_micro
    c_scaled = c * SCALE
    p = c_scaled + n
    a = 4 * m * c_scaled + 1_000_000 * s1
    b = 16 * (1_000_000 * rules.prior_var_micro + m * m) * c_scaled + 1_000_000_000_000 * s2
    v = b * p - a * a
    # se^2 has the denominator 16e12 * P^2 * (...); 62_500 is what is left of it below 10^18.
    if q <= 1000 * SCALE * n:
        square = v * (62_500_000 * SCALE) // (p * p * (p + 1000 * SCALE))
    else:
        square = v * (62_500_000 * q) // (p * p * ((c + 1000) * q + 1000 * n * n))
    se_nano = isqrt(square)
    mean_nano = rhe(250 * a, p)
    lcb_nano = max(0, mean_nano - rhe(z_milli * se_nano, 1000))
    return DimensionScore(rules, n_milli, weeks, cap_2000, sums, p, a, mean_nano, se_nano, lcb_nano)


def week_factors(
    weeks: Weeks, day: int, rules: DimensionRules, policy: ScorePolicy
) -> dict[int, int]:
    """F of every kept week, on the scale of 2^32: decay times clamp. For explanations."""
    now = day // WEEK_DAYS
    backs, n, _, _, _ = _columns(weeks, now, policy.keep_weeks)
    cap = _cap(backs, n, policy.clamp) if rules.clamped else None
    factors, _ = _factors(backs, n, cap, day % WEEK_DAYS, policy)
    return {now - back: factor for back, factor in zip(backs, factors, strict=True)}


class _Columns(NamedTuple):
    """The weeks that count: how many weeks back each lies, and its sums. Summed column-wise in C,
    which reads twice as many sellers a second as a loop over weeks does.
    """

    backs: list[int]
    n: Sequence[int] = ()
    a: Sequence[int] = ()
    b: Sequence[int] = ()
    s: Sequence[int] = ()


def _columns(weeks: Weeks, now: int, keep_weeks: int) -> _Columns:
    backs = [now - week for week in weeks]
    if not backs:
        return _Columns(backs)
    n, a, b, s = zip(*weeks.values(), strict=True)
    if min(backs) >= 0 and max(backs) < keep_weeks and min(n) > 0:
        return _Columns(backs, n, a, b, s)
    kept = {
        week: bucket
        for week, bucket in weeks.items()
        if 0 <= now - week < keep_weeks and bucket[0] > 0
    }
    return _columns(kept, now, keep_weeks)


def _cap(backs: list[int], n: Sequence[int], clamp: ClampRules) -> int:
    floor, window = CAP_UNIT * clamp.floor_milli, clamp.window_weeks
    counts = sorted([count for back, count in zip(backs, n, strict=True) if back < window])
    if not counts:
        return floor
    middle = len(counts)
    median_twice = counts[(middle - 1) // 2] + counts[middle // 2]
    return max(floor, clamp.kappa_milli * median_twice)


def _factors(
    backs: list[int], n: Sequence[int], cap: int | None, weekday: int, policy: ScorePolicy
) -> tuple[list[int], list[int]]:
    """F = the decay of a week's age, times cap/n where the week is above its cap; and F^2."""
    decay, decay_squared = weekly_weights(policy.half_life_days, policy.keep_weeks, weekday)
    if cap is None or not n or CAP_UNIT * max(n) <= cap:
        return [decay[back] for back in backs], [decay_squared[back] for back in backs]
    factors = [
        decay[back] * cap // (CAP_UNIT * count) if CAP_UNIT * count > cap else decay[back]
        for back, count in zip(backs, n, strict=True)
    ]
    return factors, [factor * factor for factor in factors]


def share_out(numerators: Sequence[int], denominator: int, total: int) -> list[int]:
    """Integers near numerators/denominator that add up to `total`, their rounded sum.

    Floors, then one more for the largest remainders; the earlier goes first where they tie.
    """
    floors = [numerator // denominator for numerator in numerators]
    missing = total - sum(floors)
    assert 0 <= missing <= len(floors)
    order = sorted(
        range(len(floors)), key=lambda i: (-(numerators[i] - floors[i] * denominator), i)
    )
    for i in order[:missing]:
        floors[i] += 1
    return floors
