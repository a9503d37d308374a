"""A history and somebody who reads it in, what of it he may know out: of a case, of an account.

The tables are closed: an event that is not in one is nobody's to read, and a test says so. Texts
are sealed besides.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.parties import Account as Holder
from shared_casework.parties import is_involved, is_party
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.reputation import (
    AccountEvent,
    AccountOpened,
    AccountTerminated,
    CaseDismissed,
    CaseEvent,
    CaseOpened,
    ConductAssessed,
    CreditExpired,
    ErasureDeferred,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    PenaltyExpired,
    PenaltyReversed,
    PenaltyStayed,
    PenaltyUnstayed,
    ProtectionEnded,
    ProtectionGranted,
    ScoreEvaluated,
    StatementSubmitted,
    SubjectErased,
    TerminationCancelled,
    TerminationNoticeGiven,
    ViolationAppealDecided,
    ViolationAppealed,
    ViolationConfirmed,
)
from shared_runtime.decider import Actor

from reputation_service.domain import account_fold, case_state
from reputation_service.domain.account_state import AccountState
from reputation_service.domain.account_state import Unopened as NoAccount
from reputation_service.domain.case_state import CaseState
from reputation_service.domain.case_state import Unopened as NoCase

type Reader = Literal["HOLDER", "STAFF", "PRIVACY", "EVERYTHING"]
"""HOLDER: whose account it is, who is accused. STAFF opens and decides cases. PRIVACY erases."""

SOMEBODY = "PLATFORM"
"""In the place of who decided: for the accused it is the marketplace."""

type Reads = tuple[Reader, ...]
ALL: Reads = ("HOLDER", "STAFF")
ERASURE: Reads = ("HOLDER", "STAFF", "PRIVACY")
OWN: Reads = ("STAFF",)
"""That it is late is the platform's own."""

CASE_READERS: Mapping[type[CaseEvent], Reads] = {
    CaseOpened: ALL,
    StatementSubmitted: ALL,
    ViolationConfirmed: ALL,
    CaseDismissed: ALL,
    ViolationAppealed: ALL,
    ViolationAppealDecided: ALL,
    DecisionOverdue: OWN,
    StatementOfReasonsIssued: ALL,
}
ACCOUNT_READERS: Mapping[type[AccountEvent], Reads] = {
    AccountOpened: ERASURE,
    PenaltyApplied: ALL,
    PenaltyReversed: ALL,
    PenaltyExpired: ALL,
    PenaltyStayed: ALL,
    PenaltyUnstayed: ALL,
    ConductAssessed: ALL,
    CreditExpired: ALL,
    LevelChanged: ALL,
    MeasureApplied: ALL,
    MeasureLifted: ALL,
    ProtectionGranted: ALL,
    ProtectionEnded: ALL,
    TerminationNoticeGiven: ALL,
    TerminationCancelled: ALL,
    AccountTerminated: ALL,
    ErasureDeferred: ERASURE,
    SubjectErased: ERASURE,
    ScoreEvaluated: ALL,
    StatementOfReasonsIssued: ALL,
}


def reader_of(  # noqa: PLR0911 - one arm for each role
    actor: Actor, parties: Collection[Holder]
) -> Reader | None:
    """As what somebody reads; None if it is nothing to him. Staff who belong to the holder are
    none: they would read what they are to decide of themselves.
    """
    match actor.acts_as:
        case "BUYER" | "SELLER":
            return "HOLDER" if is_party(actor, parties) else None
        case "SYSTEM":
            return "EVERYTHING"
        case _ if is_involved(actor, parties):
            return None
        case "ANALYST" | "SENIOR":
            return "STAFF"
        case "PRIVACY":
            return "PRIVACY"
        case "AUDITOR":
            return "EVERYTHING"
        case _:
            return None


class CaseReading(Struct, frozen=True, kw_only=True):
    """What one reader may know of a case. `reader` is None for who may know nothing of it."""

    reader: Reader | None
    knows: tuple[bool, ...] = ()
    events: tuple[CaseEvent, ...] = ()
    state: CaseState = NoCase()

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return len(self.events)


class AccountReading(Struct, frozen=True, kw_only=True):
    """What one reader may know of an account. `reader` is None for who may know nothing of it."""

    reader: Reader | None
    knows: tuple[bool, ...] = ()
    events: tuple[AccountEvent, ...] = ()
    state: AccountState = NoAccount()

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return len(self.events)


def case_read_by(actor: Actor, history: Sequence[CaseEvent]) -> CaseReading:
    """The case as this actor may know it."""
    truth = case_state.fold(history)
    if isinstance(truth, NoCase) or (reader := case_reader(actor, truth.parties)) is None:
        return CaseReading(reader=None)
    knows = tuple(may_know(event, reader, CASE_READERS) for event in history)
    told = [event for event, known in zip(history, knows, strict=True) if known]
    read = tuple(masked(event) if reader == "HOLDER" else event for event in told)
    state = case_state.fold(read)
    return CaseReading(reader=reader, knows=knows, events=read, state=state)


def case_reader(actor: Actor, parties: Collection[Holder]) -> Reader | None:
    """Who erases people has nothing to do with what they are accused of."""
    reader = reader_of(actor, parties)
    return None if reader == "PRIVACY" else reader


def account_read_by(actor: Actor, history: Sequence[AccountEvent]) -> AccountReading:
    """The account as this actor may know it."""
    truth = account_fold.fold(history)
    if isinstance(truth, NoAccount) or (reader := reader_of(actor, truth.parties)) is None:
        return AccountReading(reader=None)
    knows = tuple(may_know(event, reader, ACCOUNT_READERS) for event in history)
    told = tuple(event for event, known in zip(history, knows, strict=True) if known)
    state = account_fold.fold(told)
    return AccountReading(reader=reader, knows=knows, events=told, state=state)


def may_know(event: Struct, reader: Reader, table: Mapping[Any, Reads]) -> bool:
    return reader == "EVERYTHING" or reader in table[type(event)]


def masked(event: CaseEvent) -> CaseEvent:
    """As the accused reads it: without the names of who has opened it, and of who decides."""
    match event:
        case CaseOpened():
            return replace(event, opened_by=None)
        case ViolationConfirmed() | ViolationAppealDecided():
            return replace(event, decided_by=SOMEBODY)
        case _:
            return event
