"""Who was decided against in; the matter looked at once more, by somebody else, out."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.reasons import REASONS
from shared_casework.values import utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import NOTE_LENGTH_MAX, Id
from shared_events.review import (
    EvaluationEvent,
    Flagger,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    Restriction,
    ReviewHeld,
    ReviewRestored,
    ReviewRestricted,
    ReviewWeighted,
)
from shared_events.sealed import same_text
from shared_runtime.decider import (
    AlreadyAppealed,
    ConflictOfInterest,
    FieldError,
    InvalidValue,
    NotAParty,
    WrongState,
)
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Made, Words

from review_service.domain.flags import PARTS
from review_service.domain.known import Sender, policy_of
from review_service.domain.review_state import (
    HIDING,
    Appeal,
    Clear,
    Contested,
    DismissedFlag,
    dismissed_flags,
    part_of,
    restriction_of,
)
from review_service.domain.statements import (
    Explanation,
    FactsText,
    Measures,
    Recipient,
    RuleIds,
    Ruling,
    statement,
    visibility_of,
    writer_of,
)
from review_service.domain.subject import (
    PERSON,
    ReviewRule,
    Subject,
    claimant,
    flagger_of,
    impartial,
    sender_of,
    writes_for,
)

type AppellantKey = tuple[Flagger, str]
"""In which role, and by which account."""


class AppealModeration(Struct, frozen=True, kw_only=True):
    """Why the decision about a review, or about its reply or follow-up alone, was wrong."""

    review_id: Id
    appeal_id: Annotated[Id, Made("appeal")]
    part: Part | None = None
    text: Annotated[str, Words(NOTE_LENGTH_MAX)]


class DecideModerationAppeal(Struct, frozen=True, kw_only=True):
    """`facts` are sealed for whoever the outcome goes against. `measures` are those of the
    restriction that a flagger's appeal leads to if REVERSED; of a part, it is hidden.
    """

    review_id: Id
    appeal_id: Id
    outcome: Literal["UPHELD", "REVERSED"]
    rule_ids: RuleIds
    facts: FactsText = None
    explanation: Explanation = None
    measures: Measures = ("HIDE_REVIEW", "EXCLUDE_SCORE")


def appeal_moderation(
    subject: Subject, said: AppealModeration, by: Sender
) -> list[EvaluationEvent]:
    """Once for each person and decision: of a restriction whoever wrote what is restricted, of a
    keep its flagger. It is to be decided within `review_appeal_sla`.
    """
    role, account_id = appellant = appellant_of(subject, by, said.part)
    against = contested(subject, by, said.part)
    for appeal_id, appeal in subject.review.appeals.items():
        if is_from(appeal.lodged, appellant) and appeal.against == against:
            raise AlreadyAppealed(existing_id=appeal_id)
    return [
        ModerationAppealed(
            **subject.ids,
            appeal_id=said.appeal_id,
            appellant_id=account_id,
            appellant_role=role,
            against="RESTRICTED" if isinstance(against, ReviewRestricted) else "KEPT",
            part=said.part,
            text=said.text,
            decide_by=utc(by.now) + policy_of(subject.sheet, by).review_appeal_sla,
        )
    ]


def appellant_of(subject: Subject, by: Sender, part: Part | None) -> AppellantKey:
    """Who appeals: the account of who wrote it, or that of somebody who has flagged."""
    writer = subject.writer_of(part)
    if writes_for(subject.sheet, writer, by.actor):
        return writer, subject.account_of(writer)
    sender = sender_of(by.actor)
    flaggers = {flagger_of(flag.raised) for flag in subject.review.flags.values()}
    if sender not in flaggers:
        raise NotAParty
    return sender


def by_appellant(subject: Subject, said: AppealModeration, by: Sender) -> None:
    """who wrote it; who flagged it"""
    appellant_of(subject, by, said.part)


def is_from(lodged: ModerationAppealed, appellant: AppellantKey) -> bool:
    role, account_id = appellant
    return lodged.appellant_id == account_id and lodged.appellant_role in (None, role)


def is_lodged(subject: Subject, said: AppealModeration, by: Sender) -> bool:
    if (known := subject.review.appeals.get(said.appeal_id)) is None:
        return False
    lodged = known.lodged
    same = is_from(lodged, appellant_of(subject, by, said.part)) and lodged.part == said.part
    if same and same_text(lodged.text, said.text):
        return True
    bound = "not that of another appeal"
    raise InvalidValue(errors=[FieldError(field="appeal_id", bound=bound)])


def contested(subject: Subject, by: Sender, part: Part | None) -> Contested:
    """The decision that the appellant may appeal. Raises `WrongState` where there is none."""
    review = subject.review
    restricted = part in review.hidden if part else subject.status == "RESTRICTED"
    if restricted and writes_for(subject.sheet, subject.writer_of(part), by.actor):
        return restriction_of(review, part)
    dismissed = dismissed_flags(review, *sender_of(by.actor), part)
    shown = review.has(part) if part else subject.status in ("VISIBLE", "HELD")
    if not (dismissed and shown):
        raise WrongState(state=subject.status)
    return dismissed[-1]


def has_decision(subject: Subject, said: AppealModeration, by: Sender) -> None:
    """RESTRICTED, or the part hidden; VISIBLE or HELD after KeepReview"""
    contested(subject, by, said.part)


def appealing(subject: Subject, said: AppealModeration, by: Sender) -> Window | None:
    until = appeal_until(contested(subject, by, said.part))
    return Window(until - policy_of(subject.sheet, by).review_moderation_appeal, until)


def appeal_until(against: Contested) -> datetime:
    if isinstance(against, DismissedFlag):
        return against.kept.appeal_until
    return against.appeal_until


def of_whole_and_parts(_: Subject, __: Sender) -> Sequence[AppealModeration]:
    return [replace(APPEAL, part=part) for part in (None, *PARTS)]


APPEAL = AppealModeration(
    review_id="R-1", appeal_id="A-1", text="The name is the shop's own, not a person's."
)
APPEAL_MODERATION = ReviewRule(
    AppealModeration,
    appeal_moderation,
    roles=("BUYER", "SELLER", "MODERATOR", "ANALYST"),
    party=Guard(by_appellant, NotAParty),
    barred=PERSON,
    repeated=is_lodged,
    stands=Guard(has_decision, WrongState),
    window=appealing,
    refuses=(AlreadyAppealed,),
    events=(ModerationAppealed,),
    example=APPEAL,
    tries=of_whole_and_parts,
)


def decide_appeal(
    subject: Subject, said: DecideModerationAppeal, by: Sender
) -> list[EvaluationEvent]:
    """Not by who decided first. REVERSED restores what was restricted, or restricts what was kept.
    Whom it goes against is told why; there is no further appeal inside the platform.
    """
    appeal = subject.review.appeals[said.appeal_id]
    events: list[EvaluationEvent] = [decided(subject, said, by)]
    if said.outcome == "REVERSED":
        events += reversal(subject, appeal, said, by)
    if (recipient := told_why(subject, appeal, said)) is None:
        return events
    return [*events, statement(subject, said, by, recipient, ruling(appeal, said))]


def decided(subject: Subject, said: DecideModerationAppeal, by: Sender) -> ModerationAppealDecided:
    return ModerationAppealDecided(
        **subject.ids,
        appeal_id=said.appeal_id,
        outcome=said.outcome,
        rule_ids=[*said.rule_ids],
        decided_by=by.actor.id,
    )


def decided_by_another(subject: Subject, said: DecideModerationAppeal, by: Sender) -> None:
    """nobody with a stake in it, nor who appeals; nor who decided first"""
    if (appeal := subject.review.appeals.get(said.appeal_id)) is None:
        impartial(subject, by)
        return
    lodged = appeal.lodged
    claimants = claimant(lodged.appellant_role, lodged.appellant_id)
    impartial(subject, by, claimants, frozenset({first_decider(appeal)}))


def first_decider(appeal: Appeal) -> str:
    if isinstance(appeal.against, DismissedFlag):
        return appeal.against.kept.decided_by
    return appeal.against.decided_by


def is_decided_so(subject: Subject, said: DecideModerationAppeal, by: Sender) -> bool:
    appeal = subject.review.appeals.get(said.appeal_id)
    return appeal is not None and appeal.decided == decided(subject, said, by)


def is_open(subject: Subject, said: DecideModerationAppeal, _: Sender) -> None:
    """the appeal is open"""
    if (appeal := subject.review.appeals.get(said.appeal_id)) is None:
        raise WrongState(state="NONE")
    if appeal.decided:
        raise WrongState(state=appeal.decided.outcome)


def reversal(
    subject: Subject, appeal: Appeal, said: DecideModerationAppeal, by: Sender
) -> list[EvaluationEvent]:
    """Restores what is restricted; restricts what was kept, unless that is done already."""
    part = appeal.lodged.part
    if isinstance(appeal.against, ReviewRestricted):
        return [ReviewRestored(**subject.ids, appeal_id=said.appeal_id, part=part)]
    if not is_shown(subject, part):
        return []
    policy = policy_of(subject.sheet, by)
    return [
        ReviewRestricted(
            **subject.ids,
            ground=appeal.against.raised.reason,
            rule_ids=[*said.rule_ids],
            measures=[*restricting(part, said)],
            automated_detection=False,
            decided_by=by.actor.id,
            appeal_until=utc(by.now),  # there is no appeal from an appeal
            retain_until=utc(by.now) + policy.review_retention,
        )
    ]


def restricting(part: Part | None, said: DecideModerationAppeal) -> Sequence[Restriction]:
    """A part has one measure alone, whatever else was said."""
    return [HIDING[part]] if part else said.measures


def is_shown(subject: Subject, part: Part | None) -> bool:
    """Whether there is anything to restrict."""
    if part:
        return subject.review.has(part)
    return isinstance(subject.review.standing, Clear | ReviewHeld)


def told_why(subject: Subject, appeal: Appeal, said: DecideModerationAppeal) -> Recipient | None:
    """Who wrote what was restricted or is now; else the flagger whose appeal failed."""
    part = appeal.lodged.part
    if isinstance(appeal.against, ReviewRestricted):
        return writer_of(subject, part)
    if said.outcome == "REVERSED":
        return writer_of(subject, part) if is_shown(subject, part) else None
    raised = appeal.against.raised
    if raised.flagger_role in ("BUYER", "SELLER"):
        return Recipient(role=raised.flagger_role, id=raised.flagger_id)
    return None


def ruling(appeal: Appeal, said: DecideModerationAppeal) -> Ruling:
    against = appeal.against
    if isinstance(against, ReviewRestricted):
        stands = said.outcome == "UPHELD"
        return Ruling(
            visibility=visibility_of(against.measures) if stands else "OTHER",
            ground=against.ground,
            source_type="COMPLAINT",
            automated_detection=against.automated_detection,
        )
    restricts = said.outcome == "REVERSED"
    return Ruling(
        visibility=visibility_of(restricting(appeal.lodged.part, said)) if restricts else "OTHER",
        ground=against.raised.reason,
        source_type="COMPLAINT",
        automated_detection=False,
    )


def of_the_whole(said: DecideModerationAppeal, _: Sender) -> Iterator[FieldError]:
    if part_of(said.measures):
        yield FieldError(field="measures", bound="none of a part: an appeal about it hides it")


def undecided(subject: Subject, _: Sender) -> Sequence[DecideModerationAppeal]:
    """The open ones; or one that is not there."""
    appeals = subject.review.appeals.items()
    left = [appeal_id for appeal_id, appeal in appeals if appeal.decided is None]
    upheld = replace(DECISION, outcome="UPHELD")
    return [replace(upheld, appeal_id=appeal_id) for appeal_id in left] or [upheld]


DECISION = DecideModerationAppeal(
    review_id="R-1",
    appeal_id="A-1",
    outcome="REVERSED",
    rule_ids=("R-3",),
    facts="The street is the shop's own, as its page gives it.",
    explanation="The address is public. The text is shown again.",
)
DECIDE_MODERATION_APPEAL = ReviewRule(
    DecideModerationAppeal,
    decide_appeal,
    roles=("MODERATOR", "SENIOR"),
    shape=of_the_whole,
    human=True,
    impartial=Guard(decided_by_another, ConflictOfInterest),
    reasons=REASONS,
    repeated=is_decided_so,
    stands=Guard(is_open, WrongState),
    events=(
        ModerationAppealDecided,
        ReviewRestored,
        ReviewRestricted,
        ReviewWeighted,
        StatementOfReasonsIssued,
    ),
    example=DECISION,
    tries=undecided,
)
