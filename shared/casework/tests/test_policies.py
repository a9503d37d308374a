"""A policy is loaded whole and within its bounds; a stream keeps the version it began with."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import pytest
from shared_casework.policy import (
    ALWAYS,
    DAY,
    HOUR,
    LONGEST,
    Bound,
    Policy,
    count,
    days,
    hours,
    over,
    published,
)
from shared_runtime.decider import PolicyUnknown

SINCE = datetime(2025, 3, 10, tzinfo=UTC)
ONE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPolicy(Policy):
    answer: Annotated[timedelta, days(1, 15)] = 5 * DAY
    idle: Annotated[timedelta, hours(48, 1440), hours("answer")] = 7 * DAY
    notice: Annotated[timedelta, days(30)] = 30 * DAY
    fast_minor: Annotated[int, count(0)] = 10_000
    manual_minor: Annotated[int, over("fast_minor")] = 50_000
    on_cancel: Literal["LEDGER", "MARKETPLACE"] = "LEDGER"


FIRST = ShopPolicy(version="one")
SECOND = replace(FIRST, version="two", answer=6 * DAY)
BOTH = (FIRST, SECOND)


def test_a_number_is_within_its_bounds_both_of_them_included() -> None:
    assert replace(FIRST, answer=DAY).answer == DAY
    for wrong in (DAY - ONE, 15 * DAY + ONE):
        with pytest.raises(
            ValueError, match=r"policy one: answer is .*, allowed 1 day.* .. 15 day"
        ):
            replace(FIRST, answer=wrong)


def test_a_number_without_an_upper_bound_may_be_any() -> None:
    assert replace(FIRST, fast_minor=0).fast_minor == 0
    assert replace(FIRST, fast_minor=10**9, manual_minor=10**9 + 1).fast_minor == 10**9
    with pytest.raises(ValueError, match=r"allowed 0 .. any"):
        replace(FIRST, fast_minor=-1)


def test_no_time_is_longer_than_a_century() -> None:
    """An end that is behind all time could be computed by nobody."""
    assert replace(FIRST, notice=LONGEST).notice == LONGEST
    with pytest.raises(ValueError, match=r"notice is .*, allowed at most 36500 days"):
        replace(FIRST, notice=LONGEST + ONE)


def test_a_number_may_be_the_bound_of_another() -> None:
    assert replace(FIRST, answer=7 * DAY).idle == 7 * DAY
    with pytest.raises(ValueError, match=r"idle is .*, allowed answer .. any"):
        replace(FIRST, answer=7 * DAY + ONE)


def test_a_number_with_two_bounds_keeps_both() -> None:
    assert replace(FIRST, answer=DAY, idle=48 * HOUR).idle == 2 * DAY
    with pytest.raises(ValueError, match="idle"):
        replace(FIRST, answer=DAY, idle=48 * HOUR - ONE)


def test_a_number_that_has_to_be_over_another_is_not_the_same() -> None:
    assert replace(FIRST, manual_minor=10_001).manual_minor == 10_001
    with pytest.raises(ValueError, match=r"manual_minor is 10000, allowed over fast_minor .. any"):
        replace(FIRST, manual_minor=10_000)


def test_a_number_without_a_bound_makes_no_policy() -> None:
    with pytest.raises(TypeError, match="window is a number without a bound"):
        type("Unbounded", (Policy,), {"__annotations__": {"window": timedelta}})


def test_the_bounds_of_a_policy_can_be_read() -> None:
    assert ShopPolicy.bounds["answer"] == (Bound(DAY, 15 * DAY),)
    assert ShopPolicy.bounds["on_cancel"] == ()


def test_a_version_is_in_force_from_its_instant_on() -> None:
    known = published(BOTH, [(SINCE, "two"), (ALWAYS, "one")])
    assert known.in_force(SINCE - ONE) == FIRST
    assert known.in_force(SINCE) == SECOND


def test_a_version_that_is_not_in_force_is_still_known() -> None:
    assert published(BOTH, [(ALWAYS, "one")]).of("two") == SECOND


def test_an_unknown_version_is_refused() -> None:
    known = published(BOTH, [(ALWAYS, "one")])
    with pytest.raises(PolicyUnknown) as refused:
        known.of("three")
    assert refused.value.policy_version == "three"
    with pytest.raises(PolicyUnknown):
        published(BOTH, [(ALWAYS, "three")])


def test_before_the_first_version_none_is_in_force() -> None:
    with pytest.raises(PolicyUnknown):
        published(BOTH, [(SINCE, "two")]).in_force(SINCE - ONE)


def test_two_versions_of_one_name_are_not_published() -> None:
    with pytest.raises(ValueError, match="two policies of one version"):
        published((FIRST, replace(SECOND, version="one")), [(ALWAYS, "one")])
