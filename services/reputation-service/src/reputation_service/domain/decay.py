"""A half-life in, the integer decay table out, each number proved by integers alone."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache

SCALE_BITS = 32
SCALE = 1 << SCALE_BITS
"""W[0]: the scale on which a full weight is counted."""

DIGITS = 60
WEEK_DAYS = 7
MIDDLE_OF_WEEK = 3  # a week's observations share the age of its fourth day


@lru_cache(maxsize=64)
def decay_table(half_life_days: int, days: int) -> tuple[int, ...]:
    """W[a] for a in 0..days-1: the integer nearest to 2^(32 - a/half_life_days).

    Decimal arithmetic proposes, integers prove: (2W-1)^H < 2^(33H-a) < (2W+1)^H.
    """
    with localcontext(Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)):
        table = tuple(_nearest(half_life_days, age) for age in range(days))
    for age, weight in enumerate(table):
        assert is_nearest(weight, half_life_days, age)
    return table


def is_nearest(weight: int, half_life_days: int, age: int) -> bool:
    """Whether `weight` is the integer nearest to 2^(32 - age/half_life_days), by integers."""
    power = (SCALE_BITS + 1) * half_life_days - age
    if power <= 0:
        return weight == 0  # at most a half: rounds to the even 0
    below: int = (2 * weight - 1) ** half_life_days
    above: int = (2 * weight + 1) ** half_life_days
    return below < 1 << power < above


@lru_cache(maxsize=256)
def weekly_weights(
    half_life_days: int, keep_weeks: int, weekday: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """W of the age of the week j weeks back, for j in 0..keep_weeks-1, and its square.

    `weekday` is day mod 7 of the day of the read; the age is counted from the week's fourth day.
    """
    table = decay_table(half_life_days, WEEK_DAYS * keep_weeks + MIDDLE_OF_WEEK + 1)
    weights = tuple(
        table[max(0, weekday + WEEK_DAYS * back - MIDDLE_OF_WEEK)] for back in range(keep_weeks)
    )
    return weights, tuple(weight * weight for weight in weights)


def age_of(week: int, day: int) -> int:
    """How many days old a week is on a day: from its fourth day on."""
    return max(0, day - (WEEK_DAYS * week + MIDDLE_OF_WEEK))


def _nearest(half_life_days: int, age: int) -> int:
    exponent = SCALE_BITS - Decimal(age) / half_life_days
    return int((Decimal(2) ** exponent).to_integral_value())
