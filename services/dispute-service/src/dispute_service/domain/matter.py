"""What commands are about: a dispute, or the order that one may be opened on; and what is asked of
nearly all of them.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from shared_casework.impartial import Stakes, impartial
from shared_casework.order_facts import OrderFacts
from shared_casework.order_facts import Stage as OrderStage
from shared_casework.parties import PARTIES, Account
from shared_casework.values import refuse
from shared_events.dispute import DisputeEvent
from shared_events.fields import Party
from shared_runtime.decider import InvalidValue, NotFound, RoleNotAllowed, WrongState
from shared_runtime.rule import Guard, Rule, Window

from dispute_service.domain.dispute_state import Dispute, DisputeState, Status, Unopened
from dispute_service.domain.known import Known, Sender, party_of


class DisputeRule[C: Struct](Rule[DisputeState, Dispute, Status, C, Known, DisputeEvent]):
    """A command to a dispute that was opened."""

    def find(self, state: DisputeState, said: C, by: Sender) -> Dispute:  # noqa: ARG002
        if isinstance(state, Unopened):
            raise NotFound
        return state

    def matters(self, state: DisputeState, by: Sender) -> Iterable[Dispute]:  # noqa: ARG002
        return [] if isinstance(state, Unopened) else [state]


class Opening(Struct, frozen=True, kw_only=True):
    """An order, and the dispute of this id if it is there already."""

    order: OrderFacts
    dispute: Dispute | None = None

    @property
    def status(self) -> OrderStage:
        return self.order.stage

    @property
    def parties(self) -> frozenset[Account]:
        return self.order.parties


class OpeningRule[C: Struct](Rule[DisputeState, Opening, OrderStage, C, Known, DisputeEvent]):
    """A command that opens a dispute: what is asked of the matter is asked of its order."""

    def find(self, state: DisputeState, said: C, by: Sender) -> Opening:  # noqa: ARG002
        if by.known.order is None:
            raise NotFound
        dispute = None if isinstance(state, Unopened) else state
        return Opening(order=by.known.order, dispute=dispute)

    def matters(self, state: DisputeState, by: Sender) -> Iterable[Opening]:
        order = by.known.order
        return [Opening(order=order)] if order and isinstance(state, Unopened) else []


# --- Who may, and when


def of_matter(dispute: Dispute, _: object, by: Sender) -> Stakes:
    """Who has a stake in it: its parties, and who has decided about the return behind it."""
    return Stakes(
        parties=dispute.parties,
        organisations=by.known.party_orgs,
        deciders=frozenset(dispute.opened.barred_ids or ()),
    )


IMPARTIAL = impartial(of_matter)


def require_assigned(dispute: Dispute, by: Sender) -> None:
    """Of staff, none but the adjudicator who has it."""
    if by.actor.acts_as in PARTIES:
        return
    if dispute.adjudicator is None or dispute.adjudicator.adjudicator_id != by.actor.id:
        raise RoleNotAllowed(allowed_roles=[])


def by_assigned(dispute: Dispute, _: object, by: Sender) -> None:
    """of staff, who is assigned to it"""
    require_assigned(dispute, by)


ASSIGNED = Guard[Dispute, object, Known](by_assigned, RoleNotAllowed)


def while_answering(dispute: Dispute, _: object, __: Sender) -> Window:
    """Once a seller has been silent until `answer_due`, nothing is left but to say so: no act of
    either party comes in between, though the timer is late.
    """
    silent = dispute.status == "NEGOTIATING" and not dispute.seller_acted
    return Window(latest=dispute.answer_due if silent else None)


# --- What he names


def require_own(dispute: Dispute, evidence_ids: Iterable[str], by: Sender) -> None:
    """Raises `InvalidValue` unless all are pieces of evidence of his own."""
    own = dispute.lodged_by(party_of(by))
    if any(evidence_id not in own for evidence_id in evidence_ids):
        raise refuse("evidence_ids", "evidence of your own")


def nothing_such(dispute: Dispute) -> WrongState:
    """There is none of that name on which he may act so."""
    return WrongState(state=dispute.status)


def taken(field: str) -> InvalidValue:
    return refuse(field, "not that of another one")


def own_ids(dispute: Dispute, side: Party, *, sealed: bool) -> Sequence[str]:
    """The pieces that a party has lodged, and can still take back or not."""
    own = dispute.lodged_by(side).items()
    return [each for each, piece in own if (piece.sealed_at is not None) == sealed]
