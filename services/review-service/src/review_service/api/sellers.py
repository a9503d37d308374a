"""What buyers say of a seller: revealed reviews, newest first."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Response
from shared_runtime.auth import Caller, require
from shared_runtime.fields import IdStr
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

from review_service.api import answers
from review_service.api.callers import EVERYBODY
from review_service.projections import SELLER_REVIEWS
from review_service.queries import SellerReviewPage, seller_reviews

type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]


def sellers_api(pool: asyncpg.Pool, cursors: Cursors) -> APIRouter:
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])
    projected = position_of(pool, SELLER_REVIEWS)

    @router.get(
        "/{seller_id}/reviews",
        summary="The reviews of a seller",
        description="For every role. Revealed ones, newest first. Each was written by the buyer "
        "of an order that was completed, and counts `weight_milli` of 1000 for its reasons. A "
        "Consistency-Token of `review.events` waits for what it stands for.",
        responses=refusals(NotYetVisible) | answers.SELLER_REVIEWS,
    )
    async def reviews(
        seller_id: IdStr,
        _: Anybody,
        token: ConsistencyToken,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        after = cursors.last(f"reviews of {seller_id}", cursor)
        await wait_for(token, projected)
        items, last = await seller_reviews(pool, seller_id, limit, after)
        more = None if last is None else cursors.text(f"reviews of {seller_id}", last)
        return answer(SellerReviewPage(items=items, next_cursor=more))

    return router
