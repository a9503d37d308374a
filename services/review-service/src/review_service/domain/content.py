"""What a side says of the other in, how events tell it out; and whether two say the same."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Protocol, TypedDict

from msgspec import Struct
from shared_casework.files import with_digests
from shared_events.fields import MEDIA_MAX, TEXT_LENGTH_MAX, Sha256, Stars
from shared_events.review import Incentive, Side
from shared_events.sealed import same_text, same_texts
from shared_runtime.decider import Actor, FieldError
from shared_runtime.shape import Files, Words

STARS = ("quality", "logistics", "service")
OF_BUYERS = (*STARS, "incentive", "media")


class BuyerReview(Struct, frozen=True, kw_only=True):
    """What a buyer says of the seller. `media` and `media_sha256` go together."""

    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"
    text: str | None = None
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


class SellerReview(Struct, frozen=True, kw_only=True):
    """What a seller says of the buyer."""

    rating: int
    text: str | None = None


type Content = BuyerReview | SellerReview


class Writing(Struct, frozen=True, kw_only=True):
    """What either side sends: a buyer gives three stars and says what he got for it; a seller
    rates the buyer.
    """

    quality: Stars | None = None
    logistics: Stars | None = None
    service: Stars | None = None
    incentive: Incentive | None = None
    rating: Stars | None = None
    text: Annotated[str | None, Words(TEXT_LENGTH_MAX)] = None
    media: Annotated[tuple[str, ...], Files("REVIEW", MEDIA_MAX)] = ()
    media_sha256: tuple[Sha256, ...] = ()


def two_sided(said: Writing, actor: Actor) -> Iterator[FieldError]:
    """What is missing, or is too much, for either side."""
    seller = said.rating is not None
    given = [name for name in OF_BUYERS if getattr(said, name)]
    if seller:
        for name in given:
            yield FieldError(field=name, bound="not with a rating: it is the seller's")
    else:
        for name in STARS:
            if name not in given:
                yield FieldError(field=name, bound="required, unless with a rating")
        if "incentive" not in given:
            yield FieldError(field="incentive", bound="required: NONE if you got nothing")
    yield from with_digests(said)
    if actor.acts_as == ("BUYER" if seller else "SELLER"):
        bound = "a buyer gives quality, logistics, service" if seller else "a seller gives rating"
        yield FieldError(field="review", bound=bound)


class ToldContent(Protocol):
    """An event or a command that has the whole of it, of either side."""

    @property
    def quality(self) -> int | None: ...
    @property
    def logistics(self) -> int | None: ...
    @property
    def service(self) -> int | None: ...
    @property
    def rating(self) -> int | None: ...
    @property
    def incentive(self) -> Incentive | None: ...
    @property
    def text(self) -> str | None: ...
    @property
    def media(self) -> Sequence[str] | None: ...
    @property
    def media_sha256(self) -> Sequence[str] | None: ...


def content_of(told: ToldContent) -> Content:
    if told.rating is not None:
        return SellerReview(rating=told.rating, text=told.text)
    assert told.quality is not None
    assert told.logistics is not None
    assert told.service is not None
    return BuyerReview(
        quality=told.quality,
        logistics=told.logistics,
        service=told.service,
        incentive=told.incentive or "NONE",
        text=told.text,
        media=tuple(told.media or ()),
        media_sha256=tuple(told.media_sha256 or ()),
    )


class StarFields(TypedDict):
    quality: int | None
    logistics: int | None
    service: int | None
    rating: int | None


class ContentFields(StarFields):
    """The fields of events that tell the whole of it."""

    incentive: Incentive
    text: str | None
    media: list[str] | None
    media_sha256: list[str] | None


def side_of(content: Content) -> Side:
    return "BUYER" if isinstance(content, BuyerReview) else "SELLER"


def star_fields(content: Content) -> StarFields:
    if isinstance(content, BuyerReview):
        return StarFields(
            quality=content.quality,
            logistics=content.logistics,
            service=content.service,
            rating=None,
        )
    return StarFields(quality=None, logistics=None, service=None, rating=content.rating)


def content_fields(content: Content) -> ContentFields:
    buyers = content if isinstance(content, BuyerReview) else None
    return ContentFields(
        **star_fields(content),
        incentive=buyers.incentive if buyers else "NONE",
        text=content.text,
        media=[*buyers.media] if buyers and buyers.media else None,
        media_sha256=[*buyers.media_sha256] if buyers and buyers.media_sha256 else None,
    )


def same_content(one: Content, other: Content) -> bool:
    """Texts and media are told by their digests: sealed again, the same text is another string."""
    if not same_text(one.text, other.text):
        return False
    if isinstance(one, BuyerReview) and isinstance(other, BuyerReview):
        return _stars(one) == _stars(other) and same_texts([*one.media], [*other.media])
    if isinstance(one, SellerReview) and isinstance(other, SellerReview):
        return one.rating == other.rating
    return False


def _stars(review: BuyerReview) -> tuple[object, ...]:
    stars = (review.quality, review.logistics, review.service)
    return *stars, review.incentive, review.media_sha256
