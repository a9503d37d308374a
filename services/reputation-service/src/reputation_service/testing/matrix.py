"""Every place where an account or a case can stand, every command and role in, a table out.

python -m reputation_service.testing.matrix > services/reputation-service/tests/matrix.txt
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor, Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules
from shared_runtime.testing_matrix import AnyRow, told_of

from reputation_service.domain.account_opening import OpenAccount
from reputation_service.domain.account_rules import ACCOUNT_RULES, ACCOUNTS
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.case_rules import CASE_RULES, CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.case_timers import asked_of_case
from reputation_service.domain.conduct import ExpireCredit
from reputation_service.domain.confirming import ConfirmViolation, DismissCase
from reputation_service.domain.penalties import ApplyPenalty, ExpirePenalty, ReversePenalty
from reputation_service.domain.stays import StayPenalty, UnstayPenalty
from reputation_service.domain.suspension import LiftMeasure
from reputation_service.domain.termination import CancelTermination
from reputation_service.testing import (
    ANALYST,
    AUDITOR,
    BUYER,
    PRIVACY,
    SELLER,
    SENIOR,
    START,
    SYSTEM,
    at,
    penalty,
    say,
    suspected,
    words,
)
from reputation_service.testing.stories import ACCOUNT_STORIES, CASE_STORIES, Story

ACTORS: tuple[Actor, ...] = (BUYER, SELLER, ANALYST, SENIOR, PRIVACY, SYSTEM, AUDITOR)
OPENINGS = (OpenAccount, OpenCase)
NONE = {"none": Story((), START)}
HEADER = """\
What comes of each command, by each role, in each place where an account or a case can stand.
Written by `python -m reputation_service.testing.matrix`; "-" is nothing, and no refusal.

The cases are seller S1's, opened by AN1 and decided by AN2; what is said is what is offered, or the
example. A suspension is asked for with a safety case, an erasure with nothing open.
"""


class Table(Struct, frozen=True):
    """Commands of one kind of stream, and where such a stream can stand."""

    rules: Rules[Any, Any, Any]
    decider: Decider[Any, Any, Any]
    stories: Mapping[str, Story]


TABLES = (
    Table(ACCOUNT_RULES, ACCOUNTS, ACCOUNT_STORIES),
    Table(CASE_RULES, CASES, CASE_STORIES),
)


def table() -> str:
    return "\n".join([HEADER, *(line for each in TABLES for line in lines_of(each))])


def lines_of(each: Table) -> Iterator[str]:
    yield f"Places: {', '.join(each.stories)}.\n"
    for row in each.rules:
        yield from told_of(row, ACTORS, places_of(each, row), partial(decided, each))


def places_of(each: Table, row: AnyRow) -> Mapping[str, Story]:
    """What opens one is asked where there is none."""
    return {**(NONE if row.command in OPENINGS else {}), **each.stories}


def decided(each: Table, row: AnyRow, actor: Actor, story: Story) -> Sequence[Struct]:
    state = folded(each.decider, story)
    return each.decider.decide(state, tried(row, actor, story, state))


def folded(decider: Decider[Any, Any, Any], story: Story) -> Any:  # noqa: ANN401 - of either kind
    state = decider.initial
    for command in story.commands:
        for event in decider.decide(state, command):
            state = decider.evolve(state, event)
    return state


def tried(row: AnyRow, actor: Actor, story: Story, state: Any) -> Sent[Any, Any]:  # noqa: ANN401
    """What he is offered to say; the first of it that would be taken."""
    facts: dict[str, Any] = {"is_safety_case": True}
    command = say(row.example, now=story.now, actor=actor, **facts)
    said: Sequence[Struct] = named(row, actor, state)
    if not said and row.tries and actor.acts_as in row.roles:
        matters = [*row.matters(state, command.by)]
        said = [each for matter in matters for each in row.tries(matter, command.by)]
    return say(said[0] if said else row.example, now=story.now, actor=actor, **facts)


NAMED: Mapping[type[Struct], Struct] = {
    ApplyPenalty: penalty("P9", 12, case_id="C-P1"),
    ReversePenalty: ReversePenalty(penalty_id="P1", reason="APPEAL_REVERSED"),
    ExpirePenalty: ExpirePenalty(penalty_id="P1"),
    StayPenalty: StayPenalty(penalty_id="P1", appeal_id="A9"),
    UnstayPenalty: UnstayPenalty(penalty_id="P1", outcome="UPHELD"),
    ExpireCredit: ExpireCredit(credit_until=at(90 + 365)),
}
TIMERS: Mapping[type[Struct], str] = {
    ConfirmViolation: "STATEMENT_END",
    DismissCase: "CASE_DUE",
    NoteOverdue: "VIOLATION_APPEAL_DUE",
}


def named(row: AnyRow, actor: Actor, state: Any) -> Sequence[Struct]:  # noqa: ANN401
    """What the examples cannot know: which penalty, credit or measure, and what a timer says."""
    if row.command in NAMED:
        return [NAMED[row.command]]
    if row.command is LiftMeasure:
        return [LiftMeasure(measure_id=next(iter(getattr(state, "measures", {})), "none"))]
    if row.command is OpenCase:
        return [suspected(detection="RULE" if actor is SYSTEM else "ANALYST")]
    if actor is SYSTEM and row.command is CancelTermination:
        return [CancelTermination(reason="BALANCE")]
    if actor is SYSTEM and isinstance(state, Case) and row.command in TIMERS:
        said = asked_of_case(TIMERS[row.command], state, words("facts"))
        return [said] if said else []
    return []


if __name__ == "__main__":
    sys.stdout.write(table())
