"""What is wrong with a value is told in plain words, and in the same by either library."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from shared_runtime.bounds import WORD, bound_of_field, bound_of_line, one_of, words_at

LIBRARIES = re.compile(
    r"should|valid|expected|got |dictionary|integer|string|`|Pydantic", re.IGNORECASE
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = "x"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=1, max_length=5)] = "x"
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "DE"
    stars: Annotated[int, Field(ge=1, le=5)] = 1
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    signed: bool = True
    tags: Annotated[list[str], Field(min_length=1, max_length=2)] = ["x"]
    part: Part = Part()
    at: datetime = datetime(2026, 1, 1)  # noqa: DTZ001 - what it is, is not asked
    day: date = date(2026, 1, 1)
    id: UUID = UUID(int=1)
    kind: Literal["A", "B"] = "A"


class Row(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=5)] = "x"
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "DE"
    stars: Annotated[int, Meta(ge=1, le=5)] = 1
    signed: bool = True
    tags: Annotated[list[str], Meta(min_length=1, max_length=2)] = []
    part: dict[str, str] = {}
    at: Annotated[datetime, Meta(tz=True)] | None = None
    kind: Literal["A", "B"] = "A"
    code: Annotated[str, Meta(pattern="^[0-9]$")] = "1"


class Cat(Struct, tag="CAT"):
    colour: Literal["BLACK", "WHITE"]


class Dog(Struct, tag="DOG"):
    sizes: Annotated[tuple[Literal["S", "L"], ...], Meta(max_length=2)] = ()


class House(Struct):
    pets: list[Cat | Dog]
    rooms: dict[str, Literal["WARM"] | None] = {}


BY_BOTH: list[tuple[str, object, str]] = [
    ("text", 5, "a text"),
    ("text", "", "1 character or more"),
    ("text", "xxxxxx", "at most 5 characters"),
    ("country", "de", "two capital letters, like DE (^[A-Z]{2}$)"),
    ("stars", "5", "a whole number"),
    ("stars", 4.5, "a whole number"),
    ("stars", 0, "1 or more"),
    ("stars", 6, "at most 5"),
    ("signed", "yes", "true or false"),
    ("tags", "x", "a list"),
    ("tags", [], "1 or more"),
    ("tags", ["x", "y", "z"], "at most 2"),
    ("part", "x", "an object"),
]
BY_PYDANTIC: list[tuple[str, object, str]] = [
    ("share", "x", "a number"),
    ("share", 0, "more than 0.0"),
    ("share", 1, "less than 1.0"),
    ("at", "soon", "an instant like 2026-01-15T12:30:00Z"),
    ("day", "soon", "a day like 2026-01-15"),
    ("id", "x", "a UUID"),
    ("kind", "C", "'A' or 'B'"),
    ("none", 1, "unknown field"),
]
BY_MSGSPEC: list[tuple[str, object, str]] = [
    ("at", "soon", "an instant like 2026-01-15T12:30:00Z"),
    ("at", "2026-01-15T12:30:00", "an instant like 2026-01-15T12:30:00Z"),
    ("at", 5, "an instant like 2026-01-15T12:30:00Z, or null"),
    ("kind", "C", "'A' or 'B'"),
    ("code", "x", "of the form ^[0-9]$"),
]


def of_body(name: str, value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate_json(msgspec.json.encode({name: value}))
    [error] = refused.value.errors()
    told: dict[str, Any] = {**error}
    return bound_of_field(told)


def of_line(name: str, value: object) -> str:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(msgspec.json.encode({name: value}), type=Row)
    return bound_of_line(str(refused.value).partition(" - at ")[0], words_at(Row, name))


@pytest.mark.parametrize(("name", "value", "bound"), [*BY_BOTH, *BY_PYDANTIC])
def test_a_member_of_a_body_is_told_its_bound_in_plain_words(
    name: str, value: object, bound: str
) -> None:
    assert of_body(name, value) == bound
    assert not LIBRARIES.search(bound)


@pytest.mark.parametrize(("name", "value", "bound"), [*BY_BOTH, *BY_MSGSPEC])
def test_a_member_of_a_line_is_told_the_same(name: str, value: object, bound: str) -> None:
    assert of_line(name, value) == bound
    assert not LIBRARIES.search(bound)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"pets": [{"type": "COW"}]}, ["CAT", "DOG"]),
        ({"pets": [{"type": "CAT", "colour": "RED"}]}, ["BLACK", "WHITE"]),
        ({"pets": [{"type": "DOG", "sizes": ["S", "M"]}]}, ["L", "S"]),
        ({"pets": [], "rooms": {"attic": "COLD"}}, ["WARM"]),
    ],
)
def test_of_a_word_that_there_is_not_the_others_are_told(
    told: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(msgspec.json.encode(told), type=House)
    said, _, place = str(refused.value).partition(" - at `$")
    assert words_at(House, place.rstrip("`")) == words
    assert bound_of_line(said, words) == (" or ".join(f"'{word}'" for word in words))


def test_three_words_are_told_as_people_list_them() -> None:
    assert one_of("ABC") == "'A', 'B' or 'C'"
    assert bound_of_line("Invalid enum value 'X'") == WORD
