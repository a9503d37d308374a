"""Streams and rows in, answers out: what a caller may see, and what he can do now."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec
from shared_events import orders as order_facts
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.orders import OrderDelayAttributed
from shared_events.review import (
    EvaluationEvent,
    EvaluationOpened,
    Incentive,
    ReviewAmended,
    ReviewSubmitted,
    ReviewWeighted,
    Side,
    WeightCode,
    WeightReason,
)
from shared_runtime.decider import Actor, Decider
from shared_runtime.fields import Money
from shared_runtime.reading import Cursors, PositionOf

from review_service.domain.actions import Action, evaluation_actions, order_actions
from review_service.domain.commands import BuyerReview, EvaluationCommand
from review_service.domain.double_blind import SIDES
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    Open,
    Paused,
    Revealed,
    Unopened,
    Written,
    evolve,
)
from review_service.domain.order import Placed, Stage
from review_service.domain.policy import Policies

REFERENCE_CURRENCY = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLineView:
    """A quantity of one product. The discount is for the whole line."""

    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: Money
    line_discount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayView:
    """Whom a late delivery is attributed to, if not to the seller."""

    incident_id: str
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order and how far it has come. An instant is null until it is reached."""

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    stage: Stage
    lines: list[OrderLineView]
    order_discount: Money
    shipping: Money
    total: Money
    total_ref: Money
    withdrawal_right: bool
    policy_version: str
    placed_at: datetime
    dispatch_by: datetime | None
    deliver_by: datetime | None
    paid_at: datetime | None
    payment_ref: str | None
    shipped_at: datetime | None
    tracking_id: str | None
    delivered_at: datetime | None
    signed: bool | None
    late: bool | None
    auto_complete_at: datetime | None
    completed_at: datetime | None
    completion_no: int
    reopened_at: datetime | None
    cancelled_at: datetime | None
    delay: DelayView | None
    available_actions: list[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """A code of a review's weight and its effect: 0, the cap or factor used, or 1000."""

    code: WeightCode
    effect_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """One side's review. Its weight is known from the reveal on."""

    review_id: str
    by: Side
    version: int
    submitted_at: datetime
    quality: int | None
    logistics: int | None
    service: int | None
    rating: int | None
    incentive: Incentive
    weight_milli: int | None
    reasons: list[ReasonView] | None


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
class EventView:
    """What has happened, as it was recorded. `version` counts what the reader may see."""

    version: int
    id: str
    type: str
    time: datetime
    actor: str
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    items: list[EventView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerReviewView:
    """A buyer's review of a seller. It counts `weight_milli` of 1000, for these reasons."""

    review_id: str
    quality: int
    logistics: int
    service: int
    weight_milli: int
    reasons: list[ReasonView]
    verified_purchase: bool
    revealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerReviewPage:
    items: list[SellerReviewView]
    next_cursor: str | None


def order_view(order: Placed, actor: Actor, now: datetime, policies: Policies) -> OrderView:
    placed = order.placed

    def money(minor: int) -> Money:
        return Money(amount=minor, currency=placed.currency)

    done = order.stage == "COMPLETED"
    return OrderView(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        marketplace_id=placed.marketplace_id,
        country=placed.country,
        currency=placed.currency,
        stage=order.stage,
        lines=[
            OrderLineView(
                line_id=line.line_id,
                sku=line.sku,
                category=line.category,
                quantity=line.quantity,
                unit_price=money(line.unit_price_minor),
                line_discount=money(line.line_discount_minor),
            )
            for line in placed.lines
        ],
        order_discount=money(placed.order_discount_minor),
        shipping=money(placed.shipping_minor),
        total=money(placed.total_minor),
        total_ref=Money(amount=placed.total_ref_minor, currency=REFERENCE_CURRENCY),
        withdrawal_right=placed.withdrawal_right,
        policy_version=placed.policy_version,
        placed_at=placed.placed_at,
        dispatch_by=placed.dispatch_by,
        deliver_by=order.deliver_by,
        paid_at=order.paid.paid_at if order.paid else None,
        payment_ref=order.paid.payment_ref if order.paid else None,
        shipped_at=order.shipped.shipped_at if order.shipped else None,
        tracking_id=order.shipped.tracking_id if order.shipped else None,
        delivered_at=order.delivered.delivered_at if order.delivered else None,
        signed=order.delivered.signed if order.delivered else None,
        late=late_of(order),
        auto_complete_at=order.delivered.auto_complete_at if order.delivered else None,
        completed_at=order.completions[-1].completed_at if done else None,
        completion_no=len(order.completions),
        reopened_at=order.reopenings[-1].reopened_at if order.reopenings else None,
        cancelled_at=order.cancelled.cancelled_at if order.cancelled else None,
        delay=delay_view(order.delay),
        available_actions=order_actions(order, actor, now, policies),
    )


def delay_view(delay: OrderDelayAttributed | None) -> DelayView | None:
    if delay is None:
        return None
    return DelayView(incident_id=delay.incident_id, liable=delay.liable)


def late_of(order: Placed) -> bool | None:
    """Without a delivery the completion serves as one."""
    if order.stage == "COMPLETED":
        return order.completions[-1].late
    return order.delivered.late if order.delivered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An evaluation with what its readers need besides its state.

    `written` is how many events tell of each side's review while it is hidden.
    """

    evaluation: Evaluation = field(default_factory=Unopened)
    version: int = 0
    opened_at: datetime | None = None
    written: dict[Side, int] = field(default_factory=dict[Side, int])
    submitted_at: dict[Side, datetime] = field(default_factory=dict[Side, datetime])
    weighted: dict[Side, ReviewWeighted] = field(default_factory=dict[Side, ReviewWeighted])

    def version_for(self, side: Side | None) -> int:
        """The version as that side may know it: what is hidden from him does not count."""
        if isinstance(self.evaluation, Revealed):
            return self.version
        return self.version - sum(n for writer, n in self.written.items() if writer != side)


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
    match event:
        case EvaluationOpened():
            return replace(after, opened_at=event.opened_at)
        case ReviewSubmitted(side=side):
            submitted_at = {**seen.submitted_at, side: event.submitted_at}
            return replace(after, written=one_more(seen.written, side), submitted_at=submitted_at)
        case ReviewAmended(side=side):
            return replace(after, written=one_more(seen.written, side))
        case ReviewWeighted(side=side):
            return replace(after, weighted={**seen.weighted, side: event})
        case _:
            return after


def one_more(written: dict[Side, int], side: Side) -> dict[Side, int]:
    return {**written, side: written.get(side, 0) + 1}


def evaluation_view(
    order_id: str, seen: Seen, actor: Actor, now: datetime, policies: Policies
) -> EvaluationView:
    """What this actor may see. Only the parties have a side; nobody else sees a hidden review."""
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
            review_view(seen, side, review)
            for side in SIDES
            if known and (review := known.reviews.get(side))
            if isinstance(state, Revealed) or side == actor.acts_as
        ],
        available_actions=evaluation_actions(state, actor, now, policies),
    )


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


def review_view(seen: Seen, side: Side, review: Written) -> ReviewView:
    content = review.content
    by_buyer = content if isinstance(content, BuyerReview) else None
    weighted = seen.weighted.get(side)
    return ReviewView(
        review_id=review.review_id,
        by=side,
        version=review.version,
        submitted_at=seen.submitted_at[side],
        quality=by_buyer.quality if by_buyer else None,
        logistics=by_buyer.logistics if by_buyer else None,
        service=by_buyer.service if by_buyer else None,
        rating=None if isinstance(content, BuyerReview) else content.rating,
        incentive=by_buyer.incentive if by_buyer else "NONE",
        weight_milli=weighted.weight_milli if weighted else None,
        reasons=reason_views(weighted.reasons) if weighted else None,
    )


def reason_views(reasons: Iterable[WeightReason]) -> list[ReasonView]:
    return [ReasonView(code=reason.code, effect_milli=reason.effect_milli) for reason in reasons]


def visible(
    history: Sequence[Recorded[EvaluationEvent]], seen: Seen, side: Side | None
) -> list[Recorded[EvaluationEvent]]:
    """The events that this side may know of."""
    if isinstance(seen.evaluation, Revealed):
        return [*history]
    return [recorded for recorded in history if not is_hidden(recorded.event, side)]


def is_hidden(event: EvaluationEvent, side: Side | None) -> bool:
    """Before the reveal: whatever tells of the review of another side."""
    return isinstance(event, ReviewSubmitted | ReviewAmended) and event.side != side


def event_page(
    history: Sequence[Recorded[Any]], of: str, limit: int, cursor: str | None, cursors: Cursors
) -> EventPage:
    """A page of a history, oldest first. `of` names the list to its cursors."""
    last = cursors.last(of, cursor)
    start = int(last[0]) if last else 0
    end = min(start + limit, len(history))
    return EventPage(
        items=event_views(history[start:end], start + 1),
        next_cursor=cursors.text(of, [end]) if end < len(history) else None,
    )


def event_views(history: Iterable[Recorded[Any]], first: int) -> list[EventView]:
    return [
        EventView(
            version=version,
            id=recorded.event_id,
            type=recorded.type,
            time=recorded.time,
            actor=recorded.actor,
            data=recorded.event,
        )
        for version, recorded in enumerate(history, first)
    ]


REACHED = """
    SELECT position FROM es.cursor WHERE subscription = $1 AND topic = $2 AND partition = $3
"""
ALWAYS_CURRENT = sys.maxsize
SELLER_REVIEWS_FIRST = """
    SELECT * FROM read.seller_reviews WHERE seller_id = $1
    ORDER BY revealed_at DESC, review_id DESC, tie DESC LIMIT $2
"""
SELLER_REVIEWS_AFTER = """
    SELECT * FROM read.seller_reviews WHERE seller_id = $1
        AND (revealed_at, review_id, tie) < ($3, $4, $5)
    ORDER BY revealed_at DESC, review_id DESC, tie DESC LIMIT $2
"""


async def seller_reviews(
    pool: asyncpg.Pool, seller_id: str, limit: int, after: Sequence[Any] | None
) -> tuple[list[SellerReviewView], list[str | int] | None]:
    """A page of a seller's reviews, newest first, and where it ends if more follow."""
    rows = await (
        pool.fetch(SELLER_REVIEWS_FIRST, seller_id, limit + 1)
        if after is None
        else pool.fetch(
            SELLER_REVIEWS_AFTER, seller_id, limit + 1, datetime.fromisoformat(after[0]), *after[1:]
        )
    )
    page = rows[:limit]
    views = [seller_review_view(row) for row in page]
    if len(rows) <= limit:
        return views, None
    last = page[-1]
    return views, [last["revealed_at"].isoformat(), last["review_id"], last["tie"]]


def seller_review_view(row: asyncpg.Record) -> SellerReviewView:
    return SellerReviewView(
        review_id=row["review_id"],
        quality=row["quality"],
        logistics=row["logistics"],
        service=row["service"],
        weight_milli=row["weight_milli"],
        reasons=msgspec.json.decode(row["reasons"], type=list[ReasonView]),
        verified_purchase=True,  # there is no review without an order that was completed
        revealed_at=row["revealed_at"],
    )


def opened_up_to(pool: asyncpg.Pool, subscription: str) -> PositionOf:
    """How far completed orders have had their evaluations opened; streams are always current."""

    async def position(topic: str, partition: int) -> int | None:
        if topic == review.TOPIC:
            return ALWAYS_CURRENT
        if topic != order_facts.TOPIC:
            return None
        reached: int | None = await pool.fetchval(REACHED, subscription, topic, partition)
        return reached or 0

    return position
