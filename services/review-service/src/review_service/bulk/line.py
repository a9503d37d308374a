"""The bytes of a line in, what it tells out: exact types, no unknown fields, instants in UTC.

Ranges are the domain's to judge. Here is refused what its commands could not even carry.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from shared_events.fields import Instant
from shared_events.orders import OrderLine
from shared_events.review import Incentive, Side
from shared_runtime.decider import Actor, FieldError, InvalidValue, Refused
from shared_runtime.fields import INSTANT_MAX, INSTANT_MIN, MINOR_MAX, readable
from shared_runtime.sealing import PersonKey, person

from review_service.domain.commands import PlaceOrder
from review_service.domain.double_blind import SubmitReview
from review_service.domain.guards import PATH_ID, is_path_id

LINE_BYTES_MAX = 64 * 1024
REFERENCE_CURRENCY = "USD"
AHEAD_MAX = timedelta(minutes=5)
"""How far a marketplace's clock may be ahead of ours."""


REVIEW_LENGTH_MAX = 5_000

type Text = Annotated[str, Meta(min_length=1, max_length=REVIEW_LENGTH_MAX)]


class MalformedLine(Refused):
    """The line is not JSON."""


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all that a line is made of."""


class ToldMoney(Part, frozen=True, kw_only=True):
    """An amount in minor units of its currency."""

    amount: Annotated[int, Meta(ge=0, le=MINOR_MAX)]
    currency: str


class ToldProduct(Part, frozen=True, kw_only=True):
    """A line of the order. The discount is for the whole line."""

    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: ToldMoney
    line_discount: ToldMoney | None = None


class ToldOrder(Part, frozen=True, kw_only=True):
    """The order as it was placed. `total_ref` is the total in the policies' reference currency."""

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: Instant
    lines: Annotated[list[ToldProduct], Meta(min_length=1, max_length=500)]
    order_discount: ToldMoney | None = None
    shipping: ToldMoney
    total: ToldMoney
    total_ref: ToldMoney
    dispatch_by: Instant | None = None
    deliver_by: Instant | None = None
    buyer_registered_at: Instant | None = None
    withdrawal_right: bool


class Paid(Part, frozen=True, kw_only=True):
    at: Instant
    payment_ref: str


class Shipped(Part, frozen=True, kw_only=True):
    at: Instant
    deliver_by: Instant | None = None
    tracking_id: str | None = None


class Delivered(Part, frozen=True, kw_only=True):
    at: Instant
    signed: bool


class Completed(Part, frozen=True, kw_only=True):
    at: Instant


class Cancelled(Part, frozen=True, kw_only=True):
    at: Instant
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: str


class BuyerReviewed(Part, frozen=True, kw_only=True, tag_field="by", tag="BUYER"):
    at: Instant
    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"
    text: Text | None = None


class SellerReviewed(Part, frozen=True, kw_only=True, tag_field="by", tag="SELLER"):
    at: Instant
    rating: int
    text: Text | None = None


type Reviewed = BuyerReviewed | SellerReviewed


class Line(Part, frozen=True, kw_only=True):
    """An order, the instants of the states that it has reached, and its reviews."""

    order: ToldOrder
    paid: Paid | None = None
    shipped: Shipped | None = None
    delivered: Delivered | None = None
    completed: Completed | None = None
    cancelled: Cancelled | None = None
    reviews: list[Reviewed] = []


_decode = msgspec.json.Decoder(Line).decode
_UTC = f"an instant in UTC (Z), from {INSTANT_MIN.year} until {INSTANT_MAX.year}"
_WRONG = re.compile(r"(?P<said>.*?)( - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
FIELD_LENGTH_MAX = 100
BOUND_LENGTH_MAX = 200


def decode_line(text: bytes | msgspec.Raw, now: datetime) -> Line | Refused:
    """What a line tells, or what is wrong with it: `MalformedLine`, or `InvalidValue`."""
    try:
        line = _decode(text)
    except msgspec.ValidationError as wrong:
        return InvalidValue(errors=[_field_error(str(wrong))])
    except (ValueError, RecursionError):
        return MalformedLine()
    errors = [
        *_ids(line.order),
        *_texts(line.reviews),
        *_instants(line, now + AHEAD_MAX),
        *foreign_currencies(line.order, "order."),
    ]
    return InvalidValue(errors=errors) if errors else line


def side_of(reviewed: Reviewed) -> Side:
    return "BUYER" if isinstance(reviewed, BuyerReviewed) else "SELLER"


def writers(line: Line) -> Iterator[str]:
    """The persons who write something, with whose keys it is sealed."""
    for reviewed in line.reviews:
        if reviewed.text is not None:
            yield writer(line.order, side_of(reviewed))


def writer(order: ToldOrder, side: Side) -> str:
    return person("buyer", order.buyer_id) if side == "BUYER" else person("seller", order.seller_id)


def submit_review(reviewed: Reviewed, review_id: str, key: PersonKey | None) -> SubmitReview:
    """Either side's review; its text sealed with the key of its writer, who has one."""
    text = key.unsealed(reviewed.text) if key and reviewed.text is not None else None
    if isinstance(reviewed, SellerReviewed):
        return SubmitReview(review_id=review_id, rating=reviewed.rating, text=text)
    return SubmitReview(
        review_id=review_id,
        quality=reviewed.quality,
        logistics=reviewed.logistics,
        service=reviewed.service,
        incentive=reviewed.incentive,
        text=text,
    )


def place_order(order: ToldOrder, actor: Actor) -> PlaceOrder:
    """The command. An order is placed when the marketplace says that it was."""
    discount = order.order_discount
    return PlaceOrder(
        order_id=order.order_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        marketplace_id=order.marketplace_id,
        country=order.country,
        currency=order.currency,
        placed_at=order.placed_at,
        lines=tuple(
            OrderLine(
                line_id=line.line_id,
                sku=line.sku,
                category=line.category,
                quantity=line.quantity,
                unit_price_minor=line.unit_price.amount,
                line_discount_minor=line.line_discount.amount if line.line_discount else 0,
            )
            for line in order.lines
        ),
        order_discount_minor=discount.amount if discount else 0,
        shipping_minor=order.shipping.amount,
        total_minor=order.total.amount,
        total_ref_minor=order.total_ref.amount,
        dispatch_by=order.dispatch_by,
        deliver_by=order.deliver_by,
        buyer_registered_at=order.buyer_registered_at,
        withdrawal_right=order.withdrawal_right,
        now=order.placed_at,
        actor=actor,
    )


def _ids(order: ToldOrder) -> Iterator[FieldError]:
    """Before any stream is looked for: not every text can be the name of one."""
    for name in ("order_id", "seller_id", "buyer_id"):
        if not is_path_id(getattr(order, name)):
            yield FieldError(field=f"order.{name}", bound=PATH_ID)


def _texts(reviews: Iterable[Reviewed]) -> Iterator[FieldError]:
    for number, reviewed in enumerate(reviews):
        try:
            readable(reviewed.text or "-")
        except ValueError as wrong:
            yield FieldError(field=f"reviews[{number}].text", bound=str(wrong))


def _instants(line: Line, latest: datetime) -> Iterator[FieldError]:
    """Told is what has happened, and every instant is in UTC."""
    order = line.order
    for name, at in _told_at(line):
        if at.tzinfo is not UTC or not INSTANT_MIN <= at <= latest:
            bound = "not after now" if at > latest else _UTC
            yield FieldError(field=name, bound=bound)
    for name, instant in (
        ("order.dispatch_by", order.dispatch_by),
        ("order.deliver_by", order.deliver_by),
        ("order.buyer_registered_at", order.buyer_registered_at),
        ("shipped.deliver_by", line.shipped.deliver_by if line.shipped else None),
    ):
        if instant is None:
            continue
        if instant.tzinfo is not UTC or not INSTANT_MIN <= instant < INSTANT_MAX:
            yield FieldError(field=name, bound=_UTC)


def _told_at(line: Line) -> Iterator[tuple[str, datetime]]:
    yield "order.placed_at", line.order.placed_at
    for name, step in (
        ("paid.at", line.paid),
        ("shipped.at", line.shipped),
        ("delivered.at", line.delivered),
        ("completed.at", line.completed),
        ("cancelled.at", line.cancelled),
    ):
        if step is not None:
            yield name, step.at
    for number, reviewed in enumerate(line.reviews):
        yield f"reviews[{number}].at", reviewed.at


def foreign_currencies(order: ToldOrder, prefix: str = "") -> Iterator[FieldError]:
    """All money is in the order's currency, but for the reference amount."""
    own = order.currency
    if any(money.currency != own for _, money in _amounts(order)):
        for name, money in _amounts(order):
            if money.currency != own:
                yield FieldError(field=f"{prefix}{name}.currency", bound="the order's currency")
    if order.total_ref.currency != REFERENCE_CURRENCY:
        yield FieldError(field=f"{prefix}total_ref.currency", bound=REFERENCE_CURRENCY)


def _amounts(order: ToldOrder) -> Iterator[tuple[str, ToldMoney]]:
    yield "shipping", order.shipping
    yield "total", order.total
    if order.order_discount:
        yield "order_discount", order.order_discount
    for number, line in enumerate(order.lines):
        yield f"lines[{number}].unit_price", line.unit_price
        if line.line_discount:
            yield f"lines[{number}].line_discount", line.line_discount


def _field_error(message: str) -> FieldError:
    """What msgspec says is wrong. Names that clients make up are cut short."""
    match = _WRONG.fullmatch(message)
    assert match
    said, field = match["said"], match["path"] or ""
    for pattern, bound in ((_UNKNOWN, "unknown field"), (_MISSING, "required")):
        if named := pattern.fullmatch(said):
            field = f"{field}.{named['name']}".lstrip(".")
            said = bound
    return FieldError(
        field=field[:FIELD_LENGTH_MAX] or "line",
        bound=said.replace("`", "")[:BOUND_LENGTH_MAX],
    )


def as_told(refused: InvalidValue, part: str) -> InvalidValue:
    """A refusal of the domain in the words of the line: `total_minor` -> `order.total.amount`."""
    return InvalidValue(errors=[told_error(error, f"{part}.") for error in refused.errors])


def told_error(error: FieldError, prefix: str = "") -> FieldError:
    field = "at" if error.field == "now" else error.field
    if field.endswith("_minor"):
        field = f"{field.removesuffix('_minor')}.amount"
    return FieldError(field=f"{prefix}{field}", bound=error.bound)
