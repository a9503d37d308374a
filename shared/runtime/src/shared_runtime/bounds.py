"""What a library says is wrong with a value in, what the value has to be out, in plain words.

`pydantic` reads bodies and queries, `msgspec` lines; each has words for whoever writes Python. A
client is told the same by either door.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import inspect

TEXT, WHOLE_NUMBER, NUMBER, EITHER = "a text", "a whole number", "a number", "true or false"
LIST, OBJECT, UUID = "a list", "an object", "a UUID"
INSTANT = "an instant like 2026-01-15T12:30:00Z"
DAY = "a day like 2026-01-15"
WORD = "one of the words that the API knows here"
NULL = "null"
FORMS: Mapping[str, str] = {
    r"^[A-Z]{2}$": "two capital letters, like DE",
    r"^[A-Z]{3}$": "three capital letters, like EUR",
    r"^[0-9a-f]{64}$": "a SHA-256: 64 hexadecimal digits, in small letters",
    r"^[!-~]+$": "signs of ASCII, without spaces",
    r"^https?://[!-~]+$": "an address of ASCII, without spaces, that begins with https://",
    r'^"([0-9]{1,9})"$': 'a number in quotes, like "3"',
    r"^[A-Z][A-Z0-9_]{0,63}$": "a capital letter, then capital letters, digits and _",
    r"^[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?$": "a language, like pt or zh-Hant",
}
"""What the patterns of the API say, for people. One that is not here fails a test."""

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
_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")
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


def bound_of_line(said: str, words: Sequence[str] = ()) -> str:
    """Of what msgspec says, without the place; it does not say which `words` there are."""
    if said.startswith(("Invalid enum value", "Invalid value")):
        return one_of(words) if words else WORD
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
    told = FORMS.get(pattern)
    return f"{told} ({pattern})" if told else f"of the form {pattern}"


def in_a_sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def one_of(words: Sequence[str]) -> str:
    """As pydantic says it: 'A', 'B' or 'C'."""
    *others, last = (f"'{word}'" for word in words)
    return f"{', '.join(others)} or {last}" if others else last


def words_at(kind: object, path: str) -> list[str]:
    """The words that msgspec knows at a place of a type, which it names like `reviews[0].by`."""
    found = [_type_info(kind)]
    for step in _STEP.findall(path):
        found = [inner for each in found for inner in _inside(each, step)]
    return [*dict.fromkeys(word for each in found for word in _words(each))]


_type_info = cache(inspect.type_info)


def _inside(told: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match told:
        case inspect.UnionType(types=kinds):
            for kind in kinds:
                yield from _inside(kind, step)
        case inspect.StructType(tag_field=str(name), tag=str(tag)) if name == step:
            yield inspect.LiteralType(values=(tag,))
        case inspect.StructType(fields=fields):
            yield from (each.type for each in fields if each.encode_name == step)
        case (
            inspect.ListType(item_type=item)
            | inspect.VarTupleType(item_type=item)
            | inspect.DictType(value_type=item)
        ):
            yield item
        case inspect.Metadata(type=kind):
            yield from _inside(kind, step)
        case _:
            pass


def _words(told: inspect.Type) -> Iterator[str]:
    match told:
        case inspect.LiteralType(values=values):
            yield from map(str, values)
        case inspect.UnionType(types=kinds):
            for kind in kinds:
                yield from _words(kind)
        case inspect.Metadata(type=kind):
            yield from _words(kind)
        case _:
            pass


def _many(figure: object, counted: str) -> str:
    if not counted:
        return str(figure)
    return f"{figure} {counted}" if figure == 1 else f"{figure} {counted}s"
