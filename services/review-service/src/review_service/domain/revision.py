"""A matter that the seller has made good in, the one revision that the buyer may make of it out."""

from typing import Annotated, Literal

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import TEXT_LENGTH_MAX, Id, Stars
from shared_events.review import (
    EvaluationEvent,
    ReviewRevised,
    ReviewWeighted,
    RevisionGranted,
    RevisionRequested,
)
from shared_events.sealed import same_text
from shared_runtime.decider import LimitReached
from shared_runtime.rule import Window
from shared_runtime.shape import Words

from review_service.domain.content import BuyerReview
from review_service.domain.known import Sender, policy_of
from review_service.domain.subject import (
    AUTHOR,
    PERSON,
    REVIEWED,
    BuyersReviewRule,
    ReviewRule,
    Subject,
    up_to,
)

REVISIONS_MAX = 1
REQUESTS_MAX = 1


class GrantRevision(Struct, frozen=True, kw_only=True):
    """The seller has made the matter of the buyer's review good."""

    cause: Literal["DISPUTE", "RETURN"]
    cause_id: Id


class RequestRevision(Struct, frozen=True, kw_only=True):
    """The words are the platform's."""

    review_id: Id


class ReviseReview(Struct, frozen=True, kw_only=True):
    """The stars of now. What was written before stays readable."""

    review_id: Id
    quality: Stars
    logistics: Stars
    service: Stars
    text: Annotated[str | None, Words(TEXT_LENGTH_MAX)] = None


def grant_revision(subject: Subject, said: GrantRevision, by: Sender) -> list[EvaluationEvent]:
    """For `review_revision_window`. A review that is not revealed yet needs none: it can be
    amended.
    """
    return [
        RevisionGranted(
            **subject.ids,
            cause=said.cause,
            cause_id=said.cause_id,
            until=utc(by.now) + policy_of(subject.sheet, by).review_revision_window,
        )
    ]


def is_granted(subject: Subject, _: object, __: Sender) -> bool:
    return subject.review.granted is not None


GRANT_REVISION = BuyersReviewRule(
    GrantRevision,
    grant_revision,
    roles=("SYSTEM",),
    repeated=is_granted,
    states=("VISIBLE",),
    lapses=True,
    events=(RevisionGranted,),
    example=GrantRevision(cause="DISPUTE", cause_id="D-1"),
)


def request_revision(subject: Subject, _: RequestRevision, by: Sender) -> list[EvaluationEvent]:
    """Once for a review, where a revision was granted and not made."""
    if subject.review.requested or subject.review.revised:
        raise LimitReached(limit=REQUESTS_MAX)
    return [RevisionRequested(**subject.ids, requested_at=utc(by.now))]


def revising(subject: Subject, _: object, by: Sender) -> Window | None:
    granted = subject.review.granted
    if granted is None:
        return None
    return up_to(granted.until, policy_of(subject.sheet, by).review_revision_window)


REQUEST_REVISION = ReviewRule(
    RequestRevision,
    request_revision,
    roles=("SELLER",),
    party=REVIEWED,
    barred=PERSON,
    states=("VISIBLE",),
    window=revising,
    early=True,
    refuses=(LimitReached,),
    events=(RevisionRequested,),
    example=RequestRevision(review_id="R-1"),
)


def revise_review(subject: Subject, said: ReviseReview, _: Sender) -> list[EvaluationEvent]:
    """Once. The weight is that of the new stars, and counts from when the old ones did."""
    if subject.review.revised:
        raise LimitReached(limit=REVISIONS_MAX)
    was = subject.review.content
    assert isinstance(was, BuyerReview)
    return [
        ReviewRevised(
            **subject.ids,
            quality=said.quality,
            logistics=said.logistics,
            service=said.service,
            was_quality=was.quality,
            was_logistics=was.logistics,
            was_service=was.service,
            text=said.text,
        )
    ]


def is_revised_so(subject: Subject, said: ReviseReview, _: Sender) -> bool:
    was = subject.review.content
    assert isinstance(was, BuyerReview)
    stars = (said.quality, said.logistics, said.service)
    same_stars = (was.quality, was.logistics, was.service) == stars
    # Without a text, the one that was written stays.
    return same_stars and (said.text is None or same_text(was.text, said.text))


REVISE_REVIEW = ReviewRule(
    ReviseReview,
    revise_review,
    roles=("BUYER",),
    party=AUTHOR,
    barred=PERSON,
    repeated=is_revised_so,
    states=("VISIBLE",),
    window=revising,
    early=True,
    refuses=(LimitReached,),
    events=(ReviewRevised, ReviewWeighted),
    example=ReviseReview(
        review_id="R-1", quality=5, logistics=2, service=5, text="They sent a new one."
    ),
)
