"""Where the evaluation of one completed order stands; facts in, the next state out.

none -> OPEN <-> PAUSED -> REVEALED      OPEN, PAUSED -> CLOSED (nobody wrote, or cancelled)
"""

from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace
from shared_events.common import DecisionOverdue, Overdue, StatementOfReasonsIssued
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewFact,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWithdrawn,
    Side,
)

from review_service.domain.review_state import Review, evolve_review, explained, submitted


class Sheet(Struct, frozen=True, kw_only=True):
    """What is known of an evaluation from its opening on, whatever its state.

    `completion_no` is the completion that the clock runs by, or waits for. `causes` are all that
    ever paused it. `overdue`: what was found overdue, which of it, and when it had been due.
    `withdrawn`: what each side took back last before the reveal.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    opened_at: datetime
    completed_at: datetime
    completion_no: int
    causes: frozenset[str] = frozenset()
    overdue: frozenset[tuple[Overdue, str, datetime]] = frozenset()
    reviews: dict[Side, Review] = {}
    withdrawn: dict[Side, Review] = {}


type EvaluationStatus = Literal["NONE", "OPEN", "PAUSED", "REVEALED", "CLOSED"]


class Unopened(Struct, frozen=True):
    @property
    def status(self) -> EvaluationStatus:
        return "NONE"


class Open(Struct, frozen=True, kw_only=True):
    sheet: Sheet
    closes_at: datetime

    @property
    def status(self) -> EvaluationStatus:
        return "OPEN"


class Paused(Struct, frozen=True, kw_only=True):
    """`disputes` and `reopening` are the causes that still hold the clock."""

    sheet: Sheet
    disputes: tuple[str, ...]
    reopening: str | None
    remaining_seconds: int
    cap_at: datetime

    @property
    def status(self) -> EvaluationStatus:
        return "PAUSED"


class Revealed(Struct, frozen=True, kw_only=True):
    sheet: Sheet
    revealed_at: datetime

    @property
    def status(self) -> EvaluationStatus:
        return "REVEALED"


class Closed(Struct, frozen=True, kw_only=True):
    sheet: Sheet
    reason: Literal["EXPIRED", "ORDER_CANCELLED"]
    closed_at: datetime

    @property
    def status(self) -> EvaluationStatus:
        return "CLOSED"


type Running = Open | Paused
type Opened = Running | Revealed | Closed
type Evaluation = Unopened | Opened
type SheetEvent = ReviewFact | DecisionOverdue | StatementOfReasonsIssued


def evolve(state: Evaluation, event: EvaluationEvent) -> Evaluation:
    if isinstance(event, EvaluationOpened):
        return opened(event)
    assert not isinstance(state, Unopened)
    match event:
        case EvaluationPaused():
            assert isinstance(state, Open | Paused)
            return paused(state, event)
        case EvaluationResumed():
            assert isinstance(state, Paused)
            return resumed(state, event)
        case EvaluationClosed():
            return Closed(sheet=state.sheet, reason=event.reason, closed_at=event.closed_at)
        case ReviewsRevealed():
            return Revealed(sheet=state.sheet, revealed_at=event.revealed_at)
        case _:
            return replace(state, sheet=evolve_sheet(state.sheet, event))


def evolve_sheet(sheet: Sheet, event: SheetEvent) -> Sheet:
    """What is known after a fact that leaves the evaluation in its state."""
    match event:
        case DecisionOverdue(what=what, ref_id=ref_id, due_at=due_at):
            return replace(sheet, overdue=sheet.overdue | {(what, ref_id, due_at)})
        case StatementOfReasonsIssued(side=side):
            assert side is not None
            return with_review(sheet, side, explained(sheet.reviews[side], event))
        case ReviewSubmitted(side=side):
            return with_review(sheet, side, submitted(event, sheet.withdrawn.get(side)))
        case ReviewWithdrawn(side=side, before_reveal=True):
            others = {of: review for of, review in sheet.reviews.items() if of != side}
            withdrawn = {**sheet.withdrawn, side: sheet.reviews[side]}
            return replace(sheet, reviews=others, withdrawn=withdrawn)
        case _:
            return with_review(sheet, event.side, evolve_review(sheet.reviews[event.side], event))


def opened(event: EvaluationOpened) -> Open:
    sheet = Sheet(
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        policy_version=event.policy_version,
        opened_at=event.opened_at,
        completed_at=event.completed_at,
        completion_no=event.completion_no,
    )
    return Open(sheet=sheet, closes_at=event.closes_at)


def paused(state: Running, event: EvaluationPaused) -> Paused:
    reopened = event.cause == "ORDER_REOPENED"
    disputes = state.disputes if isinstance(state, Paused) else ()
    reopening = state.reopening if isinstance(state, Paused) else None
    return Paused(
        sheet=replace(
            state.sheet,
            causes=state.sheet.causes | {event.cause_id},
            completion_no=state.sheet.completion_no + reopened,
        ),
        disputes=disputes if reopened else (*disputes, event.cause_id),
        reopening=event.cause_id if reopened else reopening,
        remaining_seconds=event.remaining_seconds,
        cap_at=event.cap_at,
    )


def resumed(state: Paused, event: EvaluationResumed) -> Running:
    if event.closes_at:
        return Open(sheet=state.sheet, closes_at=event.closes_at)
    return replace(
        state,
        disputes=tuple(cause for cause in state.disputes if cause in event.open_causes),
        reopening=state.reopening if state.reopening in event.open_causes else None,
    )


def with_review(sheet: Sheet, side: Side, review: Review) -> Sheet:
    return replace(sheet, reviews={**sheet.reviews, side: review})


class Ids(TypedDict):
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str


def ids(sheet: Sheet) -> Ids:
    """What every event about the evaluation says."""
    return Ids(
        order_id=sheet.order_id,
        seller_id=sheet.seller_id,
        buyer_id=sheet.buyer_id,
        policy_version=sheet.policy_version,
    )
