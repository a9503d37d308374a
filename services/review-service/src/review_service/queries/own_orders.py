"""Rows in, pages out: the orders of a party, the newest first, with what is left to do in each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import Struct
from shared_events.review import Side
from shared_runtime.fields import Money
from shared_runtime.pages import Keyset, PageStart

from review_service.domain.order import Stage
from review_service.projections.own_orders import OwnOrder
from review_service.refs import RefOf

# A page is taken from the index first. Whether the other side has written is not read.
PAGE = """
    SELECT row_to_json(listed), waiting.state, waiting.until, written.order_id IS NOT NULL
    FROM ({page}) AS listed
    LEFT JOIN read.reviewable_orders AS waiting
        ON waiting.order_id = listed.order_id AND NOT waiting.{side}_wrote
        AND (waiting.state = 'PAUSED' OR waiting.until > $3)
    LEFT JOIN read.own_reviews AS written
        ON written.order_id = listed.order_id AND written.{side}_wrote_at IS NOT NULL
    ORDER BY {order}
"""
NEWEST = Keyset(columns={"placed_at": "timestamptz", "order_id": "text"}, descending=True)
decode = msgspec.json.Decoder(OwnOrder).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewWindowView:
    """Until when you may write your review. While a dispute or a reopening stops the clock it has
    no end but `cap_at`, when the clock runs again at the latest.
    """

    state: Literal["OPEN", "PAUSED"]
    closes_at: datetime | None
    cap_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrderView:
    """An order that you are the `side` of.

    `auto_complete_at`: it was delivered, and completes by itself then; the buyer may say so before.
    `reviewable`: null where there is nothing for you to write now. `own_review`: the `ref` of what
    you wrote.
    """

    order_id: str
    side: Side
    seller_id: str
    buyer_id: str
    marketplace_id: str
    stage: Stage
    total: Money
    placed_at: datetime
    delivered_at: datetime | None
    auto_complete_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    reviewable: ReviewWindowView | None
    own_review: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrderPage:
    items: list[OwnOrderView]
    next_cursor: str | None


class WantedOrders(Struct, frozen=True, kw_only=True):
    """Whose, and which of them."""

    side: Side
    account: str
    stage: Stage | None = None
    marketplace_id: str | None = None

    @property
    def name(self) -> str:
        """What its cursors belong to."""
        return f"orders of {self}"

    def sql(self, start: PageStart, now: datetime) -> tuple[str, list[Any]]:
        """The query of a page, and its parameters."""
        values: list[Any] = [start.rows_max, self.account, now]
        side, conditions = self.side.lower(), ""
        for column in ("stage", "marketplace_id"):
            if (wanted := getattr(self, column)) is not None:
                values.append(wanted)
                conditions += f" AND {column} = ${len(values)}"
        conditions += NEWEST.behind(start, len(values) + 1)
        page = f"SELECT * FROM read.own_orders WHERE {side}_id = $2{conditions}"  # noqa: S608
        page += f" ORDER BY {NEWEST.order()} LIMIT $1"
        sql = PAGE.format(page=page, side=side, order=NEWEST.order("listed."))
        return sql, [*values, *NEWEST.values(start)]


async def own_order_page(
    pool: asyncpg.Pool, wanted: WantedOrders, start: PageStart, now: datetime, ref_of: RefOf
) -> OwnOrderPage:
    sql, values = wanted.sql(start, now)
    found = [(decode(told), *more) for told, *more in await pool.fetch(sql, *values)]
    page, next_cursor = start.cut(found, lambda row: (row[0].placed_at, row[0].order_id))
    items = [own_order_view(wanted.side, *row, ref_of=ref_of) for row in page]
    return OwnOrderPage(items=items, next_cursor=next_cursor)


def own_order_view(
    side: Side,
    order: OwnOrder,
    state: Literal["OPEN", "PAUSED"] | None,
    until: datetime | None,
    has_written: bool,
    *,
    ref_of: RefOf,
) -> OwnOrderView:
    return OwnOrderView(
        order_id=order.order_id,
        side=side,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        marketplace_id=order.marketplace_id,
        stage=order.stage,
        # As the event has it: an order may be older than what is asked of a currency today.
        total=Money.model_construct(amount=order.total_minor, currency=order.currency),
        placed_at=order.placed_at,
        delivered_at=order.delivered_at,
        auto_complete_at=order.auto_complete_at,
        completed_at=order.completed_at,
        cancelled_at=order.cancelled_at,
        reviewable=review_window_view(state, until),
        own_review=ref_of(order.order_id, side) if has_written else None,
    )


def review_window_view(
    state: Literal["OPEN", "PAUSED"] | None, until: datetime | None
) -> ReviewWindowView | None:
    if state is None:
        return None
    paused = state == "PAUSED"
    return ReviewWindowView(
        state=state, closes_at=None if paused else until, cap_at=until if paused else None
    )
