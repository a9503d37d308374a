"""What the stock has for a replacement in, that it is reserved, or that there is none, out."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from shared_casework.money import shares
from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.returns import (
    DifferencePaid,
    ExchangeFellBack,
    FallBackReason,
    ReplacementReserved,
    ReturnAuthorized,
    ReturnClosed,
    ReturnEvent,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Window

from returns_service.domain.authorizing import Authorization, authorized, fault_of
from returns_service.domain.closing import currency_of
from returns_service.domain.goods_matter import Units, all_fitting, fitting, some_fit
from returns_service.domain.known import Sender, line_of
from returns_service.domain.return_matter import ReturnRule, goods_there
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import pays_by, reserves_for, ships_by
from returns_service.domain.units import next_of


class ReserveReplacement(Struct, frozen=True, kw_only=True):
    """`stock`: how many there are; `difference_minor`: what all of them cost more than these, or
    less. `reservation_id`: what they are kept by.
    """

    units: Units
    sku: Id
    stock: Annotated[int, Meta(ge=0)]
    difference_minor: int = 0
    reservation_id: Id | None = None


class RecordDifferencePaid(Struct, frozen=True, kw_only=True):
    payment_ref: Id


class FallBackToRefund(Struct, frozen=True, kw_only=True):
    """Nobody has paid the difference, or sent the replacement, in time."""

    reason: Literal["UNPAID", "NOT_SHIPPED"]


def is_to_reserve(matter: Return, piece: Piece, _: Sender) -> bool:
    """what another one is to come for, and none is reserved yet"""
    return reserves_for(matter, piece)


def reserve_replacement(matter: Return, said: ReserveReplacement, by: Sender) -> list[ReturnEvent]:
    """For all of them or for none. The buyer owes a difference above 0 and is never charged by
    himself; below 0 the ledger credits it. The same article costs the same, whatever its price is
    now; and what a seller's fault makes necessary costs no more.
    """
    pieces = fitting(matter, said.units, is_to_reserve, by)
    if said.stock < len(pieces):
        return fell_back(matter, pieces, "OUT_OF_STOCK", by)
    differences = shares(difference_for(matter, pieces, said, by), [1] * len(pieces))
    ahead = [n for n, piece in enumerate(pieces) if is_ahead(piece)]
    after = [n for n, piece in enumerate(pieces) if not is_ahead(piece)]
    return [
        reserved(
            matter,
            [pieces[n] for n in part],
            said,
            sum(differences[n] for n in part),
            by,
            cross_shipped=part is ahead,
        )
        for part in (ahead, after)
        if part
    ]


def is_ahead(piece: Piece) -> bool:
    """Whether another one goes out before anybody has seen this one."""
    return piece.acceptance != "ACCEPTED" and not piece.stays


def difference_for(
    matter: Return, pieces: Sequence[Piece], said: ReserveReplacement, by: Sender
) -> int:
    if all(sku_of(piece.unit, by) == said.sku for piece in pieces):
        return 0
    remedies = [matter.remedy_of(piece.unit) for piece in pieces]
    if all(remedy and remedy.seller_at_fault for remedy in remedies):
        return min(0, said.difference_minor)
    return said.difference_minor


def sku_of(unit: str, by: Sender) -> str | None:
    piece = by.known.piece(unit)
    if piece and piece.sku:
        return piece.sku
    lines = by.known.order.lines if by.known.order else []
    return next((line.sku for line in lines if line.line_id == line_of(unit)), None)


def reserved(
    matter: Return,
    pieces: Sequence[Piece],
    said: ReserveReplacement,
    difference_minor: int,
    by: Sender,
    *,
    cross_shipped: bool,
) -> ReplacementReserved:
    policy, now = matter.policy(by), utc(by.now)
    owes = difference_minor > 0
    return ReplacementReserved(
        **matter.ids,
        units=[piece.unit for piece in pieces],
        new_units=[next_of(piece.unit) for piece in pieces],
        sku=said.sku,
        reservation_id=said.reservation_id,
        currency=currency_of(matter, by),
        difference_minor=difference_minor,
        pay_by=now + policy.return_pay_difference if owes else None,
        ship_by=None if owes else now + policy.return_replacement_ship,
        cross_shipped=cross_shipped,
    )


RESERVE_REPLACEMENT = ReturnRule(
    ReserveReplacement,
    reserve_replacement,
    roles=("SYSTEM",),
    refuses=(WrongState,),
    lapses=True,
    events=(ReplacementReserved, ExchangeFellBack, ReturnAuthorized, ReturnClosed),
    example=ReserveReplacement(units=("1/1",), sku="sku-1", stock=4),
)


# --- The difference


def owes(_: Return, piece: Piece, __: Sender) -> bool:
    """a replacement whose difference is still owed"""
    return pays_by(piece) is not None and piece.left is None


def until_it_falls_back(matter: Return, _: object, by: Sender) -> Window:
    """Of several, the one that is owed longest."""
    dues = [due for piece in all_fitting(matter, owes, by) if (due := pays_by(piece))]
    return Window(latest=min(dues, default=None))


def record_difference_paid(
    matter: Return, said: RecordDifferencePaid, by: Sender
) -> list[ReturnEvent]:
    """The payment is captured only after this. From here on the replacement is to be sent."""
    owing = [p.replacement for p in all_fitting(matter, owes, by) if p.replacement]
    first = matter.reservations[min(each.reservation for each in owing)]
    return [
        DifferencePaid(
            **matter.ids,
            currency=first.currency,
            difference_minor=first.difference_minor,
            payment_ref=said.payment_ref,
            ship_by=utc(by.now) + matter.policy(by).return_replacement_ship,
        )
    ]


def is_paid_by_it(matter: Return, said: RecordDifferencePaid, _: Sender) -> bool:
    """However often it is told: the same money pays for nothing else."""
    return said.payment_ref in matter.payments


RECORD_DIFFERENCE_PAID = ReturnRule(
    RecordDifferencePaid,
    record_difference_paid,
    roles=("SYSTEM",),
    repeated=is_paid_by_it,
    stands=some_fit(owes),
    window=until_it_falls_back,
    lapses=True,
    events=(DifferencePaid,),
    example=RecordDifferencePaid(payment_ref="pay-1"),
)


# --- There is none


def fall_back_to_refund(matter: Return, said: FallBackToRefund, by: Sender) -> list[ReturnEvent]:
    """They are refunded as those of a return, once they are accepted; what was paid for those in
    their place goes back now.
    """
    due_of = pays_by if said.reason == "UNPAID" else ships_by
    pieces = [
        piece
        for piece in matter.pieces.values()
        if (due := due_of(piece)) is not None and due <= by.now
    ]
    return fell_back(matter, pieces, said.reason, by)


def fell_back(
    matter: Return, pieces: Sequence[Piece], reason: FallBackReason, by: Sender
) -> list[ReturnEvent]:
    """Goods that stay with the buyer have to come back now, unless a dispute has said that they
    stay: then the ledger gives all that is left of them.
    """
    if not pieces:
        return []
    units = [piece.unit for piece in pieces]
    to_return = [piece.unit for piece in pieces if piece.stays and piece.remedy_id is None]
    events: list[ReturnEvent] = [ExchangeFellBack(**matter.ids, units=units, reason=reason)]
    if to_return:
        events += authorized_anew(matter, to_return, by)
    return events


def authorized_anew(matter: Return, units: Sequence[str], by: Sender) -> list[ReturnAuthorized]:
    """By the rule; what has come unasked is looked at, and need not be sent."""
    return authorized(
        matter.ids,
        Authorization(
            kind="RETURN",
            lane="STANDARD",
            by="RULE",
            units=units,
            units_in=goods_there(matter, by),
            goods_back=True,
            fault=fault_of(matter),
            currency=currency_of(matter, by),
            rule_trace=(),
        ),
        by,
        matter.policy(by),
    )


FALL_BACK_TO_REFUND = ReturnRule(
    FallBackToRefund,
    fall_back_to_refund,
    roles=("SYSTEM",),
    lapses=True,
    events=(ExchangeFellBack, ReturnAuthorized, ReturnClosed),
    example=FallBackToRefund(reason="NOT_SHIPPED"),
)
