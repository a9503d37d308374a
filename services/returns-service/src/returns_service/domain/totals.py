"""A ledger and what happens to its money in, the event of that with the totals after it out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace
from shared_casework import money
from shared_casework.money import Given, Money
from shared_events.returns import (
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundEvent,
    RefundIssued,
    RefundNotDue,
    RefundOverpaid,
    RefundRequested,
    RefundSettled,
    RefundSource,
    RemedyAlreadyMet,
)

from returns_service.domain.ledger_state import Ledger

type Moving = (
    RefundRequested | RefundIssued | RefundBounced | OutsideRefundRecorded | OutsideRefundUndone
)


def with_remaining[M: Moving](ledger: Ledger, event: M) -> M:
    """The event with what is left of the order after it."""
    after = money.evolve(ledger.money, event)
    return replace(event, remaining_minor=after.remaining.order_minor)


# --- Money that is out


def settled(
    ledger: Ledger,
    asked: RefundRequested,
    word: str,
    now: datetime,
    *,
    told_by: Literal["GATEWAY", "DESK"] | None = None,
    late: bool = False,
) -> list[RefundEvent]:
    """What comes of somebody's word that a refund has been paid."""
    issued = with_remaining(
        ledger,
        RefundIssued(
            **ledger.ids,
            refund_id=asked.refund_id,
            source=asked.source,
            source_id=asked.source_id,
            remedy_id=asked.remedy_id,
            borne_by=asked.borne_by,
            units=asked.units,
            currency=asked.currency,
            shipping_minor=asked.shipping_minor,
            goodwill_minor=asked.goodwill_minor,
            difference_minor=asked.difference_minor,
            label_cost_minor=asked.label_cost_minor,
            total_minor=asked.total_minor,
            refunded_total_minor=ledger.refunded_minor + asked.total_minor,
            remaining_minor=0,
            issued_at=now,
        ),
    )
    return [
        RefundSettled(
            **ledger.ids,
            refund_id=asked.refund_id,
            gateway_ref=word,
            told_by=told_by,
            late=late or None,
            settled_at=now,
        ),
        issued,
        *overpaid(ledger, issued, asked.refund_id),
    ]


def overpaid(
    ledger: Ledger, event: RefundIssued | OutsideRefundRecorded, given_id: str
) -> list[RefundOverpaid]:
    """What is given twice by money that has gone out just now, and by what."""
    after = money.evolve(ledger.money, event)
    excess = after.overpaid_minor - ledger.money.overpaid_minor
    if excess <= 0:
        return []
    return [
        RefundOverpaid(
            **ledger.ids,
            currency=ledger.currency,
            amount_minor=excess,
            refund_ids=twice_given(after, given_id),
        )
    ]


def twice_given(after: Money, given_id: str) -> list[str]:
    """Which money gave what this has given too: of the same chain of reissues, for a unit or for
    shipping beyond what was paid for them, or beyond the order.
    """
    out = [each for each in after.given if each.out]
    last = next(each for each in out if each.given_id == given_id)
    parts = after.parts(out)
    paid = {each.unit: each.paid_minor for each in after.units}
    over = {unit for unit in of(last) if parts.units[unit] > paid.get(unit, 0)}
    over_shipping = last.shipping_minor > 0 and parts.shipping_minor > after.shipping_minor
    over_order = after.within(parts).total_minor > after.total_minor
    (chain,) = (each for each in after.chains(out) if last in each)
    return [
        each.given_id
        for each in out
        if each in chain
        or not over.isdisjoint(of(each))
        or (over_shipping and each.shipping_minor > 0)
        or (over_order and gave_any(each))
    ]


def of(given: Given) -> Iterator[str]:
    """The units that it gave something for."""
    return (each.unit for each in given.units if each.amount_minor > 0)


# --- Who has given


def gave(ledger: Ledger) -> list[str]:
    """All that gave any money which counts; a difference is money too."""
    return [each.given_id for each in ledger.money.given if each.counts and gave_any(each)]


def gave_any(given: Given) -> bool:
    return given.total_minor + given.difference_minor > 0


def gave_for(ledger: Ledger, units: Iterable[str]) -> list[str]:
    """Those that gave money for these units, or any if none did."""
    named = set(units)
    of_units = [
        each.given_id
        for each in ledger.money.given
        if each.counts and not named.isdisjoint(of(each))
    ]
    return of_units or gave(ledger)


def outside_of_no_unit(ledger: Ledger) -> list[str]:
    """What others gave that counts in the order alone: whoever takes it back is to find what was
    not due because of it.
    """
    return [
        each.given_id
        for each in ledger.money.given
        if each.given_id in ledger.outside and each.counts and each.other_minor
    ]


def nothing_due(
    ledger: Ledger,
    *,
    refund_id: str,
    source: RefundSource,
    source_id: str,
    remedy_id: str | None,
    reissues: str | None,
    units: Sequence[str],
    refund_ids: Sequence[str],
) -> list[RefundEvent]:
    """Nothing is left of what is asked. Of a remedy it is said once for each unit, and once more of
    those of a refund that was to be reissued.
    """
    if source != "DISPUTE":
        return [
            RefundNotDue(
                **ledger.ids,
                refund_id=refund_id,
                source=source,
                source_id=source_id,
                remedy_id=remedy_id,
                reissues=reissues,
                units=[*units],
                refund_ids=[*refund_ids],
                why="GIVEN",
            )
        ]
    assert remedy_id
    new = [unit for unit in units if unit not in ledger.met.get(remedy_id, frozenset())]
    is_told = reissues is None or ledger.refunds[reissues].given_by is not None
    if is_told and not new:
        return []
    return [
        RemedyAlreadyMet(
            **ledger.ids,
            refund_id=refund_id,
            remedy_id=remedy_id,
            reissues=reissues,
            units=new if is_told else [*units],
            refund_ids=[*refund_ids],
        )
    ]
