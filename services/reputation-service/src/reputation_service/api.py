"""HTTP in, scores out: of a seller, of all of them ranked, of every account; and why."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import FieldError, InvalidValue, Role
from shared_runtime.fields import INSTANT_MAX, IdStr, Instant
from shared_runtime.problems import NotFound, NotYetVisible, refusals
from shared_runtime.reading import (
    LOOK_SECONDS_MAX,
    PAGE_SIZE,
    VISIBLE_SECONDS_MAX,
    ConsistencyToken,
    Cursors,
    CursorText,
    Limit,
    Token,
    answer,
    position_of,
    wait_for,
)

from reputation_service import answers, queries
from reputation_service.domain.facts import day_of, instant, micros
from reputation_service.domain.fold import fold
from reputation_service.domain.policy import ScorePolicy
from reputation_service.domain.read import Buckets, read
from reputation_service.projections import SCORE
from reputation_service.views import (
    AccountPage,
    RankingPage,
    account_view,
    explanation_view,
    score_view,
)

AHEAD_MAX = timedelta(seconds=5)
"""Clocks of a client and of a service may differ by so much."""
DAY_MAX = day_of(micros(INSTANT_MAX))
ACCOUNTS_MAX = 1000
LARGEST = 50
LARGEST_MAX = 10_000
WITHOUT_MAX = 20
STAFF: tuple[Role, ...] = ("AGENT", "SENIOR", "MODERATOR", "ANALYST", "AUDITOR")
EVERYBODY: tuple[Role, ...] = ("BUYER", "SELLER", *STAFF, "SYSTEM", "IMPORTER", "PRIVACY")

type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]
type Auditor = Annotated[Caller, Depends(require("AUDITOR"))]
type AsOf = Annotated[
    Instant | None,
    Query(description="By what was recorded up to this instant; absent: now. Never changes."),
]
type AccountLimit = Annotated[
    int,
    Query(ge=1, description=f"More than {ACCOUNTS_MAX} is {ACCOUNTS_MAX}."),
    AfterValidator(lambda limit: min(limit, ACCOUNTS_MAX)),
]


def ranking_api(pool: asyncpg.Pool, cursors: Cursors) -> APIRouter:
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])

    @router.get(
        "",
        summary="The sellers, the best first",
        description="For every role. Each as he stood at `as_of`: a seller is worked out anew when "
        "something of him is recorded, all are when the day changes. A Consistency-Token waits for "
        "both.",
        responses=refusals(NotYetVisible) | answers.RANKING,
    )
    async def ranking(
        _: Anybody, token: ConsistencyToken, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        last = cursors.last("sellers", cursor)
        if token is not None:
            await wait_ranked(pool, token)
        ranked = await queries.ranked_after(pool, _place(last), limit + 1)
        page = ranked[:limit]
        more = None
        if len(ranked) > limit:
            more = cursors.text("sellers", [page[-1].score_micro, page[-1].seller_id])
        return answer(RankingPage(items=page, next_cursor=more))

    return router


def seller_api(pool: asyncpg.Pool, policy: ScorePolicy, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])
    projected = position_of(pool, SCORE)

    async def moment(seller_id: str, as_of: datetime | None, token: Token | None) -> int:
        """The instant asked for, once the read may be answered."""
        told = stated(as_of, now)
        await wait_for(token, projected)
        if not await queries.is_known(pool, seller_id):
            raise NotFound
        if told is not None:
            return told
        return (await queries.latest(pool, [seller_id], micros(now())))[seller_id]

    @router.get(
        "/{seller_id}/score",
        summary="The score of a seller",
        description="For every role; what is behind the public level is for the seller himself, "
        "staff and auditors. `day` (days since 1970-01-01) ages what is known to another day; one "
        "before that of `as_of` leaves out what happened after it. The level is that of `as_of`. "
        "Credit points and protections come with a later release: none count.",
        responses=refusals(NotFound, NotYetVisible) | answers.SCORE,
    )
    async def score(
        seller_id: IdStr,
        caller: Anybody,
        token: ConsistencyToken,
        as_of: AsOf = None,
        day: Annotated[int | None, Query(ge=0, le=DAY_MAX)] = None,
    ) -> Response:
        at = await moment(seller_id, as_of, token)
        (account,) = await queries.accounts(pool, {seller_id: at}, policy)
        standing = account.standing(policy)
        found = standing.score
        if day is not None and day != found.day:
            buckets: Buckets = account.buckets
            if day < found.day:
                buckets = await queries.buckets_up_to(pool, seller_id, at, day)
            found = read(buckets, day, policy)
        return answer(score_view(account, standing, found, own=_may_see_all(caller, seller_id)))

    @router.get(
        "/{seller_id}/score/explain",
        summary="Why a seller has this score",
        description="For every role. The share of every event in the mean of its dimension (the "
        "`largest` ones; the rest in one number, so that all add up), what weighs nothing or less "
        "and why, each week with its cap, what would raise the score, and the score `without` "
        "some reviews or cases.",
        responses=refusals(NotFound, NotYetVisible) | answers.EXPLANATION,
    )
    async def explanation(
        seller_id: IdStr,
        _: Anybody,
        token: ConsistencyToken,
        as_of: AsOf = None,
        largest: Annotated[int, Query(ge=1, le=LARGEST_MAX)] = LARGEST,
        without: Annotated[Sequence[IdStr], Query(max_length=WITHOUT_MAX)] = (),
    ) -> Response:
        at = await moment(seller_id, as_of, token)
        async with pool.acquire() as db, db.transaction(isolation="repeatable_read"):
            facts = await queries.facts_in_force(db, seller_id, at, day_of(at))
        buckets = fold(facts).get(seller_id, {})
        view = explanation_view(
            seller_id,
            at,
            facts,
            buckets,
            read(buckets, day_of(at), policy),
            largest=largest,
            without=without,
        )
        return answer(view)

    return router


def accounts_api(
    pool: asyncpg.Pool, policy: ScorePolicy, cursors: Cursors, now: Clock
) -> APIRouter:
    router = APIRouter(prefix="/v1/scores", tags=["audit"])
    projected = position_of(pool, SCORE)

    @router.get(
        "",
        summary="Every account with a bucket, for those who recompute",
        description="For auditors. In the order of ids; all pages of a list are as of the instant "
        "of its first. `state_sha256` is the digest of the account's buckets.",
        responses=refusals(NotYetVisible) | answers.ACCOUNTS,
    )
    async def scores(
        _: Auditor,
        token: ConsistencyToken,
        as_of: AsOf = None,
        limit: AccountLimit = ACCOUNTS_MAX,
        cursor: CursorText = None,
    ) -> Response:
        told = stated(as_of, now)
        of = f"scores as of {told or 'now'}"
        last = cursors.last(of, cursor)
        await wait_for(token, projected)
        at = int(last[0]) if last else told or micros(now())
        sellers = await queries.accounts_after(pool, str(last[1]) if last else "", limit)
        found = await queries.accounts(pool, dict.fromkeys(sellers, at), policy)
        more = cursors.text(of, [at, sellers[-1]]) if len(sellers) == limit else None
        page = AccountPage(
            as_of=instant(at),
            policy_id=policy.policy_id,
            items=[account_view(account, policy) for account in found if account.buckets],
            next_cursor=more,
        )
        return answer(page)

    return router


def stated(as_of: datetime | None, now: Clock) -> int | None:
    """The instant that a client states. Raises `InvalidValue` for one of which nobody knows yet."""
    if as_of is None:
        return None
    if as_of > now() + AHEAD_MAX:
        raise InvalidValue(errors=[FieldError(field="as_of", bound="not after now")])
    return micros(as_of)


async def wait_ranked(pool: asyncpg.Pool, token: Token) -> None:
    """Returns when the table of sellers reflects the token. Raises `NotYetVisible` after 2 s."""
    try:
        async with asyncio.timeout(VISIBLE_SECONDS_MAX):
            await wait_for(token, position_of(pool, SCORE))
            # What the token stands for is in the buckets now, and so are its marks.
            mark = await queries.newest_mark(pool)
            while await queries.is_marked(pool, mark):  # noqa: ASYNC110 - another process answers
                await asyncio.sleep(LOOK_SECONDS_MAX)
    except TimeoutError as too_late:
        raise NotYetVisible from too_late


def _place(last: Sequence[str | int] | None) -> tuple[int, str] | None:
    return None if last is None else (int(last[0]), str(last[1]))


def _may_see_all(caller: Caller, seller_id: str) -> bool:
    is_the_seller = "SELLER" in caller.roles and seller_id in (caller.sub, caller.seller_id)
    return is_the_seller or not caller.roles.isdisjoint(STAFF)
