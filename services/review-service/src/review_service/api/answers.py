"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from datetime import UTC, datetime, timedelta

import msgspec
from shared_runtime.decider import Actor, events_of
from shared_runtime.documents import answered, commanded
from shared_runtime.history import EventPage, example_page
from shared_runtime.rule import By, Sent

from review_service.api import examples
from review_service.domain.closing_clock import OpenEvaluation
from review_service.domain.double_blind import SubmitReview
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.known import Known
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.policy import policies
from review_service.domain.readers import read_by
from review_service.domain.rules import EVALUATIONS
from review_service.domain.weight import WeightFacts
from review_service.order_views import OrderView, order_view
from review_service.told_order import ToldOrder, place_order
from review_service.views import AppealView, EvaluationView, FlagView, evaluation_view


def _example() -> tuple[OrderView, EvaluationView, EventPage]:
    """An order that was delivered, then the evaluation that its buyer has written in."""
    known = policies()
    feed = Actor(role="SYSTEM", id="market")
    placed = place_order(msgspec.convert(examples.ORDER, ToldOrder))
    buyer = Actor(role="BUYER", id=placed.buyer_id)
    at = placed.placed_at + timedelta(hours=1)
    by_feed = By(actor=feed, now=at, known=Known(policies=known))
    told = [
        placed,
        MarkPaid(payment_ref="P-1"),
        MarkShipped(tracking_id="BR123"),
        MarkDelivered(signed=True),
    ]
    order_history = events_of(ORDERS, [Sent(said, by_feed) for said in told])
    order = ORDERS.fold(order_history)
    assert isinstance(order, Placed)
    facts = WeightFacts(
        total_ref_minor=placed.total_ref_minor, placed_at=placed.placed_at, late=False
    )
    known_then = Known(policies=known, facts=facts)
    opened = OpenEvaluation(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        completed_at=at,
        completion_no=1,
    )
    written = SubmitReview(review_id="R-1", quality=5, logistics=4, service=5, incentive="NONE")
    by_buyer = By(actor=buyer, now=at, known=known_then)
    history = events_of(
        EVALUATIONS,
        [Sent(opened, By(actor=feed, now=at, known=known_then)), Sent(written, by_buyer)],
    )
    reading = read_by(buyer, history)
    return (
        order_view(order, by_buyer),
        evaluation_view(placed.order_id, reading, by_buyer, lambda _, __: examples.REF),
        example_page(order_history[0], at=at, actor=str(feed)),
    )


_ORDER, _EVALUATION, _EVENTS = _example()
ORDER = answered(OrderView, example=_ORDER, headers=("ETag",))
ORDER_COMMAND = commanded(OrderView, _ORDER)
EVALUATION = answered(EvaluationView, example=_EVALUATION, headers=("ETag",))
EVALUATION_COMMAND = commanded(EvaluationView, _EVALUATION)
EVENTS = answered(EventPage, example=_EVENTS)
_FLAG = FlagView(
    ref=examples.REF,
    flag_id="F-1",
    reason="PERSONAL_DATA",
    text="It names my street.",
    decide_by=datetime(2026, 1, 25, 10, tzinfo=UTC),
    outcome="KEPT",
    appeal_until=datetime(2026, 7, 25, 10, tzinfo=UTC),
)
_APPEAL = AppealView(
    appeal_id="A-1",
    against="RESTRICTED",
    text="The name is the shop's own, not a person's.",
    decide_by=datetime(2026, 2, 3, 10, tzinfo=UTC),
    outcome=None,
)
FLAG = answered(FlagView, example=_FLAG)
FLAG_COMMAND = commanded(FlagView, _FLAG)
APPEAL = answered(AppealView, example=_APPEAL)
APPEAL_COMMAND = commanded(AppealView, _APPEAL)
