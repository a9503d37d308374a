"""What a reader may know of an account or a case in, what he sees and can do about it now out.

Texts are sealed here, and the edge opens them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic.json_schema import SkipJsonSchema
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Party
from shared_events.reputation import (
    AppealOutcome,
    Detection,
    DismissalReason,
    Level,
    Measure,
    Severity,
    ViolationRule,
)
from shared_runtime.rules import Action

from reputation_service.domain.account_rules import ACCOUNT_RULES
from reputation_service.domain.account_state import Account, Status
from reputation_service.domain.account_timers import assess_due
from reputation_service.domain.case_rules import CASE_RULES
from reputation_service.domain.case_state import Case, CaseStatus
from reputation_service.domain.known import Sender
from reputation_service.domain.points import Credit, Lot
from reputation_service.domain.points_readers import AccountReading, CaseReading
from reputation_service.domain.protection import protected_until

PEOPLE = ("BUYER", "SELLER", "ANALYST", "SENIOR", "PRIVACY")
"""Who is offered what he can do. Commands of timers and consumers are nobody's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """A file, and where it can be had for a short while."""

    media_id: str
    url: str


type MediaShown = MediaLink | SkipJsonSchema[str] | None
"""Sealed here, which nobody is shown; opened, a link; null when the writer's key is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyView:
    """The points of one decision. `counts`: now; else they have ended, or were taken back."""

    penalty_id: str
    case_id: str
    rule: ViolationRule
    points: int
    severity: Severity
    applied_at: datetime
    expires_at: datetime
    reversed_at: datetime | None
    stayed: bool
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditView:
    """Points that good conduct has earned back, until when."""

    points: int
    credited_at: datetime
    until: datetime
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureView:
    """`cause_id`: the penalty or the case behind it. Without `ends_at` it lasts as long as that."""

    measure_id: str
    measure: Measure
    cause_id: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """The account ends then, unless the balance has come back."""

    case_id: str
    effective_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsView:
    """Why something went against the reader, and where he can turn."""

    sor_id: str
    subject_kind: Literal["REVIEW", "DISPUTE", "RETURN", "VIOLATION", "MEASURE"]
    subject_id: str
    rule_ids: list[str]
    explanation: str
    facts: str | None
    automated_decision: Literal["FULLY", "PARTIALLY", "NOT"]
    application_date: datetime
    end_date: datetime | None
    appeal_until: datetime | None
    appeal_command: str | None
    redress: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingView:
    """An account and its points now. `public_level`: what others are shown, no worse than the real
    one while it is protected. `conduct_from`: since when a period without violations runs, whose
    end is `assess_at`. `waits_for`: what an erasure that was asked for is deferred by;
    `waits_until`: when time closes the first of it.
    """

    account_kind: Party
    account_id: str
    policy_version: str
    status: Status
    opened_at: datetime
    balance: int
    active_points: int
    level: Level
    public_level: Level
    protected_until: datetime | None
    conduct_from: datetime | None
    assess_at: datetime | None
    notice: NoticeView | None
    waits_for: list[str] | None
    waits_until: datetime | None
    penalties: list[PenaltyView]
    credits: list[CreditView]
    measures: list[MeasureView]
    statements: list[ReasonsView]
    available_actions: list[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresView:
    """The measures that are in force now."""

    account_kind: Party
    account_id: str
    measures: list[MeasureView]


def standing_view(reading: AccountReading, by: Sender) -> StandingView:
    account, now = reading.state, by.now
    assert isinstance(account, Account)
    policy, ledger = account.policy(by), account.ledger
    protection = protected_until(account)
    return StandingView(
        account_kind=account.kind,
        account_id=account.holder_id,
        policy_version=policy.version,
        status=account.status,
        opened_at=account.opened.opened_at,
        balance=ledger.balance(now),
        active_points=ledger.active_points(now),
        level=account.real_level(now, policy),
        public_level=account.public_level(now, policy),
        protected_until=protection if protection and protection > now else None,
        conduct_from=account.conduct_from,
        assess_at=assess_due(account, by.known.policies),
        notice=notice_view(account),
        waits_for=None if account.waits_for is None else sorted(account.waits_for),
        waits_until=account.waits_until,
        penalties=[penalty_view(lot, now) for lot in newest_first(ledger.lots.values())],
        credits=[credit_view(each, now) for each in reversed(ledger.credits)],
        measures=measures_of(account, now),
        statements=reasons_in(reading.events),
        available_actions=actions_on_account(account, by),
    )


def newest_first(lots: Iterable[Lot]) -> list[Lot]:
    return sorted(lots, key=lambda lot: (lot.applied_at, lot.penalty_id), reverse=True)


def measures_view(reading: AccountReading, by: Sender) -> MeasuresView:
    account = reading.state
    assert isinstance(account, Account)
    return MeasuresView(
        account_kind=account.kind,
        account_id=account.holder_id,
        measures=measures_of(account, by.now),
    )


def measures_of(account: Account, now: datetime) -> list[MeasureView]:
    return [
        MeasureView(
            measure_id=each.measure_id,
            measure=each.measure,
            cause_id=each.cause_id,
            starts_at=each.starts_at,
            ends_at=each.ends_at,
        )
        for each in account.measures_at(now)
    ]


def notice_view(account: Account) -> NoticeView | None:
    if (told := account.notice) is None:
        return None
    return NoticeView(case_id=told.case_id, effective_at=told.effective_at)


def penalty_view(lot: Lot, now: datetime) -> PenaltyView:
    return PenaltyView(
        penalty_id=lot.penalty_id,
        case_id=lot.case_id,
        rule=lot.rule,
        points=lot.points,
        severity=lot.severity,
        applied_at=lot.applied_at,
        expires_at=lot.expires_at,
        reversed_at=lot.reversed_at,
        stayed=lot.stayed,
        counts=lot.counts(now),
    )


def credit_view(credit: Credit, now: datetime) -> CreditView:
    return CreditView(
        points=credit.points,
        credited_at=credit.credited_at,
        until=credit.until,
        counts=credit.counts(now),
    )


def reasons_in(events: Iterable[object]) -> list[ReasonsView]:
    return [reasons_view(each) for each in events if isinstance(each, StatementOfReasonsIssued)]


def reasons_view(told: StatementOfReasonsIssued) -> ReasonsView:
    return ReasonsView(
        sor_id=told.sor_id,
        subject_kind=told.subject_kind,
        subject_id=told.subject_id,
        rule_ids=told.rule_ids,
        explanation=told.explanation,
        facts=told.facts,
        automated_decision=told.automated_decision,
        application_date=told.application_date,
        end_date=told.end_date,
        appeal_until=told.appeal_until,
        appeal_command=told.appeal_command,
        redress=[*(told.redress or ())],
    )


def actions_on_account(account: Account, by: Sender) -> list[Action]:
    return ACCOUNT_RULES.offered(account, by) if by.actor.acts_as in PEOPLE else []


# --- Cases


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStatementView:
    """What the accused says for himself."""

    text: str | None
    media: list[MediaShown]
    media_sha256: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecisionView:
    points: int
    severity: Severity | None
    rule_ids: list[str]
    automatic: bool
    decided_by: str
    appeal_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAppealView:
    appeal_id: str
    text: str | None
    evidence_ids: list[str]
    decide_by: datetime
    outcome: AppealOutcome | None
    rule_ids: list[str]
    decided_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as its reader may see it. `points`: those that are valid now."""

    case_id: str
    account_kind: Party
    account_id: str
    policy_version: str
    rule: ViolationRule
    cause_key: str
    status: CaseStatus
    safety: bool
    detection: Detection
    opened_by: str | None
    evidence_event_ids: list[str]
    review_ids: list[str]
    statement_until: datetime
    decide_by: datetime
    points: int
    statement: CaseStatementView | None
    decision: CaseDecisionView | None
    dismissed: DismissalReason | None
    appeal: CaseAppealView | None
    statements: list[ReasonsView]
    available_actions: list[Action]


def case_view(reading: CaseReading, by: Sender) -> CaseView:
    case = reading.state
    assert isinstance(case, Case)
    opened = case.opened
    return CaseView(
        case_id=case.case_id,
        account_kind=case.kind,
        account_id=case.accused_id,
        policy_version=opened.policy_version,
        rule=opened.rule,
        cause_key=opened.cause_key,
        status=case.status,
        safety=opened.safety,
        detection=opened.detection,
        opened_by=opened.opened_by,
        evidence_event_ids=opened.evidence_event_ids,
        review_ids=opened.review_ids,
        statement_until=opened.statement_until,
        decide_by=opened.decide_by,
        points=case.points,
        statement=statement_view(case),
        decision=decision_view(case),
        dismissed=case.dismissed.reason if case.dismissed else None,
        appeal=appeal_view(case),
        statements=reasons_in(reading.events),
        available_actions=actions_on_case(case, by),
    )


def statement_view(case: Case) -> CaseStatementView | None:
    if (told := case.statement) is None:
        return None
    return CaseStatementView(
        text=told.text,
        media=[*(told.media or ())],
        media_sha256=told.media_sha256 or [],
    )


def decision_view(case: Case) -> CaseDecisionView | None:
    if (told := case.confirmed) is None:
        return None
    return CaseDecisionView(
        points=told.points,
        severity=told.severity,
        rule_ids=told.rule_ids,
        automatic=told.automatic,
        decided_by=told.decided_by,
        appeal_until=told.appeal_until,
    )


def appeal_view(case: Case) -> CaseAppealView | None:
    if (told := case.appeal) is None:
        return None
    decided = case.decided
    return CaseAppealView(
        appeal_id=told.appeal_id,
        text=told.text,
        evidence_ids=told.evidence_ids,
        decide_by=told.decide_by,
        outcome=decided.outcome if decided else None,
        rule_ids=decided.rule_ids if decided else [],
        decided_by=decided.decided_by if decided else None,
    )


def actions_on_case(case: Case, by: Sender) -> list[Action]:
    return CASE_RULES.offered(case, by) if by.actor.acts_as in PEOPLE else []
