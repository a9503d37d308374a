"""A contest that waits in, the dispute of it out, once nothing is in the way."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared_casework.order_locks import lock_orders
from shared_runtime.decider import QuantityExceeded
from shared_runtime.log import Ask, Database, Decisions
from shared_runtime.rows import columns
from shared_runtime.rule import By, Sent
from shared_runtime.timers import ARM, TIMER, DueTimer, TimerName

from dispute_service.contests import CONTEST, Waiting, forget_contests, read_contests
from dispute_service.domain.contest import contest_of
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.policy import Policies
from dispute_service.domain.rules import DISPUTES
from dispute_service.domain.streams import dispute_stream
from dispute_service.facts import NOTHING, FactsOf, read_facts

AGAIN_AFTER = timedelta(minutes=10)
"""Tried again then at the latest; at once when a dispute of the order is over."""
ORDER_KNOWN_AFTER = timedelta(minutes=1)
"""An order that returns-service knows is about to be known here."""


async def open_contests(
    decisions: Decisions, timers: Sequence[DueTimer], policies: Policies, db: Database
) -> None:
    """Under the lock of their orders, as everything that is opened: of each order one at a time."""
    contests = await read_contests([timer.stream for timer in timers], db)
    if not contests:
        return
    order_ids = {waiting.told.order_id for waiting in contests.values()}
    await lock_orders(order_ids, db)
    facts = await read_facts(order_ids, db)
    await decisions.read(streams_behind(contests.values(), facts))
    opened: list[str] = []
    again: list[tuple[Any, ...]] = []
    touched: set[str] = set()
    for timer in timers:
        if (waiting := contests.get(timer.stream)) is None:
            continue
        order_id = waiting.told.order_id
        of_order = facts.get(order_id) if order_id not in touched else None
        if of_order and is_opened(decisions, timer, waiting, of_order, policies):
            opened.append(timer.stream)
        else:
            name = TimerName(CONTEST, str(int(timer.name.of) + 1))
            due = timer.now if order_id in touched else timer.now + waits(facts, order_id)
            again.append((timer.stream, str(name), due, waiting.event_id))
        touched.add(order_id)
    await forget_contests(opened, db)
    if again:
        await db.execute(ARM, *columns(again, 4))


def waits(facts: Mapping[str, FactsOf], order_id: str) -> timedelta:
    return AGAIN_AFTER if order_id in facts else ORDER_KNOWN_AFTER


def streams_behind(contests: Iterable[Waiting], facts: Mapping[str, FactsOf]) -> set[str]:
    """The disputes whose remedies the returns were."""
    known = ((waiting.told, facts.get(waiting.told.order_id, NOTHING)) for waiting in contests)
    ordered = (of_order.ordered_by(told.remedy_id) for told, of_order in known)
    return {dispute_stream(dispute_id) for dispute_id in ordered if dispute_id}


def is_opened(
    decisions: Decisions,
    timer: DueTimer,
    waiting: Waiting,
    of_order: FactsOf,
    policies: Policies,
) -> bool:
    told = waiting.told
    before = of_order.ordered_by(told.remedy_id)
    deciders = deciders_of(decisions, dispute_stream(before)) if before else ()
    said = contest_of(waiting.event_id, told, deciders)
    by = By(actor=TIMER, now=timer.now, known=of_order.known(timer.now, policies))
    ask = Ask(
        stream=timer.stream,
        command=Sent(said, by),
        cause=timer.cause,
        correlation=told.order_id,
    )
    try:
        decisions.decide(DISPUTES, ask)
    except QuantityExceeded:
        return False
    return True


def deciders_of(decisions: Decisions, stream: str) -> tuple[str, ...]:
    """Who decided the dispute whose remedy a return was."""
    state = decisions.state(DISPUTES, stream)
    if not isinstance(state, Dispute):
        return ()
    took = (state.decision, state.appeal_decision)
    return tuple(each.decided_by for each in took if each is not None)
