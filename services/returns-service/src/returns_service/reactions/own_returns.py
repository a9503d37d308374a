"""Own events in; what is done about them by itself out: by ledgers, returns, carrier and stock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events import returns
from shared_events.envelope import Recorded
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeFellBack,
    ExchangeShipped,
    LabelVoided,
    OfferAccepted,
    RefundIssued,
    RefundNotDue,
    RemedyAlreadyMet,
    ReturnAuthorized,
    ReturnScanned,
    UnitsAccepted,
    UnitsReplaced,
)
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from returns_service.domain.policy import Policies
from returns_service.domain.return_overdue import owes_label
from returns_service.domain.return_rules import RETURNS, ReturnCommand
from returns_service.domain.return_state import Return
from returns_service.domain.steps import (
    AskLabel,
    AskStock,
    ReleaseStock,
    Step,
    ToLedger,
    ToReturn,
    after_replacement,
    steps_of,
)
from returns_service.domain.steps_elsewhere import of_answer
from returns_service.domain.streams import ledger_stream, return_stream
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.ledger_rows import LEDGER_EVENTS, ledger_row
from returns_service.ledger_rows import LEDGERS as LEDGER_ROWS
from returns_service.reactions.requests import Asks, Because, request
from returns_service.return_rows import write_returns
from returns_service.wishes import Wished, leave_errands

GOODS = Actor(role="SYSTEM", id="returns")
OF_RETURNS = (
    ReturnAuthorized,
    OfferAccepted,
    ReturnScanned,
    UnitsAccepted,
    ExchangeFellBack,
    ExchangeShipped,
    AdvanceUnrecovered,
)
ANSWERS = (RefundIssued, RefundNotDue, RemedyAlreadyMet)
OF_LEDGERS = (*ANSWERS, UnitsReplaced)


class Stepped(Struct, frozen=True, kw_only=True):
    """A step, and the event that it follows from; its number among those."""

    step: Step
    recorded: Recorded[Any]
    number: int

    @property
    def purpose(self) -> str:
        return f"step {self.number}"


def on_own_returns(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Money follows goods, and returns end when nothing more is owed on them."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        if told := of_kind(batch, *LEDGER_EVENTS):
            await LEDGER_ROWS.fold(told, db, key_of=lambda event: event.order_id, evolve=ledger_row)
        decisions = Decisions(own_log.within(db))
        of_returns, of_ledgers = of_kind(batch, *OF_RETURNS), of_kind(batch, *OF_LEDGERS)
        order_ids = {each.event.order_id for each in of_ledgers}
        facts: Mapping[str, FactsOf] = await read_facts(order_ids, db) if order_ids else {}
        await decisions.read(
            {each.stream for each in of_returns}
            | {ledger_stream(order_id) for order_id in order_ids}
            | {return_stream(row.return_id) for each in facts.values() for row in each.returns}
        )
        steps = [*steps_after(batch, decisions, facts)]
        await request(decisions, money_in(steps, policies), db)
        for ask in await decisions.unanswered(returns_in(steps, decisions, facts, policies)):
            decide_or_log(decisions, RETURNS, ask)
        await leave_errands([*wishes_in(steps, batch, decisions)], db)
        await write_returns(decisions.planned, decisions.log)
        await decisions.append()

    handled = (*LEDGER_EVENTS, *OF_RETURNS, LabelVoided)
    return Subscription(name="returns", topics=(returns.TOPIC,), apply=decoded(handled, apply))


def steps_after(
    batch: Iterable[Recorded[Any]], decisions: Decisions, facts: Mapping[str, FactsOf]
) -> Iterator[Stepped]:
    for recorded in batch:
        for number, step in enumerate(steps_after_one(recorded, decisions, facts)):
            yield Stepped(step=step, recorded=recorded, number=number)


def steps_after_one(
    recorded: Recorded[Any], decisions: Decisions, facts: Mapping[str, FactsOf]
) -> list[Step]:
    event = recorded.event
    if isinstance(event, OF_RETURNS):
        history = decisions.history(recorded.stream)[: recorded.version]
        matter = RETURNS.fold(each.event for each in history)
        assert isinstance(matter, Return)
        return steps_of(recorded.event_id, event, matter)
    if not isinstance(event, OF_LEDGERS):
        return []
    of_order = returns_of(decisions, facts.get(event.order_id, NOTHING))
    if not isinstance(event, UnitsReplaced):
        return of_answer(event, of_order)
    waiting = replace_waiting(event, decisions)
    return [
        step
        for matter in of_order
        for step in after_replacement(f"{recorded.event_id}/{matter.return_id}", waiting, matter)
    ]


def replace_waiting(event: UnitsReplaced, decisions: Decisions) -> UnitsReplaced:
    """Of the pieces that have got their money, those whose refund was not due so long."""
    history = decisions.history(ledger_stream(event.order_id))
    waiting = {
        unit
        for each in history
        if isinstance(each.event, RefundNotDue) and each.event.why == "ORIGINAL_OUT"
        for unit in each.event.units
    }
    return replace(event, pairs=[pair for pair in event.pairs if pair.new_unit in waiting])


def returns_of(decisions: Decisions, of_order: FactsOf) -> list[Return]:
    states = (decisions.state(RETURNS, return_stream(e.return_id)) for e in of_order.returns)
    return [state for state in states if isinstance(state, Return)]


# --- Steps in, what is asked out


def money_in(steps: Iterable[Stepped], policies: Policies) -> Asks:
    return [
        because(each.recorded, policies).ask(each.step.said, purpose=each.purpose)
        for each in steps
        if isinstance(each.step, ToLedger)
    ]


def because(recorded: Recorded[Any], policies: Policies) -> Because:
    return Because(
        actor=GOODS,
        event_id=recorded.event_id,
        time=recorded.time,
        order_id=recorded.event.order_id,
        policies=policies,
    )


def returns_in(
    steps: Iterable[Stepped],
    decisions: Decisions,
    facts: Mapping[str, FactsOf],
    policies: Policies,
) -> Iterator[Ask[ReturnCommand]]:
    for each in steps:
        if isinstance(each.step, ToReturn):
            of_order = facts.get(each.recorded.event.order_id, NOTHING)
            yield to_return(each, decisions, of_order, policies)


def to_return(
    told: Stepped, decisions: Decisions, of_order: FactsOf, policies: Policies
) -> Ask[ReturnCommand]:
    step, recorded = told.step, told.recorded
    assert isinstance(step, ToReturn)
    stream = return_stream(step.return_id)
    known = of_order.known_of_return(
        recorded.time,
        policies,
        return_id=step.return_id,
        history=decisions.history(stream),
    )
    return Ask(
        stream=stream,
        command=Sent(step.said, By(actor=GOODS, now=recorded.time, known=known)),
        cause=recorded.event_id,
        correlation=recorded.event.order_id,
        purpose=told.purpose,
        traceparent=recorded.traceparent,
    )


def wishes_in(
    steps: Iterable[Stepped], batch: Iterable[Recorded[Any]], decisions: Decisions
) -> Iterator[Wished]:
    """In the order of the events: a label that is taken back is not asked for after that. Nor is
    one that is there by now: whoever reads behind what has happened asks for what is still wanted.
    """
    for each in steps:
        told = each.recorded
        if isinstance(each.step, AskLabel) and not is_label_wanted(told.stream, decisions):
            continue
        if isinstance(each.step, AskLabel | AskStock | ReleaseStock):
            yield Wished(wish=each.step, event_id=told.event_id, time=told.time)
    for recorded in of_kind(batch, LabelVoided):
        yield Wished(wish=recorded.event, event_id=recorded.event_id, time=recorded.time)


def is_label_wanted(stream: str, decisions: Decisions) -> bool:
    matter = decisions.state(RETURNS, stream)
    assert isinstance(matter, Return)
    return owes_label(matter)
