"""A state and who asks in, what he can do now and from when till when out.

Each action is tried on the decider itself with a neutral command, so that what is offered is
what would be accepted. Listed are the commands that a caller may send; those of timers and
consumers are nobody's choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared_events.orders import OrderLine
from shared_events.review import Side
from shared_runtime.decider import Actor, Command, Decider, Refused, Role

from review_service.domain.commands import (
    AmendReview,
    AppendFollowUp,
    Asked,
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    EditReply,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    Measure,
    OrderCommand,
    PlaceOrder,
    PublishReply,
    ReopenOrder,
    RequestRevision,
    ReviseReview,
    SubmitReview,
    WithdrawReview,
)
from review_service.domain.double_blind import OTHER, SIDES
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.neutral import (
    NEUTRAL_ID,
    Asking,
    neutral_commands,
    nobodys_review,
)
from review_service.domain.order import ROWS, Order, Placed, orders
from review_service.domain.policy import Policies
from review_service.domain.review_state import Written
from review_service.domain.roles import ROLES
from review_service.domain.subject import may_know
from review_service.domain.windows import Window, window_of

NOTHING_TO_DO = "wrong-state"
CALLERS: tuple[Role, ...] = ("BUYER", "SELLER", "MODERATOR", "SENIOR", "ANALYST")
OF_ONES_OWN = (SubmitReview, AmendReview, WithdrawReview, AppendFollowUp, ReviseReview)
OF_THE_OTHER = (PublishReply, EditReply, RequestRevision)


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
    *,
    erased: bool = False,
    flagged_today_at: tuple[datetime, ...] = (),
    party_orgs: frozenset[str] = frozenset(),
) -> list[Action]:
    """One for each command that the actor's role may ever send to an evaluation.

    Of two reviews, the one for which the command would be taken says so.
    """
    if actor.acts_as not in CALLERS:
        return []
    asking = Asking(
        actor=actor,
        now=now,
        rating_right_lost=rating_right_lost,
        erased=erased,
        flagged_today_at=flagged_today_at,
        party_orgs=party_orgs,
    )
    return [
        evaluation_action(kind, asking, state, policies)
        for kind, roles in ROLES.items()
        if actor.acts_as in roles
    ]


def evaluation_action(
    kind: type[Asked], asking: Asking, state: Evaluation, policies: Policies
) -> Action:
    decider = evaluations(policies)
    tries: list[Action] = []
    for review in reviews_for(kind, asking.actor, state):
        window = Window()
        if not isinstance(state, Unopened):
            policy = policies.of(state.sheet.policy_version)
            window = window_of(kind, state, review, asking.actor, policy)
        tries += [
            tried(decider, state, command, earliest=window.earliest, latest=window.latest)
            for command in neutral_commands(kind, asking, state, review)
        ]
    return next((action for action in tries if action.allowed), tries[0])


def reviews_for(kind: type[Asked], actor: Actor, state: Evaluation) -> list[Written]:
    """The reviews that such a command of this actor may be about, as far as he may know."""
    sides: tuple[Side, ...] = SIDES
    if actor.acts_as in ("BUYER", "SELLER"):
        own: Side = "BUYER" if actor.acts_as == "BUYER" else "SELLER"
        other = OTHER[own]
        sides = (other,) if kind in OF_THE_OTHER else (own,) if kind in OF_ONES_OWN else SIDES
    known = (
        []
        if isinstance(state, Unopened)
        else [
            review
            for side in sides
            if (review := state.sheet.reviews.get(side)) and may_know(state, side, actor)
        ]
    )
    return known or [nobodys_review(state)]


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
