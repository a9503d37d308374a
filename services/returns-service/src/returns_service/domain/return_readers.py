"""A return's history and somebody who reads it in, what of it he may know out.

What a reader sees is the fold of the events that he may know: its view, the page of its history,
its version and what he is offered all come from that. The table is closed: an event that is not in
it is nobody's to read, and a test says so. Texts are sealed besides. The photos and files of a
return that is contested are for whoever decides on that alone: of staff, the adjudicator who has
the dispute, and the desk while it has something to decide itself.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.readers import Reader, reader_of
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.returns import (
    AdvanceUnrecovered,
    DifferencePaid,
    ExchangeDelivered,
    ExchangeFellBack,
    ExchangeShipped,
    ExchangeUnreturned,
    GoodsWaived,
    LabelIssued,
    LabelVoided,
    OfferAccepted,
    OfferDeclined,
    PartialOfferMade,
    RemedyAttached,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnCancelled,
    ReturnClosed,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnExpired,
    ReturnRequested,
    ReturnReviewRequired,
    ReturnScanned,
    ReturnShipped,
    UnitsAccepted,
    UnitsLost,
    UnitsReceived,
    UnitsRejected,
    UnitsRevived,
    UnitsSentBack,
    WithdrawalConfirmed,
    WithdrawalDeclared,
)
from shared_runtime.decider import Actor

from returns_service.domain.return_fold import evolve
from returns_service.domain.return_state import ReturnState, Unbegun

EVERYBODY: frozenset[Reader] = frozenset({"BUYER", "SELLER", "STAFF"})
"""Both parties, and the desk."""
WHO_BEARS_IT: frozenset[Reader] = frozenset({"SELLER", "STAFF"})
"""Nobody asks the buyer for it."""
STAFF: frozenset[Reader] = frozenset({"STAFF"})
"""That the platform is late is its own."""
SOMEBODY = "ADJUDICATOR"
"""In the place of who decided: for the parties it is the marketplace."""

READERS: Mapping[type[ReturnEvent], frozenset[Reader]] = {
    ReturnRequested: EVERYBODY,
    RemedyAttached: EVERYBODY,
    WithdrawalDeclared: EVERYBODY,
    WithdrawalConfirmed: EVERYBODY,
    ReturnReviewRequired: EVERYBODY,
    ReturnAuthorized: EVERYBODY,
    ReturnDeclined: EVERYBODY,
    PartialOfferMade: EVERYBODY,
    OfferAccepted: EVERYBODY,
    OfferDeclined: EVERYBODY,
    LabelIssued: EVERYBODY,
    LabelVoided: EVERYBODY,
    ReturnShipped: EVERYBODY,
    ReturnScanned: EVERYBODY,
    ReturnExpired: EVERYBODY,
    UnitsRevived: EVERYBODY,
    UnitsReceived: EVERYBODY,
    UnitsLost: EVERYBODY,
    UnitsAccepted: EVERYBODY,
    UnitsRejected: EVERYBODY,
    AdvanceUnrecovered: WHO_BEARS_IT,
    ReplacementReserved: EVERYBODY,
    DifferencePaid: EVERYBODY,
    ExchangeFellBack: EVERYBODY,
    ExchangeShipped: EVERYBODY,
    ExchangeDelivered: EVERYBODY,
    ExchangeUnreturned: WHO_BEARS_IT,
    ReturnContested: EVERYBODY,
    UnitsSentBack: EVERYBODY,
    GoodsWaived: EVERYBODY,
    ReturnCancelled: EVERYBODY,
    ReturnClosed: EVERYBODY,
    DecisionOverdue: STAFF,
    StatementOfReasonsIssued: EVERYBODY,
}
"""Who may know of what, if he may know of the return; a statement is its recipient's besides."""


class ReturnReading(Struct, frozen=True, kw_only=True):
    """What one reader may know of a return: which events, and the state that they lead to.

    `reader` is None for who may know nothing of it. `has_file`: he may see its photos and files.
    """

    reader: Reader | None
    has_file: bool = False
    knows: tuple[bool, ...] = ()
    events: tuple[ReturnEvent, ...] = ()
    state: ReturnState = Unbegun()

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return len(self.events)


def return_read_by(
    actor: Actor, history: Sequence[ReturnEvent], adjudicators: Collection[str] = ()
) -> ReturnReading:
    """The return as this actor may know it. `adjudicators`: who decides on its contests now."""
    truth = folded(history)
    if isinstance(truth, Unbegun) or (reader := reader_of(actor, truth.parties)) is None:
        return ReturnReading(reader=None)
    knows = tuple(may_know(event, reader) for event in history)
    told = (as_told(event, reader) for event, known in zip(history, knows, strict=True) if known)
    decides = actor.id in adjudicators or truth.waits_for_desk
    has_file = reader != "STAFF" or decides or not truth.is_contested
    events = tuple(told if has_file else map(without_files, told))
    return ReturnReading(
        reader=reader, has_file=has_file, knows=knows, events=events, state=folded(events)
    )


def may_know(event: ReturnEvent, reader: Reader) -> bool:
    if reader == "EVERYTHING":
        return True
    if isinstance(event, StatementOfReasonsIssued) and reader != "STAFF":
        return event.recipient_role == reader
    return reader in READERS[type(event)]


def as_told(event: ReturnEvent, reader: Reader) -> ReturnEvent:
    """How far a buyer is trusted is nothing to the seller, and who decided is the marketplace."""
    match event:
        case ReturnReviewRequired() | ReturnAuthorized() if reader == "SELLER":
            return replace(event, rule_trace=[])
        case ReturnDeclined(decided_by=str()) if reader in ("BUYER", "SELLER"):
            return replace(event, decided_by=SOMEBODY)
        case ReturnContested(declined_by=str()) if reader in ("BUYER", "SELLER"):
            return replace(event, declined_by=SOMEBODY)
        case _:
            return event


def without_files(event: ReturnEvent) -> ReturnEvent:
    match event:
        case ReturnRequested():
            return replace(event, media=None, media_sha256=None)
        case UnitsReceived() | UnitsRejected():
            return replace(event, photos=None, photos_sha256=None)
        case _:
            return event


def folded(events: Sequence[ReturnEvent]) -> ReturnState:
    state: ReturnState = Unbegun()
    for event in events:
        state = evolve(state, event)
    return state
