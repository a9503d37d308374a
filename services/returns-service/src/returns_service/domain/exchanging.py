"""A replacement that is sent and arrives in, what it takes the place of out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.returns import (
    ExchangeDelivered,
    ExchangeShipped,
    ReturnClosed,
    ReturnEvent,
)
from shared_runtime.decider import FieldError, Refused, WrongState
from shared_runtime.rule import MACHINE, Guard, Window

from returns_service.domain.goods_matter import Units, fitting, fitting_units
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule, named_pieces
from returns_service.domain.return_state import Piece, Replacement, Return
from returns_service.domain.return_timers import arrives_by, pays_by, ships_by


@dataclass(kw_only=True, eq=False)
class DifferenceUnpaid(Refused):
    """The price difference has not been paid."""

    difference_minor: int
    currency: str


class ShipReplacement(Struct, frozen=True, kw_only=True):
    """`units`: the pieces in whose place it goes."""

    units: Units
    tracking_id: Id


class RecordReplacementDelivered(Struct, frozen=True, kw_only=True):
    """`assumed`: nobody has told of it in all that time."""

    units: Units
    assumed: bool = False


# --- It is sent


def is_to_ship(_: Return, piece: Piece, by: Sender) -> bool:
    """what another one is reserved for, and is still worth it"""
    new = piece.replacement
    if new is None or new.shipped_at or piece.left or piece.acceptance == "REJECTED":
        return False
    if piece.where == "LOST" and piece.acceptance != "ACCEPTED":
        return False
    return not is_cancelled(by) and not is_spent(piece, by)


def is_cancelled(by: Sender) -> bool:
    return by.known.order is not None and by.known.order.stage == "CANCELLED"


def is_spent(piece: Piece, by: Sender) -> bool:
    """Something was paid for it, and nothing of that is left."""
    facts = by.known.piece(piece.unit)
    paid = facts.paid_minor if facts else 0
    return paid > 0 and by.known.remaining.get(piece.unit, paid) == 0


def names_what_is_to_ship(matter: Return, said: ShipReplacement, by: Sender) -> None:
    """what another one is reserved for, and is still worth it"""
    fitting(matter, said.units, is_to_ship, by)


def before_it_falls_back(matter: Return, said: ShipReplacement, _: Sender) -> Window:
    named = matter.named(said.units)
    dues = [due for each in named if (due := ships_by(each) or pays_by(each))]
    return Window(latest=min(dues, default=None))


def ship_replacement(matter: Return, said: ShipReplacement, by: Sender) -> list[ReturnEvent]:
    """One for each reservation and remedy. The ledger moves what is left of a piece to the new one;
    of what is sent ahead, once the original is accepted.
    """
    pieces = fitting(matter, said.units, is_to_ship, by)
    for piece in pieces:
        require_paid(matter, piece)
    parts = groupby(sorted(pieces, key=parcel_of), key=parcel_of)
    return [shipped(matter, [*part], said.tracking_id, by) for _, part in parts]


def require_paid(matter: Return, piece: Piece) -> None:
    """Raises `DifferenceUnpaid`."""
    new = new_of(piece)
    if new.owes:
        told = matter.reservations[new.reservation]
        raise DifferenceUnpaid(difference_minor=told.difference_minor, currency=told.currency)


def new_of(piece: Piece) -> Replacement:
    """For pieces that one is reserved for."""
    assert piece.replacement
    return piece.replacement


def parcel_of(piece: Piece) -> tuple[int, str]:
    return new_of(piece).reservation, piece.remedy_id or ""


def shipped(
    matter: Return, pieces: Sequence[Piece], tracking_id: str, by: Sender
) -> ExchangeShipped:
    told = matter.reservations[new_of(pieces[0]).reservation]
    return ExchangeShipped(
        **matter.ids,
        units=[piece.unit for piece in pieces],
        new_units=[new_of(piece).new_unit for piece in pieces],
        remedy_id=pieces[0].remedy_id,
        tracking_id=tracking_id,
        currency=told.currency,
        difference_minor=sum(matter.difference_for(piece) for piece in pieces),
        shipped_at=utc(by.now),
    )


def to_ship(matter: Return, by: Sender) -> Sequence[ShipReplacement]:
    units = fitting_units(matter, is_to_ship, by)
    return [ShipReplacement(units=units, tracking_id="T-9")] if units else []


SHIP_REPLACEMENT = ReturnRule(
    ShipReplacement,
    ship_replacement,
    roles=("SELLER", "SYSTEM"),
    party=PARTY,
    barred=PERSON,
    stands=Guard[Return, ShipReplacement, Known](names_what_is_to_ship, WrongState),
    window=before_it_falls_back,
    refuses=(DifferenceUnpaid,),
    lapses=True,
    events=(ExchangeShipped,),
    example=ShipReplacement(units=("1/1",), tracking_id="T-9"),
    tries=to_ship,
)


# --- It arrives


def is_on_its_way(_: Return, piece: Piece, __: Sender) -> bool:
    """what another one was sent for, and has not arrived"""
    new = piece.replacement
    return new is not None and new.shipped_at is not None and new.delivered_at is None


def names_what_is_on_its_way(matter: Return, said: RecordReplacementDelivered, by: Sender) -> None:
    """a replacement that is on its way; of what is assumed, for as long as goods are at most"""
    pieces = fitting(matter, said.units, is_on_its_way, by)
    policy = matter.policy(by)
    dues = [due for each in pieces if (due := arrives_by(each, policy))]
    if said.assumed and by.now < max(dues):
        raise WrongState(state=matter.status)


def has_arrived(matter: Return, said: RecordReplacementDelivered, _: Sender) -> bool:
    news = [piece.replacement for piece in named_pieces(matter, said.units)]
    return all(new is not None and new.delivered_at is not None for new in news)


def shape_of_arrival(said: RecordReplacementDelivered, by: Sender) -> Iterator[FieldError]:
    if said.assumed and by.actor.acts_as != MACHINE:
        yield FieldError(field="assumed", bound="false from whoever has seen it")


def record_replacement_delivered(
    matter: Return, said: RecordReplacementDelivered, by: Sender
) -> list[ReturnEvent]:
    """Opens the windows of the new piece. An original that is still out is due from here on."""
    now = utc(by.now)
    pieces = fitting(matter, said.units, is_on_its_way, by)
    out = [piece for piece in pieces if is_still_out(piece)]
    home = [piece for piece in pieces if piece not in out]
    return [
        ExchangeDelivered(
            **matter.ids,
            new_units=[new_of(piece).new_unit for piece in part],
            assumed=said.assumed or None,
            delivered_at=now,
            original_due=now + matter.policy(by).return_original_due if part is out else None,
        )
        for part in (out, home)
        if part
    ]


def is_still_out(piece: Piece) -> bool:
    return new_of(piece).cross_shipped and piece.is_pending and not piece.is_in


def to_tell(matter: Return, by: Sender) -> Sequence[RecordReplacementDelivered]:
    units = fitting_units(matter, is_on_its_way, by)
    return [RecordReplacementDelivered(units=units)] if units else []


RECORD_REPLACEMENT_DELIVERED = ReturnRule(
    RecordReplacementDelivered,
    record_replacement_delivered,
    roles=("SYSTEM", "BUYER"),
    shape=shape_of_arrival,
    party=PARTY,
    barred=PERSON,
    repeated=has_arrived,
    stands=Guard[Return, RecordReplacementDelivered, Known](names_what_is_on_its_way, WrongState),
    lapses=True,
    events=(ExchangeDelivered, ReturnClosed),
    example=RecordReplacementDelivered(units=("1/1",)),
    tries=to_tell,
)
