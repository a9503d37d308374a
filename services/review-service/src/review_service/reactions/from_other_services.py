"""Events of the other services in; facts, and what they ask of orders and evaluations, out.

Facts and what is decided on them are one transaction. Of an order, one worker at a time does it; of
cases, measures and erasures, which may be about many orders, one worker alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from shared_casework.people import person_of
from shared_events import dispute, reputation, returns
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.envelope import Recorded
from shared_events.orders import OrderDelivered
from shared_events.reputation import (
    CaseDismissed,
    CaseOpened,
    MeasureApplied,
    MeasureLifted,
    SubjectErased,
    ViolationAppealDecided,
    ViolationConfirmed,
)
from shared_events.returns import RefundIssued, ReturnClosed, UnitsAccepted
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import columns, of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded
from shared_runtime.timers import ARM, TimerName

from review_service.domain.completion import CompleteOrder
from review_service.domain.known import Known
from review_service.domain.order_rules import ORDERS, OrderCommand
from review_service.domain.policy import Policies
from review_service.domain.revision import GrantRevision
from review_service.domain.rules import EVALUATIONS
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.fact_rows import (
    MADE_GOOD,
    RIGHT_LOST,
    Dispute,
    lock_facts,
    write_facts,
)
from review_service.facts import NOTHING, Parties, read_known
from review_service.reactions.asks import (
    Asks,
    Because,
    KnownOrder,
    ask_to_grant,
    ask_to_lift_campaign,
    ask_to_pause,
    ask_to_reattribute,
    ask_to_resume,
    ask_to_reweigh,
    read_orders,
)
from review_service.reactions.reweighing import begin_to_reweigh
from review_service.reactions.timers import AUTO_COMPLETE, CAMPAIGN_END

NAME = "elsewhere"
"""As in the other three services. Cursors, metrics and alerts have it: another name would begin at
the beginning.
"""
TOPICS = (dispute.TOPIC, returns.TOPIC, reputation.TOPIC)
DISPUTES = Actor(role="SYSTEM", id="disputes")
RETURNS = Actor(role="SYSTEM", id="returns")
REPUTATION = Actor(role="SYSTEM", id="reputation")
CASE_EVENTS = (CaseOpened, CaseDismissed, ViolationConfirmed, ViolationAppealDecided)
ORDER_EVENTS = (DisputeOpened, DisputeClosed, UnitsAccepted, ReturnClosed, RefundIssued)
HANDLED = (*ORDER_EVENTS, *CASE_EVENTS, MeasureApplied, MeasureLifted, SubjectErased)

NAMED = """
    SELECT accused.case_id, told.order_id, told.review_id, told.buyer_id, told.seller_id
    FROM facts.accused_review AS accused JOIN facts.review AS told USING (review_id)
    WHERE accused.case_id = ANY($1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEvent:
    """Another service's event, and an order that it is about; `named`: the reviews of that order
    that it names.
    """

    recorded: Recorded[Any]
    order_id: str
    parties: Parties
    named: Sequence[str] = ()


def on_event(foreign: ForeignEvent, order: KnownOrder) -> Asks:
    """What an event asks of an order's evaluation."""
    recorded = foreign.recorded
    because = Because(recorded=recorded, order=order, actor=RETURNS, now=recorded.time)
    match recorded.event:
        case DisputeOpened() as opened:
            because = replace(because, actor=DISPUTES)
            return [ask_to_pause(because, as_opened(opened, recorded.time))]
        case DisputeClosed() as closed:
            return on_dispute_closed(replace(because, actor=DISPUTES), closed)
        case ReturnClosed() as closed:
            return [*on_return_closed(because, closed), *ask_to_reweigh(because)]
        case UnitsAccepted() | RefundIssued():
            return ask_to_reweigh(because)
        case _:
            return on_case(foreign, replace(because, actor=REPUTATION))


def on_case(foreign: ForeignEvent, because: Because) -> Asks:
    match foreign.recorded.event:
        case ViolationConfirmed():
            return ask_to_reweigh(because, foreign.named)
        case ViolationAppealDecided():
            return [*ask_to_reweigh(because, foreign.named), *on_case_gone(foreign, because)]
        case CaseDismissed():
            return on_case_gone(foreign, because)
        case _:
            return []


def as_opened(event: DisputeOpened, at: datetime) -> Dispute:
    return Dispute(dispute_id=event.dispute_id, order_id=event.order_id, opened_at=at)


def on_dispute_closed(because: Because, closed: DisputeClosed) -> Asks:
    asks = [ask_to_resume(because, closed.dispute_id)]
    if closed.resolved_by_seller:
        grant = GrantRevision(cause="DISPUTE", cause_id=closed.dispute_id)
        asks.append(ask_to_grant(because, grant))
    return asks + ask_to_reattribute(because) + ask_to_reweigh(because)


def on_return_closed(because: Because, closed: ReturnClosed) -> Asks:
    if closed.forced or closed.resolution not in MADE_GOOD:
        return []
    return [ask_to_grant(because, GrantRevision(cause="RETURN", cause_id=closed.return_id))]


def on_case_gone(foreign: ForeignEvent, because: Because) -> Asks:
    """What waited for the case: a campaign that has not been proven by its end."""
    return [
        ask_to_lift_campaign(because, review_id)
        for review_id in foreign.named
        if review_id in because.order.campaigns
    ]


def completion(recorded: Recorded[Any], order: KnownOrder) -> Ask[OrderCommand]:
    """A dispute's end completes an order whose time had come meanwhile."""
    open_disputes = order.facts.open_disputes(recorded.time)
    known = Known(policies=order.policies, open_disputes=open_disputes)
    return Ask(
        stream=order_stream(order.order_id),
        command=Sent(CompleteOrder(), By(actor=DISPUTES, now=recorded.time, known=known)),
        cause=recorded.event_id,
        correlation=order.order_id,
        traceparent=recorded.traceparent,
    )


type Armed = tuple[str, str, datetime, str]


def armed_again(
    foreign: ForeignEvent, order: KnownOrder, histories: Mapping[str, Sequence[Recorded[Any]]]
) -> Iterator[Armed]:
    """The timers that may have fired in vain before the end of a dispute or case was known here,
    although it came before they were due: stream, name, due, what armed it.
    """
    now = foreign.recorded.time
    match foreign.recorded.event:
        case DisputeClosed():
            delivered = order.order.delivered
            if order.order.stage == "DELIVERED" and delivered and delivered.auto_complete_at > now:
                stream = order_stream(order.order_id)
                armed_by = last_of(histories[stream], OrderDelivered)
                yield stream, str(AUTO_COMPLETE), delivered.auto_complete_at, armed_by
        case CaseDismissed() | ViolationAppealDecided(outcome="REVERSED"):
            stream = evaluation_stream(order.order_id)
            for review_id in foreign.named:
                until = order.campaigns.get(review_id)
                if until is not None and until > now:
                    timer = TimerName(CAMPAIGN_END, review_id)
                    yield stream, str(timer), until, foreign.recorded.event_id
        case _:
            return


def last_of(history: Sequence[Recorded[Any]], kind: type[OrderDelivered]) -> str:
    return [recorded.event_id for recorded in history if isinstance(recorded.event, kind)][-1]


async def orders_of(batch: Sequence[Recorded[Any]], db: Connection) -> list[ForeignEvent]:
    """Each event with the orders that it is about. A case leads to them by the reviews it names."""
    rows = await db.fetch(NAMED, [each.event.case_id for each in of_kind(batch, *CASE_EVENTS)])
    named: dict[str, dict[str, tuple[Parties, list[str]]]] = {}
    for case_id, order_id, review_id, buyer_id, seller_id in rows:
        parties = Parties(buyer_id=buyer_id, seller_id=seller_id)
        orders_named = named.setdefault(case_id, {})
        orders_named.setdefault(order_id, (parties, []))[1].append(review_id)
    found: list[ForeignEvent] = []
    for recorded in batch:
        event = recorded.event
        if isinstance(event, ORDER_EVENTS):
            parties = Parties.of(event)
            found.append(ForeignEvent(recorded=recorded, order_id=event.order_id, parties=parties))
        elif isinstance(event, CASE_EVENTS):
            found += [
                ForeignEvent(
                    recorded=recorded, order_id=order_id, parties=parties, named=review_ids
                )
                for order_id, (parties, review_ids) in named.get(event.case_id, {}).items()
            ]
    return found


async def reweigh_all(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """Has all reviews weighed again of people who lost the right to rate, or were given it back."""
    changed = [
        (person_of(recorded.event), recorded.time, recorded.event_id)
        for recorded in of_kind(batch, MeasureApplied, MeasureLifted)
        if recorded.event.measure == RIGHT_LOST
        and (isinstance(recorded.event, MeasureApplied) or recorded.event.reason == "REVERSED")
    ]
    await begin_to_reweigh(changed, db)


def on_other_services(
    own_log: PostgresLog, policies: Policies, topics: tuple[str, ...] = TOPICS
) -> Subscription:
    """What disputes, returns and reputation ask of orders and evaluations."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        about = {each.event.order_id for each in of_kind(batch, *ORDER_EVENTS)}
        of_others = any(not isinstance(each.event, ORDER_EVENTS) for each in batch)
        await lock_facts(about, db, of_any_order=of_others)
        await write_facts(batch, db)
        await reweigh_all(batch, db)
        foreign_events = await orders_of(batch, db)
        parties = {foreign.order_id: foreign.parties for foreign in foreign_events}
        known = await read_known(parties, db)
        decisions = Decisions(own_log.within(db))
        known_orders = await read_orders(
            decisions,
            {order_id: known.get(order_id, NOTHING) for order_id in parties},
            policies,
        )
        armed: dict[tuple[str, str], Armed] = {}
        for foreign in foreign_events:
            if (order := known_orders.get(foreign.order_id)) is None:
                continue
            for ask in on_event(foreign, order):
                decide_or_log(decisions, EVALUATIONS, ask)
            if isinstance(foreign.recorded.event, DisputeClosed):
                decide_or_log(decisions, ORDERS, completion(foreign.recorded, order))
            stream = order_stream(foreign.order_id)
            for timer in armed_again(foreign, order, {stream: decisions.history(stream)}):
                armed[timer[0], timer[1]] = timer
        if armed:
            await db.execute(ARM, *columns(list(armed.values()), 4))
        await decisions.append()

    return Subscription(name=NAME, topics=topics, apply=decoded(HANDLED, apply))
