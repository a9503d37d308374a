"""Pieces of an order that are complained about in, those that may be disputed by now out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_casework.values import refuse
from shared_events.dispute import DisputedUnits, DisputeReason
from shared_runtime.decider import (
    AlreadySubmitted,
    LimitReached,
    NotYetEligible,
    QuantityExceeded,
    Refused,
    WindowClosed,
)
from shared_runtime.rule import Window

from dispute_service.domain.dispute_state import units_in
from dispute_service.domain.known import Sender, UnitFacts
from dispute_service.domain.policy import DisputePolicy

TOO_EARLY_OR_LATE, TOO_MANY, ENDED, TAKEN = range(4)
"""Why a piece is passed over, in the order in which that is told."""


class PassedOver(Struct, frozen=True):
    rank: int
    why: Refused


class Named(Protocol):
    """So many pieces of a line, by their names or by their number."""

    @property
    def line_id(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def units(self) -> tuple[str, ...] | None: ...


def disputable(
    order: OrderFacts, reason: DisputeReason, lines: Iterable[Named], by: Sender
) -> list[DisputedUnits]:
    """The pieces that are named, or the lowest that may be disputed; by line. If too few may: the
    first of the reasons that holds for one that was passed over.
    """
    of_line = pieces_of(order, by)
    found: list[DisputedUnits] = []
    passed: list[PassedOver] = []
    for line in sorted(lines, key=lambda line: line.line_id):
        free: list[str] = []
        over: list[PassedOver] = []
        for piece in asked_for(line, of_line):
            if (why := reason_against(piece, order, reason, by)) is None:
                free.append(piece.unit)
            else:
                over.append(why)
        if len(free) < line.quantity:
            short = QuantityExceeded(line_id=line.line_id, free=len(free))
            told = [each for each in over if each.rank != TAKEN]
            passed += told or [PassedOver(TAKEN, short)]
        else:
            found.append(units_in(free[: line.quantity]))
    if passed:
        raise min(passed, key=lambda each: each.rank).why
    return found


def pieces_of(order: OrderFacts, by: Sender) -> dict[str, list[UnitFacts]]:
    of_line: dict[str, list[UnitFacts]] = {line.line_id: [] for line in order.lines}
    for piece in by.known.units:
        of_line[piece.line_id].append(piece)
    return of_line


def asked_for(line: Named, of_line: Mapping[str, Sequence[UnitFacts]]) -> Sequence[UnitFacts]:
    """Raises `InvalidValue` where the order has no such line or piece."""
    if (pieces := of_line.get(line.line_id)) is None:
        raise refuse("lines", "lines of the order")
    if line.units is None:
        return pieces
    named = [piece for piece in pieces if piece.unit in line.units]
    if len(named) < len(line.units):
        raise refuse("lines", "pieces that the order has")
    return named


def reason_against(
    piece: UnitFacts, order: OrderFacts, reason: DisputeReason, by: Sender
) -> PassedOver | None:
    policy = by.known.policies.in_force(by.now)
    if piece.is_replacement:
        window = replacement_window(piece, reason, policy)
    else:
        window = window_of(order, reason, policy)
    if why := outside(window, by.now):
        return PassedOver(TOO_EARLY_OR_LATE, why)
    if (limit := limit_of(piece, policy, by)) is not None:
        return PassedOver(TOO_MANY, LimitReached(limit=limit))
    if piece.ended_by:
        return PassedOver(ENDED, AlreadySubmitted(existing_id=piece.ended_by))
    if is_taken(piece, by):
        return PassedOver(TAKEN, QuantityExceeded(line_id=piece.line_id, free=0))
    return None


def outside(window: Window | None, now: datetime) -> Refused | None:
    if window is None:
        return NotYetEligible()
    earliest, latest = window
    if earliest and now < earliest:
        return NotYetEligible(eligible_from=earliest)
    return WindowClosed(closed_at=latest) if latest and now >= latest else None


def window_of(order: OrderFacts, reason: DisputeReason, policy: DisputePolicy) -> Window | None:
    """From when till when a piece of the order may be disputed; None waits for somebody's act."""
    if order.paid_at is None:
        return None
    closes = order.completed_at + policy.dispute_open_window if order.completed_at else None
    if reason != "NOT_RECEIVED":
        return Window(order.received_at, closes) if order.received_at else None
    promised = order.deliver_by
    if promised is None:
        promised = (order.shipped_at or order.paid_at) + policy.dispute_not_received_after
    return Window(promised, closes or promised + policy.dispute_not_received_until)


def replacement_window(
    piece: UnitFacts, reason: DisputeReason, policy: DisputePolicy
) -> Window | None:
    arrived = piece.delivered_at
    closes = arrived + policy.dispute_open_window if arrived else None
    if reason != "NOT_RECEIVED":
        return Window(arrived, closes) if arrived else None
    if piece.shipped_at is None:
        return None
    return Window(piece.shipped_at + policy.dispute_not_received_after, closes)


def limit_of(piece: UnitFacts, policy: DisputePolicy, by: Sender) -> int | None:
    """The limit that is used up, if one is: of the order, or of the piece."""
    if by.known.open_disputes >= policy.dispute_max_open:
        return policy.dispute_max_open
    # A limit of 0 allows the first complaint all the same: it is about those after it.
    withdrawn = by.known.withdrawn_disputes
    if withdrawn and withdrawn >= policy.dispute_withdrawn_order_max:
        return policy.dispute_withdrawn_order_max
    if piece.withdrawn and piece.withdrawn >= policy.dispute_withdrawn_max:
        return policy.dispute_withdrawn_max
    return None


def is_taken(piece: UnitFacts, by: Sender) -> bool:
    """Something open has it, or there is no money left in it."""
    ledger = by.known.ledger
    assert ledger
    return bool(piece.in_dispute or piece.in_return or ledger.units.get(piece.unit, 0) == 0)
