"""The numbers of points and cases are loaded whole and within their bounds."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from reputation_service.domain.points_policy import AE_30D, AE_2025_1, policies
from shared_runtime.decider import PolicyUnknown

D, ONE = timedelta(days=1), 1

# What the business has published: value, least, greatest (None: no upper bound), unit.
ROWS: dict[str, tuple[int, int, int | None, timedelta | int]] = {
    "credit_start": (100, 100, 100, ONE),
    "credit_term_minor": (90, 30, 730, D),
    "credit_term_medium": (180, 30, 730, D),
    "credit_term_severe": (365, 30, 730, D),
    "credit_normal": (80, 61, 100, ONE),
    "credit_reduced": (60, 41, 79, ONE),
    "credit_restricted": (40, 1, 59, ONE),
    "conduct_period": (90, 30, 365, D),
    "conduct_min_orders": (50, 1, None, ONE),
    "conduct_points": (2, 0, 10, ONE),
    "conduct_cap_year": (6, 0, 20, ONE),
    "protection_max": (90, 1, 180, D),
    "suspension_max": (30, 1, 60, D),
    "termination_notice": (30, 30, None, D),
    "case_statement": (7, 3, 30, D),
    "case_decision": (10, 1, 60, D),
    "case_human_points": (12, 1, 12, ONE),
    "case_false_claims": (3, 1, None, ONE),
    "case_false_claims_share_milli": (300, 0, 1000, ONE),
    "case_false_claims_span": (90, 1, None, D),
    "case_appeal_window": (30, 14, 183, D),
    "case_appeal_sla": (10, 1, 30, D),
}


def loaded(name: str, value: timedelta | int) -> object:
    """The number, as a version that differs in it alone has it."""
    changed: dict[str, Any] = {name: value}
    return getattr(replace(AE_2025_1, **changed), name)


def test_every_number_has_a_bound() -> None:
    assert {field.name for field in fields(AE_2025_1)} == {"version", *ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_a_version_at_a_bound_is_loaded_and_one_beyond_it_is_not(name: str) -> None:
    value, least, greatest, unit = ROWS[name]
    step = timedelta(seconds=1) if isinstance(unit, timedelta) else 1
    assert getattr(AE_2025_1, name) == value * unit
    assert loaded(name, least * unit) == least * unit
    with pytest.raises(ValueError, match="credit_" if name.startswith("credit") else name):
        loaded(name, least * unit - cast("Any", step))
    if greatest is None:
        assert loaded(name, 1000 * unit) == 1000 * unit
        return
    assert loaded(name, greatest * unit) == greatest * unit
    with pytest.raises(ValueError, match="credit_" if name.startswith("credit") else name):
        loaded(name, greatest * unit + cast("Any", step))


def test_the_other_version_has_the_same_numbers_here() -> None:
    assert replace(AE_30D, version=AE_2025_1.version) == AE_2025_1


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(PolicyUnknown):
        policies().of("ae-1999")
