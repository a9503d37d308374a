"""What buyers say of the orders that a product was in."""

import asyncpg
from fastapi import APIRouter, Response
from shared_runtime.fields import IdStr
from shared_runtime.reading import Cursors, position_of

from review_service.api.public_reviews import (
    DESCRIPTION,
    RESPONSES,
    Anybody,
    Opened,
    WantedPage,
    public_reviews,
)
from review_service.lists.reviews import PRODUCTS
from review_service.projections import PUBLIC_REVIEWS


def products_api(pool: asyncpg.Pool, cursors: Cursors, opened: Opened) -> APIRouter:
    """`opened` opens the texts of an answer."""
    router = APIRouter(prefix="/v1/products", tags=["products"])
    projected = position_of(pool, PUBLIC_REVIEWS)

    @router.get(
        "/{sku}/reviews",
        summary="The reviews of a product",
        description="For every role. The reviews of the orders that the product was in: one of an "
        f"order of two products is among those of both. {DESCRIPTION} A Consistency-Token of "
        "`review.events` or `orders.events` waits for what it stands for.",
        responses=RESPONSES,
    )
    async def reviews(sku: IdStr, _: Anybody, wanted: WantedPage) -> Response:
        return await public_reviews(
            pool, cursors, wanted, PRODUCTS, sku, projected=projected, opened=opened
        )

    return router
