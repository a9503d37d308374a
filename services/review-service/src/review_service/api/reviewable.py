"""What a party may still review, and until when."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Query, Response
from shared_events.review import Side
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    Cursors,
    CursorText,
    Limit,
    answer,
    position_of,
    wait_for,
)

from review_service.api import list_answers
from review_service.api.callers import PARTIES
from review_service.lists.reviewable import ReviewableOrderPage, reviewable_page
from review_service.projections import REVIEWABLE_ORDERS

type APartyOfOrders = Annotated[Caller, Depends(require(*PARTIES))]
type AskedSide = Annotated[
    Side | None, Query(description="For somebody who buys and sells: as which. Else his role.")
]


def accounts_of(caller: Caller, asked: Side | None) -> tuple[Side, list[str]]:
    """As which side he asks, and the ids that orders know him by. Raises `RoleNotAllowed`."""
    side: Side = asked or ("BUYER" if "BUYER" in caller.roles else "SELLER")
    if side not in caller.roles:
        raise RoleNotAllowed(allowed_roles=[side])
    return side, [caller.sub] if side == "BUYER" else sorted({caller.sub, caller.seller_id})


def reviewable_api(pool: asyncpg.Pool, cursors: Cursors, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/reviewable-orders", tags=["evaluations"])
    projected = position_of(pool, REVIEWABLE_ORDERS)

    @router.get(
        "",
        summary="The orders that you can review now",
        description="For BUYER and SELLER: their own complete orders that they have not reviewed, "
        "those that close soonest first. While a dispute or a reopening stops the clock, there is "
        "no `closes_at`; the clock runs again at `cap_at` at the latest. Nothing here depends on "
        "the other side's review. A Consistency-Token of `review.events` waits for what it stands "
        "for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | list_answers.REVIEWABLE_ORDERS,
    )
    async def reviewable_orders(
        caller: APartyOfOrders,
        token: ConsistencyToken,
        side: AskedSide = None,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        asked, accounts = accounts_of(caller, side)
        name = f"reviewable by {asked} {caller.sub}"
        after = cursors.last(name, cursor)
        await wait_for(token, projected)
        items, last = await reviewable_page(
            pool, accounts, asked, limit=limit, after=after, now=now()
        )
        more = None if last is None else cursors.text(name, last)
        return answer(ReviewableOrderPage(items=items, next_cursor=more))

    return router
