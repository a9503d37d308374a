"""The life of a case: every command that it knows, in the order of its life."""

from typing import Any

from shared_events.reputation import CaseEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from reputation_service.domain.case_appeals import APPEAL_VIOLATION, DECIDE_VIOLATION_APPEAL
from reputation_service.domain.case_opening import OPEN_CASE
from reputation_service.domain.case_overdue import NOTE_OVERDUE
from reputation_service.domain.case_state import CaseState, Unopened, evolve
from reputation_service.domain.confirming import CONFIRM_VIOLATION, DISMISS_CASE
from reputation_service.domain.known import Known
from reputation_service.domain.statements import SUBMIT_STATEMENT

CASE_RULES = Rules[CaseState, Known, CaseEvent](
    OPEN_CASE,
    SUBMIT_STATEMENT,
    CONFIRM_VIOLATION,
    DISMISS_CASE,
    APPEAL_VIOLATION,
    DECIDE_VIOLATION_APPEAL,
    NOTE_OVERDUE,
)

type CaseCommand = Sent[Any, Known]

CASES = Decider[CaseState, CaseCommand, CaseEvent](
    initial=Unopened(), decide=CASE_RULES.decide, evolve=evolve
)
