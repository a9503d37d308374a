"""Events of the other services in; facts, and what they ask of disputes, out.

Facts of an order and what is decided on them are one transaction, under the lock of the order:
nothing is opened on it meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import MONEY_EVENTS
from shared_casework.order_locks import lock_orders
from shared_events import reputation, returns
from shared_events.envelope import Recorded
from shared_events.reputation import MeasureApplied, MeasureLifted, SubjectErased
from shared_events.returns import (
    ExchangeShipped,
    RefundIssued,
    RefundNotDue,
    RemedyAlreadyMet,
    RemedyAttached,
    ReturnClosed,
    ReturnContested,
    ReturnRequested,
)
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from dispute_service.contests import add_contests
from dispute_service.domain.execution import (
    NotDue,
    Paid,
    ReturnEnded,
    SentInstead,
    TakenIn,
    Word,
    after,
    confirmation,
)
from dispute_service.domain.known import Known
from dispute_service.domain.policy import Policies
from dispute_service.domain.rules import DISPUTES, DisputeCommand
from dispute_service.domain.streams import dispute_stream
from dispute_service.fact_rows import RETURN_EVENTS, RETURNS, GoodsReturn, write_facts
from dispute_service.matters import REMEDIES, write_matters

TOPICS = (returns.TOPIC, reputation.TOPIC)
RETURNING = Actor(role="SYSTEM", id="returns")
OF_ORDERS: tuple[type[Struct], ...] = (
    *RETURN_EVENTS,
    *MONEY_EVENTS,
    RemedyAlreadyMet,
    RefundNotDue,
)
HANDLED: tuple[type[Struct], ...] = (*OF_ORDERS, MeasureApplied, MeasureLifted, SubjectErased)


class Heard(NamedTuple):
    """A word about a remedy, and what has told it."""

    remedy_id: str
    word: Word
    recorded: Recorded[Any]


def on_other_services(
    own_log: PostgresLog, policies: Policies, topics: tuple[str, ...] = TOPICS
) -> Subscription:
    """What returns and reputation tell disputes."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        told = of_kind(batch, *OF_ORDERS)
        if told:
            await lock_orders({recorded.event.order_id for recorded in told}, db)
        await write_facts(batch, db)
        await add_contests(of_kind(batch, ReturnContested), db)
        heard = words_of(told, await carrying(told, db))
        asks = await confirmations(heard, policies, db)
        decisions = Decisions(own_log.within(db))
        for ask in await decisions.unanswered(asks):
            decide_or_log(decisions, DISPUTES, ask)
        await write_matters(decisions.planned, db)
        await decisions.append()

    return Subscription(name="elsewhere", topics=topics, apply=decoded(HANDLED, apply))


async def carrying(told: Iterable[Recorded[Any]], db: Connection) -> Mapping[str, GoodsReturn]:
    """The returns that carry out remedies, of those that something is told of that ends a part."""
    ending = of_kind([*told], ExchangeShipped, ReturnClosed)
    found = await RETURNS.read({each.event.return_id for each in ending}, db) if ending else {}
    return {return_id: goods for return_id, goods in found.items() if goods.remedies}


def words_of(told: Iterable[Recorded[Any]], carried: Mapping[str, GoodsReturn]) -> list[Heard]:
    """What a batch tells of remedies. `carried`: the returns that carry them out."""
    heard: list[Heard] = []
    for recorded in told:
        match recorded.event:
            case ReturnClosed(return_id=return_id) | ExchangeShipped(return_id=return_id):
                if goods := carried.get(return_id):
                    word = ending_of(recorded.event, goods)
                    heard += [Heard(remedy_id, word, recorded) for remedy_id in goods.remedies]
            case event:
                if (told_of := word_of(event)) and event.remedy_id:
                    heard.append(Heard(event.remedy_id, told_of, recorded))
    return heard


def ending_of(event: ReturnClosed | ExchangeShipped, goods: GoodsReturn) -> Word:
    if isinstance(event, ExchangeShipped):
        return SentInstead(units=tuple(event.units), kept=goods.kind == "CLAIM")
    return ReturnEnded(
        return_id=event.return_id,
        resolution=event.resolution,
        refunded_minor=event.refunded_minor,
    )


def word_of(event: object) -> Word | None:
    match event:
        case ReturnRequested(return_id=return_id, units=units):
            return TakenIn(return_id=return_id, units=tuple(units), own=True)
        case RemedyAttached(return_id=return_id, units=units):
            return TakenIn(return_id=return_id, units=tuple(units), own=False)
        case RefundIssued():
            return Paid(
                refund_id=event.refund_id,
                source_id=event.source_id,
                units=tuple(each.unit for each in event.units),
                amount_minor=event.total_minor,
            )
        case RemedyAlreadyMet(units=units) | RefundNotDue(units=units):
            return NotDue(units=tuple(units))
        case _:
            return None


async def confirmations(
    heard: Sequence[Heard], policies: Policies, db: Connection
) -> list[Ask[DisputeCommand]]:
    """Keeps how far each remedy is, and closes the disputes of those that are done by now."""
    if not heard:
        return []
    rows = await REMEDIES.read({each.remedy_id for each in heard}, db)
    asks: list[Ask[DisputeCommand]] = []
    for remedy_id, word, recorded in heard:
        if (row := rows.get(remedy_id)) is None:
            continue
        rows[remedy_id] = row = replace(row, execution=after(row.execution, word))
        if said := confirmation(row.execution):
            by = By(actor=RETURNING, now=recorded.time, known=Known(policies=policies))
            asks.append(
                Ask(
                    stream=dispute_stream(row.dispute_id),
                    command=Sent(said, by),
                    cause=recorded.event_id,
                    correlation=row.order_id,
                    traceparent=recorded.traceparent,
                )
            )
    await REMEDIES.write(rows.values(), db)
    return asks
