"""How a dispute or an inquiry stands in, its deadlines and what each of them asks for out.

A timer only sends its command: it may fire late, twice, or after its cause has gone.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct
from shared_casework.overdue import NoteOverdue

from dispute_service.domain.adjudication import LapseInfo
from dispute_service.domain.answering import MarkInquiryOverdue
from dispute_service.domain.appeals import FinalizeDecision
from dispute_service.domain.dispute_state import TO_DECIDE, Dispute, DisputeState, Unopened
from dispute_service.domain.escalation import EscalateDispute
from dispute_service.domain.inquiry_end import CloseInquiry
from dispute_service.domain.inquiry_state import InquiryState, Unasked
from dispute_service.domain.overdue import owed
from dispute_service.domain.platform_default import GivePlatformDefault
from dispute_service.domain.policy import Policies
from dispute_service.domain.silence import GiveDefaultJudgement
from dispute_service.domain.submission import DiscloseEvidence, StartAdjudication

type Name = Literal[
    "INQUIRY_ANSWER",
    "INQUIRY_IDLE",
    "DISPUTE_ANSWER",
    "DISPUTE_ESCALATE",
    "EVIDENCE_DUE",
    "REBUTTAL_DUE",
    "DECISION_DUE",
    "INFO_DUE",
    "APPEAL_WINDOW",
    "DISPUTE_APPEAL_DUE",
    "PLATFORM_DEFAULT",
    "EXECUTION_DUE",
]


class Deadline(NamedTuple):
    """An instant at which something is asked for by itself."""

    name: Name
    due: datetime


class PlatformWords(Struct, frozen=True, kw_only=True):
    """The platform's own words about what a passed deadline brings, sealed for each party."""

    for_buyer: str
    for_seller: str


def inquiry_deadlines(state: InquiryState) -> list[Deadline]:
    if isinstance(state, Unasked) or state.status == "CLOSED":
        return []
    deadlines = [Deadline("INQUIRY_IDLE", state.idle_at)]
    if state.status == "OPEN" and not state.overdue:
        deadlines.append(Deadline("INQUIRY_ANSWER", state.opened.answer_due))
    return deadlines


def dispute_deadlines(state: DisputeState, policies: Policies) -> list[Deadline]:
    """All that are set. A deadline that was told as overdue is not set again."""
    if isinstance(state, Unopened):
        return []
    dues = [*of_stage(state), *of_nobody(state, policies)]
    if (debt := owed(state)) and debt not in state.overdue:
        dues.append(Deadline(NOTED[debt[0]], debt[2]))
    return dues


NOTED: dict[str, Name] = {
    "DISPUTE_DECISION": "DECISION_DUE",
    "DISPUTE_APPEAL": "DISPUTE_APPEAL_DUE",
    "EXECUTION": "EXECUTION_DUE",
}


def of_stage(  # noqa: PLR0911 - one arm for each stage
    dispute: Dispute,
) -> list[Deadline]:
    """What leads on from where it stands, if the parties do nothing."""
    match dispute.status:
        case "NEGOTIATING":
            escalates = Deadline("DISPUTE_ESCALATE", dispute.auto_escalate_at)
            if dispute.seller_acted:
                return [escalates]
            return [Deadline("DISPUTE_ANSWER", dispute.answer_due), escalates]
        case "EVIDENCE":
            assert dispute.evidence_due
            return [Deadline("EVIDENCE_DUE", dispute.evidence_due)]
        case "REBUTTAL":
            assert dispute.rebuttal_due
            return [Deadline("REBUTTAL_DUE", dispute.rebuttal_due)]
        case "REVIEW" | "APPEAL":
            asked = dispute.question
            return [Deadline("INFO_DUE", asked.info_due)] if asked else []
        case "DECIDED":
            assert dispute.decision
            return [Deadline("APPEAL_WINDOW", dispute.decision.appeal_until)]
        case "EXECUTING" | "CLOSED":
            return []


def of_nobody(dispute: Dispute, policies: Policies) -> list[Deadline]:
    """When it ends though nobody has decided it."""
    if dispute.status not in TO_DECIDE or dispute.question or dispute.decide_by is None:
        return []
    policy = policies.of(dispute.opened.policy_version)
    return [Deadline("PLATFORM_DEFAULT", dispute.decide_by + policy.dispute_platform_default)]


# --- What they ask for


def asked_of_inquiry(name: str) -> Struct:
    """The command of a passed deadline of an inquiry."""
    return MarkInquiryOverdue() if name == "INQUIRY_ANSWER" else CloseInquiry(reason="IDLE")


def asked_of_dispute(  # noqa: PLR0911 - one arm for each deadline
    name: str, due: datetime, dispute: Dispute, told: PlatformWords
) -> Struct | None:
    """The command of a passed deadline of a dispute; None if nothing is owed there any more."""
    match name:
        case "DISPUTE_ANSWER":
            return GiveDefaultJudgement(facts=told.for_seller)
        case "DISPUTE_ESCALATE":
            return EscalateDispute()
        case "EVIDENCE_DUE":
            return DiscloseEvidence()
        case "REBUTTAL_DUE":
            return StartAdjudication()
        case "INFO_DUE":
            return LapseInfo()
        case "APPEAL_WINDOW":
            return FinalizeDecision()
        case "PLATFORM_DEFAULT":
            return GivePlatformDefault(
                facts_for_buyer=told.for_buyer, facts_for_seller=told.for_seller
            )
        case _:
            debt = owed(dispute)
            if debt is None or NOTED[debt[0]] != name:
                return None
            return NoteOverdue(what=debt[0], ref_id=debt[1], due_at=due)
