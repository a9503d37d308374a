"""Goods that the buyer sends back, or does not, in; that they are on their way, or expired, out."""

from collections.abc import Sequence

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.fields import Id, Sha256
from shared_events.returns import (
    OfferDeclined,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    ReturnShipped,
)
from shared_runtime.decider import QuantityExceeded
from shared_runtime.rule import Window

from returns_service.domain.goods_matter import Units, fitting_units, some_fit
from returns_service.domain.known import PERSON, Sender, line_of
from returns_service.domain.return_matter import ReturnRule, lapsed_offer, named_pieces
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import expires_at, to_send


class ShipBack(Struct, frozen=True, kw_only=True):
    """`proof_sha256`: of the receipt of posting."""

    units: Units
    tracking_id: Id
    proof_sha256: Sha256 | None = None


class ExpireReturn(Struct, frozen=True):
    """The time to send the goods is over."""


def can_be_sent(matter: Return, piece: Piece, _: Sender) -> bool:
    """what the buyer was asked to send, and has not sent"""
    return piece in to_send(matter)


def until_it_expires(matter: Return, _: object, by: Sender) -> Window:
    return Window(latest=expires_at(matter, matter.policy(by)))


def ship_back(matter: Return, said: ShipBack, by: Sender) -> list[ReturnEvent]:
    """With any carrier. They count as lost after `return_transit_max`."""
    left = to_send(matter)
    for piece in named_pieces(matter, said.units):
        if piece not in left:
            line_id = line_of(piece.unit)
            free = sum(line_of(each.unit) == line_id for each in left)
            raise QuantityExceeded(line_id=line_id, free=free)
    return [
        *lapsed_offer(matter),
        ReturnShipped(
            **matter.ids,
            units=[*said.units],
            tracking_id=said.tracking_id,
            proof_sha256=said.proof_sha256,
            lost_at=utc(by.now) + matter.policy(by).return_transit_max,
        ),
    ]


def to_ship(matter: Return, by: Sender) -> Sequence[ShipBack]:
    return [ShipBack(units=fitting_units(matter, can_be_sent, by), tracking_id="T-1")]


SHIP_BACK = ReturnRule(
    ShipBack,
    ship_back,
    roles=("BUYER",),
    party=PARTY,
    barred=PERSON,
    stands=some_fit(can_be_sent),
    window=until_it_expires,
    refuses=(QuantityExceeded,),
    events=(OfferDeclined, ReturnShipped),
    example=ShipBack(units=("1/1",), tracking_id="T-1"),
    tries=to_ship,
)


def expire_return(matter: Return, _: ExpireReturn, __: Sender) -> list[ReturnEvent]:
    """Of what was not sent alone: with other goods under way the return goes on."""
    assert matter.ship_by
    units = [piece.unit for piece in to_send(matter)]
    return [ReturnExpired(**matter.ids, units=units, ship_by=matter.ship_by)]


def from_its_end(matter: Return, _: object, by: Sender) -> Window | None:
    due = expires_at(matter, matter.policy(by))
    return Window(earliest=due) if due else None


EXPIRE_RETURN = ReturnRule(
    ExpireReturn,
    expire_return,
    roles=("SYSTEM",),
    stands=some_fit(can_be_sent),
    window=from_its_end,
    early=True,
    lapses=True,
    events=(ReturnExpired, ReturnClosed),
    example=ExpireReturn(),
)
