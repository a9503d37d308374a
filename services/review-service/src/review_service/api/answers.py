"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from shared_runtime.decider import Actor, Command, Decider
from shared_runtime.problems import encode_json

from review_service.api.examples import LINE
from review_service.bulk.line import Line, place_order
from review_service.domain.commands import (
    BuyerReview,
    EvaluationCommand,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    OpenEvaluation,
    OrderCommand,
    SubmitReview,
)
from review_service.domain.order import Placed, facts_of, orders
from review_service.domain.policy import policies
from review_service.queries import (
    EvaluationView,
    EventPage,
    EventView,
    OrderView,
    ReasonView,
    SellerReviewPage,
    SellerReviewView,
    evaluation_view,
    order_view,
    seen_evaluations,
)

EVENT_ID = "01945c3a-7f1e-5c55-9f59-0d6b1d0f4a11"

type Documented = dict[int | str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What `validate_only` answers: the events that would be recorded."""

    events: list[Any]


def read(model: object, example: object) -> Documented:
    """The answer of a read."""
    return {200: {"model": model, "content": _json(example)}}


def command(model: Any, example: object) -> Documented:  # noqa: ANN401 - a type form
    """The answers of a command: the state after it."""
    return {
        201: {"model": model, "content": _json(example), "description": "It was recorded."},
        200: {
            "model": model | Rehearsal,
            "content": _json(example),
            "description": "Nothing was left to record; or, with `validate_only`, what would be.",
        },
    }


def _json(example: object) -> dict[str, Any]:
    return {"application/json": {"example": msgspec.json.decode(encode_json(example))}}


def _played[S, C: Command, E](decider: Decider[S, C, E], commands: Sequence[C]) -> list[E]:
    history: list[E] = []
    for each in commands:
        history += decider.decide(decider.fold(history), each)
    return history


def _example() -> tuple[OrderView, EvaluationView, EventPage]:
    """An order that was delivered, then the evaluation that its buyer has written in."""
    known = policies()
    feed = Actor(role="SYSTEM", id="market")
    line = msgspec.convert(LINE, Line)
    placed = place_order(line.order, feed)
    buyer = Actor(role="BUYER", id=placed.buyer_id)
    at = placed.now + timedelta(hours=1)
    told: list[OrderCommand] = [
        placed,
        MarkPaid(payment_ref="P-1", now=at, actor=feed),
        MarkShipped(tracking_id="BR123", now=at, actor=feed),
        MarkDelivered(signed=True, now=at, actor=feed),
    ]
    order_history = _played(orders(known), told)
    order = orders(known).fold(order_history)
    assert isinstance(order, Placed)
    opened = OpenEvaluation(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        completed_at=at,
        completion_no=1,
        now=at,
        actor=feed,
    )
    written = SubmitReview(
        review_id="R-1",
        content=BuyerReview(quality=5, logistics=4, service=5),
        facts=facts_of(order),
        now=at,
        actor=buyer,
    )
    asked: list[EvaluationCommand] = [opened, written]
    seen = seen_evaluations(known).fold(_played(seen_evaluations(known), asked))
    event = EventView(
        version=1,
        id=EVENT_ID,
        type="OrderPlaced.v1",
        time=placed.now,
        actor=str(feed),
        data=order_history[0],
    )
    return (
        order_view(order, buyer, at, known),
        evaluation_view(placed.order_id, seen, buyer, at, known),
        EventPage(items=[event], next_cursor=None),
    )


_ORDER, _EVALUATION, _EVENTS = _example()
_REVIEW = SellerReviewView(
    review_id="R-1",
    quality=5,
    logistics=4,
    service=5,
    weight_milli=1000,
    reasons=[ReasonView(code="FULL", effect_milli=1000)],
    verified_purchase=True,
    revealed_at=datetime(2026, 1, 17, 10, tzinfo=UTC),
)
ORDER = read(OrderView, _ORDER)
ORDER_COMMAND = command(OrderView, _ORDER)
EVALUATION = read(EvaluationView, _EVALUATION)
EVALUATION_COMMAND = command(EvaluationView, _EVALUATION)
EVENTS = read(EventPage, _EVENTS)
SELLER_REVIEWS = read(SellerReviewPage, SellerReviewPage(items=[_REVIEW], next_cursor=None))
