"""Events of disputes and inquiries in; which of them an order has by now out.

A unit is in one open dispute at a time, and an order has so many of them. That is a rule across
streams: it is decided under a lock of the order, and what it is decided on is written in the
transaction that records.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct
from shared_events.dispute import (
    DisputeClosed,
    DisputeOpened,
    InquiryClosed,
    InquiryOpened,
    RemedyOrdered,
)
from shared_events.envelope import Recorded
from shared_runtime.log import Database, Planned
from shared_runtime.rows import Rows, columns

from dispute_service.domain.execution import Execution, begun

type Standing = Literal["OPEN", "ENDED", "WITHDRAWN"]


class DisputeRow(Struct, frozen=True, kw_only=True):
    """OPEN until its remedy is ordered or it is closed: so long its units are in no other."""

    dispute_id: str
    order_id: str
    units: list[str]
    standing: Standing


class RemedyRow(Struct, frozen=True, kw_only=True):
    """A remedy that was ordered, and how far it is."""

    remedy_id: str
    dispute_id: str
    order_id: str
    execution: Execution


class InquiryRow(Struct, frozen=True, kw_only=True):
    inquiry_id: str
    order_id: str
    is_open: bool


REMEDIES = Rows(table="facts.remedy", key="remedy_id", row=RemedyRow)
ADD_DISPUTES = """
    INSERT INTO facts.dispute (dispute_id, order_id, units, standing)
    SELECT dispute_id, order_id, string_to_array(units, ','), 'OPEN'
    FROM unnest($1::text[], $2::text[], $3::text[]) AS opened (dispute_id, order_id, units)
    ON CONFLICT DO NOTHING
"""
END_DISPUTES = """
    UPDATE facts.dispute AS told SET standing = ended.standing
    FROM unnest($1::text[], $2::text[]) AS ended (dispute_id, standing)
    WHERE told.dispute_id = ended.dispute_id
"""
ADD_INQUIRIES = """
    INSERT INTO facts.inquiry (inquiry_id, order_id, is_open)
    SELECT inquiry_id, order_id, true FROM unnest($1::text[], $2::text[])
        AS opened (inquiry_id, order_id)
    ON CONFLICT DO NOTHING
"""
CLOSE_INQUIRIES = "UPDATE facts.inquiry SET is_open = false WHERE inquiry_id = ANY($1::text[])"


OF_MATTERS = (DisputeOpened, RemedyOrdered, DisputeClosed, InquiryOpened, InquiryClosed)


async def write_matters(told: Iterable[Planned | Recorded[Any]], db: Database | None) -> None:
    """Makes known what is opened and what ends: in the transaction that records it."""
    events = [each.event for each in told]
    if db is not None:
        await write_disputes(events, db)
        await write_inquiries(events, db)
        await REMEDIES.write([begun_row(each) for each in events_of(events, RemedyOrdered)], db)


async def write_disputes(events: Sequence[Struct], db: Database) -> None:
    opened = events_of(events, DisputeOpened)
    if opened:
        rows = [(each.dispute_id, each.order_id, units_in(each)) for each in opened]
        await db.execute(ADD_DISPUTES, *columns(rows, 3))
    ended = {each.dispute_id: standing_after(each) for each in endings(events)}
    if ended:
        await db.execute(END_DISPUTES, [*ended], [*ended.values()])


async def write_inquiries(events: Sequence[Struct], db: Database) -> None:
    if opened := events_of(events, InquiryOpened):
        rows = [(each.inquiry_id, each.order_id) for each in opened]
        await db.execute(ADD_INQUIRIES, *columns(rows, 2))
    if closed := events_of(events, InquiryClosed):
        await db.execute(CLOSE_INQUIRIES, [each.inquiry_id for each in closed])


def events_of[E: Struct](events: Iterable[Struct], kind: type[E]) -> list[E]:
    return [each for each in events if isinstance(each, kind)]


def endings(events: Iterable[Struct]) -> list[RemedyOrdered | DisputeClosed]:
    return [each for each in events if isinstance(each, RemedyOrdered | DisputeClosed)]


def standing_after(event: RemedyOrdered | DisputeClosed) -> Standing:
    withdrawn = isinstance(event, DisputeClosed) and event.how == "WITHDRAWN"
    return "WITHDRAWN" if withdrawn else "ENDED"


def units_in(event: DisputeOpened) -> str:
    return ",".join(line.units for line in event.lines)


def begun_row(event: RemedyOrdered) -> RemedyRow:
    return RemedyRow(
        remedy_id=event.remedy_id,
        dispute_id=event.dispute_id,
        order_id=event.order_id,
        execution=begun(event),
    )
