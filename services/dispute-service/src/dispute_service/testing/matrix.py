"""Every place where a dispute can stand, every command and every role in, a table of answers out.

python -m dispute_service.testing.matrix > services/dispute-service/tests/matrix.txt
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor, Refused
from shared_runtime.rule import Sent
from shared_runtime.rules import Row

from dispute_service.domain.contest import OpenContest
from dispute_service.domain.dispute_state import DisputeState, Unopened
from dispute_service.domain.opening import OpenDispute
from dispute_service.domain.overdue import owed
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.domain.rules import DISPUTES, RULES
from dispute_service.testing import (
    AGENT,
    AUDITOR,
    BUYER,
    OPENING,
    SELLER,
    SENIOR,
    SYSTEM,
    history,
    kinds,
    say,
)
from dispute_service.testing.stories import REMEDY, STORIES, Story

ACTORS: tuple[Actor, ...] = (BUYER, SELLER, AGENT, SENIOR, SYSTEM, AUDITOR)
OPENINGS = (OpenDispute, OpenContest)
NONE = {"none": Story((), OPENING)}
HEADER = """\
What comes of each command, by each role, in each place where a dispute can stand.
Written by `python -m dispute_service.testing.matrix`; "-" is nothing, and no refusal.

agent-1 is assigned in review, senior-1 in appeal; what is said is what is offered, or the example.
"""
type Answers = dict[str, tuple[str, ...]]
"""An answer, and the places where it is given."""


def table() -> str:
    places = f"Places: {', '.join(STORIES)}.\n"
    return "\n".join([HEADER, places, *(line for row in RULES for line in told_of(row))])


def told_of(row: Row[DisputeState, Any, Any]) -> Iterator[str]:
    """Roles that are answered alike stand together; what is answered nearly everywhere is last."""
    alike: dict[str, list[str]] = {}
    for actor in ACTORS:
        alike.setdefault("\n".join(in_lines(answers_to(row, actor))), []).append(actor.role)
    yield row.name
    for lines, roles in alike.items():
        yield f"  {', '.join(roles)}"
        yield lines
    yield ""


def in_lines(answers: Answers) -> list[str]:
    ranked = sorted(answers.items(), key=lambda given: len(given[1]))
    if len(ranked) == 1:
        return [f"    {ranked[0][0]}"]
    *others, (most, _) = ranked
    return [
        *(f"    {answer}: {', '.join(places)}" for answer, places in others),
        f"    {most}: elsewhere",
    ]


def answers_to(row: Row[DisputeState, Any, Any], actor: Actor) -> Answers:
    given: Answers = {}
    places = {**(NONE if row.command in OPENINGS else {}), **STORIES}
    for place, story in places.items():
        answer = answer_to(row, actor, story)
        given[answer] = (*given.get(answer, ()), place)
    return given


def answer_to(row: Row[DisputeState, Any, Any], actor: Actor, story: Story) -> str:
    state = DISPUTES.fold(history(*story.commands))
    said = tried(row, actor, story, state)
    try:
        events = DISPUTES.decide(state, said)
    except Refused as refused:
        return refused.slug()
    return " + ".join(kinds(events)) or "-"


def tried(
    row: Row[DisputeState, Any, Any], actor: Actor, story: Story, state: DisputeState
) -> Sent[Any, Any]:
    """What he is offered to say; the first of it that would be taken."""
    command = say(row.example, now=story.now, actor=actor)
    said: Sequence[Struct] = [row.example]
    if row.command is ConfirmExecution:
        said = [ConfirmExecution(remedy_id=REMEDY, result="REFUNDED", amount_minor=2000)]
    elif row.command is NoteOverdue and not isinstance(state, Unopened) and (due := owed(state)):
        said = [NoteOverdue(what=due[0], ref_id=due[1], due_at=due[2])]
    elif row.tries and actor.acts_as in row.roles:
        matters = [*row.matters(state, command.by)]
        said = [each for matter in matters for each in row.tries(matter, command.by)] or said
    return say(said[0], now=story.now, actor=actor)


if __name__ == "__main__":
    sys.stdout.write(table())
