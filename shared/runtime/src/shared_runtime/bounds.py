"""What a library says is wrong with a value in, what the value has to be out, in plain words.

`pydantic` reads bodies and queries, `msgspec` lines; each has words for whoever writes Python. A
client is told the same by either door.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

TEXT, WHOLE_NUMBER, NUMBER, EITHER = "a text", "a whole number", "a number", "true or false"
LIST, OBJECT, UUID = "a list", "an object", "a UUID"
INSTANT = "an instant like 2026-01-15T12:30:00Z"
DAY = "a day like 2026-01-15"
WORD = "one of the words that the API knows here"
NULL = "null"

KINDS: Mapping[str, str] = {
    "string": TEXT,
    "int": WHOLE_NUMBER,
    "float": NUMBER,
    "bool": EITHER,
    "list": LIST,
    "tuple": LIST,
    "set": LIST,
    "dict": OBJECT,
    "model": OBJECT,
    "model_attributes": OBJECT,
    "dataclass": OBJECT,
    "datetime": INSTANT,
    "datetime_from_date": INSTANT,
    "timezone": INSTANT,
    "date": DAY,
    "date_from_datetime": DAY,
    "uuid": UUID,
    "none": NULL,
}
"""Of pydantic's errors: how their names begin."""
FAILS = ("_type", "_parsing", "_parsing_size", "_from_float", "_inexact", "_aware", "_required")
"""And how they end, where it is another kind of value."""
LIMITS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_too_short": lambda told: at_least(told["min_length"], "character"),
    "string_too_long": lambda told: at_most(told["max_length"], "character"),
    "too_short": lambda told: at_least(told["min_length"]),
    "too_long": lambda told: at_most(told["max_length"]),
    "greater_than_equal": lambda told: at_least(told["ge"]),
    "greater_than": lambda told: f"more than {told['gt']}",
    "less_than_equal": lambda told: at_most(told["le"]),
    "less_than": lambda told: f"less than {told['lt']}",
    "string_pattern_mismatch": lambda told: of_form(told["pattern"]),
}
"""Of those with a figure, by what they say of it."""
TYPES: Mapping[str, str] = {
    "str": TEXT,
    "int": WHOLE_NUMBER,
    "float": NUMBER,
    "bool": EITHER,
    "array": LIST,
    "object": OBJECT,
    "datetime": INSTANT,
    "date": DAY,
    "uuid": UUID,
    "null": NULL,
}
"""Of msgspec."""
_EXPECTED = re.compile(
    r"Expected `(?P<type>[^`]+)`"
    r"(?: of length (?P<length>[<>]=) (?P<many>\d+)| (?P<limit>[<>]=) (?P<figure>-?[\d.]+))?"
    r"(?: with a timezone component|, got .*)?",
    re.DOTALL,
)
_PATTERN = re.compile(r"Expected `str` matching regex (?P<pattern>'.*'|\".*\")", re.DOTALL)


def bound_of_field(error: Mapping[str, Any]) -> str:
    """Of one of pydantic's errors: its `type`, `ctx` and `msg`."""
    name: str = error["type"]
    if name == "missing":
        return "required"
    if name == "extra_forbidden":
        return "unknown field"
    if (limit := LIMITS.get(name)) is not None:
        return limit(error["ctx"])
    for ending in FAILS:
        if name.endswith(ending) and (kind := KINDS.get(name.removesuffix(ending))) is not None:
            return kind
    said: str = error["msg"]
    return said.removeprefix("Value error, ").removeprefix("Input should be ")


def bound_of_line(said: str) -> str:
    """Of what msgspec says, without the place."""
    if said.startswith(("Invalid enum value", "Invalid value")):
        return WORD
    if said.startswith("Invalid RFC3339"):
        return INSTANT
    if (match := _PATTERN.fullmatch(said)) is not None:
        return of_form(match["pattern"][1:-1])
    match = _EXPECTED.fullmatch(said)
    return _expected(match) if match else said.replace("`", "")


def _expected(told: re.Match[str]) -> str:
    kinds = told["type"].split(" | ")
    if told["length"]:
        measure = at_least if told["length"] == ">=" else at_most
        return measure(int(told["many"]), "character" if "str" in kinds else "")
    if told["limit"]:
        measure = at_least if told["limit"] == ">=" else at_most
        return measure(told["figure"])
    return ", or ".join(TYPES.get(kind, kind) for kind in kinds)


def at_least(figure: object, counted: str = "") -> str:
    return f"{_many(figure, counted)} or more"


def at_most(figure: object, counted: str = "") -> str:
    return f"at most {_many(figure, counted)}"


def of_form(pattern: str) -> str:
    return f"of the form {pattern}"


def _many(figure: object, counted: str) -> str:
    if not counted:
        return str(figure)
    return f"{figure} {counted}" if figure == 1 else f"{figure} {counted}s"
