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
    "return_window": (15, 7, 365, D),
    "return_seller_answer": (5, 1, 7, D),
    "return_manual_answer": (2, 1, 5, D),
    "return_ship_by": (10, 5, 30, D),
    "return_ship_by_statutory": (21, 21, None, D),
    "return_late_ship": (60, 0, 365, D),
    "return_label_due": (3, 1, 10, D),
    "return_offer_answer": (3, 1, 7, D),
    "return_offers_max": (3, 1, 10, ONE),
    "return_receive": (5, 1, 10, D),
    "return_inspect": (48, 12, 120, H),
    "return_transit_max": (45, 15, 90, D),
    "return_max_deduction_milli": (500, 0, 500, ONE),
    "return_contest": (7, 3, 30, D),
    "return_send_back": (10, 3, 30, D),
    "return_claim_silence_max_milli": (200, 0, 500, ONE),
    "return_withdrawal": (21, 21, None, D),
    "return_withdrawal_uninformed": (365, 365, None, D),
    "return_withdrawal_confirm": (24, 1, 72, H),
    "return_withdrawal_refund": (14, 1, 14, D),
    "return_fast_value_ref": (10_000, 0, 30_000, ONE),
    "return_fast_per_order": (1, 0, 9, ONE),
    "return_fast_exposure_ref": (30_000, 10_000, None, ONE),
    "return_fast_reject_span": (180, 0, 365, D),
    "return_auto_value_ref": (2000, 0, None, ONE),
    "return_manual_value_ref": (50_000, 10_001, None, ONE),
    "return_replacement_ship": (7, 1, 30, D),
    "return_stock_answer": (48, 1, 168, H),
    "return_pay_difference": (7, 1, 30, D),
    "return_original_due": (14, 7, 60, D),
    "refund_legal": (14, 1, 14, D),
    "refund_retry": (1, 1, 24, H),
    "refund_max_attempts": (5, 1, 20, ONE),
    "refund_retry_cap": (24, 1, 24, H),
    "goodwill_agent_max_ref": (5000, 0, None, ONE),
}
WORDS = {
    "return_fast_reasons",
    "return_excluded_categories",
    "refund_on_cancel",
    "return_windows",
    "return_tables",
}


def test_every_number_is_published() -> None:
    assert {*ROWS, *WORDS} == {field.name for field in fields(AE_2025_1)} - {"version"}
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


def test_the_words_of_a_policy_are_those_that_there_are() -> None:
    assert AE_2025_1.return_fast_reasons == {"DAMAGED", "WRONG_ITEM", "SIZE_MISFIT"}
    assert AE_2025_1.refund_on_cancel == "LEDGER"
    assert AE_2025_1.return_excluded_categories == {
        "HYGIENE_UNSEALED",
        "PERISHABLE",
        "MADE_TO_ORDER",
        "DIGITAL",
    }
    assert loaded("refund_on_cancel", "MARKETPLACE") == "MARKETPLACE"
    assert loaded("return_fast_reasons", frozenset()) == frozenset()
    with pytest.raises(ValueError, match="refund_on_cancel is NOBODY, allowed LEDGER, MARKETPLACE"):
        loaded("refund_on_cancel", "NOBODY")
    with pytest.raises(ValueError, match="return_fast_reasons"):
        loaded("return_fast_reasons", frozenset({"DAMAGED", "WITHDRAWAL"}))


def test_what_is_advanced_is_never_looked_at_by_people() -> None:
    """The desk decides above what the fast lane takes, or a request would be both."""
    replace(AE_2025_1, return_fast_value_ref=20_000, return_manual_value_ref=20_001)
    with pytest.raises(ValueError, match="return_manual_value_ref"):
        replace(AE_2025_1, return_fast_value_ref=20_000, return_manual_value_ref=20_000)
    with pytest.raises(ValueError, match="return_fast_exposure_ref"):
        replace(AE_2025_1, return_fast_value_ref=20_000, return_fast_exposure_ref=19_999)
