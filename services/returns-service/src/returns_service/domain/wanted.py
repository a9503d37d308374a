"""What somebody wants to send back in, the pieces that a return may take of it out."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_casework.values import refuse
from shared_events.fields import Id, Quantity
from shared_runtime.decider import (
    AlreadySubmitted,
    LimitReached,
    NotYetEligible,
    QuantityExceeded,
    Refused,
    WindowClosed,
)

from returns_service.domain.known import DeclinedRequest, Known, PieceFacts
from returns_service.domain.policy import ReturnsPolicy

OUT_OF_TIME, ASKED_TOO_OFTEN, PAID_AND_KEPT, TAKEN = range(4)
"""Why a piece is passed over, in the order in which that is told."""
ASKED_AGAIN_MAX = 1
"""How often a piece may be asked for again, once that was declined; then it is to be contested."""


class WantedLine(Struct, frozen=True, kw_only=True):
    """So many pieces of a line: the lowest that may be taken."""

    line_id: Id
    quantity: Quantity


class PassedOver(Struct, frozen=True):
    rank: int
    why: Refused


type Against = Callable[[PieceFacts], PassedOver | None]
"""Why a piece may not be taken."""


def each_line_once(lines: tuple[WantedLine, ...]) -> bool:
    return len({line.line_id for line in lines}) == len(lines)


def require_lines(order: OrderFacts, lines: Iterable[WantedLine]) -> None:
    known = {line.line_id for line in order.lines}
    if any(line.line_id not in known for line in lines):
        raise refuse("lines", "lines of the order")


def categories_of(order: OrderFacts, lines: Iterable[WantedLine]) -> dict[str, str]:
    wanted = {line.line_id for line in lines}
    return {line.line_id: line.category for line in order.lines if line.line_id in wanted}


def taken_of(known: Known, lines: Iterable[WantedLine], against: Against) -> list[str]:
    """The lowest pieces of each line that nothing speaks against, in the order of the lines. If
    there are too few, raises the first of the reasons that holds for one that was passed over.
    """
    found: list[str] = []
    passed: list[PassedOver] = []
    for line in sorted(lines, key=lambda line: line.line_id):
        free: list[str] = []
        over: list[PassedOver] = []
        for piece in (each for each in known.pieces if each.line_id == line.line_id):
            if why := against(piece):
                over.append(why)
            else:
                free.append(piece.unit)
        found += free[: line.quantity]
        if len(free) < line.quantity:
            short = QuantityExceeded(line_id=line.line_id, free=len(free))
            passed += [each for each in over if each.rank != TAKEN] or [PassedOver(TAKEN, short)]
    if passed:
        raise min(passed, key=lambda each: each.rank).why
    return found


# --- What speaks against a piece


def against_asking(
    known: Known, order: OrderFacts, policy: ReturnsPolicy, asked: DeclinedRequest, now: datetime
) -> Against:
    """Of a request: its window, what was asked for it before, and whoever has it."""
    categories = {line.line_id: line.category for line in order.lines}

    def against(piece: PieceFacts) -> PassedOver | None:
        window = policy.window_of(categories[piece.line_id], order.country)
        if why := outside(arrived_at(piece, order), now, window):
            return PassedOver(OUT_OF_TIME, why)
        if is_asked_too_often(piece, asked):
            return PassedOver(ASKED_TOO_OFTEN, LimitReached(limit=ASKED_AGAIN_MAX))
        if piece.kept_by:
            return PassedOver(PAID_AND_KEPT, AlreadySubmitted(existing_id=piece.kept_by))
        if not is_free(piece, known):
            return PassedOver(TAKEN, QuantityExceeded(line_id=piece.line_id, free=0))
        return None

    return against


def against_withdrawing(order: OrderFacts, policy: ReturnsPolicy, declared_at: datetime) -> Against:
    """Of a withdrawal: its window and another return that has it, nothing else."""
    window = policy.return_withdrawal
    if not order.withdrawal_informed:
        window += policy.return_withdrawal_uninformed

    def against(piece: PieceFacts) -> PassedOver | None:
        arrived = arrived_at(piece, order)
        if arrived and arrived + window <= declared_at:
            return PassedOver(OUT_OF_TIME, WindowClosed(closed_at=arrived + window))
        if piece.in_return:
            return PassedOver(TAKEN, QuantityExceeded(line_id=piece.line_id, free=0))
        return None

    return against


def arrived_at(piece: PieceFacts, order: OrderFacts) -> datetime | None:
    """A replacement has a window of its own."""
    return piece.delivered_at if piece.is_replacement else order.received_at


def outside(arrived: datetime | None, now: datetime, window: timedelta) -> Refused | None:
    if arrived is None:
        return NotYetEligible()
    closes = arrived + window
    return WindowClosed(closed_at=closes) if closes <= now else None


def is_asked_too_often(piece: PieceFacts, asked: DeclinedRequest) -> bool:
    return piece.declined is not None and (piece.asked_again or piece.declined == asked)


def is_free(piece: PieceFacts, known: Known) -> bool:
    """Nothing open has it, and something is left of it if anything was paid."""
    if piece.in_return or piece.in_dispute or piece.in_contest:
        return False
    return piece.paid_minor == 0 or known.left_of([piece.unit]) > 0
