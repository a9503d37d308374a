"""A history and somebody who reads it in, what of it he may know out.

What a reader sees of an evaluation is the fold of the events that he may know: its view, the page
of its history, its version and what he is offered all come from that. The table is closed: an event
that is not in it is nobody's to read, and a test says so. What of a review's words he may have is
asked apart, of the state that they are in by then.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from shared_casework.parties import Account, account_of, side_for
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.review import (
    DimensionReattributed,
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    FollowUpAppended,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    ReplyEdited,
    ReplyPublished,
    ReviewAmended,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewScreened,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    RevisionGranted,
    RevisionRequested,
    Side,
)
from shared_runtime.decider import Actor, Role

from review_service.domain.evaluation_state import (
    Evaluation,
    Opened,
    Revealed,
    Unopened,
    evolve,
)
from review_service.domain.review_state import Review
from review_service.domain.subject import (
    OTHER,
    accounts,
    claimant,
    may_know_of,
    writes_for,
)

STAFF: tuple[Role, ...] = ("MODERATOR", "ANALYST", "SENIOR", "AGENT", "AUDITOR", "SYSTEM")


class ReaderContext(Struct, frozen=True, kw_only=True):
    """Somebody before an evaluation, as it is in truth, and what has happened to it. `seen`: up to
    which number everybody has been able to read the weights of a side, with their reasons.
    """

    actor: Actor
    state: Opened
    history: Sequence[EvaluationEvent]
    seen: Mapping[Side, int]

    @property
    def side(self) -> Side | None:
        return side_for(self.actor, accounts(self.state.sheet))


type Reads = Callable[[Any, ReaderContext], bool]
"""An event in, whether somebody who may know of the review may know of this too."""


def everybody(_: EvaluationEvent, __: ReaderContext) -> bool:
    return True


def parties(_: EvaluationEvent, context: ReaderContext) -> bool:
    """And staff. A stranger reads reviews, not what goes on about them."""
    return is_staff(context.actor) or context.side is not None


def staff(_: EvaluationEvent, context: ReaderContext) -> bool:
    """What a detector looks at is no help to those it looks for; a delay is the platform's own."""
    return is_staff(context.actor)


def as_far_as_shown(event: ReviewWeighted, context: ReaderContext) -> bool:
    """Everybody, of what can be seen of it. While its stars are hidden, so are the reasons of a
    weight: its author and staff read them; to others one that counts as much as the one before is
    none. Once told it stays so.
    """
    if is_staff(context.actor) or writes_for(context.state.sheet, event.side, context.actor):
        return True
    if event.seq <= context.seen.get(event.side, 0):
        return True
    before = (
        each
        for each in context.history
        if isinstance(each, ReviewWeighted) and (each.side, each.seq) == (event.side, event.seq - 1)
    )
    return all(amount(each) != amount(event) for each in before)


def amount(weighted: ReviewWeighted) -> tuple[object, ...]:
    return weighted.weight_milli, weighted.excluded_dimensions


def flaggers(event: ReviewFlagged | ReviewKept, context: ReaderContext) -> bool:
    """And staff: whose flag it is, or whose is among those that were answered."""
    if is_staff(context.actor):
        return True
    named = [event.flag_id] if isinstance(event, ReviewFlagged) else event.flag_ids
    return any(
        is_of(context.actor, claimant(raised.flagger_role, raised.flagger_id))
        for raised in context.history
        if isinstance(raised, ReviewFlagged) and raised.flag_id in named
    )


def appellants(event: ModerationAppealed | ModerationAppealDecided, context: ReaderContext) -> bool:
    """And staff."""
    if is_staff(context.actor):
        return True
    return any(
        is_of(context.actor, claimant(lodged.appellant_role, lodged.appellant_id))
        for lodged in context.history
        if isinstance(lodged, ModerationAppealed) and lodged.appeal_id == event.appeal_id
    )


def recipients(event: StatementOfReasonsIssued, context: ReaderContext) -> bool:
    """And staff."""
    if is_staff(context.actor):
        return True
    return is_of(context.actor, claimant(event.recipient_role, event.recipient_id))


READERS: Mapping[type[EvaluationEvent], Reads] = {
    EvaluationOpened: everybody,
    EvaluationPaused: parties,
    EvaluationResumed: parties,
    EvaluationClosed: everybody,
    ReviewSubmitted: everybody,
    ReviewAmended: everybody,
    ReviewsRevealed: everybody,
    ReviewWeighted: as_far_as_shown,
    ReplyPublished: everybody,
    ReplyEdited: everybody,
    FollowUpAppended: everybody,
    RevisionGranted: parties,
    RevisionRequested: parties,
    ReviewRevised: everybody,
    ReviewWithdrawn: everybody,
    ReviewFlagged: flaggers,
    ReviewScreened: staff,
    ReviewHeld: everybody,
    ReviewReleased: everybody,
    ReviewKept: flaggers,
    ReviewRestricted: everybody,
    ReviewRestored: everybody,
    ModerationAppealed: appellants,
    ModerationAppealDecided: appellants,
    DimensionReattributed: everybody,
    DecisionOverdue: staff,
    StatementOfReasonsIssued: recipients,
}
"""Who may know of what, if he may know of the review that it is about."""


def is_staff(actor: Actor) -> bool:
    return actor.acts_as in STAFF


def is_of(actor: Actor, claimants: frozenset[Account]) -> bool:
    return account_of(actor) in claimants


def side_told_of(event: EvaluationEvent) -> Side | None:
    """The side whose review an event is about; None if it is about the evaluation."""
    side: Side | None = getattr(event, "side", None)
    return side


class Shown(Struct, frozen=True, kw_only=True):
    """What of a review a reader may have."""

    stars: bool
    text: bool
    media: bool


EVERYTHING = Shown(stars=True, text=True, media=True)
NOTHING = Shown(stars=False, text=False, media=False)


def shown(review: Review, part: Part | None = None) -> Shown:
    """What is left of a review, or of a part of it, for others than its author and staff."""
    if part == "REPLY":
        return NOTHING if part in review.hidden else EVERYTHING
    if part in review.hidden or isinstance(review.standing, ReviewHeld | ReviewWithdrawn):
        return NOTHING
    standing = review.standing
    measures = standing.measures if isinstance(standing, ReviewRestricted) else []
    whole = "HIDE_REVIEW" not in measures
    return Shown(
        stars=whole,
        text=whole and "HIDE_TEXT" not in measures,
        media=whole and "HIDE_MEDIA" not in measures,
    )


class Reading(Struct, frozen=True, kw_only=True):
    """What one reader may know: which events, and the state that they lead to. `truth`: the state
    that all events lead to.
    """

    actor: Actor
    knows: tuple[bool, ...]
    state: Evaluation
    truth: Evaluation

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return sum(self.knows)

    @property
    def acted_on(self) -> Evaluation:
        """What his offers are tried on. Who is no party may act on what he does not read yet: of
        that he knows by its name.
        """
        return self.state if self.side else self.truth

    @property
    def side(self) -> Side | None:
        if isinstance(self.state, Unopened):
            return None
        return side_for(self.actor, accounts(self.state.sheet))

    def owns(self, side: Side, part: Part | None = None) -> bool:
        """Whether he has all of what a side wrote, or of a part under it: its writer, and staff."""
        writer = OTHER[side] if part == "REPLY" else side
        return is_staff(self.actor) or self.side == writer

    def may_have(self, side: Side, review: Review, part: Part | None = None) -> Shown:
        """What of a review's words, or of a part's, he may have by now."""
        return EVERYTHING if self.owns(side, part) else shown(review, part)


def read_by(actor: Actor, history: Sequence[EvaluationEvent]) -> Reading:
    """The evaluation as this actor may know it."""
    truth: Evaluation = Unopened()
    seen: dict[Side, int] = {}
    for event in history:
        truth = evolve(truth, event)
        seen |= seen_after(event, truth)
    if isinstance(truth, Unopened):
        return Reading(actor=actor, knows=(), state=truth, truth=truth)
    context = ReaderContext(actor=actor, state=truth, history=history, seen=seen)
    knows = tuple(may_know(event, number, context) for number, event in enumerate(history))
    state: Evaluation = Unopened()
    for event, known in zip(history, knows, strict=True):
        if known:
            state = evolve(state, event)
    return Reading(actor=actor, knows=knows, state=state, truth=truth)


def seen_after(event: EvaluationEvent, state: Evaluation) -> dict[Side, int]:
    """The number of the weight that everybody can read after an event about a review."""
    side = side_told_of(event)
    if side is None or not isinstance(state, Revealed):
        return {}
    review = state.sheet.reviews[side]
    if review.weighted is None or not shown(review).stars:
        return {}
    return {side: review.weighted.seq}


def may_know(event: EvaluationEvent, number: int, context: ReaderContext) -> bool:
    side = side_told_of(event)
    if side is not None and not may_read(side, number, context):
        return False
    return READERS[type(event)](event, context)


def may_read(side: Side, number: int, context: ReaderContext) -> bool:
    """What was taken back before the reveal is not revealed with what was written later."""
    if not (may_know_of(context.state, side, context.actor) and is_before(context, side)):
        return False
    taken_back = any(
        isinstance(event, ReviewWithdrawn) and event.before_reveal and event.side == side
        for event in context.history[number:]
    )
    if not taken_back:
        return True
    return writes_for(context.state.sheet, side, context.actor) or is_staff(context.actor)


def is_before(context: ReaderContext, side: Side) -> bool:
    """Whether a review lies before him: after the reveal before everybody; until then before its
    author, and before those who decide on it while it is in question.
    """
    if isinstance(context.state, Revealed) or writes_for(context.state.sheet, side, context.actor):
        return True
    review = context.state.sheet.reviews.get(side)
    if review is None or context.actor.acts_as == "SYSTEM":
        return False
    return bool(review.appeals) or isinstance(review.standing, ReviewHeld | ReviewRestricted)
