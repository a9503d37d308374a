"""HTTP in, scores out: of a seller, of all of them ranked, of every account; and all points."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from shared_events.reputation import Band
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import INSTANT_MAX, IdStr
from shared_runtime.log import Log
from shared_runtime.problems import NotYetVisible, refusals
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
from shared_runtime.routers import Router

from reputation_service.api import answers
from reputation_service.api.callers import Anybody, reader_of, reads_as_staff
from reputation_service.api.moments import AsOf, moment_of_seller, stated
from reputation_service.domain.audited import audited
from reputation_service.domain.facts import day_of, instant, micros
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.read import Buckets, read
from reputation_service.domain.streams import stream_of
from reputation_service.projections import SCORE
from reputation_service.queries import scores
from reputation_service.queries.points import people_after
from reputation_service.score_policies import ScorePolicies
from reputation_service.views import (
    AccountPage,
    AuditedPage,
    RankingPage,
    account_view,
    ranked_view,
    score_view,
)

DAY_MAX = day_of(micros(INSTANT_MAX))
ACCOUNTS_MAX = 1000
HISTORIES_MAX = 200
"""So many accounts in a page: each is folded from its whole history."""
type Auditor = Annotated[Caller, Depends(require("AUDITOR"))]
type AccountLimit = Annotated[
    int, Query(ge=1, le=ACCOUNTS_MAX, description="How many accounts a page has at most.")
]
type HistoryLimit = Annotated[
    int, Query(ge=1, le=HISTORIES_MAX, description="How many accounts a page has at most.")
]


def ranking_api(pool: asyncpg.Pool, cursors: Cursors) -> Router:
    router = Router("/v1/sellers", tags=["sellers"])

    @router.get(
        "",
        summary="The sellers, the best first",
        description="For every role. Each as he stood at `as_of`: a seller is worked out anew when "
        "something of him is recorded, or a penalty or a protection of his ends; all are when the "
        "day changes. A Consistency-Token waits for both. Staff are told the real level, too.",
        responses=refusals(NotYetVisible) | answers.RANKING,
    )
    async def get_ranking(
        caller: Anybody,
        token: ConsistencyToken,
        level: Annotated[Band | None, Query(description="Only those of this public level.")] = None,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        of = f"sellers of {level or 'any level'}"
        last = cursors.last(of, cursor)
        if token is not None:
            await wait_ranked(pool, token)
        ranked = await scores.ranked_after(pool, _place(last), limit + 1, level)
        page = ranked[:limit]
        more = None
        if len(ranked) > limit:
            more = cursors.text(of, [page[-1].score_micro, page[-1].seller_id])
        if not reads_as_staff(caller):
            page = [replace(each, real_level=None) for each in page]
        return answer(RankingPage(items=[*map(ranked_view, page)], next_cursor=more))

    return router


def score_api(pool: asyncpg.Pool, policies: ScorePolicies, now: Clock) -> Router:
    router = Router("/v1/sellers", tags=["sellers"])
    moment = moment_of_seller(pool, now)

    @router.get(
        "/{seller_id}/score",
        summary="The score of a seller",
        description="For every role; what is behind the public level is for the seller himself, "
        "staff and auditors; what the numbers are summed from, for the last two. `day` (days "
        "since 1970-01-01) ages what is known to another day; one before that of `as_of` leaves "
        "out what happened after it. The level is that of `as_of`: credit points cap it, a "
        "protection keeps the public one.",
        responses=refusals(NotFound, NotYetVisible) | answers.SCORE,
    )
    async def get_score(
        seller_id: IdStr,
        caller: Anybody,
        token: ConsistencyToken,
        as_of: AsOf = None,
        day: Annotated[
            int | None, Query(ge=0, le=DAY_MAX, description="Days since 1970-01-01.")
        ] = None,
    ) -> Response:
        at = await moment(seller_id, as_of, token)
        policy_at = await policies.policy_at(pool)
        (account,) = await scores.accounts(pool, {seller_id: at}, policy_at)
        standing = account.standing()
        found = standing.score
        if day is not None and day != found.day:
            buckets: Buckets = account.buckets
            if day < found.day:
                buckets = await scores.buckets_up_to(pool, seller_id, at, day)
            found = read(buckets, day, account.policy)
        return answer(score_view(account, standing, found, reader_of(caller, seller_id)))

    return router


def accounts_api(
    pool: asyncpg.Pool, policies: ScorePolicies, cursors: Cursors, now: Clock
) -> Router:
    router = Router("/v1/scores", tags=["audit"])
    projected = position_of(pool, SCORE)

    @router.get(
        "",
        summary="Every account with a bucket, for those who recompute",
        description="For auditors. In the order of ids; all pages of a list are as of the instant "
        "of its first. `state_sha256` is the digest of the account's buckets.",
        responses=refusals(NotYetVisible) | answers.ACCOUNTS,
    )
    async def list_scores(
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
        sellers = await scores.accounts_after(pool, str(last[1]) if last else "", limit)
        policy_at = await policies.policy_at(pool)
        found = await scores.accounts(pool, dict.fromkeys(sellers, at), policy_at)
        more = cursors.text(of, [at, sellers[-1]]) if len(sellers) == limit else None
        page = AccountPage(
            as_of=instant(at),
            policy_id=policy_at(at).policy_id,
            items=[account_view(account) for account in found if account.buckets],
            next_cursor=more,
        )
        return answer(page)

    return router


def points_audit_api(
    log: Log, pool: asyncpg.Pool, policies: Policies, cursors: Cursors, now: Clock
) -> Router:
    router = Router("/v1/accounts", tags=["audit"])

    @router.get(
        "",
        summary="The points of every account, for those who recompute",
        description="For auditors. In the order of ids; all pages of a list are as of the instant "
        "of its first: by what was recorded then. A page may be shorter than its limit.",
        responses=refusals(RoleNotAllowed) | answers.AUDITED,
    )
    async def list_accounts(
        _: Auditor,
        as_of: AsOf = None,
        limit: HistoryLimit = HISTORIES_MAX,
        cursor: CursorText = None,
    ) -> Response:
        told = stated(as_of, now)
        of = f"points as of {told or 'now'}"
        last = cursors.last(of, cursor)
        at = int(last[0]) if last else told or micros(now())
        people = await people_after(pool, str(last[1]) if last else "", limit)
        streams = [stream_of(who) for who in people]
        histories = await log.read(streams)
        found = [audited(each, histories[each], instant(at), policies) for each in streams]
        more = cursors.text(of, [at, people[-1]]) if len(people) == limit else None
        page = AuditedPage(
            as_of=instant(at), items=[each for each in found if each], next_cursor=more
        )
        return answer(page)

    return router


async def wait_ranked(pool: asyncpg.Pool, token: Token) -> None:
    """Returns when the table of sellers reflects the token. Raises `NotYetVisible` after 2 s."""
    try:
        async with asyncio.timeout(VISIBLE_SECONDS_MAX):
            await wait_for(token, position_of(pool, SCORE))
            # What the token stands for is in the buckets now, and so are its marks.
            mark = await scores.newest_mark(pool)
            while await scores.is_marked(pool, mark):  # noqa: ASYNC110 - another process answers
                await asyncio.sleep(LOOK_SECONDS_MAX)
    except TimeoutError as too_late:
        raise NotYetVisible from too_late


def _place(last: Sequence[str | int] | None) -> tuple[int, str] | None:
    return None if last is None else (int(last[0]), str(last[1]))
