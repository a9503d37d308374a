"""Every refusal that a row of a command names is earned, and no other; every example is good."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.ledger_rules import LEDGER_RULES, LEDGERS, LedgerCommand
from returns_service.domain.ledger_state import LedgerState, Unopened
from returns_service.domain.requesting import AskedUnit, RequestRefund
from returns_service.testing import (
    AGENT,
    NOW,
    SELLER,
    goodwill,
    history,
    ledger_after,
    played,
    reissue,
    say,
)
from returns_service.testing.matrix import ACTORS, PLACES, said_by
from returns_service.testing.stories import OPEN, REQUESTED, STORIES
from shared_runtime.decider import Actor, InvalidValue, NotFound, Refused, TimeGoesBack, WrongState
from shared_runtime.rules import Row
from shared_runtime.shape import require_shape

ANYWHERE = {InvalidValue, NotFound}
ACME = {"party_orgs": frozenset({"acme"})}
MEMBER = Actor(role="AGENT", id="agent-7", org_id="acme")
STRANGER = Actor(role="SELLER", id="S2")
BARE = RequestRefund(
    refund_id="f-9", source="RETURN", source_id="RT-1", units=(AskedUnit(unit="1/1"),)
)
# What the table of places does not show: too much, and nothing that has come.
BESIDES: list[tuple[tuple[LedgerCommand, ...], LedgerCommand]] = [
    (OPEN, say(goodwill("g-1", 16199), NOW, SELLER)),
    (OPEN, say(BARE)),
]


def asked_everywhere(
    row: Row[Any, Any, Any],
) -> Iterator[tuple[tuple[LedgerCommand, ...], LedgerCommand]]:
    """By each role, in each place; by who is no party, has a stake, or was erased."""
    for story in PLACES.values():
        for actor in ACTORS:
            said = said_by(row, actor)
            yield story.commands, say(said, story.now, actor)
            yield story.commands, say(said, story.now, actor, erased=True)
        for actor in (MEMBER, STRANGER):
            yield story.commands, say(said_by(row, actor), story.now, actor, **ACME)


def refusals_of(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    earned: set[type[Refused]] = set()
    besides = [each for each in BESIDES if type(each[1].said) is row.command]
    for story, command in (*asked_everywhere(row), *besides):
        try:
            LEDGERS.decide(LEDGERS.fold(history(*story)), command)
        except Refused as refused:
            earned.add(type(refused))
    return earned


@pytest.mark.parametrize("row", [*LEDGER_RULES], ids=lambda row: row.name)
def test_every_refusal_that_a_command_names_is_earned_and_no_other(row: Row[Any, Any, Any]) -> None:
    earned, owed = refusals_of(row), set(row.all_refusals) - {TimeGoesBack}
    assert owed <= earned, f"never: {owed - earned}"
    assert earned <= owed | ANYWHERE


@pytest.mark.parametrize("row", [*LEDGER_RULES], ids=lambda row: row.name)
def test_every_example_is_well_formed(row: Row[Any, Any, Any]) -> None:
    actor = SELLER if row.command is GiveGoodwill else AGENT
    by = say(row.example, NOW, actor).by
    require_shape(row.example, NOW, row.shape(row.example, by) if row.shape else ())


def test_what_is_offered_is_what_would_be_taken() -> None:
    for story in STORIES.values():
        state = ledger_after(*story.commands)
        for actor in ACTORS:
            by = say(BARE, story.now, actor).by
            for action in LEDGER_RULES.offered(state, by):
                row = next(each for each in LEDGER_RULES if each.name == action.action)
                assert actor.acts_as in row.roles
                if actor.role != "SYSTEM":
                    taken = takes(row, state, by.actor, story.now)
                    assert action.allowed == taken, (action, story)
    assert LEDGER_RULES.offered(Unopened(), say(BARE, NOW, SELLER).by)[0].allowed is False


def takes(row: Row[Any, Any, Any], state: LedgerState, actor: Actor, now: datetime) -> bool:
    """Whether anything that he is offered to say is taken."""
    by = say(BARE, now, actor).by
    assert row.tries
    for matter in row.matters(state, by):
        for said in row.tries(matter, by):
            try:
                if LEDGERS.decide(state, say(said, now, actor)):
                    return True
            except Refused:
                continue
    return False


def test_a_state_that_does_not_take_it_tells_what_it_would_take() -> None:
    done = played(say(reissue("f-3", "f-1"), NOW, AGENT), after=history(*REQUESTED))
    done.then_refused(WrongState, state="REQUESTED", allowed_actions=["GiveGoodwill"])
