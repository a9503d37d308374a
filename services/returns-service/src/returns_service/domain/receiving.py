"""What was found in a parcel in, goods that are to be looked at, or only noted, out.

A parcel may come twice, late, or unasked: before the request is decided, or after it came to
nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.fields import Holds, Id, Unit
from shared_events.returns import (
    AdvanceUnrecovered,
    OfferDeclined,
    ReceivedUnit,
    Reception,
    ReturnEvent,
    UnitsReceived,
)
from shared_runtime.decider import EvidenceRequired, FieldError, QuantityExceeded, WrongState
from shared_runtime.rule import MACHINE

from returns_service.domain.goods_matter import (
    PHOTO,
    PhotoDigests,
    Photos,
    all_fitting,
)
from returns_service.domain.known import PERSON, Sender, line_of
from returns_service.domain.return_matter import ReturnRule, lapsed_offer, named_pieces
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.verdicts import unrecovered

NOT_THERE: frozenset[str] = frozenset({"WRONG_ITEM", "SHORT"})


class FoundUnit(Struct, frozen=True, kw_only=True):
    """What was in the parcel in the place of a piece."""

    unit: Unit
    reception: Reception


def each_unit_once(units: tuple[FoundUnit, ...]) -> bool:
    return len({each.unit for each in units}) == len(units)


class ReceiveUnits(Struct, frozen=True, kw_only=True):
    """`surplus`: pieces that were in the parcel besides."""

    units: Annotated[
        tuple[FoundUnit, ...], Meta(min_length=1), Holds(each_unit_once, "each unit once")
    ]
    surplus: Annotated[int, Meta(ge=0)] = 0
    tracking_id: Id | None = None
    photos: Photos = ()
    photos_sha256: PhotoDigests = ()


class Fate(NamedTuple):
    """What becomes of what was found: it is looked at, it is unasked, or it is only noted."""

    inspect_by: datetime | None = None
    unasked: bool = False
    send_back_until: datetime | None = None


NOTED = Fate()


def shape_of_reception(said: ReceiveUnits, _: Sender) -> Iterator[FieldError]:
    if len(said.photos) != len(said.photos_sha256):
        yield FieldError(field="photos_sha256", bound="one for each of the photos")


def receive_units(matter: Return, said: ReceiveUnits, by: Sender) -> list[ReturnEvent]:
    """Goods that are to be looked at within `return_inspect`. A surplus piece is noted, and never
    refunded; what comes in the place of a piece that is paid is not recovered.
    """
    named: dict[str, Reception] = {each.unit: each.reception for each in said.units}
    news = {piece.unit: fate_of(matter, piece, by) for piece in received_now(matter, named, by)}
    if news and not said.photos and any(named[unit] in NOT_THERE for unit in news):
        raise EvidenceRequired(needed=[PHOTO])
    wrong = [p for p in matter.named(news) if is_paid_wrongly(p, named[p.unit])]
    return [
        *(lapsed_offer(matter) if news else []),
        *told_of(matter, said, news, by),
        *unrecovered(matter, wrong, by, confirmed=by.actor.acts_as == MACHINE),
    ]


def received_now(matter: Return, named: dict[str, Reception], by: Sender) -> list[Piece]:
    """Those of which something new is told. Raises `WrongState` where a person tells of goods that
    somebody has in his hands already, and `QuantityExceeded` where another return has them.
    """
    pieces = named_pieces(matter, named)
    held = [piece for piece in pieces if not may_come(piece, named[piece.unit])]
    if by.actor.acts_as != MACHINE and any(p.where != named[p.unit] for p in held):
        raise WrongState(state=matter.status)
    coming = [piece for piece in pieces if piece not in held]
    for piece in coming:
        if was_let_go(piece) and not by.known.is_free(piece.unit, matter.return_id):
            raise QuantityExceeded(line_id=line_of(piece.unit), free=0)
    return coming


def may_come(piece: Piece, reception: Reception) -> bool:
    """Nothing comes twice, but what was not in the first parcel, or was something else in it. Of
    what is paid whatever is told is noted.
    """
    if not piece.is_in:
        return True
    if piece.acceptance == "ACCEPTED":
        return piece.where != reception
    return piece.where in NOT_THERE and reception == "RECEIVED"


def was_let_go(piece: Piece) -> bool:
    """Whether its return may have lost it to another one by now."""
    if piece.left or not piece.authorized or piece.acceptance == "ACCEPTED":
        return False
    return piece.where in ("EXPIRED", "LOST") or piece.acceptance == "REJECTED"


def fate_of(matter: Return, piece: Piece, by: Sender) -> Fate:
    policy, now = matter.policy(by), utc(by.now)
    if piece.acceptance == "ACCEPTED" or piece.left == "CONTESTED":
        return NOTED
    if piece.left or piece.stays:
        return Fate(unasked=True, send_back_until=now + policy.return_send_back)
    if not piece.authorized:
        return Fate(unasked=True)
    due = now + policy.return_inspect
    if piece.first_inspect_by and not piece.is_in:
        due = max(now, min(due, piece.first_inspect_by + policy.return_inspect))
    return Fate(inspect_by=due)


def is_paid_wrongly(piece: Piece, reception: Reception) -> bool:
    return piece.acceptance == "ACCEPTED" and reception == "WRONG_ITEM"


def told_of(
    matter: Return, said: ReceiveUnits, news: dict[str, Fate], by: Sender
) -> list[UnitsReceived]:
    """One for all that have the same fate; what was there besides is told with the first."""
    return [
        UnitsReceived(
            **matter.ids,
            units=[
                ReceivedUnit(unit=each.unit, reception=each.reception)
                for each in said.units
                if news.get(each.unit) == fate
            ],
            surplus=0 if number else said.surplus,
            tracking_id=said.tracking_id,
            by_warehouse=by.actor.acts_as == MACHINE or None,
            unasked=fate.unasked or None,
            photos=[*said.photos] or None,
            photos_sha256=[*said.photos_sha256] or None,
            inspect_by=fate.inspect_by,
            send_back_until=fate.send_back_until,
        )
        for number, fate in enumerate(dict.fromkeys(news.values()))
    ]


def is_awaited(_: Return, piece: Piece, __: Sender) -> bool:
    return may_come(piece, "RECEIVED")


def to_receive(matter: Return, by: Sender) -> Sequence[ReceiveUnits]:
    pieces = all_fitting(matter, is_awaited, by) or [*matter.pieces.values()]
    found = tuple(FoundUnit(unit=piece.unit, reception="RECEIVED") for piece in pieces)
    return [ReceiveUnits(units=found)] if found else []


RECEIVE_UNITS = ReturnRule(
    ReceiveUnits,
    receive_units,
    roles=("SELLER", "SYSTEM"),
    shape=shape_of_reception,
    party=PARTY,
    barred=PERSON,
    refuses=(WrongState, EvidenceRequired, QuantityExceeded),
    events=(OfferDeclined, UnitsReceived, AdvanceUnrecovered),
    example=ReceiveUnits(units=(FoundUnit(unit="1/1", reception="RECEIVED"),)),
    tries=to_receive,
)
