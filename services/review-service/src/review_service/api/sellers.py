"""What buyers say of a seller: revealed reviews in the order that is asked for, and their sums."""

from fastapi import Response
from shared_runtime.fields import IdStr
from shared_runtime.reading import (
    ConsistencyToken,
    IfNoneMatch,
    answer,
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
    PublicReviews,
    ReviewsAsked,
)
from review_service.queries.ratings import ratings_of_seller
from review_service.queries.reviews import of_seller


def sellers_api(public: PublicReviews) -> Router:
    router, pool = Router("/v1/sellers", tags=["sellers"]), public.pool

    @router.get(
        "/{seller_id}/reviews",
        summary="The reviews of a seller",
        description=f"For every role. {DESCRIPTION} A Consistency-Token of `review.events` "
        "or `orders.events` waits for what it stands for.",
        responses=RESPONSES,
    )
    async def list_seller_reviews(seller_id: IdStr, _: Anybody, asked: ReviewsAsked) -> Response:
        of = of_seller(seller_id)
        return await public.page(asked, of)

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
        await wait_for(token, public.projected)
        return unless_seen(answer(await ratings_of_seller(pool, seller_id)), seen)

    return router
