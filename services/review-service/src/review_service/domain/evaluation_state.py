"""Where the evaluation of one completed order stands; facts in, the next state out.

none -> OPEN <-> PAUSED -> REVEALED      OPEN, PAUSED -> CLOSED (nobody wrote, or cancelled)
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypedDict

from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewAmended,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    Side,
)

from review_service.domain.commands import BuyerReview, Content, SellerReview


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One side's review. `submitted` is as it first came, by which a repeat is recognised."""

    review_id: str
    submitted: Content
    content: Content
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is known of an evaluation from its opening on, whatever its state.

    `completion_no` is the completion that the clock runs by, or waits for. `causes` are all that
    ever paused it.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    completed_at: datetime
    completion_no: int
    causes: frozenset[str] = frozenset()
    reviews: dict[Side, Written] = field(default_factory=dict[Side, Written])


@dataclass(frozen=True, slots=True)
class Unopened:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    sheet: Sheet
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """`disputes` and `reopening` are the causes that still hold the clock."""

    sheet: Sheet
    disputes: tuple[str, ...]
    reopening: str | None
    remaining_seconds: int
    cap_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    sheet: Sheet
    revealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    sheet: Sheet
    reason: Literal["EXPIRED", "ORDER_CANCELLED"]
    closed_at: datetime


type Running = Open | Paused
type Known = Running | Revealed | Closed
type Evaluation = Unopened | Known


def evolve(  # noqa: PLR0911 - one arm for each event
    state: Evaluation, event: EvaluationEvent
) -> Evaluation:
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
        case ReviewSubmitted():
            assert isinstance(state, Open | Paused)
            content = content_of(event)
            written = Written(review_id=event.review_id, submitted=content, content=content)
            return with_review(state, event.side, written)
        case ReviewAmended():
            assert isinstance(state, Open | Paused)
            was = state.sheet.reviews[event.side]
            amended = replace(was, content=content_of(event), version=event.version)
            return with_review(state, event.side, amended)
        case ReviewsRevealed():
            return Revealed(sheet=state.sheet, revealed_at=event.revealed_at)
        case ReviewWeighted():
            return state


def opened(event: EvaluationOpened) -> Open:
    sheet = Sheet(
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        policy_version=event.policy_version,
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


def with_review(state: Running, side: Side, review: Written) -> Running:
    sheet = replace(state.sheet, reviews={**state.sheet.reviews, side: review})
    return replace(state, sheet=sheet)


def content_of(event: ReviewSubmitted | ReviewAmended) -> Content:
    if event.side == "SELLER":
        assert event.rating is not None
        return SellerReview(rating=event.rating)
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return BuyerReview(
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        incentive=event.incentive,
    )


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
