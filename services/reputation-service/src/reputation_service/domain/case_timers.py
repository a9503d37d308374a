"""How a case stands in, its deadlines and what each of them asks for out.

A timer only sends its command: it may fire late, twice, or after its cause has gone.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct
from shared_casework.overdue import NoteOverdue

from reputation_service.domain.case_overdue import APPEAL
from reputation_service.domain.case_state import Case, CaseState, Unopened
from reputation_service.domain.confirming import LAPSED, ConfirmViolation, DismissCase
from reputation_service.domain.points_policy import Policies

type Name = Literal["STATEMENT_END", "CASE_DUE", "VIOLATION_APPEAL_DUE"]


class Deadline(NamedTuple):
    """An instant at which something is asked for by itself."""

    name: Name
    due: datetime


def case_deadlines(state: CaseState, policies: Policies) -> list[Deadline]:
    """All that are set. A deadline that was told as overdue is not set again."""
    if isinstance(state, Unopened):
        return []
    opened = state.opened
    match state.status:
        case "STATEMENT":
            due = Deadline("CASE_DUE", opened.decide_by)
            if not confirms_itself(state, policies):
                return [due]
            return [Deadline("STATEMENT_END", opened.statement_until), due]
        case "APPEALED":
            assert state.appeal
            at = state.appeal.decide_by
            told = (APPEAL, state.appeal.appeal_id, at) in state.overdue
            return [] if told else [Deadline("VIOLATION_APPEAL_DUE", at)]
        case "CONFIRMED" | "REVERSED" | "DISMISSED":
            return []


def confirms_itself(case: Case, policies: Policies) -> bool:
    """Without a person, once the accused has let his time pass."""
    policy = policies.of(case.opened.policy_version)
    few = case.violation.most < policy.case_human_points
    return case.violation.automatic and few and case.statement is None


def asked_of_case(name: str, case: Case, facts: str) -> Struct | None:
    """The command of a passed deadline; None if nothing is owed there any more. `facts`: the
    platform's own words, sealed for the accused.
    """
    match name:
        case "STATEMENT_END":
            rule = case.opened.rule
            return ConfirmViolation(
                points=case.violation.least,
                rule_ids=(rule,),
                facts=facts,
                explanation=f"{rule} is confirmed by rule: nothing was said against it in time.",
            )
        case "CASE_DUE":
            return DismissCase(reason=LAPSED)
        case _:
            appeal = case.appeal
            if appeal is None:
                return None
            return NoteOverdue(what=APPEAL, ref_id=appeal.appeal_id, due_at=appeal.decide_by)
