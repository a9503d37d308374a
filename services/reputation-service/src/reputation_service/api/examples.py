"""An account and a case of it: what the page of the API shows."""

from datetime import UTC, datetime, timedelta

from shared_runtime.decider import Actor, events_of
from shared_runtime.rule import By, Sent

from reputation_service.domain.account_opening import OpenAccount
from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.case_opening import OPEN_CASE
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.known import Known
from reputation_service.domain.penalties import ApplyPenalty
from reputation_service.domain.points_policy import policies
from reputation_service.domain.points_readers import (
    AccountReading,
    CaseReading,
    account_read_by,
    case_read_by,
)

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SELLER = Actor(role="SELLER", id="S-77")
ANALYST = Actor(role="ANALYST", id="analyst-3")
SYSTEM = Actor(role="SYSTEM", id="cases")
KNOWN = Known(policies=policies(), has_account=True)
BY_SELLER = By(actor=SELLER, now=AT, known=KNOWN)
BY_ANALYST = By(actor=ANALYST, now=AT, known=KNOWN)
BY_SYSTEM = By(actor=SYSTEM, now=AT - timedelta(days=3), known=KNOWN)
PENALTY = ApplyPenalty(
    penalty_id="P-1",
    case_id="C-9",
    rule="UNANSWERED_DISPUTE",
    points=2,
    severity="MINOR",
    facts="The dispute D-12 was closed by default: you did not act until 2026-02-20.",
)


def account() -> AccountReading:
    """As its holder reads it."""
    told = [
        Sent(OpenAccount(kind="SELLER", holder_id=SELLER.id), BY_SYSTEM),
        Sent(PENALTY, BY_SYSTEM),
    ]
    return account_read_by(SELLER, events_of(ACCOUNTS, told))


def case() -> CaseReading:
    """As the accused reads it."""
    return case_read_by(SELLER, events_of(CASES, [Sent(OPEN_CASE.example, BY_ANALYST)]))
