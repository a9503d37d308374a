"""What commands are about: the ledger of an order, or one refund of it."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from shared_casework.impartial import Stakes, impartial
from shared_casework.parties import Account
from shared_events.fields import Id
from shared_events.returns import RefundEvent
from shared_runtime.decider import NotFound
from shared_runtime.rule import Rule

from returns_service.domain.known import Known, Sender
from returns_service.domain.ledger_state import (
    Ledger,
    LedgerState,
    LedgerStatus,
    Refund,
    RefundStatus,
    Unopened,
)


class Book(Struct, frozen=True, kw_only=True):
    """An order, and its ledger once that is opened."""

    parties: frozenset[Account]
    ledger: Ledger | None = None

    @property
    def status(self) -> LedgerStatus:
        return "OPEN" if self.ledger else "NONE"

    @property
    def open_ledger(self) -> Ledger:
        """For rules that ask for the state OPEN."""
        assert self.ledger
        return self.ledger


def book_of(state: LedgerState, by: Sender) -> Book:
    """Raises `NotFound` where not even the order is known."""
    if not isinstance(state, Unopened):
        return Book(parties=state.parties, ledger=state)
    if by.known.order is None:
        raise NotFound
    return Book(parties=by.known.order.parties)


class LedgerRule[C: Struct](Rule[LedgerState, Book, LedgerStatus, C, Known, RefundEvent]):
    """A command to the ledger of an order."""

    def find(self, state: LedgerState, said: C, by: Sender) -> Book:  # noqa: ARG002
        return book_of(state, by)

    def matters(self, state: LedgerState, by: Sender) -> Iterable[Book]:
        return [] if isinstance(state, Unopened) else [book_of(state, by)]


# --- One refund

type OneStatus = RefundStatus | Literal["NONE"]


class NamesRefund(Struct, frozen=True, kw_only=True):
    """A command that names a refund of the ledger."""

    refund_id: Id


class OneRefund(Struct, frozen=True, kw_only=True):
    """The refund that is named, if the ledger has it."""

    book: Book
    found: Refund | None

    @property
    def parties(self) -> frozenset[Account]:
        return self.book.parties

    @property
    def status(self) -> OneStatus:
        return self.found.status if self.found else "NONE"

    @property
    def ledger(self) -> Ledger:
        return self.book.open_ledger

    @property
    def refund(self) -> Refund:
        """For rules that ask for a state that only a refund has."""
        assert self.found
        return self.found


def one_refund(state: LedgerState, refund_id: str, by: Sender) -> OneRefund:
    found = None if isinstance(state, Unopened) else state.refunds.get(refund_id)
    return OneRefund(book=book_of(state, by), found=found)


class AnyRefundRule[C: Struct](Rule[LedgerState, OneRefund, OneStatus, C, Known, RefundEvent]):
    """A command about a refund that was asked for."""

    def matters(self, state: LedgerState, by: Sender) -> Iterable[OneRefund]:
        if isinstance(state, Unopened):
            return []
        return [one_refund(state, refund_id, by) for refund_id in state.refunds]


class RefundRule[C: NamesRefund](AnyRefundRule[C]):
    def find(self, state: LedgerState, said: C, by: Sender) -> OneRefund:
        return one_refund(state, said.refund_id, by)


# --- Who may not


def of_order(matter: Book | OneRefund, _: object, by: Sender) -> Stakes:
    """Whose money it is, and who has acted for them."""
    return Stakes(parties=matter.parties, organisations=by.known.party_orgs)


IMPARTIAL = impartial(of_order)
