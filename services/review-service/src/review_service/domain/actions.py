"""An order and who asks in, what he can do now and from when till when out.

Each action is tried on the decider itself with a neutral command, so that what is offered is
what would be accepted.
"""

from collections.abc import Mapping
from datetime import datetime

from shared_events.orders import OrderLine
from shared_runtime.decider import Actor, Command, Decider, Refused
from shared_runtime.rules import Action

from review_service.domain.commands import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    OrderCommand,
    PlaceOrder,
    ReopenOrder,
)
from review_service.domain.order import ROWS, Order, Placed, orders
from review_service.domain.policy import Policies

NOTHING_TO_DO = "wrong-state"
NEUTRAL_ID = "neutral"


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
    name, allowed = type(command).__name__, reason is None
    return Action(name, allowed, reason, earliest=earliest, latest=latest)


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
        country="DE",
        currency="EUR",
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
