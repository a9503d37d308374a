"""How reviews are treated, for everybody to check: good ones no better than bad ones."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Query, Response
from shared_runtime.clock import Clock
from shared_runtime.decider import FieldError, InvalidValue, RoleNotAllowed
from shared_runtime.fields import Instant
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router

from review_service.api import query_answers
from review_service.api.public_reviews import Anybody
from review_service.projections import NEUTRALITY
from review_service.queries.neutrality import GROUP_MIN, Neutrality, day_of

type Since = Annotated[
    Instant | None,
    Query(
        description="Revealed on that day or later, by its first instant in UTC; else 365 days "
        "before `until`.",
    ),
]
type Until = Annotated[
    Instant | None,
    Query(description="Revealed before that day, by its first instant in UTC; else before today."),
]


def neutrality_api(pool: asyncpg.Pool, now: Clock) -> Router:
    router = Router("/v1/neutrality", tags=["neutrality"])
    projected = position_of(pool, NEUTRALITY)
    neutrality = Neutrality(pool, now)

    @router.get(
        "",
        summary="How reviews are treated, by stars and by size of the seller",
        description="For every role. Counted are the buyers' reviews that were revealed in the "
        "period, each by the mean of its stars at the reveal (rounded half up) and by the size of "
        "its seller: SMALL below 100 completed orders, MEDIUM below 1000, else LARGE, as of now. "
        "`held` and `restricted` are reviews that ever were; `flags`, `appeals` and "
        "`appeals_reversed` count each one, `…_overdue` those that were not decided in time. "
        "`…_milli` are per thousand of the reviews, of "
        "reversals per thousand of the appeals, rounded half up, and null of nothing. "
        "`median_hours_to_visible` is from the submission to when everybody could read the "
        "review: half of those that became visible took no longer. Days are counted whole, and "
        f"of a group of fewer than {GROUP_MIN} reviews nothing is told, nor of a next one from "
        "which it would follow: `suppressed` is true, and every figure null. Computed anew every "
        "minute. A Consistency-Token is waited for, but figures may be a minute old.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.NEUTRALITY,
    )
    async def get_neutrality(
        _: Anybody, token: ConsistencyToken, since: Since = None, until: Until = None
    ) -> Response:
        if errors := [*period_errors(since, until, day_of(now()))]:
            raise InvalidValue(errors=errors)
        await wait_for(token, projected)
        return answer(await neutrality.of(since, until))

    return router


def period_errors(
    since: datetime | None, until: datetime | None, today: datetime
) -> Iterator[FieldError]:
    """Of part of a day, and of one that is not over, nothing is told."""
    for field, told in (("since", since), ("until", until)):
        if told is not None and told != day_of(told):
            yield FieldError(field=field, bound="the first instant of a day in UTC")
    if until is not None and until > today:
        yield FieldError(field="until", bound="not after today")
    if since is not None and since >= (until or today):
        yield FieldError(field="since", bound="before until")
