"""An account without credit that was looked at in, its end after a notice out."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from shared_casework.values import utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Id
from shared_events.reputation import (
    AccountEvent,
    AccountTerminated,
    CancelReason,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    TerminationCancelled,
    TerminationNoticeGiven,
)
from shared_runtime.decider import FieldError, WrongState
from shared_runtime.rule import Guard, Window

from reputation_service.domain.account_matter import IMPARTIAL, AccountRule
from reputation_service.domain.account_state import Account
from reputation_service.domain.account_statements import TERMINATED, FactsText, told_why
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.violations import REVIEW

FOLLOWS = (LevelChanged, MeasureApplied, MeasureLifted)
BY_SENIOR: CancelReason = "BY_SENIOR"


class GiveTerminationNotice(Struct, frozen=True, kw_only=True):
    """A person has looked at the account, and it is to be closed."""

    case_id: Id
    facts: FactsText


class CancelTermination(Struct, frozen=True, kw_only=True):
    """The account goes on. `case_id`: the one behind the notice, where that was reversed."""

    reason: CancelReason
    case_id: Id | None = None


class TerminateAccount(Struct, frozen=True):
    """The notice is over."""


def has_credit(account: Account, by: Sender) -> bool:
    """Nobody is closed whose balance has come back."""
    return account.ledger.balance(by.now) >= account.policy(by).credit_restricted


def is_without_credit(account: Account, _: object, by: Sender) -> None:
    """the balance has not come back"""
    if has_credit(account, by):
        raise WrongState(state=account.status)


WITHOUT_CREDIT = Guard[Account, object, Known](is_without_credit, WrongState)


def give_termination_notice(
    account: Account, said: GiveTerminationNotice, by: Sender
) -> list[AccountEvent]:
    """So long before the end that he can act, and look elsewhere."""
    effective_at = utc(by.now) + account.policy(by).termination_notice
    given = TerminationNoticeGiven(**account.ids, case_id=said.case_id, effective_at=effective_at)
    told = told_why(
        account,
        by,
        "GiveTerminationNotice",
        TERMINATED,
        subject_id=said.case_id,
        facts=said.facts or "",
        rule_ids=(REVIEW,),
        explanation=f"The balance is {account.ledger.balance(by.now)} of {account.ledger.start}. "
        f"The account ends on {effective_at:%Y-%m-%d}, unless the balance is "
        f"{account.policy(by).credit_restricted} or more by then.",
        automated="PARTIALLY",
        applies_from=effective_at,
    )
    return [given, told]


GIVE_TERMINATION_NOTICE = AccountRule(
    GiveTerminationNotice,
    give_termination_notice,
    roles=("SYSTEM",),
    states=("ACTIVE",),
    stands=WITHOUT_CREDIT,
    lapses=True,
    events=(TerminationNoticeGiven, *FOLLOWS, StatementOfReasonsIssued),
    example=GiveTerminationNotice(case_id="C-77", facts="What the review has found."),
)


def cancel_termination(account: Account, said: CancelTermination, _: Sender) -> list[AccountEvent]:
    return [TerminationCancelled(**account.ids, reason=said.reason)]


def reason_of_his(said: CancelTermination, by: Sender) -> Iterator[FieldError]:
    if (said.reason == BY_SENIOR) != by.actor.is_human:
        yield FieldError(field="reason", bound="BY_SENIOR of a person, and of nobody else")
    if (said.case_id is not None) != (said.reason == "CASE_REVERSED"):
        yield FieldError(field="case_id", bound="with CASE_REVERSED, and only then")


def is_cancellable(account: Account, said: CancelTermination, by: Sender) -> None:
    """a person says so; the balance has come back; or the case behind it was reversed"""
    assert account.notice
    fallen = said.reason == "CASE_REVERSED" and said.case_id == account.notice.case_id
    back = said.reason == "BALANCE" and has_credit(account, by)
    if not (said.reason == BY_SENIOR or fallen or back):
        raise WrongState(state=account.status)


CANCEL_TERMINATION = AccountRule(
    CancelTermination,
    cancel_termination,
    roles=("SENIOR", "SYSTEM"),
    shape=reason_of_his,
    impartial=IMPARTIAL,
    states=("NOTICE",),
    stands=Guard[Account, CancelTermination, Known](is_cancellable, WrongState),
    lapses=True,
    events=(TerminationCancelled, *FOLLOWS),
    example=CancelTermination(reason=BY_SENIOR),
)


def terminate_account(account: Account, _: TerminateAccount, by: Sender) -> list[AccountEvent]:
    """What is open goes on to its end, and he may act in it."""
    return [AccountTerminated(**account.ids, terminated_at=utc(by.now))]


def once_effective(account: Account, _: TerminateAccount, __: Sender) -> Window:
    return Window(earliest=effective_at(account))


def effective_at(account: Account) -> datetime | None:
    return account.notice.effective_at if account.notice else None


TERMINATE_ACCOUNT = AccountRule(
    TerminateAccount,
    terminate_account,
    roles=("SYSTEM",),
    states=("NOTICE",),
    stands=WITHOUT_CREDIT,
    window=once_effective,
    early=True,
    lapses=True,
    events=(AccountTerminated, *FOLLOWS),
    example=TerminateAccount(),
)
