"""A period in, whole histories of orders out, as bulk intake takes them: page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from msgspec import Struct
from shared_runtime.auth import Caller, require
from shared_runtime.decider import Actor, RoleNotAllowed
from shared_runtime.documents import answered
from shared_runtime.fields import IdStr, Instant
from shared_runtime.log import Log
from shared_runtime.pages import check_period
from shared_runtime.problems import refusals
from shared_runtime.reading import PAGE_SIZE, Cursors, CursorText, Limit, answer
from shared_runtime.routers import Router
from shared_runtime.sealing import Opener

from review_service.api import examples
from review_service.bulk.retold import Retold, RetoldLine, line_of, retold
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.queries import placed_orders
from review_service.queries.placed_orders import PlacedOrder

type WhoTakesAway = Annotated[Caller, Depends(require("AUDITOR", "SYSTEM"))]
type Since = Annotated[Instant | None, Query(description="From then on.")]
type Until = Annotated[Instant | None, Query(description="Before then.")]
type OfSeller = Annotated[IdStr | None, Query(description="Of this seller alone.")]
type OnlyReviewed = Annotated[
    bool,
    Query(
        description="Those with a revealed review alone; the period is that of its writing, else "
        "of the order's placing."
    ),
]


class HistoryPage(Struct, frozen=True, kw_only=True):
    """`items` may be fewer than asked for, or none, while there is a `next_cursor`."""

    items: list[RetoldLine]
    next_cursor: str | None


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """Which orders are wanted."""

    since: datetime | None
    until: datetime | None
    seller_id: str | None
    reviewed: bool

    def holds(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def may_want(self, order: PlacedOrder) -> bool:
        """As far as its placing tells."""
        if self.seller_id not in (None, order.seller_id):
            return False
        return self.reviewed or self.holds(order.placed_at)

    def wants(self, told: Retold) -> bool:
        return not self.reviewed or any(map(self.holds, told.written_at))


def histories_api(pool: asyncpg.Pool, log: Log, cursors: Cursors, opener: Opener) -> Router:
    router = Router("/v1/histories", tags=["bulk"])

    async def read(orders: Sequence[PlacedOrder], actor: Actor) -> list[Retold]:
        streams = {each.order_id: order_stream(each.order_id) for each in orders}
        evaluations = {each.order_id: evaluation_stream(each.order_id) for each in orders}
        found = await log.read([*streams.values(), *evaluations.values()])
        return [
            retold(found[streams[order_id]], found.get(evaluations[order_id], []), actor)
            for order_id in streams
        ]

    async def lines(told: Sequence[Retold]) -> list[RetoldLine]:
        opened = await opener.texts(sealed for each in told for sealed in each.sealed)
        return [line_of(each, opened) for each in told]

    @router.get(
        "",
        summary="Whole histories of orders, to take elsewhere",
        description="For AUDITOR and SYSTEM: what POST /v1/orders/bulk takes, in no order of time. "
        "A review is there once it is revealed, unless it is held or was withdrawn; what was said "
        "by somebody who was erased is not. `media` are the ids of files here.",
        responses=refusals(RoleNotAllowed)
        | answered(HistoryPage, example={"items": [examples.LINE], "next_cursor": None}),
    )
    async def list_histories(
        caller: WhoTakesAway,
        *,
        since: Since = None,
        until: Until = None,
        seller_id: OfSeller = None,
        reviewed: OnlyReviewed = False,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        check_period(since, until)
        asked = HistoryQuery(since=since, until=until, seller_id=seller_id, reviewed=reviewed)
        of = f"histories {asked}"
        scanned = await placed_orders.after(pool, seller_id, cursors.last(of, cursor))
        wanted = [order for order in scanned if asked.may_want(order)]
        page = wanted[:limit]
        more = len(wanted) > limit or len(scanned) == placed_orders.SCANNED_MAX
        last = page[-1] if len(wanted) > limit else scanned[-1] if scanned else None
        found = await read(page, caller.actor("AUDITOR", "SYSTEM"))
        items = await lines([each for each in found if asked.wants(each)])
        next_cursor = cursors.text(of, last.place) if last and more else None
        return answer(HistoryPage(items=items, next_cursor=next_cursor))

    return router
