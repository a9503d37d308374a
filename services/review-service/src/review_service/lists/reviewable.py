"""Rows in, pages out: the orders that a party may still review, those that close soonest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
from shared_events.review import Side
from shared_runtime.fields import INSTANT_MIN

# A seller's member has two ids: a page of each, then the first of both.
REVIEWABLE = """
    SELECT page.* FROM unnest($1::text[]) AS account CROSS JOIN LATERAL (
        SELECT order_id, seller_id, buyer_id, state, until, completed_at
        FROM read.reviewable_orders
        WHERE {side}_id = account AND NOT {side}_wrote
            AND (state = 'PAUSED' OR until > $3)
            AND (until, order_id) > ($4, $5)
        ORDER BY until, order_id LIMIT $2
    ) AS page ORDER BY until, order_id LIMIT $2
"""
QUERIES: dict[Side, str] = {
    "BUYER": REVIEWABLE.format(side="buyer"),
    "SELLER": REVIEWABLE.format(side="seller"),
}
BEFORE_ALL = (INSTANT_MIN, "")


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
    pool: asyncpg.Pool,
    accounts: Sequence[str],
    side: Side,
    *,
    limit: int,
    after: Sequence[str | int] | None,
    now: datetime,
) -> tuple[list[ReviewableOrderView], list[str | int] | None]:
    """A page, and where it ends if more follow. Whether the other side has written is not read."""
    until, order_id = BEFORE_ALL if after is None else after
    last = datetime.fromisoformat(until) if isinstance(until, str) else until
    rows = await pool.fetch(QUERIES[side], accounts, limit + 1, now, last, order_id)
    page = [reviewable_order_view(row, side) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, None
    end = rows[limit - 1]
    return page, [end["until"].isoformat(), end["order_id"]]


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
