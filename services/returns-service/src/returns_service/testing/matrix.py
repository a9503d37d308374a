"""Every place where a ledger can stand, every command and every role in, a table of answers out.

python -m returns_service.testing.matrix > services/returns-service/tests/matrix.txt
"""

import sys
from collections.abc import Mapping, Sequence

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor
from shared_runtime.testing_matrix import AnyRow, told_of

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


def table() -> str:
    places = f"Places: {', '.join(PLACES)}.\n"
    rows = (line for row in LEDGER_RULES for line in told_of(row, ACTORS, PLACES, decided))
    return "\n".join([HEADER, places, *rows])


def decided(row: AnyRow, actor: Actor, story: Story) -> Sequence[Struct]:
    state = LEDGERS.fold(history(*story.commands))
    return LEDGERS.decide(state, say(said_by(row, actor), story.now, actor))


def said_by(row: AnyRow, actor: Actor) -> Struct:
    if row.command is GiveGoodwill:
        return goodwill("g-9", 500, None if actor.role == "SELLER" else "LATE_ANSWER")
    return SAID.get(row.command, row.example)


if __name__ == "__main__":
    sys.stdout.write(table())
