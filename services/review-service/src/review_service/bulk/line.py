"""The bytes of a line in, what it tells out: exact types, no unknown fields, instants in UTC.

The order and each of its reviews are read by themselves: one of them that makes no sense takes
nothing of the others with it. Ranges are the domain's to judge; here is refused what its commands
could not even carry.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace
from shared_casework.callers import AHEAD_MAX
from shared_events.characters import ID, is_id
from shared_events.fields import REVIEW_LENGTH_MAX, Instant
from shared_events.review import Incentive, Side
from shared_runtime.decider import FieldError, InvalidValue, Refused
from shared_runtime.fields import instant, readable
from shared_runtime.sealing import PersonKey, person

from review_service.domain.double_blind import SubmitReview
from review_service.told_order import ToldOrder, ToldPart, foreign_currencies, told_error

LINE_BYTES_MAX = 64 * 1024
FIELD_LENGTH_MAX = 100
BOUND_LENGTH_MAX = 200
TEXT = "JSON in UTF-8, without halves of characters"

type Text = Annotated[str, Meta(min_length=1, max_length=REVIEW_LENGTH_MAX)]


class MalformedLine(Refused):
    """The line is not JSON."""


class Paid(ToldPart, frozen=True, kw_only=True):
    at: Instant
    payment_ref: str


class Shipped(ToldPart, frozen=True, kw_only=True):
    at: Instant
    deliver_by: Instant | None = None
    tracking_id: str | None = None


class Delivered(ToldPart, frozen=True, kw_only=True):
    at: Instant
    signed: bool


class Completed(ToldPart, frozen=True, kw_only=True):
    at: Instant


class Cancelled(ToldPart, frozen=True, kw_only=True):
    at: Instant
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: str


class BuyerReviewed(ToldPart, frozen=True, kw_only=True, tag_field="by", tag="BUYER"):
    at: Instant
    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"
    text: Text | None = None


class SellerReviewed(ToldPart, frozen=True, kw_only=True, tag_field="by", tag="SELLER"):
    at: Instant
    rating: int
    text: Text | None = None


type Reviewed = BuyerReviewed | SellerReviewed


class Life(ToldPart, frozen=True, kw_only=True):
    """An order, and the instants of the states that it has reached."""

    order: ToldOrder
    paid: Paid | None = None
    shipped: Shipped | None = None
    delivered: Delivered | None = None
    completed: Completed | None = None
    cancelled: Cancelled | None = None


class SentLine(Life, frozen=True, kw_only=True):
    """The same with its reviews, each still to be read."""

    reviews: list[Raw] = field(default_factory=list[Raw])


class RefusedReview(Struct, frozen=True, kw_only=True):
    """A review that makes no sense. `by` is None where it does not tell it."""

    by: Side | None
    why: Refused


class Line(Struct, frozen=True, kw_only=True):
    """A line whose order makes sense."""

    life: Life
    reviews: list[Reviewed | RefusedReview]

    @property
    def order(self) -> ToldOrder:
        return self.life.order

    @property
    def order_id(self) -> str:
        return self.order.order_id

    @property
    def sides(self) -> list[Side | None]:
        return [side_of(each) for each in self.reviews]


class RefusedLine(Struct, frozen=True, kw_only=True):
    """A line whose order makes none, as far as it can be read."""

    why: Refused
    order_id: str | None = None
    sides: list[Side | None] = field(default_factory=list[Side | None])


class OfOrder(Struct, frozen=True):
    order_id: str


class OfReview(Struct, frozen=True):
    by: Side


class OfLine(Struct, frozen=True):
    """What a line that makes no sense may still tell."""

    order: Raw = Raw()
    reviews: Raw = Raw()


_decode = msgspec.json.Decoder(SentLine).decode
_decode_review: Callable[[Raw], Reviewed] = msgspec.json.Decoder(Reviewed).decode
_parts = msgspec.json.Decoder(dict[str, Raw]).decode
_untyped = msgspec.json.Decoder().decode
_WRONG = re.compile(r"(?P<said>.*?)( - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")


def decode_line(text: bytes | Raw, now: datetime) -> Line | RefusedLine:
    """What a line tells, or what is wrong with it: `MalformedLine`, or `InvalidValue`."""
    try:
        sent, said = _sent(text)
    except msgspec.ValidationError as wrong:
        return refused_line(text, InvalidValue(errors=[_field_error(str(wrong))]))
    except (ValueError, RecursionError):
        return RefusedLine(why=MalformedLine())
    latest = now + AHEAD_MAX
    errors = [
        *_ids(sent.order),
        *_instants(said, _told_at(sent), latest),
        *foreign_currencies(sent.order, "order."),
    ]
    if errors:
        return refused_line(text, InvalidValue(errors=errors))
    reviews = [decode_review(each, n, latest) for n, each in enumerate(sent.reviews)]
    return Line(life=sent, reviews=reviews)


def decode_review(text: Raw, number: int, latest: datetime) -> Reviewed | RefusedReview:
    """What one side wrote, or what is wrong with it. `number`: its place in the line."""
    place = f"reviews[{number}]"
    try:
        reviewed = _decode_review(text)
    except msgspec.ValidationError as wrong:
        errors = [_field_error(str(wrong), place)]
    except (ValueError, RecursionError):
        errors = [FieldError(field=place, bound=TEXT)]
    else:
        told = [("at", reviewed.at, True)]
        errors = [*_words(reviewed, place), *_instants(_untyped(text), told, latest, f"{place}.")]
        if not errors:
            return reviewed
    return RefusedReview(by=_by(text), why=InvalidValue(errors=errors))


def refused_line(text: bytes | Raw, why: Refused) -> RefusedLine:
    """Says whose line it was, and which reviews share the fate of their order."""
    line = _read(text, OfLine) or OfLine()
    order = _read(line.order, OfOrder)
    return RefusedLine(
        why=why,
        order_id=order.order_id if order else None,
        sides=[_by(each) for each in _read(line.reviews, list[Raw]) or []],
    )


def side_of(reviewed: Reviewed | RefusedReview) -> Side | None:
    if isinstance(reviewed, RefusedReview):
        return reviewed.by
    return writes_as(reviewed)


def writes_as(reviewed: Reviewed) -> Side:
    return "BUYER" if isinstance(reviewed, BuyerReviewed) else "SELLER"


def writers(line: Line) -> Iterator[str]:
    """The persons who write something, with whose keys it is sealed."""
    for reviewed in line.reviews:
        if not isinstance(reviewed, RefusedReview) and reviewed.text is not None:
            yield writer(line.order, writes_as(reviewed))


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


def as_told(refused: InvalidValue, part: str) -> InvalidValue:
    """A refusal of the domain in the words of the line: `total_minor` -> `order.total.amount`."""
    return InvalidValue(errors=[told_error(error, f"{part}.") for error in refused.errors])


def _sent(text: bytes | Raw) -> tuple[SentLine, dict[str, Any]]:
    """A line, and what is said in it but for its reviews, without types.

    Raises msgspec.ValidationError, or ValueError or RecursionError for what is no JSON.
    """
    try:
        sent, parts = _decode(text), _parts(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _sent_with_halves(text)
    return sent, {name: _untyped(part) for name, part in parts.items() if name != "reviews"}


def _sent_with_halves(text: bytes | Raw) -> tuple[SentLine, dict[str, Any]]:
    """The same of a line with a text that somebody has cut through a character.

    msgspec takes no such thing, Python does: the review that has it is refused by itself.
    """
    told: object = json.loads(bytes(text).decode())  # of bytes it guesses the encoding
    said = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    reviews: object = said.pop("reviews", None)
    if not isinstance(reviews, list):
        raise ValueError("no reviews that could have it")  # noqa: TRY004 - of what was sent
    apart = [Raw(json.dumps(review).encode()) for review in cast("list[object]", reviews)]
    return replace(_decode(json.dumps(said).encode()), reviews=apart), said


def _ids(order: ToldOrder) -> Iterator[FieldError]:
    """Before any stream is looked for: not every text can be the name of one."""
    for name in ("order_id", "seller_id", "buyer_id"):
        if not is_id(getattr(order, name)):
            yield FieldError(field=f"order.{name}", bound=ID)


def _words(reviewed: Reviewed, place: str) -> Iterator[FieldError]:
    try:
        readable(reviewed.text or "-")
    except ValueError as wrong:
        yield FieldError(field=f"{place}.text", bound=str(wrong))


type ToldAt = tuple[str, datetime, bool]
"""The name of an instant, the instant, and whether it is one of what has happened."""


def _told_at(line: Life) -> Iterator[ToldAt]:
    order, shipped = line.order, line.shipped
    yield "order.placed_at", order.placed_at, True
    for name, step in (
        ("paid.at", line.paid),
        ("shipped.at", shipped),
        ("delivered.at", line.delivered),
        ("completed.at", line.completed),
        ("cancelled.at", line.cancelled),
    ):
        if step is not None:
            yield name, step.at, True
    for name, at in (
        ("order.dispatch_by", order.dispatch_by),
        ("order.deliver_by", order.deliver_by),
        ("order.buyer_registered_at", order.buyer_registered_at),
        ("shipped.deliver_by", shipped.deliver_by if shipped else None),
    ):
        if at is not None:
            yield name, at, False


def _instants(
    said: Any,  # noqa: ANN401 - JSON
    told: Iterable[ToldAt],
    latest: datetime,
    place: str = "",
) -> Iterator[FieldError]:
    """Each is held to what every door asks of one. As text: a datetime has lost its decimals."""
    for name, at, past in told:
        try:
            instant(_place(said, name))
        except ValueError as wrong:
            yield FieldError(field=f"{place}{name}", bound=str(wrong))
            continue
        if past and at > latest:
            yield FieldError(field=f"{place}{name}", bound="not after now")


def _place(said: Any, name: str) -> object:  # noqa: ANN401 - JSON
    for step in name.split("."):
        said = said[step]
    return said


def _by(review: Raw) -> Side | None:
    read = _read(review, OfReview)
    return read.by if read else None


def _read[T](text: bytes | Raw, kind: type[T]) -> T | None:
    """A part of what may make no sense; None if it does not."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError):
        return None


def _field_error(message: str, place: str = "") -> FieldError:
    """What msgspec says is wrong. Names that clients make up are cut short."""
    match = _WRONG.fullmatch(message)
    assert match
    said, field = match["said"], f"{place}.{match['path'] or ''}".strip(".")
    for pattern, bound in ((_UNKNOWN, "unknown field"), (_MISSING, "required")):
        if named := pattern.fullmatch(said):
            field = f"{field}.{named['name']}".lstrip(".")
            said = bound
    return FieldError(
        field=field[:FIELD_LENGTH_MAX] or "line",
        bound=said.replace("`", "")[:BOUND_LENGTH_MAX],
    )
