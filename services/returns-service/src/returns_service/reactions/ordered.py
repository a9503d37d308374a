"""A remedy that waits in, what carries it out out, once nothing is in the way."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Database, Decisions
from shared_runtime.rows import columns
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log
from shared_runtime.timers import ARM

from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Unopened
from returns_service.domain.policy import Policies
from returns_service.domain.return_rules import RETURNS, ReturnCommand
from returns_service.domain.steps import ToLedger, ToReturn
from returns_service.domain.steps_elsewhere import of_remedy_ordered
from returns_service.domain.streams import ledger_stream, return_stream, step_id_of
from returns_service.facts import FactsOf
from returns_service.reactions.own_returns import returns_of
from returns_service.reactions.requests import Asks, Because, request
from returns_service.remedies import Trying, WaitingRemedy, forget_remedies

AGAIN_FIRST = timedelta(seconds=5)
AGAIN_AFTER = timedelta(minutes=10)
"""Tried again after the first, twice as late each time, and after this at the latest; at once when
the ledger of its order is opened.
"""
DISPUTES = Actor(role="SYSTEM", id="disputes")


async def carry_out_remedies(
    decisions: Decisions,
    attempts: Sequence[Trying],
    facts: Mapping[str, FactsOf],
    policies: Policies,
    db: Database,
) -> None:
    """Under the lock of their orders: nothing is opened between the look at it and the answer. Of
    each order one at a time: the next one sees what this one has taken.
    """
    await decisions.read(streams_of(attempts, facts))
    asks: Asks = []
    done: list[str] = []
    again: list[tuple[Any, ...]] = []
    touched: set[str] = set()
    for timer, attempt, remedy in attempts:
        order_id = remedy.told.order_id
        of_order = None if order_id in touched else facts.get(order_id)
        carried_out = carried(decisions, remedy, of_order, policies) if of_order else None
        if carried_out is None:
            wait = timedelta(0) if order_id in touched else again_after(attempt.number)
            due = timer.now + wait
            again.append((timer.stream, str(attempt.next.name), due, remedy.event_id))
        else:
            asks += carried_out
            done.append(attempt.remedy_id)
        touched.add(order_id)
    await request(decisions, asks, db)
    await forget_remedies(done, db)
    if again:
        await db.execute(ARM, *columns(again, 4))


def again_after(tries: int) -> timedelta:
    """How long one waits that was tried so often in vain."""
    return min(AGAIN_AFTER, AGAIN_FIRST * (1 << min(tries - 1, 10)))


def streams_of(attempts: Sequence[Trying], facts: Mapping[str, FactsOf]) -> set[str]:
    """The ledgers of their orders, and the returns that there are of these, or will be."""
    streams: set[str] = set()
    for _, _, remedy in attempts:
        order_id = remedy.told.order_id
        new = step_id_of(remedy.event_id, "return")
        streams |= {ledger_stream(order_id), return_stream(new)}
        if of_order := facts.get(order_id):
            streams |= {return_stream(each.return_id) for each in of_order.returns}
    return streams


def carried(
    decisions: Decisions, remedy: WaitingRemedy, of_order: FactsOf, policies: Policies
) -> Asks | None:
    """What is asked of the ledger for it, after returns were told; None while that is not open."""
    told, at = remedy.told, remedy.ordered_at
    if isinstance(decisions.state(LEDGERS, ledger_stream(told.order_id)), Unopened):
        return None
    because = Because(
        actor=DISPUTES,
        event_id=remedy.event_id,
        time=at,
        order_id=told.order_id,
        policies=policies,
    )
    pieces = of_order.known_of_return(at, policies).pieces
    held = {each.return_id: each for each in returns_of(decisions, of_order)}
    asks: Asks = []
    for step in of_remedy_ordered(remedy.event_id, told, pieces, held):
        match step:
            case ToLedger(said=said):
                asks.append(because.ask(said))
            case ToReturn(return_id=return_id, said=said):
                stream = return_stream(return_id)
                known = of_order.known_of_return(
                    at, policies, return_id=return_id, history=decisions.history(stream)
                )
                ask: Ask[ReturnCommand] = Ask(
                    stream=stream,
                    command=Sent(said, By(actor=DISPUTES, now=at, known=known)),
                    cause=remedy.event_id,
                    correlation=told.order_id,
                )
                decide_or_log(decisions, RETURNS, ask)
            case _:
                pass  # carrier and stock are asked because of what returns then tell
    return asks
