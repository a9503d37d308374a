"""A policy is loaded whole and within its bounds; a stream keeps the version it began with."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from review_service.domain.policy import AE_30D, AE_2025_1, ALWAYS, policies
from shared_runtime.decider import PolicyUnknown

SINCE = datetime(2025, 3, 10, tzinfo=UTC)
D, H, ONE = timedelta(days=1), timedelta(hours=1), 1

# What the business has published: value, least, greatest (None: no upper bound), unit.
ROWS: dict[str, tuple[int, int, int | None, timedelta | int]] = {
    "order_auto_complete": (7, 0, 60, D),
    "review_window": (15, 1, 100, D),
    "review_min_after_pause": (72, 0, 360, H),
    "review_pause_cap": (120, 30, 365, D),
    "review_reply_window": (30, 1, 365, D),
    "review_reply_edit": (48, 0, 168, H),
    "review_followup_window": (180, 0, 365, D),
    "review_revision_window": (14, 1, 60, D),
    "review_flag_sla": (5, 1, 10, D),
    "review_flags_per_day_max": (20, 1, 1000, ONE),
    "review_votes_per_hour_max": (60, 1, 1000, ONE),
    "review_hold_max": (72, 1, 168, H),
    "review_campaign_max": (14, 1, 30, D),
    "review_screening_span": (90, 0, 365, D),
    "review_moderation_appeal": (183, 183, None, D),
    "review_appeal_sla": (14, 1, 30, D),
    "review_retention": (365, 365, None, D),
    "review_min_value_ref_minor": (500, 0, 5000, ONE),
    "review_repeat_sign_span": (10, 0, 60, D),
    "review_repeat_span": (180, 0, 365, D),
    "review_new_account_age": (24, 0, 720, H),
    "review_new_account_cap_milli": (400, 50, 1000, ONE),
    "review_weight_floor_milli": (50, 1, 200, ONE),
}


def loaded(name: str, value: timedelta | int) -> object:
    """The number, as a version that differs in it alone has it."""
    return getattr(replace(AE_2025_1, **{name: cast("Any", value)}), name)


def test_every_number_has_a_bound() -> None:
    assert {field.name for field in fields(AE_2025_1)} == {"version", *ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_a_version_at_a_bound_is_loaded_and_one_beyond_it_is_not(name: str) -> None:
    value, least, greatest, unit = ROWS[name]
    step = timedelta(seconds=1) if isinstance(unit, timedelta) else 1
    assert getattr(AE_2025_1, name) == value * unit
    assert loaded(name, least * unit) == least * unit
    with pytest.raises(ValueError, match=name):
        loaded(name, least * unit - cast("Any", step))
    if greatest is None:
        assert loaded(name, 1000 * unit) == 1000 * unit
        return
    assert loaded(name, greatest * unit) == greatest * unit
    with pytest.raises(ValueError, match=name):
        loaded(name, greatest * unit + cast("Any", step))


def test_the_other_version_differs_in_the_window_alone() -> None:
    assert replace(AE_30D, version=AE_2025_1.version, review_window=timedelta(days=15)) == AE_2025_1


def test_a_version_is_in_force_from_its_instant_on() -> None:
    known = policies([(SINCE, "ae-30d"), (ALWAYS, "ae-2025-1")])
    assert known.in_force(SINCE - timedelta(microseconds=1)) == AE_2025_1
    assert known.in_force(SINCE) == AE_30D


def test_a_version_that_is_not_in_force_is_still_known() -> None:
    assert policies().of("ae-30d") == AE_30D


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(PolicyUnknown):
        policies().of("ae-1999")
    with pytest.raises(PolicyUnknown):
        policies([(ALWAYS, "ae-1999")])


def test_before_the_first_version_none_is_in_force() -> None:
    with pytest.raises(PolicyUnknown):
        policies([(SINCE, "ae-30d")]).in_force(SINCE - timedelta(microseconds=1))
