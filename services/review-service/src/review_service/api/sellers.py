"""What buyers say of a seller: revealed reviews in the order that is asked for, and their sums."""

import asyncpg
from fastapi import Response
from shared_runtime.fields import IdStr
from shared_runtime.reading import (
    ConsistencyToken,
    Cursors,
    IfNoneMatch,
    answer,
    position_of,
    unless_seen,
    wait_for,
)
from shared_runtime.routers import Router

from review_service.api.public_reviews import (
    DESCRIPTION,
    RATINGS,
    RATINGS_RESPONSES,
    RESPONSES,
    Anybody,
    OpenTexts,
    ReviewsAsked,
    public_reviews,
)
from review_service.projections import PUBLIC_REVIEWS
from review_service.queries.ratings import ratings_of_seller
from review_service.queries.reviews import of_seller
from review_service.refs import RefOf


def sellers_api(
    pool: asyncpg.Pool, cursors: Cursors, open_texts: OpenTexts, ref_of: RefOf
) -> Router:
    """`open_texts` opens the texts of an answer."""
    router = Router("/v1/sellers", tags=["sellers"])
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
            pool,
            cursors,
            asked,
            of,
            projected=projected,
            open_texts=open_texts,
            ref_of=ref_of,
        )

    @router.get(
        "/{seller_id}/ratings",
        summary="What the reviews of a seller come to",
        description=f"For every role. {RATINGS} The score, with decay and caution, is "
        "reputation-service's.",
        responses=RATINGS_RESPONSES,
    )
    async def get_seller_ratings(
        seller_id: IdStr, _: Anybody, token: ConsistencyToken, seen: IfNoneMatch
    ) -> Response:
        await wait_for(token, projected)
        return unless_seen(answer(await ratings_of_seller(pool, seller_id)), seen)

    return router
