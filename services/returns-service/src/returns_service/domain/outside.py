"""What a bank or the marketplace gave back by itself in, money that counts like our own out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Struct
from shared_casework.money import shares
from shared_casework.values import refuse, require_currency
from shared_events.fields import Currency, Id, Minor, Unit
from shared_events.returns import (
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundedUnit,
    RefundEvent,
    RefundOverpaid,
)
from shared_runtime.rule import Rule
from shared_runtime.shape import ONCE

from returns_service.domain.known import Known, Sender
from returns_service.domain.ledger_state import (
    Ledger,
    LedgerState,
    OutsideStatus,
    Unopened,
    in_order,
)
from returns_service.domain.matter import Book, LedgerRule, book_of
from returns_service.domain.totals import overpaid, with_remaining


class RecordOutsideRefund(Struct, frozen=True, kw_only=True):
    """`units`: if it is known what it was given for; else it counts for the order alone."""

    outside_id: Id
    kind: Literal["CHARGEBACK", "DIRECT_DEBIT_RETURN", "MARKETPLACE"]
    units: Annotated[tuple[Unit, ...], ONCE] = ()
    amount_minor: Minor
    currency: Currency


def record_outside_refund(book: Book, said: RecordOutsideRefund, _: Sender) -> list[RefundEvent]:
    """Recorded as it is. What was thereby given twice is told."""
    ledger = book.open_ledger
    require_currency(said.currency, ledger.currency)
    if said.outside_id in ledger.refunds:
        raise refuse("outside_id", "not that of a refund of this ledger")
    if not set(said.units) <= ledger.remaining.units.keys():
        raise refuse("units", "pieces of the order")
    recorded = with_remaining(
        ledger,
        OutsideRefundRecorded(
            **ledger.ids,
            outside_id=said.outside_id,
            kind=said.kind,
            units=spread(ledger, said.units, said.amount_minor) or None,
            currency=ledger.currency,
            total_minor=said.amount_minor,
            remaining_minor=0,
        ),
    )
    return [recorded, *overpaid(ledger, recorded, said.outside_id)]


def spread(ledger: Ledger, named: Sequence[str], amount: int) -> list[RefundedUnit]:
    """In proportion to what is left of each; where nothing is, to what was paid, or equally."""
    units = in_order(ledger.money, named)
    left = ledger.remaining.units
    paid = {each.unit: each.paid_minor for each in ledger.money.units}
    weights = next(
        told
        for told in (
            [left[unit] for unit in units],
            [paid[unit] for unit in units],
            [1] * len(units),
        )
        if sum(told) or not units
    )
    return [
        RefundedUnit(unit=unit, amount_minor=share)
        for unit, share in zip(units, shares(amount, weights), strict=True)
    ]


def is_recorded(book: Book, said: RecordOutsideRefund, _: Sender) -> bool:
    return book.ledger is not None and said.outside_id in book.ledger.outside


RECORD_OUTSIDE_REFUND = LedgerRule(
    RecordOutsideRefund,
    record_outside_refund,
    roles=("SYSTEM",),
    repeated=is_recorded,
    states=("OPEN",),
    events=(OutsideRefundRecorded, RefundOverpaid),
    example=RecordOutsideRefund(
        outside_id="cb-9", kind="CHARGEBACK", amount_minor=9589, currency="EUR"
    ),
)


# --- Taken back


class UndoOutsideRefund(Struct, frozen=True, kw_only=True):
    """The bank has decided for the seller."""

    outside_id: Id


type OneOutsideStatus = OutsideStatus | Literal["NONE"]


class OneOutside(Struct, frozen=True, kw_only=True):
    """The outside money that is named, if the ledger has it."""

    book: Book
    status: OneOutsideStatus


class OutsideRule[C: UndoOutsideRefund](
    Rule[LedgerState, OneOutside, OneOutsideStatus, C, Known, RefundEvent]
):
    def find(self, state: LedgerState, said: C, by: Sender) -> OneOutside:
        known: Mapping[str, OutsideStatus] = {} if isinstance(state, Unopened) else state.outside
        return OneOutside(book=book_of(state, by), status=known.get(said.outside_id, "NONE"))

    def matters(self, state: LedgerState, by: Sender) -> Iterable[OneOutside]:  # noqa: ARG002
        return ()  # machines are offered nothing


def undo_outside_refund(one: OneOutside, said: UndoOutsideRefund, _: Sender) -> list[RefundEvent]:
    """It counts no more. What was not due because of it is asked for again by whoever asked; what a
    person gave of his own accord is owed again.
    """
    ledger = one.book.open_ledger
    undone = OutsideRefundUndone(
        **ledger.ids,
        outside_id=said.outside_id,
        currency=ledger.currency,
        total_minor=total_of(ledger, said.outside_id),
        remaining_minor=0,
        owed_again=goodwill_not_due(ledger, said.outside_id) or None,
    )
    return [with_remaining(ledger, undone)]


def goodwill_not_due(ledger: Ledger, outside_id: str) -> list[str]:
    return [
        each.refund_id
        for each in ledger.refunds.values()
        if each.requested.source == "GOODWILL" and outside_id in (each.given_by or ())
    ]


def total_of(ledger: Ledger, outside_id: str) -> int:
    return next(each.total_minor for each in ledger.money.given if each.given_id == outside_id)


UNDO_OUTSIDE_REFUND = OutsideRule(
    UndoOutsideRefund,
    undo_outside_refund,
    roles=("SYSTEM",),
    states=("RECORDED",),
    lapses=True,
    events=(OutsideRefundUndone,),
    example=UndoOutsideRefund(outside_id="cb-9"),
)
