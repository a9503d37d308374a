"""The course of a score over time, and what would raise it, over HTTP."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from shared_runtime.auth import Caller
from shared_runtime.clock import Clock
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.pages import query_of
from shared_runtime.places import Places
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer
from shared_runtime.routers import Router

from reputation_service.api import course_answers
from reputation_service.api.callers import (
    Anybody,
    AReaderOfBuyers,
    AReaderOfSellers,
    reader_of,
    reader_of_buyer,
)
from reputation_service.api.moments import AsOf, moment_of, moment_of_seller
from reputation_service.conduct_views import conduct_history_view, conduct_outlook_view
from reputation_service.course_views import history_view, outlook_view
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.course import Point, evaluated_at, points_of, weeks_up_to
from reputation_service.domain.policy import PolicyAt, conduct_at
from reputation_service.queries import scores
from reputation_service.score_policies import ScorePolicies

WEEKS = 26
WEEKS_MAX = 156
COURSES_MAX = 4
COURSES_EACH = 2
"""So many are worked out at once in a process, so many of one caller's: each reads some hundred
scores, from all rows of a seller.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseQuery:
    """Up to when, and over how many weeks."""

    as_of: AsOf = None
    weeks: Annotated[int, Query(ge=1, le=WEEKS_MAX, description="How many, back from then.")] = (
        WEEKS
    )


type AskedForCourse = Annotated[CourseQuery, Depends(query_of(CourseQuery))]


def course_api(pool: asyncpg.Pool, policies: ScorePolicies, now: Clock) -> Router:
    router = Router("/v1")
    places = Places(COURSES_MAX, COURSES_EACH, patience_seconds=0)
    moment, moment_of_buyer = moment_of_seller(pool, now), moment_of(pool, now)

    @router.get(
        "/sellers/{seller_id}/score/history",
        summary="The course of a score",
        description="For every role. The weekly evaluations, the newest first: each as it was "
        "then, and as it would have been had all been known that is known now. A correction moves "
        f"the second and leaves the first. {COURSES_MAX} are worked out at once, {COURSES_EACH} of "
        "one caller's.",
        responses=refusals(NotFound, NotYetVisible) | course_answers.HISTORY,
        tags=["sellers"],
    )
    async def get_history(
        seller_id: IdStr, caller: Anybody, token: ConsistencyToken, asked: AskedForCourse
    ) -> Response:
        at = await moment(seller_id, asked.as_of, token)
        policy_at = await policies.policy_at(pool)
        points = await course(caller, seller_id, at, asked.weeks, policy_at)
        return answer(history_view(seller_id, at, points))

    @router.get(
        "/buyers/{buyer_id}/score/history",
        summary="The course of how a buyer stands",
        description="For the buyer himself, staff and auditors. The first instant of each week, "
        "the newest first: as he stood then, and as he would have had all been known that is known "
        "now. A correction moves the second and leaves the first.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible)
        | course_answers.CONDUCT_HISTORY,
        tags=["buyers"],
    )
    async def get_conduct_history(
        buyer_id: IdStr, caller: AReaderOfBuyers, token: ConsistencyToken, asked: AskedForCourse
    ) -> Response:
        if reader_of_buyer(caller, buyer_id) == "PUBLIC":
            raise NotFound
        at = await moment_of_buyer(buyer_id, asked.as_of, token)
        policy_at = conduct_at(await policies.policy_at(pool))
        points = await course(caller, buyer_id, at, asked.weeks, policy_at)
        return answer(conduct_history_view(buyer_id, at, points))

    async def course(
        caller: Caller, account_id: str, as_of: int, count: int, policy_at: PolicyAt
    ) -> Sequence[Point]:
        weeks = weeks_up_to(as_of, count)
        async with places.one(caller.sub):
            instants = [evaluated_at(week) for week in weeks]
            then = (await scores.buckets_at(pool, {account_id: instants}))[account_id]
            now_known = await scores.known_now_about(pool, account_id, as_of, weeks)
            return await asyncio.to_thread(points_of, weeks, then, now_known, policy_at)

    @router.get(
        "/sellers/{seller_id}/score/raise",
        summary="What would raise a score, and by how much",
        description="For the seller himself, staff and auditors. What one more of each kind of "
        "good handling is worth, what an evaluation of now would give, why the level that others "
        "see is another one and until when, and how the score fades if nothing happens.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | course_answers.OUTLOOK,
        tags=["sellers"],
    )
    async def get_outlook(
        seller_id: IdStr, caller: AReaderOfSellers, token: ConsistencyToken, as_of: AsOf = None
    ) -> Response:
        if reader_of(caller, seller_id) == "PUBLIC":
            raise NotFound
        at = await moment(seller_id, as_of, token)
        return answer(await outlook(caller, seller_id, at, outlook_view))

    @router.get(
        "/buyers/{buyer_id}/score/raise",
        summary="What would raise how a buyer stands, and by how much",
        description="For the buyer himself, staff and auditors. What one more rating of five stars "
        "is worth, and ten more, and how what is known fades if nothing happens.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible)
        | course_answers.CONDUCT_OUTLOOK,
        tags=["buyers"],
    )
    async def get_conduct_outlook(
        buyer_id: IdStr, caller: AReaderOfBuyers, token: ConsistencyToken, as_of: AsOf = None
    ) -> Response:
        if reader_of_buyer(caller, buyer_id) == "PUBLIC":
            raise NotFound
        at = await moment_of_buyer(buyer_id, as_of, token)
        return answer(await outlook(caller, buyer_id, at, conduct_outlook_view))

    async def outlook[V](
        caller: Caller, account_id: str, as_of: int, view_of: Callable[[ScoredAccount], V]
    ) -> V:
        async with places.one(caller.sub):
            policy_at = await policies.policy_at(pool)
            (account,) = await scores.accounts(pool, {account_id: as_of}, policy_at)
            return await asyncio.to_thread(view_of, account)

    return router
