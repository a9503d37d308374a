"""Originals that never came though another one was sent in their place in, what they were worth
out: noted, and never charged by itself.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from shared_events.returns import ExchangeUnreturned, ReturnClosed, ReturnEvent

from returns_service.domain.closing import currency_of
from returns_service.domain.goods_matter import all_fitting, some_fit
from returns_service.domain.known import Sender
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import original_due


class MarkUnreturned(Struct, frozen=True):
    """The time to send the originals is over."""


def is_not_returned(_: Return, piece: Piece, by: Sender) -> bool:
    """an original that should be in by now, unless the carrier has it"""
    due = original_due(piece)
    return due is not None and due <= by.now


def not_returned(lost: Piece, now: datetime) -> bool:
    """Of a piece that is lost: whether it should have been in by now."""
    new = lost.replacement
    due = new.original_due if new and not lost.unreturned else None
    return due is not None and due <= now


def mark_unreturned(matter: Return, _: MarkUnreturned, by: Sender) -> list[ReturnEvent]:
    return unreturned(matter, all_fitting(matter, is_not_returned, by), by)


def unreturned(matter: Return, pieces: Sequence[Piece], by: Sender) -> list[ReturnEvent]:
    if not pieces:
        return []
    facts = [by.known.piece(piece.unit) for piece in pieces]
    return [
        ExchangeUnreturned(
            **matter.ids,
            units=[piece.unit for piece in pieces],
            currency=currency_of(matter, by),
            amount_minor=sum(each.paid_minor for each in facts if each),
        )
    ]


MARK_UNRETURNED = ReturnRule(
    MarkUnreturned,
    mark_unreturned,
    roles=("SYSTEM",),
    stands=some_fit(is_not_returned),
    lapses=True,
    events=(ExchangeUnreturned, ReturnClosed),
    example=MarkUnreturned(),
)
