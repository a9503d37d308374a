"""A matter that the seller has made good in, the one revision that the buyer may make of it out."""

from datetime import datetime

from shared_events.review import (
    EvaluationEvent,
    ReviewRevised,
    RevisionGranted,
    RevisionRequested,
)
from shared_events.sealed import same_text
from shared_runtime.decider import LimitReached, NotYetEligible, WindowClosed

from review_service.domain.commands import (
    BuyerReview,
    GrantRevision,
    RequestRevision,
    ReviseReview,
)
from review_service.domain.content import check_stars
from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.guards import Shape, require_known, require_role, utc
from review_service.domain.policy import Policies
from review_service.domain.review_state import Written
from review_service.domain.reweighing import with_weight
from review_service.domain.roles import ROLES
from review_service.domain.subject import Subject, about, require_author, require_reviewed

REVISIONS_MAX = 1
REQUESTS_MAX = 1


def grant_revision(
    state: Evaluation, command: GrantRevision, policies: Policies
) -> list[EvaluationEvent]:
    """A review that is not revealed yet needs none: it can be amended."""
    shape = Shape()
    shape.instant("now", command.now)
    shape.id("cause_id", command.cause_id)
    shape.check()
    require_role(command, ROLES[GrantRevision])
    subject = buyers_review(state)
    if subject is None or subject.review.granted or subject.status != "VISIBLE":
        return []
    policy = policies.of(subject.sheet.policy_version)
    return [
        RevisionGranted(
            **subject.ids,
            cause=command.cause,
            cause_id=command.cause_id,
            until=utc(command.now) + policy.review_revision_window,
        )
    ]


def buyers_review(state: Evaluation) -> Subject | None:
    if isinstance(state, Unopened):
        return None
    review = state.sheet.reviews.get("BUYER")
    return Subject(state=state, side="BUYER", review=review) if review else None


def request_revision(
    state: Evaluation, command: RequestRevision, _: Policies
) -> list[EvaluationEvent]:
    subject = about(state, command)
    require_reviewed(subject, command.actor)
    require_known(command)
    subject.require("VISIBLE")
    require_granted(subject.review, command.now)
    if subject.review.requested or subject.review.revised:
        raise LimitReached(limit=REQUESTS_MAX)
    return [RevisionRequested(**subject.ids, requested_at=utc(command.now))]


def revise_review(
    state: Evaluation, command: ReviseReview, policies: Policies
) -> list[EvaluationEvent]:
    shape = Shape()
    check_stars(shape, command.quality, command.logistics, command.service)
    if command.text is not None:
        shape.text("text", command.text)
    subject = about(state, command, shape)
    require_author(subject, command.actor)
    require_known(command)
    was = subject.review.content
    assert isinstance(was, BuyerReview)
    if says_the_same(was, command):
        return []
    subject.require("VISIBLE")
    require_granted(subject.review, command.now)
    if subject.review.revised:
        raise LimitReached(limit=REVISIONS_MAX)
    revised = ReviewRevised(
        **subject.ids,
        quality=command.quality,
        logistics=command.logistics,
        service=command.service,
        was_quality=was.quality,
        was_logistics=was.logistics,
        was_service=was.service,
        text=command.text,
    )
    return with_weight(subject, [revised], command, policies)


def says_the_same(was: BuyerReview, command: ReviseReview) -> bool:
    stars = (command.quality, command.logistics, command.service)
    same_stars = (was.quality, was.logistics, was.service) == stars
    # Without a text, the one that was written stays.
    return same_stars and (command.text is None or same_text(was.text, command.text))


def require_granted(review: Written, now: datetime) -> None:
    if review.granted is None:
        raise NotYetEligible
    if now >= review.granted.until:
        raise WindowClosed(closed_at=review.granted.until)
