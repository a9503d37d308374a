"""Order events and passed deadlines in, commands out; own events in, deadlines out."""

from collections.abc import Sequence

from shared_events import orders as order_facts
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    OrderReopened,
)
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewsRevealed,
)
from shared_runtime.decider import Actor
from shared_runtime.delivery import Subscription
from shared_runtime.log import Ask, Decisions, Planned, PostgresLog
from shared_runtime.subscription import decide_or_log, reaction
from shared_runtime.timers import TIMER, Arm, Cancel, DueTimer, Fire, timer_subscription

from review_service.domain.commands import (
    CloseEvaluation,
    CompleteOrder,
    EvaluationCommand,
    OpenEvaluation,
    OrderCommand,
    OrderFacts,
    PauseEvaluation,
    ResumeEvaluation,
    VoidEvaluation,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.order import Placed, facts_of, orders
from review_service.domain.policy import Policies
from review_service.domain.streams import evaluation_stream, order_id_of, order_stream

ORDERS = Actor(role="SYSTEM", id="orders")
AUTO_COMPLETE = "AUTO_COMPLETE"
EVALUATION_CLOSE = "EVALUATION_CLOSE"
PAUSE_CAP = "PAUSE_CAP"
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


def timers_of(  # noqa: PLR0911 - one arm for each event
    event: OrderEvent | EvaluationEvent,
) -> list[Arm | Cancel]:
    """The deadlines of the event's own stream that it sets or takes away."""
    match event:
        case OrderDelivered(auto_complete_at=due):
            return [Arm(name=AUTO_COMPLETE, due=due)]
        case OrderCompleted() | OrderCancelled():
            return [Cancel(name=AUTO_COMPLETE)]
        case EvaluationOpened(closes_at=due):
            return [Arm(name=EVALUATION_CLOSE, due=due)]
        case EvaluationPaused(cap_at=due):
            return [Cancel(name=EVALUATION_CLOSE), Arm(name=PAUSE_CAP, due=due)]
        case EvaluationResumed(closes_at=due) if due is not None:
            return [Cancel(name=PAUSE_CAP), Arm(name=EVALUATION_CLOSE, due=due)]
        case ReviewsRevealed() | EvaluationClosed():
            return [Cancel(name=EVALUATION_CLOSE), Cancel(name=PAUSE_CAP)]
        case _:
            return []


def on_order_timer(timer: DueTimer, open_disputes: tuple[str, ...] = ()) -> Ask[OrderCommand]:
    """AUTO_COMPLETE: nobody complained, so the order completes by itself."""
    assert timer.name == AUTO_COMPLETE
    command = CompleteOrder(open_disputes=open_disputes, now=timer.now, actor=TIMER)
    return asked(timer, command)


def on_evaluation_timer(timer: DueTimer, facts: OrderFacts) -> Ask[EvaluationCommand]:
    """EVALUATION_CLOSE and PAUSE_CAP: the window is over, or the longest pause."""
    if timer.name == PAUSE_CAP:
        return asked(timer, ResumeEvaluation(now=timer.now, actor=TIMER))
    assert timer.name == EVALUATION_CLOSE
    return asked(timer, CloseEvaluation(facts=facts, now=timer.now, actor=TIMER))


def asked[C](timer: DueTimer, command: C) -> Ask[C]:
    return Ask(
        stream=timer.stream,
        command=command,
        cause=timer.cause,
        correlation=order_id_of(timer.stream),
    )


def on_own_orders(own_log: PostgresLog, policies: Policies) -> Subscription:
    """What orders ask of their evaluations. A cause never comes before its own cause: both are
    orders of one seller, in one partition of one log, in their order.
    """
    decider = evaluations(policies)

    async def react(decisions: Decisions, batch: Sequence[Recorded[OrderEvent]]) -> None:
        asks = [ask for recorded in batch for ask in on_order(recorded)]
        await decisions.read(ask.stream for ask in asks)
        for ask in asks:
            decide_or_log(decisions, decider, ask)

    handled = (OrderCompleted, OrderReopened, OrderCancelled)
    return Subscription(
        name=EVALUATIONS,
        topics=(order_facts.TOPIC,),
        apply=reaction(handled, react, own_log),
    )


def deadlines() -> Subscription:
    """Sets and takes away the deadlines of orders and evaluations."""
    return timer_subscription(
        (order_facts.TOPIC, review.TOPIC),
        (
            OrderDelivered,
            OrderCompleted,
            OrderCancelled,
            EvaluationOpened,
            EvaluationPaused,
            EvaluationResumed,
            EvaluationClosed,
            ReviewsRevealed,
        ),
        timers_of,
    )


def on_deadlines(policies: Policies) -> Fire:
    """Decides on hundreds of passed deadlines at once."""
    order_decider, evaluation_decider = orders(policies), evaluations(policies)

    async def fire(decisions: Decisions, timers: Sequence[DueTimer]) -> None:
        names = {order_stream(order_id_of(timer.stream)) for timer in timers}
        await decisions.read({*names, *(timer.stream for timer in timers)})
        for timer in timers:
            if timer.name == AUTO_COMPLETE:
                decide_or_log(decisions, order_decider, on_order_timer(timer))
                continue
            order = decisions.state(order_decider, order_stream(order_id_of(timer.stream)))
            assert isinstance(order, Placed)  # an evaluation is of an order that was completed
            decide_or_log(
                decisions, evaluation_decider, on_evaluation_timer(timer, facts_of(order))
            )

    return fire
