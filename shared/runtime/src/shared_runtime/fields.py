"""What clients send in, values that a command may carry out: ids, instants, money, bodies.

Nothing is coerced: "5" is no integer, 4.5 and true neither, and an instant that is not in UTC is
refused rather than converted, because a wrong offset is more often a mistake than a wish.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from shared_events.sealed import SCHEME

ID_LENGTH_MAX = 64
# The greatest integer that every JSON reader keeps exact.
MINOR_MAX = 2**53 - 1
# Windows are added to instants: both ends leave room for it.
INSTANT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)
INSTANT = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?)(?P<offset>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters only")
    return text


def _instant(value: object) -> datetime:
    """RFC 3339, in UTC."""
    match = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("an instant like 2026-01-15T12:30:00Z, with at most 6 decimals")
    if match["offset"] is None:
        raise ValueError("an instant needs its offset: Z")
    if match["offset"] not in ("Z", "+00:00"):
        raise ValueError("an instant must be in UTC (Z)")
    instant = datetime.fromisoformat(match["local"]).replace(tzinfo=UTC)
    if not INSTANT_MIN <= instant < INSTANT_MAX:
        raise ValueError(f"from {INSTANT_MIN.year} until {INSTANT_MAX.year}")
    return instant


type IdStr = Annotated[
    str, Field(min_length=1, max_length=ID_LENGTH_MAX), AfterValidator(_printable)
]
"""An id, ours or the marketplace's: 1..64 printable characters."""


def _for_paths(text: str) -> str:
    if "/" in text or text in (".", "..") or text != text.strip():
        raise ValueError("no slash, not . or .., no space at an end: it stands in paths")
    return text


type PathIdStr = Annotated[IdStr, AfterValidator(_for_paths)]
"""An id of something that is given one here and has a path of its own."""

type Instant = Annotated[datetime, BeforeValidator(_instant)]
"""An aware instant in UTC."""

LAYOUT = frozenset("\n\r\t")
SEALED_TEXT = re.compile(rf"\b{SCHEME}(\.[0-9A-Za-z_/-]+){{5}}")


def readable(text: str) -> str:
    """What a person may write: something that can be seen. Raises ValueError."""
    if not text.strip():
        raise ValueError("at least one visible character")
    if not all(char.isprintable() or char in LAYOUT for char in text):
        raise ValueError("no control characters but line ends and tabs")
    if SEALED_TEXT.search(text):
        raise ValueError("no sealed text of somebody else")
    return text


type Minor = Annotated[int, Field(ge=0, le=MINOR_MAX)]
"""Money in minor units."""

type Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

type Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166."""


class Body(BaseModel):
    """The base of every request body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Money(Body):
    """An amount in minor units of its currency."""

    amount: Minor
    currency: Currency
