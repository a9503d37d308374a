"""A confirmed violation that the accused does not accept in; looked at by another person, out."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.appeals import in_appeal, in_time
from shared_casework.impartial import Stakes, impartial
from shared_casework.parties import PARTY
from shared_casework.reasons import REASONS
from shared_casework.values import refuse, utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import TEXT_LENGTH_MAX, Id
from shared_events.reputation import (
    AppealOutcome,
    CaseEvent,
    Points,
    ViolationAppealDecided,
    ViolationAppealed,
)
from shared_events.sealed import same_text
from shared_runtime.decider import AlreadyAppealed
from shared_runtime.rule import NO_WINDOW, Window
from shared_runtime.shape import ONCE, Made, Words

from reputation_service.domain.account_statements import ExplanationText, FactsText, RuleIds
from reputation_service.domain.case_matter import CaseRule, of_case
from reputation_service.domain.case_reasons import told_why
from reputation_service.domain.case_state import Case
from reputation_service.domain.known import PERSON, Sender


class AppealViolation(Struct, frozen=True, kw_only=True):
    """What was wrong with the decision, and what shows it: ids of events or of files sent in."""

    appeal_id: Annotated[Id, Made("appeal")]
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    evidence_ids: Annotated[tuple[Id, ...], ONCE] = ()


class DecideViolationAppeal(Struct, frozen=True, kw_only=True):
    """It stands (UPHELD), costs less (REDUCED, with the new `points`), or falls (REVERSED)."""

    outcome: AppealOutcome
    points: Points | None = None
    rule_ids: RuleIds = ()
    facts: FactsText = None
    explanation: ExplanationText = None


def appeal_violation(case: Case, said: AppealViolation, by: Sender) -> list[CaseEvent]:
    """To be decided within `case_appeal_sla`, by another person."""
    return [
        ViolationAppealed(
            **case.ids,
            appeal_id=said.appeal_id,
            text=said.text,
            evidence_ids=[*said.evidence_ids],
            decide_by=utc(by.now) + case.policy(by).case_appeal_sla,
        )
    ]


def is_appealed(case: Case, said: AppealViolation, _: Sender) -> bool:
    """Once, whatever has become of it."""
    if (appeal := case.appeal) is None:
        return False
    if appeal.appeal_id == said.appeal_id and same_text(appeal.text, said.text):
        return True
    raise AlreadyAppealed(existing_id=appeal.appeal_id)


def while_appealable(case: Case, _: AppealViolation, __: Sender) -> Window:
    return in_time(case.confirmed.appeal_until) if case.confirmed else NO_WINDOW


APPEAL_VIOLATION = CaseRule(
    AppealViolation,
    appeal_violation,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    repeated=is_appealed,
    states=("CONFIRMED",),
    window=while_appealable,
    refuses=(AlreadyAppealed,),
    events=(ViolationAppealed,),
    example=AppealViolation(appeal_id="A-new", text="The parcels were handed over: see the scans."),
)


def decide_violation_appeal(case: Case, said: DecideViolationAppeal, by: Sender) -> list[CaseEvent]:
    """There is no further appeal inside of the platform. A decision that falls is told to nobody
    with reasons: nobody is worse off.
    """
    appeal = case.appeal
    assert appeal
    decided = ViolationAppealDecided(
        **case.ids,
        appeal_id=appeal.appeal_id,
        outcome=said.outcome,
        rule=case.opened.rule,
        points=points_after(case, said),
        review_ids=case.opened.review_ids,
        rule_ids=[*said.rule_ids],
        decided_by=by.actor.id,
    )
    if said.outcome == "REVERSED":
        return [decided]
    told = told_why(
        case,
        by,
        "DecideViolationAppeal",
        facts=said.facts or "",
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
    )
    return [decided, told]


def points_after(case: Case, said: DecideViolationAppeal) -> int:
    """Those that are valid then. Raises `InvalidValue`."""
    if said.outcome == "REDUCED":
        if said.points is None or not 1 <= said.points < case.points:
            raise refuse("points", f"less than {case.points}, and at least 1")
        return said.points
    allowed = case.points if said.outcome == "UPHELD" else 0
    if said.points not in (None, allowed):
        raise refuse("points", f"{allowed}, or not named, with {said.outcome}")
    return allowed


def decided_by_another(case: Case, _: object, by: Sender) -> Stakes:
    stakes = of_case(case, by)
    return in_appeal(stakes, case.confirmed.decided_by) if case.confirmed else stakes


def as_decided(_: Case, __: Sender) -> Sequence[DecideViolationAppeal]:
    return [UPHELD, replace(UPHELD, outcome="REVERSED")]


UPHELD = DecideViolationAppeal(
    outcome="UPHELD",
    rule_ids=("P-3",),
    facts="The scans are of other parcels.",
    explanation="What was decided stands.",
)
DECIDE_VIOLATION_APPEAL = CaseRule(
    DecideViolationAppeal,
    decide_violation_appeal,
    roles=("SENIOR",),
    human=True,
    impartial=impartial(decided_by_another),
    reasons=REASONS,
    states=("APPEALED",),
    events=(ViolationAppealDecided, StatementOfReasonsIssued),
    example=UPHELD,
    tries=as_decided,
)
