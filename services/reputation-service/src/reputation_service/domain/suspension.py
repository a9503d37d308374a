"""A danger for others in, an account that rests for a time out; and the end of it."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from shared_casework.reasons import REASONS
from shared_casework.values import refuse
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Id, Instant
from shared_events.reputation import AccountEvent, LevelChanged, MeasureApplied, MeasureLifted
from shared_runtime.decider import AlreadySubmitted, FieldError, WrongState
from shared_runtime.rule import Guard

from reputation_service.domain.account_matter import HOLDER, IMPARTIAL, AccountRule
from reputation_service.domain.account_state import STANDING, Account
from reputation_service.domain.account_statements import (
    ExplanationText,
    FactsText,
    Restrictions,
    RuleIds,
    told_why,
)
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.measures import applying, lifting

SUSPENSION = "SUSPENSION"
SUSPENDED = Restrictions(account="SUSPENDED")


class SuspendAccount(Struct, frozen=True, kw_only=True):
    """Until when, because of which safety case, and why."""

    case_id: Id
    ends_at: Instant
    rule_ids: RuleIds = ()
    facts: FactsText = None
    explanation: ExplanationText = None


class LiftMeasure(Struct, frozen=True, kw_only=True):
    """`case_id`: the ground of a suspension, which has fallen."""

    measure_id: Id
    case_id: Id | None = None


def suspend_account(account: Account, said: SuspendAccount, by: Sender) -> list[AccountEvent]:
    """For `suspension_max` at most. Points are another thing."""
    most = by.now + account.policy(by).suspension_max
    if said.ends_at > most:
        raise refuse("ends_at", f"not later than {most:%Y-%m-%dT%H:%M:%SZ}")
    over = [lifting(account, each, "ENDED") for each in suspensions(account)]
    applied = applying(account, "SUSPENSION", said.case_id, by.now, ends_at=said.ends_at)
    told = told_why(
        account,
        by,
        "SuspendAccount",
        SUSPENDED,
        subject_id=applied.measure_id,
        facts=said.facts or "",
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
        end_date=applied.ends_at,
    )
    return [*over, applied, told]


def suspensions(account: Account) -> list[MeasureApplied]:
    return [each for each in account.measures.values() if each.measure == SUSPENSION]


def still_to_come(said: SuspendAccount, by: Sender) -> Iterator[FieldError]:
    if said.ends_at <= by.now:
        yield FieldError(field="ends_at", bound="later than now")


def is_suspended(account: Account, _: SuspendAccount, by: Sender) -> bool:
    """One at a time."""
    if held := account.suspension(by.now):
        raise AlreadySubmitted(existing_id=held.measure_id)
    return False


def for_safety(account: Account, _: SuspendAccount, by: Sender) -> None:
    """the case is a safety case, open or confirmed"""
    if not by.known.is_safety_case:
        raise WrongState(state=account.status)


SUSPEND_ACCOUNT = AccountRule(
    SuspendAccount,
    suspend_account,
    roles=("SENIOR",),
    shape=still_to_come,
    human=True,
    impartial=IMPARTIAL,
    barred=HOLDER,
    reasons=REASONS,
    repeated=is_suspended,
    states=STANDING,
    stands=Guard[Account, SuspendAccount, Known](for_safety, WrongState),
    refuses=(AlreadySubmitted,),
    events=(MeasureApplied, LevelChanged, MeasureLifted, StatementOfReasonsIssued),
    example=SuspendAccount(
        case_id="C-14",
        ends_at=datetime.fromisoformat("2100-01-01T00:00:00Z"),
        rule_ids=("SAFE-1",),
        facts="Three buyers were hurt by the same charger.",
        explanation="Nothing more of it may be sold until it is clear what happened.",
    ),
    tries=lambda account, by: [
        SuspendAccount(
            case_id="C-14",
            ends_at=by.now + account.policy(by).suspension_max,
            rule_ids=("SAFE-1",),
            facts="facts",
            explanation="It is not safe.",
        )
    ],
)


def lift_measure(account: Account, said: LiftMeasure, by: Sender) -> list[AccountEvent]:
    """What follows from points follows from points alone: a suspension is lifted, nothing else."""
    held = account.measures[said.measure_id]
    if is_over(held, by):
        return [lifting(account, held, "ENDED")]
    return [lifting(account, held, "BY_HAND" if by.actor.is_human else "REVERSED")]


def is_over(held: MeasureApplied, by: Sender) -> bool:
    return held.ends_at is not None and by.now >= held.ends_at


def is_liftable(account: Account, said: LiftMeasure, by: Sender) -> None:
    """a suspension in force: by a person; at its end; or because its ground has fallen"""
    held = account.measures.get(said.measure_id)
    if held is None or held.measure != SUSPENSION:
        raise WrongState(state=account.status)
    groundless = said.case_id == held.cause_id
    if not (by.actor.is_human or groundless or is_over(held, by)):
        raise WrongState(state=account.status)


def by_itself(said: LiftMeasure, by: Sender) -> Iterator[FieldError]:
    if said.case_id is not None and by.actor.is_human:
        yield FieldError(field="case_id", bound="of the platform's own")


LIFT_MEASURE = AccountRule(
    LiftMeasure,
    lift_measure,
    roles=("SYSTEM", "SENIOR"),
    shape=by_itself,
    impartial=IMPARTIAL,
    stands=Guard[Account, LiftMeasure, Known](is_liftable, WrongState),
    lapses=True,
    events=(MeasureLifted, LevelChanged, MeasureApplied),
    example=LiftMeasure(measure_id="M-1"),
    tries=lambda account, _: [
        LiftMeasure(measure_id=each.measure_id) for each in suspensions(account)
    ],
)
