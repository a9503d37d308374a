"""Rows in, pages out: refunds of many orders, by their states, or those that are owed soonest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec
from shared_events.returns import Bearer, RefundSource, RefundWay
from shared_runtime.fields import Money
from shared_runtime.pages import Keyset, PageStart

from returns_service.domain.ledger_state import RefundStatus
from returns_service.projections.refunds import ListedRefund

NEWEST = Keyset(columns={"requested_at": "timestamptz", "case_id": "text"}, descending=True)
OLDEST = Keyset(columns={"requested_at": "timestamptz", "case_id": "text"})
OWED_SOONEST = Keyset(columns={"owed_until": "timestamptz", "case_id": "text"})

PAGE = """
    SELECT row_to_json(listed) FROM (
        SELECT * FROM read.listed_refund WHERE true{conditions} ORDER BY {order} LIMIT $1
    ) AS listed ORDER BY {order}
"""
decode = msgspec.json.Decoder(ListedRefund).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReader:
    """Whose refunds somebody reads: those of one seller, or all but those of orders that one of his
    accounts is a party of.
    """

    seller_id: str | None = None
    hidden_from: Collection[str] = ()

    def condition(self, number: int) -> tuple[str, object]:
        """What stands behind WHERE, with a parameter of this number; and that."""
        if self.seller_id is not None:
            return f" AND seller_id = ${number}", self.seller_id
        return f" AND NOT parties && ${number}::text[]", [*self.hidden_from]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRefunds:
    """`state`: those that stand there. `overdue_at`: those that the buyer should have had then, the
    most overdue first; else the newest. `since`, `until`: asked for in this time.
    """

    reader: RefundReader
    state: RefundStatus | None = None
    overdue_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def conditions(self) -> tuple[str, list[object]]:
        """What stands behind WHERE, with parameters from the second on; and these."""
        told, value = self.reader.condition(2)
        values: list[object] = [value]
        for condition, asked in (
            ("state =", self.state),
            ("owed_until <=", self.overdue_at),
            ("requested_at >=", self.since),
            ("requested_at <", self.until),
        ):
            if asked is not None:
                values.append(asked)
                told += f" AND {condition} ${len(values) + 1}"
        return told, values


def page_query(wanted: WantedRefunds, start: PageStart, order: Keyset) -> tuple[str, list[object]]:
    """The query of a page, and its parameters."""
    conditions, values = wanted.conditions
    conditions += order.behind(start, len(values) + 2)
    # Names come from the code, never from a request.
    sql = PAGE.format(conditions=conditions, order=order.order())
    return sql, [start.rows_max, *values, *order.values(start)]


async def rows_of(
    pool: asyncpg.Pool, wanted: WantedRefunds, start: PageStart, order: Keyset
) -> tuple[list[ListedRefund], str | None]:
    """The rows of a page, and the cursor of the next one."""
    sql, values = page_query(wanted, start, order)
    rows = [decode(told) for (told,) in await pool.fetch(sql, *values)]
    page, more = start.cut(rows, lambda row: [getattr(row, name) for name in order.columns])
    return [*page], more


# --- Views


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRefundView:
    """One refund of an order. `platform_bears`: what of the total is the platform's by now, the
    rest is the seller's. `not_due`: others had given it when it was to be reissued. `overdue`: the
    buyer should have had it by now, it is due, and no other one stands in its place.
    """

    refund_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    source: RefundSource
    source_id: str
    remedy_id: str | None
    state: RefundStatus
    way: RefundWay
    borne_by: Bearer
    total: Money
    platform_bears: Money
    attempt: int
    failure_code: str | None
    gateway_ref: str | None
    reissues: str | None
    reissued_by: str | None
    not_due: bool
    requested_at: datetime
    overdue_at: datetime
    overdue: bool
    settled_at: datetime | None
    failed_at: datetime | None
    bounced_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPage:
    items: list[ListedRefundView]
    next_cursor: str | None


async def refund_page(
    pool: asyncpg.Pool, wanted: WantedRefunds, start: PageStart, now: datetime
) -> RefundPage:
    order = NEWEST if wanted.overdue_at is None else OWED_SOONEST
    rows, more = await rows_of(pool, wanted, start, order)
    return RefundPage(items=[listed_refund_view(row, now) for row in rows], next_cursor=more)


def listed_refund_view(row: ListedRefund, now: datetime) -> ListedRefundView:
    return ListedRefundView(
        refund_id=row.case_id,
        order_id=row.order_id,
        seller_id=row.seller_id,
        buyer_id=row.buyer_id,
        source=row.source,
        source_id=row.source_id,
        remedy_id=row.remedy_id,
        state=row.state,
        way=row.way,
        borne_by=row.borne_by,
        total=Money(amount=row.total_minor, currency=row.currency),
        platform_bears=Money(amount=row.platform_minor, currency=row.currency),
        attempt=row.attempt,
        failure_code=row.code,
        gateway_ref=row.gateway_ref,
        reissues=row.reissues,
        reissued_by=row.reissued_by,
        not_due=row.not_due,
        requested_at=row.requested_at,
        overdue_at=row.overdue_at,
        overdue=row.owed_until is not None and row.owed_until <= now,
        settled_at=row.settled_at,
        failed_at=row.failed_at,
        bounced_at=row.bounced_at,
    )
