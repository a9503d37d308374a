"""A history and somebody who reads it in, what of it he may know out.

What a reader sees of a dispute is the fold of the events that he may know: its view, the page of
its history, its version and what he is offered all come from that. The tables are closed: an event
that is not in one is nobody's to read, and a test says so. Texts are sealed besides.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.readers import Reader, reader_of
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.dispute import (
    AdjudicationStarted,
    AdjudicatorAssigned,
    AppealAnswered,
    AppealWaived,
    BlindOfferMade,
    DefaultJudgementGiven,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputeEscalated,
    DisputeEvent,
    DisputeFinalized,
    DisputeMessageAdded,
    DisputeOpened,
    DisputeSettled,
    DisputeWithdrawn,
    EvidenceDisclosed,
    EvidenceExtended,
    EvidenceLodged,
    EvidenceRemoved,
    EvidenceShared,
    EvidenceSubmitted,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    InquiryAnswered,
    InquiryClosed,
    InquiryEvent,
    InquiryMessageAdded,
    InquiryOpened,
    InquiryOverdue,
    PlatformDefaultGiven,
    ProposalAccepted,
    ProposalMade,
    ProposalRejected,
    RebuttalSubmitted,
    RemedyOrdered,
)
from shared_events.fields import Party
from shared_runtime.decider import Actor

from dispute_service.domain import inquiry_state
from dispute_service.domain.dispute_fold import evolve, seller_acting
from dispute_service.domain.dispute_state import SIDES, Dispute, DisputeState, Unopened
from dispute_service.domain.inquiry_state import InquiryState, Unasked

SOMEBODY = "ADJUDICATOR"
"""In the place of who decided: for the parties it is the marketplace."""


class Case(Struct, frozen=True, kw_only=True):
    """A reader before a dispute, as it is in truth, and what has happened to it."""

    reader: Reader
    truth: Dispute
    history: Sequence[DisputeEvent]


type Reads = Callable[[Any, Case], bool]
"""An event in, whether somebody who may know of the dispute may know of this too."""


def everybody(_: DisputeEvent, __: Case) -> bool:
    """Both parties, and who decides."""
    return True


def staff(_: DisputeEvent, case: Case) -> bool:
    """Who it is that decides, and that he is late, is the platform's own."""
    return case.reader == "STAFF"


def author(event: BlindOfferMade, case: Case) -> bool:
    """Whoever else knew a figure would not have to guess at it, and who decides is not to."""
    return event.by_role == case.reader


def author_until_shown(event: EvidenceLodged, case: Case) -> bool:
    """Until it is shared, disclosed or named in something that both read."""
    if event.by_role in (case.reader, "SYSTEM"):
        return True
    piece = case.truth.evidence.get(event.evidence_id)
    return piece is not None and piece.shown


def its_author(event: EvidenceRemoved, case: Case) -> bool:
    """What was taken back nobody else has seen."""
    return any(
        isinstance(lodged, EvidenceLodged)
        and (lodged.evidence_id, lodged.by_role) == (event.evidence_id, case.reader)
        for lodged in case.history
    )


def author_until_disclosed(event: EvidenceSubmitted, case: Case) -> bool:
    return event.by_role == case.reader or case.truth.rebuttal_due is not None


def author_until_adjudication(event: RebuttalSubmitted, case: Case) -> bool:
    return event.by_role == case.reader or case.truth.decide_by is not None


def recipient(event: StatementOfReasonsIssued, case: Case) -> bool:
    """And staff."""
    return case.reader in (event.recipient_role, "STAFF")


READERS: Mapping[type[DisputeEvent], Reads] = {
    DisputeOpened: everybody,
    ProposalMade: everybody,
    ProposalAccepted: everybody,
    ProposalRejected: everybody,
    BlindOfferMade: author,
    DisputeSettled: everybody,
    DefaultJudgementGiven: everybody,
    DisputeEscalated: everybody,
    DisputeMessageAdded: everybody,
    EvidenceLodged: author_until_shown,
    EvidenceShared: everybody,
    EvidenceRemoved: its_author,
    EvidenceExtended: everybody,
    EvidenceSubmitted: author_until_disclosed,
    EvidenceDisclosed: everybody,
    RebuttalSubmitted: author_until_adjudication,
    AdjudicationStarted: everybody,
    AdjudicatorAssigned: staff,
    InfoRequested: everybody,
    InfoProvided: everybody,
    InfoLapsed: everybody,
    DisputeDecided: everybody,
    AppealWaived: everybody,
    DisputeAppealed: everybody,
    AppealAnswered: everybody,
    DisputeAppealDecided: everybody,
    PlatformDefaultGiven: everybody,
    DisputeFinalized: everybody,
    RemedyOrdered: everybody,
    DisputeWithdrawn: everybody,
    DisputeClosed: everybody,
    DecisionOverdue: staff,
    StatementOfReasonsIssued: recipient,
}
"""Who may know of what, if he may know of the dispute."""

INQUIRY_READERS: frozenset[type[InquiryEvent]] = frozenset(
    {InquiryOpened, InquiryAnswered, InquiryMessageAdded, InquiryOverdue, InquiryClosed}
)
"""What whoever may know of an inquiry may know."""


def masked(event: DisputeEvent, reader: Party) -> DisputeEvent:
    """As a party reads it: without the names of who decides, and of who did before. When a seller
    first acted, in secret perhaps, is not the buyer's to know.
    """
    match event:
        case DisputeClosed() if reader == "BUYER":
            return replace(event, first_response_seconds=None)
        case DisputeOpened() if event.barred_ids is not None:
            return replace(event, barred_ids=None)
        case DisputeDecided() | DisputeAppealDecided():
            return replace(event, decided_by=SOMEBODY)
        case _:
            return event


class Reading(Struct, frozen=True, kw_only=True):
    """What one reader may know of a dispute: which events, as he reads them, and the state that
    they lead to. `reader` is None for who may know nothing of it.
    """

    reader: Reader | None
    knows: tuple[bool, ...] = ()
    events: tuple[DisputeEvent, ...] = ()
    state: DisputeState = Unopened()

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return len(self.events)


def read_by(actor: Actor, history: Sequence[DisputeEvent]) -> Reading:
    """The dispute as this actor may know it."""
    truth: DisputeState = Unopened()
    for event in history:
        truth = evolve(truth, event)
    if isinstance(truth, Unopened) or (reader := reader_of(actor, truth.parties)) is None:
        return Reading(reader=None)
    case = Case(reader=reader, truth=truth, history=history)
    state: DisputeState = Unopened()
    events: list[DisputeEvent] = []
    knows = tuple(may_know(event, case) for event in history)
    for event, known in zip(history, knows, strict=True):
        if known:
            read = masked(event, reader) if reader in SIDES else event
            events.append(read)
            state = evolve(state, read)
        else:
            state = unseen(state, event)
    return Reading(reader=reader, knows=knows, events=tuple(events), state=state)


def may_know(event: DisputeEvent, case: Case) -> bool:
    return case.reader == "EVERYTHING" or READERS[type(event)](event, case)


def unseen(state: DisputeState, event: DisputeEvent) -> DisputeState:
    """That a seller has acted shows in what may still be done; what he did, and when, does not."""
    if isinstance(state, Dispute) and isinstance(event, EvidenceLodged | BlindOfferMade):
        return seller_acting(state, event.by_role)
    return state


class InquiryReading(Struct, frozen=True, kw_only=True):
    """What one reader may know of an inquiry."""

    reader: Reader | None
    knows: tuple[bool, ...] = ()
    events: tuple[InquiryEvent, ...] = ()
    state: InquiryState = Unasked()

    @property
    def version(self) -> int:
        return len(self.events)


def inquiry_read_by(actor: Actor, history: Sequence[InquiryEvent]) -> InquiryReading:
    """The inquiry as this actor may know it."""
    truth: InquiryState = Unasked()
    for event in history:
        truth = inquiry_state.evolve(truth, event)
    if isinstance(truth, Unasked) or (reader := reader_of(actor, truth.parties)) is None:
        return InquiryReading(reader=None)
    knows = tuple(type(event) in INQUIRY_READERS for event in history)
    events = tuple(event for event, known in zip(history, knows, strict=True) if known)
    return InquiryReading(reader=reader, knows=knows, events=events, state=truth)
