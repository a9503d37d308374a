"""A ledger's history and somebody who reads it in, what of it he may know out.

What a reader sees is the fold of the events that he may know: its view, the page of its history,
its version and what he is offered all come from that. The table is closed: an event that is not in
it is nobody's to read, and a test says so.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from shared_casework.readers import Reader, reader_of
from shared_events.common import DecisionOverdue
from shared_events.returns import (
    CostMoved,
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundEvent,
    RefundFailed,
    RefundIssued,
    RefundLedgerOpened,
    RefundNotDue,
    RefundOverpaid,
    RefundRequested,
    RefundRetried,
    RefundSettled,
    RemedyAlreadyMet,
    UnitsReplaced,
)
from shared_runtime.decider import Actor

from returns_service.domain.ledger_fold import evolve
from returns_service.domain.ledger_state import LedgerState, Unopened

EVERYBODY: frozenset[Reader] = frozenset({"BUYER", "SELLER", "STAFF"})
"""Both parties, and the desk."""
WHO_BEARS_IT: frozenset[Reader] = frozenset({"SELLER", "STAFF"})
"""Nobody asks the buyer for it."""
STAFF: frozenset[Reader] = frozenset({"STAFF"})
"""That the platform is late is its own."""

READERS: Mapping[type[RefundEvent], frozenset[Reader]] = {
    RefundLedgerOpened: EVERYBODY,
    RefundRequested: EVERYBODY,
    RefundSettled: EVERYBODY,
    RefundIssued: EVERYBODY,
    RefundFailed: EVERYBODY,
    RefundRetried: EVERYBODY,
    RefundNotDue: EVERYBODY,
    RemedyAlreadyMet: EVERYBODY,
    RefundOverpaid: WHO_BEARS_IT,
    RefundBounced: EVERYBODY,
    OutsideRefundRecorded: EVERYBODY,
    OutsideRefundUndone: EVERYBODY,
    UnitsReplaced: EVERYBODY,
    CostMoved: WHO_BEARS_IT,
    DecisionOverdue: STAFF,
}
"""Who may know of what, if he may know of the ledger."""


class LedgerReading(Struct, frozen=True, kw_only=True):
    """What one reader may know of a ledger: which events, and the state that they lead to.

    `reader` is None for who may know nothing of it.
    """

    reader: Reader | None
    knows: tuple[bool, ...] = ()
    events: tuple[RefundEvent, ...] = ()
    state: LedgerState = Unopened()

    @property
    def version(self) -> int:
        """How many they are: what is hidden from him does not count."""
        return len(self.events)


def ledger_read_by(actor: Actor, history: Sequence[RefundEvent]) -> LedgerReading:
    """The ledger as this actor may know it."""
    truth = folded(history)
    if isinstance(truth, Unopened) or (reader := reader_of(actor, truth.parties)) is None:
        return LedgerReading(reader=None)
    knows = tuple(may_know(event, reader) for event in history)
    events = tuple(event for event, known in zip(history, knows, strict=True) if known)
    state = truth if all(knows) else folded(events)
    return LedgerReading(reader=reader, knows=knows, events=events, state=state)


def may_know(event: RefundEvent, reader: Reader) -> bool:
    return reader == "EVERYTHING" or reader in READERS[type(event)]


def folded(events: Sequence[RefundEvent]) -> LedgerState:
    state: LedgerState = Unopened()
    for event in events:
        state = evolve(state, event)
    return state
