"""Rows in, pages out: the returns of a party, those that are due soonest or the newest first; what
waits for the warehouse; what needs the desk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
from shared_events.fields import Party
from shared_events.returns import Lane, Resolution, ReturnKind, ReturnReason
from shared_runtime.fields import Money
from shared_runtime.pages import Keyset, PageStart
from shared_runtime.worklist import WorkList

from returns_service.domain.return_dues import DUES
from returns_service.domain.return_state import ReturnStatus
from returns_service.domain.return_timers import Name
from returns_service.projections import LISTED_RETURNS
from returns_service.projections.returns import ListedReturn, ReturnCaseKind, Waiting

type Sort = Literal["due", "newest"]

NEWEST = Keyset(columns={"began_at": "timestamptz", "case_id": "text"}, descending=True)
SOONEST: Mapping[Party, Keyset] = {
    "BUYER": Keyset(columns={"buyer_due": "timestamptz", "case_id": "text"}),
    "SELLER": Keyset(columns={"seller_due": "timestamptz", "case_id": "text"}),
}
WAITING = Keyset(columns={"waiting_due": "timestamptz", "case_id": "text"})
PAGE = """
    SELECT row_to_json(listed) FROM (
        SELECT * FROM read.listed_return WHERE {conditions} ORDER BY {order} LIMIT $1
    ) AS listed ORDER BY {order}
"""
decode = msgspec.json.Decoder(ListedReturn).decode

KINDS: Sequence[ReturnCaseKind] = ("REVIEW", "ADVANCE", "LABEL", "KEPT")
CASES = WorkList(
    name="returns",
    projection=LISTED_RETURNS,
    table="listed_return",
    row=ListedReturn,
    kinds=KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReturns:
    """Whose, in which order, and which of them. Of those that are due there are the open ones, and
    for a seller those that are over but for goods that he is to send back.
    """

    side: Party
    account: str
    sort: Sort
    status: ReturnStatus | None = None
    is_open: bool | None = None

    @property
    def order(self) -> Keyset:
        return NEWEST if self.sort == "newest" else SOONEST[self.side]

    @property
    def conditions(self) -> tuple[str, list[object]]:
        told, values = f"{self.side.lower()}_id = $2", [self.account]
        asked: list[object] = [*values]
        if self.is_open is False:
            told += " AND closed_at IS NOT NULL"
        elif self.sort == "due" and self.is_open is None and self.side == "SELLER":
            told += " AND (closed_at IS NULL OR seller_due_name IS NOT NULL)"
        elif self.sort == "due" or self.is_open:
            told += " AND closed_at IS NULL"
        if self.status is not None:
            asked.append(self.status)
            told += f" AND status = ${len(asked) + 1}"
        return told, asked


async def own_returns(
    pool: asyncpg.Pool, wanted: WantedReturns, start: PageStart
) -> tuple[list[ListedReturn], str | None]:
    """The rows of a page, and the cursor of the next one."""
    conditions, values = wanted.conditions
    return await rows_of(pool, conditions, values, wanted.order, start)


async def returns_of_order(
    pool: asyncpg.Pool, order_id: str, start: PageStart
) -> tuple[list[ListedReturn], str | None]:
    """All that was ever asked back of an order, the newest first."""
    return await rows_of(pool, "order_id = $2", [order_id], NEWEST, start)


async def waiting_returns(
    pool: asyncpg.Pool, seller_id: str, waiting: Waiting, start: PageStart
) -> tuple[list[ListedReturn], str | None]:
    """Those of a seller of which goods are to be received, or looked at; the most urgent first."""
    conditions = "seller_id = $2 AND waiting = $3"
    return await rows_of(pool, conditions, [seller_id, waiting], WAITING, start)


async def rows_of(
    pool: asyncpg.Pool,
    conditions: str,
    values: Sequence[object],
    order: Keyset,
    start: PageStart,
) -> tuple[list[ListedReturn], str | None]:
    conditions += order.behind(start, len(values) + 2)
    # Names come from the code, never from a request.
    sql = PAGE.format(conditions=conditions, order=order.order())
    found = await pool.fetch(sql, start.rows_max, *values, *order.values(start))
    rows = [decode(told) for (told,) in found]
    page, more = start.cut(rows, lambda row: [getattr(row, name) for name in order.columns])
    return [*page], more


# --- Views


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDue:
    """What is due next for you, when, and what happens by itself when that passes."""

    name: Name
    due: datetime
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedReturnView:
    """A return of yours. `deadline`: null if nothing is due for you."""

    return_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    kind: ReturnKind
    lane: Lane | None
    reason: ReturnReason
    status: ReturnStatus
    pieces: int
    began_at: datetime
    deadline: ListedDue | None
    closed_at: datetime | None
    resolution: Resolution | None
    refunded: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPage:
    items: list[ListedReturnView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReturnView:
    """Goods that are to be received or looked at, by `due`, and by which parcels they come."""

    return_id: str
    order_id: str
    waiting: Waiting
    due: datetime | None
    units: list[str]
    tracking_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReturnPage:
    items: list[WaitingReturnView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCaseView:
    """A return that needs a person. REVIEW: it is to be decided. ADVANCE: that nothing stands
    behind one is to be confirmed. LABEL, KEPT: somebody is late with it.
    """

    kinds: list[str]
    opened_at: datetime
    due_at: datetime | None
    overdue: bool
    return_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    kind: ReturnKind
    reason: ReturnReason
    status: ReturnStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCaseCounts:
    """Of all open cases, some seconds ago at most."""

    cases: int
    review: int
    advance: int
    label: int
    kept: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCasePage:
    items: list[ReturnCaseView]
    next_cursor: str | None
    counts: ReturnCaseCounts


def listed_return_view(row: ListedReturn, side: Party) -> ListedReturnView:
    name, due = (
        (row.buyer_due_name, row.buyer_due)
        if side == "BUYER"
        else (row.seller_due_name, row.seller_due)
    )
    given, currency = row.refunded_minor, row.currency
    return ListedReturnView(
        return_id=row.case_id,
        order_id=row.order_id,
        seller_id=row.seller_id,
        buyer_id=row.buyer_id,
        kind=row.kind,
        lane=row.lane,
        reason=row.reason,
        status=row.status,
        pieces=row.pieces,
        began_at=row.began_at,
        deadline=ListedDue(name=name, due=due, then=DUES[name].then) if name else None,
        closed_at=row.closed_at,
        resolution=row.resolution,
        refunded=Money(amount=given, currency=currency) if given is not None and currency else None,
    )


def waiting_view(row: ListedReturn) -> WaitingReturnView:
    assert row.waiting
    pieces = [
        piece
        for piece in row.matter.live
        if piece.is_pending and (piece.is_in or piece.where == "IN_TRANSIT")
    ]
    return WaitingReturnView(
        return_id=row.case_id,
        order_id=row.order_id,
        waiting=row.waiting,
        due=row.waiting_due,
        units=[piece.unit for piece in pieces],
        tracking_ids=sorted({piece.tracking_id for piece in pieces if piece.tracking_id}),
    )


def case_view(row: ListedReturn, now: datetime) -> ReturnCaseView:
    assert row.opened_at
    return ReturnCaseView(
        kinds=row.kinds,
        opened_at=row.opened_at,
        due_at=row.due_at,
        overdue=row.due_at is not None and row.due_at <= now,
        return_id=row.case_id,
        order_id=row.order_id,
        seller_id=row.seller_id,
        buyer_id=row.buyer_id,
        kind=row.kind,
        reason=row.reason,
        status=row.status,
    )
