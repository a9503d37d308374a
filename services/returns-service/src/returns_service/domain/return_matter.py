"""What commands about returns are about: a return, or the order that one may be asked for; and
what is asked of nearly all of them.
"""

from collections.abc import Iterable

from msgspec import Struct
from shared_casework.impartial import Stakes, require_impartial
from shared_casework.order_facts import OrderFacts
from shared_casework.order_facts import Stage as OrderStage
from shared_casework.parties import Account
from shared_casework.values import refuse
from shared_events.returns import LabelVoided, OfferDeclined, ReturnClosed, ReturnEvent
from shared_runtime.decider import ConflictOfInterest, NotFound, Role
from shared_runtime.rule import Guard, Rule

from returns_service.domain.closing import closed_by
from returns_service.domain.known import Known, Sender
from returns_service.domain.return_state import Piece, Return, ReturnState, ReturnStatus, Unbegun


class ReturnRule[C: Struct](Rule[ReturnState, Return, ReturnStatus, C, Known, ReturnEvent]):
    """A command to a return that has begun. Where it says that it may, it ends the return in the
    commit that leaves nothing more to come of any piece.
    """

    def find(self, state: ReturnState, said: C, by: Sender) -> Return:  # noqa: ARG002
        if isinstance(state, Unbegun):
            raise NotFound
        return state

    def matters(self, state: ReturnState, by: Sender) -> Iterable[Return]:  # noqa: ARG002
        return [] if isinstance(state, Unbegun) else [state]

    def then(self, matter: Return, events: list[ReturnEvent], by: Sender) -> list[ReturnEvent]:
        if not events or ReturnClosed not in self.events:
            return events
        return [*events, *closed_by(matter, events, by)]


class Opening(Struct, frozen=True, kw_only=True):
    """An order, and the return of this id if it is there already."""

    order: OrderFacts
    begun: Return | None = None

    @property
    def status(self) -> OrderStage:
        return self.order.stage

    @property
    def parties(self) -> frozenset[Account]:
        return self.order.parties


class OpeningRule[C: Struct](Rule[ReturnState, Opening, OrderStage, C, Known, ReturnEvent]):
    """A command that begins a return: what is asked of the matter is asked of its order."""

    def find(self, state: ReturnState, said: C, by: Sender) -> Opening:  # noqa: ARG002
        if by.known.order is None:
            raise NotFound
        return Opening(order=by.known.order, begun=None if isinstance(state, Unbegun) else state)

    def matters(self, state: ReturnState, by: Sender) -> Iterable[Opening]:
        order = by.known.order
        return [Opening(order=order)] if order and isinstance(state, Unbegun) else []


def of_return(matter: Return, _: object, by: Sender) -> Stakes:
    """Whose return it is, who has acted for them, and who has decided about it before."""
    decided = matter.declined and matter.declined.decided_by
    return Stakes(
        parties=matter.parties,
        organisations=by.known.party_orgs,
        deciders=frozenset({decided} if decided else ()),
    )


def by_staff_without_a_stake(matter: Return, said: object, by: Sender) -> None:
    """of staff, nobody with a stake in it"""
    if by.actor.acts_as in STAFF:
        require_impartial(by.actor, of_return(matter, said, by))


STAFF: tuple[Role, ...] = ("AGENT", "SENIOR")
OF_RETURN = Guard[Return, object, Known](by_staff_without_a_stake, ConflictOfInterest)


def lapsed_offer(matter: Return) -> list[ReturnEvent]:
    """An offer that is open ends with what is done instead."""
    if matter.offer is None:
        return []
    return [OfferDeclined(**matter.ids, offer_id=matter.offer.offer_id, lapsed=True)]


def void_label(matter: Return) -> list[ReturnEvent]:
    """Where nothing will travel under it."""
    if matter.label is None or matter.label_void:
        return []
    return [LabelVoided(**matter.ids, label_id=matter.label.label_id)]


def goods_there(matter: Return, by: Sender) -> list[str]:
    """The pieces that it still has whose goods are in the seller's hands: they came unasked, to
    this return or to one before it that came to nothing.
    """
    elsewhere = {piece.unit for piece in by.known.pieces if piece.came_unasked}
    return [piece.unit for piece in matter.live if piece.unasked or piece.unit in elsewhere]


def named_pieces(matter: Return, units: Iterable[str]) -> list[Piece]:
    """The pieces of these names, in the order of the return. Raises `InvalidValue` where it does
    not have one.
    """
    wanted = [*units]
    if any(unit not in matter.pieces for unit in wanted):
        raise refuse("units", "pieces of this return")
    return matter.named(wanted)
