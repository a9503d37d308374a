"""What buyers say of a seller: revealed reviews, newest or most useful first."""

import asyncpg
from fastapi import APIRouter, Response
from shared_runtime.fields import IdStr
from shared_runtime.reading import Cursors, position_of

from review_service.api.public_reviews import (
    DESCRIPTION,
    RESPONSES,
    Anybody,
    OpenTexts,
    ReviewsAsked,
    public_reviews,
)
from review_service.projections import PUBLIC_REVIEWS
from review_service.queries.reviews import of_seller


def sellers_api(pool: asyncpg.Pool, cursors: Cursors, open_texts: OpenTexts) -> APIRouter:
    """`open_texts` opens the texts of an answer."""
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])
    projected = position_of(pool, PUBLIC_REVIEWS)

    @router.get(
        "/{seller_id}/reviews",
        summary="The reviews of a seller",
        description=f"For every role. {DESCRIPTION} A Consistency-Token of `review.events` "
        "or `orders.events` waits for what it stands for.",
        responses=RESPONSES,
    )
    async def list_seller_reviews(seller_id: IdStr, _: Anybody, asked: ReviewsAsked) -> Response:
        of = of_seller(seller_id)
        return await public_reviews(
            pool, cursors, asked, of, projected=projected, open_texts=open_texts
        )

    return router
