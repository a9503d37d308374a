"""How often somebody was late or in the wrong, over HTTP: plain counts beside the score."""

from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from shared_runtime.clock import Clock
from shared_runtime.decider import InvalidValue, NotFound, RoleNotAllowed
from shared_runtime.documents import answered
from shared_runtime.fields import IdStr
from shared_runtime.pages import query_of
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router

from reputation_service.api.answers import AS_OF, SELLER
from reputation_service.api.callers import (
    AReaderOfBuyers,
    AReaderOfSellers,
    reader_of,
    reader_of_buyer,
)
from reputation_service.api.moments import AsOf, stated
from reputation_service.domain.facts import micros
from reputation_service.projections import RATES
from reputation_service.queries.rates import (
    BuyerRatesView,
    SellerRatesView,
    buyer_rates,
    buyer_rates_view,
    seller_rates,
    seller_rates_view,
)

WEEKS = 13
WEEKS_MAX = 156
COUNTED = {"SHIPPED": 212, "DISPATCHED_LATE": 3, "CANCELLED": 1, "COMPLETED": 207, "DEFECT": 2}

SELLER_RATES = answered(
    SellerRatesView, example=seller_rates_view(SELLER, AS_OF, WEEKS, COUNTED, late=5)
)
BUYER_RATES = answered(BuyerRatesView, example=buyer_rates_view("B-5", AS_OF, WEEKS, {"ABUSE": 1}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesQuery:
    """Up to when, and over how many weeks."""

    as_of: AsOf = None
    weeks: Annotated[int, Query(ge=1, le=WEEKS_MAX, description="How many, back from then.")] = (
        WEEKS
    )


type AskedForRates = Annotated[RatesQuery, Depends(query_of(RatesQuery))]


def rates_api(pool: asyncpg.Pool, now: Clock) -> Router:
    router = Router("/v1")
    projected = position_of(pool, RATES)

    def up_to(asked: RatesQuery) -> int:
        told = stated(asked.as_of, now)
        return micros(now()) if told is None else told

    @router.get(
        "/sellers/{seller_id}/rates",
        summary="How often a seller was late, cancelled, or was in the wrong",
        description="For the seller himself, staff and auditors. Counts of the last weeks, by what "
        "is known now; they are in no score.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible, InvalidValue) | SELLER_RATES,
        tags=["sellers"],
    )
    async def get_seller_rates(
        seller_id: IdStr, caller: AReaderOfSellers, token: ConsistencyToken, asked: AskedForRates
    ) -> Response:
        if reader_of(caller, seller_id) == "PUBLIC":
            raise NotFound
        as_of = up_to(asked)
        await wait_for(token, projected)
        return answer(await seller_rates(pool, seller_id, as_of, asked.weeks))

    @router.get(
        "/buyers/{buyer_id}/rates",
        summary="How often a buyer has complained in bad faith",
        description="For the buyer himself, staff and auditors. A count of the last weeks, by what "
        "is known now; it is in no score.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible, InvalidValue) | BUYER_RATES,
        tags=["buyers"],
    )
    async def get_buyer_rates(
        buyer_id: IdStr, caller: AReaderOfBuyers, token: ConsistencyToken, asked: AskedForRates
    ) -> Response:
        if reader_of_buyer(caller, buyer_id) == "PUBLIC":
            raise NotFound
        as_of = up_to(asked)
        await wait_for(token, projected)
        return answer(await buyer_rates(pool, buyer_id, as_of, asked.weeks))

    return router
