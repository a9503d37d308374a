"""What happens to orders in, what that asks of their evaluations out."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from shared_events import orders as order_facts
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderEvent,
    OrderReopened,
)
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, Planned, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from review_service.domain.closing_clock import OpenEvaluation, PauseEvaluation
from review_service.domain.double_blind import VoidEvaluation
from review_service.domain.known import Known
from review_service.domain.policy import Policies
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.streams import evaluation_stream
from review_service.fact_rows import lock_facts, write_facts
from review_service.facts import NOTHING, FactsOf, Parties, read_known
from review_service.reactions.asks import (
    Asks,
    Because,
    KnownOrder,
    ask_to_reattribute,
    ask_to_reweigh,
    read_orders,
)

ORDERS = Actor(role="SYSTEM", id="orders")
OPENING = "evaluations"
"""The subscription by which orders open, pause and end their evaluations."""


def on_order(
    recorded: Recorded[OrderEvent] | Planned, known: Known
) -> list[Ask[EvaluationCommand]]:
    """A completed order opens its evaluation, a reopened one pauses it, a cancelled one ends it.

    Also of an event that is about to be recorded: then what it asks for comes in one commit.
    """
    said: Struct
    match recorded.event:
        case OrderCompleted() as order:
            said = OpenEvaluation(
                order_id=order.order_id,
                seller_id=order.seller_id,
                buyer_id=order.buyer_id,
                completed_at=order.completed_at,
                completion_no=order.completion_no,
            )
        case OrderReopened() as order:
            # The number of the completion that is undone tells one reopening from the next.
            cause_id = f"completion-{order.completion_no}"
            said = PauseEvaluation(cause="ORDER_REOPENED", cause_id=cause_id)
        case OrderCancelled() as order:
            said = VoidEvaluation()
        case _:
            return []
    return [
        Ask(
            stream=evaluation_stream(order.order_id),
            command=Sent(said, By(actor=ORDERS, now=recorded.time, known=known)),
            cause=recorded.event_id,
            correlation=order.order_id,
            traceparent=recorded.traceparent,
        )
    ]


def on_delivery(recorded: Recorded[OrderEvent], order: KnownOrder) -> Asks:
    """What a delivery that went wrong asks of the review of an order that had completed."""
    because = Because(recorded=recorded, order=order, actor=ORDERS, now=recorded.time)
    match recorded.event:
        case OrderDelayAttributed():
            return ask_to_reattribute(because)
        case OrderCompleted():
            return ask_to_reweigh(because)
        case _:
            return []


def is_about_delivery(event: OrderEvent) -> bool:
    """A delay, or a late delivery that came after the order had completed once."""
    match event:
        case OrderDelayAttributed():
            return True
        case OrderCompleted(completion_no=number, late=late):
            return late and number > 1
        case _:
            return False


def on_own_orders(own_log: PostgresLog, policies: Policies) -> Subscription:
    """What orders ask of their evaluations. A cause never comes before its own cause: both are
    orders of one seller, in one partition of one log, in their order.
    """

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        if delays := of_kind(batch, OrderDelayAttributed):
            await lock_facts([each.event.order_id for each in delays], db)
            await write_facts(batch, db)
        parties = {
            recorded.event.order_id: Parties.of(recorded.event)
            for recorded in of_kind(batch, OrderCompleted, OrderDelayAttributed)
        }
        known = await read_known(parties, db)
        decisions = Decisions(own_log.within(db))
        known_orders = await read_orders(decisions, delivered(batch, known), policies)
        asks: Asks = []
        for recorded in batch:
            order_id, event = recorded.event.order_id, recorded.event
            open_disputes = known.get(order_id, NOTHING).open_disputes(recorded.time)
            asks += on_order(recorded, Known(policies=policies, open_disputes=open_disputes))
            if is_about_delivery(event) and order_id in known_orders:
                asks += on_delivery(recorded, known_orders[order_id])
        for ask in await decisions.unanswered(asks):
            decide_or_log(decisions, EVALUATIONS, ask)
        await decisions.append()

    handled = (OrderCompleted, OrderReopened, OrderCancelled, OrderDelayAttributed)
    return Subscription(name=OPENING, topics=(order_facts.TOPIC,), apply=decoded(handled, apply))


def delivered(batch: Sequence[Recorded[Any]], known: dict[str, FactsOf]) -> dict[str, FactsOf]:
    """What is known of the orders whose deliveries are told of."""
    return {
        recorded.event.order_id: known.get(recorded.event.order_id, NOTHING)
        for recorded in batch
        if is_about_delivery(recorded.event)
    }
