"""What is one's own, page by page: orders, and reviews written and received."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Response
from shared_casework.callers import APartyOfOrders, AskedSide, asks_as
from shared_events.review import Side
from shared_runtime.decider import Actor, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import answer, position_of, wait_for
from shared_runtime.routers import Router

from review_service.api import query_answers
from review_service.api.evaluations import Evaluations
from review_service.domain.order import Stage
from review_service.domain.streams import evaluation_stream
from review_service.projections import OWN_ORDERS, OWN_REVIEWS, REVIEWABLE_ORDERS
from review_service.queries.own_orders import WantedOrders, own_order_page
from review_service.queries.own_reviews import (
    Kind,
    OwnListed,
    OwnReviewPage,
    OwnReviewView,
    WantedOwnReviews,
    listed_reviews,
    own_review_view,
)

type AskedStage = Annotated[Stage | None, Query(description="Only those that have come so far.")]
type AskedMarketplace = Annotated[
    IdStr | None, Query(description="Only those that were placed there.")
]
type AskedKind = Annotated[
    Kind | None, Query(description="Only those that you wrote, or only those about you.")
]


def me_api(evaluations: Evaluations) -> Router:
    router = Router("/v1/me", tags=["me"])
    pool, cursors, now = evaluations.pool, evaluations.cursors, evaluations.now
    orders_projected = position_of(pool, OWN_ORDERS, REVIEWABLE_ORDERS, OWN_REVIEWS)
    reviews_projected = position_of(pool, OWN_REVIEWS)

    @router.get(
        "/orders",
        summary="Your orders, and what you can still do in each",
        description="For BUYER and SELLER: those that they are the buyer or the seller of, the "
        "newest first. `reviewable` says until when you may write your review, and is null where "
        "there is nothing to write: not yet, not any more, or you have. Nothing here depends on "
        "the other side's review before it is revealed. A Consistency-Token of `orders.events` or "
        "`review.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.OWN_ORDERS,
    )
    async def list_own_orders(
        caller: APartyOfOrders,
        asked: PageAsked,
        *,
        side: AskedSide = None,
        stage: AskedStage = None,
        marketplace_id: AskedMarketplace = None,
    ) -> Response:
        asking, account = asks_as(caller, side)
        wanted = WantedOrders(
            side=asking, account=account, stage=stage, marketplace_id=marketplace_id
        )
        start = asked.start(cursors, wanted.name)
        await wait_for(asked.token, orders_projected)
        return answer(await own_order_page(pool, wanted, start, now(), evaluations.refs.of))

    @router.get(
        "/reviews",
        summary="What you wrote, and what was written about you",
        description="For BUYER and SELLER, the newest first: what you wrote from then on, what "
        "the other side wrote from the reveal on. Each as its evaluation shows it to you, with the "
        "reply, and where it stands; what you can do about it, the evaluation says. A "
        "Consistency-Token of `review.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.OWN_REVIEWS,
    )
    async def list_own_reviews(
        caller: APartyOfOrders,
        asked: PageAsked,
        *,
        side: AskedSide = None,
        kind: AskedKind = None,
    ) -> Response:
        asking, account = asks_as(caller, side)
        wanted = WantedOwnReviews(side=asking, account=account, kind=kind)
        start = asked.start(cursors, wanted.name)
        await wait_for(asked.token, reviews_projected)
        listed, more = await listed_reviews(pool, wanted, start)
        items = await read_as(evaluations, caller.actor(asking), asking, listed)
        return await evaluations.answer(OwnReviewPage(items=items, next_cursor=more))

    return router


async def read_as(
    evaluations: Evaluations, actor: Actor, side: Side, listed: Sequence[OwnListed]
) -> list[OwnReviewView]:
    """What these reviews are for this reader, of their histories as they are now."""
    told = await evaluations.log.read([evaluation_stream(each.order_id) for each in listed])
    views = (
        own_review_view(
            each,
            actor,
            side,
            [recorded.event for recorded in told.get(evaluation_stream(each.order_id), ())],
            evaluations.refs.of,
        )
        for each in listed
    )
    return [view for view in views if view is not None]
