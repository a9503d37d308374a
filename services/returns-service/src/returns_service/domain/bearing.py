"""Goods that an advance was not recovered for in, that the platform bears it out; or, where they
came after all, the seller again.
"""

from typing import Annotated

from msgspec import Meta, Struct
from shared_events.fields import Id, Unit
from shared_events.returns import Bearer, CostMoved, RefundedUnit, RefundEvent, RefundRequested
from shared_runtime.shape import ONCE

from returns_service.domain.known import Sender
from returns_service.domain.ledger_state import Ledger, Refund
from returns_service.domain.matter import Book, LedgerRule


class MoveCost(Struct, frozen=True, kw_only=True):
    """`remedy_ids`: those that the return carries out; what they gave is of it too."""

    return_id: Id
    remedy_ids: Annotated[tuple[Id, ...], ONCE] = ()
    units: Annotated[tuple[Unit, ...], Meta(min_length=1), ONCE]
    borne_by: Bearer


def move_cost(book: Book, said: MoveCost, _: Sender) -> list[RefundEvent]:
    """All that the return's refunds gave for these pieces, once, whatever is told again; one that
    is reissued takes it along.
    """
    ledger = book.open_ledger
    move = to_platform if said.borne_by == "PLATFORM" else back_to_seller
    events = (move(ledger, each, said) for each in ledger.refunds.values() if is_of(each, said))
    return [event for event in events if event.total_minor]


def is_of(refund: Refund, said: MoveCost) -> bool:
    asked = refund.requested
    if refund.reissued_by or asked.borne_by == "PLATFORM":
        return False
    return asked.source_id == said.return_id or asked.remedy_id in said.remedy_ids


def to_platform(ledger: Ledger, refund: Refund, said: MoveCost) -> CostMoved:
    """The shipping that came with it too: with the first of its pieces."""
    asked, absorbed = refund.requested, refund.absorbed
    units = {
        each.unit: each.amount_minor
        for each in asked.units
        if each.unit in said.units and each.unit not in absorbed.units
    }
    shipping_minor = asked.shipping_minor if units and not absorbed.units else 0
    return moved(ledger, refund.refund_id, "PLATFORM", units, shipping_minor)


def back_to_seller(ledger: Ledger, refund: Refund, said: MoveCost) -> CostMoved:
    """The shipping with the last of them."""
    absorbed = refund.absorbed
    units = {unit: amount for unit, amount in absorbed.units.items() if unit in said.units}
    shipping_minor = absorbed.shipping_minor if len(units) == len(absorbed.units) else 0
    return moved(ledger, refund.refund_id, "SELLER", units, shipping_minor)


def moved(
    ledger: Ledger, refund_id: str, to: Bearer, units: dict[str, int], shipping_minor: int
) -> CostMoved:
    return CostMoved(
        **ledger.ids,
        refund_id=refund_id,
        borne_by=to,
        units=[RefundedUnit(unit=unit, amount_minor=amount) for unit, amount in units.items()],
        currency=ledger.currency,
        shipping_minor=shipping_minor,
        total_minor=sum(units.values()) + shipping_minor,
    )


def taken_along(ledger: Ledger, asked: RefundRequested) -> list[CostMoved]:
    """What the platform bears of refunds of the same goods, it bears of one that is asked for again
    too. `ledger`: as it is before that.
    """
    absorbed = [
        each.absorbed
        for each in ledger.refunds.values()
        if each.absorbed.units and is_for_the_same(asked, each.requested)
    ]
    units = {
        each.unit: each.amount_minor
        for each in asked.units
        if any(each.unit in before.units for before in absorbed)
    }
    has_shipping = any(before.shipping_minor for before in absorbed)
    event = moved(
        ledger, asked.refund_id, "PLATFORM", units, asked.shipping_minor if has_shipping else 0
    )
    return [event] if event.total_minor and asked.borne_by == "SELLER" else []


def is_for_the_same(one: RefundRequested, other: RefundRequested) -> bool:
    return (one.source, one.source_id) == (other.source, other.source_id)


MOVE_COST = LedgerRule(
    MoveCost,
    move_cost,
    roles=("SYSTEM",),
    states=("OPEN",),
    events=(CostMoved,),
    example=MoveCost(return_id="RT-1", units=("1/1",), borne_by="PLATFORM"),
)
