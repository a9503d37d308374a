"""Two reviews that do not see each other: what the sides write in, what is revealed out."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace
from shared_casework.parties import require_party
from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    ReviewAmended,
    ReviewHeld,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    Side,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    EvidenceSealed,
    FieldError,
    MeasureInForce,
    NotAParty,
    SubjectErased,
    TimeGoesBack,
    WrongState,
)
from shared_runtime.rule import Guard, Window

from review_service.domain.content import (
    Writing,
    content_fields,
    content_of,
    same_content,
    side_of,
    two_sided,
)
from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    Open,
    Paused,
    Revealed,
    Sheet,
    Unopened,
    evolve,
    ids,
)
from review_service.domain.known import Sender, facts_of, policy_of
from review_service.domain.policy import ReviewPolicy
from review_service.domain.reweighing import first_weight
from review_service.domain.subject import (
    AUTHOR,
    PERSON,
    SIDES,
    EvaluationRule,
    ReviewRule,
    Subject,
    accounts,
    by_somebody,
)
from review_service.domain.weight import WeightFacts


class SubmitReview(Writing, frozen=True, kw_only=True):
    """What a side writes, once."""

    review_id: Id


class AmendReview(Writing, frozen=True, kw_only=True):
    """Replaces the whole of what was written."""

    review_id: Id


class CloseEvaluation(Struct, frozen=True):
    """The time for reviews is over."""


class VoidEvaluation(Struct, frozen=True):
    """The order was cancelled."""


def submit_review(state: Evaluation, said: SubmitReview, by: Sender) -> list[EvaluationEvent]:
    """Three stars, or one of a seller; text and files as one likes. The incentive is declared. It
    is hidden until both have written or the time is over.
    """
    if isinstance(state, Revealed | Closed):
        # An instant is stated at which it was open: what has ended it is known to others.
        raise TimeGoesBack(last_at=ended_at(state))
    assert isinstance(state, Open | Paused)
    content = content_of(said)
    submitted = ReviewSubmitted(
        **ids(state.sheet),
        review_id=said.review_id,
        side=side_of(content),
        submitted_at=utc(by.now),
        **content_fields(content),
    )
    events: list[EvaluationEvent] = [submitted, *held_still(state.sheet, submitted)]
    if not state.sheet.reviews:
        return events
    both: Evaluation = state
    for event in events:
        both = evolve(both, event)
    assert isinstance(both, Open | Paused)
    policy = policy_of(both.sheet, by)
    return [*events, *reveal(both.sheet, "BOTH_IN", utc(by.now), facts_of(by), policy)]


def ended_at(state: Revealed | Closed) -> datetime:
    return state.revealed_at if isinstance(state, Revealed) else state.closed_at


def held_still(sheet: Sheet, submitted: ReviewSubmitted) -> list[ReviewHeld]:
    """A hold outlasts a withdrawal: else whoever writes the same once more has ended it."""
    before = sheet.withdrawn.get(submitted.side)
    if before is None or not isinstance(before.standing, ReviewHeld):
        return []
    if submitted.submitted_at >= before.standing.hold_until:
        return []
    return [replace(before.standing, review_id=submitted.review_id)]


def by_side(state: Evaluation, _: object, by: Sender) -> None:
    """the party of the order"""
    if not isinstance(state, Unopened):
        require_party(by.actor, accounts(state.sheet))


def with_right(state: Evaluation, said: object, by: Sender) -> None:
    """nobody who was erased or has lost the right to rate"""
    by_somebody(state, said, by)
    if by.known.rating_right_lost and by.actor.acts_as == "BUYER":
        lost = by.known.rating_right_lost
        raise MeasureInForce(measure_id=lost.measure_id, until=lost.until)


def is_submitted(state: Evaluation, said: SubmitReview, _: Sender) -> bool:
    content = content_of(said)
    own = None if isinstance(state, Unopened) else state.sheet.reviews.get(side_of(content))
    if own is None:
        return False
    if own.review_id == said.review_id and same_content(own.submitted, content):
        return True
    raise AlreadySubmitted(existing_id=own.review_id)


def not_cancelled(state: Evaluation, _: object, by: Sender) -> None:
    """not of a cancelled order"""
    if isinstance(state, Unopened) and by.known.order_cancelled:
        raise WrongState(state="CANCELLED")
    if isinstance(state, Closed) and state.reason == "ORDER_CANCELLED":
        raise WrongState(state="CLOSED")


def writing_window(state: Evaluation, _: object, __: Sender) -> Window | None:
    """A pause has no end for those who write."""
    match state:
        case Unopened():
            return None
        case Open(sheet=sheet, closes_at=latest):
            return Window(sheet.completed_at, latest)
        case Paused(sheet=sheet):
            return Window(sheet.completed_at)
        case Revealed(sheet=sheet, revealed_at=latest) | Closed(sheet=sheet, closed_at=latest):
            return Window(sheet.completed_at, latest)


def shape_of_both(said: Writing, by: Sender) -> Iterator[FieldError]:
    return two_sided(said, by.actor)


def either_sides(_: Evaluation, by: Sender) -> list[SubmitReview]:
    return [BY_BUYER if by.actor.acts_as == "BUYER" else BY_SELLER]


BY_BUYER = SubmitReview(
    review_id="R-1",
    quality=5,
    logistics=4,
    service=5,
    incentive="NONE",
    text="Bright enough to read by. A day late.",
)
BY_SELLER = SubmitReview(review_id="R-2", rating=5)
SUBMIT_REVIEW = EvaluationRule(
    SubmitReview,
    submit_review,
    roles=("BUYER", "SELLER"),
    shape=shape_of_both,
    party=Guard(by_side, NotAParty),
    barred=Guard(with_right, SubjectErased, MeasureInForce),
    repeated=is_submitted,
    stands=Guard(not_cancelled, WrongState),
    window=writing_window,
    early=True,
    refuses=(AlreadySubmitted,),
    events=(ReviewSubmitted, ReviewHeld, ReviewsRevealed, ReviewWeighted),
    example=BY_BUYER,
    tries=either_sides,
)


def amend_review(subject: Subject, said: AmendReview, _: Sender) -> list[EvaluationEvent]:
    """Until the reveal, within the same time."""
    return [
        ReviewAmended(
            **subject.ids,
            version=subject.review.version + 1,
            **content_fields(content_of(said)),
        )
    ]


def is_amended(subject: Subject, said: AmendReview, _: Sender) -> bool:
    return same_content(subject.review.content, content_of(said))


def unsealed(subject: Subject, _: object, __: Sender) -> None:
    """own side SUBMITTED"""
    if isinstance(subject.state, Revealed):
        raise EvidenceSealed(sealed_at=subject.state.revealed_at)
    if subject.status != "SUBMITTED":
        raise WrongState(state=subject.status)


def amending_window(subject: Subject, said: object, by: Sender) -> Window | None:
    return writing_window(subject.state, said, by)


def other_words(subject: Subject, _: Sender) -> list[AmendReview]:
    """What differs from what the author has written: the same changes nothing."""
    review_id = subject.review.review_id
    return [replace(AMENDED[subject.side], review_id=review_id, text="s1.other.words")]


AMENDED: Mapping[Side, AmendReview] = {
    "BUYER": AmendReview(**asdict(BY_BUYER)),
    "SELLER": AmendReview(**asdict(BY_SELLER)),
}
AMEND_REVIEW = ReviewRule(
    AmendReview,
    amend_review,
    roles=("BUYER", "SELLER"),
    shape=shape_of_both,
    party=AUTHOR,
    barred=PERSON,
    repeated=is_amended,
    stands=Guard(unsealed, WrongState, EvidenceSealed),
    window=amending_window,
    events=(ReviewAmended,),
    example=AMENDED["BUYER"],
    tries=other_words,
)


def close(state: Evaluation, _: CloseEvaluation, by: Sender) -> list[EvaluationEvent]:
    """One side alone is revealed alone; nothing written, it closes empty. Both at the instant it
    was due, not the one the timer came: a late timer moves no date.
    """
    assert isinstance(state, Open)
    sheet, at = state.sheet, state.closes_at
    if not sheet.reviews:
        return [EvaluationClosed(**ids(sheet), reason="EXPIRED", closed_at=at)]
    return reveal(sheet, "WINDOW_CLOSED", at, facts_of(by), policy_of(sheet, by))


def once_over(state: Evaluation, _: object, __: Sender) -> Window | None:
    return Window(earliest=state.closes_at) if isinstance(state, Open) else None


CLOSE_EVALUATION = EvaluationRule(
    CloseEvaluation,
    close,
    roles=("SYSTEM",),
    states=("OPEN",),
    window=once_over,
    early=True,
    lapses=True,
    events=(ReviewsRevealed, ReviewWeighted, EvaluationClosed),
    example=CloseEvaluation(),
)


def void(state: Evaluation, _: VoidEvaluation, by: Sender) -> list[EvaluationEvent]:
    """On a cancellation after a reopening. What was written is never shown nor counted."""
    assert isinstance(state, Open | Paused)
    if isinstance(state, Open) and by.now >= state.closes_at:
        return []  # closing is due, and a late timer may not decide what is shown
    closed_at = utc(by.now)
    return [EvaluationClosed(**ids(state.sheet), reason="ORDER_CANCELLED", closed_at=closed_at)]


VOID_EVALUATION = EvaluationRule(
    VoidEvaluation,
    void,
    roles=("SYSTEM",),
    states=("OPEN", "PAUSED"),
    lapses=True,
    events=(EvaluationClosed,),
    example=VoidEvaluation(),
)


def reveal(
    sheet: Sheet,
    trigger: Literal["BOTH_IN", "WINDOW_CLOSED"],
    at: datetime,
    facts: WeightFacts,
    policy: ReviewPolicy,
) -> list[EvaluationEvent]:
    """Everything that was written becomes visible and begins to count, in one commit."""
    sides: list[Side] = [side for side in SIDES if side in sheet.reviews]
    revealed = ReviewsRevealed(
        **ids(sheet),
        trigger=trigger,
        revealed_at=at,
        review_ids=[sheet.reviews[side].review_id for side in sides],
        sides=sides,
    )
    return [revealed, *(first_weight(sheet, side, facts, policy, at) for side in sides)]
