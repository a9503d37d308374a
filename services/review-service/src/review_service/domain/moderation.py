"""A moderator's decision in; a review that is kept or restricted, with reasons, out."""

from shared_events.review import (
    EvaluationEvent,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
)
from shared_runtime.decider import FieldError, InvalidValue

from review_service.domain.commands import KeepReview, RestrictReview
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.guards import Shape, utc
from review_service.domain.impartiality import require_impartial
from review_service.domain.policy import Policies
from review_service.domain.review_state import Clear, DismissedFlag, Written
from review_service.domain.reweighing import with_weight
from review_service.domain.statements import (
    Ruling,
    author_of,
    reasons_shape,
    require_reasons,
    statement,
    visibility_of,
)
from review_service.domain.subject import Subject, about


def keep_review(
    state: Evaluation, command: KeepReview, policies: Policies
) -> list[EvaluationEvent]:
    """Closes the flags named, which must be open, and ends a hold. Each flagger may appeal."""
    shape = Shape()
    shape.ids("flag_ids", command.flag_ids)
    shape.ids("rule_ids", command.rule_ids)
    subject = about(state, command, shape)
    review = subject.review
    named = [flag.raised for flag_id, flag in review.flags.items() if flag_id in command.flag_ids]
    require_impartial(subject, command, claimants={flag.flagger_id for flag in named})
    if is_kept_so(review, command):
        return []
    subject.require("VISIBLE", "HELD")
    for number, flag_id in enumerate(command.flag_ids):
        if flag_id not in review.open_flags:
            field = f"flag_ids[{number}]"
            raise InvalidValue(errors=[FieldError(field=field, bound="an open flag of it")])
    held = isinstance(review.standing, ReviewHeld)
    if not (command.flag_ids or held):
        return []
    policy = policies.of(subject.sheet.policy_version)
    kept = ReviewKept(
        **subject.ids,
        flag_ids=[*command.flag_ids],
        rule_ids=[*command.rule_ids],
        decided_by=command.actor.id,
        appeal_until=utc(command.now) + policy.review_moderation_appeal,
    )
    ends = [ReviewReleased(**subject.ids, how="HUMAN")] if held else []
    return with_weight(subject, [kept, *ends], command, policies)


def is_kept_so(review: Written, command: KeepReview) -> bool:
    """Whether this very decision has been taken."""
    return any(
        isinstance(flag, DismissedFlag)
        and (flag.kept.flag_ids, flag.kept.rule_ids, flag.kept.decided_by)
        == ([*command.flag_ids], [*command.rule_ids], command.actor.id)
        for flag in review.flags.values()
    )


def restrict_review(
    state: Evaluation, command: RestrictReview, policies: Policies
) -> list[EvaluationEvent]:
    """Nothing is deleted. The author is told why, and may appeal."""
    subject = about(state, command, reasons_shape(command))
    review = subject.review
    flags = review.open_flags
    require_impartial(
        subject,
        command,
        claimants={flag.flagger_id for flag in flags.values()},
        deciders=review.deciders if is_settled(review) else (),
    )
    require_reasons(command)
    restricted = restriction(subject, command, policies)
    if says_the_same(review, restricted):
        return []
    subject.require("SUBMITTED", "VISIBLE", "HELD")
    ruling = Ruling(
        visibility=visibility_of(command.measures),
        ground=command.ground,
        source_type="NOTICE" if flags else "OWN_INITIATIVE",
        automated_detection=command.automated_detection,
        appeal_until=restricted.appeal_until,
    )
    told = statement(subject, command, author_of(subject), ruling)
    return [*with_weight(subject, [restricted], command, policies), told]


def is_settled(review: Written) -> bool:
    """Whether nothing new has come up: then who has decided about it has done so."""
    return isinstance(review.standing, Clear) and not review.open_flags


def restriction(subject: Subject, command: RestrictReview, policies: Policies) -> ReviewRestricted:
    policy = policies.of(subject.sheet.policy_version)
    return ReviewRestricted(
        **subject.ids,
        ground=command.ground,
        rule_ids=[*command.rule_ids],
        measures=[*command.measures],
        automated_detection=command.automated_detection,
        decided_by=command.actor.id,
        appeal_until=utc(command.now) + policy.review_moderation_appeal,
        retain_until=utc(command.now) + policy.review_retention,
    )


def says_the_same(review: Written, restricted: ReviewRestricted) -> bool:
    """Whether this restriction, of whatever instant, is the one in force."""
    return isinstance(review.standing, ReviewRestricted) and decision(review.standing) == decision(
        restricted
    )


def decision(restricted: ReviewRestricted) -> tuple[object, ...]:
    return (
        restricted.ground,
        restricted.rule_ids,
        restricted.measures,
        restricted.automated_detection,
        restricted.decided_by,
    )
