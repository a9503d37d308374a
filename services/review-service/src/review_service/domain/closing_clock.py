"""When reviews are taken: opening, pausing and resuming in, the closing instant out.

Causes that pause form a set. One that has been seen, open or over, never pauses again.
"""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import Count, Id, Instant
from shared_events.review import (
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
)

from review_service.domain.evaluation_state import (
    Evaluation,
    Open,
    Paused,
    Running,
    Unopened,
    evolve,
    ids,
)
from review_service.domain.known import Sender, policy_of
from review_service.domain.policy import ReviewPolicy
from review_service.domain.subject import EvaluationRule

SECOND = timedelta(seconds=1)
type Cause = Literal["DISPUTE", "ORDER_REOPENED"]


class OpenEvaluation(Struct, frozen=True, kw_only=True):
    """An order is complete."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    completed_at: Instant
    completion_no: Count


class PauseEvaluation(Struct, frozen=True, kw_only=True):
    """A dispute was opened, or the order reopened."""

    cause: Cause
    cause_id: Id


class ResumeEvaluation(Struct, frozen=True, kw_only=True):
    """A cause is over. Without `cause_id` the longest pause is, and every cause with it."""

    cause_id: Id | None = None


def open_evaluation(state: Evaluation, said: OpenEvaluation, by: Sender) -> list[EvaluationEvent]:
    """It closes `review_window` after the completion; paused at once for each open dispute. Paused
    by a reopening, it goes on with the new completion.
    """
    opening: EvaluationOpened | EvaluationResumed
    if isinstance(state, Unopened):
        opening = first_opening(said, by)
    elif isinstance(state, Paused) and completes_again(state, said):
        opening = completed_again(state, said, by)
    else:
        return []
    policy = by.known.policies.of(opening.policy_version)
    # Disputes that held the clock of the former completion hold that of the new one.
    held = state.disputes if isinstance(state, Paused) else ()
    seen = frozenset[str]() if isinstance(state, Unopened) else state.sheet.causes
    fresh = tuple(dispute for dispute in by.known.open_disputes if dispute not in seen)
    running = evolve(state, opening)
    events: list[EvaluationEvent] = [opening]
    for dispute in dict.fromkeys((*held, *fresh)):
        assert isinstance(running, Open | Paused)
        for event in stop_clock(running, "DISPUTE", dispute, by.now, policy):
            running = evolve(running, event)
            events.append(event)
    return events


def first_opening(said: OpenEvaluation, by: Sender) -> EvaluationOpened:
    policy = by.known.policies.in_force(by.now)
    completed_at = utc(said.completed_at)
    return EvaluationOpened(
        order_id=said.order_id,
        seller_id=said.seller_id,
        buyer_id=said.buyer_id,
        policy_version=policy.version,
        completed_at=completed_at,
        completion_no=said.completion_no,
        opened_at=utc(by.now),
        closes_at=completed_at + policy.review_window,
    )


def completes_again(state: Paused, said: OpenEvaluation) -> bool:
    return state.reopening is not None and said.completion_no >= state.sheet.completion_no


def completed_again(state: Paused, said: OpenEvaluation, by: Sender) -> EvaluationResumed:
    window = policy_of(state.sheet, by).review_window
    return EvaluationResumed(
        **ids(state.sheet),
        cause_id=state.reopening,
        open_causes=[],
        closes_at=utc(said.completed_at) + window,
    )


OPEN_EVALUATION = EvaluationRule(
    OpenEvaluation,
    open_evaluation,
    roles=("SYSTEM",),
    states=("NONE", "PAUSED"),
    lapses=True,
    events=(EvaluationOpened, EvaluationResumed, EvaluationPaused),
    example=OpenEvaluation(
        order_id="O-1001",
        seller_id="S-77",
        buyer_id="B-5",
        completed_at=datetime.fromisoformat("2026-01-15T18:00:00Z"),
        completion_no=1,
    ),
)


def pause(state: Evaluation, said: PauseEvaluation, by: Sender) -> list[EvaluationEvent]:
    """The first cause freezes what remains, for `review_pause_cap` at most; others join it."""
    assert isinstance(state, Open | Paused)
    return [*stop_clock(state, said.cause, said.cause_id, by.now, policy_of(state.sheet, by))]


def was_seen(state: Evaluation, said: PauseEvaluation, _: Sender) -> bool:
    return not isinstance(state, Unopened) and said.cause_id in state.sheet.causes


PAUSE_EVALUATION = EvaluationRule(
    PauseEvaluation,
    pause,
    roles=("SYSTEM",),
    repeated=was_seen,
    states=("OPEN", "PAUSED"),
    lapses=True,
    events=(EvaluationPaused,),
    example=PauseEvaluation(cause="DISPUTE", cause_id="D-1"),
)


def stop_clock(
    state: Running, cause: Cause, cause_id: str, now: datetime, policy: ReviewPolicy
) -> list[EvaluationPaused]:
    """The first cause freezes what remains; the others join it. Nothing once closing is due."""
    if isinstance(state, Paused):
        remaining_seconds, cap_at = state.remaining_seconds, state.cap_at
    elif now < state.closes_at:
        # Rounded up: a pause may not shorten the window by a part of a second.
        remaining_seconds = -((now - state.closes_at) // SECOND)
        cap_at = utc(now) + policy.review_pause_cap
    else:
        return []
    return [
        EvaluationPaused(
            **ids(state.sheet),
            cause=cause,
            cause_id=cause_id,
            remaining_seconds=remaining_seconds,
            cap_at=cap_at,
        )
    ]


def resume(state: Evaluation, said: ResumeEvaluation, by: Sender) -> list[EvaluationEvent]:
    """The clock runs again when no cause is left, with what remained, or `review_min_after_pause`
    if that is more.
    """
    assert isinstance(state, Paused)
    causes = open_causes(state)
    if said.cause_id is None:
        left = causes if by.now < state.cap_at else []
    else:
        left = [cause for cause in causes if cause != said.cause_id]
    if left == causes:
        return []
    rest = max(state.remaining_seconds * SECOND, policy_of(state.sheet, by).review_min_after_pause)
    return [
        EvaluationResumed(
            **ids(state.sheet),
            cause_id=said.cause_id,
            open_causes=left,
            closes_at=None if left else utc(by.now) + rest,
        )
    ]


def open_causes(state: Paused) -> list[str]:
    return [*state.disputes, *([state.reopening] if state.reopening else [])]


RESUME_EVALUATION = EvaluationRule(
    ResumeEvaluation,
    resume,
    roles=("SYSTEM",),
    states=("PAUSED",),
    lapses=True,
    events=(EvaluationResumed,),
    example=ResumeEvaluation(cause_id="D-1"),
)
