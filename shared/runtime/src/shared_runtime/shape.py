"""What a command says in, every field that is out of its bounds out.

The bounds stand once, at the types that the fields of commands and events are made of. `Words`,
`Files` and `Made` say besides what becomes of a field on its way in from a client.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields

from shared_runtime.decider import FieldError, InvalidValue

type Check = Callable[[Any, str], Iterator[FieldError]]
"""A value and the name of its field in, what is wrong with it out."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a person writes: a text of so many characters at the door, sealed from there on.

    `sealed_for`: whose key it is sealed with, as the door knows people; None: it is no secret.
    """

    length_max: int
    sealed_for: str | None = "WRITER"


@dataclass(frozen=True, slots=True)
class Files:
    """Ids of files that the writer has uploaded for this purpose; sealed like words. The field
    `<name>_sha256` of the same command gets their digests.
    """

    purpose: str
    count_max: int


@dataclass(frozen=True, slots=True)
class Made:
    """The id of what the command brings about: made at the door, the same for the same request."""

    what: str


@dataclass(frozen=True, slots=True)
class Holds:
    """A bound that no `Meta` can tell, and its words for whoever breaks it."""

    check: Callable[[Any], bool]
    bound: str


def are_distinct(values: tuple[Any, ...]) -> bool:
    return len(set(values)) == len(values)


ONCE = Holds(are_distinct, "each one once")


def require_shape(said: Struct, now: datetime, more: Iterable[FieldError] = ()) -> None:
    """Raises `InvalidValue` that names every field out of bounds. `more`: what no field alone can
    tell; looked at where all of them keep their bounds.
    """
    errors = [*faults(said)]
    if now.utcoffset() is None:
        errors.append(FieldError(field="now", bound=INSTANT))
    if errors := errors or [*more]:
        raise InvalidValue(errors=errors)


def faults(said: Struct, under: str = "") -> Iterator[FieldError]:
    for name, check in checks_of(type(said)):
        yield from check(getattr(said, name), f"{under}{name}")


@cache
def checks_of(command: type[Struct]) -> tuple[tuple[str, Check], ...]:
    """The fields that have bounds, and what asks for them: read from the types once."""
    found = ((each.name, check_of(each.type)) for each in fields(command))
    return tuple((name, check) for name, check in found if check)


def check_of(kind: object) -> Check | None:
    bare, notes = unfolded(kind)
    own = bounds(notes)
    if isinstance(bare, type) and issubclass(bare, Struct):
        return lambda value, field: faults(value, f"{field}.") if value is not None else iter(())
    each = check_of(get_args(bare)[0]) if get_origin(bare) is tuple else None
    if each is None:
        return own

    def check(values: Any, field: str) -> Iterator[FieldError]:  # noqa: ANN401
        broken = [*own(values, field)] if own else []
        yield from broken
        if broken:  # too many to look at each of them
            return
        for number, value in enumerate(values or ()):
            yield from each(value, f"{field}[{number}]")

    return check


def bounds(notes: Iterable[object]) -> Check | None:
    told = [note for note in notes if isinstance(note, Meta | Holds)]

    def check(value: Any, field: str) -> Iterator[FieldError]:  # noqa: ANN401
        if value is None:
            return
        for bound in told:
            if not keeps(value, bound):
                yield FieldError(field=field, bound=described(bound))

    return check if told else None


def unfolded(kind: Any) -> tuple[Any, list[object]]:  # noqa: ANN401 - annotations have no type
    """The type under names, notes and `| None`, and its notes."""
    notes: list[object] = []
    while True:
        options = [each for each in get_args(kind) if each is not NoneType]
        if isinstance(kind, TypeAliasType):
            kind = kind.__value__
        elif get_origin(kind) is Annotated:
            kind, *more = get_args(kind)
            notes += more
        elif get_origin(kind) in (Union, UnionType) and len(options) == 1:
            (kind,) = options
        else:
            return kind, notes


def keeps(value: Any, bound: Meta | Holds) -> bool:  # noqa: ANN401
    if isinstance(bound, Holds):
        return bound.check(value)
    match value:
        case int():
            return within(value, bound.ge, bound.le)
        case str():
            fits = within(len(value), bound.min_length, bound.max_length)
            return fits and (bound.pattern is None or re.search(bound.pattern, value) is not None)
        case datetime():
            return not bound.tz or value.utcoffset() is not None
        case _:
            return within(len(value), bound.min_length, bound.max_length)


def within(value: int, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


INSTANT = "an instant with its offset"


def described(bound: Meta | Holds) -> str:
    if isinstance(bound, Holds):
        return bound.bound
    if bound.tz:
        return INSTANT
    if bound.pattern:
        return f"like {bound.pattern}"
    low, high = (bound.min_length, bound.max_length) if bound.ge is None else (bound.ge, bound.le)
    return f"{low or 0}..{high}" if high is not None else f"at least {low}"
