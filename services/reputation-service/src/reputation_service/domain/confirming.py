"""A case in, the violation confirmed with its points and reasons, or the case dismissed, out."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.impartial import impartial, require_impartial
from shared_casework.reasons import REASONS
from shared_casework.values import refuse, utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import (
    CaseDismissed,
    CaseEvent,
    DismissalReason,
    Points,
    ViolationConfirmed,
)
from shared_runtime.decider import (
    ConflictOfInterest,
    FieldError,
    HumanRequired,
    Role,
    RoleNotAllowed,
    WrongState,
)
from shared_runtime.rule import Guard, Window

from reputation_service.domain.account_statements import ExplanationText, FactsText, RuleIds
from reputation_service.domain.case_matter import CaseRule, of_case
from reputation_service.domain.case_reasons import told_why
from reputation_service.domain.case_state import Case
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.violations import REVIEW

LAPSED: DismissalReason = "LAPSED"
OF_REVIEW: tuple[Role, ...] = ("SENIOR",)


class ConfirmViolation(Struct, frozen=True, kw_only=True):
    """What it costs, and why. `facts`: sealed for the accused."""

    points: Points
    rule_ids: RuleIds = ()
    facts: FactsText = None
    explanation: ExplanationText = None


class DismissCase(Struct, frozen=True, kw_only=True):
    """Nothing comes of it."""

    reason: DismissalReason


# --- Confirmed


def confirm_violation(case: Case, said: ConfirmViolation, by: Sender) -> list[CaseEvent]:
    """The accused may appeal it for `case_appeal_window`."""
    violation = case.violation
    if not violation.least <= said.points <= violation.most:
        raise refuse("points", f"{violation.least}..{violation.most}")
    until = utc(by.now) + case.policy(by).case_appeal_window
    confirmed = ViolationConfirmed(
        **case.ids,
        rule=case.opened.rule,
        points=said.points,
        severity=violation.severity,
        rule_ids=[*said.rule_ids],
        review_ids=case.opened.review_ids,
        automatic=not by.actor.is_human,
        decided_by=by.actor.id,
        safety=case.opened.safety,
        appeal_until=until,
    )
    told = told_why(
        case,
        by,
        "ConfirmViolation",
        facts=said.facts or "",
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
        appeal_until=until,
    )
    return [confirmed, told]


def may_confirm(case: Case, said: ConfirmViolation, by: Sender) -> None:
    """a person; the platform by itself only where the rule is automatic, the points are few and
    the accused has not spoken; whether an account is to be closed, a SENIOR
    """
    if not by.actor.is_human and not is_automatic(case, said.points, by):
        raise HumanRequired
    if case.opened.rule == REVIEW and by.actor.acts_as not in OF_REVIEW:
        raise RoleNotAllowed(allowed_roles=[*OF_REVIEW])


def is_automatic(case: Case, points: int, by: Sender) -> bool:
    few = points < case.policy(by).case_human_points
    return case.violation.automatic and few and case.statement is None


def by_another(case: Case, said: ConfirmViolation, by: Sender) -> None:
    """nobody with a stake in it; of many points, not who has opened it"""
    many = said.points >= case.policy(by).case_human_points
    stakes = of_case(case, by)
    own = case.opened.opened_by if many else None
    require_impartial(by.actor, replace(stakes, opened_by=own))


def to_be_decided(case: Case, _: ConfirmViolation, __: Sender) -> Window:
    """Once the accused has spoken, or may not any more."""
    opened = case.opened
    earliest = None if case.statement else opened.statement_until
    return Window(earliest=earliest, latest=opened.decide_by)


CONFIRM_VIOLATION = CaseRule(
    ConfirmViolation,
    confirm_violation,
    roles=("ANALYST", "SENIOR", "SYSTEM"),
    party=Guard[Case, ConfirmViolation, Known](may_confirm, HumanRequired, RoleNotAllowed),
    impartial=Guard[Case, ConfirmViolation, Known](by_another, ConflictOfInterest),
    reasons=REASONS,
    states=("STATEMENT",),
    window=to_be_decided,
    early=True,
    lapses=True,
    events=(ViolationConfirmed, StatementOfReasonsIssued),
    example=ConfirmViolation(
        points=12,
        rule_ids=("P-3",),
        facts="Eleven of the fourteen orders were paid from one account, and never shipped.",
        explanation="Orders were made up so that they could be rated.",
    ),
    tries=lambda case, _: [
        ConfirmViolation(
            points=case.violation.least, rule_ids=("P-3",), facts="facts", explanation="It was so."
        )
    ],
)


# --- Dismissed


def dismiss_case(case: Case, said: DismissCase, _: Sender) -> list[CaseEvent]:
    return [CaseDismissed(**case.ids, reason=said.reason)]


def reason_of_his(said: DismissCase, by: Sender) -> Iterator[FieldError]:
    if (said.reason == LAPSED) == by.actor.is_human:
        yield FieldError(field="reason", bound="LAPSED of the platform, and of nobody else")


def is_lapsed(case: Case, _: DismissCase, by: Sender) -> None:
    """by a person at any time; by itself once nobody may confirm it any more"""
    if not by.actor.is_human and by.now < case.opened.decide_by:
        raise WrongState(state=case.status)


DISMISS_CASE = CaseRule(
    DismissCase,
    dismiss_case,
    roles=("ANALYST", "SENIOR", "SYSTEM"),
    shape=reason_of_his,
    impartial=impartial(lambda case, _, by: of_case(case, by)),
    states=("STATEMENT",),
    stands=Guard[Case, DismissCase, Known](is_lapsed, WrongState),
    lapses=True,
    events=(CaseDismissed,),
    example=DismissCase(reason="UNFOUNDED"),
)
