"""What a decision about an order's money, or about a return of it, needs to know besides its
stream.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from msgspec import Struct
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.returns import ReturnKind, ReturnReason
from shared_runtime.decider import SubjectErased
from shared_runtime.rule import By, Guard

from returns_service.domain.policy import Policies
from returns_service.domain.tables import ReturnMeasure

NO_FILES = sha256().hexdigest()


class DeclinedRequest(Struct, frozen=True):
    """What was asked for a piece, and declined."""

    kind: ReturnKind
    reason: ReturnReason


class PieceFacts(Struct, frozen=True, kw_only=True):
    """One piece of an order as it is now, a replacement in the place of what it replaced.

    `paid_minor`: what was paid for it. `sku`: of a replacement, what it is. `in_return`: the return
    that has it; `in_dispute`: the open dispute; `in_contest`: the return whose contest of it has
    not become a dispute yet. `declined`: the request for it that was declined first; `asked_again`:
    another one came after. `kept_by`: the offer, return or dispute by which its buyer was paid and
    kept it. `came_unasked`: it is in the seller's hands, without a return that has it.
    `delivered_at`: of a replacement.
    """

    unit: str
    paid_minor: int = 0
    sku: str | None = None
    in_return: str | None = None
    in_dispute: str | None = None
    in_contest: str | None = None
    declined: DeclinedRequest | None = None
    asked_again: bool = False
    kept_by: str | None = None
    came_unasked: bool = False
    delivered_at: datetime | None = None

    @property
    def line_id(self) -> str:
        return line_of(self.unit)

    @property
    def is_replacement(self) -> bool:
        return ".r" in self.unit.rpartition("/")[2]


class BuyerFacts(Struct, frozen=True, kw_only=True):
    """How far a buyer is trusted with money before anybody has seen the goods.

    `measures`: those in force. `exposure_ref_minor`: his advances whose goods are neither accepted
    nor rejected. `advance_rejected_at`: when a piece of his was last rejected as WRONG_ITEM, SHORT
    or NOT_OURS after an advance.
    """

    measures: frozenset[ReturnMeasure] = frozenset()
    exposure_ref_minor: int = 0
    advance_rejected_at: datetime | None = None


class GivenBack(Struct, frozen=True, kw_only=True):
    """A refund that a return has asked for, at the first scan or later: what it is of each piece,
    and the shipping that comes with it. One that failed for good, or came back, is none.
    """

    units: Mapping[str, int]
    shipping_minor: int = 0


class RefundFacts(Struct, frozen=True, kw_only=True):
    """What the ledger has told of the refunds that this return, or its remedy, has asked for.

    `answered`: the pieces that a RefundIssued, RefundNotDue or RemedyAlreadyMet names; not those of
    a credited difference. `total_minor`: what was given.
    """

    answered: frozenset[str] = frozenset()
    given: tuple[GivenBack, ...] = ()
    total_minor: int = 0


class ContestEnd(Struct, frozen=True, kw_only=True):
    """What became of a contested piece: when its dispute closed, and whether with a remedy."""

    closed_at: datetime
    remedied: bool


class Draft(Struct, frozen=True, kw_only=True):
    """A withdrawal that is declared, and can be confirmed until then."""

    return_id: str
    confirm_by: datetime


class Known(Struct, frozen=True, kw_only=True):
    """Policies, and what other streams tell.

    `erased`: the sender. `party_orgs`: the organisations that may not decide. For returns alone:
    `pieces` of the order in their order, its `ledger` once it is open, its `buyer`; `fast_returns`:
    how many returns of the order went the fast lane; `draft`: the withdrawal of the order that is
    declared and not confirmed; `refunds` of this return; `contests`: by piece of this return,
    those that are decided; `file_sha256`: of all files of this return.
    """

    policies: Policies
    order: OrderFacts | None = None
    erased: bool = False
    party_orgs: frozenset[str] = frozenset()
    pieces: tuple[PieceFacts, ...] = ()
    ledger: LedgerFacts | None = None
    buyer: BuyerFacts = BuyerFacts()
    fast_returns: int = 0
    draft: Draft | None = None
    refunds: RefundFacts = RefundFacts()
    contests: Mapping[str, ContestEnd] = {}
    file_sha256: str = NO_FILES

    @property
    def remaining(self) -> Mapping[str, int]:
        """What is left to give of each piece; of an order without a ledger, nothing."""
        return self.ledger.units if self.ledger else {}

    def left_of(self, units: Iterable[str]) -> int:
        """What may still be given for these pieces: the order may have less."""
        if self.ledger is None:
            return 0
        return min(sum(self.remaining.get(unit, 0) for unit in units), self.ledger.order_minor)

    def piece(self, unit: str) -> PieceFacts | None:
        return next((piece for piece in self.pieces if piece.unit == unit), None)

    def is_free(self, unit: str, return_id: str) -> bool:
        """Whether a piece that a return has let go may still be its own: nobody else has it."""
        piece = self.piece(unit)
        return piece is None or (
            piece.in_return in (None, return_id)
            and piece.in_dispute is None
            and piece.in_contest is None
        )


type Sender = By[Known]


def line_of(unit: str) -> str:
    return unit.rpartition("/")[0]


def by_somebody(_: object, __: object, by: Sender) -> None:
    """nobody who was erased"""
    if by.known.erased:
        raise SubjectErased


PERSON = Guard[object, object, Known](by_somebody, SubjectErased)
