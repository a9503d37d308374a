"""Goods that the carrier has lost, or that never came, in; who bears it out."""

from msgspec import Struct
from shared_casework.values import utc
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeUnreturned,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    UnitsAccepted,
    UnitsLost,
)

from returns_service.domain.goods_matter import Units, fitting
from returns_service.domain.known import Sender
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.unreturned import not_returned, unreturned
from returns_service.domain.verdicts import accepted_unseen, unrecovered


class RecordLoss(Struct, frozen=True, kw_only=True):
    """`told`: the carrier says so; else they have been under way for too long."""

    units: Units
    told: bool = False


def is_under_way(_: Return, piece: Piece, __: Sender) -> bool:
    """what is on its way, and was not delivered"""
    return piece.is_pending and piece.where == "IN_TRANSIT" and not piece.delivered_back


def record_loss(matter: Return, said: RecordLoss, by: Sender) -> list[ReturnEvent]:
    """The platform answers for what travels under its label, once anybody has seen it there; goods
    with a label that no scanner ever saw were never handed over. The rest is the buyer's, who can
    contest it: an advance for it is not recovered, and what was sent in its place not returned.
    """
    late = [
        piece
        for piece in fitting(matter, said.units, is_under_way, by)
        if said.told or (piece.lost_at and piece.lost_at <= by.now)
    ]
    unsent = [p for p in late if has_label(matter, p) and not (p.handed_over or said.told)]
    covered = [
        piece
        for piece in late
        if (piece.handed_over or said.told) and is_covered(matter, piece, by)
    ]
    lost = [piece for piece in late if piece not in unsent and piece not in covered]
    overdue = [piece for piece in lost if not_returned(piece, by.now)]
    return [
        *lost_of(matter, covered, by, covered=True),
        *accepted_unseen(matter, covered, by),
        *lost_of(matter, lost, by, covered=False),
        *unrecovered(matter, [p for p in lost if matter.is_advanced(p)], by, confirmed=True),
        *unreturned(matter, overdue, by),
        *expired(matter, unsent),
    ]


def has_label(matter: Return, piece: Piece) -> bool:
    """Whether it travels under the label of this return, whoever pays for that."""
    label = matter.label
    if label is None or matter.label_void:
        return False
    return piece.tracking_id in (None, label.tracking_id)


def is_covered(matter: Return, piece: Piece, by: Sender) -> bool:
    """Also what was sent without a label when that was overdue."""
    if has_label(matter, piece):
        return True
    if matter.label or matter.label_due is None or piece.first_lost_at is None:
        return False
    sent_at = piece.first_lost_at - matter.policy(by).return_transit_max
    return sent_at >= matter.label_due


def lost_of(matter: Return, pieces: list[Piece], by: Sender, *, covered: bool) -> list[ReturnEvent]:
    if not pieces:
        return []
    until = None if covered else utc(by.now) + matter.policy(by).return_contest
    units = [piece.unit for piece in pieces]
    return [UnitsLost(**matter.ids, units=units, covered=covered, contest_until=until)]


def expired(matter: Return, pieces: list[Piece]) -> list[ReturnEvent]:
    if not pieces:
        return []
    assert matter.ship_by
    units = [piece.unit for piece in pieces]
    return [ReturnExpired(**matter.ids, units=units, ship_by=matter.ship_by)]


RECORD_LOSS = ReturnRule(
    RecordLoss,
    record_loss,
    roles=("SYSTEM",),
    lapses=True,
    events=(
        UnitsLost,
        UnitsAccepted,
        AdvanceUnrecovered,
        ExchangeUnreturned,
        ReturnExpired,
        ReturnClosed,
    ),
    example=RecordLoss(units=("1/1",)),
)
