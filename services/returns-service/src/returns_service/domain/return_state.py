"""What is known of one return: its pieces, and where they are.

DRAFT -> REVIEW -> AUTHORIZED -> IN_TRANSIT -> PARTLY_RECEIVED -> RECEIVED -> INSPECTED -> RESOLVING
-> CLOSED; a withdrawal alone has a DRAFT and no REVIEW. A request that was declined is DECLINED
until it can't be contested any more.

Where the return stands is never recorded: it is that of the least advanced of its pieces.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from shared_casework.money import shares
from shared_casework.overdue import Deadline
from shared_casework.parties import Account, parties_of
from shared_events.dispute import ContestGround, Liable
from shared_events.returns import (
    Grade,
    LabelIssued,
    Lane,
    PartialOfferMade,
    Payer,
    Reception,
    RejectReason,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnClosed,
    ReturnDeclined,
    ReturnKind,
    ReturnReason,
    ReturnRequested,
    ReturnReviewRequired,
    Wants,
    WithdrawalConfirmed,
    WithdrawalDeclared,
)

from returns_service.domain.known import Sender
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.tables import SELLERS_FAULT

type ReturnStatus = Literal[
    "DRAFT",
    "REVIEW",
    "AUTHORIZED",
    "IN_TRANSIT",
    "PARTLY_RECEIVED",
    "RECEIVED",
    "INSPECTED",
    "RESOLVING",
    "DECLINED",
    "CLOSED",
]
type Whereabouts = Reception | Literal["AWAITING", "IN_TRANSIT", "LOST", "EXPIRED"]
"""Of a piece: from the buyer's hands to those who look at it."""
type Acceptance = Literal["PENDING", "ACCEPTED", "REJECTED"]
type Left = Literal["DECLINED", "CANCELLED", "KEPT", "CONTESTED"]
"""How a piece leaves the return before it has been through all of it."""

BEGUN: tuple[ReturnStatus, ...] = (
    "AUTHORIZED",
    "IN_TRANSIT",
    "PARTLY_RECEIVED",
    "RECEIVED",
    "INSPECTED",
    "RESOLVING",
)
"""It is authorized, and something is still to come of it; from the least to the most advanced."""
IN_HAND: frozenset[Whereabouts] = frozenset({"RECEIVED", "WRONG_ITEM", "SHORT"})
"""Its parcel has been opened."""
HERE: frozenset[Whereabouts] = frozenset({"RECEIVED", "WRONG_ITEM"})
"""Something of it was in the parcel."""
SENT_BACK_OR_PAID: frozenset[RejectReason] = frozenset({"USED", "OTHER", "LATE"})
"""Goods that are the buyer's own: who keeps them pays for them."""
SENT_BACK: frozenset[RejectReason] = frozenset({"USED", "OTHER", "LATE", "NOT_OURS", "WRONG_ITEM"})


class Unbegun(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class Replacement(Struct, frozen=True, kw_only=True):
    """The piece in the place of another one. `reservation`: its number among those of the return.

    `cross_shipped`: before the original has come. `pay_by`: the buyer owes a difference, until it
    is `paid`; `ship_by` waits for that. `original_due`: by when the original must be in.
    """

    new_unit: str
    sku: str
    reservation: int
    cross_shipped: bool
    pay_by: datetime | None = None
    paid: bool = False
    ship_by: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    original_due: datetime | None = None

    @property
    def owes(self) -> bool:
        return self.pay_by is not None and not self.paid


class Piece(Struct, frozen=True, kw_only=True):
    """One unit of the return.

    `where` and `acceptance`: how far it has come. `left`: how it left the return; `contested_as`:
    of one that was contested. `authorized`: it may go back. `sent`: the buyer has sent it, or
    somebody scanned it; `lost_at`: from when on it counts as lost, `first_lost_at`: as its sending
    set it; `proof`: the receipt of posting is there. `stays`: it is the buyer's to keep, whatever
    becomes of the request. `expired`: it was given up, and nothing tells that it was sent in time.
    `handed_over`, `delivered_back`: as the carrier says. `inspect_by`: of goods that
    are back; `first_inspect_by`: as the delivery set it. `unasked`: it came though nobody had
    asked for it. `covered`: the platform answers for its loss. `grade`, `deduction_milli`: as
    accepted; `rejected`: why not. `contest_until`: what was done with it can be contested so long;
    `send_back_until`: goods of it are to be sent back so long; `sent_back`, `waived`: they were, or
    their buyer does not want them. `stock_due`: the stock has to tell of a replacement by then.
    `fell_back`: there is none, and `difference_back_minor` was paid for it; `unreturned`: the
    original never came. `unrecovered`: of an advance for it that nothing stands behind; None: there
    is none, True: it is confirmed.
    """

    unit: str
    where: Whereabouts = "AWAITING"
    acceptance: Acceptance = "PENDING"
    left: Left | None = None
    contested_as: ContestGround | None = None
    authorized: bool = False
    stays: bool = False
    expired: bool = False
    sent: bool = False
    tracking_id: str | None = None
    lost_at: datetime | None = None
    first_lost_at: datetime | None = None
    proof: bool = False
    handed_over: bool = False
    delivered_back: bool = False
    delivered_back_at: datetime | None = None
    inspect_by: datetime | None = None
    first_inspect_by: datetime | None = None
    by_warehouse: bool = False
    unasked: bool = False
    covered: bool = False
    grade: Grade | None = None
    deduction_milli: int = 0
    rejected: RejectReason | None = None
    contest_until: datetime | None = None
    send_back_until: datetime | None = None
    sent_back: bool = False
    waived: bool = False
    remedy_id: str | None = None
    stock_due: datetime | None = None
    replacement: Replacement | None = None
    fell_back: bool = False
    difference_back_minor: int = 0
    unreturned: bool = False
    unrecovered: bool | None = None

    @property
    def is_out(self) -> bool:
        """It has no part any more in where the return stands."""
        return self.left is not None or self.where == "EXPIRED"

    @property
    def is_in(self) -> bool:
        """Its parcel, or what came in its place, is in somebody's hands."""
        return self.where in IN_HAND

    @property
    def is_back(self) -> bool:
        """Those who look at it have it, or could have it."""
        return self.is_in or (self.delivered_back and self.where == "IN_TRANSIT")

    @property
    def is_scanned(self) -> bool:
        return self.handed_over or self.delivered_back

    @property
    def is_pending(self) -> bool:
        return self.left is None and self.acceptance == "PENDING"

    @property
    def is_cross_shipped(self) -> bool:
        """Another one is on its way, or there, though nobody has seen this one."""
        new = self.replacement
        return new is not None and new.cross_shipped and new.shipped_at is not None

    @property
    def is_wrong(self) -> bool:
        """Something else was in its parcel."""
        return self.where == "WRONG_ITEM"

    @property
    def is_missing(self) -> bool:
        """It is still to come, or was not in the parcel where it should have been."""
        return self.is_pending and self.where not in ("RECEIVED", "WRONG_ITEM", "LOST")


class Ids(TypedDict):
    """What every event about a return says."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    return_id: str


class Remedy(Struct, frozen=True, kw_only=True):
    """What a dispute has ordered, and this return carries out. `own`: it was opened for it."""

    remedy_id: str
    units: tuple[str, ...]
    reason: ReturnReason
    liable: Liable
    seller_at_fault: bool
    own: bool = False


class Return(Struct, frozen=True, kw_only=True):
    """`kind`, `lane`, `wants`: as they are by now; silence and remedies change them.

    `review`: who decides, and until when; None once it is decided. `decision_seconds`: how long the
    seller took, or was silent. `handling_seconds`: the longest that goods waited to be accepted.
    `offer`: the open one; `offers`: all that were made. `label`: the one it has; `label_void`: no
    goods travel under it. `payments`: those by which differences were paid. `late`: a deadline of
    the seller passed; `forced`: a dispute or his silence decided. `cancelled`: as a whole.
    """

    ids: Ids
    requested: ReturnRequested | None = None
    declared: WithdrawalDeclared | None = None
    confirmed: WithdrawalConfirmed | None = None
    kind: ReturnKind
    lane: Lane | None = None
    reason: ReturnReason
    wants: Wants = "REFUND"
    pieces: dict[str, Piece] = {}
    remedies: tuple[Remedy, ...] = ()
    review: ReturnReviewRequired | None = None
    authorized: ReturnAuthorized | None = None
    declined: ReturnDeclined | None = None
    goods_back: bool = False
    ship_by: datetime | None = None
    label_due: datetime | None = None
    label_paid_by: Payer | None = None
    label: LabelIssued | None = None
    label_void: bool = False
    amount_minor: int | None = None
    offer: PartialOfferMade | None = None
    offers: tuple[PartialOfferMade, ...] = ()
    reservations: tuple[ReplacementReserved, ...] = ()
    payments: frozenset[str] = frozenset()
    decision_seconds: int | None = None
    handling_seconds: int | None = None
    late: bool = False
    forced: bool = False
    cancelled: bool = False
    closed: ReturnClosed | None = None
    overdue: frozenset[Deadline] = frozenset()

    @property
    def return_id(self) -> str:
        return self.ids["return_id"]

    @property
    def status(self) -> ReturnStatus:
        """That of the least advanced of its pieces."""
        if self.closed:
            return "CLOSED"
        if self.requested is None and self.confirmed is None:
            return "DRAFT"
        if self.review:
            return "REVIEW"
        stages = [self.stage_of(piece) for piece in self.pieces.values() if not piece.is_out]
        if stages:
            if any(p.where in HERE for p in self.live) and any(p.is_missing for p in self.live):
                return "PARTLY_RECEIVED"
            return next(stage for stage in BEGUN if stage in stages)
        declined = any(piece.left == "DECLINED" for piece in self.pieces.values())
        return "DECLINED" if declined else "RESOLVING"

    def stage_of(self, piece: Piece) -> ReturnStatus:
        """How far one piece has come that is still in the return."""
        if piece.acceptance == "ACCEPTED" or piece.stays:
            return "RESOLVING"
        if piece.acceptance == "REJECTED" or piece.where == "LOST":
            return "INSPECTED"
        if piece.is_in:
            return "RECEIVED"
        return "IN_TRANSIT" if piece.where == "IN_TRANSIT" else "AUTHORIZED"

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.ids["buyer_id"], seller_id=self.ids["seller_id"])

    @property
    def origin(self) -> Literal["BUYER", "DISPUTE"]:
        return self.requested.origin if self.requested else "BUYER"

    @property
    def remedy_id(self) -> str | None:
        """Its own, or the first that was attached."""
        return self.remedies[0].remedy_id if self.remedies else None

    @property
    def seller_at_fault(self) -> bool:
        """As a dispute has found, or as the reason says."""
        if self.remedies:
            return any(remedy.seller_at_fault for remedy in self.remedies)
        return self.reason in SELLERS_FAULT

    @property
    def is_contested(self) -> bool:
        return any(piece.contested_as for piece in self.pieces.values())

    @property
    def waits_for_desk(self) -> bool:
        """Its review is the desk's, or an advance that is lost is for it to confirm."""
        reviews = self.review is not None and self.review.by == "AGENT"
        return reviews or self.has_advance_to_confirm

    @property
    def has_advance_to_confirm(self) -> bool:
        """The seller alone has said that it is lost."""
        return any(piece.unrecovered is False for piece in self.pieces.values())

    @property
    def live(self) -> list[Piece]:
        """The pieces that it still has."""
        return [piece for piece in self.pieces.values() if not piece.is_out]

    @property
    def is_unsent(self) -> bool:
        """None of its goods is on the way, or has come as it should."""
        return not any(
            piece.sent or (piece.is_in and not piece.unasked) for piece in self.pieces.values()
        )

    @property
    def goods_in(self) -> list[str]:
        """The pieces that came unasked and are still there."""
        return [piece.unit for piece in self.pieces.values() if piece.unasked]

    def seller_at_fault_for(self, unit: str) -> bool:
        """Of one piece: a remedy of its own tells."""
        remedy = self.remedy_of(unit)
        return remedy.seller_at_fault if remedy else self.reason in SELLERS_FAULT

    def remedy_of(self, unit: str) -> Remedy | None:
        return next((each for each in self.remedies if unit in each.units), None)

    def wants_replacement(self, piece: Piece) -> bool:
        """Whether another one is to come in its place; of a claim, while the goods stay."""
        claims = self.kind == "CLAIM" and self.wants == "REPLACEMENT" and piece.stays
        return (self.kind == "EXCHANGE" or claims) and not piece.fell_back

    def is_advanced(self, piece: Piece) -> bool:
        """Whether its money was asked for at the first scan."""
        return self.lane == "FAST" and self.kind == "RETURN" and piece.handed_over

    def difference_for(self, piece: Piece) -> int:
        """What its replacement costs more, or less: a part of what its reservation does."""
        if piece.replacement is None:
            return 0
        told = self.reservations[piece.replacement.reservation]
        parts = shares(told.difference_minor, [1] * len(told.units))
        return parts[told.units.index(piece.unit)]

    def difference_paid_for(self, piece: Piece) -> int:
        paid = piece.replacement is not None and piece.replacement.paid
        return self.difference_for(piece) if paid else 0

    def kept_by(self, reservation_id: str) -> list[Piece]:
        """The pieces in whose place others are kept, or were sent, by this reservation."""
        return [
            piece
            for piece in self.pieces.values()
            if (new := piece.replacement)
            and self.reservations[new.reservation].reservation_id == reservation_id
        ]

    def named(self, units: Iterable[str]) -> list[Piece]:
        """The pieces of these names that it has, in its order."""
        wanted = set(units)
        return [piece for unit, piece in self.pieces.items() if unit in wanted]

    def policy(self, by: Sender) -> ReturnsPolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.ids["policy_version"])


type ReturnState = Unbegun | Return
