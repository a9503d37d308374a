"""Every place where a dispute can stand, every command and every role in, a table of answers out.

python -m dispute_service.testing.matrix > services/dispute-service/tests/matrix.txt
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor
from shared_runtime.rule import Sent
from shared_runtime.testing_matrix import AnyRow, told_of

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


def table() -> str:
    places = f"Places: {', '.join(STORIES)}.\n"
    lines = (each for row in RULES for each in told_of(row, ACTORS, places_of(row), decided))
    return "\n".join([HEADER, places, *lines])


def places_of(row: AnyRow) -> Mapping[str, Story]:
    """What opens a dispute is asked where there is none."""
    return {**(NONE if row.command in OPENINGS else {}), **STORIES}


def decided(row: AnyRow, actor: Actor, story: Story) -> Sequence[Struct]:
    state = DISPUTES.fold(history(*story.commands))
    return DISPUTES.decide(state, tried(row, actor, story, state))


def tried(row: AnyRow, actor: Actor, story: Story, state: DisputeState) -> Sent[Any, Any]:
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
