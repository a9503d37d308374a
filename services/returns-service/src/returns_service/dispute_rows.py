"""What disputes tell in, a row of each out: which pieces are in one, and what becomes of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events.dispute import (
    AdjudicatorAssigned,
    DisputeClosed,
    DisputeDecided,
    DisputedUnits,
    DisputeOpened,
    RemedyOrdered,
)
from shared_runtime.rows import Rows


class DisputeRow(Struct, frozen=True, kw_only=True):
    """`units` are in it until a remedy is ordered or it is closed (`is_open`). `return_id`: of a
    contest; `remedied`: the pieces that its remedy is for; `kept`: those of which a part of the
    money is given back, and which their buyer keeps. `adjudicator_id`: who has it now.
    """

    dispute_id: str
    order_id: str
    units: list[str]
    is_open: bool = True
    return_id: str | None = None
    remedied: list[str] = []
    kept: list[str] = []
    closed_at: datetime | None = None
    adjudicator_id: str | None = None


type DisputeTold = (
    DisputeOpened | AdjudicatorAssigned | DisputeDecided | RemedyOrdered | DisputeClosed
)
DISPUTE_EVENTS: tuple[type[Struct], ...] = get_args(DisputeTold.__value__)
DISPUTES = Rows(table="facts.dispute", key="dispute_id", row=DisputeRow)


def units_in(lines: Iterable[DisputedUnits]) -> list[str]:
    return [unit for line in lines for unit in line.units.split(",")]


def dispute_row(row: DisputeRow | None, event: DisputeTold) -> DisputeRow | None:
    match event:
        case DisputeOpened():
            return DisputeRow(
                dispute_id=event.dispute_id,
                order_id=event.order_id,
                units=units_in(event.lines),
                return_id=event.return_id,
            )
        case AdjudicatorAssigned(adjudicator_id=adjudicator_id):
            return row and replace(row, adjudicator_id=adjudicator_id)
        case DisputeDecided():
            # An appeal is another one's, who is assigned to it.
            return row and replace(row, adjudicator_id=None)
        case RemedyOrdered(lines=lines, outcome=outcome):
            units = units_in(lines)
            kept = units if outcome == "REFUND_PARTIAL" else []
            told = row and replace(row, is_open=False, remedied=units, kept=kept)
            return told and replace(told, adjudicator_id=None)
        case DisputeClosed(closed_at=closed_at):
            return row and replace(row, is_open=False, closed_at=closed_at, adjudicator_id=None)
