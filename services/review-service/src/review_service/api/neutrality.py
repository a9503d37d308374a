"""How reviews are treated, for everybody to check: good ones no better than bad ones."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Query, Response
from shared_runtime.clock import Clock
from shared_runtime.decider import FieldError, InvalidValue, RoleNotAllowed
from shared_runtime.fields import Instant
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for

from review_service.api import list_answers
from review_service.api.public_reviews import Anybody
from review_service.lists.neutrality import Neutrality
from review_service.projections import NEUTRALITY

type Since = Annotated[
    Instant | None,
    Query(alias="from", description="Revealed then or later; else 365 days before `until`."),
]
type Until = Annotated[Instant | None, Query(description="Revealed before; else before now.")]


def neutrality_api(pool: asyncpg.Pool, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/neutrality", tags=["neutrality"])
    projected = position_of(pool, NEUTRALITY)
    neutrality = Neutrality(pool, now)

    @router.get(
        "",
        summary="How reviews are treated, by stars and by size of the seller",
        description="For every role. Counted are the buyers' reviews that were revealed in the "
        "period, each by the mean of its stars at the reveal (rounded half up) and by the size of "
        "its seller: SMALL below 100 completed orders, MEDIUM below 1000, else LARGE, as of now. "
        "`held` and `restricted` are reviews that ever were; `flags`, `appeals` and "
        "`appeals_reversed` count each one. `…_milli` are per thousand of the reviews, of "
        "reversals per thousand of the appeals, rounded half up, and null of nothing. "
        "`median_hours_to_visible` is from the submission to when everybody could read the "
        "review: half of those that became visible took no longer. Computed anew every minute. A "
        "Consistency-Token is waited for, but figures may be a minute old.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | list_answers.NEUTRALITY,
    )
    async def figures(
        _: Anybody, token: ConsistencyToken, since: Since = None, until: Until = None
    ) -> Response:
        if since is not None and since >= (until or now()):
            raise InvalidValue(errors=[FieldError(field="from", bound="before until")])
        await wait_for(token, projected)
        return answer(await neutrality.of(since, until))

    return router
