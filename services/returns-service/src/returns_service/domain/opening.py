"""A paid order in, its ledger out: what was paid for each piece."""

from msgspec import Struct
from shared_casework.money import money_of
from shared_casework.order_facts import OrderFacts
from shared_events.returns import PaidUnit, RefundEvent, RefundLedgerOpened
from shared_runtime.decider import NotFound

from returns_service.domain.known import Sender
from returns_service.domain.matter import Book, LedgerRule


class OpenLedger(Struct, frozen=True, kw_only=True):
    """The order has been paid."""


def open_ledger(_: Book, __: OpenLedger, by: Sender) -> list[RefundEvent]:
    """Once for each order; its paid shares sum to its total, to the last minor unit."""
    order = known_order(by)
    policy = by.known.policies.in_force(by.now)
    money = money_of(order)
    return [
        RefundLedgerOpened(
            order_id=order.order_id,
            seller_id=order.seller_id,
            buyer_id=order.buyer_id,
            policy_version=policy.version,
            units=[PaidUnit(unit=each.unit, paid_minor=each.paid_minor) for each in money.units],
            currency=money.currency,
            shipping_minor=money.shipping_minor,
            total_minor=money.total_minor,
            total_ref_minor=order.total_ref_minor,
        )
    ]


def known_order(by: Sender) -> OrderFacts:
    if by.known.order is None:
        raise NotFound
    return by.known.order


def is_open(book: Book, _: OpenLedger, __: Sender) -> bool:
    return book.ledger is not None


OPEN_LEDGER = LedgerRule(
    OpenLedger,
    open_ledger,
    roles=("SYSTEM",),
    repeated=is_open,
    events=(RefundLedgerOpened,),
    example=OpenLedger(),
)
