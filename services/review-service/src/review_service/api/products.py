"""What buyers say of the orders that a product was in."""

from typing import Annotated

from fastapi import Query, Response
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
from review_service.queries.ratings import ratings_of_product
from review_service.queries.reviews import of_product

MARKETPLACE = "Where it was ordered: two marketplaces may use one SKU for two products."
SELLER = "Only what this seller has sold by the name of it."


def products_api(public: PublicReviews) -> Router:
    router, pool = Router("/v1/products", tags=["products"]), public.pool

    @router.get(
        "/{sku}/reviews",
        summary="The reviews of a product",
        description="For every role. The reviews of the orders that the product was in: one of an "
        "order of two products is among those of both. A product is what the marketplace calls by "
        "this SKU, whoever sells it; with `seller_id`, what this seller does: so ask for it where "
        f"sellers number their products themselves. {DESCRIPTION} A Consistency-Token of "
        "`review.events` or `orders.events` waits for what it stands for.",
        responses=RESPONSES,
    )
    async def list_product_reviews(
        sku: IdStr,
        _: Anybody,
        asked: ReviewsAsked,
        marketplace_id: Annotated[IdStr, Query(description=MARKETPLACE)],
        seller_id: Annotated[IdStr | None, Query(description=SELLER)] = None,
    ) -> Response:
        of = of_product(sku, marketplace_id, seller_id)
        return await public.page(asked, of)

    @router.get(
        "/{sku}/ratings",
        summary="What the reviews of a product come to",
        description="For every role. Of the orders that the product was in, as in its list of "
        f"reviews; with `seller_id`, of what this seller has sold by this name. {RATINGS}",
        responses=RATINGS_RESPONSES,
    )
    async def get_product_ratings(
        sku: IdStr,
        _: Anybody,
        token: ConsistencyToken,
        seen: IfNoneMatch,
        *,
        marketplace_id: Annotated[IdStr, Query(description=MARKETPLACE)],
        seller_id: Annotated[IdStr | None, Query(description=SELLER)] = None,
    ) -> Response:
        await wait_for(token, public.projected)
        ratings = await ratings_of_product(pool, sku, marketplace_id, seller_id)
        return unless_seen(answer(ratings), seen)

    return router
