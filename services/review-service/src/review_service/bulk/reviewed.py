"""The bytes of a review in a line in, what it tells out: itself, and its parts each by itself.

What somebody wrote elsewhere has often more to it: files, the other side's reply, a follow-up, and
that it was hidden there. A part that makes no sense costs neither the review nor the other parts.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil, floor
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace
from shared_events.fields import (
    MEDIA_MAX,
    NOTE_LENGTH_MAX,
    STARS_MAX,
    TEXT_LENGTH_MAX,
    Id,
    Instant,
)
from shared_events.review import Ground, Incentive, Restriction, Side
from shared_runtime.bounds import bound_of_line, words_at
from shared_runtime.decider import FieldError, InvalidValue, Refused
from shared_runtime.fields import instant, readable

from review_service.told_order import ToldPart

FIELD_LENGTH_MAX = 100
BOUND_LENGTH_MAX = 200
TEXT = "JSON in UTF-8, without halves of characters"
HALVES = "1 to 5, in whole or half stars"
TITLED = "\n\n"
"""What stands between a title and the text under it."""

type Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
type Said = Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH_MAX)]
type Files = Annotated[tuple[Id, ...], Meta(max_length=MEDIA_MAX)]
type Halves = Literal["UP", "DOWN"]
type Stars = float
"""Of their own here: there are halves elsewhere."""
type PartName = Literal["media", "reply", "follow_up", "restricted"]


class Replied(ToldPart, frozen=True, kw_only=True):
    """What the other side answered. One of before the reveal counts as said at it."""

    at: Instant
    text: Said


class FollowedUp(ToldPart, frozen=True, kw_only=True):
    """What the buyer had to add later. `media`: ids of files that are his."""

    at: Instant
    text: Said
    media: Files = ()


class WasRestricted(ToldPart, frozen=True, kw_only=True):
    """That it was hidden where it comes from, as a moderator would hide it here. `facts` are the
    words about it, sealed for its author.
    """

    at: Instant
    ground: Ground
    measures: Annotated[tuple[Restriction, ...], Meta(min_length=1, max_length=4)] = (
        "HIDE_REVIEW",
        "EXCLUDE_SCORE",
    )
    rule_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=20)] = ("ELSEWHERE",)
    facts: Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)] = (
        "No words about it have been kept."
    )


class BuyerReviewed(ToldPart, frozen=True, kw_only=True, tag_field="by", tag="BUYER"):
    """What a buyer wrote. A `title` becomes the first paragraph of the text. `media`: ids of files
    that are his. Half a star counts as the whole one above it, or below.
    """

    at: Instant
    quality: Stars
    logistics: Stars
    service: Stars
    halves: Halves = "UP"
    incentive: Incentive = "NONE"
    title: Text | None = None
    text: Text | None = None
    media: Files = ()
    reply: Replied | None = None
    follow_up: FollowedUp | None = None
    restricted: WasRestricted | None = None


class SellerReviewed(ToldPart, frozen=True, kw_only=True, tag_field="by", tag="SELLER"):
    """What a seller wrote."""

    at: Instant
    rating: Stars
    halves: Halves = "UP"
    title: Text | None = None
    text: Text | None = None
    reply: Replied | None = None
    restricted: WasRestricted | None = None


type Reviewed = BuyerReviewed | SellerReviewed

STARS: Mapping[type[Reviewed], Sequence[str]] = {
    BuyerReviewed: ("quality", "logistics", "service"),
    SellerReviewed: ("rating",),
}

type Part = Replied | FollowedUp | WasRestricted


class RefusedReview(Struct, frozen=True, kw_only=True):
    """A review that makes no sense. `by` is None where it does not tell it."""

    by: Side | None
    why: Refused


class RefusedPart(Struct, frozen=True):
    """A part of a review that makes no sense."""

    name: PartName
    why: Refused


class SoundReview(Struct, frozen=True, kw_only=True):
    """A review that makes sense, with those of its parts that do. `text`: with its title."""

    said: Reviewed
    text: str | None
    refused: list[RefusedPart] = []

    @property
    def by(self) -> Side:
        return "BUYER" if isinstance(self.said, BuyerReviewed) else "SELLER"

    @property
    def stars(self) -> dict[str, int]:
        """By their names, whole."""
        return {name: whole(stars, self.said.halves) for name, stars in stars_of(self.said)}

    @property
    def media(self) -> Sequence[str]:
        return self.said.media if isinstance(self.said, BuyerReviewed) else ()

    @property
    def parts(self) -> dict[PartName, Part]:
        """Those that are dated, by their names."""
        said = self.said
        told: dict[PartName, Part | None] = {
            "reply": said.reply,
            "follow_up": said.follow_up if isinstance(said, BuyerReviewed) else None,
            "restricted": said.restricted,
        }
        return {name: part for name, part in told.items() if part is not None}


def stars_of(said: Reviewed) -> Iterator[tuple[str, Stars]]:
    names = STARS[type(said)]
    return ((name, getattr(said, name)) for name in names)


def whole(stars: Stars, halves: Halves) -> int:
    return floor(stars + 0.5) if halves == "UP" else ceil(stars - 0.5)


class OfReview(Struct, frozen=True):
    by: Side


KINDS: Mapping[PartName, object] = {
    "media": Files,
    "reply": Replied | None,
    "follow_up": FollowedUp | None,
    "restricted": WasRestricted | None,
}
PARTS: Mapping[PartName, Callable[[Raw], object]] = {
    name: msgspec.json.Decoder[object](kind).decode for name, kind in KINDS.items()
}
NOTHING: Mapping[PartName, object] = {
    "media": (),
    "reply": None,
    "follow_up": None,
    "restricted": None,
}

_decode: Callable[[bytes | Raw], Reviewed] = msgspec.json.Decoder(Reviewed).decode
_apart = msgspec.json.Decoder(dict[str, Raw]).decode
_untyped = msgspec.json.Decoder().decode
_WRONG = re.compile(r"(?P<said>.*?)( - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")


def decode_review(text: Raw, number: int, latest: datetime) -> SoundReview | RefusedReview:
    """What one side wrote, or what is wrong with it. `number`: its place in the line."""
    place = f"reviews[{number}]"
    try:
        said, refused = _decoded(text, place)
    except msgspec.ValidationError as wrong:
        errors = [field_error(str(wrong), Reviewed, place)]
    except (ValueError, RecursionError):
        errors = [FieldError(field=place, bound=TEXT)]
    else:
        told, written = _untyped(text), titled(said)
        errors = [
            *halves_only(said, place),
            *words(written, f"{place}.text", TEXT_LENGTH_MAX),
            *instants(told, [("at", said.at, True)], latest, f"{place}."),
        ]
        if not errors:
            return _judged(
                SoundReview(said=said, text=written, refused=refused), told, place, latest
            )
    return RefusedReview(by=by_of(text), why=InvalidValue(errors=errors))


def halves_only(said: Reviewed, place: str) -> Iterator[FieldError]:
    for name, stars in stars_of(said):
        if not (1 <= stars <= STARS_MAX and (2 * stars).is_integer()):
            yield FieldError(field=f"{place}.{name}", bound=HALVES)


def titled(said: Reviewed) -> str | None:
    """A title is the first paragraph of what follows: events have none of their own."""
    return TITLED.join(filter(None, (said.title, said.text))) or None


def by_of(review: Raw) -> Side | None:
    """Whose it is, also of what makes no sense."""
    try:
        return msgspec.json.decode(review, type=OfReview).by
    except (ValueError, RecursionError):
        return None


def words(text: str | None, field: str, length_max: int | None = None) -> Iterator[FieldError]:
    """What is wrong with what somebody wrote, if anything is."""
    if text is None:
        return
    if length_max is not None and len(text) > length_max:
        yield FieldError(field=field, bound=f"with its title at most {length_max} characters")
    try:
        readable(text)
    except ValueError as wrong:
        yield FieldError(field=field, bound=str(wrong))


type ToldAt = tuple[str, datetime, bool]
"""The name of an instant, the instant, and whether it is one of what has happened."""


def instants(
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


def field_error(message: str, kind: object, place: str = "") -> FieldError:
    """What msgspec says is wrong with what should be of this kind. Names that clients make up are
    cut short.
    """
    match = _WRONG.fullmatch(message)
    assert match
    said, field = match["said"], f"{place}.{match['path'] or ''}".strip(".")
    for pattern, bound in ((_UNKNOWN, "unknown field"), (_MISSING, "required")):
        if named := pattern.fullmatch(said):
            field = f"{field}.{named['name']}".lstrip(".")
            said = bound
    return FieldError(
        field=field[:FIELD_LENGTH_MAX] or "line",
        bound=bound_of_line(said, words_at(kind, match["path"] or ""))[:BOUND_LENGTH_MAX],
    )


def _decoded(text: Raw, place: str) -> tuple[Reviewed, list[RefusedPart]]:
    """With the parts that make sense. Raises what decoding the rest raises."""
    try:
        return _decode(text), []
    except msgspec.ValidationError:
        told = _apart(text)
    refused: list[RefusedPart] = []
    for name, decode in PARTS.items():
        if name not in told:
            continue
        try:
            decode(told[name])
        except msgspec.ValidationError as wrong:
            error = field_error(str(wrong), KINDS[name], f"{place}.{name}")
            refused.append(RefusedPart(name, InvalidValue(errors=[error])))
            del told[name]
    return _decode(msgspec.json.encode(told)), refused


def _judged(
    review: SoundReview,
    told: Any,  # noqa: ANN401 - JSON
    place: str,
    latest: datetime,
) -> SoundReview:
    """Without the parts whose words or instants nobody could have sent by another door."""
    for name, part in review.parts.items():
        of_part = f"{place}.{name}"
        wrote, field = (
            (part.facts, "facts") if isinstance(part, WasRestricted) else (part.text, "text")
        )
        errors = [
            *words(wrote, f"{of_part}.{field}"),
            *instants(told[name], [("at", part.at, True)], latest, f"{of_part}."),
        ]
        if errors:
            refused = RefusedPart(name, InvalidValue(errors=errors))
            review = replace(
                review,
                said=replace(review.said, **{name: NOTHING[name]}),
                refused=[*review.refused, refused],
            )
    return review


def _place(said: Any, name: str) -> object:  # noqa: ANN401 - JSON
    for step in name.split("."):
        said = said[step]
    return said
