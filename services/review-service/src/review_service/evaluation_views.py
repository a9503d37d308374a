"""An evaluation's history in, what a reader may see of it out, and what he can do about it now.

Before the reveal a side sees nothing that tells of the other's review, not even that there is
one. After it, what is held or restricted is there for its author and for staff. Texts are sealed
here; whoever may not read one is given none, and the edge opens the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from msgspec import structs
from pydantic.json_schema import SkipJsonSchema
from shared_events.common import StatementOfReasonsIssued
from shared_events.envelope import Recorded
from shared_events.review import (
    DimensionReattributed,
    EvaluationEvent,
    EvaluationOpened,
    FlagReason,
    FollowUpAppended,
    Ground,
    Incentive,
    ModerationAppealDecided,
    ModerationAppealed,
    ReplyEdited,
    ReplyPublished,
    Restriction,
    ReviewAmended,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewScreened,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    RevisionGranted,
    RevisionRequested,
    Side,
    StarDimension,
    WeightCode,
    WeightReason,
)
from shared_events.sealed import sealed_fields
from shared_runtime.decider import Actor, Decider, Role
from shared_runtime.history import STAFF, signed

from review_service.domain.actions import Action, evaluation_actions
from review_service.domain.commands import EvaluationCommand, Measure
from review_service.domain.double_blind import SIDES
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    Open,
    Paused,
    Revealed,
    Unopened,
    evolve,
)
from review_service.domain.guards import is_involved
from review_service.domain.policy import Policies
from review_service.domain.streams import review_ref
from review_service.domain.subject import writes_for

WATCHERS: tuple[Role, ...] = ("MODERATOR", "ANALYST", "SYSTEM")
"""Who may act on a review before it is revealed: they are no party, and hold back what is fake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """A file, and where it can be had for a short while."""

    media_id: str
    url: str


type MediaShown = MediaLink | SkipJsonSchema[str] | None
"""Sealed here, which nobody is shown; opened, a link; null when the writer's key is gone."""
type FlagOutcome = Literal["KEPT", "RESTRICTED", "RESTORED", "WITHDRAWN"]
type ReviewStatus = Literal["SUBMITTED", "VISIBLE", "HELD", "RESTRICTED", "WITHDRAWN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """A code of a review's weight and its effect: 0, the cap or factor used, or 1000."""

    code: WeightCode
    effect_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyView:
    reply_id: str
    text: str | None
    edited: bool
    editable_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    followup_id: str
    text: str | None
    media: list[MediaShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """Why it is not shown for now, and until when at the latest."""

    ground: Ground
    hold_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionView:
    """The statement of reasons, for the author. `facts` are for nobody else but staff."""

    ground: Ground
    rule_ids: list[str]
    measures: list[Restriction]
    explanation: str | None
    facts: str | None
    automated_detection: bool
    appeal_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealView:
    """An appeal, and once it is decided the reasons that its sender is given."""

    appeal_id: str
    against: Literal["RESTRICTED", "KEPT"]
    text: str | None
    decide_by: datetime
    outcome: Literal["UPHELD", "REVERSED"] | None
    explanation: str | None = None
    facts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagView:
    """A report of a review that its sender has made, and what has become of it.

    Who disagrees with KEPT may appeal until `appeal_until`. RESTORED: it was restricted until its
    author's appeal.
    """

    ref: str
    flag_id: str
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
    """One side's review. Its weight is known from the reveal on. `ref` names it to everybody.

    While it is held or restricted, others than its author and staff find no content.
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
    appeals: list[AppealView]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationView:
    """An evaluation as its reader may see it: the other side's review once both are revealed."""

    order_id: str
    state: Literal["NONE", "OPEN", "PAUSED", "REVEALED", "CLOSED"]
    policy_version: str | None
    completed_at: datetime | None
    opened_at: datetime | None
    closes_at: datetime | None
    cap_at: datetime | None
    revealed_at: datetime | None
    closed_at: datetime | None
    closed_because: Literal["EXPIRED", "ORDER_CANCELLED"] | None
    reviews: list[ReviewView]
    available_actions: list[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the author says by now."""

    quality: int | None = None
    logistics: int | None = None
    service: int | None = None
    rating: int | None = None
    incentive: Incentive = "NONE"
    text: str | None = None
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealTold:
    """An appeal, what was decided of it, and why."""

    lodged: ModerationAppealed
    decided: ModerationAppealDecided | None = None
    reasons: StatementOfReasonsIssued | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the events have told of one side's review: of each kind, the last that stands.

    `was`: what the author said before the revision. `kept` and `followed`: how flags were decided,
    against the flagger or for him. `reasons` are those of the restriction; `decided_last` is the
    appeal that was decided last.
    """

    submitted: ReviewSubmitted
    said: Said
    version: int = 1
    weighted: ReviewWeighted | None = None
    excluded: tuple[StarDimension, ...] = ()
    reply: ReplyPublished | None = None
    edited: ReplyEdited | None = None
    follow_up: FollowUpAppended | None = None
    granted: RevisionGranted | None = None
    requested: RevisionRequested | None = None
    was: Said | None = None
    held: ReviewHeld | None = None
    restricted: ReviewRestricted | None = None
    flags: tuple[ReviewFlagged, ...] = ()
    followed: frozenset[str] = frozenset()
    kept: dict[str, ReviewKept] = field(default_factory=dict[str, ReviewKept])
    reasons: StatementOfReasonsIssued | None = None
    appeals: tuple[AppealTold, ...] = ()
    decided_last: str | None = None
    withdrawn: bool = False

    @property
    def open_flags(self) -> set[str]:
        flags = {flag.flag_id for flag in self.flags}
        return flags - self.kept.keys() - self.followed

    def status(self, revealed: bool) -> ReviewStatus:
        if self.withdrawn:
            return "WITHDRAWN"
        if self.restricted:
            return "RESTRICTED"
        if self.held:
            return "HELD"
        return "VISIBLE" if revealed else "SUBMITTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An evaluation with what its readers need besides its state.

    `hidden` is how many events tell of each side's review before the reveal.
    """

    evaluation: Evaluation = field(default_factory=Unopened)
    version: int = 0
    opened_at: datetime | None = None
    hidden: dict[Side, int] = field(default_factory=dict[Side, int])
    told: dict[Side, Told] = field(default_factory=dict[Side, Told])

    @property
    def revealed(self) -> bool:
        return isinstance(self.evaluation, Revealed)

    def version_for(self, actor: Actor) -> int:
        """The version as he may know it: what is hidden from him does not count.

        Who decides on hidden reviews knows all of it: else he would decide on a text of before.
        """
        if self.revealed or any(self.is_watched(side, actor) for side in SIDES):
            return self.version
        own = acting_side(actor)
        return self.version - sum(n for writer, n in self.hidden.items() if writer != own)

    def is_there_for(self, actor: Actor, side: Side) -> bool:
        """Whether that side has written a review, as far as he may know."""
        if side not in self.told or isinstance(self.evaluation, Unopened):
            return False
        own = writes_for(self.evaluation.sheet, side, actor)
        return self.revealed or own or self.is_watched(side, actor)

    def is_watched(self, side: Side, actor: Actor) -> bool:
        """Whether he may act on that side's review before it is revealed: a SENIOR where there is
        an appeal; neither a party nor who belongs to one, whatever his role.
        """
        if isinstance(self.evaluation, Unopened):
            return False
        sheet = self.evaluation.sheet
        if is_involved(actor, buyer_id=sheet.buyer_id, seller_id=sheet.seller_id):
            return False
        told = self.told.get(side)
        appealed = told is not None and bool(told.appeals)
        return actor.role in WATCHERS or (actor.role == "SENIOR" and appealed)


type SeenEvaluations = Decider[Seen, EvaluationCommand, EvaluationEvent]


def seen_evaluations(policies: Policies) -> SeenEvaluations:
    """The decider of evaluations, whose state tells what its readers may see."""
    decider = evaluations(policies)
    return Decider(
        initial=Seen(),
        decide=lambda seen, command: decider.decide(seen.evaluation, command),
        evolve=evolve_seen,
    )


def evolve_seen(seen: Seen, event: EvaluationEvent) -> Seen:
    after = replace(seen, evaluation=evolve(seen.evaluation, event), version=seen.version + 1)
    if isinstance(event, EvaluationOpened):
        return replace(after, opened_at=event.opened_at)
    side = side_told_of(event)
    if side is None:
        return after
    if not seen.revealed:
        after = replace(after, hidden={**seen.hidden, side: seen.hidden.get(side, 0) + 1})
    told = {**seen.told}
    if isinstance(event, ReviewWithdrawn) and event.before_reveal:
        told.pop(side, None)
    elif (now := evolve_told(told.get(side), event)) is not None:
        told[side] = now
    return replace(after, told=told)


def side_told_of(event: EvaluationEvent) -> Side | None:
    """The side whose review an event is about; None if it is about the evaluation."""
    side: Side | None = getattr(event, "side", None)
    return side


def evolve_told(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    told: Told | None, event: EvaluationEvent
) -> Told | None:
    if isinstance(event, ReviewSubmitted):
        return Told(submitted=event, said=said_by(event))
    if told is None:
        return None
    match event:
        case ReviewAmended():
            return replace(told, said=said_by(event), version=event.version)
        case ReviewWeighted():
            return replace(told, weighted=event, excluded=tuple(event.excluded_dimensions))
        case ReplyPublished():
            return replace(told, reply=event)
        case ReplyEdited():
            return replace(told, edited=event)
        case FollowUpAppended():
            return replace(told, follow_up=event)
        case RevisionGranted():
            return replace(told, granted=event)
        case RevisionRequested():
            return replace(told, requested=event)
        case ReviewRevised():
            return replace(told, said=said_again(told.said, event), was=told.said)
        case ReviewHeld():
            return replace(told, held=event)
        case ReviewReleased():
            return replace(told, held=None)
        case ReviewRestricted():
            followed = told.followed | told.open_flags
            return replace(told, restricted=event, reasons=None, held=None, followed=followed)
        case ReviewRestored():
            return replace(told, restricted=None)
        case ReviewKept():
            return replace(told, kept=told.kept | dict.fromkeys(event.flag_ids, event))
        case StatementOfReasonsIssued():
            return explained(told, event)
        case ReviewFlagged():
            return replace(told, flags=(*told.flags, event))
        case ModerationAppealed():
            return replace(told, appeals=(*told.appeals, AppealTold(lodged=event)))
        case ModerationAppealDecided():
            appeals = [
                replace(each, decided=event) if each.lodged.appeal_id == event.appeal_id else each
                for each in told.appeals
            ]
            return replace(told, appeals=tuple(appeals), decided_last=event.appeal_id)
        case DimensionReattributed():
            back = event.to == "SELLER"
            return replace(told, excluded=() if back else (event.dimension,))
        case ReviewWithdrawn():
            return replace(told, withdrawn=True)
        case _:
            return told


def explained(told: Told, statement: StatementOfReasonsIssued) -> Told:
    """It is of the commit that it ends: of the restriction that has no reasons yet, and of the
    appeal that was decided there.
    """
    if told.restricted and told.reasons is None:
        told = replace(told, reasons=statement)
    if statement.source_type != "COMPLAINT":
        return told
    appeals = [
        replace(each, reasons=statement) if each.lodged.appeal_id == told.decided_last else each
        for each in told.appeals
    ]
    return replace(told, appeals=tuple(appeals))


def said_by(event: ReviewSubmitted | ReviewAmended) -> Said:
    return Said(
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        rating=event.rating,
        incentive=event.incentive,
        text=event.text,
        media=tuple(event.media or ()),
    )


def said_again(said: Said, event: ReviewRevised) -> Said:
    """New stars; and a new text, where there is one."""
    return replace(
        said,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        text=event.text or said.text,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What other streams say of somebody who would act: a measure on him, his erasure, his flags of
    other reviews; and the organisations that may not decide here.
    """

    rating_right_lost: Measure | None = None
    erased: bool = False
    flagged_today_at: tuple[datetime, ...] = ()
    party_orgs: frozenset[str] = frozenset()


UNLIMITED = Limits()


def evaluation_view(
    order_id: str,
    seen: Seen,
    actor: Actor,
    now: datetime,
    policies: Policies,
    *,
    limits: Limits = UNLIMITED,
) -> EvaluationView:
    """What this actor may see. Only the parties have a side; nobody else sees a hidden review.

    `limits`: what keeps him from acting, beyond the evaluation itself.
    """
    state = seen.evaluation
    known = None if isinstance(state, Unopened) else state.sheet
    return EvaluationView(
        order_id=order_id,
        state=state_of(state),
        policy_version=known.policy_version if known else None,
        completed_at=known.completed_at if known else None,
        opened_at=seen.opened_at,
        closes_at=state.closes_at if isinstance(state, Open) else None,
        cap_at=state.cap_at if isinstance(state, Paused) else None,
        revealed_at=state.revealed_at if isinstance(state, Revealed) else None,
        closed_at=state.closed_at if isinstance(state, Closed) else None,
        closed_because=state.reason if isinstance(state, Closed) else None,
        reviews=[
            review_view(order_id, seen, side, told, actor)
            for side in SIDES
            if (told := seen.told.get(side))
            if seen.revealed or side == actor.acts_as or is_judged(seen, side, actor)
        ],
        available_actions=evaluation_actions(
            state,
            actor,
            now,
            policies,
            limits.rating_right_lost,
            erased=limits.erased,
            flagged_today_at=limits.flagged_today_at,
            party_orgs=limits.party_orgs,
        ),
    )


def is_judged(seen: Seen, side: Side, actor: Actor) -> bool:
    """Whether somebody who decides on reviews has to see it before the others do."""
    told = seen.told[side]
    in_question = told.held is not None or told.restricted is not None or bool(told.appeals)
    return in_question and actor.role != "SYSTEM" and seen.is_watched(side, actor)


def state_of(
    evaluation: Evaluation,
) -> Literal["NONE", "OPEN", "PAUSED", "REVEALED", "CLOSED"]:
    match evaluation:
        case Unopened():
            return "NONE"
        case Open():
            return "OPEN"
        case Paused():
            return "PAUSED"
        case Revealed():
            return "REVEALED"
        case Closed():
            return "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of a review a reader may have."""

    stars: bool
    text: bool
    media: bool


EVERYTHING = Shown(stars=True, text=True, media=True)
STARS = (
    *("quality", "logistics", "service", "rating"),
    *("was_quality", "was_logistics", "was_service"),
)


def shown(told: Told, side: Side, reader: Side | None) -> Shown:
    """All of it to its author and to staff (`reader` None); to others what is left of it."""
    if reader in (side, None):
        return EVERYTHING
    if told.withdrawn or told.held:
        return Shown(stars=False, text=False, media=False)
    measures = told.restricted.measures if told.restricted else []
    whole = "HIDE_REVIEW" not in measures
    return Shown(
        stars=whole,
        text=whole and "HIDE_TEXT" not in measures,
        media=whole and "HIDE_MEDIA" not in measures,
    )


def review_view(order_id: str, seen: Seen, side: Side, told: Told, actor: Actor) -> ReviewView:
    reader = own_side(actor)
    may = shown(told, side, reader)
    own = reader in (side, None)
    said = told.said if may.stars else Said(incentive=told.said.incentive)
    weighted = told.weighted
    return ReviewView(
        review_id=told.submitted.review_id,
        ref=review_ref(order_id, side),
        by=side,
        status=told.status(revealed=seen.revealed),
        version=told.version,
        submitted_at=told.submitted.submitted_at,
        quality=said.quality,
        logistics=said.logistics,
        service=said.service,
        rating=said.rating,
        incentive=said.incentive,
        text=said.text if may.text else None,
        media=[*said.media] if may.media else [],
        weight_milli=weighted.weight_milli if weighted else None,
        reasons=reason_views(weighted.reasons) if weighted and may.stars else None,
        excluded_dimensions=[*told.excluded],
        reply=reply_view(told),
        follow_up=follow_up_view(told, may),
        revision=revision_view(told, may),
        hold=hold_view(told.held) if told.held and own else None,
        restriction=restriction_view(told, told.restricted) if told.restricted and own else None,
        appeals=[
            appeal_view(appeal)
            for appeal in told.appeals
            if reader is None or is_appellant(appeal.lodged, actor)
        ],
    )


def reason_views(reasons: Iterable[WeightReason]) -> list[ReasonView]:
    return [ReasonView(code=reason.code, effect_milli=reason.effect_milli) for reason in reasons]


def reply_view(told: Told) -> ReplyView | None:
    """Also of a hidden review: who is neither its author nor staff has written the reply."""
    if told.reply is None:
        return None
    return ReplyView(
        reply_id=told.reply.reply_id,
        text=(told.edited or told.reply).text,
        edited=told.edited is not None,
        editable_until=told.reply.editable_until,
    )


def follow_up_view(told: Told, may: Shown) -> FollowUpView | None:
    if told.follow_up is None or not may.stars:
        return None
    return FollowUpView(
        followup_id=told.follow_up.followup_id,
        text=told.follow_up.text if may.text else None,
        media=[*(told.follow_up.media or ())] if may.media else [],
    )


def revision_view(told: Told, may: Shown) -> RevisionView | None:
    if told.granted is None:
        return None
    was = told.was if told.was and may.stars else Said()
    return RevisionView(
        until=told.granted.until,
        requested_at=told.requested.requested_at if told.requested else None,
        revised=told.was is not None,
        was_quality=was.quality,
        was_logistics=was.logistics,
        was_service=was.service,
        was_text=was.text if may.text else None,
    )


def hold_view(held: ReviewHeld) -> HoldView:
    return HoldView(ground=held.ground, hold_until=held.hold_until)


def restriction_view(told: Told, restricted: ReviewRestricted) -> RestrictionView:
    statement = told.reasons
    return RestrictionView(
        ground=restricted.ground,
        rule_ids=restricted.rule_ids,
        measures=restricted.measures,
        explanation=statement.explanation if statement else None,
        facts=statement.facts if statement else None,
        automated_detection=restricted.automated_detection,
        appeal_until=restricted.appeal_until,
    )


def appeal_view(appeal: AppealTold) -> AppealView:
    lodged, statement = appeal.lodged, appeal.reasons
    if statement and not is_for_appellant(statement, lodged):
        statement = None
    return AppealView(
        appeal_id=lodged.appeal_id,
        against=lodged.against,
        text=lodged.text,
        decide_by=lodged.decide_by,
        outcome=appeal.decided.outcome if appeal.decided else None,
        explanation=statement.explanation if statement else None,
        facts=statement.facts if statement else None,
    )


def is_for_appellant(statement: StatementOfReasonsIssued, lodged: ModerationAppealed) -> bool:
    same = statement.recipient_id == lodged.appellant_id
    return same and lodged.appellant_role in (None, statement.recipient_role)


def flag_view(seen: Seen, side: Side, ref: str, flag_id: str) -> FlagView | None:
    """A flag as its sender sees it; None if nothing was recorded of it."""
    flags = seen.told[side].flags if side in seen.told else ()
    flag = next((each for each in flags if each.flag_id == flag_id), None)
    if flag is None:
        return None
    kept = seen.told[side].kept.get(flag_id)
    return FlagView(
        ref=ref,
        flag_id=flag.flag_id,
        reason=flag.reason,
        text=flag.text,
        decide_by=flag.decide_by,
        outcome=flag_outcome(seen.told[side], flag_id),
        appeal_until=kept.appeal_until if kept else None,
    )


def flag_outcome(told: Told, flag_id: str) -> FlagOutcome | None:
    if told.restricted:
        return "RESTRICTED"
    if flag_id in told.kept:
        return "KEPT"
    if flag_id in told.followed:
        return "RESTORED"
    return "WITHDRAWN" if told.withdrawn else None


def lodged_as(appeal_id: str, told: Told) -> ModerationAppealed | None:
    lodged = (each.lodged for each in told.appeals if each.lodged.appeal_id == appeal_id)
    return next(lodged, None)


def own_appeal_view(seen: Seen, side: Side, appeal_id: str) -> AppealView | None:
    """An appeal as its sender sees it; None if nothing was recorded of it."""
    appeals = seen.told[side].appeals if side in seen.told else ()
    own = (appeal_view(each) for each in appeals if each.lodged.appeal_id == appeal_id)
    return next(own, None)


def own_side(actor: Actor) -> Side | None:
    """The side that an actor sees the evaluation from; None for those who are no party."""
    return "BUYER" if actor.role == "BUYER" else "SELLER" if actor.role == "SELLER" else None


def acting_side(actor: Actor) -> Side | None:
    """The side that somebody acts for, himself or by an importer."""
    return "BUYER" if actor.acts_as == "BUYER" else "SELLER" if actor.acts_as == "SELLER" else None


def is_of(account_id: str, actor: Actor) -> bool:
    """Whether it is the actor's own account: a seller's members share one."""
    return account_id == (actor.org_id if actor.role == "SELLER" else actor.id)


def is_appellant(appeal: ModerationAppealed, actor: Actor) -> bool:
    return appeal.appellant_role in (None, actor.role) and is_of(appeal.appellant_id, actor)


def visible(
    history: Sequence[Recorded[EvaluationEvent]], seen: Seen, actor: Actor
) -> list[Recorded[EvaluationEvent]]:
    """The events that an actor may know of, without the texts that he may not read."""
    return [
        structs.replace(recorded, event=event, actor=signed(recorded, actor))
        for recorded in history
        if (event := readable(recorded, seen, actor)) is not None
    ]


def readable(
    recorded: Recorded[EvaluationEvent], seen: Seen, actor: Actor
) -> EvaluationEvent | None:
    """The event as this actor may know it; None if he may not know of it."""
    event, reader = recorded.event, own_side(actor)
    side = side_told_of(event)
    if side is None or (reader is None and seen.revealed):
        return event
    if side != reader and not seen.revealed:
        return None
    match event:
        case ReviewScreened():  # what a detector looks at is no help to those it looks for
            may_know = False
        case ReviewFlagged():
            may_know = event.flagger_role == actor.role and is_of(event.flagger_id, actor)
        case ModerationAppealed():
            may_know = is_appellant(event, actor)
        case StatementOfReasonsIssued():
            may_know = event.recipient_role == actor.role and is_of(event.recipient_id, actor)
        case ReplyPublished() | ReplyEdited():  # by this side or about it
            return nameless(event)
        case _:
            told = seen.told.get(side)
            may = shown(told, side, reader) if told else EVERYTHING
            return nameless(without(may, event))
    return event if may_know else None


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
