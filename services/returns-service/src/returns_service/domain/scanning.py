"""What the carrier's scanner tells in, the way of the goods out. Scans come in any order, late and
twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import Id, Instant
from shared_events.returns import (
    OfferDeclined,
    ReturnClosed,
    ReturnEvent,
    ReturnScanned,
    UnitsAccepted,
    UnitsRevived,
)

from returns_service.domain.goods_matter import Units
from returns_service.domain.known import Sender
from returns_service.domain.return_matter import ReturnRule, lapsed_offer, named_pieces
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import expires_at
from returns_service.domain.verdicts import accepted_unseen


class RecordScan(Struct, frozen=True, kw_only=True):
    """HANDED_OVER: the carrier has them; DELIVERED_BACK: whoever looks at them could have them."""

    kind: Literal["HANDED_OVER", "DELIVERED_BACK"]
    units: Units
    scanned_at: Instant
    tracking_id: Id | None = None


def record_scan(matter: Return, said: RecordScan, by: Sender) -> list[ReturnEvent]:
    """Pieces that had expired are revived by a scan from before. What was given up otherwise, and
    is delivered back, is looked at as ever, if no other return has it; of what is paid already its
    way is only noted. A withdrawal is paid at the first scan after `refund_due`.
    """
    named = [p for p in named_pieces(matter, said.units) if p.authorized and not p.stays]
    news = [p for p in named if p.left is None and is_news(matter, p, said, by)]
    pending = [piece for piece in news if piece.is_pending]
    noted = [piece for piece in news if not piece.is_pending]
    revived = [p.unit for p in pending if p.where == "EXPIRED" and in_time(matter, said, by)]
    events: list[ReturnEvent] = lapsed_offer(matter) if news else []
    if revived:
        events.append(UnitsRevived(**matter.ids, units=revived))
    if pending:
        events.append(scan_of(matter, said, pending, by))
    if noted:
        events.append(note_of(matter, said, noted))
    if matter.confirmed and by.now >= matter.confirmed.refund_due:
        events += accepted_unseen(matter, pending, by)
    return events


def is_news(matter: Return, piece: Piece, said: RecordScan, by: Sender) -> bool:
    if piece.is_in or piece.delivered_back:
        return False
    given_up = piece.where in ("EXPIRED", "LOST") and piece.is_pending
    if given_up and not by.known.is_free(piece.unit, matter.return_id):
        return False
    if said.kind == "DELIVERED_BACK":
        return True
    if not piece.is_pending or piece.handed_over or piece.where == "LOST":
        return False
    return piece.where == "IN_TRANSIT" or in_time(matter, said, by)


def in_time(matter: Return, said: RecordScan, by: Sender) -> bool:
    """Whether the goods were on their way before they could expire."""
    due = expires_at(matter, matter.policy(by))
    return due is None or said.scanned_at < due


def scan_of(matter: Return, said: RecordScan, pieces: Sequence[Piece], by: Sender) -> ReturnScanned:
    """In the fast lane the stock is asked for a replacement at once."""
    policy, now = matter.policy(by), utc(by.now)
    units = [piece.unit for piece in pieces]
    if said.kind == "DELIVERED_BACK":
        return scanned(matter, said, units, inspect_by=now + policy.return_receive)
    swaps = matter.lane == "FAST" and any(matter.wants_replacement(piece) for piece in pieces)
    return scanned(
        matter,
        said,
        units,
        lost_at=max(now, utc(said.scanned_at) + policy.return_transit_max),
        stock_due=now + policy.return_stock_answer if swaps else None,
    )


def note_of(matter: Return, said: RecordScan, pieces: Sequence[Piece]) -> ReturnScanned:
    return scanned(matter, said, [piece.unit for piece in pieces])


def scanned(
    matter: Return, said: RecordScan, units: list[str], **dues: datetime | None
) -> ReturnScanned:
    return ReturnScanned(
        **matter.ids,
        kind=said.kind,
        units=units,
        tracking_id=said.tracking_id,
        scanned_at=utc(said.scanned_at),
        lost_at=dues.get("lost_at"),
        inspect_by=dues.get("inspect_by"),
        stock_due=dues.get("stock_due"),
    )


RECORD_SCAN = ReturnRule(
    RecordScan,
    record_scan,
    roles=("SYSTEM",),
    lapses=True,
    events=(OfferDeclined, UnitsRevived, ReturnScanned, UnitsAccepted, ReturnClosed),
    example=RecordScan(
        kind="HANDED_OVER",
        units=("1/1",),
        scanned_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        tracking_id="T-1",
    ),
)
