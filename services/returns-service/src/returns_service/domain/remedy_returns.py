"""What a dispute has ordered in, a return that carries it out: its own, or one that is there.

A remedy is never for a consumer of events to judge: pieces that another return has are left to it.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from shared_casework.values import utc
from shared_events.dispute import DisputeReason, Liable
from shared_events.fields import Id, Unit
from shared_events.returns import (
    AskedKind,
    RemedyAttached,
    ReturnAuthorized,
    ReturnEvent,
    ReturnRequested,
    Wants,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard
from shared_runtime.shape import ONCE

from returns_service.domain.authorizing import Authorization, Fault, authorized
from returns_service.domain.known import Known, Sender
from returns_service.domain.lanes import Request, decided
from returns_service.domain.return_matter import (
    Opening,
    OpeningRule,
    ReturnRule,
    goods_there,
    named_pieces,
)
from returns_service.domain.return_request import came_unasked, in_reference
from returns_service.domain.return_state import BEGUN, Ids, Piece, Return

type WithGoods = Literal["RETURN_AND_REFUND", "EXCHANGE", "REPLACEMENT_NO_RETURN"]
"""The outcomes that are more than money."""
type Units = Annotated[tuple[Unit, ...], Meta(min_length=1), ONCE]

BECOMES: dict[WithGoods, tuple[AskedKind, Wants]] = {
    "RETURN_AND_REFUND": ("RETURN", "REFUND"),
    "EXCHANGE": ("EXCHANGE", "EXCHANGE"),
    "REPLACEMENT_NO_RETURN": ("CLAIM", "REPLACEMENT"),
}


class OpenRemedyReturn(Struct, frozen=True, kw_only=True):
    """What is to be done with which pieces, why, and whom the dispute is attributed to."""

    return_id: Id
    remedy_id: Id
    outcome: WithGoods
    units: Units
    reason: DisputeReason
    replacement_sku: Id | None = None
    liable: Liable
    seller_at_fault: bool


def open_remedy_return(opening: Opening, said: OpenRemedyReturn, by: Sender) -> list[ReturnEvent]:
    """Of the pieces that no return has: authorized at once, whatever the windows say, and also for
    a buyer who was erased.
    """
    order = opening.order
    units = [
        piece.unit
        for piece in by.known.pieces
        if piece.unit in said.units and piece.in_return is None
    ]
    if not units:
        return []
    policy = by.known.policies.in_force(by.now)
    ids = Ids(
        order_id=order.order_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        policy_version=policy.version,
        return_id=said.return_id,
    )
    kind, wants = BECOMES[said.outcome]
    value = in_reference(by.known.left_of(units), order)
    requested = ReturnRequested(
        **ids,
        kind=kind,
        origin="DISPUTE",
        remedy_id=said.remedy_id,
        liable=said.liable,
        seller_at_fault=said.seller_at_fault,
        reason=said.reason,
        wants=wants,
        units=units,
        value_ref_minor=value,
        replacement_sku=said.replacement_sku,
        currency=order.currency,
        requested_at=utc(by.now),
    )
    fault = Fault(reason=said.reason, sellers_fault=said.seller_at_fault, liable=said.liable)
    request = Request(
        origin="DISPUTE", kind=kind, reason=said.reason, value_ref_minor=value, asked_at=by.now
    )
    match = decided(request, policy)
    assert match.then.lane
    ordered = Authorization(
        kind=kind,
        lane=match.then.lane,
        by="RULE",
        units=units,
        units_in=came_unasked(units, by) if kind != "CLAIM" else [],
        goods_back=kind != "CLAIM",
        fault=fault,
        currency=order.currency,
        waits_for_stock=kind == "CLAIM",
        rule_trace=match.trace,
    )
    return [requested, *authorized(ids, ordered, by, policy)]


def is_opened(opening: Opening, _: OpenRemedyReturn, __: Sender) -> bool:
    return opening.begun is not None


OPEN_REMEDY_RETURN = OpeningRule(
    OpenRemedyReturn,
    open_remedy_return,
    roles=("SYSTEM",),
    repeated=is_opened,
    events=(ReturnRequested, ReturnAuthorized),
    example=OpenRemedyReturn(
        return_id="RT-1",
        remedy_id="RM-1",
        outcome="RETURN_AND_REFUND",
        units=("1/1",),
        reason="NOT_AS_DESCRIBED",
        liable="SELLER",
        seller_at_fault=True,
    ),
)


# --- A return that is there


class AttachRemedy(Struct, frozen=True, kw_only=True):
    """Of which pieces, why, and whom the dispute is attributed to."""

    remedy_id: Id
    units: Units
    reason: DisputeReason
    liable: Liable
    seller_at_fault: bool


def attach_remedy(matter: Return, said: AttachRemedy, by: Sender) -> list[ReturnEvent]:
    """The pieces stay where they are. What nobody has decided yet is authorized, and a claim of
    money becomes a return of the goods.
    """
    attached = RemedyAttached(
        **matter.ids,
        remedy_id=said.remedy_id,
        units=[piece.unit for piece in to_attach(matter, said)],
        reason=said.reason,
        liable=said.liable,
        seller_at_fault=said.seller_at_fault,
    )
    is_claim = matter.kind == "CLAIM"
    if not matter.review and not (is_claim and matter.wants == "REFUND"):
        return [attached]
    assert matter.requested
    policy = matter.policy(by)
    kind = "RETURN" if is_claim else matter.kind
    request = Request(
        origin="DISPUTE",
        kind=kind,
        reason=said.reason,
        value_ref_minor=matter.requested.value_ref_minor,
        asked_at=by.now,
    )
    match = decided(request, policy)
    assert match.then.lane
    ordered = Authorization(
        kind=kind,
        lane=match.then.lane,
        by="RULE",
        units=[piece.unit for piece in matter.live if piece.is_pending],
        units_in=goods_there(matter, by),
        goods_back=True,
        fault=Fault(reason=said.reason, sellers_fault=said.seller_at_fault, liable=said.liable),
        currency=matter.requested.currency,
        rule_trace=match.trace,
    )
    return [attached, *authorized(matter.ids, ordered, by, policy)]


def to_attach(matter: Return, said: AttachRemedy) -> list[Piece]:
    return [
        piece
        for piece in named_pieces(matter, said.units)
        if not piece.is_out and piece.acceptance != "ACCEPTED" and piece.remedy_id != said.remedy_id
    ]


def has_pieces_to_attach(matter: Return, said: AttachRemedy, _: Sender) -> None:
    """pieces of it that it still has, and that are not accepted"""
    if not to_attach(matter, said):
        raise WrongState(state=matter.status)


ATTACH_REMEDY = ReturnRule(
    AttachRemedy,
    attach_remedy,
    roles=("SYSTEM",),
    states=("REVIEW", *BEGUN),
    stands=Guard[Return, AttachRemedy, Known](has_pieces_to_attach, WrongState),
    lapses=True,
    events=(RemedyAttached, ReturnAuthorized),
    example=AttachRemedy(
        remedy_id="RM-1",
        units=("1/1",),
        reason="NOT_AS_DESCRIBED",
        liable="SELLER",
        seller_at_fault=True,
    ),
)
