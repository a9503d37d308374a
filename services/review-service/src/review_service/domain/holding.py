"""A doubt about a review in; the review out of sight until somebody decides, but not for long."""

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.review import (
    EvaluationEvent,
    FlagReason,
    Ground,
    ReviewHeld,
    ReviewReleased,
    ReviewWeighted,
)
from shared_runtime.decider import ConflictOfInterest, LimitReached
from shared_runtime.rule import Guard

from review_service.domain.known import Sender, policy_of
from review_service.domain.subject import ReviewRule, Subject, by_outsider

HOLDS_FOR_A_GROUND_MAX = 1
REASONS: Sequence[FlagReason] = get_args(FlagReason.__value__)
GROUNDS: list[Ground] = [*REASONS, "CAMPAIGN"]


class HoldReview(Struct, frozen=True, kw_only=True):
    """Why it is not to be seen for now."""

    review_id: Id
    ground: Ground


class ReleaseReview(Struct, frozen=True, kw_only=True):
    """The doubt is gone, or its time is over."""

    review_id: Id


def hold_review(subject: Subject, said: HoldReview, by: Sender) -> list[EvaluationEvent]:
    """For `review_hold_max`, and not twice on one ground. Negativity alone is no ground."""
    if said.ground in subject.review.held_for:
        raise LimitReached(limit=HOLDS_FOR_A_GROUND_MAX)
    until = utc(by.now) + policy_of(subject.sheet, by).review_hold_max
    return [ReviewHeld(**subject.ids, ground=said.ground, hold_until=until)]


def grounds_left(subject: Subject, _: Sender) -> Sequence[HoldReview]:
    held_for = subject.review.held_for
    left = [ground for ground in GROUNDS if ground not in held_for]
    return [replace(HOLD, ground=ground) for ground in left[:1]] or [HOLD]


HOLD = HoldReview(review_id="R-1", ground="PERSONAL_DATA")
HOLD_REVIEW = ReviewRule(
    HoldReview,
    hold_review,
    roles=("MODERATOR", "ANALYST", "SYSTEM"),
    impartial=Guard(by_outsider, ConflictOfInterest),
    states=("SUBMITTED", "VISIBLE"),
    refuses=(LimitReached,),
    events=(ReviewHeld, ReviewWeighted),
    example=HOLD,
    tries=grounds_left,
)


def release_review(subject: Subject, _: ReleaseReview, by: Sender) -> list[EvaluationEvent]:
    """A moderator whenever he has looked; by itself at the end of the hold: nothing is suppressed
    in silence.
    """
    held = subject.review.standing
    assert isinstance(held, ReviewHeld)
    by_timer = by.actor.acts_as == "SYSTEM"
    if by_timer and by.now < held.hold_until:
        return []
    return [ReviewReleased(**subject.ids, how="HOLD_EXPIRED" if by_timer else "HUMAN")]


RELEASE_REVIEW = ReviewRule(
    ReleaseReview,
    release_review,
    roles=("MODERATOR", "SYSTEM"),
    impartial=Guard(by_outsider, ConflictOfInterest),
    states=("HELD",),
    lapses=True,
    events=(ReviewReleased, ReviewWeighted),
    example=ReleaseReview(review_id="R-1"),
)
