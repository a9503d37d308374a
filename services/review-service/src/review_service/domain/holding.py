"""A doubt about a review in; the review out of sight until somebody decides, but not for long."""

from shared_events.review import EvaluationEvent, ReviewHeld, ReviewReleased
from shared_runtime.decider import LimitReached

from review_service.domain.commands import HoldReview, ReleaseReview
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.guards import utc
from review_service.domain.impartiality import require_impartial
from review_service.domain.policy import Policies
from review_service.domain.reweighing import with_weight
from review_service.domain.subject import about

HOLDS_FOR_A_GROUND_MAX = 1


def hold_review(
    state: Evaluation, command: HoldReview, policies: Policies
) -> list[EvaluationEvent]:
    subject = about(state, command)
    require_impartial(subject, command)
    subject.require("SUBMITTED", "VISIBLE")
    if command.ground in subject.review.held_for:
        raise LimitReached(limit=HOLDS_FOR_A_GROUND_MAX)
    policy = policies.of(subject.sheet.policy_version)
    held = ReviewHeld(
        **subject.ids,
        ground=command.ground,
        hold_until=utc(command.now) + policy.review_hold_max,
    )
    return with_weight(subject, [held], command, policies)


def release_review(
    state: Evaluation, command: ReleaseReview, policies: Policies
) -> list[EvaluationEvent]:
    """A moderator whenever he has looked; the timer once the longest hold is over."""
    subject = about(state, command)
    require_impartial(subject, command)
    subject.require("HELD")
    held = subject.review.standing
    assert isinstance(held, ReviewHeld)
    by_timer = command.actor.acts_as == "SYSTEM"
    if by_timer and command.now < held.hold_until:
        return []
    released = ReviewReleased(**subject.ids, how="HOLD_EXPIRED" if by_timer else "HUMAN")
    return with_weight(subject, [released], command, policies)
