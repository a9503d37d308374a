"""A decision about a dispute in, the statement of reasons for each whom it goes against out."""

from collections.abc import Mapping
from datetime import datetime

from shared_casework import reasons
from shared_casework.reasons import Automation, Recipient, Ruling, decision_id
from shared_events.common import MatterFact, StatementOfReasonsIssued
from shared_events.dispute import Outcome
from shared_events.fields import Party

from dispute_service.domain.dispute_state import SIDES, Dispute
from dispute_service.domain.known import Sender

APPEAL = "AppealDispute"


def against(outcome: Outcome) -> tuple[Party, ...]:
    """Whom it goes against: who has to give something, who gets less than there is."""
    match outcome:
        case "REJECTED":
            return ("BUYER",)
        case "REFUND_PARTIAL":
            return SIDES
        case "REFUND_FULL" | "RETURN_AND_REFUND" | "EXCHANGE" | "REPLACEMENT_NO_RETURN":
            return ("SELLER",)


def told_why(
    dispute: Dispute,
    by: Sender,
    decision: str,
    facts: Mapping[Party, str],
    *,
    rule_ids: tuple[str, ...],
    explanation: str,
    automated: Automation = "NOT",
    appeal_until: datetime | None = None,
) -> list[StatementOfReasonsIssued]:
    """One for each party that has `facts`, which are sealed for him."""
    ids = dispute.ids
    ruling = Ruling(
        decision_id=decision_id(f"dispute/{dispute.dispute_id}", decision, by.now),
        decided_at=by.now,
        subject_kind="DISPUTE",
        subject_id=dispute.dispute_id,
        monetary="OTHER",
        rule_ids=rule_ids,
        explanation=explanation,
        source_type="COMPLAINT",
        automated_decision=automated,
        appeal_until=appeal_until,
        appeal_command=APPEAL,
    )
    accounts = {"BUYER": ids["buyer_id"], "SELLER": ids["seller_id"]}
    return reasons.statements(
        MatterFact(**ids),
        ruling,
        [
            Recipient(role=side, id=accounts[side], facts=facts[side])
            for side in SIDES
            if side in facts
        ],
    )
