"""A table of rules in, whether it is sound out: it takes every request there can be, no row says
what those above it have said otherwise, and nothing comes of it that may not be.

What there can be is cut along the tests of the table into boxes of requests that are all answered
alike, so that every one of them is looked at, and one of the box shows what is wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from msgspec import Struct

from returns_service.domain.rule_table import Inputs, Policy, Question, Row, Table, Value

type Box = Mapping[str, frozenset[Value]]
"""Of each input the values that it may have there."""
type Part = tuple[Box, tuple[Question, ...]]
"""A box, and the tests that its requests have been asked so far."""


class Law[T](NamedTuple):
    """What must be so, whatever a table says.

    `fault`: a request, what is to be done with it and the questions that it was asked in, what is
    wrong with that out. `reads`: the inputs that it looks at.
    """

    fault: Callable[[Inputs, T, Sequence[Question]], str | None]
    reads: tuple[str, ...]


class UnsoundTable(ValueError):  # noqa: N818 - the name says what was met
    """A table of rules that is not to be loaded. `request`: the one that shows it."""

    def __init__(self, table: str, why: str, request: Inputs | None = None) -> None:
        shown = f": {in_words(request)}" if request else ""
        super().__init__(f"{table}: {why}{shown}")
        self.request = request


class Reached[T](Struct, frozen=True, kw_only=True):
    """All requests of a box are taken by this row, after these tests; None: by none."""

    box: Box
    row: Row[T] | None
    made: tuple[Question, ...]


def require_sound[T](
    table: Table[T], space: Sequence[Box], policy: Policy, law: Law[T] | None = None
) -> None:
    """Raises `UnsoundTable`. `space`: the requests that there can be, numbers left out: what counts
    of them follows from the table. `law`: what must be so whatever a table says.
    """
    require_known(table, space, policy)
    whole = [with_numbers(box, table, policy) for box in space]
    reached = [each for box in whole for each in boxes_of(table, box, policy)]
    for each in reached:
        if each.row is None:
            raise UnsoundTable(table.name, "no row takes this request", one_of(each.box))
        for request in alike(each.box, law.reads if law else ()):
            if law and (why := law.fault(request, each.row.then, each.made)):
                raise UnsoundTable(table.name, f"{each.row.code}: {why}", request)
    for row in table.rows:
        if not any(each.row is row for each in reached):
            require_silent(table, row, whole, reached, policy)


def require_known(table: Table[Any], space: Sequence[Box], policy: Policy) -> None:
    """Every input and every key that it names is there."""
    inputs = space[0].keys()
    for row in table.rows:
        for test in row.when:
            if test.of not in inputs:
                raise UnsoundTable(
                    table.name, f"{test.code} asks of `{test.of}`, which is no input"
                )
            try:
                test.operand(policy)
            except KeyError as fault:
                key = fault.args[0]
                raise UnsoundTable(table.name, f"{test.code}: the policy has no {key}") from None


def require_silent(
    table: Table[Any],
    row: Row[Any],
    space: Sequence[Box],
    reached: Iterable[Reached[Any]],
    policy: Policy,
) -> None:
    """A row that never decides contradicts itself, or those above it; unless the policy has turned
    it off, with no words or with a number that nothing is below.
    """
    values = {name: {value for box in space for value in box[name]} for name in space[0]}
    for test in row.when:
        if test.key and not any(test.holds(value, policy) for value in values[test.of]):
            return
    own = next((box for box in (narrowed(box, row, policy) for box in space) if box), None)
    if own is None:
        raise UnsoundTable(table.name, f"{row.code} contradicts itself, no request is like it")
    request = one_of(own)
    above = next(each.row for each in reached if each.row and is_in(request, each.box))
    raise UnsoundTable(
        table.name, f"{row.code} never decides, {above.code} has taken all of its requests", request
    )


# --- Boxes


def boxes_of[T](table: Table[T], box: Box, policy: Policy) -> Iterator[Reached[T]]:
    """The box, cut along the tests into those that are answered alike."""
    waiting: list[Part] = [(box, ())]
    for row in table.rows:
        passed: list[Part] = []
        for each in waiting:
            taken, others = split(each, row, policy)
            passed += others
            if taken:
                yield Reached(box=taken[0], row=row, made=taken[1])
        waiting = passed
    for left, made in waiting:
        yield Reached(box=left, row=None, made=made)


def split(part: Part, row: Row[Any], policy: Policy) -> tuple[Part | None, list[Part]]:
    """What a row takes of it, and what it leaves to those below."""
    inside, made = part
    others: list[Part] = []
    for test in row.when:
        made = (*made, test)
        if outside := cut(inside, test, policy, holds=False):
            others.append((outside, made))
        if (rest := cut(inside, test, policy, holds=True)) is None:
            return None, others
        inside = rest
    return (inside, made), others


def cut(box: Box, test: Question, policy: Policy, *, holds: bool) -> Box | None:
    """The part of it where the test holds, or the other one; None if there is none."""
    values = frozenset(value for value in box[test.of] if test.holds(value, policy) == holds)
    return {**box, test.of: values} if values else None


def narrowed(box: Box, row: Row[Any], policy: Policy) -> Box | None:
    """The part of it that a row would take."""
    part: Box | None = box
    for test in row.when:
        part = cut(part, test, policy, holds=True) if part else None
    return part


def with_numbers(box: Box, table: Table[Any], policy: Policy) -> Box:
    """With the numbers just below, at and above every limit that the table has for an input."""
    found: dict[str, frozenset[Value]] = {}
    for name, values in box.items():
        limits = {
            test.operand(policy)
            for row in table.rows
            for test in row.when
            if test.of == name and isinstance(test.operand(policy), int)
        }
        around = {limit + step for limit in limits for step in (-1, 0, 1) if limit + step >= 0}
        found[name] = values | around
    return found


def one_of(box: Box) -> dict[str, Value]:
    """A request of the box, the same each time."""
    return {name: min(values, key=in_order) for name, values in box.items()}


def alike(box: Box, names: Sequence[str]) -> Iterator[dict[str, Value]]:
    """Requests of the box: one for each combination of what these inputs may be there."""
    request = one_of(box)
    for values in product(*(sorted(box[name], key=in_order) for name in names)):
        yield {**request, **dict(zip(names, values, strict=True))}


def in_order(value: Value) -> tuple[int, int, str]:
    if value is None:
        return (1, 0, "")
    if isinstance(value, int):
        return (0, value, "")
    told = value if isinstance(value, str) else " ".join(sorted(value))
    return (0, len(told), told)


def is_in(request: Inputs, box: Box) -> bool:
    return all(request[name] in values for name, values in box.items())


def in_words(request: Inputs) -> str:
    return ", ".join(f"{name} {told_value(value)}" for name, value in request.items())


def told_value(value: Value) -> str:
    if isinstance(value, frozenset):
        return " and ".join(sorted(value)) or "none"
    return "never" if value is None else str(value)
