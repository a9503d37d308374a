"""A return in, its end out, once nothing more is to come of any of its pieces."""

from collections.abc import Iterable
from functools import reduce

from shared_casework.values import utc
from shared_events.returns import ClosedUnit, Resolution, ReturnClosed, ReturnEvent, UnitResult

from returns_service.domain.known import Sender
from returns_service.domain.return_fold import evolve
from returns_service.domain.return_state import (
    SENT_BACK_OR_PAID,
    Piece,
    Return,
    ReturnState,
)


def closed_by(matter: Return, events: Iterable[ReturnEvent], by: Sender) -> list[ReturnClosed]:
    """The end that these events bring, if they bring it."""
    start: ReturnState = matter
    after = reduce(evolve, events, start)
    assert isinstance(after, Return)
    return closing(after, by)


def closing(matter: Return, by: Sender) -> list[ReturnClosed]:
    """Once. What comes later of its pieces is told by its own events."""
    done = [
        ClosedUnit(unit=unit, result=result)
        for unit, piece in matter.pieces.items()
        if (result := result_of(matter, piece, by))
    ]
    is_draft = not matter.pieces and not matter.cancelled
    if matter.closed or matter.review or is_draft or len(done) < len(matter.pieces):
        return []
    return [
        ReturnClosed(
            **matter.ids,
            kind=matter.kind,
            lane=matter.lane,
            remedy_id=matter.remedy_id,
            reason=matter.reason,
            resolution=resolution_of(each.result for each in done),
            units=done,
            currency=currency_of(matter, by),
            refunded_minor=by.known.refunds.total_minor,
            seller_at_fault=matter.seller_at_fault,
            decision_seconds=matter.decision_seconds,
            handling_seconds=matter.handling_seconds,
            timely=not matter.late,
            forced=matter.forced,
            closed_at=utc(by.now),
        )
    ]


def resolution_of(results: Iterable[UnitResult]) -> Resolution:
    """The one that all share; of a withdrawal that was never confirmed there is no piece."""
    told = frozenset(results)
    if not told:
        return "CANCELLED"
    first, *others = told
    return "MIXED" if others else first


def currency_of(matter: Return, by: Sender) -> str:
    if matter.requested:
        return matter.requested.currency
    assert by.known.order
    return by.known.order.currency


# --- When a piece is terminal


def result_of(matter: Return, piece: Piece, by: Sender) -> UnitResult | None:
    """What became of a piece; None while something is still to come of it."""
    if piece.left:
        return result_of_left(piece, by)
    if piece.where == "EXPIRED":
        return "EXPIRED"
    if piece.is_pending and not piece.authorized:
        return None
    if piece.stays:
        return result_of_claim(matter, piece, by)
    return (
        result_of_exchange(piece, by) if piece.replacement else result_of_goods(matter, piece, by)
    )


def result_of_left(piece: Piece, by: Sender) -> UnitResult | None:
    match piece.left:
        case "CANCELLED":
            return "CANCELLED"
        case "DECLINED":
            return "DECLINED" if is_past(piece, by) else None
        case "KEPT":
            return "KEPT" if is_answered(piece, by) else None
        case _:
            owed = piece.contested_as == "DEDUCTION" and not is_answered(piece, by)
            return None if owed else "CONTESTED"


def result_of_claim(matter: Return, piece: Piece, by: Sender) -> UnitResult | None:
    if piece.replacement or matter.wants_replacement(piece):
        delivered = piece.replacement and piece.replacement.delivered_at
        return "REPLACED" if delivered else None
    return "KEPT" if is_answered(piece, by) else None


def result_of_exchange(piece: Piece, by: Sender) -> UnitResult | None:
    """Both have to be where they belong, or the original given up."""
    assert piece.replacement
    if piece.replacement.delivered_at is None:
        return None
    accepted = piece.acceptance == "ACCEPTED" and is_past(piece, by)
    rejected = piece.acceptance == "REJECTED" and is_past(piece, by)
    return "EXCHANGED" if accepted or rejected or piece.unreturned else None


def result_of_goods(matter: Return, piece: Piece, by: Sender) -> UnitResult | None:
    is_lost = piece.where == "LOST"
    if not is_past(piece, by) or (piece.acceptance == "PENDING" and not is_lost):
        return None
    if piece.acceptance == "ACCEPTED":
        refunded = is_answered(piece, by) and not matter.wants_replacement(piece)
        return "REFUNDED" if refunded else None
    if matter.is_advanced(piece):
        waits = not is_answered(piece, by)
    else:
        waits = piece.rejected in SENT_BACK_OR_PAID and not (piece.sent_back or piece.waived)
    if waits:
        return None
    return "LOST" if is_lost else "REJECTED"


def is_past(piece: Piece, by: Sender) -> bool:
    """Whether what was done with it can't be contested any more."""
    return piece.contest_until is None or piece.contest_until <= by.now


def is_answered(piece: Piece, by: Sender) -> bool:
    """Whether the ledger owes nothing more on it."""
    return piece.unit in by.known.refunds.answered
