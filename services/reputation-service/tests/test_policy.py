"""A policy is read whole or refused with everything that is wrong with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from reputation_service.domain.policy import (
    DEFAULT,
    ScorePolicy,
    SlaRules,
    policy_data,
    policy_from,
)
from reputation_service.domain.read import read_dimension
from reputation_service.domain.whatif import impact_report
from shared_runtime.decider import InvalidValue

type Change = Callable[[dict[str, Any]], object]


def refused(change: Change) -> list[str]:
    """The fields that are refused after a change to the default policy; none: it is taken."""
    data: dict[str, Any] = policy_data(DEFAULT)
    change(data)
    try:
        policy_from(data)
    except InvalidValue as refusal:
        return [error.field for error in refusal.errors]
    return []


def test_a_policy_survives_the_way_through_json() -> None:
    assert policy_from(policy_data(DEFAULT)) == DEFAULT


def test_the_slas_may_be_left_out() -> None:
    data = policy_data(DEFAULT)
    del data["sla"]
    assert policy_from(data).sla == SlaRules(dispute_seconds=172_800, return_seconds=259_200)


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("half_life_days", 1, 1000),
        ("keep_weeks", 1, 520),
        ("z_milli", 0, 1_000_000),
        ("evaluations", 1, 26),
        ("raise_search_max", 1, 10_000),
        ("clamp.floor_milli", 0, 1_000_000),
        ("clamp.kappa_milli", 0, 1_000_000),
        ("clamp.window_weeks", 1, 520),
        ("rated.min_milli", 0, 1_000_000_000),
        ("rated.window_weeks", 1, 520),
        ("dimensions.quality.prior_strength_milli", 1, 1_000_000),
        ("dimensions.quality.prior_mean_micro", 0, 1_000_000),
        ("dimensions.quality.display_mean_micro", 0, 1_000_000),
        ("dimensions.quality.prior_var_micro", 1, 250_000),
        ("credit.start", 100, 100),
        ("sla.dispute_seconds", 1, 31_622_400),
        ("sla.return_seconds", 1, 31_622_400),
    ],
)
def test_every_number_has_bounds(path: str, low: int, high: int) -> None:
    *into, name = path.split(".")

    def set_to(value: object) -> Change:
        def change(data: dict[str, Any]) -> None:
            for step in into:
                data = data[step]
            data[name] = value

        return change

    assert refused(set_to(low)) == []
    assert refused(set_to(high)) == []
    for wrong in (low - 1, high + 1, True, "1", 1.0, None):
        assert refused(set_to(wrong)) == [path]


def test_weights_add_up_to_a_thousand() -> None:
    def more(data: dict[str, Any]) -> None:
        data["dimensions"]["quality"]["weight_milli"] = 301

    def moved(data: dict[str, Any]) -> None:
        more(data)
        data["dimensions"]["service"]["weight_milli"] = 199

    assert refused(more) == ["dimensions.weight_milli"]
    assert refused(moved) == []


@pytest.mark.parametrize(
    "bands",
    [
        [],
        [["GOLD", 78_000_000], ["GREEN", 66_000_000], ["YELLOW", 58_000_000], ["RED", 0]],
        [["GREEN", 3], ["GOLD", 4], ["YELLOW", 2], ["ORANGE", 1], ["RED", 0]],
        [["GOLD", 4], ["GREEN", 3], ["YELLOW", 3], ["ORANGE", 1], ["RED", 0]],
        [["GOLD", 5], ["GREEN", 4], ["YELLOW", 3], ["ORANGE", 2], ["RED", 1]],
        [["GOLD", 100_000_001], ["GREEN", 4], ["YELLOW", 3], ["ORANGE", 2], ["RED", 0]],
        "GOLD",
    ],
)
def test_bands_fall_from_gold_to_red_at_nothing(bands: object) -> None:
    assert refused(lambda data: data.update(bands=bands)) == ["bands"]


@pytest.mark.parametrize(
    "levels",
    [
        [],
        [["NORMAL", 80, "GOLD"]],
        [["NORMAL", 80, "GOLD"], ["REDUCED", 80, "RED"], ["LAST", 0, "RED"]],
        [["NORMAL", 80, "PLATINUM"], ["CRITICAL", 0, "RED"]],
        [["", 80, "GOLD"], ["CRITICAL", 0, "RED"]],
        [["NORMAL", 101, "GOLD"], ["CRITICAL", 0, "RED"]],
        [["NORMAL", 80, "GOLD"], ["NORMAL", 0, "RED"]],
        [["NORMAL", 80, "RED"], ["CRITICAL", 0, "GOLD"]],
        [["NORMAL", 80, "GOLD"], ["a\x00b", 0, "RED"]],
        [["NORMAL", 80, "GOLD"], ["x" * 65, 0, "RED"]],
        [["NORMAL", 80, "GOLD"], [["LAST"], 0, "RED"]],
    ],
)
def test_credit_levels_fall_to_nothing(levels: object) -> None:
    assert refused(lambda data: data["credit"].update(levels=levels)) == ["credit.levels"]


def test_unknown_and_missing_fields_are_named() -> None:
    def change(data: dict[str, Any]) -> None:
        del data["z_milli"]
        data["z"] = 1
        del data["dimensions"]["returns"]
        data["rated"]["dimension"] = "speed"

    wrong = refused(change)
    assert {"z", "z_milli", "dimensions.returns.", "rated.dimension"} <= set(wrong)


@pytest.mark.parametrize("name", ["", "x" * 65, 7])
def test_a_policy_has_a_name(name: object) -> None:
    assert refused(lambda data: data.update(policy_id=name)) == ["policy_id"]
    assert refused(lambda data: data.update(policy_id="x" * 64)) == []


def test_a_policy_says_whether_a_good_rating_can_lower_a_score() -> None:
    assert DEFAULT.is_monotone
    # z^2 <= 4 * 25 * .113 = 11.3
    assert replace(DEFAULT, z_milli=3361).is_monotone
    assert not replace(DEFAULT, z_milli=3362).is_monotone


def draft(**changes: object) -> ScorePolicy:
    """The default's numbers but for these, as a file has them."""
    return policy_from(policy_data(DEFAULT) | {"policy_id": "draft"} | changes)


def test_a_policy_beyond_that_is_taken_and_its_impact_report_says_so() -> None:
    report = impact_report([], draft=draft(z_milli=25_000))
    assert not report.draft_is_monotone
    (warning,) = report.warnings
    assert warning.startswith("Under draft a good rating may lower a seller's score, in quality, ")


def test_of_a_policy_within_it_the_impact_report_warns_of_nothing() -> None:
    report = impact_report([], draft=draft(z_milli=3361))
    assert report.draft_is_monotone
    assert report.warnings == ()


def test_the_warning_names_the_dimensions_in_which_it_is_so() -> None:
    data = draft(z_milli=3361)
    dimensions = tuple(
        replace(rules, prior_var_micro=112_000) if rules.name == "returns" else rules
        for rules in data.dimensions
    )
    (warning,) = impact_report([], draft=replace(data, dimensions=dimensions)).warnings
    assert "in returns:" in warning


def test_under_such_a_policy_a_good_rating_does_lower_a_bound() -> None:
    rules = replace(DEFAULT.dimensions[0], prior_var_micro=5_000)
    policy = draft(z_milli=5_000)
    unrated, rated = (
        read_dimension(weeks, 20_454, rules, policy)
        for weeks in ({}, {2922: (1000, 4000, 16_000, 1_000_000)})
    )
    assert rated.mean_nano > unrated.mean_nano
    assert rated.lcb_nano < unrated.lcb_nano
