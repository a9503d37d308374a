"""The worked examples of the specification, and both sides of every edge of the read."""

from dataclasses import replace
from hashlib import sha256
from math import isqrt

import pytest
from reputation_service.domain.decay import SCALE, decay_table, is_nearest, weekly_weights
from reputation_service.domain.explain import explain_dimension, read_without, what_would_raise
from reputation_service.domain.facts import Fact
from reputation_service.domain.fold import fold
from reputation_service.domain.level import band
from reputation_service.domain.policy import (
    CONDUCT,
    CONDUCT_RULES,
    DEFAULT,
    DIMENSIONS,
    STARS,
    ClampRules,
    DimensionRules,
    RatedRules,
    ScorePolicy,
)
from reputation_service.domain.read import (
    Bucket,
    Buckets,
    DimensionScore,
    SellerScore,
    Sums,
    Weeks,
    composite,
    read,
    read_dimension,
    rhe,
    score_of,
    share_out,
    week_factors,
)

DAY = 20454  # 2026-01-01, a Thursday: the first day of its week
WEEK = DAY // 7
QUALITY, LOGISTICS, SERVICE, DISPUTE, RETURNS, INQUIRIES = DEFAULT.dimensions
FIVE_STARS: Bucket = (1000, 4000, 16_000, 1_000_000)
ONE_STAR: Bucket = (1000, 0, 0, 1_000_000)


def times(count: int, bucket: Bucket) -> Bucket:
    n, a, b, s = bucket
    return (count * n, count * a, count * b, count * s)


def starred(weeks: Weeks) -> Buckets:
    """A seller whose star dimensions are alike, and who had no cases."""
    return {str(dimension): weeks for dimension in STARS}


def quality(weeks: Weeks, day: int = DAY, policy: ScorePolicy = DEFAULT) -> DimensionScore:
    return read_dimension(weeks, day, QUALITY, policy)


def b_and_v(score: DimensionScore) -> tuple[int, int]:
    """B and V of the closed form, from the sums of a score."""
    rules = score.rules
    c, m, v = rules.prior_strength_milli, rules.prior_mean_micro, rules.prior_var_micro
    b = 16 * c * (10**6 * v + m * m) * SCALE + 10**12 * score.sums.s2
    return b, b * score.p - score.a**2


# --- Worked examples -------------------------------------------------------------------------


def test_example_a_three_reviews_of_five_stars() -> None:
    weeks = {2921: (3000, 12_000, 48_000, 3_000_000)}
    score = read(starred(weeks), DAY, DEFAULT)
    of_quality = score.dimensions[0]
    assert of_quality.cap_2000 == 18_000_000
    assert week_factors(weeks, DAY, QUALITY, DEFAULT) == {2921: 4229317660}
    assert of_quality.sums == Sums(
        12687952980000, 50751811920000, 203007247680000, 53661383607563626800000000
    )
    assert of_quality.p == 120062135380000
    assert of_quality.a == 329924686160000000000
    assert b_and_v(of_quality) == (
        1122989242483200000000000000,
        25978187923527110230016000000000000000000,
    )
    assert of_quality.mean_nano == 686987378
    assert of_quality.se_nano == 62371042
    assert of_quality.lcb_nano == 624616336
    assert of_quality.display_micro == 794306
    assert of_quality.stars_micro == 4177224
    assert of_quality.decayed_milli == 2954
    assert [each.lcb_nano for each in score.dimensions[3:]] == [584074635] * 3
    assert score.score_micro == 61245383
    assert band(score) == "UNRATED"
    raised = what_would_raise(score)
    assert raised is not None
    assert (raised.goal, raised.five_star_reviews) == ("RATED", 7)


def test_example_b_thirty_one_star_reviews_in_one_week() -> None:
    weeks: dict[int, Bucket] = {2897 + i: times(2, FIVE_STARS) for i in range(20)}
    weeks[2919] = times(30, ONE_STAR)
    score = quality(weeks, day=20439)
    factors = week_factors(weeks, 20439, QUALITY, DEFAULT)
    assert score.cap_2000 == 12_000_000
    assert factors[2919] == 849127077
    assert factors[2897] == 2346360881
    assert score.sums == Sums(
        148190102580000, 490865161080000, 1963460644320000, 407164027060487831420000000
    )
    assert (score.p, score.a) == (255564284980000, 770038035320000000000)
    b, v = b_and_v(score)
    assert b == 2883442639123200000000000000
    assert v == 143946380508879214627136000000000000000000
    assert rhe(v * 10**9, 16 * 10**12 * score.p**2) == 137746459
    assert (score.mean_nano, score.se_nano, score.lcb_nano) == (753272347, 47714575, 705557772)
    assert score.evidence_milli == 34503


def test_example_c_the_composite_is_one_weighted_sum_rounded_once() -> None:
    bounds = (770369655, 697913874, 780927963, 698229696, 606034371, 671363422)
    nothing = read({}, DAY, DEFAULT)
    dimensions = tuple(
        each._replace(lcb_nano=bound)
        for each, bound in zip(nothing.dimensions, bounds, strict=True)
    )
    score = replace(nothing, dimensions=dimensions, score_micro=composite(dimensions))
    assert score.score_micro == 72578533
    assert list(score.parts_micro.values()) == [
        23111090,
        13958278,
        15618559,
        10473445,
        6060344,
        3356817,
    ]


def test_example_c_its_disputes() -> None:
    sums = Sums(113409725116250, 381390927914000, 1514475590819000, 188121616717343468019312500)
    score = score_of(sums, DISPUTE, 1000, n_milli=37_000, weeks=20, cap_2000=None)
    assert (score.p, score.a) == (220783907516250, 660563802154000000000)
    assert b_and_v(score) == (
        2434457585622200000000000000,
        101144521720096215473144750000000000000000,
    )
    assert (score.mean_nano, score.se_nano, score.lcb_nano) == (747975486, 49745790, 698229696)
    assert score.decayed_milli == 26405


@pytest.mark.parametrize(("reviews", "week", "points"), [(1, WEEK, 5943), (3, WEEK - 1, 6125)])
def test_newcomers_pay_dues(reviews: int, week: int, points: int) -> None:
    weeks = {week: times(reviews, FIVE_STARS)}
    assert rhe(read(starred(weeks), DAY, DEFAULT).score_micro, 10_000) == points


def test_a_seller_of_whom_nothing_is_known_has_the_prior() -> None:
    score = read({}, DAY, DEFAULT)
    assert score.score_micro == 58407464
    assert tuple(score.parts_micro) == DIMENSIONS
    assert score.overall_stars_micro == 4_080_000
    assert (score.recent_milli, score.is_rated) == (0, False)


# --- Decay -----------------------------------------------------------------------------------


def test_the_decay_table_is_the_published_one() -> None:
    table = decay_table(180, 1096)
    lines = "".join(f"{weight}\n" for weight in table)
    digest = sha256(lines.encode()).hexdigest()
    assert digest == "12675c4b43968c46a31e7c0a27ca720bc55b984ae2b25933b963b49eb31dc75f"
    assert (table[0], table[180]) == (4294967296, 2147483648)


@pytest.mark.parametrize("half_life_days", [1, 7, 180, 1000])
def test_a_decay_weight_is_the_nearest_integer_and_no_other_is(half_life_days: int) -> None:
    for age, weight in enumerate(decay_table(half_life_days, 60)):
        if weight:
            assert is_nearest(weight, half_life_days, age)
            assert not is_nearest(weight + 1, half_life_days, age)
            assert not is_nearest(weight - 1, half_life_days, age)


def test_a_week_is_as_old_as_its_fourth_day_and_never_younger_than_today() -> None:
    table = decay_table(180, 100)
    weeks = {WEEK: FIVE_STARS}
    assert week_factors(weeks, DAY, QUALITY, DEFAULT) == {WEEK: table[0]}
    assert week_factors(weeks, DAY + 3, QUALITY, DEFAULT) == {WEEK: table[0]}
    assert week_factors(weeks, DAY + 4, QUALITY, DEFAULT) == {WEEK: table[1]}
    assert week_factors(weeks, DAY + 7, QUALITY, DEFAULT) == {WEEK: table[4]}


def test_another_half_life_is_another_table() -> None:
    slow, fast = (replace(DEFAULT, half_life_days=days) for days in (180, 90))
    weeks = {WEEK: FIVE_STARS}
    later = DAY + 3 + 90
    assert quality(weeks, later, fast).sums.n == 1000 * SCALE // 2
    assert quality(weeks, later, slow).sums.n > quality(weeks, later, fast).sums.n


def test_weeks_are_kept_for_keep_weeks_and_not_from_the_future() -> None:
    weeks = {WEEK: FIVE_STARS}
    for weeks_later, kept in [(-1, 0), (0, 1), (155, 1), (156, 0)]:
        score = quality(weeks, DAY + 7 * weeks_later)
        assert (score.weeks, score.n_milli) == (kept, 1000 * kept)
    shorter = replace(DEFAULT, keep_weeks=2)
    assert quality(weeks, DAY + 7, shorter).weeks == 1
    assert quality(weeks, DAY + 14, shorter).weeks == 0


def test_a_week_of_which_all_was_taken_back_is_no_week() -> None:
    weeks = {WEEK - 1: FIVE_STARS, WEEK: (0, 0, 0, 0)}
    assert quality(weeks) == quality({WEEK - 1: FIVE_STARS})
    assert quality({WEEK: (0, 0, 0, 0)}) == quality({})


# --- Clamp -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "full"),
    [(6000, True), (6001, False)],
)
def test_a_lonely_week_counts_six_full_ratings_at_most(count: int, full: bool) -> None:
    # One week is its own median: three times itself is no cap, so two small ones stand beside it.
    weeks: Weeks = {
        WEEK - 2: FIVE_STARS,
        WEEK - 1: FIVE_STARS,
        WEEK: (count, 0, 0, 1_000_000),
    }
    factor = week_factors(weeks, DAY, QUALITY, DEFAULT)[WEEK]
    assert factor == (SCALE if full else SCALE * 12_000_000 // (2000 * count))


@pytest.mark.parametrize(("count", "full"), [(9000, True), (9001, False)])
def test_a_busy_week_counts_three_median_weeks_at_most(count: int, full: bool) -> None:
    weeks: Weeks = {WEEK - i: times(3, FIVE_STARS) for i in range(1, 5)} | {
        WEEK: (count, 0, 0, 1_000_000)
    }
    score = quality(weeks)
    assert score.cap_2000 == 2 * 9_000_000
    assert (week_factors(weeks, DAY, QUALITY, DEFAULT)[WEEK] == SCALE) is full


def test_the_median_of_an_even_number_of_weeks_is_between_two() -> None:
    weeks: Weeks = {WEEK: times(3, FIVE_STARS), WEEK - 1: times(4, FIVE_STARS)}
    assert quality(weeks).cap_2000 == 3000 * (3000 + 4000)


def test_the_median_is_that_of_the_window() -> None:
    small: dict[int, Bucket] = {WEEK - i: FIVE_STARS for i in range(2)}
    for back, counted in [(51, True), (52, False)]:
        weeks = small | {WEEK - back: times(50, FIVE_STARS), WEEK - back - 100: FIVE_STARS}
        # Three weeks in the window: the middle one is small. Two: both are.
        assert quality(weeks).cap_2000 == 12_000_000
        wide = replace(DEFAULT, clamp=ClampRules(floor_milli=0))
        expected = 3000 * 2 * 1000
        assert quality(weeks, policy=wide).cap_2000 == expected
        two = small.copy()
        two.pop(WEEK - 1)
        alone = two | {WEEK - back: times(50, FIVE_STARS)}
        median_twice = 51_000 if counted else 2000
        assert quality(alone, policy=wide).cap_2000 == 3000 * median_twice


def test_without_a_week_in_the_window_the_cap_is_the_floor() -> None:
    assert quality({}).cap_2000 == 12_000_000
    assert quality({WEEK - 60: times(50, FIVE_STARS)}).cap_2000 == 12_000_000


def test_cases_are_decided_facts_and_count_in_full() -> None:
    weeks: Weeks = {WEEK: times(40, ONE_STAR), WEEK - 1: ONE_STAR, WEEK - 2: ONE_STAR}
    for rules in DEFAULT.dimensions:
        score = read_dimension(weeks, DAY, rules, DEFAULT)
        is_opinion = rules.name in STARS
        assert (score.cap_2000 is not None) is is_opinion
        assert (score.decayed_milli < 10_000) is is_opinion


def test_a_buyers_conduct_is_read_by_the_same_code() -> None:
    weeks: Weeks = {WEEK: times(40, FIVE_STARS), WEEK - 1: FIVE_STARS, WEEK - 2: FIVE_STARS}
    conduct = read_dimension(weeks, DAY, CONDUCT_RULES, DEFAULT)
    assert conduct[1:] == quality(weeks)[1:]
    assert read({CONDUCT: weeks}, DAY, DEFAULT).score_micro == 58407464


# --- Mean, error, caution --------------------------------------------------------------------


def test_one_case_of_weight_three_is_not_three_cases() -> None:
    heavy = read_dimension({WEEK: (3000, 0, 0, 9_000_000)}, DAY, DISPUTE, DEFAULT)
    three = read_dimension({WEEK: times(3, ONE_STAR)}, DAY, DISPUTE, DEFAULT)
    assert heavy.mean_nano == three.mean_nano
    assert (heavy.evidence_milli, three.evidence_milli) == (1000, 3000)
    assert heavy.se_nano > three.se_nano


def test_weights_below_one_are_evidence_of_their_sum() -> None:
    light = quality({WEEK: (500, 2000, 8000, 125_000)})  # two of a quarter
    assert light.evidence_milli == 500


def test_both_forms_of_the_error_agree_where_they_meet() -> None:
    c = QUALITY.prior_strength_milli
    n, s1, s2, q = quality({WEEK: times(9, FIVE_STARS)}).sums
    assert q == 1000 * SCALE * n
    score = score_of(Sums(n, s1, s2, q), QUALITY, 1000, n_milli=9000, weeks=1, cap_2000=None)
    _, v = b_and_v(score)
    denominator = 16 * 10**12 * score.p**2 * ((c + 1000) * q + 1000 * n * n)
    assert score.se_nano == isqrt(v * 1000 * q * 10**18 // denominator)


@pytest.mark.parametrize("z_milli", [0, 1000, 3000])
def test_caution_subtracts_standard_errors(z_milli: int) -> None:
    policy = replace(DEFAULT, z_milli=z_milli)
    score = quality({WEEK: FIVE_STARS}, policy=policy)
    assert score.lcb_nano == score.mean_nano - rhe(z_milli * score.se_nano, 1000)
    assert score.lcb_micro == rhe(score.lcb_nano, 1000)


def test_a_bound_is_never_below_nothing() -> None:
    policy = replace(DEFAULT, z_milli=10_000)
    assert quality({WEEK: times(20, ONE_STAR)}, policy=policy).lcb_nano == 0


def test_people_see_the_friendlier_prior() -> None:
    nothing = quality({})
    assert (nothing.mean_micro, nothing.display_micro) == (650_000, 770_000)
    many = quality({WEEK - i: times(20, FIVE_STARS) for i in range(50)})
    assert 0 < many.display_micro - many.mean_micro < 12_000
    assert quality({WEEK: FIVE_STARS}).display_micro == rhe(
        (25_000 * 770_000 + 1000 * 1_000_000), 26_000
    )


def test_overall_stars_are_weighted_like_the_composite() -> None:
    score = read({"quality": {WEEK: times(30, FIVE_STARS)}}, DAY, DEFAULT)
    stars = [each.stars_micro for each in score.dimensions[:3]]
    assert score.overall_stars_micro == rhe(3 * stars[0] + 2 * stars[1] + 2 * stars[2], 7)


def test_stars_of_dimensions_that_weigh_nothing_are_averaged_plainly() -> None:
    weightless = tuple(
        replace(rules, weight_milli={"dispute": 1000}.get(rules.name, 0))
        for rules in DEFAULT.dimensions
    )
    score = read({"quality": {WEEK: FIVE_STARS}}, DAY, replace(DEFAULT, dimensions=weightless))
    stars = [each.stars_micro for each in score.dimensions[:3]]
    assert score.overall_stars_micro == rhe(sum(stars), 3)


@pytest.mark.parametrize("rules", DEFAULT.dimensions, ids=lambda rules: rules.name)
def test_every_dimension_moves_the_composite_by_its_weight(rules: DimensionRules) -> None:
    weeks: Weeks = {WEEK: times(6, FIVE_STARS)}
    score = read({rules.name: weeks}, DAY, DEFAULT)
    bound = read_dimension(weeks, DAY, rules, DEFAULT).lcb_nano
    others = 1000 - rules.weight_milli
    assert score.score_micro == rhe(rules.weight_milli * bound + others * 584074635, 10_000)


def test_weights_are_those_of_the_specification() -> None:
    assert [rules.weight_milli for rules in DEFAULT.dimensions] == [300, 200, 200, 150, 100, 50]
    assert [rules.name for rules in DEFAULT.dimensions] == list(DIMENSIONS)


# --- Rated -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("milli", "rated", "missing"), [(9999, False, 1), (10_000, True, None)])
def test_ten_full_ratings_make_a_seller_rated(milli: int, rated: bool, missing: int | None) -> None:
    score = read({"quality": {WEEK: (milli, 0, 0, 1)}}, DAY, DEFAULT)
    assert score.is_rated is rated
    raised = what_would_raise(score)
    assert raised is not None
    assert (raised.goal == "RATED") is not rated
    if missing:
        assert raised.five_star_reviews == missing


@pytest.mark.parametrize(("milli", "missing"), [(0, 10), (1, 10), (1000, 9), (9001, 1)])
def test_what_is_missing_is_counted_in_full_ratings(milli: int, missing: int) -> None:
    raised = what_would_raise(read({"quality": {WEEK: (milli, 0, 0, 1)}}, DAY, DEFAULT))
    assert raised is not None
    assert raised.five_star_reviews == missing


def test_ratings_of_the_last_52_weeks_count_unclamped_and_undecayed() -> None:
    weeks = {WEEK: times(10, FIVE_STARS)}
    for weeks_later, recent in [(-1, 0), (0, 10_000), (51, 10_000), (52, 0)]:
        score = read({"quality": weeks}, DAY + 7 * weeks_later, DEFAULT)
        assert score.recent_milli == recent
        assert score.is_rated is (recent > 0)
    burst = {WEEK: times(90, FIVE_STARS), WEEK - 1: FIVE_STARS, WEEK - 2: FIVE_STARS}
    assert read({"quality": burst}, DAY, DEFAULT).recent_milli == 92_000


def test_the_rated_dimension_is_policy() -> None:
    policy = replace(DEFAULT, rated=RatedRules(dimension="dispute", min_milli=250, window_weeks=1))
    assert read({"quality": {WEEK: times(99, FIVE_STARS)}}, DAY, policy).is_rated is False
    assert read({"dispute": {WEEK: (250, 1000, 4000, 62_500)}}, DAY, policy).is_rated is True


# --- Bands and what would raise --------------------------------------------------------------


def rated_at(score_micro: int) -> SellerScore:
    """A rated seller with that score, whatever made it."""
    full = read(starred({WEEK: times(10, FIVE_STARS)}), DAY, DEFAULT)
    return replace(full, score_micro=score_micro)


@pytest.mark.parametrize(
    ("level", "limit"),
    [("GOLD", 78_000_000), ("GREEN", 66_000_000), ("YELLOW", 58_000_000), ("ORANGE", 52_000_000)],
)
def test_a_band_begins_at_its_limit(level: str, limit: int) -> None:
    below = {"GOLD": "GREEN", "GREEN": "YELLOW", "YELLOW": "ORANGE", "ORANGE": "RED"}
    assert band(rated_at(limit)) == level
    assert band(rated_at(limit - 1)) == below[level]
    assert band(rated_at(0)) == "RED"


def test_nothing_is_asked_of_gold() -> None:
    assert what_would_raise(rated_at(78_000_000)) is None
    raised = what_would_raise(rated_at(77_999_999))
    assert raised is not None
    assert raised.goal == "GOLD"


def test_what_would_raise_is_the_smallest_number_of_reviews() -> None:
    policy = replace(DEFAULT, raise_search_max=100)
    # Mixed ratings, so that the answer is neither none nor one.
    weeks: Weeks = {WEEK - i: (2000, 5000, 17_000, 2_000_000) for i in range(8)}
    score = read(starred(weeks), DAY, policy)
    raised = what_would_raise(score)
    assert raised is not None
    assert raised.five_star_reviews is not None
    assert raised.five_star_reviews > 1
    enough = replace(policy, raise_search_max=raised.five_star_reviews)
    too_few = replace(policy, raise_search_max=raised.five_star_reviews - 1)
    assert what_would_raise(replace(score, policy=enough)) == raised
    lacking = what_would_raise(replace(score, policy=too_few))
    assert lacking is not None
    assert (lacking.goal, lacking.five_star_reviews) == (raised.goal, None)


def test_reviews_alone_do_not_help_a_seller_who_loses_his_cases() -> None:
    lost: Weeks = {WEEK: times(400, ONE_STAR)}
    buckets = dict(starred({WEEK - i: times(9, FIVE_STARS) for i in range(60)}))
    buckets |= {"dispute": lost, "returns": lost, "inquiries": lost}
    score = read(buckets, DAY, replace(DEFAULT, raise_search_max=50))
    assert band(score) == "GREEN"
    raised = what_would_raise(score)
    assert raised is not None
    assert (raised.goal, raised.five_star_reviews) == ("GOLD", None)


# --- Shares ----------------------------------------------------------------------------------


def fact(entity_id: str, day: int, k: int, weight_milli: int = 1000) -> Fact:
    return Fact("S1", "quality", entity_id, 1, day, weight_milli, k, day * 86_400_000_000)


def test_shares_tell_what_moved_a_mean_and_what_the_clamp_did() -> None:
    facts = [fact(f"r{i:02}", DAY, 0) for i in range(7)]
    facts += [fact(f"s{i}", DAY - 7 * i, 4) for i in range(1, 4)]
    weeks = fold(facts)["S1"]["quality"]
    explained = explain_dimension({"quality": weeks}, facts, quality(weeks), DAY, DEFAULT)
    assert [week.clamped for week in explained.weeks] == [False, False, False, True]
    assert sum(share.printed_micro for share in explained.shares) == explained.total_micro
    # The first five got what rounding left over.
    assert [share.fact.entity_id for share in explained.largest(2)] == ["r05", "r06"]
    assert explained.largest(99)[-1].fact.entity_id == "s3"


def test_a_fact_of_a_dropped_week_has_no_share() -> None:
    facts = [fact("old", DAY - 7 * 156, 0), fact("new", DAY - 7 * 155, 0)]
    weeks = fold(facts)["S1"]["quality"]
    explained = explain_dimension({"quality": weeks}, facts, quality(weeks), DAY, DEFAULT)
    shares = {share.fact.entity_id: share.printed_micro for share in explained.shares}
    assert shares["old"] == 0
    assert shares["new"] < 0


def test_the_effect_of_one_event_is_the_score_without_it() -> None:
    facts = [fact("r1", DAY, 4), fact("r2", DAY, 0)]
    state = fold(facts)["S1"]
    without = read_without(state, facts, "r2", DAY, DEFAULT).score_micro
    assert without == read(fold(facts[:1])["S1"], DAY, DEFAULT).score_micro
    assert without > read(state, DAY, DEFAULT).score_micro


# --- Rounding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "q", "rounded"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (7, 3, 2), (8, 3, 3), (-7, 3, -2)],
)
def test_halves_go_to_the_even_neighbour(p: int, q: int, rounded: int) -> None:
    assert rhe(p, q) == rounded


def test_what_is_missing_goes_to_the_largest_remainders_the_earlier_first() -> None:
    assert share_out([15, 15, 10], 10, 4) == [2, 1, 1]
    assert share_out([11, 19, 10], 10, 4) == [1, 2, 1]
    assert share_out([-15, 5], 10, -1) == [-1, 0]


def test_weekly_weights_fit_the_table() -> None:
    weights, squares = weekly_weights(180, 156, 6)
    assert len(weights) == 156
    assert weights[0] == decay_table(180, 4)[3]
    assert squares[-1] == weights[-1] ** 2
