"""What a command says in, every field that is out of its bounds out.

The bounds stand once, at the types that the fields of commands and events are made of. `Words`,
`Files`, `File` and `Made` say besides what becomes of a field on its way in from a client.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields
from shared_events.fields import Holds

from shared_runtime.decider import FieldError, InvalidValue

type Purpose = Literal["REVIEW", "EVIDENCE"]
type Fits = Callable[[Any], object]
"""A value in, something true out if it keeps its bounds."""
type Faults = Callable[[Any, str], Iterator[FieldError]]
"""A value and the name of its field in, what is wrong with it out."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a person writes: a text of so many characters at the door, sealed from there on.

    `sealed_for`: whose key it is sealed with, as the door knows people; None: it is no secret.
    `said_as`: the name that the body has for it, where one text is sealed for several people.
    """

    length_max: int
    sealed_for: str | None = "WRITER"
    said_as: str | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Ids of files that the writer has uploaded for this purpose; sealed like words. The field
    `<name>_sha256` of the same command gets their digests.
    """

    purpose: Purpose
    count_max: int


@dataclass(frozen=True, slots=True)
class File:
    """The id of a file that the writer has uploaded for this purpose; sealed like words. The field
    `digest` of the same command gets the file's.
    """

    purpose: Purpose
    digest: str


@dataclass(frozen=True, slots=True)
class Made:
    """The id of what the command brings about: made at the door, the same for the same request."""

    what: str


BOUNDS = (Meta, Holds, Words, Files, File)
type Bound = Meta | Holds | Words | Files | File


def are_distinct(values: tuple[Any, ...]) -> bool:
    return len(set(values)) == len(values)


ONCE = Holds(are_distinct, "each one once")


def require_shape(said: Struct, now: datetime, more: Iterable[FieldError] = ()) -> None:
    """Raises `InvalidValue` that names every field out of bounds. `more`: what no field alone can
    tell; looked at where all of them keep their bounds.
    """
    errors = [] if is_shaped(said) else [*faults(said)]
    if now.tzinfo is None:
        errors.append(FieldError(field="now", bound=INSTANT))
    if errors := errors or [*more]:
        raise InvalidValue(errors=errors)


def is_shaped(said: Struct) -> bool:
    """Whether every field keeps its bounds: nearly always, and asked of every command."""
    for name, fits, _ in checks_of(type(said)):
        value = getattr(said, name)
        if value is not None and not fits(value):
            return False
    return True


def faults(said: Struct, under: str = "") -> Iterator[FieldError]:
    for name, _, told in checks_of(type(said)):
        value = getattr(said, name)
        if value is not None:
            yield from told(value, f"{under}{name}")


@cache
def checks_of(command: type[Struct]) -> tuple[tuple[str, Fits, Faults], ...]:
    """The fields that have bounds, and what asks for them: read from the types once."""
    found = ((each.name, check_of(each.type)) for each in fields(command))
    return tuple((name, *check) for name, check in found if check)


def check_of(kind: object) -> tuple[Fits, Faults] | None:
    bare, notes = unfolded(kind)
    if isinstance(bare, type) and issubclass(bare, Struct):
        return is_shaped, lambda value, field: faults(value, f"{field}.")
    own = [(fits_of(note), described(note)) for note in notes if isinstance(note, BOUNDS)]
    each = check_of(get_args(bare)[0]) if get_origin(bare) is tuple else None
    if each is None:
        return bounded(own) if own else None
    fits_each, faults_each = each
    fits = every([*(fits for fits, _ in own), lambda values: all(map(fits_each, values))])

    def told(values: Any, field: str) -> Iterator[FieldError]:  # noqa: ANN401
        broken = [FieldError(field=field, bound=bound) for fits, bound in own if not fits(values)]
        yield from broken
        for number, value in enumerate(() if broken else values):
            yield from faults_each(value, f"{field}[{number}]")

    return fits, told


def bounded(own: Sequence[tuple[Fits, str]]) -> tuple[Fits, Faults]:
    def told(value: Any, field: str) -> Iterator[FieldError]:  # noqa: ANN401
        broken = [FieldError(field=field, bound=bound) for fits, bound in own if not fits(value)]
        # Of a text one is enough: what holds of it tells its length too.
        yield from broken[-1:] if isinstance(value, str) else broken

    return every([fits for fits, _ in own]), told


def every(checks: Sequence[Fits]) -> Fits:
    """The checks as one, chained once: no command goes through a list of them."""
    first, *others = checks
    if not others:
        return first
    rest = every(others)
    return lambda value: first(value) and rest(value)


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


def fits_of(bound: Bound) -> Fits:  # noqa: PLR0911 - one arm for each kind of bound
    match bound:
        case Holds(check=check):
            return check
        case Words():
            # How long a sealed text is, only its key could tell.
            most = bound.length_max
            return bool if bound.sealed_for else lambda text: 1 <= len(text) <= most
        case Files(count_max=most):
            return lambda files: len(files) <= most
        case File():
            return bool
        case Meta(tz=True):
            return lambda instant: instant.tzinfo is not None
        case Meta(pattern=str(pattern)):
            return re.compile(pattern).search
        case Meta():
            return within(bound)


def within(bound: Meta) -> Fits:
    """A number, or the length of a text or a list."""
    infinite = float("inf")
    if bound.ge is not None or bound.le is not None:
        least = -infinite if bound.ge is None else bound.ge
        most = infinite if bound.le is None else bound.le
        return lambda value: least <= value <= most
    shortest = bound.min_length or 0
    longest = infinite if bound.max_length is None else bound.max_length
    return lambda value: shortest <= len(value) <= longest


INSTANT = "an instant with its offset"


def described(bound: Bound) -> str:  # noqa: PLR0911 - one arm for each kind of bound
    match bound:
        case Holds():
            return bound.bound
        case Words():
            return "not empty" if bound.sealed_for else f"1..{bound.length_max} characters"
        case Files():
            return f"0..{bound.count_max} files"
        case File():
            return "a file"
        case Meta(tz=True):
            return INSTANT
        case Meta(pattern=str(pattern)):
            return f"like {pattern}"
        case Meta():
            given = (bound.ge, bound.le) if bound.ge is not None else None
            low, high = given or (bound.min_length, bound.max_length)
            return f"{low or 0}..{high}" if high is not None else f"at least {low}"
