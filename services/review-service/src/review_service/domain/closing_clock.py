"""When reviews are taken: opening, pausing and resuming in, the closing instant out.

Causes that pause form a set. One that has been seen, open or over, never pauses again.
"""

from datetime import datetime, timedelta
from typing import Literal

from shared_events.review import (
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
)

from review_service.domain.commands import OpenEvaluation, PauseEvaluation, ResumeEvaluation
from review_service.domain.evaluation_state import (
    Evaluation,
    Open,
    Paused,
    Running,
    Unopened,
    evolve,
    ids,
)
from review_service.domain.guards import Shape, require_role, utc
from review_service.domain.policy import Policies, ReviewPolicy

SECOND = timedelta(seconds=1)


def open_evaluation(
    state: Evaluation, command: OpenEvaluation, policies: Policies
) -> list[EvaluationEvent]:
    check_opening(command)
    require_role(command, ["SYSTEM"])
    opening: EvaluationOpened | EvaluationResumed
    if isinstance(state, Unopened):
        opening = first_opening(command, policies.in_force(command.now))
    elif (
        isinstance(state, Paused)
        and state.reopening
        and command.completion_no >= state.sheet.completion_no
    ):
        opening = completed_again(state, command, policies.of(state.sheet.policy_version))
    else:
        return []
    policy = policies.of(opening.policy_version)
    # Disputes that held the clock of the former completion hold that of the new one.
    held = state.disputes if isinstance(state, Paused) else ()
    seen = frozenset[str]() if isinstance(state, Unopened) else state.sheet.causes
    fresh = tuple(dispute for dispute in command.open_disputes if dispute not in seen)
    running = evolve(state, opening)
    events: list[EvaluationEvent] = [opening]
    for dispute in dict.fromkeys((*held, *fresh)):
        assert isinstance(running, Open | Paused)
        for event in stop_clock(running, "DISPUTE", dispute, command.now, policy):
            running = evolve(running, event)
            events.append(event)
    return events


def first_opening(command: OpenEvaluation, policy: ReviewPolicy) -> EvaluationOpened:
    completed_at = utc(command.completed_at)
    return EvaluationOpened(
        order_id=command.order_id,
        seller_id=command.seller_id,
        buyer_id=command.buyer_id,
        policy_version=policy.version,
        completed_at=completed_at,
        completion_no=command.completion_no,
        opened_at=utc(command.now),
        closes_at=completed_at + policy.review_window,
    )


def completed_again(
    state: Paused, command: OpenEvaluation, policy: ReviewPolicy
) -> EvaluationResumed:
    return EvaluationResumed(
        **ids(state.sheet),
        cause_id=state.reopening,
        open_causes=[],
        closes_at=utc(command.completed_at) + policy.review_window,
    )


def pause(state: Evaluation, command: PauseEvaluation, policies: Policies) -> list[EvaluationEvent]:
    shape = Shape()
    shape.instant("now", command.now)
    shape.id("cause_id", command.cause_id)
    shape.check()
    require_role(command, ["SYSTEM"])
    if not isinstance(state, Open | Paused) or command.cause_id in state.sheet.causes:
        return []
    policy = policies.of(state.sheet.policy_version)
    return [*stop_clock(state, command.cause, command.cause_id, command.now, policy)]


def stop_clock(
    state: Running,
    cause: Literal["DISPUTE", "ORDER_REOPENED"],
    cause_id: str,
    now: datetime,
    policy: ReviewPolicy,
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


def resume(
    state: Evaluation, command: ResumeEvaluation, policies: Policies
) -> list[EvaluationEvent]:
    shape = Shape()
    shape.instant("now", command.now)
    if command.cause_id is not None:
        shape.id("cause_id", command.cause_id)
    shape.check()
    require_role(command, ["SYSTEM"])
    if not isinstance(state, Paused):
        return []
    causes = open_causes(state)
    if command.cause_id is None:
        left = causes if command.now < state.cap_at else []
    else:
        left = [cause for cause in causes if cause != command.cause_id]
    if left == causes:
        return []
    policy = policies.of(state.sheet.policy_version)
    rest = max(state.remaining_seconds * SECOND, policy.review_min_after_pause)
    return [
        EvaluationResumed(
            **ids(state.sheet),
            cause_id=command.cause_id,
            open_causes=left,
            closes_at=None if left else utc(command.now) + rest,
        )
    ]


def open_causes(state: Paused) -> list[str]:
    return [*state.disputes, *([state.reopening] if state.reopening else [])]


def check_opening(command: OpenEvaluation) -> None:
    shape = Shape()
    shape.id("order_id", command.order_id)
    shape.id("seller_id", command.seller_id)
    shape.id("buyer_id", command.buyer_id)
    shape.instant("completed_at", command.completed_at)
    shape.instant("now", command.now)
    shape.require(command.completion_no >= 1, "completion_no", "1 or more")
    for number, dispute in enumerate(command.open_disputes):
        shape.id(f"open_disputes[{number}]", dispute)
    shape.check()
