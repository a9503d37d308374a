"""What clients send in, values that a command may carry out: ids, instants, money, bodies.

Nothing is coerced: "5" is no integer, 4.5 and true neither, and an instant that is not in UTC is
refused rather than converted, because a wrong offset is more often a mistake than a wish.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from shared_events.characters import ID, ID_LENGTH_MAX, fault_of_words, is_id
from shared_events.codes import COUNTRY, CURRENCY, is_country, is_currency
from shared_events.fields import MINOR_MAX, Holds

# Windows are added to instants: both ends leave room for it.
INSTANT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)
INSTANT = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?)(?P<offset>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)


def instant(value: object) -> datetime:
    """RFC 3339 in, with whatever offset; the same instant in UTC out. Raises ValueError that says
    what an instant is like.
    """
    match = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("an instant like 2026-01-15T12:30:00Z, with at most 6 decimals")
    if match["offset"] is None:
        raise ValueError("an instant needs its offset: Z, or +01:00")
    told = datetime.fromisoformat(match[0])
    if not INSTANT_MIN <= told < INSTANT_MAX:
        raise ValueError(f"from {INSTANT_MIN.year} until {INSTANT_MAX.year}")
    return told.astimezone(UTC)


def holding(bound: Holds) -> Callable[[Any], Any]:
    """A validator of the bound. What holds of a tuple is asked of the list that is sent for it."""

    def held(value: Any) -> Any:  # noqa: ANN401 - of any type
        sent = tuple(cast("Sequence[Any]", value)) if isinstance(value, list) else value
        if not bound.check(sent):
            raise ValueError(bound.bound)
        return cast("Any", value)

    return held


def readable(text: str) -> str:
    """What a person may write. Raises ValueError that says what is wrong with it."""
    if fault := fault_of_words(text):
        raise ValueError(fault)
    return text


type IdStr = Annotated[
    str,
    Field(min_length=1, max_length=ID_LENGTH_MAX, description=f"{ID}."),
    AfterValidator(holding(Holds(is_id, ID))),
]
"""An id, ours or the marketplace's."""

type Instant = Annotated[datetime, BeforeValidator(instant)]
"""An aware instant in UTC."""

type Minor = Annotated[int, Field(ge=0, le=MINOR_MAX)]
"""Money in minor units."""

type Currency = Annotated[
    str,
    Field(pattern=r"^[A-Z]{3}$", description="ISO 4217."),
    AfterValidator(holding(Holds(is_currency, CURRENCY))),
]

type Country = Annotated[
    str,
    Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1."),
    AfterValidator(holding(Holds(is_country, COUNTRY))),
]


class Body(BaseModel):
    """The base of every request body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Money(Body):
    """An amount in minor units of its currency."""

    amount: Minor
    currency: Currency
