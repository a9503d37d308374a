"""What commands are about: a case, or the account that one is opened against; who may judge it."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from shared_casework.impartial import Stakes
from shared_events.reputation import CaseEvent
from shared_runtime.decider import NotFound
from shared_runtime.rule import Rule

from reputation_service.domain.case_state import Case, CaseState, CaseStatus, Unopened
from reputation_service.domain.known import Known, Sender


class CaseRule[C: Struct](Rule[CaseState, Case, CaseStatus, C, Known, CaseEvent]):
    """A command to a case that was opened."""

    def find(self, state: CaseState, said: C, by: Sender) -> Case:  # noqa: ARG002
        if isinstance(state, Unopened):
            raise NotFound
        return state

    def matters(self, state: CaseState, by: Sender) -> Iterable[Case]:  # noqa: ARG002
        return [] if isinstance(state, Unopened) else [state]


class Suspicion(Struct, frozen=True, kw_only=True):
    """What a case may be made of, and the case of this id if it is there already."""

    case: Case | None = None

    @property
    def status(self) -> Literal["NONE", "OPENED"]:
        return "OPENED" if self.case else "NONE"


type SuspicionStatus = Literal["NONE", "OPENED"]


class SuspicionRule[C: Struct](Rule[CaseState, Suspicion, SuspicionStatus, C, Known, CaseEvent]):
    """A command that opens a case, against somebody who has an account."""

    def find(self, state: CaseState, said: C, by: Sender) -> Suspicion:  # noqa: ARG002
        if not by.known.has_account:
            raise NotFound
        return Suspicion(case=None if isinstance(state, Unopened) else state)

    def matters(self, state: CaseState, by: Sender) -> Iterable[Suspicion]:
        known = by.known.has_account and isinstance(state, Unopened)
        return [Suspicion()] if known else []


def of_case(case: Case, by: Sender) -> Stakes:
    """Who has a stake in it: the accused, and whoever acts with him."""
    return Stakes(parties=case.parties, organisations=by.known.party_orgs)
