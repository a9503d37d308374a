"""The scalar types that events and commands are made of, and every bound that they share.

A strict writer checks an event's bounds, which can only ever grow wider: they are in its schema.
What a type `Holds` besides is asked of commands alone: a log may be older than such a rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from shared_events.characters import ID, ID_LENGTH_MAX, is_id
from shared_events.codes import COUNTRY, CURRENCY, is_country, is_currency

# What a person may write, in characters: the matter itself, and a word about it.
TEXT_LENGTH_MAX = 5_000
NOTE_LENGTH_MAX = 2_000

MINOR_MAX = 2**53 - 1
"""The greatest integer that every JSON reader keeps exact."""
STARS_MAX = 5
QUANTITY_MAX = 999
LINES_MAX = 500
MEDIA_MAX = 10


@dataclass(frozen=True, slots=True)
class Holds:
    """A bound that no `Meta` tells, and its words for whoever breaks it. msgspec passes it over."""

    check: Callable[[Any], bool]
    bound: str


def _is_exact(amount: int) -> bool:
    return amount <= MINOR_MAX


type Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX), Holds(is_id, ID)]
type Instant = Annotated[datetime, Meta(tz=True)]
type Minor = Annotated[int, Meta(ge=0), Holds(_is_exact, f"0..{MINOR_MAX}")]
"""Money in minor units of the event's currency."""
type Seconds = Annotated[int, Meta(ge=0)]
type Count = Annotated[int, Meta(ge=1)]
# `$` alone would let a line end pass: the length does not.
type Currency = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3), Holds(is_currency, CURRENCY)
]
type Country = Annotated[str, Meta(pattern="^[A-Z]{2}$", max_length=2), Holds(is_country, COUNTRY)]
type Code = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX), Holds(is_id, ID)]
type Stars = Annotated[int, Meta(ge=1, le=STARS_MAX)]
type Milli = Annotated[int, Meta(ge=0, le=1000)]
type Percent = Annotated[int, Meta(ge=0, le=100)]
type Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
type Unit = Annotated[str, Meta(min_length=3, max_length=80)]
"""One piece of an order's line: `<line_id>/<n>`, a replacement of it `<line_id>/<n>.r1`."""
type Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
type MediaDigests = Annotated[list[Sha256], Meta(max_length=MEDIA_MAX)]
"""Of files, in the order of their ids."""
type Party = Literal["BUYER", "SELLER"]
