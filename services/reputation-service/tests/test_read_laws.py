"""What no sums can break: the properties R8 to R12 of the specification, and monotonicity."""

from fractions import Fraction
from math import isqrt

from hypothesis import assume, given
from hypothesis import strategies as st
from reputation_service.domain.decay import SCALE
from reputation_service.domain.facts import DAY_MICROS
from reputation_service.domain.level import CreditLot, Evaluation, standing
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.read import Bucket, DimensionScore, Weeks, read, read_dimension, rhe

TODAY = 20_469
QUALITY = DEFAULT.dimensions[0]
DISPUTE = DEFAULT.dimensions[3]
FOR_EVER = (TODAY + 100) * DAY_MICROS
days = st.integers(TODAY - 60, TODAY + 400)
instants = st.integers(TODAY * 8 - 200, TODAY * 8).map(lambda eighth: eighth * DAY_MICROS // 8)


@st.composite
def bucket_weeks(draw: st.DrawFn) -> dict[int, Bucket]:
    """Weeks of whole ratings: so many of each star, each with a weight of at most 1."""
    weeks: dict[int, Bucket] = {}
    for week in draw(st.lists(st.integers(TODAY // 7 - 60, TODAY // 7), max_size=8, unique=True)):
        counts = draw(st.lists(st.integers(0, 6), min_size=5, max_size=5))
        weight = draw(st.sampled_from((100, 1000)))
        weeks[week] = (
            sum(counts) * weight,
            sum(count * weight * k for k, count in enumerate(counts)),
            sum(count * weight * k * k for k, count in enumerate(counts)),
            sum(counts) * weight * weight,
        )
    return weeks


@given(bucket_weeks(), days)
def test_r8_means_and_bounds_lie_between_nothing_and_one(weeks: Weeks, day: int) -> None:
    for rules in (QUALITY, DISPUTE):
        score = read_dimension(weeks, day, rules, DEFAULT)
        assert 0 <= score.lcb_nano <= score.mean_nano <= 10**9
        assert _variance(score) > 0


@given(days)
def test_r8_no_observation_is_58_points_on_every_day(day: int) -> None:
    assert read({}, day, DEFAULT).score_micro == 58407464


@given(bucket_weeks(), st.integers(0, 200))
def test_r9_silence_fades_everything(weeks: Weeks, weeks_later: int) -> None:
    day = TODAY + 7 * weeks_later
    earlier = read_dimension(weeks, day, QUALITY, DEFAULT)
    later = read_dimension(weeks, day + 7, QUALITY, DEFAULT)
    if earlier.cap_2000 == later.cap_2000:
        assert later.sums.n < earlier.sums.n or earlier.sums.n == 0
    forgotten = TODAY + 7 * DEFAULT.keep_weeks
    assert read({"quality": weeks}, forgotten, DEFAULT) == read({}, forgotten, DEFAULT)


@given(
    bucket_weeks(),
    st.lists(st.tuples(st.integers(-40, 60), instants, st.integers(0, 60)), max_size=4),
    instants,
)
def test_r10_credit_points_change_levels_and_nothing_else(
    weeks: Weeks, lots: list[tuple[int, int, int]], as_of: int
) -> None:
    penalties = [
        CreditLot(
            entity_id=f"p{number}",
            version=1,
            from_=recorded_at,
            until=recorded_at + 30 * DAY_MICROS,
            points=points,
            recorded_at=recorded_at,
        )
        for number, (points, recorded_at, _) in enumerate(lots)
    ]
    reversals = [
        CreditLot(
            entity_id=lot.entity_id,
            version=2,
            from_=lot.from_,
            until=lot.until,
            points=0,
            recorded_at=lot.recorded_at + later * DAY_MICROS,
        )
        for lot, (_, _, later) in zip(penalties, lots, strict=True)
    ]

    def buckets_at(_: Evaluation) -> dict[str, Weeks]:
        return {"quality": weeks}

    none = standing(buckets_at, as_of, [], [], DEFAULT)
    some = standing(buckets_at, as_of, [*penalties, *reversals], [], DEFAULT)
    assert some.score == none.score
    assert some.level.evaluations == none.level.evaluations
    after_all = FOR_EVER + 100 * DAY_MICROS
    assert standing(buckets_at, after_all, penalties, [], DEFAULT) == standing(
        buckets_at, after_all, [], [], DEFAULT
    )


@given(bucket_weeks(), days)
def test_r12_the_closed_form_is_the_formulae(weeks: Weeks, day: int) -> None:
    for rules in (QUALITY, DISPUTE):
        score = read_dimension(weeks, day, rules, DEFAULT)
        n, s1, s2, q = score.sums
        strength = Fraction(rules.prior_strength_milli, 1000)
        prior_mean = Fraction(rules.prior_mean_micro, 10**6)
        prior_var = Fraction(rules.prior_var_micro, 10**6)
        weight = Fraction(n, 1000 * SCALE)
        observed_mean = Fraction(s1, 4 * 1000 * SCALE)
        observed_square = Fraction(s2, 16 * 1000 * SCALE)
        mean = (strength * prior_mean + observed_mean) / (strength + weight)
        square = strength * (prior_var + prior_mean**2) + observed_square
        variance = square / (strength + weight) - mean**2
        evidence = min(weight, Fraction(n * n, q)) if q else weight
        error_squared = variance / (strength + evidence + 1)
        assert score.mean_nano == rhe(mean.numerator * 10**9, mean.denominator)
        assert _variance(score) == variance
        assert score.se_nano == isqrt(error_squared.numerator * 10**18 // error_squared.denominator)
        assert score.evidence_milli == rhe(evidence.numerator * 1000, evidence.denominator)


# --- Monotonicity ----------------------------------------------------------------------------


@given(bucket_weeks(), st.integers(0, 8), st.sampled_from((1, 100, 250, 1000)))
def test_a_good_rating_never_lowers_mean_or_bound_where_no_week_is_clamped(
    weeks: Weeks, weeks_ago: int, weight: int
) -> None:
    before, after = _with_another(weeks, weeks_ago, weight, k=4)
    assert after.a * before.p >= before.a * after.p
    assert after.lcb_nano >= before.lcb_nano - 2


@given(bucket_weeks(), st.integers(0, 8), st.integers(0, 3), st.sampled_from((1, 250, 1000)))
def test_a_rating_below_the_mean_never_raises_it_where_no_week_is_clamped(
    weeks: Weeks, weeks_ago: int, k: int, weight: int
) -> None:
    before, after = _with_another(weeks, weeks_ago, weight, k)
    assume(10**6 * k * before.p < before.a)
    assert after.a * before.p <= before.a * after.p


def test_where_the_clamp_binds_a_good_rating_can_lower_the_mean() -> None:
    newest = TODAY // 7
    weeks: dict[int, Bucket] = {
        newest - 2: (30_000, 0, 0, 30_000_000),
        newest - 1: (2000, 8000, 32_000, 2_000_000),
        newest: (2000, 8000, 32_000, 2_000_000),
    }
    before = read_dimension(weeks, TODAY, QUALITY, DEFAULT)
    weeks[newest] = (3000, 12_000, 48_000, 3_000_000)
    after = read_dimension(weeks, TODAY, QUALITY, DEFAULT)
    assert (before.cap_2000, after.cap_2000) == (12_000_000, 18_000_000)
    assert rhe(before.mean_nano - after.mean_nano, 10**7) == 3


def _with_another(
    weeks: Weeks, weeks_ago: int, weight: int, k: int
) -> tuple[DimensionScore, DimensionScore]:
    """The dimension before and after one more rating; only where no week is clamped."""
    week = TODAY // 7 - weeks_ago
    n, a, b, s = weeks.get(week, (0, 0, 0, 0))
    more = (n + weight, a + weight * k, b + weight * k * k, s + weight * weight)
    scores = (
        read_dimension(weeks, TODAY, QUALITY, DEFAULT),
        read_dimension({**weeks, week: more}, TODAY, QUALITY, DEFAULT),
    )
    for score, counted in zip(scores, (weeks, {**weeks, week: more}), strict=True):
        cap = score.cap_2000
        assume(cap is not None and all(2000 * bucket[0] <= cap for bucket in counted.values()))
    return scores


def _variance(score: DimensionScore) -> Fraction:
    rules = score.rules
    c, m, v = rules.prior_strength_milli, rules.prior_mean_micro, rules.prior_var_micro
    b = 16 * c * (10**6 * v + m * m) * SCALE + 10**12 * score.sums.s2
    return Fraction(b * score.p - score.a**2, 16 * 10**12 * score.p**2)
