"""A decision against the accused in, the statement of reasons that he is owed out."""

from collections.abc import Iterable
from datetime import datetime

from shared_casework.reasons import Recipient, Ruling, decision_id, statement
from shared_events.common import StatementOfReasonsIssued

from reputation_service.domain.account_statements import APPEAL, POINTS, TERMINATED
from reputation_service.domain.case_state import Case
from reputation_service.domain.known import Sender
from reputation_service.domain.violations import REVIEW

BY_MACHINE = ("RULE", "DETECTOR")


def told_why(
    case: Case,
    by: Sender,
    decision: str,
    *,
    facts: str,
    rule_ids: Iterable[str],
    explanation: str,
    appeal_until: datetime | None = None,
) -> StatementOfReasonsIssued:
    """`facts` is sealed for the accused. What follows for his account he is told there."""
    opened = case.opened
    restrictions = TERMINATED if opened.rule == REVIEW else POINTS
    ruling = Ruling(
        decision_id=decision_id(f"case/{case.case_id}", decision, by.now),
        decided_at=by.now,
        subject_kind="VIOLATION",
        subject_id=case.case_id,
        visibility=restrictions.visibility,
        account=restrictions.account,
        rule_ids=tuple(rule_ids),
        explanation=explanation,
        source_type="NOTICE" if opened.detection == "NOTICE" else "OWN_INITIATIVE",
        automated_detection=opened.detection in BY_MACHINE,
        automated_decision="NOT" if by.actor.is_human else "FULLY",
        appeal_until=appeal_until,
        appeal_command=APPEAL,
    )
    recipient = Recipient(role=case.kind, id=case.accused_id, facts=facts)
    return statement(case.about, ruling, recipient)
