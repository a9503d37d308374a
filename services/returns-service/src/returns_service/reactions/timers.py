"""Own events in, deadlines out; passed deadlines in, commands out.

The deadlines of a stream follow from its state: whatever happened to it, those that are set are
those that its state has.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared_casework.order_locks import lock_orders
from shared_events import returns
from shared_events.envelope import Recorded
from shared_runtime.deadlines import Armed, armed_by, set_timers
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, Log, PostgresLog, database_of
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded
from shared_runtime.timers import TIMER, DueTimer, Fire, TimerName

from returns_service.domain.known import Known
from returns_service.domain.ledger_readers import READERS
from returns_service.domain.ledger_rules import LEDGERS, LedgerCommand
from returns_service.domain.ledger_state import LedgerState
from returns_service.domain.ledger_timers import asked_of_ledger, ledger_deadlines
from returns_service.domain.policy import Policies
from returns_service.domain.return_asks import asked_of_return
from returns_service.domain.return_readers import READERS as RETURN_READERS
from returns_service.domain.return_rules import RETURNS, ReturnCommand
from returns_service.domain.return_state import Return, ReturnState
from returns_service.domain.return_timers import Contests, return_deadlines
from returns_service.domain.streams import is_return
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.reactions.ordered import carry_out_remedies
from returns_service.remedies import REMEDY, read_attempts
from returns_service.return_facts import read_contests
from returns_service.return_rows import write_returns

type History = Sequence[Recorded[Any]]


def deadlines(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Keeps the timers of ledgers and returns in line with their states."""

    async def arm(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        await arm_streams({recorded.stream for recorded in batch}, own_log.within(db), policies, db)

    handled = (*READERS, *RETURN_READERS)
    return Subscription(name="timers", topics=(returns.TOPIC,), apply=decoded(handled, arm))


async def arm_streams(streams: Iterable[str], log: Log, policies: Policies, db: Connection) -> None:
    histories = await log.read(sorted({*streams}))
    ids = {return_id_of(history) for history in histories.values() if is_return(history[0].stream)}
    contests = await read_contests(ids, db)
    timers = {
        stream: timers_of(history, policies, contests) for stream, history in histories.items()
    }
    await set_timers(timers, db, besides=(REMEDY,))


def return_id_of(history: History) -> str:
    return_id: str = history[0].event.return_id
    return return_id


def timers_of(history: History, policies: Policies, contests: Mapping[str, Contests]) -> Armed:
    """The timers that a stream has after its history. `contests`: of each return."""
    if not is_return(history[0].stream):
        armed, _ = armed_by(history, LEDGERS, refund_deadlines)
        return armed
    of_return = contests.get(return_id_of(history), {})

    def named(state: ReturnState) -> list[tuple[TimerName, datetime]]:
        """Several of one kind are of different pieces."""
        return [
            (TimerName(each.name, each.units[0] if each.units else ""), each.due)
            for each in return_deadlines(state, policies, of_return)
        ]

    armed, _ = armed_by(history, RETURNS, named)
    return armed


def refund_deadlines(state: LedgerState) -> list[tuple[TimerName, datetime]]:
    """Each is of one refund."""
    return [(TimerName(name, refund_id), due) for name, refund_id, due in ledger_deadlines(state)]


def on_deadlines(policies: Policies) -> Fire:
    """Decides on hundreds of passed deadlines at once."""

    async def fire(decisions: Decisions, timers: Sequence[DueTimer]) -> None:
        db = database_of(decisions.log)
        assert db is not None
        remedies = [timer for timer in timers if timer.name.kind == REMEDY]
        others = [timer for timer in timers if timer.name.kind != REMEDY]
        of_returns = [timer for timer in others if is_return(timer.stream)]
        attempts = await read_attempts(remedies, db)
        await decisions.read({timer.stream for timer in of_returns})
        order_ids = {
            *(each.remedy.told.order_id for each in attempts),
            *(order_of(decisions, timer.stream) for timer in of_returns),
        }
        # All at once, and before any fact or ledger of these orders is read.
        await lock_orders(order_ids, db)
        facts: Mapping[str, FactsOf] = await read_facts(order_ids, db) if order_ids else {}
        await carry_out_remedies(decisions, attempts, facts, policies, db)
        for timer in of_returns:
            of_order = facts.get(order_of(decisions, timer.stream), NOTHING)
            if ask := ask_of_return(timer, decisions, of_order, policies):
                decide_or_log(decisions, RETURNS, ask)
        await decisions.read({timer.stream for timer in others})
        for timer in others:
            if not is_return(timer.stream):
                decide_or_log(decisions, LEDGERS, ask_of_ledger(timer, decisions, policies))
        await write_returns(decisions.planned, decisions.log)

    return fire


def order_of(decisions: Decisions, stream: str) -> str:
    """Every stream here begins with an event about an order."""
    order_id: str = decisions.history(stream)[0].event.order_id
    return order_id


def ask_of_return(
    timer: DueTimer, decisions: Decisions, of_order: FactsOf, policies: Policies
) -> Ask[ReturnCommand] | None:
    history = decisions.history(timer.stream)
    return_id = return_id_of(history)
    known = of_order.known_of_return(timer.now, policies, return_id=return_id, history=history)
    matter = decisions.state(RETURNS, timer.stream)
    assert isinstance(matter, Return)
    set_now = return_deadlines(matter, policies, known.contests)
    passed = next((e for e in set_now if (e.name, e.due) == (timer.name.kind, timer.due)), None)
    if passed is None:
        return None  # it has lost its cause
    return Ask(
        stream=timer.stream,
        command=Sent(asked_of_return(passed, matter), By(actor=TIMER, now=timer.now, known=known)),
        cause=timer.cause,
        correlation=order_of(decisions, timer.stream),
    )


def ask_of_ledger(timer: DueTimer, decisions: Decisions, policies: Policies) -> Ask[LedgerCommand]:
    said = asked_of_ledger(timer.name.kind, timer.name.of, timer.due)
    by = By(actor=TIMER, now=timer.now, known=Known(policies=policies))
    return Ask(
        stream=timer.stream,
        command=Sent(said, by),
        cause=timer.cause,
        correlation=order_of(decisions, timer.stream),
    )
