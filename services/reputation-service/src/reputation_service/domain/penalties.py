"""A violation that was confirmed in, points that count for a time out; and their end."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from shared_casework.values import utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Id, Instant
from shared_events.reputation import (
    AccountEvent,
    LevelChanged,
    Measure,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    PenaltyExpired,
    PenaltyPoints,
    PenaltyReversed,
    ReversalReason,
    Severity,
    ViolationRule,
)
from shared_runtime.decider import FieldError, WrongState
from shared_runtime.rule import Guard, Window

from reputation_service.domain.account_matter import AccountRule
from reputation_service.domain.account_state import STANDING, Account
from reputation_service.domain.account_statements import FactsText, restrictions_of, told_why
from reputation_service.domain.known import Sender
from reputation_service.domain.measures import after, newly_applied
from reputation_service.domain.points import Lot

FOLLOWS = (LevelChanged, MeasureApplied, MeasureLifted)


class ApplyPenalty(Struct, frozen=True, kw_only=True):
    """What a decision of a case costs. `automatic`: no person took it; `appeal_until`: of it."""

    penalty_id: Id
    case_id: Id
    rule: ViolationRule
    points: PenaltyPoints
    severity: Severity
    automatic: bool = False
    appeal_until: Instant | None = None
    facts: FactsText


class ReversePenalty(Struct, frozen=True, kw_only=True):
    """An appeal was decided for the accused."""

    penalty_id: Id
    reason: ReversalReason


class ExpirePenalty(Struct, frozen=True, kw_only=True):
    """The points do not count any more."""

    penalty_id: Id


def apply_penalty(account: Account, said: ApplyPenalty, by: Sender) -> list[AccountEvent]:
    """They count for the term of their severity. Those that an appeal has reduced end when the
    first ones would have.
    """
    now = utc(by.now)
    lot = Lot(
        penalty_id=said.penalty_id,
        case_id=said.case_id,
        rule=said.rule,
        points=said.points,
        severity=said.severity,
        applied_at=now,
        expires_at=expiry(account, said, by),
    )
    ledger = account.ledger.with_lot(lot)
    applied = PenaltyApplied(
        **account.ids,
        penalty_id=said.penalty_id,
        case_id=said.case_id,
        rule=said.rule,
        points=said.points,
        severity=said.severity,
        applied_at=now,
        expires_at=lot.expires_at,
        active_points=ledger.active_points(now),
        balance_after=ledger.balance(now),
    )
    return [applied, told_of_penalty(account, said, applied, by)]


def told_of_penalty(
    account: Account, said: ApplyPenalty, applied: PenaltyApplied, by: Sender
) -> StatementOfReasonsIssued:
    policy = account.policy(by)
    measures: list[Measure] = [
        each.measure for each in newly_applied(after(account, [applied]), by.now, policy)
    ]
    brought = f" In force from now on: {', '.join(measures)}." if measures else ""
    points = "1 point counts" if said.points == 1 else f"{said.points} points count"
    return told_why(
        account,
        by,
        "ApplyPenalty",
        restrictions_of(measures),
        subject_id=said.penalty_id,
        facts=said.facts or "",
        rule_ids=(said.rule,),
        explanation=f"The case {said.case_id} was confirmed: {said.rule}. {points} against the "
        f"account until {applied.expires_at:%Y-%m-%d}; the balance is {applied.balance_after} of "
        f"{account.ledger.start}.{brought}",
        automated="FULLY" if said.automatic else "PARTIALLY",
        appeal_until=said.appeal_until,
    )


def expiry(account: Account, said: ApplyPenalty, by: Sender) -> datetime:
    if first := reduced_from(account, said.case_id):
        return first.expires_at
    return utc(by.now) + account.policy(by).term(said.severity)


def reduced_from(account: Account, case_id: str) -> Lot | None:
    """The penalty in whose place a lower one comes."""
    lots = account.ledger.lots.values()
    return next((lot for lot in lots if lot.case_id == case_id and lot.reduced), None)


def costs_nothing(account: Account, said: ApplyPenalty, by: Sender) -> bool:
    """Who was erased, or whose account is closed, loses no points; nobody the same ones twice, nor
    reduced ones whose time is over.
    """
    first = reduced_from(account, said.case_id)
    over = first is not None and by.now >= first.expires_at
    return account.status not in STANDING or said.penalty_id in account.ledger.lots or over


def with_facts(said: ApplyPenalty, _: Sender) -> Iterator[FieldError]:
    if not said.facts:
        yield FieldError(field="facts", bound="what it rests on, sealed for the holder")


APPLY_PENALTY = AccountRule(
    ApplyPenalty,
    apply_penalty,
    roles=("SYSTEM",),
    shape=with_facts,
    repeated=costs_nothing,
    events=(PenaltyApplied, *FOLLOWS, StatementOfReasonsIssued),
    example=ApplyPenalty(
        penalty_id="P-1",
        case_id="C-14",
        rule="UNANSWERED_DISPUTE",
        points=2,
        severity="MINOR",
        facts="What the case rests on.",
    ),
)


def reverse_penalty(account: Account, said: ReversePenalty, by: Sender) -> list[AccountEvent]:
    """Once. The history shows it; the balance is as it would be without, from now on."""
    now, lot = utc(by.now), account.ledger.lots[said.penalty_id]
    return [
        PenaltyReversed(
            **account.ids,
            penalty_id=lot.penalty_id,
            case_id=lot.case_id,
            points=lot.points,
            reason=said.reason,
            reversed_at=now,
            already_expired=now >= lot.expires_at,
            balance_after=account.ledger.without_lot(lot.penalty_id).balance(now),
        )
    ]


def is_there(account: Account, said: ReversePenalty | ExpirePenalty, _: Sender) -> None:
    """there are such points, and no appeal has taken them back"""
    lot = account.ledger.lots.get(said.penalty_id)
    if lot is None or lot.reversed_at is not None:
        raise WrongState(state=account.status)


REVERSE_PENALTY = AccountRule(
    ReversePenalty,
    reverse_penalty,
    roles=("SYSTEM",),
    stands=Guard(is_there, WrongState),
    lapses=True,
    events=(PenaltyReversed, *FOLLOWS),
    example=ReversePenalty(penalty_id="P-1", reason="APPEAL_REVERSED"),
)


def expire_penalty(account: Account, said: ExpirePenalty, by: Sender) -> list[AccountEvent]:
    """Told once. The balance did not wait for it."""
    lot = account.ledger.lots[said.penalty_id]
    return [
        PenaltyExpired(
            **account.ids,
            penalty_id=lot.penalty_id,
            points=lot.points,
            balance_after=account.ledger.balance(by.now),
        )
    ]


def is_told_expired(account: Account, said: ExpirePenalty, _: Sender) -> bool:
    lot = account.ledger.lots.get(said.penalty_id)
    return lot is not None and lot.expired


def from_its_end(account: Account, said: ExpirePenalty, _: Sender) -> Window:
    lot = account.ledger.lots.get(said.penalty_id)
    return Window(earliest=lot.expires_at if lot else None)


EXPIRE_PENALTY = AccountRule(
    ExpirePenalty,
    expire_penalty,
    roles=("SYSTEM",),
    repeated=is_told_expired,
    stands=Guard(is_there, WrongState),
    window=from_its_end,
    early=True,
    lapses=True,
    events=(PenaltyExpired, *FOLLOWS),
    example=ExpirePenalty(penalty_id="P-1"),
)
