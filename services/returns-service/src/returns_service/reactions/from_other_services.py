"""Events of the other services in; facts, and what they ask of ledgers and returns, out.

Facts of an order and what is decided on them are one transaction, under the lock of the order:
nothing is opened on it meanwhile.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.order_facts import evolve
from shared_casework.order_locks import lock_orders
from shared_events import dispute, orders, reputation
from shared_events.dispute import DisputeClosed, RemedyOrdered
from shared_events.envelope import Recorded
from shared_events.orders import OrderCancelled, OrderShipped
from shared_events.reputation import MeasureApplied, MeasureLifted, SubjectErased
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.ids import derived_id
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from returns_service.dispute_rows import DISPUTE_EVENTS, DISPUTES
from returns_service.domain.asking import of_cancellation as money_of_cancelled
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS, LedgerCommand
from returns_service.domain.ledger_state import Unopened
from returns_service.domain.opening import OpenLedger
from returns_service.domain.policy import Policies
from returns_service.domain.return_rules import RETURNS, ReturnCommand
from returns_service.domain.steps import ToReturn
from returns_service.domain.steps_elsewhere import of_cancellation, of_shipping
from returns_service.domain.streams import ledger_stream, return_stream
from returns_service.fact_rows import OF_PAYMENT, PaidOrder, paid_orders, write_facts
from returns_service.facts import NOTHING, read_facts
from returns_service.reactions.own_returns import returns_of
from returns_service.reactions.requests import REFUND, Asks, Because, request
from returns_service.reactions.timers import arm_streams
from returns_service.remedies import add_remedies
from returns_service.return_rows import write_returns

TOPICS = (orders.TOPIC, dispute.TOPIC, reputation.TOPIC)
ORDERS = Actor(role="SYSTEM", id="orders")
OF_ORDERS: tuple[type[Struct], ...] = (*OF_PAYMENT, OrderShipped, *DISPUTE_EVENTS)
HANDLED: tuple[type[Struct], ...] = (*OF_ORDERS, MeasureApplied, MeasureLifted, SubjectErased)


def on_other_services(
    own_log: PostgresLog, policies: Policies, topics: tuple[str, ...] = TOPICS
) -> Subscription:
    """What orders, disputes and reputation tell returns-service."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        told = of_kind(batch, *OF_ORDERS)
        if told:
            await lock_orders({recorded.event.order_id for recorded in told}, db)
        await write_facts(batch, db)
        await add_remedies(of_kind(batch, RemedyOrdered), db)
        decisions = Decisions(own_log.within(db))
        opening = [opening_of(paid, policies) for paid in await paid_orders(batch, db)]
        await request(decisions, opening, db)
        cancelled = of_kind(batch, OrderCancelled)
        await decisions.read(ledger_stream(each.event.order_id) for each in cancelled)
        await request(decisions, cancellations(decisions, cancelled, policies), db)
        moved = of_kind(batch, OrderShipped, OrderCancelled)
        await tell_withdrawals(moved, decisions, policies, db)
        await write_returns(decisions.planned, decisions.log)
        await decisions.append()
        await end_contests(of_kind(batch, DisputeClosed), own_log, policies, db)

    return Subscription(name="elsewhere", topics=topics, apply=decoded(HANDLED, apply))


def opening_of(paid: PaidOrder, policies: Policies) -> Ask[LedgerCommand]:
    order, recorded = paid
    known = Known(policies=policies, order=order)
    return because(recorded, policies).ask(OpenLedger(), known=known)


def cancellations(
    decisions: Decisions, cancelled: Iterable[Recorded[OrderCancelled]], policies: Policies
) -> Asks:
    """What orders that were paid and have ended ask of their ledgers. Where the marketplace gives
    the money back, its connector says so, before it tells of the end.
    """
    asks: Asks = []
    for recorded in cancelled:
        ledger = decisions.state(LEDGERS, ledger_stream(recorded.event.order_id))
        if isinstance(ledger, Unopened):
            continue  # it was never paid
        policy = policies.of(ledger.opened.policy_version)
        if policy.refund_on_cancel == "LEDGER":
            said = money_of_cancelled(ledger, derived_id(recorded.event_id, REFUND))
            asks.append(because(recorded, policies).ask(said))
    return asks


async def tell_withdrawals(
    moved: Sequence[Recorded[OrderShipped | OrderCancelled]],
    decisions: Decisions,
    policies: Policies,
    db: Connection,
) -> None:
    """What was withdrawn from and not shipped is to come back once it is shipped after all; once
    the order has ended, it never will be.
    """
    if not moved:
        return
    facts = await read_facts({each.event.order_id for each in moved}, db)
    await decisions.read(
        return_stream(row.return_id) for each in facts.values() for row in each.returns
    )
    asks: list[Ask[ReturnCommand]] = []
    for recorded in moved:
        of_order = facts.get(recorded.event.order_id, NOTHING)
        held = returns_of(decisions, of_order)
        goods = isinstance(recorded.event, OrderShipped)
        for step in of_shipping(held) if goods else of_cancellation(held):
            assert isinstance(step, ToReturn)
            stream = return_stream(step.return_id)
            known = of_order.known_of_return(
                recorded.time,
                policies,
                return_id=step.return_id,
                history=decisions.history(stream),
            )
            # The order's own facts may come later than this.
            order = known.order and evolve(known.order, recorded.event)
            by = By(actor=ORDERS, now=recorded.time, known=replace(known, order=order))
            asks.append(
                Ask(
                    stream=stream,
                    command=Sent(step.said, by),
                    cause=recorded.event_id,
                    correlation=recorded.event.order_id,
                    traceparent=recorded.traceparent,
                )
            )
    for ask in await decisions.unanswered(asks):
        decide_or_log(decisions, RETURNS, ask)


async def end_contests(
    closed: Sequence[Recorded[DisputeClosed]],
    own_log: PostgresLog,
    policies: Policies,
    db: Connection,
) -> None:
    """Goods that were contested in vain are to be sent back: from now on there is a time for it."""
    if not closed:
        return
    rows = await DISPUTES.read({each.event.dispute_id for each in closed}, db)
    streams = {return_stream(row.return_id) for row in rows.values() if row.return_id}
    await arm_streams(streams, own_log.within(db), policies, db)


def because(recorded: Recorded[Any], policies: Policies) -> Because:
    return Because(
        actor=ORDERS,
        event_id=recorded.event_id,
        time=recorded.time,
        order_id=recorded.event.order_id,
        policies=policies,
    )
