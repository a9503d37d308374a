"""What a party may still review, and until when."""

from typing import Annotated

import asyncpg
from fastapi import Depends, Response
from shared_casework.callers import PARTIES, AskedSide, asks_as
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import Cursors, answer, position_of, wait_for
from shared_runtime.routers import Router

from review_service.api import query_answers
from review_service.projections import REVIEWABLE_ORDERS
from review_service.queries.reviewable import reviewable_page

type APartyOfOrders = Annotated[Caller, Depends(require(*PARTIES))]


def reviewable_api(pool: asyncpg.Pool, cursors: Cursors, now: Clock) -> Router:
    router = Router("/v1/reviewable-orders", tags=["evaluations"])
    projected = position_of(pool, REVIEWABLE_ORDERS)

    @router.get(
        "",
        summary="The orders that you can review now",
        description="For BUYER and SELLER: their own complete orders that they have not reviewed, "
        "those that close soonest first. While a dispute or a reopening stops the clock, there is "
        "no `closes_at`; the clock runs again at `cap_at` at the latest. Nothing here depends on "
        "the other side's review. A Consistency-Token of `review.events` waits for what it stands "
        "for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.REVIEWABLE_ORDERS,
    )
    async def list_reviewable_orders(
        caller: APartyOfOrders, asked: PageAsked, side: AskedSide = None
    ) -> Response:
        asking, account = asks_as(caller, side)
        start = asked.start(cursors, f"reviewable by {asking} {account}")
        await wait_for(asked.token, projected)
        return answer(await reviewable_page(pool, account, asking, start, now()))

    return router
