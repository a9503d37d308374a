"""A mapping file in; which cells of somebody's CSV file make which fields of a bulk line out.

    [order]
    order_id = "Order number"                                  # a column
    marketplace_id = { value = "my-market" }                   # a constant
    buyer_id = { digest_of = ["E-mail"], prefix = "b-" }       # an id that does not show the cell

What a field holds decides how its cell is read: `dates`, `stars` and `money` say in which way.
"""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

ISO = "ISO"
UNIX = "UNIX"


class Unusable(ValueError):  # noqa: N818 - the name says what was met
    """The mapping file says something that cannot be followed."""


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all that is in a mapping: a slip in a name is found."""


type Text = Annotated[str, Meta(min_length=1)]


class Source(Part, frozen=True, kw_only=True):
    """Where a field comes from: a `column`, several `joined` by hyphens, or a `digest_of` several,
    from which nobody reads what they say. `value`: what it is where these are empty, or always.

    `names`: what cells say, and what it is called here; others are refused. `prefix` comes before
    whatever is there. `scale`: the least and the most stars of this column.
    """

    column: Text | None = None
    joined: list[Text] = []
    digest_of: list[Text] = []
    value: str | int | bool | None = None
    names: dict[str, str] = {}
    prefix: str = ""
    scale: tuple[Decimal, Decimal] | None = None

    @property
    def columns(self) -> list[str]:
        return [*([self.column] if self.column else []), *self.joined, *self.digest_of]


type FieldSource = Text | Source
"""A column by its name, or more about it."""


def source_of(told: FieldSource) -> Source:
    return Source(column=told) if isinstance(told, str) else told


class File(Part, frozen=True, kw_only=True):
    """How the file is written. `defused`: a cell that would be a formula has an apostrophe before
    it, as in what we export.
    """

    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Meta(min_length=1, max_length=1)] = '"'
    encoding: Text = "utf-8-sig"
    defused: bool = False


class Dates(Part, frozen=True, kw_only=True):
    """Forms as in strptime, `ISO` or `UNIX` (seconds), tried in turn. `zone` is of those that tell
    none.
    """

    forms: Annotated[tuple[Text, ...], Meta(min_length=1)] = (ISO,)
    zone: Text = "UTC"


class StarScale(Part, frozen=True, kw_only=True):
    """The least and the most of their stars. What falls half way between two of ours goes so."""

    scale: tuple[Decimal, Decimal] = (Decimal(1), Decimal(5))
    halves: Literal["up", "down"] = "up"


class Amounts(Part, frozen=True, kw_only=True):
    """How many decimals the currency has, and what stands before them."""

    decimals: Annotated[int, Meta(ge=0, le=4)] = 2
    point: Literal[".", ","] = "."


ZERO = Source(value="0")


class OrderFields(Part, frozen=True, kw_only=True):
    """The order. Without a `total` it is the sum of the rest; without a `total_ref` it is that
    total at `usd_rate`, the dollars that one unit of the currency is worth.
    """

    order_id: FieldSource
    seller_id: FieldSource
    buyer_id: FieldSource
    marketplace_id: FieldSource
    country: FieldSource
    currency: FieldSource
    placed_at: FieldSource
    shipping: FieldSource = ZERO
    order_discount: FieldSource | None = None
    total: FieldSource | None = None
    total_ref: FieldSource | None = None
    usd_rate: Decimal = Decimal(1)
    dispatch_by: FieldSource | None = None
    deliver_by: FieldSource | None = None
    buyer_registered_at: FieldSource | None = None
    withdrawal_right: FieldSource = Source(value=True)


class ItemFields(Part, frozen=True, kw_only=True):
    """What was bought: a line of the order for each row. Without a `line_id` they are numbered."""

    line_id: FieldSource | None = None
    sku: FieldSource
    category: FieldSource = Source(value="unknown")
    quantity: FieldSource = Source(value="1")
    unit_price: FieldSource = ZERO
    line_discount: FieldSource | None = None


class LifeFields(Part, frozen=True, kw_only=True):
    """When the order reached each state. One that was passed and is not told was passed with the
    one before. Without a `payment_ref` it is the order's id.
    """

    paid: FieldSource | None = None
    payment_ref: FieldSource | None = None
    shipped: FieldSource | None = None
    tracking_id: FieldSource | None = None
    delivered: FieldSource | None = None
    signed: FieldSource = Source(value=False)
    completed: FieldSource | None = None
    cancelled: FieldSource | None = None
    cancelled_by: FieldSource = Source(value="PLATFORM")
    cancelled_reason: FieldSource = Source(value="UNKNOWN")


class Aspects(Part, frozen=True, kw_only=True):
    """A row for each thing that is rated: which one `column` tells, `names` what it is here:
    quality, logistics, service, or nothing.
    """

    column: Text
    stars: FieldSource
    names: dict[str, Literal["quality", "logistics", "service", ""]]


class ReviewFields(Part, frozen=True, kw_only=True):
    """What one side wrote; there is none in a row where stars, title and text are all empty.

    `where`: in which rows, by what columns say. `hidden` is the ground on which it was hidden, if
    it was; `hidden_why` the words about it.
    """

    by: Literal["BUYER", "SELLER"] = "BUYER"
    where: dict[str, list[str]] = {}
    at: FieldSource
    quality: FieldSource | None = None
    logistics: FieldSource | None = None
    service: FieldSource | None = None
    aspects: Aspects | None = None
    rating: FieldSource | None = None
    incentive: FieldSource | None = None
    title: FieldSource | None = None
    text: FieldSource | None = None
    media: FieldSource | None = None
    media_separator: Text = ","
    reply: FieldSource | None = None
    reply_at: FieldSource | None = None
    follow_up: FieldSource | None = None
    follow_up_at: FieldSource | None = None
    hidden: FieldSource | None = None
    hidden_at: FieldSource | None = None
    hidden_why: FieldSource | None = None

    @property
    def stars(self) -> dict[str, FieldSource]:
        names = ("rating",) if self.by == "SELLER" else ("quality", "logistics", "service")
        told: dict[str, FieldSource | None] = {name: getattr(self, name) for name in names}
        return {name: each for name, each in told.items() if each is not None}


class Mapping(Part, frozen=True, kw_only=True):
    """`described`: where the layout of the file is. `rows`: how many an order has; those of one
    stand together.
    """

    described: str = ""
    rows: Literal["one", "several"] = "one"
    file: File = File()
    dates: Dates = Dates()
    stars: StarScale = StarScale()
    money: Amounts = Amounts()
    order: OrderFields
    item: ItemFields
    life: LifeFields = LifeFields()
    review: list[ReviewFields] = []

    @property
    def columns(self) -> list[str]:
        """All that are named, each once."""
        named = (name for part in self._parts() for name in columns_of(part))
        return list(dict.fromkeys(named))

    def _parts(self) -> Iterator[Part]:
        yield from (self.order, self.item, self.life, *self.review)


def columns_of(part: Part) -> Iterator[str]:
    for name in part.__struct_fields__:
        told = getattr(part, name)
        if isinstance(told, Source):
            yield from told.columns
        elif isinstance(told, Aspects):
            yield told.column
            yield from source_of(told.stars).columns
        elif name == "where":
            yield from told
        elif isinstance(told, str) and name not in ("by", "media_separator"):
            yield told


def read_mapping(file: Path) -> Mapping:
    """Raises `Unusable`, or OSError."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        mapping = msgspec.convert(told, Mapping)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise Unusable(f"{file}: {wrong}") from wrong
    if faults := list(faults_of(mapping)):
        raise Unusable(f"{file}: {'; '.join(faults)}")
    return mapping


def faults_of(mapping: Mapping) -> Iterator[str]:
    """What no type tells."""
    try:
        ZoneInfo(mapping.dates.zone)
    except (KeyError, ValueError, OSError):
        yield f"dates.zone: no time zone {mapping.dates.zone!r}"
    try:
        "".encode(mapping.file.encoding)
    except LookupError:
        yield f"file.encoding: no encoding {mapping.file.encoding!r}"
    if mapping.file.delimiter == mapping.file.quote or mapping.file.delimiter in "\r\n":
        yield "file.delimiter: a sign that is neither the quote nor an end of line"
    for number, review in enumerate(mapping.review):
        missing = sorted(wanted_stars(review) - set(review.stars))
        if missing and review.aspects is None:
            yield f"review[{number}]: no {', '.join(missing)}"
        if review.aspects is not None and review.by == "SELLER":
            yield f"review[{number}].aspects: a buyer's alone"
        if review.aspects is not None and mapping.rows == "one":
            yield f'review[{number}].aspects: with rows = "several"'
    for place, (least, most) in scales_of(mapping):
        if least >= most:
            yield f"{place}: the least comes before the most"


def wanted_stars(review: ReviewFields) -> set[str]:
    return {"rating"} if review.by == "SELLER" else {"quality", "logistics", "service"}


def scales_of(mapping: Mapping) -> Iterator[tuple[str, tuple[Decimal, Decimal]]]:
    yield "stars.scale", mapping.stars.scale
    for number, review in enumerate(mapping.review):
        told = review.stars | ({"aspects": review.aspects.stars} if review.aspects else {})
        for name, each in told.items():
            if scale := source_of(each).scale:
                yield f"review[{number}].{name}.scale", scale
