"""The scalar types that events are made of; a strict writer checks their bounds."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

type Id = Annotated[str, Meta(min_length=1, max_length=64)]
type Instant = Annotated[datetime, Meta(tz=True)]
type Minor = Annotated[int, Meta(ge=0)]
"""Money in minor units of the event's currency."""
type Seconds = Annotated[int, Meta(ge=0)]
type Count = Annotated[int, Meta(ge=1)]
# `$` alone would let a line end pass: the length does not.
type Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)]
type Country = Annotated[str, Meta(pattern="^[A-Z]{2}$", max_length=2)]
type Code = Annotated[str, Meta(min_length=1, max_length=64)]
type Stars = Annotated[int, Meta(ge=1, le=5)]
type Milli = Annotated[int, Meta(ge=0, le=1000)]
type Percent = Annotated[int, Meta(ge=0, le=100)]
type Quantity = Annotated[int, Meta(ge=1, le=999)]
type Unit = Annotated[str, Meta(min_length=3, max_length=80)]
"""One piece of an order's line: `<line_id>/<n>`, a replacement of it `<line_id>/<n>.r1`."""
type Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
type Party = Literal["BUYER", "SELLER"]
