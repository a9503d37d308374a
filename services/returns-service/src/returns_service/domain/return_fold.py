"""A return and what happens to it in, how it stands then out."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
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
    RejectReason,
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

from returns_service.domain.return_state import (
    Ids,
    Piece,
    Remedy,
    Replacement,
    Return,
    ReturnState,
    Whereabouts,
)

type AskingEvent = (
    RemedyAttached
    | WithdrawalConfirmed
    | ReturnReviewRequired
    | ReturnAuthorized
    | ReturnDeclined
    | PartialOfferMade
    | OfferAccepted
    | OfferDeclined
    | ReturnContested
    | ReturnCancelled
)
type Travelling = (
    LabelIssued
    | LabelVoided
    | ReturnShipped
    | ReturnScanned
    | ReturnExpired
    | UnitsRevived
    | UnitsLost
    | UnitsSentBack
    | GoodsWaived
)
type Inspecting = UnitsReceived | UnitsAccepted | UnitsRejected | AdvanceUnrecovered
type Replacing = (
    ReplacementReserved
    | DifferencePaid
    | ExchangeFellBack
    | ExchangeShipped
    | ExchangeDelivered
    | ExchangeUnreturned
)


def evolve(state: ReturnState, event: ReturnEvent) -> ReturnState:  # noqa: PLR0911 - by group
    match event:
        case ReturnRequested():
            return requested(event)
        case WithdrawalDeclared():
            return Return(ids=ids_of(event), declared=event, kind="WITHDRAWAL", reason="WITHDRAWAL")
        case _:
            assert isinstance(state, Return)
    match event:
        case ReturnClosed():
            return replace(state, closed=event, offer=None)
        case DecisionOverdue(what=what, ref_id=ref_id, due_at=due_at):
            told = (what, ref_id, due_at.astimezone(UTC))
            return replace(state, overdue=state.overdue | {told})
        case StatementOfReasonsIssued():
            return state  # what it is about is told in the same commit
        case (
            LabelIssued()
            | LabelVoided()
            | ReturnShipped()
            | ReturnScanned()
            | ReturnExpired()
            | UnitsRevived()
            | UnitsLost()
            | UnitsSentBack()
            | GoodsWaived()
        ):
            return travelled(state, event)
        case UnitsReceived() | UnitsAccepted() | UnitsRejected() | AdvanceUnrecovered():
            return inspected(state, event)
        case (
            ReplacementReserved()
            | DifferencePaid()
            | ExchangeFellBack()
            | ExchangeShipped()
            | ExchangeDelivered()
            | ExchangeUnreturned()
        ):
            return replaced(state, event)
        case _:
            return asked(state, event)


def ids_of(event: ReturnRequested | WithdrawalDeclared) -> Ids:
    return Ids(
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        policy_version=event.policy_version,
        return_id=event.return_id,
    )


def changed(state: Return, units: Iterable[str], **to: Any) -> Return:  # noqa: ANN401 - any field
    """The same for each of these pieces."""
    pieces = {unit: replace(state.pieces[unit], **to) for unit in units}
    return replace(state, pieces=state.pieces | pieces)


# --- Asking and deciding


def requested(event: ReturnRequested) -> Return:
    remedies: tuple[Remedy, ...] = ()
    if event.remedy_id:
        remedies = (
            Remedy(
                remedy_id=event.remedy_id,
                units=tuple(event.units),
                reason=event.reason,
                liable=event.liable or "NONE",
                seller_at_fault=bool(event.seller_at_fault),
                own=True,
            ),
        )
    return Return(
        ids=ids_of(event),
        requested=event,
        kind=event.kind,
        reason=event.reason,
        wants=event.wants,
        pieces={unit: Piece(unit=unit, remedy_id=event.remedy_id) for unit in event.units},
        remedies=remedies,
        forced=event.origin == "DISPUTE",
    )


def asked(  # noqa: C901, PLR0911 - one arm for each event
    state: Return, event: AskingEvent
) -> Return:
    match event:
        case WithdrawalConfirmed(units=units):
            return replace(
                state, confirmed=event, pieces={unit: Piece(unit=unit) for unit in units}
            )
        case RemedyAttached():
            return attached(state, event)
        case ReturnReviewRequired():
            return replace(state, review=event)
        case ReturnAuthorized():
            return authorized(state, event)
        case ReturnDeclined(units=units, contest_until=until, send_back_until=send_back):
            left = changed(state, units, left="DECLINED", contest_until=until)
            return replace(
                to_send_back(left, units, send_back),
                review=None,
                declined=event,
                decision_seconds=event.decision_seconds if event.by == "SELLER" else None,
            )
        case PartialOfferMade():
            return replace(state, offer=event, offers=(*state.offers, event))
        case OfferAccepted(units=units):
            return replace(changed(state, units, left="KEPT"), offer=None, review=None)
        case OfferDeclined():
            return replace(state, offer=None)
        case ReturnContested(units=units, ground=ground):
            return changed(
                state, units, left="CONTESTED", contested_as=ground, send_back_until=None
            )
        case ReturnCancelled(units=units, send_back_until=send_back):
            left = changed(state, units, left="CANCELLED")
            return replace(
                to_send_back(left, units, send_back), review=None, offer=None, cancelled=True
            )


def attached(state: Return, event: RemedyAttached) -> Return:
    remedy = Remedy(
        remedy_id=event.remedy_id,
        units=tuple(event.units),
        reason=event.reason,
        liable=event.liable,
        seller_at_fault=event.seller_at_fault,
    )
    named = changed(state, event.units, remedy_id=event.remedy_id)
    return replace(named, remedies=(*state.remedies, remedy))


def authorized(state: Return, event: ReturnAuthorized) -> Return:
    is_late = event.by == "SILENCE"
    by_seller = event.by in ("SELLER", "SILENCE")
    pieces = {unit: admitted(state.pieces[unit], event) for unit in event.units}
    return replace(
        state,
        kind=event.kind,
        lane=event.lane,
        wants=state.wants if event.kind in (state.kind, "EXCHANGE") else "REFUND",
        pieces=state.pieces | pieces,
        review=None,
        authorized=event,
        goods_back=event.goods_back,
        ship_by=event.ship_by or state.ship_by,
        label_due=event.label_due or state.label_due,
        label_paid_by=event.label_paid_by,
        amount_minor=event.amount_minor,
        decision_seconds=event.decision_seconds if by_seller else state.decision_seconds,
        late=state.late or is_late,
        forced=state.forced or is_late,
    )


def admitted(piece: Piece, event: ReturnAuthorized) -> Piece:
    """Goods that are in already need not be sent back any more, but looked at."""
    piece = replace(
        piece,
        authorized=True,
        stays=event.kind == "CLAIM",
        left=None,
        stock_due=event.stock_due or piece.stock_due,
    )
    if event.inspect_by is None:
        return piece
    return replace(
        piece,
        where=piece.where if piece.is_in else "RECEIVED",
        unasked=False,
        waived=False,
        inspect_by=event.inspect_by,
        contest_until=None,
        send_back_until=None,
    )


def to_send_back(state: Return, units: Iterable[str], until: datetime | None) -> Return:
    """Of those that are in already."""
    return changed(
        state, (unit for unit in units if state.pieces[unit].unasked), send_back_until=until
    )


# --- The way of the goods


def travelled(  # noqa: PLR0911 - one arm for each event
    state: Return, event: Travelling
) -> Return:
    match event:
        case LabelIssued(ship_by=ship_by):
            return replace(state, label=event, ship_by=ship_by or state.ship_by)
        case LabelVoided():
            return replace(state, label_void=True)
        case ReturnShipped(units=units, lost_at=lost_at):
            return changed(
                state,
                units,
                where="IN_TRANSIT",
                sent=True,
                tracking_id=event.tracking_id,
                proof=event.proof_sha256 is not None,
                lost_at=lost_at,
                first_lost_at=lost_at,
            )
        case ReturnScanned():
            return scanned(state, event)
        case ReturnExpired(units=units):
            return changed(state, units, where="EXPIRED", expired=True)
        case UnitsRevived(units=units):
            return changed(state, units, where="AWAITING", expired=False)
        case UnitsLost(units=units, covered=covered, contest_until=until):
            return changed(state, units, where="LOST", covered=covered, contest_until=until)
        case UnitsSentBack(units=units):
            return replace(state, pieces=state.pieces | gone_back(state, units))
        case GoodsWaived(units=units):
            return changed(state, units, waived=True, send_back_until=None)


def gone_back(state: Return, units: Iterable[str]) -> dict[str, Piece]:
    """What came unasked is with the buyer again, as if it had never come."""
    return {
        piece.unit: replace(
            piece,
            where="AWAITING" if piece.unasked else piece.where,
            unasked=False,
            sent_back=not piece.unasked,
            send_back_until=None,
        )
        for piece in state.named(units)
    }


def scanned(state: Return, event: ReturnScanned) -> Return:
    """Goods that were given up are pending again once they are delivered back; where no inspection
    is due, their way is only noted.
    """
    pieces: dict[str, Piece] = {}
    for piece in state.named(event.units):
        if event.kind == "DELIVERED_BACK" and event.inspect_by is None:
            pieces[piece.unit] = replace(piece, delivered_back=True)
            continue
        told = replace(
            piece,
            where="IN_TRANSIT",
            sent=True,
            tracking_id=event.tracking_id or piece.tracking_id,
        )
        if event.kind == "HANDED_OVER":
            told = replace(
                told,
                handed_over=True,
                lost_at=event.lost_at,
                first_lost_at=piece.first_lost_at or event.lost_at,
                stock_due=event.stock_due or piece.stock_due,
            )
        else:
            told = replace(
                told,
                delivered_back=True,
                delivered_back_at=event.scanned_at,
                inspect_by=event.inspect_by,
                first_inspect_by=event.inspect_by,
                contest_until=None,
            )
        pieces[piece.unit] = told
    return replace(state, pieces=state.pieces | pieces)


# --- What was found in the parcel


def inspected(state: Return, event: Inspecting) -> Return:
    match event:
        case UnitsReceived():
            return received(state, event)
        case UnitsAccepted():
            return accepted(state, event)
        case UnitsRejected():
            return rejected(state, event)
        case AdvanceUnrecovered(units=units, confirmed=confirmed):
            return changed(state, units, unrecovered=confirmed)


def received(state: Return, event: UnitsReceived) -> Return:
    """Pending again, however it stood before; unless it came unasked, or is only noted."""
    pieces: dict[str, Piece] = {}
    for told in event.units:
        piece = replace(
            state.pieces[told.unit],
            where=told.reception,
            tracking_id=event.tracking_id or state.pieces[told.unit].tracking_id,
            by_warehouse=bool(event.by_warehouse),
        )
        if event.unasked:
            piece = replace(piece, unasked=True, send_back_until=event.send_back_until)
        elif event.inspect_by:
            again = state.pieces[told.unit].is_in
            piece = replace(
                piece,
                delivered_back_at=None if again else piece.delivered_back_at,
                acceptance="PENDING",
                rejected=None,
                contest_until=None,
                send_back_until=None,
                inspect_by=event.inspect_by,
            )
        pieces[told.unit] = piece
    return replace(state, pieces=state.pieces | pieces)


def accepted(state: Return, event: UnitsAccepted) -> Return:
    """That an advance for it was lost, as the seller alone had said, is nobody's to confirm now."""
    pieces = {
        told.unit: replace(
            state.pieces[told.unit],
            acceptance="ACCEPTED",
            where=where_accepted(state.pieces[told.unit], event.by_default),
            left=None,
            unasked=False,
            grade=told.grade,
            deduction_milli=told.deduction_milli,
            rejected=None,
            contest_until=event.contest_until if told.deduction_milli else None,
            send_back_until=None,
            stock_due=event.stock_due or state.pieces[told.unit].stock_due,
            unrecovered=state.pieces[told.unit].unrecovered or None,
        )
        for told in event.units
    }
    before = state.named(pieces)
    silent = event.by_default and any(is_sellers_silence(state, piece) for piece in before)
    kept = event.by_default and any(
        piece.acceptance == "REJECTED" or piece.unasked or piece.left for piece in before
    )
    return replace(
        state,
        pieces=state.pieces | pieces,
        handling_seconds=max(event.handling_seconds, state.handling_seconds or 0),
        late=state.late or silent or kept,
        forced=state.forced or silent,
    )


def where_accepted(piece: Piece, by_default: bool) -> Whereabouts:
    """Whoever has looked at it has it; what nobody has looked at may be still on its way."""
    return "RECEIVED" if piece.is_back or not by_default else piece.where


def is_sellers_silence(state: Return, piece: Piece) -> bool:
    """Whether it was for the seller to look at goods that he had, and he did not."""
    if not piece.is_pending or piece.by_warehouse or piece.inspect_by is None:
        return False
    return state.confirmed is None or piece.inspect_by <= state.confirmed.refund_due


def where_rejected(piece: Piece, reason: RejectReason) -> Whereabouts:
    """What was not in the parcel is still to come, whoever has found that out."""
    if reason in ("SHORT", "WRONG_ITEM"):
        return reason
    return piece.where if piece.is_in else "RECEIVED"


def rejected(state: Return, event: UnitsRejected) -> Return:
    before = state.named(told.unit for told in event.units)
    named = {piece.unit: piece for piece in before}
    pieces = {
        told.unit: replace(
            named[told.unit],
            acceptance="REJECTED",
            where=where_rejected(named[told.unit], told.reason),
            rejected=told.reason,
            contest_until=event.contest_until,
            send_back_until=event.send_back_until,
        )
        for told in event.units
    }
    silent = event.by_default and any(is_sellers_silence(state, piece) for piece in before)
    return replace(state, pieces=state.pieces | pieces, late=state.late or silent)


# --- What comes in their place


def replaced(state: Return, event: Replacing) -> Return:
    match event:
        case ReplacementReserved():
            return reserved(state, event)
        case DifferencePaid(ship_by=ship_by, payment_ref=payment_ref):
            after = paid(state, ship_by)
            return replace(after, payments=after.payments | {payment_ref})
        case ExchangeFellBack(units=units):
            return fell_back(state, units)
        case ExchangeShipped(units=units, shipped_at=at):
            return replacements(state, units, shipped_at=at)
        case ExchangeDelivered(new_units=new, delivered_at=at, original_due=due):
            units = [
                unit
                for unit, piece in state.pieces.items()
                if piece.replacement and piece.replacement.new_unit in new
            ]
            return replacements(state, units, delivered_at=at, original_due=due)
        case ExchangeUnreturned(units=units):
            return changed(state, units, unreturned=True)


def fell_back(state: Return, units: Iterable[str]) -> Return:
    pieces = {
        piece.unit: replace(
            piece,
            replacement=None,
            fell_back=True,
            difference_back_minor=state.difference_paid_for(piece),
        )
        for piece in state.named(units)
    }
    return replace(state, pieces=state.pieces | pieces)


def reserved(state: Return, event: ReplacementReserved) -> Return:
    pieces = {
        unit: replace(
            state.pieces[unit],
            replacement=Replacement(
                new_unit=new_unit,
                sku=event.sku,
                reservation=len(state.reservations),
                cross_shipped=event.cross_shipped,
                pay_by=event.pay_by,
                ship_by=event.ship_by,
            ),
        )
        for unit, new_unit in zip(event.units, event.new_units, strict=True)
    }
    return replace(state, pieces=state.pieces | pieces, reservations=(*state.reservations, event))


def paid(state: Return, ship_by: datetime) -> Return:
    """Of the reservation that has waited for it longest."""
    owing = [piece for piece in state.live if piece.replacement and piece.replacement.owes]
    first = min(piece.replacement.reservation for piece in owing if piece.replacement)
    units = [
        piece.unit
        for piece in owing
        if piece.replacement and piece.replacement.reservation == first
    ]
    return replacements(state, units, paid=True, ship_by=ship_by)


def replacements(state: Return, units: Iterable[str], **to: Any) -> Return:  # noqa: ANN401
    pieces = {
        piece.unit: replace(piece, replacement=replace(piece.replacement, **to))
        for piece in state.named(units)
        if piece.replacement
    }
    return replace(state, pieces=state.pieces | pieces)
