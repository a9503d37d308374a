"""A policy is loaded whole and within its bounds; a stream keeps the version it began with."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from dispute_service.domain.policy import AE_30D, AE_2025_1, ALWAYS, policies
from shared_runtime.decider import PolicyUnknown

SINCE = datetime(2025, 3, 10, tzinfo=UTC)
D, H, ONE = timedelta(days=1), timedelta(hours=1), 1

# What the business has published: value, least, greatest (None: no upper bound), unit.
ROWS: dict[str, tuple[int, int, int | None, timedelta | int]] = {
    "inquiry_sla": (24, 1, 168, H),
    "inquiry_idle": (7, 2, 60, D),
    "inquiry_max_open": (3, 1, 20, ONE),
    "inquiry_max_total": (20, 1, 100, ONE),
    "dispute_open_window": (15, 7, 180, D),
    "dispute_not_received_after": (10, 1, 60, D),
    "dispute_not_received_until": (90, 30, 180, D),
    "dispute_max_open": (3, 1, 20, ONE),
    "dispute_withdrawn_max": (2, 0, 5, ONE),
    "dispute_withdrawn_order_max": (6, 0, 50, ONE),
    "dispute_answer": (5, 1, 15, D),
    "dispute_negotiation": (7, 5, None, D),
    "dispute_rearm_max": (2, 0, 5, ONE),
    "dispute_default_partial_max_milli": (200, 0, 500, ONE),
    "dispute_escalate_buyer": (3, 0, 7, D),
    "dispute_escalate_seller": (5, 0, 7, D),
    "dispute_blind_offers_max": (3, 0, 10, ONE),
    "dispute_proposals_max": (20, 1, 100, ONE),
    "dispute_messages_max": (100, 1, 1000, ONE),
    "dispute_evidence": (5, 1, 30, D),
    "dispute_evidence_extension": (3, 0, 15, D),
    "dispute_evidence_max": (20, 1, 100, ONE),
    "dispute_evidence_appeal_max": (5, 0, 20, ONE),
    "dispute_rebuttal": (2, 1, 7, D),
    "dispute_decision": (7, 1, 30, D),
    "dispute_platform_default": (30, 7, 90, D),
    "dispute_info": (72, 24, 168, H),
    "dispute_info_max": (3, 1, 10, ONE),
    "dispute_appeal_window": (7, 1, 60, D),
    "dispute_appeal_sla": (10, 1, 30, D),
    "dispute_execution": (14, 1, 90, D),
    "return_ship_by": (10, 5, 30, D),
    "return_transit_max": (45, 15, 90, D),
    "return_receive": (5, 1, 10, D),
}
BESIDES: dict[str, dict[str, timedelta]] = {
    "dispute_answer": {"dispute_negotiation": 15 * D},
    "inquiry_sla": {"inquiry_idle": 60 * D},
}
"""What else has to be there for a number to be at its bound."""


def loaded(name: str, value: timedelta | int) -> object:
    """The number, as a version that differs in it alone has it."""
    changed: dict[str, Any] = BESIDES.get(name, {}) | {name: value}
    return getattr(replace(AE_2025_1, **changed), name)


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


def test_a_question_stays_open_until_its_answer_is_due() -> None:
    week = replace(AE_2025_1, inquiry_sla=168 * H, inquiry_idle=7 * D)
    assert week.inquiry_idle == week.inquiry_sla
    with pytest.raises(ValueError, match="inquiry_idle"):
        replace(week, inquiry_idle=7 * D - timedelta(seconds=1))


def test_the_other_version_differs_in_the_time_to_appeal_alone() -> None:
    same = replace(AE_30D, version=AE_2025_1.version, dispute_appeal_window=7 * D)
    assert same == AE_2025_1


def test_a_version_is_in_force_from_its_instant_on() -> None:
    known = policies([(SINCE, "ae-30d"), (ALWAYS, "ae-2025-1")])
    assert known.in_force(SINCE - timedelta(microseconds=1)) == AE_2025_1
    assert known.in_force(SINCE) == AE_30D


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(PolicyUnknown):
        policies([(SINCE, "ae-1999")])
    with pytest.raises(PolicyUnknown):
        policies().of("ae-1999")
