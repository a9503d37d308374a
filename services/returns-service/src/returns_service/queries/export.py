"""The refunds of a period in, one line of text for each out, page by page.

Amounts are whole minor units beside their currency: no reader has to guess where a point is.
"""

import csv
import io
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from shared_events.returns import Bearer, RefundedUnit, RefundSource, RefundWay
from shared_runtime.pages import PageStart

from returns_service.domain.ledger_state import RefundStatus
from returns_service.projections.refunds import ListedRefund
from returns_service.queries.refunds import OLDEST, WantedRefunds, rows_of

type Format = Literal["csv", "ndjson"]
type Cell = str | int | datetime | list[RefundedUnit] | None

PAGE_ROWS = 1000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula. Ids come from a marketplace."""


class ExportedRefund(Struct, frozen=True, kw_only=True):
    """One line: its fields are the columns. Instants are in UTC. `reason`: of the desk's goodwill.
    `total_minor` is the sum of its `units`, `shipping_minor`, `goodwill_minor` and
    `difference_minor`, and less by `label_cost_minor` than it would be; the platform bears
    `platform_minor` of it, the seller the rest. In CSV `units` are `<unit>=<amount>`, with a comma
    between two. `not_due`: others had given it when it was to be reissued.
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
    reason: str | None
    currency: str
    total_minor: int
    platform_minor: int
    units: list[RefundedUnit]
    shipping_minor: int
    goodwill_minor: int
    difference_minor: int
    label_cost_minor: int
    failure_code: str | None
    gateway_ref: str | None
    reissues: str | None
    reissued_by: str | None
    not_due: bool
    requested_at: datetime
    overdue_at: datetime
    settled_at: datetime | None
    failed_at: datetime | None
    bounced_at: datetime | None


def line_of(row: ListedRefund) -> ExportedRefund:
    return ExportedRefund(
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
        reason=row.reason,
        currency=row.currency,
        total_minor=row.total_minor,
        platform_minor=row.platform_minor,
        units=row.units,
        shipping_minor=row.shipping_minor,
        goodwill_minor=row.goodwill_minor,
        difference_minor=row.difference_minor,
        label_cost_minor=row.label_cost_minor,
        failure_code=row.code,
        gateway_ref=row.gateway_ref,
        reissues=row.reissues,
        reissued_by=row.reissued_by,
        not_due=row.not_due,
        requested_at=row.requested_at,
        overdue_at=row.overdue_at,
        settled_at=row.settled_at,
        failed_at=row.failed_at,
        bounced_at=row.bounced_at,
    )


async def exported(
    pool: asyncpg.Pool, wanted: WantedRefunds, form: Format
) -> AsyncGenerator[bytes]:
    """The oldest first. Each page is read when the one before is sent, and nothing is held open
    meanwhile: whoever stops reading leaves nothing behind.
    """
    if form == "csv":
        yield as_csv([ExportedRefund.__struct_fields__])
    start = PageStart(limit=PAGE_ROWS, after=None, cursor=str)
    while True:
        rows, more = await rows_of(pool, wanted, start, OLDEST)
        lines = [line_of(row) for row in rows]
        yield as_csv(map(astuple, lines)) if form == "csv" else as_ndjson(lines)
        if more is None:
            return
        last = rows[-1]
        after = [last.requested_at.isoformat(), last.case_id]
        start = PageStart(limit=PAGE_ROWS, after=after, cursor=str)


def as_csv(lines: Iterable[Iterable[Cell]]) -> bytes:
    """RFC 4180. No text in it is a formula to whoever opens it in a spreadsheet."""
    written = io.StringIO()
    csv.writer(written).writerows([shown(cell) for cell in line] for line in lines)
    return written.getvalue().encode()


def shown(cell: Cell) -> str | int | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(cell, list):
        cell = ",".join(f"{each.unit}={each.amount_minor}" for each in cell)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def as_ndjson(lines: Iterable[ExportedRefund]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
