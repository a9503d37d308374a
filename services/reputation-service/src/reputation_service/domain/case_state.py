"""What is known of one case, and what happens to it.

STATEMENT -> CONFIRMED -> (APPEALED -> CONFIRMED or REVERSED)      STATEMENT -> DISMISSED
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.overdue import Deadline, deadline_of
from shared_casework.parties import Account as Holder
from shared_events.common import DecisionOverdue, MatterFact, StatementOfReasonsIssued
from shared_events.fields import Party
from shared_events.reputation import (
    CaseDismissed,
    CaseEvent,
    CaseOpened,
    StatementSubmitted,
    ViolationAppealDecided,
    ViolationAppealed,
    ViolationConfirmed,
)

from reputation_service.domain.account_state import Ids
from reputation_service.domain.known import Sender
from reputation_service.domain.points_policy import PointsPolicy
from reputation_service.domain.violations import VIOLATIONS, Violation

type CaseStatus = Literal["STATEMENT", "CONFIRMED", "APPEALED", "REVERSED", "DISMISSED"]


class Unopened(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class CaseIds(Ids):
    """What every event about a case says."""

    case_id: str


class Case(Struct, frozen=True, kw_only=True):
    """An alleged violation. `points`: those that are valid now. `overdue`: what was told to be."""

    opened: CaseOpened
    status: CaseStatus = "STATEMENT"
    statement: StatementSubmitted | None = None
    confirmed: ViolationConfirmed | None = None
    dismissed: CaseDismissed | None = None
    appeal: ViolationAppealed | None = None
    decided: ViolationAppealDecided | None = None
    points: int = 0
    overdue: frozenset[Deadline] = frozenset()

    @property
    def case_id(self) -> str:
        return self.opened.case_id

    @property
    def kind(self) -> Party:
        return self.opened.account_kind

    @property
    def accused_id(self) -> str:
        told = self.opened
        accused = told.buyer_id if told.account_kind == "BUYER" else told.seller_id
        assert accused is not None
        return accused

    @property
    def parties(self) -> frozenset[Holder]:
        return frozenset({Holder(self.kind, self.accused_id)})

    @property
    def ids(self) -> CaseIds:
        told = self.opened
        return CaseIds(
            account_kind=told.account_kind,
            seller_id=told.seller_id,
            buyer_id=told.buyer_id,
            policy_version=told.policy_version,
            case_id=told.case_id,
        )

    @property
    def about(self) -> MatterFact:
        return MatterFact(**self.ids)

    @property
    def violation(self) -> Violation:
        return VIOLATIONS[self.opened.rule]

    def policy(self, by: Sender) -> PointsPolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.opened.policy_version)


type CaseState = Unopened | Case


def evolve(state: CaseState, event: CaseEvent) -> CaseState:
    if isinstance(event, CaseOpened):
        return Case(opened=event)
    assert isinstance(state, Case)
    return happened(state, event)


def fold(history: Iterable[CaseEvent]) -> CaseState:
    state: CaseState = Unopened()
    for event in history:
        state = evolve(state, event)
    return state


type Happened = (
    StatementSubmitted
    | ViolationConfirmed
    | CaseDismissed
    | ViolationAppealed
    | ViolationAppealDecided
    | DecisionOverdue
    | StatementOfReasonsIssued
)


def happened(  # noqa: PLR0911 - one arm for each event
    state: Case, event: Happened
) -> Case:
    match event:
        case StatementSubmitted():
            return replace(state, statement=event)
        case ViolationConfirmed(points=points):
            return replace(state, status="CONFIRMED", confirmed=event, points=points)
        case CaseDismissed():
            return replace(state, status="DISMISSED", dismissed=event)
        case ViolationAppealed():
            return replace(state, status="APPEALED", appeal=event)
        case ViolationAppealDecided(outcome=outcome, points=points):
            status: CaseStatus = "REVERSED" if outcome == "REVERSED" else "CONFIRMED"
            return replace(state, status=status, decided=event, points=points)
        case DecisionOverdue():
            return replace(state, overdue=state.overdue | {deadline_of(event)})
        case StatementOfReasonsIssued():
            return state
