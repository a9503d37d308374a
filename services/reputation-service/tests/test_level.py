"""Levels: two evaluations up, one down, capped by credit points, softened by protections."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from reputation_service.domain.facts import DAY_MICROS
from reputation_service.domain.level import (
    CreditLot,
    Evaluation,
    Protection,
    SellerLevel,
    balance,
    base_level,
    credit_level,
    evaluations,
    level,
    standing,
)
from reputation_service.domain.policy import DEFAULT, LEVELS, Level
from reputation_service.domain.read import Buckets
from shared_events.reputation import Band

THURSDAY = 20_454 * DAY_MICROS  # the first instant of a week
NOW = THURSDAY + 2 * DAY_MICROS
PENALTY = CreditLot(
    entity_id="p1",
    version=1,
    from_=NOW,
    until=NOW + 90 * DAY_MICROS,
    points=30,
    recorded_at=NOW,
)
PROTECTION = Protection(
    entity_id="g1",
    version=1,
    from_=NOW,
    until=NOW + 30 * DAY_MICROS,
    level="GREEN",
    recorded_at=NOW,
)


def at(
    bands: Sequence[Band],
    *,
    as_of: int = NOW,
    lots: Sequence[CreditLot] = (),
    protections: Sequence[Protection] = (),
) -> SellerLevel:
    return level(bands, as_of, lots, protections, DEFAULT)


# --- Evaluations -----------------------------------------------------------------------------


def test_a_seller_is_evaluated_at_the_first_instant_of_a_week() -> None:
    assert evaluations(THURSDAY, DEFAULT) == (
        Evaluation(THURSDAY, 20_454),
        Evaluation(THURSDAY - 7 * DAY_MICROS, 20_447),
    )
    assert evaluations(THURSDAY + 7 * DAY_MICROS - 1, DEFAULT)[0].day == 20_454
    assert evaluations(THURSDAY - 1, DEFAULT)[0].day == 20_447


def test_the_number_of_evaluations_is_policy() -> None:
    assert len(evaluations(NOW, replace(DEFAULT, evaluations=5))) == 5


@pytest.mark.parametrize(
    ("bands", "base"),
    [
        (["GREEN", "GREEN"], "GREEN"),
        (["GREEN", "YELLOW"], "YELLOW"),
        (["YELLOW", "GREEN"], "YELLOW"),
        (["GOLD", "RED"], "RED"),
        (["UNRATED", "GREEN"], "UNRATED"),
        (["GREEN", "UNRATED"], "GREEN"),
        (["GOLD", "GREEN", "YELLOW"], "YELLOW"),
    ],
)
def test_one_evaluation_lowers_and_all_must_agree_to_raise(bands: list[Band], base: Band) -> None:
    assert base_level(bands) == base


def test_a_standing_reads_what_was_known_at_each_evaluation() -> None:
    asked: list[Evaluation] = []

    def buckets_at(evaluation: Evaluation) -> Buckets:
        asked.append(evaluation)
        full = evaluation.as_of >= THURSDAY
        return {"quality": {2921: (20_000, 80_000, 320_000, 20_000_000)}} if full else {}

    found = standing(buckets_at, NOW, [], [], DEFAULT)
    assert asked == [Evaluation(NOW, 20_456), *evaluations(NOW, DEFAULT)]
    assert found.level.evaluations == ("YELLOW", "UNRATED")
    assert found.level.real == "YELLOW"
    assert found.score.day == 20_456


# --- Credit points ---------------------------------------------------------------------------


def test_a_penalty_counts_from_its_beginning_until_before_its_end() -> None:
    early = replace(PENALTY, recorded_at=NOW - DAY_MICROS)
    for instant, points in [
        (NOW - 1, 100),
        (NOW, 70),
        (PENALTY.until - 1, 70),
        (PENALTY.until, 100),
    ]:
        assert balance([early], instant, DEFAULT) == points


def test_a_penalty_is_not_known_before_it_is_recorded() -> None:
    late = replace(PENALTY, recorded_at=NOW + 5)
    assert balance([late], NOW + 4, DEFAULT) == 100
    assert balance([late], NOW + 5, DEFAULT) == 70


def test_a_reversal_restores_everything() -> None:
    reversed_later = replace(PENALTY, version=2, points=0, recorded_at=NOW + 5)
    lots = [reversed_later, PENALTY]
    assert balance(lots, NOW + 4, DEFAULT) == 70
    assert balance(lots, NOW + 5, DEFAULT) == 100


def test_a_balance_lies_between_nothing_and_a_hundred() -> None:
    many = [replace(PENALTY, entity_id=f"p{i}", points=60) for i in range(3)]
    assert balance(many, NOW, DEFAULT) == 0
    assert balance([replace(PENALTY, points=-10)], NOW, DEFAULT) == 100
    assert balance([PENALTY, replace(PENALTY, entity_id="c1", points=-10)], NOW, DEFAULT) == 80


@pytest.mark.parametrize(
    ("points", "name", "highest"),
    [
        (100, "NORMAL", "GOLD"),
        (80, "NORMAL", "GOLD"),
        (79, "REDUCED", "YELLOW"),
        (60, "REDUCED", "YELLOW"),
        (59, "RESTRICTED", "ORANGE"),
        (40, "RESTRICTED", "ORANGE"),
        (39, "CRITICAL", "RED"),
        (0, "CRITICAL", "RED"),
    ],
)
def test_a_balance_caps_the_level_at_once(points: int, name: str, highest: Level) -> None:
    found = credit_level(points, DEFAULT)
    assert (found.name, found.highest) == (name, highest)
    lots = [replace(PENALTY, points=100 - points)]
    assert at(["GOLD", "GOLD"], lots=lots).real == highest
    assert at(["RED", "RED"], lots=lots).real == "RED"


@pytest.mark.parametrize(
    ("points", "real"), [(0, "UNRATED"), (40, "UNRATED"), (41, "ORANGE"), (61, "RED")]
)
def test_an_unrated_seller_is_capped_only_from_orange_down(points: int, real: Band) -> None:
    found = at(["UNRATED", "GREEN"], lots=[replace(PENALTY, points=points)])
    assert (found.base, found.real) == ("UNRATED", real)


# --- Protections -----------------------------------------------------------------------------


def test_a_protection_keeps_the_public_level_until_its_end() -> None:
    for instant, public in [
        (NOW - 1, "RED"),
        (NOW, "GREEN"),
        (PROTECTION.until - 1, "GREEN"),
        (PROTECTION.until, "RED"),
    ]:
        early = replace(PROTECTION, recorded_at=NOW - DAY_MICROS)
        found = at(["RED", "RED"], as_of=instant, protections=[early])
        assert (found.real, found.public) == ("RED", public)
        assert found.protected_until == (PROTECTION.until if public == "GREEN" else None)


def test_a_protection_never_lowers() -> None:
    found = at(["GOLD", "GOLD"], protections=[PROTECTION])
    assert (found.public, found.protected_until) == ("GOLD", None)


def test_of_several_protections_the_highest_counts() -> None:
    lower = replace(PROTECTION, entity_id="g2", level="YELLOW", until=PROTECTION.until + 1)
    found = at(["RED", "RED"], protections=[PROTECTION, lower])
    assert (found.public, found.protected_until) == ("GREEN", PROTECTION.until)


def test_a_protection_that_was_ended_protects_no_more() -> None:
    ended = replace(PROTECTION, version=2, level=None, recorded_at=NOW + 1)
    protections = [PROTECTION, ended]
    assert at(["RED", "RED"], protections=protections).public == "GREEN"
    assert at(["RED", "RED"], as_of=NOW + 1, protections=protections).public == "RED"


def test_no_protection_hides_a_cap_of_red_or_makes_an_unrated_seller_rated() -> None:
    critical = replace(PENALTY, points=61)
    restricted = replace(PENALTY, points=60)
    assert at(["GOLD", "GOLD"], lots=[critical], protections=[PROTECTION]).public == "RED"
    assert at(["GOLD", "GOLD"], lots=[restricted], protections=[PROTECTION]).public == "GREEN"
    assert at(["UNRATED", "GREEN"], protections=[PROTECTION]).public == "UNRATED"


def test_levels_are_ordered() -> None:
    assert LEVELS == ("RED", "ORANGE", "YELLOW", "GREEN", "GOLD")
