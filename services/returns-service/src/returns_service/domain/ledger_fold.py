"""A ledger and what happens to it in, how it stands then out."""

from collections.abc import Iterable

from msgspec.structs import replace
from shared_casework import money
from shared_casework.overdue import deadline_of
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

from returns_service.domain.ledger_state import (
    Absorbed,
    Ledger,
    LedgerState,
    Refund,
    makes_amends,
)


def evolve(state: LedgerState, event: RefundEvent) -> LedgerState:
    if isinstance(event, RefundLedgerOpened):
        return Ledger(opened=event, money=money.evolve(None, event))
    assert isinstance(state, Ledger)
    changed = happened(state, event)
    if isinstance(event, money.MONEY_EVENTS):
        return replace(changed, money=money.evolve(state.money, event))
    return changed


def happened(  # noqa: PLR0911 - one arm for each event
    state: Ledger, event: RefundEvent
) -> Ledger:
    match event:
        case RefundNotDue():
            return not_due(state, event)
        case RemedyAlreadyMet(remedy_id=remedy_id, units=units):
            met = state.met.get(remedy_id, frozenset()).union(units)
            return replace(not_due(state, event), met=state.met | {remedy_id: met})
        case OutsideRefundRecorded(outside_id=outside_id):
            return replace(state, outside=state.outside | {outside_id: "RECORDED"})
        case OutsideRefundUndone(outside_id=outside_id):
            undone = replace(state, outside=state.outside | {outside_id: "UNDONE"})
            return owed_again(undone, event.owed_again or ())
        case DecisionOverdue():
            return replace(state, overdue=state.overdue | {deadline_of(event)})
        case RefundLedgerOpened() | RefundOverpaid() | UnitsReplaced():
            return state  # of these the money alone tells
        case _:
            return of_refund(state, event)


type OfRefund = (
    RefundRequested
    | RefundSettled
    | RefundIssued
    | RefundFailed
    | RefundRetried
    | RefundBounced
    | CostMoved
)


def of_refund(  # noqa: PLR0911 - one arm for each event
    state: Ledger, event: OfRefund
) -> Ledger:
    refund_id = event.refund_id
    match event:
        case RefundRequested():
            return requested(state, event)
        case RefundSettled(gateway_ref=word, told_by=told_by):
            payment = word if told_by == "GATEWAY" else None
            return changed(state, refund_id, status="SETTLED", word=word, payment=payment)
        case RefundIssued():
            return state  # it is settled in the same commit
        case RefundFailed(final=final, proof_ref=word):
            status = "FAILED_FINAL" if final else "FAILED"
            return changed(state, refund_id, status=status, failure=event, word=word)
        case RefundRetried(attempt=attempt):
            return changed(state, refund_id, status="REQUESTED", attempt=attempt)
        case RefundBounced(overdue_at=overdue_at):
            bounced = changed(state, refund_id, status="BOUNCED", overdue_at=overdue_at)
            return owed_again(bounced, [event.owed_again] if event.owed_again else ())
        case CostMoved():
            return changed(state, refund_id, absorbed=moved(state.refunds[refund_id], event))


def requested(state: Ledger, event: RefundRequested) -> Ledger:
    refund = Refund(requested=event, overdue_at=event.overdue_at)
    if event.reissues is not None:
        state = changed(state, event.reissues, reissued_by=event.refund_id, given_by=None)
    named = [each.unit for each in event.units]
    return replace(
        answered(state, event.remedy_id, named),
        refunds=state.refunds | {event.refund_id: refund},
        amends=state.amends or makes_amends(event.source, event.seller_at_fault),
    )


def moved(refund: Refund, event: CostMoved) -> Absorbed:
    before = refund.absorbed
    units = {each.unit: each.amount_minor for each in event.units}
    if event.borne_by == "PLATFORM":
        return Absorbed(
            units=before.units | units,
            shipping_minor=before.shipping_minor + event.shipping_minor,
        )
    return Absorbed(
        units={unit: amount for unit, amount in before.units.items() if unit not in units},
        shipping_minor=before.shipping_minor - event.shipping_minor,
    )


def not_due(state: Ledger, event: RefundNotDue | RemedyAlreadyMet) -> Ledger:
    told = answered(state, event.remedy_id, event.units)
    if event.reissues is not None:
        told = changed(told, event.reissues, given_by=tuple(event.refund_ids))
    asked = state.not_due | ({event.refund_id} if event.refund_id else frozenset[str]())
    return replace(told, not_due=asked)


def owed_again(state: Ledger, refund_ids: Iterable[str]) -> Ledger:
    """Those that were found not to be due, and are."""
    for refund_id in refund_ids:
        state = changed(state, refund_id, given_by=None)
    return state


def answered(state: Ledger, remedy_id: str | None, units: Iterable[str]) -> Ledger:
    if remedy_id is None:
        return state
    known = state.answered.get(remedy_id, frozenset())
    return replace(state, answered=state.answered | {remedy_id: known.union(units)})


def changed(state: Ledger, refund_id: str, **fields: object) -> Ledger:
    refund = replace(state.refunds[refund_id], **fields)
    return replace(state, refunds=state.refunds | {refund_id: refund})
