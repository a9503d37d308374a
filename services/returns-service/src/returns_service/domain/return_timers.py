"""How a return stands in, its deadlines out.

A timer only sends its command: it may fire late, twice, or after its cause has gone.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal, NamedTuple

from returns_service.domain.known import ContestEnd
from returns_service.domain.policy import Policies, ReturnsPolicy
from returns_service.domain.return_overdue import owes_label
from returns_service.domain.return_state import (
    SENT_BACK,
    Piece,
    Return,
    ReturnState,
    Unbegun,
)

type Name = Literal[
    "DRAFT_END",
    "RETURN_ANSWER",
    "OFFER_DUE",
    "LABEL_DUE",
    "SHIP_BY",
    "TRANSIT_MAX",
    "INSPECT_DUE",
    "WITHDRAWAL_REFUND",
    "STOCK_ANSWER",
    "DIFFERENCE_DUE",
    "REPLACEMENT_DUE",
    "REPLACEMENT_ARRIVED",
    "ORIGINAL_DUE",
    "CONTEST_END",
    "SEND_BACK",
]
type Contests = Mapping[str, ContestEnd]


class Deadline(NamedTuple):
    """An instant at which something is asked for by itself; `units`: of these pieces."""

    name: Name
    due: datetime
    units: tuple[str, ...] = ()


def return_deadlines(state: ReturnState, policies: Policies, contests: Contests) -> list[Deadline]:
    """All that are set; `contests`: what became of its pieces that were contested."""
    if isinstance(state, Unbegun):
        return []
    policy = policies.of(state.ids["policy_version"])
    return [
        *of_deciding(state),
        *of_sending(state, policy),
        *of_receiving(state),
        *of_replacing(state, policy),
        *of_ending(state),
        *of_sending_back(state, policy, contests),
    ]


def of_deciding(matter: Return) -> Iterator[Deadline]:
    if matter.status == "DRAFT" and matter.declared:
        yield Deadline("DRAFT_END", matter.declared.confirm_by)
    if matter.review:
        yield Deadline("RETURN_ANSWER", matter.review.answer_due)
    if matter.offer:
        yield Deadline("OFFER_DUE", matter.offer.answer_due)


# --- The way of the goods


def of_sending(matter: Return, policy: ReturnsPolicy) -> Iterator[Deadline]:
    if due := label_due(matter):
        yield Deadline("LABEL_DUE", due)
    if (due := expires_at(matter, policy)) and to_send(matter):
        yield Deadline("SHIP_BY", due, tuple(piece.unit for piece in to_send(matter)))


def to_send(matter: Return) -> list[Piece]:
    """The pieces that the buyer may still send."""
    if matter.closed or not matter.goods_back:
        return []
    return [
        piece
        for piece in matter.live
        if piece.authorized and piece.is_pending and piece.where == "AWAITING"
    ]


def label_due(matter: Return) -> datetime | None:
    """By when a label is owed that nobody has told of yet."""
    due = matter.label_due
    if due is None or not owes_label(matter):
        return None
    return None if ("LABEL", matter.return_id, due) in matter.overdue else due


def expires_at(matter: Return, policy: ReturnsPolicy) -> datetime | None:
    """Until when the buyer may send: a withdrawal's goods a good while later than they should."""
    if matter.ship_by is None:
        return None
    late = policy.return_late_ship if matter.lane == "STATUTORY" else timedelta()
    return matter.ship_by + late


def of_receiving(matter: Return) -> Iterator[Deadline]:
    yield from each_due(
        matter,
        "TRANSIT_MAX",
        lambda piece: (
            piece.lost_at
            if piece.is_pending and piece.where == "IN_TRANSIT" and not piece.delivered_back
            else None
        ),
    )
    yield from each_due(
        matter,
        "INSPECT_DUE",
        lambda piece: piece.inspect_by if piece.is_pending and piece.is_back else None,
    )
    if matter.confirmed and (units := refund_without_goods(matter)):
        yield Deadline("WITHDRAWAL_REFUND", matter.confirmed.refund_due, units)


def refund_without_goods(matter: Return) -> tuple[str, ...]:
    """Pieces of a withdrawal that are paid at `refund_due`, though nobody has looked at them: they
    are on their way back, or never went out.
    """
    return tuple(
        piece.unit
        for piece in matter.live
        if piece.is_pending
        and piece.where not in ("WRONG_ITEM", "SHORT", "LOST")
        and (piece.is_scanned or piece.proof or piece.where == "RECEIVED" or not matter.goods_back)
    )


# --- What comes in their place


def of_replacing(matter: Return, policy: ReturnsPolicy) -> Iterator[Deadline]:
    yield from each_due(
        matter,
        "STOCK_ANSWER",
        lambda piece: piece.stock_due if reserves_for(matter, piece) else None,
    )
    yield from each_due(matter, "DIFFERENCE_DUE", pays_by)
    yield from each_due(matter, "REPLACEMENT_DUE", ships_by)
    yield from each_due(matter, "REPLACEMENT_ARRIVED", lambda piece: arrives_by(piece, policy))
    yield from each_due(matter, "ORIGINAL_DUE", original_due)


def reserves_for(matter: Return, piece: Piece) -> bool:
    """Whether another one is to be reserved: once this one is accepted, in the fast lane once the
    carrier has it, at once where it stays with the buyer.
    """
    if piece.left or piece.replacement or not matter.wants_replacement(piece):
        return False
    under_way = piece.is_pending and piece.where != "LOST"
    ahead = matter.lane == "FAST" and piece.handed_over and under_way
    return piece.acceptance == "ACCEPTED" or ahead or (piece.stays and piece.authorized)


def pays_by(piece: Piece) -> datetime | None:
    """Also of a piece that was rejected, or contested since: there is none for it then either."""
    new = piece.replacement
    return new.pay_by if new and new.owes else None


def ships_by(piece: Piece) -> datetime | None:
    new = piece.replacement
    return new.ship_by if new and new.shipped_at is None else None


def arrives_by(piece: Piece, policy: ReturnsPolicy) -> datetime | None:
    """When a replacement counts as delivered though nobody has told of it."""
    new = piece.replacement
    if new is None or new.shipped_at is None or new.delivered_at:
        return None
    return new.shipped_at + policy.return_transit_max


def original_due(piece: Piece) -> datetime | None:
    """None while the carrier has it: its loss decides."""
    new = piece.replacement
    if new is None or not piece.is_pending or piece.is_back or piece.unreturned:
        return None
    under_way = piece.is_scanned and piece.where == "IN_TRANSIT"
    return None if under_way else new.original_due


# --- The end


def of_ending(matter: Return) -> Iterator[Deadline]:
    if not matter.closed:
        yield from each_due(
            matter,
            "CONTEST_END",
            lambda piece: piece.contest_until if piece.left in (None, "DECLINED") else None,
        )


def of_sending_back(
    matter: Return, policy: ReturnsPolicy, contests: Contests
) -> Iterator[Deadline]:
    def due(piece: Piece) -> datetime | None:
        until = send_back_until(matter, piece, policy, contests)
        told = until and ("SEND_BACK", matter.return_id, until) in matter.overdue
        return None if told else until

    yield from each_due(matter, "SEND_BACK", due)


def send_back_until(
    matter: Return, piece: Piece, policy: ReturnsPolicy, contests: Contests
) -> datetime | None:
    """Until when goods are to be sent back that nobody wanted, or that nobody asked for; None where
    there are none, or not yet.
    """
    if not has_goods_to_send_back(matter, piece):
        return None
    if piece.left != "CONTESTED":
        return piece.send_back_until
    end = contests.get(piece.unit)
    if end is None or end.remedied:
        return None
    return end.closed_at + policy.return_send_back


def has_goods_to_send_back(matter: Return, piece: Piece) -> bool:
    """Of what was rejected or came unasked; not of what was paid for in advance."""
    if piece.sent_back or piece.waived:
        return False
    if piece.unasked:
        return piece.where != "SHORT"
    paid = matter.is_advanced(piece) or piece.is_cross_shipped
    return piece.acceptance == "REJECTED" and piece.rejected in SENT_BACK and not paid


def each_due(
    matter: Return, name: Name, due_of: Callable[[Piece], datetime | None]
) -> Iterator[Deadline]:
    """One for each instant, with its pieces."""
    dues = [(due, piece.unit) for piece in matter.pieces.values() if (due := due_of(piece))]
    for due, group in groupby(sorted(dues), key=lambda each: each[0]):
        yield Deadline(name, due, tuple(unit for _, unit in group))
