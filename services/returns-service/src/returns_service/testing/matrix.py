"""Every place where a ledger can stand, every command and every role in, a table of answers out.

python -m returns_service.testing.matrix > services/returns-service/tests/matrix.txt
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor, Refused
from shared_runtime.rules import Row

from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.ledger_rules import LEDGER_RULES, LEDGERS
from returns_service.domain.reissuing import ReissueRefund
from returns_service.domain.requesting import RequestRefund
from returns_service.testing import (
    AGENT,
    AUDITOR,
    BUYER,
    SELLER,
    SENIOR,
    SYSTEM,
    asks,
    at,
    goodwill,
    history,
    kinds,
    reissue,
    say,
)
from returns_service.testing.stories import STORIES, Story

ACTORS: tuple[Actor, ...] = (BUYER, SELLER, AGENT, SENIOR, SYSTEM, AUDITOR)
PLACES: Mapping[str, Story] = {"none": Story(()), **STORIES}
SAID: Mapping[type[Struct], Struct] = {
    RequestRefund: asks("f-9", "1/2"),
    ReissueRefund: reissue("f-9", "f-1"),
    NoteOverdue: NoteOverdue(what="REFUND", ref_id="f-1", due_at=at(16)),
}
"""What is said where the example would be a repeat, or speaks of something else."""
HEADER = """\
What comes of each command, by each role, in each place where a ledger can stand.
Written by `python -m returns_service.testing.matrix`; "-" is nothing, and no refusal.

f-1 is the refund of 1/1 that is spoken of, cb-9 a chargeback of 12000.
"""
type Answers = dict[str, tuple[str, ...]]
"""An answer, and the places where it is given."""


def table() -> str:
    places = f"Places: {', '.join(PLACES)}.\n"
    rows = (line for row in LEDGER_RULES for line in told_of(row))
    return "\n".join([HEADER, places, *rows])


def told_of(row: Row[Any, Any, Any]) -> Iterator[str]:
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


def answers_to(row: Row[Any, Any, Any], actor: Actor) -> Answers:
    given: Answers = {}
    for place, story in PLACES.items():
        answer = answer_to(row, actor, story)
        given[answer] = (*given.get(answer, ()), place)
    return given


def answer_to(row: Row[Any, Any, Any], actor: Actor, story: Story) -> str:
    state = LEDGERS.fold(history(*story.commands))
    try:
        events = LEDGERS.decide(state, say(said_by(row, actor), story.now, actor))
    except Refused as refused:
        return refused.slug()
    return " + ".join(kinds(events)) or "-"


def said_by(row: Row[Any, Any, Any], actor: Actor) -> Struct:
    if row.command is GiveGoodwill:
        return goodwill("g-9", 500, None if actor.role == "SELLER" else "LATE_ANSWER")
    return SAID.get(row.command, row.example)


if __name__ == "__main__":
    sys.stdout.write(table())
