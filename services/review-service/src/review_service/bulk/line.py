"""The bytes of a line in, what it tells out: exact types, no unknown fields, instants in UTC.

The order and each of its reviews are read by themselves: one of them that makes no sense takes
nothing of the others with it. Ranges are the domain's to judge; here is refused what its commands
could not even carry.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace
from shared_casework.callers import AHEAD_MAX
from shared_casework.people import person_on
from shared_events.characters import ID, is_id
from shared_events.fields import Instant
from shared_events.review import Side
from shared_runtime.decider import FieldError, InvalidValue, Refused
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey

from review_service.bulk.reviewed import (
    RefusedReview,
    SellerReviewed,
    SoundReview,
    ToldAt,
    by_of,
    decode_review,
    field_error,
    instants,
)
from review_service.domain.double_blind import SubmitReview
from review_service.domain.subject import OTHER
from review_service.told_order import ToldOrder, ToldPart, foreign_currencies, told_error

LINE_BYTES_MAX = 64 * 1024


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


class Line(Struct, frozen=True, kw_only=True):
    """A line whose order makes sense."""

    life: Life
    reviews: list[SoundReview | RefusedReview]

    @property
    def order(self) -> ToldOrder:
        return self.life.order

    @property
    def order_id(self) -> str:
        return self.order.order_id

    @property
    def sides(self) -> list[Side | None]:
        return [each.by for each in self.reviews]


class RefusedLine(Struct, frozen=True, kw_only=True):
    """A line whose order makes none, as far as it can be read."""

    why: Refused
    order_id: str | None = None
    sides: list[Side | None] = field(default_factory=list[Side | None])


class OfOrder(Struct, frozen=True):
    order_id: str


class OfLine(Struct, frozen=True):
    """What a line that makes no sense may still tell."""

    order: Raw = Raw()
    reviews: Raw = Raw()


_decode = msgspec.json.Decoder(SentLine).decode
_parts = msgspec.json.Decoder(dict[str, Raw]).decode
_untyped = msgspec.json.Decoder().decode


def decode_line(text: bytes | Raw, now: datetime) -> Line | RefusedLine:
    """What a line tells, or what is wrong with it: `MalformedLine`, or `InvalidValue`."""
    try:
        sent, said = _sent(text)
    except msgspec.ValidationError as wrong:
        return refused_line(text, InvalidValue(errors=[field_error(str(wrong), SentLine)]))
    except (ValueError, RecursionError):
        return RefusedLine(why=MalformedLine())
    latest = now + AHEAD_MAX
    errors = [
        *_ids(sent.order),
        *instants(said, _told_at(sent), latest),
        *foreign_currencies(sent.order, "order."),
    ]
    if errors:
        return refused_line(text, InvalidValue(errors=errors))
    reviews = [decode_review(each, n, latest) for n, each in enumerate(sent.reviews)]
    return Line(life=sent, reviews=reviews)


def refused_line(text: bytes | Raw, why: Refused) -> RefusedLine:
    """Says whose line it was, and which reviews share the fate of their order."""
    line = _read(text, OfLine) or OfLine()
    order = _read(line.order, OfOrder)
    return RefusedLine(
        why=why,
        order_id=order.order_id if order else None,
        sides=[by_of(each) for each in _read(line.reviews, list[Raw]) or []],
    )


def writers(line: Line) -> Iterator[str]:
    """The persons who write something, or are told why, with whose keys it is sealed."""
    for review in line.reviews:
        if isinstance(review, RefusedReview):
            continue
        if review.text is not None or review.media or {"follow_up", "restricted"} & {*review.parts}:
            yield person_on(review.by, line.order)
        if review.said.reply:
            yield person_on(OTHER[review.by], line.order)


def submit_review(
    review: SoundReview, review_id: str, key: PersonKey | None, files: Sequence[MediaFile]
) -> SubmitReview:
    """Either side's review; what it says sealed with the key of its writer, who has one."""
    told, stars = review.said, review.stars
    text = key.unsealed(review.text) if key and review.text is not None else None
    if isinstance(told, SellerReviewed):
        return SubmitReview(review_id=review_id, rating=stars["rating"], text=text)
    return SubmitReview(
        review_id=review_id,
        quality=stars["quality"],
        logistics=stars["logistics"],
        service=stars["service"],
        incentive=told.incentive,
        text=text,
        **sealed_files(key, files),
    )


class SealedFiles(TypedDict):
    media: tuple[str, ...]
    media_sha256: tuple[str, ...]


def sealed_files(key: PersonKey | None, files: Sequence[MediaFile]) -> SealedFiles:
    """Files for a command. Who has some has a key."""
    ids = tuple(key.unsealed(file.media_id) for file in files) if key else ()
    return SealedFiles(media=ids, media_sha256=tuple(file.sha256 for file in files))


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


def _read[T](text: bytes | Raw, kind: type[T]) -> T | None:
    """A part of what may make no sense; None if it does not."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError):
        return None
