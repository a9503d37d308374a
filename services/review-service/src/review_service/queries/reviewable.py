"""Rows in, pages out: the orders that a party may still review, those that close soonest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
from shared_events.review import Side
from shared_runtime.pages import Keyset, PageStart

REVIEWABLE = """
    SELECT order_id, seller_id, buyer_id, state, until, completed_at FROM read.reviewable_orders
    WHERE {side}_id = $2 AND NOT {side}_wrote AND (state = 'PAUSED' OR until > $3){behind}
    ORDER BY {order} LIMIT $1
"""
SOONEST = Keyset(columns={"until": "timestamptz", "order_id": "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewableOrderView:
    """An order that `side` may review until `closes_at`.

    While a dispute or a reopening stops the clock it has no end but `cap_at`, when the clock runs
    again at the latest.
    """

    order_id: str
    side: Side
    seller_id: str
    buyer_id: str
    state: Literal["OPEN", "PAUSED"]
    completed_at: datetime
    closes_at: datetime | None
    cap_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewableOrderPage:
    items: list[ReviewableOrderView]
    next_cursor: str | None


async def reviewable_page(
    pool: asyncpg.Pool, account: str, side: Side, start: PageStart, now: datetime
) -> ReviewableOrderPage:
    """A page of the account's orders. Whether the other side has written is not read."""
    rows = await pool.fetch(
        reviewable_query(side, start), start.rows_max, account, now, *SOONEST.values(start)
    )
    page, more = start.cut(rows, lambda row: (row["until"], row["order_id"]))
    items = [reviewable_order_view(row, side) for row in page]
    return ReviewableOrderPage(items=items, next_cursor=more)


def reviewable_query(side: Side, start: PageStart) -> str:
    return REVIEWABLE.format(
        side=side.lower(), order=SOONEST.order(), behind=SOONEST.behind(start, 4)
    )


def reviewable_order_view(row: asyncpg.Record, side: Side) -> ReviewableOrderView:
    paused = row["state"] == "PAUSED"
    return ReviewableOrderView(
        order_id=row["order_id"],
        side=side,
        seller_id=row["seller_id"],
        buyer_id=row["buyer_id"],
        state=row["state"],
        completed_at=row["completed_at"],
        closes_at=None if paused else row["until"],
        cap_at=row["until"] if paused else None,
    )
