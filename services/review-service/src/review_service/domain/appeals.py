"""Who was decided against in; the matter looked at once more, by somebody else, out."""

from datetime import datetime

from shared_events.review import (
    EvaluationEvent,
    Flagger,
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewHeld,
    ReviewRestored,
    ReviewRestricted,
)
from shared_events.sealed import same_text
from shared_runtime.decider import (
    Actor,
    AlreadyAppealed,
    FieldError,
    InvalidValue,
    NotAParty,
    WindowClosed,
    WrongState,
)

from review_service.domain.commands import AppealModeration, DecideModerationAppeal
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.flags import flagger_of, sender_of
from review_service.domain.guards import Shape, require_known, utc
from review_service.domain.impartiality import require_impartial
from review_service.domain.policy import Policies
from review_service.domain.review_state import (
    Appeal,
    Clear,
    Contested,
    DismissedFlag,
    dismissed_flags,
)
from review_service.domain.reweighing import with_weight
from review_service.domain.statements import (
    Recipient,
    Ruling,
    author_of,
    reasons_shape,
    require_reasons,
    statement,
    visibility_of,
)
from review_service.domain.subject import Subject, about, writes_for

type Sender = tuple[Flagger, str]
"""Whose act it is: in which role, and by which account."""


def appeal_moderation(
    state: Evaluation, command: AppealModeration, policies: Policies
) -> list[EvaluationEvent]:
    """Once for each person and decision: the author's of a restriction, a flagger's of a keep."""
    shape = Shape()
    shape.id("appeal_id", command.appeal_id)
    shape.text("text", command.text)
    subject = about(state, command, shape)
    role, account = sender = appellant(subject, command.actor)
    require_known(command)
    appeals = subject.review.appeals
    if known := appeals.get(command.appeal_id):
        lodged = known.lodged
        if is_from(lodged, sender) and same_text(lodged.text, command.text):
            return []
        bound = "not that of another appeal"
        raise InvalidValue(errors=[FieldError(field="appeal_id", bound=bound)])
    against = contested(subject, command.actor, sender)
    until = appeal_until(against)
    if command.now >= until:
        raise WindowClosed(closed_at=until)
    for appeal_id, appeal in appeals.items():
        if is_from(appeal.lodged, sender) and appeal.against == against:
            raise AlreadyAppealed(existing_id=appeal_id)
    policy = policies.of(subject.sheet.policy_version)
    return [
        ModerationAppealed(
            **subject.ids,
            appeal_id=command.appeal_id,
            appellant_id=account,
            appellant_role=role,
            against="RESTRICTED" if isinstance(against, ReviewRestricted) else "KEPT",
            text=command.text,
            decide_by=utc(command.now) + policy.review_appeal_sla,
        )
    ]


def appellant(subject: Subject, actor: Actor) -> Sender:
    """Who appeals: the author's account, or that of somebody who has flagged."""
    if writes_for(subject.sheet, subject.side, actor):
        return subject.side, subject.author_id
    flaggers = {flagger_of(flag.raised) for flag in subject.review.flags.values()}
    sender = sender_of(actor)
    if sender not in flaggers:
        raise NotAParty
    return sender


def is_from(lodged: ModerationAppealed, sender: Sender) -> bool:
    role, account = sender
    return lodged.appellant_id == account and lodged.appellant_role in (None, role)


def contested(subject: Subject, actor: Actor, sender: Sender) -> Contested:
    """The decision that the appellant may appeal."""
    standing = subject.review.standing
    if subject.status == "RESTRICTED" and writes_for(subject.sheet, subject.side, actor):
        assert isinstance(standing, ReviewRestricted)
        return standing
    dismissed = dismissed_flags(subject.review, *sender)
    if not dismissed or subject.status not in ("VISIBLE", "HELD"):
        raise WrongState(state=subject.status)
    return dismissed[-1]


def appeal_until(against: Contested) -> datetime:
    if isinstance(against, DismissedFlag):
        return against.kept.appeal_until
    return against.appeal_until


def decide_appeal(
    state: Evaluation, command: DecideModerationAppeal, policies: Policies
) -> list[EvaluationEvent]:
    """Not by who decided first. Whom it goes against is told why; nobody appeals once more."""
    shape = reasons_shape(command)
    shape.id("appeal_id", command.appeal_id)
    subject = about(state, command, shape)
    appeal = subject.review.appeals.get(command.appeal_id)
    if appeal is None:
        raise WrongState(state="NONE")
    claimants, deciders = {appeal.lodged.appellant_id}, {first_decider(appeal)}
    require_impartial(subject, command, claimants=claimants, deciders=deciders)
    require_reasons(command)
    decided = ModerationAppealDecided(
        **subject.ids,
        appeal_id=command.appeal_id,
        outcome=command.outcome,
        rule_ids=[*command.rule_ids],
        decided_by=command.actor.id,
    )
    if appeal.decided:
        if appeal.decided == decided:
            return []
        raise WrongState(state=appeal.decided.outcome)
    consequence = (
        [] if command.outcome == "UPHELD" else reversal(subject, appeal, command, policies)
    )
    events = with_weight(subject, [decided, *consequence], command, policies)
    if (recipient := told_why(subject, appeal, command)) is None:
        return events
    return [*events, statement(subject, command, recipient, ruling(appeal, command))]


def first_decider(appeal: Appeal) -> str:
    if isinstance(appeal.against, DismissedFlag):
        return appeal.against.kept.decided_by
    return appeal.against.decided_by


def reversal(
    subject: Subject, appeal: Appeal, command: DecideModerationAppeal, policies: Policies
) -> list[EvaluationEvent]:
    """Restores a restricted review; restricts one that was kept, unless that is done already."""
    if isinstance(appeal.against, ReviewRestricted):
        return [ReviewRestored(**subject.ids, appeal_id=command.appeal_id)]
    if not is_shown(subject):
        return []
    policy = policies.of(subject.sheet.policy_version)
    return [
        ReviewRestricted(
            **subject.ids,
            ground=appeal.against.raised.reason,
            rule_ids=[*command.rule_ids],
            measures=[*command.measures],
            automated_detection=False,
            decided_by=command.actor.id,
            appeal_until=utc(command.now),  # there is no appeal from an appeal
            retain_until=utc(command.now) + policy.review_retention,
        )
    ]


def is_shown(subject: Subject) -> bool:
    """Whether there is anything to restrict."""
    return isinstance(subject.review.standing, Clear | ReviewHeld)


def told_why(subject: Subject, appeal: Appeal, command: DecideModerationAppeal) -> Recipient | None:
    """The author of what was restricted or is now; else the flagger whose appeal failed."""
    if isinstance(appeal.against, ReviewRestricted):
        return author_of(subject)
    if command.outcome == "REVERSED":
        return author_of(subject) if is_shown(subject) else None
    raised = appeal.against.raised
    if raised.flagger_role in ("BUYER", "SELLER"):
        return Recipient(role=raised.flagger_role, id=raised.flagger_id)
    return None


def ruling(appeal: Appeal, command: DecideModerationAppeal) -> Ruling:
    against = appeal.against
    if isinstance(against, ReviewRestricted):
        stands = command.outcome == "UPHELD"
        return Ruling(
            visibility=visibility_of(against.measures) if stands else "OTHER",
            ground=against.ground,
            source_type="COMPLAINT",
            automated_detection=against.automated_detection,
        )
    restricts = command.outcome == "REVERSED"
    return Ruling(
        visibility=visibility_of(command.measures) if restricts else "OTHER",
        ground=against.raised.reason,
        source_type="COMPLAINT",
        automated_detection=False,
    )
