"""A policy is loaded whole and within its bounds; a ledger keeps the version it began with."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from returns_service.domain.policy import AE_30D, AE_2025_1, ALWAYS, policies
from returns_service.testing import (
    DAY,
    SYSTEM,
    asks,
    at,
    ledger_after,
    opened,
    say,
)
from shared_runtime.decider import PolicyUnknown

D, H, ONE = timedelta(days=1), timedelta(hours=1), 1

# What the business has published: value, least, greatest (None: no upper bound), unit.
ROWS: dict[str, tuple[int, int, int | None, timedelta | int]] = {
    "refund_legal": (14, 1, 14, D),
    "refund_retry": (1, 1, 24, H),
    "refund_max_attempts": (5, 1, 20, ONE),
    "refund_retry_cap": (24, 1, 24, H),
    "goodwill_agent_max_ref": (5000, 0, None, ONE),
}


def test_every_number_is_published() -> None:
    assert set(ROWS) == {field.name for field in fields(AE_2025_1)} - {"version"}
    assert replace(AE_30D, version=AE_2025_1.version) == AE_2025_1


def loaded(name: str, value: Any) -> object:  # noqa: ANN401 - a number or a duration
    """The number, as a version that differs in it alone has it."""
    changed: dict[str, Any] = {name: value}
    return getattr(replace(AE_2025_1, **changed), name)


@pytest.mark.parametrize("name", ROWS)
def test_a_number_is_taken_up_to_its_bounds_and_no_further(name: str) -> None:
    value, least, greatest, unit = ROWS[name]
    assert getattr(AE_2025_1, name) == value * unit
    assert loaded(name, least * unit) == least * unit
    with pytest.raises(ValueError, match=name):
        loaded(name, (least - 1) * unit)
    if greatest is not None:
        assert loaded(name, greatest * unit) == greatest * unit
        with pytest.raises(ValueError, match=name):
            loaded(name, (greatest + 1) * unit)


def test_the_longest_wait_is_no_shorter_than_the_first() -> None:
    replace(AE_2025_1, refund_retry=3 * H, refund_retry_cap=3 * H)
    with pytest.raises(ValueError, match="refund_retry_cap"):
        replace(AE_2025_1, refund_retry=3 * H, refund_retry_cap=2 * H)


def test_a_ledger_keeps_the_version_that_it_began_with() -> None:
    later = replace(AE_2025_1, version="later", refund_legal=7 * D)
    both = policies([(ALWAYS, AE_2025_1.version), (at(5), "later")], [AE_2025_1, later])
    ledger = ledger_after(opened(), say(asks("f-1", "1/1"), at(6), SYSTEM, policies=both))
    assert ledger.opened.policy_version == "ae-2025-1"
    assert ledger.refunds["f-1"].overdue_at == at(6) + 14 * DAY


def test_a_version_that_is_not_published_is_unknown() -> None:
    with pytest.raises(PolicyUnknown):
        policies([(ALWAYS, "ae-1999")])
