"""What is said in and done about a buyer's review in, what everybody may see of it out.

A row is kept from the submission on, because its text comes before the reveal; `listed` is true
from the reveal on, and not while the review is held, hidden or withdrawn. Only listed rows are
ever read, and without the parts that are hidden by themselves. Texts and media are sealed: nothing
here can be read without their writers' keys.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.review import (
    FollowUpAppended,
    Incentive,
    Part,
    ReplyEdited,
    ReplyPublished,
    Restriction,
    ReviewAmended,
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    WeightReason,
)

from review_service.domain.review_state import part_of
from review_service.domain.votes import DOUBT, HELPFULNESS_MAX

TEXT_USEFULNESS = 400
MEDIA_USEFULNESS = 100
MEDIA_COUNTED_MAX = 3
FOLLOW_UP_USEFULNESS = 200
CORROBORATED_USEFULNESS = 300

# `stars` is the mean of the three, rounded half up, and `lost_stars` what it lacks of five: a list
# goes one way only, and the newest of the lowest come first. A marketplace may give one id to the
# reviews of two orders: `tie` tells them apart and names neither. What readers say of a review is
# in no event: see votes.py.
PUBLIC_COLUMNS = f"""
    order_id text PRIMARY KEY,
    seller_id text NOT NULL,
    review_id text NOT NULL,
    quality bigint NOT NULL,
    logistics bigint NOT NULL,
    service bigint NOT NULL,
    incentive text NOT NULL,
    text text,
    media jsonb NOT NULL,
    before jsonb,
    reply jsonb,
    follow_up jsonb,
    revealed_at timestamptz,
    weight_milli bigint,
    reasons jsonb NOT NULL,
    delivery_counted boolean NOT NULL,
    held boolean NOT NULL,
    measures jsonb NOT NULL,
    hidden jsonb NOT NULL,
    withdrawn boolean NOT NULL,
    usefulness bigint NOT NULL,
    helpful bigint NOT NULL DEFAULT 0,
    not_helpful bigint NOT NULL DEFAULT 0,
    usefulness_voted bigint NOT NULL GENERATED ALWAYS AS (
        usefulness
        + {HELPFULNESS_MAX} * (helpful - not_helpful) / (helpful + not_helpful + {DOUBT})) STORED,
    stars bigint NOT NULL
        GENERATED ALWAYS AS ((2 * (quality + logistics + service) + 3) / 6) STORED,
    lost_stars bigint NOT NULL
        GENERATED ALWAYS AS (5 - (2 * (quality + logistics + service) + 3) / 6) STORED,
    has_text boolean NOT NULL
        GENERATED ALWAYS AS (text IS NOT NULL AND NOT measures ? 'HIDE_TEXT') STORED,
    has_media boolean NOT NULL
        GENERATED ALWAYS AS (media <> '[]' AND NOT measures ? 'HIDE_MEDIA') STORED,
    listed boolean NOT NULL GENERATED ALWAYS AS (
        revealed_at IS NOT NULL AND weight_milli IS NOT NULL
        AND NOT held AND NOT withdrawn AND NOT measures ? 'HIDE_REVIEW') STORED,
    tie text NOT NULL GENERATED ALWAYS AS (md5(order_id)) STORED
"""


class FormerVersion(Struct, frozen=True, kw_only=True):
    """The stars and the text that a revision has replaced. They stay readable."""

    quality: int
    logistics: int
    service: int
    text: str | None


class Reply(Struct, frozen=True, kw_only=True):
    text: str
    edited: bool
    published_at: datetime


class FollowUp(Struct, frozen=True, kw_only=True):
    text: str | None
    media: list[str]
    appended_at: datetime


class PublicReview(Struct, frozen=True, kw_only=True):
    """A buyer's review with all that has been done about it. Its weight is told at the reveal.
    `hidden`: the parts that are restricted by themselves; `measures` are of the review.
    """

    order_id: str
    seller_id: str
    review_id: str
    quality: int
    logistics: int
    service: int
    incentive: Incentive
    text: str | None
    media: list[str]
    before: FormerVersion | None = None
    reply: Reply | None = None
    follow_up: FollowUp | None = None
    revealed_at: datetime | None = None
    weight_milli: int | None = None
    reasons: list[WeightReason]
    delivery_counted: bool = True
    held: bool = False
    measures: list[Restriction]
    hidden: list[Part]
    withdrawn: bool = False
    usefulness: int = 0


type PublicEvent = (
    ReviewSubmitted
    | ReviewAmended
    | ReviewsRevealed
    | ReviewWeighted
    | ReplyPublished
    | ReplyEdited
    | FollowUpAppended
    | ReviewRevised
    | ReviewWithdrawn
    | ReviewHeld
    | ReviewReleased
    | ReviewRestricted
    | ReviewRestored
)


def order_of_the_buyers(event: PublicEvent) -> str | None:
    """None for what is told of a seller's review alone."""
    if isinstance(event, ReviewsRevealed):
        return event.order_id if "BUYER" in event.sides else None
    return event.order_id if event.side == "BUYER" else None


def evolve(before: PublicReview | None, recorded: Recorded[PublicEvent]) -> PublicReview | None:
    event = recorded.event
    if isinstance(event, ReviewSubmitted):
        after = submitted(event)
    elif before is None:
        return None
    else:
        after = evolve_known(before, event, recorded.time)
    return replace(after, usefulness=usefulness(after))


def submitted(event: ReviewSubmitted) -> PublicReview:
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return PublicReview(
        order_id=event.order_id,
        seller_id=event.seller_id,
        review_id=event.review_id,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        incentive=event.incentive,
        text=event.text,
        media=event.media or [],
        reasons=[],
        measures=[],
        hidden=[],
    )


def evolve_known(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    review: PublicReview, event: PublicEvent, at: datetime
) -> PublicReview:
    match event:
        case ReviewSubmitted():
            return submitted(event)
        case ReviewAmended():
            return amended(review, event)
        case ReviewsRevealed():
            return replace(review, revealed_at=event.revealed_at)
        case ReviewWeighted():
            return replace(
                review,
                weight_milli=event.weight_milli,
                reasons=event.reasons,
                delivery_counted="LOGISTICS" not in event.excluded_dimensions,
            )
        case ReplyPublished():
            reply = Reply(text=event.text, edited=False, published_at=at)
            return replace(review, reply=reply)
        case ReplyEdited():
            assert review.reply is not None
            return replace(review, reply=replace(review.reply, text=event.text, edited=True))
        case FollowUpAppended():
            follow_up = FollowUp(text=event.text, media=event.media or [], appended_at=at)
            return replace(review, follow_up=follow_up)
        case ReviewRevised():
            return revised(review, event)
        case ReviewWithdrawn():
            return replace(
                review,
                withdrawn=True,
                held=False,
                text=None,
                media=[],
                before=None,
                reply=None,
                follow_up=None,
            )
        case ReviewHeld():
            return replace(review, held=True)
        case ReviewReleased():
            return replace(review, held=False)
        case ReviewRestricted():
            return restricted(review, event)
        case ReviewRestored(part=None):
            return replace(review, measures=[])
        case ReviewRestored(part=part):
            return replace(review, hidden=[each for each in review.hidden if each != part])


def amended(review: PublicReview, event: ReviewAmended) -> PublicReview:
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return replace(
        review,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        incentive=event.incentive,
        text=event.text,
        media=event.media or [],
    )


def revised(review: PublicReview, event: ReviewRevised) -> PublicReview:
    """New stars; and a new text, where there is one."""
    before = FormerVersion(
        quality=event.was_quality,
        logistics=event.was_logistics,
        service=event.was_service,
        text=review.text,
    )
    return replace(
        review,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        text=event.text or review.text,
        before=before,
    )


def restricted(review: PublicReview, event: ReviewRestricted) -> PublicReview:
    """A part is hidden by itself: the review stays as it stands, and its stars count."""
    if part := part_of(event.measures):
        return replace(review, hidden=[*review.hidden, part])
    return replace(review, held=False, measures=event.measures)


class ListedReview(PublicReview, frozen=True, kw_only=True):
    """What of a row the lists show: with what readers say of it, and the place that this gives."""

    helpful: int
    not_helpful: int
    usefulness_voted: int


def shown[R: PublicReview](review: R) -> R:
    """Without what a moderator has hidden: texts, media, parts. With a text of the buyer's, the
    seller's reply stays.
    """
    if "REPLY" in review.hidden:
        review = replace(review, reply=None)
    if "FOLLOW_UP" in review.hidden:
        review = replace(review, follow_up=None)
    before, follow_up = review.before, review.follow_up
    if "HIDE_TEXT" in review.measures:
        before = replace(before, text=None) if before else None
        follow_up = replace(follow_up, text=None) if follow_up else None
        review = replace(review, text=None, before=before, follow_up=follow_up)
    if "HIDE_MEDIA" in review.measures:
        follow_up = replace(follow_up, media=[]) if follow_up else None
        review = replace(review, media=[], follow_up=follow_up)
    return review


def usefulness(review: PublicReview) -> int:
    """How much a reader learns from a review: a sum of facts, whatever the stars.

    The weight in milli (0..1000), and 400 for a text, 100 for each file up to three, 200 for a
    follow-up, 300 if facts of the order corroborate it. What is hidden does not count.
    """
    seen = shown(review)
    return (
        (seen.weight_milli or 0)
        + TEXT_USEFULNESS * (seen.text is not None)
        + MEDIA_USEFULNESS * min(len(seen.media), MEDIA_COUNTED_MAX)
        + FOLLOW_UP_USEFULNESS * (seen.follow_up is not None and seen.follow_up.text is not None)
        + CORROBORATED_USEFULNESS * any(each.code == "CORROBORATED" for each in seen.reasons)
    )
