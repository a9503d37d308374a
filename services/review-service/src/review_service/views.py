"""What a reader may know of an evaluation in, what he sees of it and can do about it now out.

Texts are sealed here; whoever may not read one is given none, and the edge opens the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import structs
from pydantic.json_schema import SkipJsonSchema
from shared_events.common import StatementOfReasonsIssued
from shared_events.envelope import Recorded
from shared_events.review import (
    EvaluationEvent,
    FlagReason,
    FollowUpAppended,
    Ground,
    Incentive,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    ReplyEdited,
    ReplyPublished,
    Restriction,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewRestricted,
    ReviewWeighted,
    ReviewWithdrawn,
    Side,
    StarDimension,
    WeightCode,
    WeightReason,
)
from shared_events.sealed import sealed_fields
from shared_runtime.decider import Actor, Role
from shared_runtime.history import STAFF, signed
from shared_runtime.rules import Action

from review_service.domain.content import BuyerReview, Content
from review_service.domain.evaluation_state import (
    Closed,
    EvaluationStatus,
    Open,
    Paused,
    Revealed,
    Unopened,
)
from review_service.domain.known import Sender
from review_service.domain.readers import Reading, Shown, is_of, is_staff, read_by, side_told_of
from review_service.domain.review_state import (
    Appeal,
    DismissedFlag,
    Flag,
    FollowedFlag,
    Review,
)
from review_service.domain.rules import RULES
from review_service.domain.subject import SIDES, ReviewStatus, Subject, claimant
from review_service.refs import RefOf

CALLERS: tuple[Role, ...] = ("BUYER", "SELLER", "MODERATOR", "SENIOR", "ANALYST")
"""Who is offered what he can do. Commands of timers and consumers are nobody's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """A file, and where it can be had for a short while."""

    media_id: str
    url: str


type MediaShown = MediaLink | SkipJsonSchema[str] | None
"""Sealed here, which nobody is shown; opened, a link; null when the writer's key is gone."""
type FlagOutcome = Literal["KEPT", "RESTRICTED", "RESTORED", "WITHDRAWN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """A code of a review's weight and its effect: 0, the cap or factor used, or 1000."""

    code: WeightCode
    effect_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """Why it is not shown for now, and until when at the latest."""

    ground: Ground
    hold_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionView:
    """The statement of reasons, for whoever wrote it. `facts` are for nobody else but staff."""

    ground: Ground
    rule_ids: list[str]
    measures: list[Restriction]
    explanation: str | None
    facts: str | None
    automated_detection: bool
    appeal_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyView:
    """`hidden`: a moderator has restricted it by itself; why, its writer and staff are told."""

    reply_id: str
    text: str | None
    edited: bool
    editable_until: datetime
    hidden: bool
    restriction: RestrictionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """`hidden`: a moderator has restricted it by itself; why, its writer and staff are told."""

    followup_id: str
    text: str | None
    media: list[MediaShown]
    hidden: bool
    restriction: RestrictionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealView:
    """An appeal, and once it is decided the reasons that its sender is given."""

    appeal_id: str
    against: Literal["RESTRICTED", "KEPT"]
    part: Part | None = None
    text: str | None
    decide_by: datetime
    outcome: Literal["UPHELD", "REVERSED"] | None
    explanation: str | None = None
    facts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagView:
    """A report of a review, or of a part of it, and what has become of it: for its sender and
    staff.

    Who disagrees with KEPT may appeal until `appeal_until`. RESTORED: it was restricted until its
    writer's appeal.
    """

    ref: str
    flag_id: str
    part: Part | None = None
    reason: FlagReason
    text: str | None
    decide_by: datetime
    outcome: FlagOutcome | None
    appeal_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """The one revision that a matter made good allows. `was_…` is what the review said before, for
    whoever may read the review.
    """

    until: datetime
    requested_at: datetime | None
    revised: bool
    was_quality: int | None
    was_logistics: int | None
    was_service: int | None
    was_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """One side's review. Its weight is known from the reveal on. `ref` names it to everybody,
    `review_id` to its parties.

    While it is held or restricted, others than its author and staff find no content. Flags and
    appeals are there for their senders and staff.
    """

    review_id: str
    ref: str
    by: Side
    status: ReviewStatus
    version: int
    submitted_at: datetime
    quality: int | None
    logistics: int | None
    service: int | None
    rating: int | None
    incentive: Incentive
    text: str | None
    media: list[MediaShown]
    weight_milli: int | None
    reasons: list[ReasonView] | None
    excluded_dimensions: list[StarDimension]
    reply: ReplyView | None
    follow_up: FollowUpView | None
    revision: RevisionView | None
    hold: HoldView | None
    restriction: RestrictionView | None
    flags: list[FlagView]
    appeals: list[AppealView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseView:
    """Why the closing clock stands still."""

    cause: Literal["DISPUTE", "ORDER_REOPENED"]
    cause_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationView:
    """An evaluation as its reader may see it: the other side's review once both are revealed."""

    order_id: str
    state: EvaluationStatus
    policy_version: str | None
    completed_at: datetime | None
    opened_at: datetime | None
    closes_at: datetime | None
    cap_at: datetime | None
    paused_by: list[PauseView]
    revealed_at: datetime | None
    closed_at: datetime | None
    closed_because: Literal["EXPIRED", "ORDER_CANCELLED"] | None
    reviews: list[ReviewView]
    available_actions: list[Action]


def evaluation_view(order_id: str, reading: Reading, by: Sender, ref_of: RefOf) -> EvaluationView:
    """`by`: who reads, when, and what keeps him from acting beyond the evaluation itself."""
    state = reading.state
    known = None if isinstance(state, Unopened) else state.sheet
    return EvaluationView(
        order_id=order_id,
        state=state.status,
        policy_version=known.policy_version if known else None,
        completed_at=known.completed_at if known else None,
        opened_at=known.opened_at if known else None,
        closes_at=state.closes_at if isinstance(state, Open) else None,
        cap_at=state.cap_at if isinstance(state, Paused) else None,
        paused_by=pause_views(state) if isinstance(state, Paused) else [],
        revealed_at=state.revealed_at if isinstance(state, Revealed) else None,
        closed_at=state.closed_at if isinstance(state, Closed) else None,
        closed_because=state.reason if isinstance(state, Closed) else None,
        reviews=[review_view(reading, subject, ref_of) for subject in subjects(reading)],
        available_actions=actions(reading, by),
    )


def actions(reading: Reading, by: Sender) -> list[Action]:
    return RULES.offered(reading.acted_on, by) if by.actor.acts_as in CALLERS else []


def pause_views(state: Paused) -> list[PauseView]:
    causes = [PauseView(cause="DISPUTE", cause_id=each) for each in state.disputes]
    if state.reopening:
        causes.append(PauseView(cause="ORDER_REOPENED", cause_id=state.reopening))
    return causes


def subjects(reading: Reading) -> list[Subject]:
    """The reviews that a reader may know of."""
    state = reading.state
    if isinstance(state, Unopened):
        return []
    reviews = state.sheet.reviews
    return [
        Subject(state=state, side=side, review=reviews[side]) for side in SIDES if side in reviews
    ]


def subject_of(reading: Reading, side: Side) -> Subject | None:
    return next((subject for subject in subjects(reading) if subject.side == side), None)


def review_view(reading: Reading, subject: Subject, ref_of: RefOf) -> ReviewView:
    side, review = subject.side, subject.review
    may = reading.may_have(side, review)
    own = reading.owns(side)
    said = readable_content(review.content, may)
    weighted = review.weighted
    held = review.standing if isinstance(review.standing, ReviewHeld) else None
    restricted = review.standing if isinstance(review.standing, ReviewRestricted) else None
    return ReviewView(
        review_id=review.review_id,
        ref=ref_of(subject.sheet.order_id, side),
        by=side,
        status=subject.standing,
        version=review.version,
        submitted_at=review.submitted_at,
        quality=said.quality,
        logistics=said.logistics,
        service=said.service,
        rating=said.rating,
        incentive=said.incentive,
        text=said.text,
        media=[*said.media],
        weight_milli=weighted.weight_milli if weighted else None,
        reasons=reason_views(weighted.reasons) if weighted and may.stars else None,
        excluded_dimensions=[] if review.carriage == "SELLER" else ["LOGISTICS"],
        reply=reply_view(reading, subject),
        follow_up=follow_up_view(reading, subject),
        revision=revision_view(review, may),
        hold=hold_view(held) if held and own else None,
        restriction=restriction_view(restricted, review.reasons) if restricted and own else None,
        flags=[
            flag_view(subject, flag, ref_of)
            for flag in review.flags.values()
            if is_senders(reading, flag.raised)
        ],
        appeals=[
            appeal_view(appeal)
            for appeal in review.appeals.values()
            if is_senders(reading, appeal.lodged)
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableContent:
    """What is left of the words of a review for a reader."""

    quality: int | None = None
    logistics: int | None = None
    service: int | None = None
    rating: int | None = None
    incentive: Incentive = "NONE"
    text: str | None = None
    media: Sequence[str] = ()


def readable_content(content: Content, may: Shown) -> ReadableContent:
    if not isinstance(content, BuyerReview):
        rating = content.rating if may.stars else None
        return ReadableContent(rating=rating, text=content.text if may.text else None)
    return ReadableContent(
        quality=content.quality if may.stars else None,
        logistics=content.logistics if may.stars else None,
        service=content.service if may.stars else None,
        incentive=content.incentive,
        text=content.text if may.text else None,
        media=content.media if may.media else (),
    )


def reason_views(reasons: Iterable[WeightReason]) -> list[ReasonView]:
    return [ReasonView(code=reason.code, effect_milli=reason.effect_milli) for reason in reasons]


def reply_view(reading: Reading, subject: Subject) -> ReplyView | None:
    """Also of a hidden review: who is neither its author nor staff has written the reply."""
    review = subject.review
    if review.reply is None:
        return None
    may = reading.may_have(subject.side, review, "REPLY")
    return ReplyView(
        reply_id=review.reply.published.reply_id,
        text=review.reply.text if may.text else None,
        edited=review.reply.edited is not None,
        editable_until=review.reply.published.editable_until,
        hidden="REPLY" in review.hidden,
        restriction=part_restriction(reading, subject, "REPLY"),
    )


def follow_up_view(reading: Reading, subject: Subject) -> FollowUpView | None:
    review = subject.review
    may = reading.may_have(subject.side, review, "FOLLOW_UP")
    hidden = "FOLLOW_UP" in review.hidden
    if review.follow_up is None or not (may.stars or hidden):
        return None
    return FollowUpView(
        followup_id=review.follow_up.followup_id,
        text=review.follow_up.text if may.text else None,
        media=[*(review.follow_up.media or ())] if may.media else [],
        hidden=hidden,
        restriction=part_restriction(reading, subject, "FOLLOW_UP"),
    )


def part_restriction(reading: Reading, subject: Subject, part: Part) -> RestrictionView | None:
    restricted = subject.review.hidden.get(part)
    if restricted is None or not reading.owns(subject.side, part):
        return None
    return restriction_view(restricted.event, restricted.reasons)


def revision_view(review: Review, may: Shown) -> RevisionView | None:
    if review.granted is None:
        return None
    was = readable_content(review.was, may) if review.was else ReadableContent()
    return RevisionView(
        until=review.granted.until,
        requested_at=review.requested.requested_at if review.requested else None,
        revised=review.revised is not None,
        was_quality=was.quality,
        was_logistics=was.logistics,
        was_service=was.service,
        was_text=was.text,
    )


def hold_view(held: ReviewHeld) -> HoldView:
    return HoldView(ground=held.ground, hold_until=held.hold_until)


def restriction_view(
    restricted: ReviewRestricted, reasons: StatementOfReasonsIssued | None
) -> RestrictionView:
    return RestrictionView(
        ground=restricted.ground,
        rule_ids=restricted.rule_ids,
        measures=restricted.measures,
        explanation=reasons.explanation if reasons else None,
        facts=reasons.facts if reasons else None,
        automated_detection=restricted.automated_detection,
        appeal_until=restricted.appeal_until,
    )


# --- Flags and appeals, for their senders and staff


def is_senders(reading: Reading, matter: ReviewFlagged | ModerationAppealed) -> bool:
    """Whether it is for this reader: his own, or anybody's to staff."""
    if is_staff(reading.actor):
        return True
    if isinstance(matter, ReviewFlagged):
        return is_of(reading.actor, claimant(matter.flagger_role, matter.flagger_id))
    return is_of(reading.actor, claimant(matter.appellant_role, matter.appellant_id))


def flag_view(subject: Subject, flag: Flag, ref_of: RefOf) -> FlagView:
    raised = flag.raised
    return FlagView(
        ref=ref_of(subject.sheet.order_id, subject.side),
        flag_id=raised.flag_id,
        part=raised.part,
        reason=raised.reason,
        text=raised.text,
        decide_by=raised.decide_by,
        outcome=flag_outcome(subject.review, flag),
        appeal_until=flag.kept.appeal_until if isinstance(flag, DismissedFlag) else None,
    )


def flag_outcome(review: Review, flag: Flag) -> FlagOutcome | None:
    part = flag.raised.part
    restricted = part in review.hidden if part else isinstance(review.standing, ReviewRestricted)
    if restricted:
        return "RESTRICTED"
    match flag:
        case DismissedFlag():
            return "KEPT"
        case FollowedFlag():
            return "RESTORED"
        case _:
            return "WITHDRAWN" if isinstance(review.standing, ReviewWithdrawn) else None


def flag_of(reading: Reading, side: Side, flag_id: str, ref_of: RefOf) -> FlagView | None:
    """A flag as its sender sees it; None if nothing is known of it."""
    subject = subject_of(reading, side)
    flag = subject.review.flags.get(flag_id) if subject else None
    return flag_view(subject, flag, ref_of) if subject and flag else None


def appeal_view(appeal: Appeal) -> AppealView:
    lodged, reasons = appeal.lodged, appeal.reasons
    if reasons and not is_for_appellant(reasons, lodged):
        reasons = None
    return AppealView(
        appeal_id=lodged.appeal_id,
        against=lodged.against,
        part=lodged.part,
        text=lodged.text,
        decide_by=lodged.decide_by,
        outcome=appeal.decided.outcome if appeal.decided else None,
        explanation=reasons.explanation if reasons else None,
        facts=reasons.facts if reasons else None,
    )


def is_for_appellant(statement: StatementOfReasonsIssued, lodged: ModerationAppealed) -> bool:
    same = statement.recipient_id == lodged.appellant_id
    return same and lodged.appellant_role in (None, statement.recipient_role)


def appeal_of(reading: Reading, side: Side, appeal_id: str) -> AppealView | None:
    """An appeal as its sender sees it; None if nothing is known of it."""
    subject = subject_of(reading, side)
    appeal = subject.review.appeals.get(appeal_id) if subject else None
    return appeal_view(appeal) if appeal else None


# --- The page of a history

STARS = (
    *("quality", "logistics", "service", "rating"),
    *("was_quality", "was_logistics", "was_service"),
)


def readable_evaluation(
    history: Sequence[Recorded[EvaluationEvent]], actor: Actor
) -> list[Recorded[EvaluationEvent]]:
    """The events that somebody may know of who reads all of it at once."""
    return readable_history(history, read_by(actor, [recorded.event for recorded in history]))


def readable_history(
    history: Sequence[Recorded[EvaluationEvent]], reading: Reading
) -> list[Recorded[EvaluationEvent]]:
    """The events that a reader may know, without the words that he may not have."""
    return [
        structs.replace(
            recorded,
            event=readable(recorded.event, reading),
            actor=signed(recorded, reading.actor),
        )
        for recorded, known in zip(history, reading.knows, strict=True)
        if known
    ]


def readable(event: EvaluationEvent, reading: Reading) -> EvaluationEvent:
    if is_staff(reading.actor):
        return event
    side = side_told_of(event)
    subject = subject_of(reading, side) if side else None
    if side is None or subject is None or for_him_alone(event):
        return event
    if isinstance(event, ReviewKept):
        event = structs.replace(event, flag_ids=own_flags(event, subject))
    may = reading.may_have(side, subject.review, part_told_of(event))
    return nameless(without(may, event))


def own_flags(event: ReviewKept, subject: Subject) -> list[str]:
    """Others' are not known to whoever is told of his own."""
    return [flag_id for flag_id in event.flag_ids if flag_id in subject.review.flags]


def part_told_of(event: EvaluationEvent) -> Part | None:
    match event:
        case ReplyPublished() | ReplyEdited():
            return "REPLY"
        case FollowUpAppended():
            return "FOLLOW_UP"
        case _:
            return None


def for_him_alone(event: EvaluationEvent) -> bool:
    """His own flag or appeal, or what he was told: not the review's words."""
    return isinstance(event, ReviewFlagged | ModerationAppealed | StatementOfReasonsIssued)


def without(may: Shown, event: EvaluationEvent) -> EvaluationEvent:
    """The event without the stars, texts and files that its reader may not have; nor the reasons
    of a weight, which tell of the stars.
    """
    if isinstance(event, ReviewWeighted) and not may.stars:
        event = structs.replace(event, reasons=[])
    hidden = [] if may.stars else [name for name in STARS if hasattr(event, name)]
    hidden += [
        name
        for name in sealed_fields(type(event))
        if not (may.media if name == "media" else may.text)
    ]
    return structs.replace(event, **dict.fromkeys(hidden)) if hidden else event


def nameless(event: EvaluationEvent) -> EvaluationEvent:
    """The event without the name of the moderator who decided."""
    if isinstance(event, ReviewKept | ReviewRestricted | ModerationAppealDecided):
        return structs.replace(event, decided_by=STAFF)
    return event
