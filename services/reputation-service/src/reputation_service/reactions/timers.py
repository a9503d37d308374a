"""Own events in, deadlines out; passed deadlines in, commands out.

The deadlines of a stream follow from its state: whatever happened to it, those that are set are
those that its state has.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from shared_events import reputation
from shared_events.envelope import Recorded
from shared_runtime.deadlines import Armed, armed_by, set_timers
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.keys import KeyStore
from shared_runtime.log import Ask, Database, Decisions, PostgresLog, database_of
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded
from shared_runtime.timers import TIMER, DueTimer, Fire

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.account_timers import (
    Period,
    account_deadlines,
    asked_of_account,
)
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.case_timers import asked_of_case, case_deadlines
from reputation_service.domain.known import Known
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.points_readers import ACCOUNT_READERS, CASE_READERS
from reputation_service.domain.streams import is_case
from reputation_service.facts import read_facts, read_period
from reputation_service.matters import holder, write_matters
from reputation_service.reactions.words import Words, facts_of_silence, words_for

NOTHING = Period(orders_completed=0, violations=0)
SPEAKING = "STATEMENT_END"
"""At this somebody is told why it goes against him."""
ERASURE = "ERASURE"


def deadlines(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Keeps the timers of accounts and cases in line with their states."""

    async def arm(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        streams = sorted({recorded.stream for recorded in batch})
        histories = await own_log.within(db).read(streams)
        timers = {stream: timers_of(histories[stream], policies) for stream in streams}
        await set_timers(timers, db)

    handled = (*ACCOUNT_READERS, *CASE_READERS)
    return Subscription(name="timers", topics=(reputation.TOPIC,), apply=decoded(handled, arm))


def timers_of(history: Sequence[Recorded[Any]], policies: Policies) -> Armed:
    """The timers that a stream has after its history."""
    if is_case(history[0].stream):
        armed, _ = armed_by(history, CASES, partial(case_deadlines, policies=policies))
    else:
        armed, _ = armed_by(history, ACCOUNTS, partial(account_deadlines, policies=policies))
    return armed


def on_deadlines(policies: Policies, keys: KeyStore) -> Fire:
    """Decides on hundreds of passed deadlines at once."""

    async def fire(decisions: Decisions, timers: Sequence[DueTimer]) -> None:
        db = database_of(decisions.log)
        assert db is not None
        await decisions.read({timer.stream for timer in timers})
        words = await words_for(spoken_to(timers, decisions), keys)
        known = Known(policies=policies)
        facts = await read_facts({*waiting_among(timers, decisions)}, db)
        for timer in timers:
            if is_case(timer.stream):
                if said := said_of_case(timer, decisions, words):
                    decide_or_log(decisions, CASES, ask_of(timer, said, 0, known))
                continue
            by_now = known
            if timer.name.kind == ERASURE and (who := holder_of(timer, decisions)):
                by_now = facts[who].known(policies, timer.now)
            for number, said in enumerate(await said_of_account(timer, decisions, db)):
                decide_or_log(decisions, ACCOUNTS, ask_of(timer, said, number, by_now))
        await write_matters(decisions.planned, db)

    return fire


def spoken_to(timers: Iterable[DueTimer], decisions: Decisions) -> Iterable[str]:
    for timer in timers:
        if timer.name.kind == SPEAKING:
            case = decisions.state(CASES, timer.stream)
            if isinstance(case, Case):
                yield holder(case.kind, case.accused_id)


def waiting_among(timers: Iterable[DueTimer], decisions: Decisions) -> Iterator[str]:
    """Whose erasure is asked for once more, by what is open of them now."""
    for timer in timers:
        if timer.name.kind == ERASURE and (who := holder_of(timer, decisions)):
            yield who


def holder_of(timer: DueTimer, decisions: Decisions) -> str | None:
    account = decisions.state(ACCOUNTS, timer.stream)
    return holder(account.kind, account.holder_id) if isinstance(account, Account) else None


def said_of_case(timer: DueTimer, decisions: Decisions, words: Words) -> Struct | None:
    case = decisions.state(CASES, timer.stream)
    if not isinstance(case, Case):
        return None
    facts = ""
    if timer.name.kind == SPEAKING:
        facts = words.sealed(holder(case.kind, case.accused_id), facts_of_silence(case))
    return asked_of_case(timer.name.kind, case, facts)


async def said_of_account(timer: DueTimer, decisions: Decisions, db: Database) -> Sequence[Struct]:
    account = decisions.state(ACCOUNTS, timer.stream)
    if not isinstance(account, Account):
        return []
    period = NOTHING
    if timer.name.kind == "CONDUCT" and account.conduct_from is not None:
        period = await read_period(account.holder_id, account.conduct_from, timer.now, db)
    return asked_of_account(timer.name.kind, timer.due, account, period)


def ask_of(timer: DueTimer, said: Struct, number: int, known: Known) -> Ask[Any]:
    """`number`: several things may end at one instant."""
    return Ask(
        stream=timer.stream,
        command=Sent(said, By(actor=TIMER, now=timer.now, known=known)),
        cause=timer.cause,
        correlation=timer.stream.partition("-")[2],
        purpose=str(number),
    )
