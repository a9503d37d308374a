"""Every place where a return can stand, every command and every role in, a table of answers out.

python -m returns_service.testing.return_matrix > services/returns-service/tests/return_matrix.txt
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_runtime.decider import Actor
from shared_runtime.rule import Sent
from shared_runtime.testing_matrix import AnyRow, told_of

from returns_service.domain.return_matter import OpeningRule
from returns_service.domain.return_readers import folded
from returns_service.domain.return_rules import RETURN_RULES, RETURNS
from returns_service.testing.matrix import ACTORS
from returns_service.testing.return_stories import PLACES, Place
from returns_service.testing.returns import at, say

NONE = {"none": Place((), at(3))}
SAID: Mapping[type[Struct], Struct] = {
    NoteOverdue: NoteOverdue(what="LABEL", ref_id="RT-1", due_at=at(7)),
}
"""What is said where the example speaks of something else."""
HEADER = """\
What comes of each command, by each role, in each place where a return can stand.
Written by `python -m returns_service.testing.return_matrix`; "-" is nothing, and no refusal.

1/1 is the only piece of the return; what is said is what is offered, or the example.
"""


def table() -> str:
    places = f"Places: {', '.join(PLACES)}.\n"
    lines = (each for row in RETURN_RULES for each in told_of(row, ACTORS, places_of(row), decided))
    return "\n".join([HEADER, places, *lines])


def places_of(row: AnyRow) -> Mapping[str, Place]:
    """What begins a return is asked where there is none."""
    return {**(NONE if isinstance(row, OpeningRule) else {}), **PLACES}


def decided(row: AnyRow, actor: Actor, place: Place) -> Sequence[Struct]:
    return RETURNS.decide(folded(place.events), tried(row, actor, place))


def tried(
    row: AnyRow,
    actor: Actor,
    place: Place,
    **known: Any,  # noqa: ANN401 - any fact
) -> Sent[Any, Any]:
    """What he is offered to say, or the example."""
    said: Sequence[Struct] = [SAID.get(row.command, row.example)]
    facts = {**place.known, **known}
    if row.tries and actor.acts_as in row.roles:
        by = say(row.example, place.now, actor, **facts).by
        state = folded(place.events)
        matters = [*row.matters(state, by)]
        said = [each for matter in matters for each in row.tries(matter, by)] or said
    return say(said[0], place.now, actor, **facts)


if __name__ == "__main__":
    sys.stdout.write(table())
