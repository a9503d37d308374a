"""Every refusal that a row of a command names is earned; every example is well-formed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from reputation_service.domain.account_rules import ACCOUNT_RULES, ACCOUNTS
from reputation_service.domain.case_appeals import DecideViolationAppeal
from reputation_service.domain.case_rules import CASE_RULES, CASES
from reputation_service.domain.confirming import ConfirmViolation, DismissCase
from reputation_service.domain.protection import GrantProtection
from reputation_service.domain.suspension import LiftMeasure, SuspendAccount
from reputation_service.domain.termination import CancelTermination
from reputation_service.testing import (
    ANALYST,
    ANOTHER,
    SELLER,
    SENIOR,
    at,
    say,
    suspected,
)
from reputation_service.testing.matrix import ACTORS, NONE, Table, folded, tried
from reputation_service.testing.stories import (
    ACCOUNT_STORIES,
    APPEALED,
    CASE_STORIES,
    CONFIRMED,
    NOTICE,
    OPEN,
    SPOKEN,
    SUSPECTED,
    SUSPENDED,
    Story,
    appeal,
    statement,
    suspend,
    upheld,
)
from shared_runtime.decider import (
    Actor,
    InvalidValue,
    NotFound,
    Refused,
    TimeGoesBack,
    WrongState,
)
from shared_runtime.rule import Sent
from shared_runtime.rules import Row
from shared_runtime.shape import require_shape

TABLES = {
    "account": Table(ACCOUNT_RULES, ACCOUNTS, ACCOUNT_STORIES),
    "case": Table(CASE_RULES, CASES, CASE_STORIES),
}
ROWS = [(kind, row) for kind, table in TABLES.items() for row in table.rules]
ANSWERED_ANYWHERE = {InvalidValue, NotFound}
MEMBER = Actor(role="SENIOR", id="SE7", org_id="acme")
ACME: Mapping[str, Any] = {"party_orgs": frozenset({"acme"})}
STRANGER = Actor(role="SELLER", id="S2")

type Said = Sent[Any, Any]

bare_suspension = SuspendAccount(case_id="C9", ends_at=at(9))

# What the tables of places do not show: who is not to, what is missing, what is used up.
BESIDES: Mapping[str, list[tuple[tuple[Said, ...], Said]]] = {
    "account": [
        (OPEN, say(GrantProtection(until=at(9), reason="X"), now=at(1), actor=MEMBER, **ACME)),
        (OPEN, say(GrantProtection(until=at(999), reason="X"), now=at(1), actor=SENIOR)),
        (OPEN, say(suspend, now=at(1), actor=MEMBER, is_safety_case=True, **ACME)),
        (OPEN, say(bare_suspension, now=at(1), actor=SENIOR)),
        (SUSPENDED, say(LiftMeasure(measure_id="M"), now=at(2), actor=MEMBER, **ACME)),
        (NOTICE, say(CancelTermination(reason="BY_SENIOR"), now=at(6), actor=MEMBER, **ACME)),
    ],
    "case": [
        ((), say(suspected(evidence_event_ids=()), now=at(), actor=ANALYST)),
        ((), say(suspected(), now=at(), actor=ANALYST, claimed_by="C0")),
        (SUSPECTED, say(suspected("EXTORTION"), now=at(1), actor=ANALYST)),
        (SUSPECTED, say(statement, now=at(1), actor=STRANGER)),
        (SUSPECTED, say(statement, now=at(1), actor=SELLER, erased=True)),
        (SPOKEN, say(ConfirmViolation(points=12), now=at(3), actor=ANOTHER)),
        (SUSPECTED, say(DismissCase(reason="UNFOUNDED"), now=at(3), actor=MEMBER, **ACME)),
        (CONFIRMED, say(appeal, now=at(9), actor=SELLER, erased=True)),
        (APPEALED, say(upheld, now=at(10), actor=MEMBER, **ACME)),
        (APPEALED, say(DecideViolationAppeal(outcome="UPHELD"), now=at(10), actor=SENIOR)),
    ],
}


def answers(kind: str, row: Row[Any, Any, Any]) -> Iterator[tuple[Any, Said]]:
    table = TABLES[kind]
    places: dict[str, Story] = {**NONE, **table.stories}
    for story in places.values():
        state = folded(table.decider, story)
        for actor in ACTORS:
            yield state, tried(row, actor, story, state)
    for commands, said in BESIDES[kind]:
        if type(said.said) is row.command:
            yield folded(table.decider, Story(commands, said.now)), said


def refusals_of(kind: str, row: Row[Any, Any, Any]) -> set[type[Refused]]:
    earned: set[type[Refused]] = set()
    for state, said in answers(kind, row):
        try:
            TABLES[kind].decider.decide(state, said)
        except Refused as refused:
            earned.add(type(refused))
    return earned


def owed_by(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    """TimeGoesBack is the log's."""
    return {*row.all_refusals} - {TimeGoesBack}


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=lambda each: getattr(each, "name", each))
def test_every_refusal_that_a_command_names_is_earned_and_no_other(
    kind: str, row: Row[Any, Any, Any]
) -> None:
    earned = refusals_of(kind, row)
    owed = owed_by(row)
    assert owed <= earned, f"never: {owed - earned}"
    assert earned <= set(row.all_refusals) | ANSWERED_ANYWHERE


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=lambda each: getattr(each, "name", each))
def test_the_example_of_a_command_is_well_formed(kind: str, row: Row[Any, Any, Any]) -> None:
    assert kind in TABLES
    actor = next(each for each in ACTORS if each.role in row.roles)
    human = next((each for each in ACTORS if each.role in row.roles and each.is_human), actor)
    by = say(row.example, now=at(6), actor=human).by
    require_shape(row.example, by.now, row.shape(row.example, by) if row.shape else ())


def test_a_refusal_of_the_state_says_what_is_possible() -> None:
    state = folded(CASES, Story(CONFIRMED, at(9)))
    with pytest.raises(WrongState) as refused:
        CASES.decide(state, say(statement, now=at(9), actor=SELLER))
    assert refused.value.allowed_actions == ["AppealViolation"]
