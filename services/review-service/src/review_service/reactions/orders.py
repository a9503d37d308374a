"""What happens to orders in, what that asks of their evaluations out."""

from collections.abc import Sequence
from typing import Any

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
from shared_runtime.subscription import decide_or_log, decoded

from review_service.domain.commands import (
    EvaluationCommand,
    OpenEvaluation,
    PauseEvaluation,
    VoidEvaluation,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.order import orders
from review_service.domain.policy import Policies
from review_service.domain.streams import evaluation_stream
from review_service.fact_rows import ALONE, of_kind, write_facts
from review_service.facts import NOTHING, Known, Parties, read_known
from review_service.reactions.asks import Asks, Matter, read_matters, reattributed, reweighed

ORDERS = Actor(role="SYSTEM", id="orders")
EVALUATIONS = "evaluations"
"""The subscription by which orders open, pause and end their evaluations."""


def on_order(
    recorded: Recorded[OrderEvent] | Planned, open_disputes: tuple[str, ...] = ()
) -> list[Ask[EvaluationCommand]]:
    """A completed order opens its evaluation, a reopened one pauses it, a cancelled one ends it.

    Also of an event that is about to be recorded: then what it asks for comes in one commit.
    """
    now = recorded.time
    command: EvaluationCommand
    match recorded.event:
        case OrderCompleted() as order:
            command = OpenEvaluation(
                order_id=order.order_id,
                seller_id=order.seller_id,
                buyer_id=order.buyer_id,
                completed_at=order.completed_at,
                completion_no=order.completion_no,
                open_disputes=open_disputes,
                now=now,
                actor=ORDERS,
            )
        case OrderReopened() as order:
            # The number of the completion that is undone tells one reopening from the next.
            cause_id = f"completion-{order.completion_no}"
            command = PauseEvaluation(
                cause="ORDER_REOPENED", cause_id=cause_id, now=now, actor=ORDERS
            )
        case OrderCancelled() as order:
            command = VoidEvaluation(now=now, actor=ORDERS)
        case _:
            return []
    return [
        Ask(
            stream=evaluation_stream(order.order_id),
            command=command,
            cause=recorded.event_id,
            correlation=order.order_id,
        )
    ]


def on_delivery(recorded: Recorded[OrderEvent], matter: Matter) -> Asks:
    """What a delivery that went wrong asks of the review of an order that had completed."""
    match recorded.event:
        case OrderDelayAttributed():
            return reattributed(recorded, matter, recorded.time, ORDERS)
        case OrderCompleted():
            return reweighed(recorded, matter, recorded.time, ORDERS)
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
    decider, order_decider = evaluations(policies), orders(policies)

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        if of_kind(batch, OrderDelayAttributed):
            await db.execute(ALONE)
            await write_facts(batch, db)
        parties = {
            recorded.event.order_id: Parties.of(recorded.event)
            for recorded in of_kind(batch, OrderCompleted, OrderDelayAttributed)
        }
        known = await read_known(parties, db)
        decisions = Decisions(own_log.within(db))
        matters = await read_matters(decisions, delivered(batch, known), order_decider)
        asks: Asks = []
        for recorded in batch:
            order_id, event = recorded.event.order_id, recorded.event
            open_disputes = known.get(order_id, NOTHING).open_disputes(recorded.time)
            asks += on_order(recorded, open_disputes)
            if is_about_delivery(event) and order_id in matters:
                asks += on_delivery(recorded, matters[order_id])
        for ask in await decisions.unanswered(asks):
            decide_or_log(decisions, decider, ask)
        await decisions.append()

    handled = (OrderCompleted, OrderReopened, OrderCancelled, OrderDelayAttributed)
    return Subscription(
        name=EVALUATIONS, topics=(order_facts.TOPIC,), apply=decoded(handled, apply)
    )


def delivered(batch: Sequence[Recorded[Any]], known: dict[str, Known]) -> dict[str, Known]:
    """What is known of the orders whose deliveries are told of."""
    return {
        recorded.event.order_id: known.get(recorded.event.order_id, NOTHING)
        for recorded in batch
        if is_about_delivery(recorded.event)
    }
