"""The life of a dispute: every command that it knows, in the order of its life."""

from typing import Any

from shared_events.dispute import DisputeEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from dispute_service.domain.adjudication import (
    ASSIGN_ADJUDICATOR,
    LAPSE_INFO,
    PROVIDE_INFO,
    REQUEST_INFO,
)
from dispute_service.domain.appeal_decision import DECIDE_DISPUTE_APPEAL
from dispute_service.domain.appeals import (
    ANSWER_APPEAL,
    APPEAL_DISPUTE,
    FINALIZE_DECISION,
    WAIVE_APPEAL,
)
from dispute_service.domain.blind_offers import MAKE_BLIND_OFFER
from dispute_service.domain.contest import OPEN_CONTEST
from dispute_service.domain.decisions import DECIDE_DISPUTE
from dispute_service.domain.dispute_fold import evolve
from dispute_service.domain.dispute_state import DisputeState, Unopened
from dispute_service.domain.escalation import ESCALATE_DISPUTE
from dispute_service.domain.evidence import LODGE_EVIDENCE, REMOVE_EVIDENCE, SHARE_EVIDENCE
from dispute_service.domain.known import Known
from dispute_service.domain.messages import ADD_DISPUTE_MESSAGE
from dispute_service.domain.opening import OPEN_DISPUTE
from dispute_service.domain.overdue import NOTE_OVERDUE
from dispute_service.domain.platform_default import GIVE_PLATFORM_DEFAULT
from dispute_service.domain.proposals import ACCEPT_PROPOSAL, PROPOSE, REJECT_PROPOSAL
from dispute_service.domain.remedies import CONFIRM_EXECUTION
from dispute_service.domain.silence import GIVE_DEFAULT_JUDGEMENT
from dispute_service.domain.submission import (
    DISCLOSE_EVIDENCE,
    EXTEND_EVIDENCE,
    START_ADJUDICATION,
    SUBMIT_EVIDENCE,
    SUBMIT_REBUTTAL,
)
from dispute_service.domain.withdrawal import WITHDRAW_DISPUTE

RULES = Rules[DisputeState, Known, DisputeEvent](
    OPEN_DISPUTE,
    OPEN_CONTEST,
    PROPOSE,
    ACCEPT_PROPOSAL,
    REJECT_PROPOSAL,
    MAKE_BLIND_OFFER,
    GIVE_DEFAULT_JUDGEMENT,
    ESCALATE_DISPUTE,
    ADD_DISPUTE_MESSAGE,
    LODGE_EVIDENCE,
    SHARE_EVIDENCE,
    REMOVE_EVIDENCE,
    EXTEND_EVIDENCE,
    SUBMIT_EVIDENCE,
    DISCLOSE_EVIDENCE,
    SUBMIT_REBUTTAL,
    START_ADJUDICATION,
    ASSIGN_ADJUDICATOR,
    REQUEST_INFO,
    PROVIDE_INFO,
    LAPSE_INFO,
    DECIDE_DISPUTE,
    WAIVE_APPEAL,
    APPEAL_DISPUTE,
    ANSWER_APPEAL,
    DECIDE_DISPUTE_APPEAL,
    FINALIZE_DECISION,
    GIVE_PLATFORM_DEFAULT,
    CONFIRM_EXECUTION,
    WITHDRAW_DISPUTE,
    NOTE_OVERDUE,
)

type DisputeCommand = Sent[Any, Known]

DISPUTES = Decider[DisputeState, DisputeCommand, DisputeEvent](
    initial=Unopened(), decide=RULES.decide, evolve=evolve
)
