"""What a seller or the desk gives of its own accord in, a refund of no unit out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Struct
from shared_casework.impartial import require_impartial
from shared_casework.parties import PARTY
from shared_casework.values import require_currency, utc
from shared_events.fields import Code, Currency, Holds, Id, Minor
from shared_events.returns import RefundEvent, RefundRequested
from shared_runtime.decider import (
    AmountExceedsCeiling,
    ConflictOfInterest,
    FieldError,
    Refused,
    Role,
)
from shared_runtime.rule import Guard
from shared_runtime.shape import Made

from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.ledger_state import Ledger
from returns_service.domain.matter import Book, LedgerRule, of_order
from returns_service.domain.totals import gave, with_remaining

DESK: tuple[Role, ...] = ("AGENT", "SENIOR")


@dataclass(kw_only=True, eq=False)
class AlreadyRefunded(Refused):
    """Nothing is left to refund."""

    refund_ids: list[str]


def is_something(amount_minor: int) -> bool:
    return amount_minor > 0


class GiveGoodwill(Struct, frozen=True, kw_only=True):
    """Money without goods, a claim or a fault. `reason`: the desk's."""

    refund_id: Annotated[Id, Made("refund")]
    goodwill_minor: Annotated[Minor, Holds(is_something, "1 or more")]
    currency: Currency
    reason: Code | None = None


def shape_of_goodwill(said: GiveGoodwill, by: Sender) -> Iterator[FieldError]:
    if by.actor.acts_as in DESK and said.reason is None:
        yield FieldError(field="reason", bound="there where the desk gives")
    if by.actor.acts_as == "SELLER" and said.reason is not None:
        yield FieldError(field="reason", bound="of the desk alone")


def give_goodwill(book: Book, said: GiveGoodwill, by: Sender) -> list[RefundEvent]:
    """At most what is left of the order; the desk, at the platform's cost, `goodwill_agent_max_ref`
    for each order.
    """
    ledger = book.open_ledger
    require_currency(said.currency, ledger.currency)
    is_desk = by.actor.acts_as in DESK
    left = ledger.remaining.order_minor
    if left == 0:
        raise AlreadyRefunded(refund_ids=gave(ledger))
    ceiling = min(left, left_of_desk(ledger, by)) if is_desk else left
    if said.goodwill_minor > ceiling:
        raise AmountExceedsCeiling(ceiling_minor=ceiling, currency=ledger.currency)
    return [
        with_remaining(
            ledger,
            RefundRequested(
                **ledger.ids,
                refund_id=said.refund_id,
                source="GOODWILL",
                source_id=said.refund_id,
                way="ORIGINAL",
                borne_by="PLATFORM" if is_desk else "SELLER",
                reason=said.reason,
                units=[],
                currency=ledger.currency,
                shipping_minor=0,
                goodwill_minor=said.goodwill_minor,
                label_cost_minor=0,
                total_minor=said.goodwill_minor,
                seller_at_fault=False,
                advance=False,
                remaining_minor=0,
                overdue_at=utc(by.now) + ledger.policy(by).refund_legal,
            ),
        )
    ]


def left_of_desk(ledger: Ledger, by: Sender) -> int:
    """The greatest amount with which all that the desk has given is, in the reference currency,
    `amount * total_ref // total`, not above its limit. The total is that of the order by now.
    """
    total, total_ref = ledger.money.total_minor, ledger.opened.total_ref_minor
    if total_ref == 0:
        return total
    limit_ref = ledger.policy(by).goodwill_agent_max_ref
    most = ((limit_ref + 1) * total - 1) // total_ref
    return max(0, most - ledger.desk_gave())


def is_given(book: Book, said: GiveGoodwill, _: Sender) -> bool:
    return book.ledger is not None and book.ledger.has_answered(said.refund_id)


def by_outsider(book: Book, said: GiveGoodwill, by: Sender) -> None:
    """of the desk, nobody who has a stake in it"""
    if by.actor.acts_as in DESK:
        require_impartial(by.actor, of_order(book, said, by))


def of_role(book: Book, by: Sender) -> Sequence[GiveGoodwill]:
    """The least that can be given."""
    reason = "LATE_ANSWER" if by.actor.acts_as in DESK else None
    currency = book.open_ledger.currency
    return [GiveGoodwill(refund_id="f-new", goodwill_minor=1, currency=currency, reason=reason)]


GIVE_GOODWILL = LedgerRule(
    GiveGoodwill,
    give_goodwill,
    roles=("SELLER", *DESK),
    shape=shape_of_goodwill,
    human=True,
    party=PARTY,
    impartial=Guard[Book, GiveGoodwill, Known](by_outsider, ConflictOfInterest),
    barred=PERSON,
    repeated=is_given,
    states=("OPEN",),
    refuses=(AmountExceedsCeiling, AlreadyRefunded),
    events=(RefundRequested,),
    example=GiveGoodwill(refund_id="f-2", goodwill_minor=500, currency="EUR"),
    tries=of_role,
)
