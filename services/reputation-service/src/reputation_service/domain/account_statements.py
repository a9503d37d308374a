"""A decision that goes against the holder of an account in, the statement of reasons out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta
from shared_casework.reasons import Automation, Recipient, Ruling, decision_id, statement
from shared_events.common import (
    AccountDecision,
    Monetary,
    Provision,
    StatementOfReasonsIssued,
    Visibility,
)
from shared_events.fields import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Id
from shared_events.reputation import Measure
from shared_runtime.shape import ONCE, Words

from reputation_service.domain.account_state import Account
from reputation_service.domain.known import Sender

APPEAL = "AppealViolation"
type RuleIds = Annotated[tuple[Id, ...], Meta(max_length=20), ONCE]
type FactsText = Annotated[str | None, Words(TEXT_LENGTH_MAX, sealed_for="ACCUSED")]
type ExplanationText = Annotated[str | None, Words(NOTE_LENGTH_MAX, sealed_for=None)]
"""In plain words."""


class Restrictions(NamedTuple):
    """What a decision takes away, in the words of the public database."""

    visibility: Visibility | None = None
    monetary: Monetary | None = None
    provision: Provision | None = None
    account: AccountDecision | None = None


POINTS = Restrictions(visibility="OTHER")
"""Points lower the level that is shown."""
TERMINATED = Restrictions(account="TERMINATED")
OF_MEASURE: Mapping[Measure, Restrictions] = {
    "WARNING": Restrictions(),
    "REDUCED_EXPOSURE": Restrictions(visibility="CONTENT_DEMOTED"),
    "NO_PROMOTIONS": Restrictions(provision="PARTIAL_SUSPENSION"),
    "PAYOUT_HOLD": Restrictions(monetary="SUSPENSION"),
    "NO_FAST_LANE": Restrictions(provision="PARTIAL_SUSPENSION"),
    "MANUAL_ONLY": Restrictions(provision="PARTIAL_SUSPENSION"),
    "RATING_RIGHT_LOST": Restrictions(provision="PARTIAL_SUSPENSION"),
    "SUSPENSION": Restrictions(account="SUSPENDED"),
}


def restrictions_of(measures: Iterable[Measure]) -> Restrictions:
    """Of points, and of all measures that they bring at once."""
    taken = POINTS
    for measure in measures:
        more = OF_MEASURE[measure]
        taken = Restrictions(
            visibility=more.visibility or taken.visibility,
            monetary=more.monetary or taken.monetary,
            provision=more.provision or taken.provision,
            account=more.account or taken.account,
        )
    return taken


def told_why(
    account: Account,
    by: Sender,
    decision: str,
    restrictions: Restrictions,
    *,
    subject_id: str,
    facts: str,
    rule_ids: Iterable[str],
    explanation: str,
    automated: Automation = "NOT",
    applies_from: datetime | None = None,
    end_date: datetime | None = None,
    appeal_until: datetime | None = None,
) -> StatementOfReasonsIssued:
    """To the holder, for whom `facts` is sealed. `subject_id`: of the penalty, measure or case."""
    ruling = Ruling(
        decision_id=decision_id(f"account/{subject_id}", decision, by.now),
        decided_at=by.now,
        subject_kind="MEASURE",
        subject_id=subject_id,
        visibility=restrictions.visibility,
        monetary=restrictions.monetary,
        provision=restrictions.provision,
        account=restrictions.account,
        rule_ids=tuple(rule_ids),
        explanation=explanation,
        source_type="OWN_INITIATIVE",
        automated_detection=automated != "NOT",
        automated_decision=automated,
        applies_from=applies_from,
        end_date=end_date,
        appeal_until=appeal_until,
        appeal_command=APPEAL,
    )
    recipient = Recipient(role=account.kind, id=account.holder_id, facts=facts)
    return statement(account.about, ruling, recipient)
