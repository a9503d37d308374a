"""What is decided of cases, and what comes of accounts, in; what each asks of the other out."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from shared_events import reputation
from shared_events.envelope import Recorded
from shared_events.reputation import (
    CaseDismissed,
    LevelChanged,
    ViolationAppealDecided,
    ViolationAppealed,
    ViolationConfirmed,
)
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.keys import KeyStore
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.known import Known
from reputation_service.domain.penalties import ApplyPenalty, ReversePenalty
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.stays import StayPenalty, UnstayPenalty
from reputation_service.domain.streams import (
    account_stream,
    case_stream,
    holder_id_of,
    penalty_id_of,
)
from reputation_service.domain.suspension import LiftMeasure, suspensions
from reputation_service.domain.termination import CancelTermination, GiveTerminationNotice
from reputation_service.domain.violations import REVIEW, VIOLATIONS
from reputation_service.matters import person_of, write_matters
from reputation_service.reactions.erasures import Closed, Holder, repeat_erasures
from reputation_service.reactions.suspecting import suspect
from reputation_service.reactions.words import Words, facts_of_decision, words_for

DECIDING = Actor(role="SYSTEM", id="cases")
FIRST, AFTER_APPEAL = 1, 2
"""The decisions of a case that may cost points."""
OF_CASES = (ViolationConfirmed, CaseDismissed, ViolationAppealed, ViolationAppealDecided)
HANDLED: tuple[type[Struct], ...] = (*OF_CASES, LevelChanged)


def on_own_cases(own_log: PostgresLog, policies: Policies, keys: KeyStore) -> Subscription:
    """A confirmed violation costs points, an appeal stays or takes them back; an account whose
    credit is gone is looked at.
    """

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        decisions = Decisions(own_log.within(db))
        await decisions.read(streams_behind(batch))
        decided = of_kind(batch, ViolationConfirmed, ViolationAppealDecided)
        words = await words_for({person_of(each.event) for each in decided}, keys)
        for recorded in batch:
            for number, said in enumerate(asked_by(recorded, decisions, words)):
                ask = asking(recorded, said, f"{type(said).__name__}/{number}", policies)
                decide_or_log(decisions, ACCOUNTS, ask)
        await suspect(decisions, of_kind(batch, LevelChanged), policies, db)
        await write_matters(decisions.planned, db)
        told = len(decisions.planned)
        await repeat_erasures(decisions, moved_on(batch), policies, db)
        await write_matters(decisions.planned[told:], db)
        await decisions.append()

    return Subscription(name="cases", topics=(reputation.TOPIC,), apply=decoded(HANDLED, apply))


def streams_behind(batch: Sequence[Recorded[Any]]) -> set[str]:
    """The accounts that events are about, and the cases that they are of."""
    accounts = {account_of(each) for each in batch}
    return accounts | {case_stream(each.event.case_id) for each in of_kind(batch, *OF_CASES)}


def account_of(recorded: Recorded[Any]) -> str:
    return account_stream(recorded.event.account_kind, holder_id_of(recorded.event))


def asked_by(recorded: Recorded[Any], decisions: Decisions, words: Words) -> Iterator[Struct]:
    """What an event asks of the account that it is about."""
    event = recorded.event
    match event:
        case ViolationConfirmed():
            yield confirmed(event, words)
        case ViolationAppealed():
            case = decisions.state(CASES, case_stream(event.case_id))
            safety = isinstance(case, Case) and case.opened.safety
            penalty_id = penalty_id_of(event.case_id, FIRST)
            yield StayPenalty(penalty_id=penalty_id, appeal_id=event.appeal_id, safety=safety)
        case ViolationAppealDecided():
            yield from appeal_decided(event, words)
        case LevelChanged(from_="CRITICAL"):
            yield CancelTermination(reason="BALANCE")
        case _:
            pass
    match event:
        case CaseDismissed() | ViolationAppealDecided(outcome="REVERSED"):
            account = decisions.state(ACCOUNTS, account_of(recorded))
            yield from groundless(account, event.case_id)
        case _:
            pass


def confirmed(event: ViolationConfirmed, words: Words) -> Struct:
    facts = words.sealed(person_of(event), facts_of_decision(event))
    if event.rule == REVIEW or event.severity is None:
        return GiveTerminationNotice(case_id=event.case_id, facts=facts)
    return ApplyPenalty(
        penalty_id=penalty_id_of(event.case_id, FIRST),
        case_id=event.case_id,
        rule=event.rule,
        points=event.points,
        severity=event.severity,
        automatic=event.automatic,
        appeal_until=event.appeal_until,
        facts=facts,
    )


def appeal_decided(event: ViolationAppealDecided, words: Words) -> Iterator[Struct]:
    penalty_id = penalty_id_of(event.case_id, FIRST)
    severity = VIOLATIONS[event.rule].severity
    match event.outcome:
        case "UPHELD":
            yield UnstayPenalty(penalty_id=penalty_id, outcome="UPHELD")
        case "REVERSED":
            yield ReversePenalty(penalty_id=penalty_id, reason="APPEAL_REVERSED")
            if event.rule == REVIEW:
                yield CancelTermination(reason="CASE_REVERSED", case_id=event.case_id)
        case "REDUCED":
            assert severity  # what has no points cannot have fewer
            yield ReversePenalty(penalty_id=penalty_id, reason="APPEAL_REDUCED")
            yield ApplyPenalty(
                penalty_id=penalty_id_of(event.case_id, AFTER_APPEAL),
                case_id=event.case_id,
                rule=event.rule,
                points=event.points,
                severity=severity,
                facts=words.sealed(person_of(event), facts_of_decision(event)),
            )


def groundless(account: object, case_id: str) -> Iterator[Struct]:
    """The suspension whose ground has fallen."""
    if isinstance(account, Account):
        for held in suspensions(account):
            if held.cause_id == case_id:
                yield LiftMeasure(measure_id=held.measure_id, case_id=case_id)


def asking(recorded: Recorded[Any], said: Struct, purpose: str, policies: Policies) -> Ask[Any]:
    by = By(actor=DECIDING, now=recorded.time, known=Known(policies=policies))
    return Ask(
        stream=account_of(recorded),
        command=Sent(said, by),
        cause=recorded.event_id,
        correlation=holder_id_of(recorded.event),
        purpose=purpose,
        traceparent=recorded.traceparent,
    )


def moved_on(batch: Sequence[Recorded[Any]]) -> dict[Holder, Closed]:
    """Whose cases stand otherwise now: an erasure may wait for them no more, or for longer."""
    return {
        (each.event.account_kind, holder_id_of(each.event)): (each.event_id, each.time)
        for each in of_kind(batch, *OF_CASES)
    }
