"""A reader's complaint in, an open flag that somebody has to decide out."""

from datetime import timedelta

from shared_events.review import EvaluationEvent, Flagger, ReviewFlagged
from shared_events.sealed import same_text
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    FieldError,
    InvalidValue,
    RateLimited,
)

from review_service.domain.commands import FlagReview
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.guards import Shape, require_known, utc
from review_service.domain.policy import Policies, ReviewPolicy
from review_service.domain.subject import about

DAY = timedelta(days=1)


def flag_review(
    state: Evaluation, command: FlagReview, policies: Policies
) -> list[EvaluationEvent]:
    """Any reader's; the same deadline whatever the stars are."""
    shape = Shape()
    shape.id("flag_id", command.flag_id)
    if command.text is not None:
        shape.text("text", command.text)
    subject = about(state, command, shape)
    require_known(command)
    policy = policies.of(subject.sheet.policy_version)
    role, account = sender_of(command.actor)
    flagged = ReviewFlagged(
        **subject.ids,
        flag_id=command.flag_id,
        flagger_role=role,
        flagger_id=account,
        reason=command.reason,
        text=command.text,
        decide_by=utc(command.now) + policy.review_flag_sla,
    )
    if known := subject.review.flags.get(command.flag_id):
        if says_the_same(known.raised, flagged):
            return []
        bound = "not that of another flag"
        raise InvalidValue(errors=[FieldError(field="flag_id", bound=bound)])
    subject.require("VISIBLE")
    for flag_id, other in subject.review.open_flags.items():
        if flagger_of(other) == flagger_of(flagged):
            raise AlreadySubmitted(existing_id=flag_id)
    require_rate(command, policy)
    return [flagged]


def require_rate(command: FlagReview, policy: ReviewPolicy) -> None:
    recent = sorted(at for at in command.flagged_today_at if at > command.now - DAY)
    if len(recent) >= policy.review_flags_per_day_max:
        raise RateLimited(retry_at=utc(recent[-policy.review_flags_per_day_max]) + DAY)


def says_the_same(one: ReviewFlagged, other: ReviewFlagged) -> bool:
    same = (flagger_of(one), one.reason) == (flagger_of(other), other.reason)
    return same and same_text(one.text, other.text)


def flagger_of(flagged: ReviewFlagged) -> tuple[Flagger, str]:
    return flagged.flagger_role, flagged.flagger_id


def sender_of(actor: Actor) -> tuple[Flagger, str]:
    """Whose flag it is: as `flagger_of` has it."""
    return role_of(actor), account_of(actor)


def role_of(actor: Actor) -> Flagger:
    role = actor.acts_as
    assert role in ("BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM")
    return role


def account_of(actor: Actor) -> str:
    """Whose act it is: a seller's members act for the account."""
    return (actor.org_id or actor.id) if actor.acts_as == "SELLER" else actor.id
