"""A table of rules and what is known of a request in, what the first row that takes it says out,
with every test that was made.

Tables are data: they can be read from a file, and they name the numbers of the policy by its keys,
`return.auto_value_ref`. Whether one is sound is asked in `rule_check`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any

from msgspec import Meta, Struct

TRACE_MAX = 64
"""Characters of one test in a trace."""
NONE, NEVER, ELSE = "none", "never", "else"

type Value = str | int | frozenset[str] | None
"""A word, a number, some words; None: a span that never began."""
type Inputs = Mapping[str, Value]
type Number = Annotated[int, Meta(ge=0)] | str
"""Or the key of one in the policy."""
type AnyOf = tuple[str, ...] | str
"""Or the key of them in the policy."""
type Code = Annotated[str, Meta(pattern="^[A-Z][0-9]{1,2}$")]
type Policy = Callable[[str], Any]
"""The value of a key; raises `KeyError` where there is none."""


class Question(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True
):
    """One question about one input, by exactly one of the comparisons. The trace names it `code`.

    `among`: it is one of these words; `has`, `lacks`: this word is or is not in it; the others
    compare numbers. A span that never began is longer than any.
    """

    code: Code
    of: str
    among: AnyOf | None = None
    has: str | None = None
    lacks: str | None = None
    at_most: Number | None = None
    at_least: Number | None = None
    below: Number | None = None

    def __post_init__(self) -> None:
        if len(self.asked) != 1:
            raise ValueError(f"{self.code} asks exactly one thing of `{self.of}`")

    @cached_property
    def asked(self) -> list[tuple[str, Any]]:
        names = ("among", "has", "lacks", "at_most", "at_least", "below")
        told = ((name, getattr(self, name)) for name in names)
        return [(name, operand) for name, operand in told if operand is not None]

    @property
    def key(self) -> str | None:
        """Of the policy, where that says the number or the words."""
        ((name, operand),) = self.asked
        return operand if isinstance(operand, str) and name not in ("has", "lacks") else None

    def operand(self, policy: Policy) -> Any:  # noqa: ANN401 - a number, a word or words
        ((_, operand),) = self.asked
        value = policy(self.key) if self.key else operand
        return int(value.total_seconds()) if isinstance(value, timedelta) else value

    def holds(self, value: Value, policy: Policy) -> bool:
        ((name, _),) = self.asked
        return HOLDS[name](value, self.operand(policy))

    def told(self, value: Value, policy: Policy, *, holds: bool) -> str:
        """The test with its outcome and its input, as a trace has it."""
        ((name, _),) = self.asked
        outcome = "pass" if holds else "fail"
        told = self.input(value, name, policy)
        return f"{self.code}:{outcome}:{told}"[:TRACE_MAX]

    def input(self, value: Value, name: str, policy: Policy) -> str:
        if value is None:
            return NEVER
        if isinstance(value, frozenset):
            asked = self.has or self.lacks or ""
            return asked if asked in value else NONE
        return f"{value}{SIGN[name]}{self.operand(policy)}" if name in SIGN else str(value)


HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "among": lambda value, words: value in words,
    "has": lambda value, word: word in value,
    "lacks": lambda value, word: word not in value,
    "at_most": lambda value, most: value is not None and value <= most,
    "at_least": lambda value, least: value is None or value >= least,
    "below": lambda value, end: value is not None and value < end,
}
SIGN = {"at_most": "<=", "at_least": ">=", "below": "<"}


class Row[T](Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done where all tests hold; without any, in every case."""

    code: Code
    when: tuple[Question, ...] = ()
    then: T


class Table[T](Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows, of which the first that takes a request decides."""

    name: str
    rows: tuple[Row[T], ...]


class Match[T](Struct, frozen=True, kw_only=True):
    """`code`: of the row. `trace`: all tests up to it, in order."""

    code: str
    then: T
    trace: tuple[str, ...]


class Undecided(Exception):  # noqa: N818 - what a sound table never leaves
    """No row takes this request."""


def first_match[T](table: Table[T], inputs: Inputs, policy: Policy) -> Match[T]:
    """Raises `Undecided`, if the table was never asked whether it is sound."""
    trace: list[str] = []
    for row in table.rows:
        if takes(row, inputs, policy, trace):
            return Match(code=row.code, then=row.then, trace=tuple(trace))
    raise Undecided(table.name)


def takes(row: Row[Any], inputs: Inputs, policy: Policy, trace: list[str]) -> bool:
    """Whether all of its tests hold; those that were made are added to the trace."""
    for test in row.when:
        value = inputs[test.of]
        holds = test.holds(value, policy)
        trace.append(test.told(value, policy, holds=holds))
        if not holds:
            return False
    if not row.when:
        trace.append(f"{row.code}:pass:{ELSE}")
    return True
