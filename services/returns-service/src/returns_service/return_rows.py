"""Events of returns in; which pieces each has by now, and what else others need to know of it, out.

A piece is in one return at a time. That is a rule across streams: it is decided under a lock of
the order, and what it is decided on is written in the transaction that records.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.returns import (
    Lane,
    RejectReason,
    ReturnKind,
    ReturnReason,
    UnitsRejected,
)
from shared_runtime.log import Log, Planned, database_of

from returns_service.domain.return_readers import folded
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import has_goods_to_send_back
from returns_service.domain.streams import is_return

NOT_WHAT_WAS_SENT: frozenset[RejectReason] = frozenset({"WRONG_ITEM", "SHORT", "NOT_OURS"})
"""Found in the parcel of somebody who was trusted with money before."""


class Held(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece that a return has; `until`: it lets it go then by itself."""

    unit: str
    until: datetime | None = None

    def is_held(self, at: datetime) -> bool:
        return self.until is None or at < self.until


class Kept(Struct, frozen=True, kw_only=True):
    """A piece that its buyer was paid for and has kept; `by`: the offer or the return."""

    unit: str
    by: str


class SentInstead(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece on its way to the buyer, or there, in the place of another."""

    old_unit: str
    new_unit: str
    sku: str
    delivered_at: datetime | None = None


class ReturnRow(Struct, frozen=True, kw_only=True):
    """One return, after `version` events. `confirm_by`: of a withdrawal that is only declared.
    `asked`: the pieces that its buyer has asked for; `unasked`: those that came without that.
    `to_send_back`: those that were rejected and contested, whose goods are still here: they are its
    own until these have gone, unless the dispute on them gave a remedy.
    `exposure_ref_minor`: what was given for goods that nobody has looked at yet;
    `advance_rejected_at`: when such goods were last found to be something else.
    """

    return_id: str
    order_id: str
    buyer_id: str
    version: int
    kind: ReturnKind
    lane: Lane | None
    reason: ReturnReason
    began_at: datetime
    confirm_by: datetime | None
    is_open: bool
    asked: list[str]
    held: list[Held]
    declined: list[str]
    kept: list[Kept]
    contested: list[str]
    unasked: list[str]
    to_send_back: list[str]
    sent: list[SentInstead]
    exposure_ref_minor: int
    advance_rejected_at: datetime | None


class Happened(Struct, frozen=True):
    """An event, and when it was."""

    event: Any
    time: datetime


def row_of(history: Sequence[Happened]) -> ReturnRow:
    state = folded([each.event for each in history])
    assert isinstance(state, Return)
    pieces = [*state.pieces.values()]
    by_buyer = state.requested is not None and state.origin == "BUYER"
    return ReturnRow(
        return_id=state.return_id,
        order_id=state.ids["order_id"],
        buyer_id=state.ids["buyer_id"],
        version=len(history),
        kind=state.requested.kind if state.requested else state.kind,
        lane=state.lane,
        reason=state.reason,
        began_at=history[0].time,
        confirm_by=state.declared.confirm_by
        if state.declared and state.status == "DRAFT"
        else None,
        is_open=state.closed is None,
        asked=[*state.pieces] if by_buyer else [],
        held=[held for piece in pieces if (held := held_by(state, piece))],
        declined=[piece.unit for piece in pieces if piece.left == "DECLINED"],
        kept=[kept for piece in pieces if (kept := kept_of(state, piece))],
        contested=[piece.unit for piece in pieces if piece.left == "CONTESTED"],
        unasked=[
            piece.unit
            for piece in pieces
            if piece.unasked and not (piece.sent_back or piece.waived)
        ],
        to_send_back=[
            piece.unit
            for piece in pieces
            if piece.left == "CONTESTED"
            and not piece.unasked
            and has_goods_to_send_back(state, piece)
        ],
        sent=[
            SentInstead(
                old_unit=piece.unit,
                new_unit=new.new_unit,
                sku=new.sku,
                delivered_at=new.delivered_at,
            )
            for piece in pieces
            if (new := piece.replacement) and new.shipped_at
        ],
        exposure_ref_minor=exposure_of(state),
        advance_rejected_at=advance_rejected_at(state, history),
    )


def held_by(matter: Return, piece: Piece) -> Held | None:
    """None for a piece that it has let go. Goods that were accepted never go, though what was
    deducted for them is contested.
    """
    is_let_go = piece.is_out and piece.contested_as != "DEDUCTION"
    if is_let_go or is_kept_claim(matter, piece):
        return None
    is_lost = piece.where == "LOST" and not piece.covered
    if piece.acceptance == "ACCEPTED" or not (piece.acceptance == "REJECTED" or is_lost):
        return Held(unit=piece.unit)
    until = None if has_goods_to_send_back(matter, piece) else piece.contest_until
    return Held(unit=piece.unit, until=until)


def kept_of(matter: Return, piece: Piece) -> Kept | None:
    if piece.left == "KEPT":
        return Kept(unit=piece.unit, by=matter.offers[-1].offer_id)
    return Kept(unit=piece.unit, by=matter.return_id) if is_kept_claim(matter, piece) else None


def is_kept_claim(matter: Return, piece: Piece) -> bool:
    """It was claimed, paid for and kept."""
    ends = matter.closed.units if matter.closed else ()
    return matter.kind == "CLAIM" and any(
        each.unit == piece.unit and each.result == "KEPT" for each in ends
    )


def exposure_of(matter: Return) -> int:
    """By number: the pieces of one return are asked for at one value."""
    out = [piece for piece in matter.live if is_advanced(matter, piece) and piece.is_pending]
    if matter.requested is None or not out:
        return 0
    return matter.requested.value_ref_minor * len(out) // len(matter.requested.units)


def advance_rejected_at(matter: Return, history: Iterable[Happened]) -> datetime | None:
    found = {
        piece.unit
        for piece in matter.pieces.values()
        if is_advanced(matter, piece) and piece.rejected in NOT_WHAT_WAS_SENT
    }
    times = [
        each.time
        for each in history
        if isinstance(each.event, UnitsRejected)
        and not found.isdisjoint(told.unit for told in each.event.units)
    ]
    return max(times, default=None)


def is_advanced(matter: Return, piece: Piece) -> bool:
    """Money or a replacement went out for it at the first scan."""
    return matter.lane == "FAST" and piece.handed_over


# --- The table

COLUMNS = ", ".join(ReturnRow.__struct_fields__)
REPLACED = ", ".join(f"{name} = excluded.{name}" for name in ReturnRow.__struct_fields__[1:])
WRITE = f"""
    INSERT INTO facts.goods_return AS told ({COLUMNS})
    SELECT {COLUMNS} FROM json_populate_recordset(NULL::facts.goods_return, $1)
    ON CONFLICT (return_id) DO UPDATE SET {REPLACED} WHERE told.version < excluded.version
"""  # noqa: S608 - names of the code's own struct


async def write_returns(planned: Iterable[Planned | Recorded[Any]], log: Log) -> None:
    """Makes known what returns have by what is planned: in the transaction that records it. Each
    row is of the whole stream; an older one never takes the place of a newer one.
    """
    new: dict[str, list[Planned | Recorded[Any]]] = {}
    for each in planned:
        if is_return(each.stream):
            new.setdefault(each.stream, []).append(each)
    db = database_of(log)
    if not new or db is None:
        return
    histories: Mapping[str, Sequence[Recorded[Any]]] = await log.read([*new])
    rows = [row_of(happened(histories.get(stream, ()), told)) for stream, told in new.items()]
    await db.execute(WRITE, msgspec.json.encode(rows).decode())


def happened(
    history: Sequence[Recorded[Any]], planned: Sequence[Planned | Recorded[Any]]
) -> list[Happened]:
    """What somebody else has recorded meanwhile is not part of it: then this is not recorded."""
    before = [Happened(each.event, each.time) for each in history[: planned[0].version - 1]]
    return [*before, *(Happened(each.event, each.time) for each in planned)]
