"""What the other services tell of orders, disputes, returns and refunds in, rows of it out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderPlaced, OrderReopened
from shared_events.returns import (
    RefundBounced,
    RefundIssued,
    RefundRequested,
    ReturnClosed,
    ReturnRequested,
    WithdrawalDeclared,
)
from shared_runtime.delivery import Connection
from shared_runtime.rows import Rows, columns, of_kind

from reputation_service.domain.automatic import Hint

ORDER_EVENTS: tuple[type[Struct], ...] = (OrderPlaced, OrderCompleted, OrderReopened)
OPENING: tuple[type[Struct], ...] = (
    DisputeOpened,
    ReturnRequested,
    WithdrawalDeclared,
    RefundRequested,
    RefundBounced,
)
CLOSING: tuple[type[Struct], ...] = (DisputeClosed, ReturnClosed, RefundIssued)
ADD_MATTERS = """
    INSERT INTO facts.open_matter (matter, matter_id, seller_id, buyer_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
"""
END_MATTERS = "DELETE FROM facts.open_matter WHERE matter = ANY($1::text[])"
ADD_LOST = """
    INSERT INTO facts.lost_claim (dispute_id, buyer_id, closed_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) ON CONFLICT DO NOTHING
"""
ADD_HINTS = """
    INSERT INTO facts.hint
        (hint_id, account_kind, account_id, rule, cause_key, event_id, noticed_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                         $7::timestamptz[])
    ON CONFLICT DO NOTHING
"""


class Sold(Struct, frozen=True, kw_only=True):
    """An order, as far as it counts for the conduct of its seller and the claims of its buyer."""

    order_id: str
    seller_id: str
    buyer_id: str
    placed_at: datetime
    completed_at: datetime | None = None


type OfOrder = OrderPlaced | OrderCompleted | OrderReopened
SOLD = Rows(table="facts.sold", key="order_id", row=Sold)


def sold(row: Sold | None, event: OfOrder) -> Sold | None:
    match event:
        case OrderPlaced():
            return row or Sold(
                order_id=event.order_id,
                seller_id=event.seller_id,
                buyer_id=event.buyer_id,
                placed_at=event.placed_at,
            )
        case OrderCompleted(completed_at=at):
            return row and replace(row, completed_at=at)
        case OrderReopened():
            return row and replace(row, completed_at=None)


async def write_orders(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    await SOLD.fold(batch, db, key_of=lambda event: event.order_id, evolve=sold)


class OpenMatterRow(NamedTuple):
    """Something that is open, of two people. `matter` tells it from others of its id."""

    matter: str
    matter_id: str
    seller_id: str
    buyer_id: str


async def write_open(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """What is open and what is not any more, by what was said of each last."""
    said: dict[str, OpenMatterRow | None] = {}
    for recorded in batch:
        event = recorded.event
        if isinstance(event, RefundRequested) and event.reissues is not None:
            said[f"refund:{event.order_id}:{event.reissues}"] = None
        if isinstance(event, OPENING):
            matter = matter_of(event)
            said[matter.matter] = matter
        elif isinstance(event, CLOSING):
            said[matter_of(event).matter] = None
    if ended := [matter for matter, told in said.items() if told is None]:
        await db.execute(END_MATTERS, ended)
    if opened := [told for told in said.values() if told is not None]:
        await db.execute(ADD_MATTERS, *columns(opened, 4))


def matter_of(event: Any) -> OpenMatterRow:  # noqa: ANN401 - of OPENING or CLOSING
    match event:
        case DisputeOpened(dispute_id=matter_id) | DisputeClosed(dispute_id=matter_id):
            matter = f"dispute:{matter_id}"
        case RefundRequested() | RefundIssued() | RefundBounced():
            # An id of a refund is one of its order's.
            matter_id = event.refund_id
            matter = f"refund:{event.order_id}:{matter_id}"
        case _:
            matter_id = event.return_id
            matter = f"return:{matter_id}"
    return OpenMatterRow(matter, matter_id, event.seller_id, event.buyer_id)


async def write_lost(batch: Iterable[Recorded[Any]], db: Connection) -> None:
    """The disputes that a buyer was found to have no ground for."""
    lost = [
        (each.event.dispute_id, each.event.buyer_id, each.event.closed_at)
        for each in of_kind(batch, DisputeClosed)
        if each.event.liable == "BUYER"
    ]
    if lost:
        await db.execute(ADD_LOST, *columns(lost, 3))


async def write_hints(hints: Sequence[tuple[Hint, datetime]], db: Connection) -> None:
    rows = [
        (
            hint.hint_id,
            hint.account_kind,
            hint.account_id,
            hint.rule,
            hint.cause_key,
            hint.event_id,
            at,
        )
        for hint, at in hints
    ]
    if rows:
        await db.execute(ADD_HINTS, *columns(rows, 7))
