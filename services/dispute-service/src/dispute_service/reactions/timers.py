"""Own events in, deadlines out; passed deadlines in, commands out.

The deadlines of a stream follow from its state: whatever happened to it, those that are set are
those that its state has.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from shared_events import dispute
from shared_events.envelope import Recorded
from shared_runtime.deadlines import Armed, armed_by, set_timers
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.keys import KeyStore
from shared_runtime.log import Ask, Decisions, PostgresLog, database_of
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded
from shared_runtime.timers import TIMER, DueTimer, Fire, TimerName

from dispute_service.contests import CONTEST
from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.known import Known
from dispute_service.domain.policy import Policies
from dispute_service.domain.readers import INQUIRY_READERS, READERS
from dispute_service.domain.rules import DISPUTES
from dispute_service.domain.streams import is_inquiry
from dispute_service.domain.timers import (
    asked_of_dispute,
    asked_of_inquiry,
    dispute_deadlines,
    inquiry_deadlines,
)
from dispute_service.facts import NOTHING, read_facts
from dispute_service.matters import write_matters
from dispute_service.reactions.assigning import ASSIGN, assign, wanted_since
from dispute_service.reactions.contesting import open_contests
from dispute_service.reactions.words import Words, words_for


def deadlines(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Keeps the timers of disputes and inquiries in line with their states."""

    async def arm(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        streams = sorted({recorded.stream for recorded in batch})
        histories = await own_log.within(db).read(streams)
        timers = {stream: timers_of(histories[stream], policies) for stream in streams}
        await set_timers(timers, db, besides=(CONTEST,))

    handled = (*READERS, *INQUIRY_READERS)
    return Subscription(name="timers", topics=(dispute.TOPIC,), apply=decoded(handled, arm))


def timers_of(history: Sequence[Recorded[Any]], policies: Policies) -> Armed:
    """The timers that a stream has after its history."""
    if is_inquiry(history[0].stream):
        armed, _ = armed_by(history, INQUIRIES, inquiry_deadlines)
        return armed
    armed, state = armed_by(history, DISPUTES, partial(dispute_deadlines, policies=policies))
    since = wanted_since(history)
    if since and state.status in TO_DECIDE:
        armed[str(TimerName(ASSIGN, "1"))] = (since.time, since.event_id)
    return armed


def on_deadlines(policies: Policies, keys: KeyStore) -> Fire:
    """Decides on hundreds of passed deadlines at once."""

    async def fire(decisions: Decisions, timers: Sequence[DueTimer]) -> None:
        db = database_of(decisions.log)
        assert db is not None
        await decisions.read({timer.stream for timer in timers})
        contests = [timer for timer in timers if timer.name.kind == CONTEST]
        await open_contests(decisions, contests, policies, db)
        others = [timer for timer in timers if timer.name.kind != CONTEST]
        orders = {timer.stream: order_of(decisions, timer.stream) for timer in others}
        facts = await read_facts({*orders.values()}, db)
        words = await words_for(others, decisions, keys)
        known: dict[str, Known] = {}
        for timer in others:
            order_id = orders[timer.stream]
            known[timer.stream] = facts.get(order_id, NOTHING).known(timer.now, policies)
            by = By(actor=TIMER, now=timer.now, known=known[timer.stream])
            if is_inquiry(timer.stream):
                asking = Sent(asked_of_inquiry(timer.name.kind), by)
                decide_or_log(decisions, INQUIRIES, ask_of(timer, asking, order_id))
            elif said := said_of(timer, decisions, words):
                decide_or_log(decisions, DISPUTES, ask_of(timer, Sent(said, by), order_id))
        drawing = [timer for timer in others if timer.name.kind == ASSIGN]
        await assign(decisions, drawing, known, db)
        await write_matters(decisions.planned, db)

    return fire


def order_of(decisions: Decisions, stream: str) -> str:
    """Every stream here begins with an event about an order."""
    order_id: str = decisions.history(stream)[0].event.order_id
    return order_id


def said_of(timer: DueTimer, decisions: Decisions, words: Words) -> Struct | None:
    """What a passed deadline of a dispute asks for; None if nothing is owed any more."""
    dispute = decisions.state(DISPUTES, timer.stream)
    if timer.name.kind == ASSIGN or not isinstance(dispute, Dispute):
        return None
    told = words.about(timer, dispute)
    return asked_of_dispute(timer.name.kind, timer.due, dispute, told)


def ask_of[C](timer: DueTimer, command: C, order_id: str) -> Ask[C]:
    return Ask(stream=timer.stream, command=command, cause=timer.cause, correlation=order_id)
