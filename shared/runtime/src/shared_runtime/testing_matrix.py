"""Rows, roles and the places where a stream can stand in, a table of what comes of each out.

A service keeps the table as a text in its tests, so that a change of any answer is seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from shared_runtime.decider import Actor, Refused
from shared_runtime.rules import Row

type AnyRow = Row[Any, Any, Any]
type Answers = dict[str, tuple[str, ...]]
"""An answer, and the places where it is given."""


def told_of[P](
    row: AnyRow,
    actors: Sequence[Actor],
    places: Mapping[str, P],
    decided: Callable[[AnyRow, Actor, P], Sequence[Struct]],
) -> Iterator[str]:
    """Roles that are answered alike stand together; what is answered nearly everywhere is last."""
    alike: dict[str, list[str]] = {}
    for actor in actors:
        answers: Answers = {}
        for name, place in places.items():
            answer = answer_of(partial(decided, row, actor, place))
            answers[answer] = (*answers.get(answer, ()), name)
        alike.setdefault("\n".join(in_lines(answers)), []).append(actor.role)
    yield row.name
    for lines, roles in alike.items():
        yield f"  {', '.join(roles)}"
        yield lines
    yield ""


def answer_of(decided: Callable[[], Sequence[Struct]]) -> str:
    try:
        events = decided()
    except Refused as refused:
        return refused.slug()
    return " + ".join(type(event).__name__ for event in events) or "-"


def in_lines(answers: Answers) -> list[str]:
    ranked = sorted(answers.items(), key=lambda given: len(given[1]))
    if len(ranked) == 1:
        return [f"    {ranked[0][0]}"]
    *others, (most, _) = ranked
    return [
        *(f"    {answer}: {', '.join(places)}" for answer, places in others),
        f"    {most}: elsewhere",
    ]
