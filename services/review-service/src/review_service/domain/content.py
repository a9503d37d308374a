"""What a side says of the other in, whether it is well-formed and how events tell it out."""

from typing import TypedDict

from shared_events.review import Incentive, Side
from shared_events.sealed import same_text, same_texts

from review_service.domain.commands import BuyerReview, Content
from review_service.domain.guards import Shape


class Stars(TypedDict):
    quality: int | None
    logistics: int | None
    service: int | None
    rating: int | None


class Told(Stars):
    """The fields of events that tell the whole of it."""

    incentive: Incentive
    text: str | None
    media: list[str] | None
    media_sha256: list[str] | None


def check_content(shape: Shape, content: Content) -> None:
    if content.text is not None:
        shape.text("text", content.text)
    if isinstance(content, BuyerReview):
        check_stars(shape, content.quality, content.logistics, content.service)
        shape.media(content.media, content.media_sha256)
    else:
        shape.stars("rating", content.rating)


def check_stars(shape: Shape, quality: int, logistics: int, service: int) -> None:
    shape.stars("quality", quality)
    shape.stars("logistics", logistics)
    shape.stars("service", service)


def side_of(content: Content) -> Side:
    return "BUYER" if isinstance(content, BuyerReview) else "SELLER"


def stars_of(content: Content) -> Stars:
    if isinstance(content, BuyerReview):
        return Stars(
            quality=content.quality,
            logistics=content.logistics,
            service=content.service,
            rating=None,
        )
    return Stars(quality=None, logistics=None, service=None, rating=content.rating)


def told(content: Content) -> Told:
    buyers = content if isinstance(content, BuyerReview) else None
    return Told(
        **stars_of(content),
        incentive=buyers.incentive if buyers else "NONE",
        text=content.text,
        media=[*buyers.media] if buyers and buyers.media else None,
        media_sha256=[*buyers.media_sha256] if buyers and buyers.media_sha256 else None,
    )


def same_content(one: Content, other: Content) -> bool:
    """Texts and media are told by their digests: sealed again, the same text is another string."""
    some, others = told(one), told(other)
    return (
        stars_of(one) == stars_of(other)
        and some["incentive"] == others["incentive"]
        and some["media_sha256"] == others["media_sha256"]
        and same_text(some["text"], others["text"])
        and same_texts(some["media"], others["media"])
    )
