"""A state and who asks in, what he can do now and from when till when out.

Each action is tried on the decider itself with a neutral command, so that what is offered is
what would be accepted. Listed are the commands that a caller may send; those of timers and
consumers are nobody's choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_events.orders import OrderLine
from shared_runtime.decider import Actor, Command, Decider, Refused

from review_service.domain.commands import (
    AmendReview,
    AttributeDelay,
    BuyerReview,
    CancelOrder,
    CompleteOrder,
    Content,
    EvaluationCommand,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    Measure,
    OrderCommand,
    OrderFacts,
    PlaceOrder,
    ReopenOrder,
    SellerReview,
    SubmitReview,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import Evaluation, Open, Unopened
from review_service.domain.guards import STARS_MAX
from review_service.domain.order import ROWS, Order, Placed, orders
from review_service.domain.policy import Policies

NOTHING_TO_DO = "wrong-state"
NEUTRAL_ID = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`reason_if_not` names the refusal; the window is absent where there is none."""

    action: str
    allowed: bool
    reason_if_not: str | None = None
    earliest: datetime | None = None
    latest: datetime | None = None


def order_actions(order: Order, actor: Actor, now: datetime, policies: Policies) -> list[Action]:
    """One for each command that the actor's role may ever send to an order."""
    decider = orders(policies)
    stage = order.stage if isinstance(order, Placed) else None
    last_at = order.last_at if isinstance(order, Placed) else None
    return [
        tried(
            decider,
            order,
            command,
            earliest=last_at if stage in ROWS[kind].stages else None,
        )
        for kind, command in neutral_steps(actor, now).items()
        if actor.acts_as in ROWS[kind].roles
    ]


def evaluation_actions(
    state: Evaluation,
    actor: Actor,
    now: datetime,
    policies: Policies,
    rating_right_lost: Measure | None = None,
) -> list[Action]:
    """One for each command that the actor's role may ever send to an evaluation."""
    if actor.acts_as not in ("BUYER", "SELLER"):
        return []
    submit = SubmitReview(
        review_id=free_review_id(state),
        content=neutral_review(actor),
        facts=OrderFacts(total_ref_minor=0, placed_at=now),
        rating_right_lost=rating_right_lost,
        now=now,
        actor=actor,
    )
    amend = AmendReview(content=another_review(state, actor), now=now, actor=actor)
    earliest = None if isinstance(state, Unopened) else state.sheet.completed_at
    latest = state.closes_at if isinstance(state, Open) else None
    commands: list[EvaluationCommand] = [submit, amend]
    decider = evaluations(policies)
    return [tried(decider, state, c, earliest=earliest, latest=latest) for c in commands]


def tried[S, C: Command, E](
    decider: Decider[S, C, E],
    state: S,
    command: C,
    *,
    earliest: datetime | None = None,
    latest: datetime | None = None,
) -> Action:
    """Whether the decider would record anything of this command. A no-op is nothing to offer."""
    try:
        reason = None if decider.decide(state, command) else NOTHING_TO_DO
    except Refused as refused:
        reason = refused.slug()
    return Action(
        action=type(command).__name__,
        allowed=reason is None,
        reason_if_not=reason,
        earliest=earliest,
        latest=latest,
    )


def free_review_id(state: Evaluation) -> str:
    """One that neither side's review has: a taken one would be refused, and tell that it is."""
    taken = () if isinstance(state, Unopened) else state.sheet.reviews.values()
    ids = {review.review_id for review in taken}
    free = (NEUTRAL_ID, f"{NEUTRAL_ID}-1", f"{NEUTRAL_ID}-2")
    return next(review_id for review_id in free if review_id not in ids)


def neutral_review(actor: Actor) -> Content:
    if actor.acts_as == "BUYER":
        return BuyerReview(quality=STARS_MAX, logistics=STARS_MAX, service=STARS_MAX)
    return SellerReview(rating=STARS_MAX)


def another_review(state: Evaluation, actor: Actor) -> Content:
    """One that differs from what the actor's side has written: an equal one changes nothing."""
    neutral = neutral_review(actor)
    if isinstance(state, Unopened):
        return neutral
    same = any(review.content == neutral for review in state.sheet.reviews.values())
    if not same:
        return neutral
    if isinstance(neutral, BuyerReview):
        return BuyerReview(quality=1, logistics=STARS_MAX, service=STARS_MAX)
    return SellerReview(rating=1)


def neutral_steps(actor: Actor, now: datetime) -> Mapping[type[OrderCommand], OrderCommand]:
    commands: list[OrderCommand] = [
        neutral_order(actor, now),
        MarkPaid(payment_ref=NEUTRAL_ID, now=now, actor=actor),
        MarkShipped(now=now, actor=actor),
        MarkDelivered(signed=False, now=now, actor=actor),
        CompleteOrder(by_feed=actor.acts_as == "SYSTEM", now=now, actor=actor),
        CancelOrder(by="PLATFORM", reason=NEUTRAL_ID, now=now, actor=actor),
        ReopenOrder(reason="CARRIER_CORRECTION", now=now, actor=actor),
        AttributeDelay(incident_id=NEUTRAL_ID, liable="CARRIER", now=now, actor=actor),
    ]
    return {type(command): command for command in commands}


def neutral_order(actor: Actor, now: datetime) -> PlaceOrder:
    line = OrderLine(
        line_id=NEUTRAL_ID, sku=NEUTRAL_ID, category=NEUTRAL_ID, quantity=1, unit_price_minor=0
    )
    return PlaceOrder(
        order_id=NEUTRAL_ID,
        seller_id="seller",
        buyer_id="buyer",
        marketplace_id=NEUTRAL_ID,
        country="XX",
        currency="XXX",
        placed_at=now,
        lines=(line,),
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=0,
        total_ref_minor=0,
        withdrawal_right=False,
        now=now,
        actor=actor,
    )
