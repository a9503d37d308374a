"""Goods that nobody wanted, or that nobody had asked for, in; where they end out: with the buyer
again, or with the seller, who pays for what he keeps.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_events.common import DecisionOverdue
from shared_events.fields import Id
from shared_events.returns import (
    GoodsWaived,
    ReturnClosed,
    ReturnEvent,
    UnitsAccepted,
    UnitsSentBack,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window

from returns_service.domain.goods_matter import Units, all_fitting, fitting, fitting_units, some_fit
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import SENT_BACK_OR_PAID, Piece, Return
from returns_service.domain.return_timers import has_goods_to_send_back, send_back_until
from returns_service.domain.verdicts import accepted_unseen


class SendBackUnits(Struct, frozen=True, kw_only=True):
    units: Units
    tracking_id: Id


class WaiveGoods(Struct, frozen=True, kw_only=True):
    """Their buyer does not want them."""

    units: Units


class AcceptKept(Struct, frozen=True):
    """The time to send goods back is over."""


def is_to_send_back(matter: Return, piece: Piece, by: Sender) -> bool:
    """goods that were rejected, or came unasked, and no remedy was given for"""
    end = by.known.contests.get(piece.unit)
    is_remedied = piece.left == "CONTESTED" and end is not None and end.remedied
    return has_goods_to_send_back(matter, piece) and not is_remedied


def until(matter: Return, piece: Piece, by: Sender) -> datetime | None:
    return send_back_until(matter, piece, matter.policy(by), by.known.contests)


def names_goods(matter: Return, said: SendBackUnits | WaiveGoods, by: Sender) -> None:
    """goods that were rejected, or came unasked, and no remedy was given for"""
    fitting(matter, said.units, is_to_send_back, by)


def while_they_are_the_buyers(
    matter: Return, said: SendBackUnits | WaiveGoods, by: Sender
) -> Window | None:
    """From when on what was done with them can't be contested any more, or its dispute is closed:
    None while that is open. Goods that are not the buyer's may go back at any time after.
    """
    named = [piece for piece in matter.named(said.units) if has_goods_to_send_back(matter, piece)]
    contested = [piece for piece in named if piece.left == "CONTESTED"]
    if any(piece.unit not in by.known.contests for piece in contested):
        return None
    begins = [begin for piece in named if (begin := sent_back_from(piece, by))]
    ends = [
        end for piece in named if is_his(piece) and (end := until(matter, piece, by)) is not None
    ]
    return Window(max(begins, default=None), min(ends, default=None))


def sent_back_from(piece: Piece, by: Sender) -> datetime | None:
    if piece.unasked:
        return None
    if piece.left == "CONTESTED":
        return by.known.contests[piece.unit].closed_at
    return piece.contest_until


def is_his(piece: Piece) -> bool:
    """Whether they are the buyer's own: who keeps them pays for them."""
    return piece.where == "RECEIVED" if piece.unasked else piece.rejected in SENT_BACK_OR_PAID


def send_back_units(matter: Return, said: SendBackUnits, by: Sender) -> list[ReturnEvent]:
    units = [piece.unit for piece in fitting(matter, said.units, is_to_send_back, by)]
    return [UnitsSentBack(**matter.ids, units=units, tracking_id=said.tracking_id)]


def waive_goods(matter: Return, said: WaiveGoods, by: Sender) -> list[ReturnEvent]:
    """He does not want them; the seller may keep them for nothing."""
    units = [piece.unit for piece in fitting(matter, said.units, is_to_send_back, by)]
    return [GoodsWaived(**matter.ids, units=units)]


def to_send_back(matter: Return, by: Sender) -> Sequence[SendBackUnits]:
    units = fitting_units(matter, is_to_send_back, by)
    return [SendBackUnits(units=units, tracking_id="T-3")] if units else []


def to_waive(matter: Return, by: Sender) -> Sequence[WaiveGoods]:
    units = fitting_units(matter, is_to_send_back, by)
    return [WaiveGoods(units=units)] if units else []


SEND_BACK_UNITS = ReturnRule(
    SendBackUnits,
    send_back_units,
    roles=("SELLER", "SYSTEM"),
    party=PARTY,
    barred=PERSON,
    stands=Guard[Return, SendBackUnits | WaiveGoods, Known](names_goods, WrongState),
    window=while_they_are_the_buyers,
    early=True,
    lapses=True,
    events=(UnitsSentBack, ReturnClosed),
    example=SendBackUnits(units=("1/1",), tracking_id="T-3"),
    tries=to_send_back,
)

WAIVE_GOODS = ReturnRule(
    WaiveGoods,
    waive_goods,
    roles=("BUYER",),
    party=PARTY,
    barred=PERSON,
    stands=Guard[Return, SendBackUnits | WaiveGoods, Known](names_goods, WrongState),
    window=while_they_are_the_buyers,
    early=True,
    events=(GoodsWaived, ReturnClosed),
    example=WaiveGoods(units=("1/1",)),
    tries=to_waive,
)


# --- They were kept


def is_kept(matter: Return, piece: Piece, by: Sender) -> bool:
    """goods that should have been sent back by now"""
    if not is_to_send_back(matter, piece, by):
        return False
    due = until(matter, piece, by)
    return due is not None and due <= by.now


def accept_kept(matter: Return, _: AcceptKept, by: Sender) -> list[ReturnEvent]:
    """Who keeps what is the buyer's pays for it, unless another return has it by now. Of what is
    not, that it is still there is told once; it may still be sent back.
    """
    kept = all_fitting(matter, is_kept, by)
    paid = [piece for piece in kept if is_his(piece) and is_still_its_own(matter, piece, by)]
    dues = {due for each in kept if each not in paid and (due := until(matter, each, by))}
    told = [
        DecisionOverdue(**matter.ids, what="SEND_BACK", ref_id=matter.return_id, due_at=due)
        for due in sorted(dues)
        if ("SEND_BACK", matter.return_id, due) not in matter.overdue
    ]
    return [*accepted_unseen(matter, paid, by), *told]


def is_still_its_own(matter: Return, piece: Piece, by: Sender) -> bool:
    return piece.left is None or by.known.is_free(piece.unit, matter.return_id)


ACCEPT_KEPT = ReturnRule(
    AcceptKept,
    accept_kept,
    roles=("SYSTEM",),
    stands=some_fit(is_kept),
    lapses=True,
    events=(UnitsAccepted, DecisionOverdue, ReturnClosed),
    example=AcceptKept(),
)
