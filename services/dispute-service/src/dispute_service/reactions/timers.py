"""Own events in, deadlines out; passed deadlines in, commands out.

The deadlines of a stream follow from its state: whatever happened to it, those that are set are
those that its state has.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct
from shared_events import dispute
from shared_events.envelope import Recorded
from shared_runtime.decider import Decider
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.keys import KeyStore
from shared_runtime.log import Ask, Decisions, PostgresLog, database_of
from shared_runtime.rows import columns
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded
from shared_runtime.timers import ARM, TIMER, DueTimer, Fire, TimerName

from dispute_service.contests import CONTEST
from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.known import Known
from dispute_service.domain.policy import Policies
from dispute_service.domain.readers import INQUIRY_READERS, READERS
from dispute_service.domain.rules import DISPUTES
from dispute_service.domain.streams import is_inquiry
from dispute_service.domain.timers import (
    Deadline,
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

type Armed = dict[str, tuple[datetime, str]]
"""By the names of timers: when they are due, and the event that has set them."""

# Whatever else is set for these streams has lost its cause.
CLEAR = """
    DELETE FROM es.timer
    WHERE stream_id = ANY($1::text[]) AND name NOT LIKE 'CONTEST/%' AND NOT EXISTS (
        SELECT FROM unnest($2::text[], $3::text[]) AS kept (stream_id, name)
        WHERE kept.stream_id = es.timer.stream_id AND kept.name = es.timer.name)
"""


def deadlines(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Keeps the timers of disputes and inquiries in line with their states."""

    async def arm(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        streams = sorted({recorded.stream for recorded in batch})
        histories = await own_log.within(db).read(streams)
        armed = [
            (stream, name, due, event_id)
            for stream in streams
            for name, (due, event_id) in timers_of(histories[stream], policies).items()
        ]
        await db.execute(CLEAR, streams, [each[0] for each in armed], [each[1] for each in armed])
        if armed:
            await db.execute(ARM, *columns(armed, 4))

    handled = (*READERS, *INQUIRY_READERS)
    return Subscription(name="timers", topics=(dispute.TOPIC,), apply=decoded(handled, arm))


def timers_of(history: Sequence[Recorded[Any]], policies: Policies) -> Armed:
    """The timers that a stream has after its history."""
    if is_inquiry(history[0].stream):
        armed, _ = set_by(history, INQUIRIES, inquiry_deadlines)
        return armed
    armed, state = set_by(history, DISPUTES, partial(dispute_deadlines, policies=policies))
    since = wanted_since(history)
    if since and state.status in TO_DECIDE:
        armed[str(TimerName(ASSIGN, "1"))] = (since.time, since.event_id)
    return armed


def set_by[S, E: Struct](
    history: Sequence[Recorded[E]],
    decider: Decider[S, Any, E],
    deadlines_of: Callable[[S], Sequence[Deadline]],
) -> tuple[Armed, S]:
    """And the state. A deadline that stays where it is was set by the event that had set it."""
    armed: Armed = {}
    state = decider.initial
    for recorded in history:
        state = decider.evolve(state, recorded.event)
        before = armed
        armed = {
            name: before[name]
            if name in before and before[name][0] == due
            else (due, recorded.event_id)
            for name, due in deadlines_of(state)
        }
    return armed, state


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
