"""HTTP in, scores out: of a seller, of all of them ranked, of every account; and why."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import asyncpg
from asyncpg.transaction import Transaction
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import FieldError, InvalidValue, NotFound, Role
from shared_runtime.delivery import Connection
from shared_runtime.fields import INSTANT_MAX, IdStr, Instant
from shared_runtime.pages import query_of
from shared_runtime.problems import NotYetVisible, Unavailable, refusals
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
from shared_runtime.veil import PARTIES

from reputation_service import queries
from reputation_service.api import answers
from reputation_service.domain.account import Explanation
from reputation_service.domain.facts import day_of, instant, micros
from reputation_service.domain.policy import ScorePolicy
from reputation_service.domain.read import Buckets, read
from reputation_service.domain.readers import Reader
from reputation_service.projections import SCORE
from reputation_service.references import References
from reputation_service.views import (
    AccountPage,
    AnyExplanationView,
    RankingPage,
    account_view,
    explanation_view,
    own_explanation_view,
    public_explanation_view,
    score_view,
)

AHEAD_MAX = timedelta(seconds=5)
"""Clocks of a client and of a service may differ by so much."""
DAY_MAX = day_of(micros(INSTANT_MAX))
ACCOUNTS_MAX = 1000
LARGEST = 50
LARGEST_MAX = 1_000
WITHOUT_MAX = 20
EXPLANATIONS_MAX = 4
"""So many are worked out at once in a process: each counts all facts of a seller, and holds one of
the connections that everything else needs.
"""
STAFF: tuple[Role, ...] = ("AGENT", "SENIOR", "MODERATOR", "ANALYST", "AUDITOR")
EVERYBODY: tuple[Role, ...] = ("BUYER", "SELLER", *STAFF, "SYSTEM", "IMPORTER", "PRIVACY")

type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]
type Auditor = Annotated[Caller, Depends(require("AUDITOR"))]
type AsOf = Annotated[
    Instant | None,
    Query(description="By what was recorded up to this instant: no sum changes. Absent: now."),
]
type AccountLimit = Annotated[
    int,
    Query(ge=1, description=f"More than {ACCOUNTS_MAX} is {ACCOUNTS_MAX}."),
    AfterValidator(lambda limit: min(limit, ACCOUNTS_MAX)),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationQuery:
    """As of when, how much is listed, and what a score is wanted without."""

    as_of: AsOf = None
    largest: Annotated[int, Query(ge=1, le=LARGEST_MAX)] = LARGEST
    without: Annotated[Sequence[IdStr], Query(max_length=WITHOUT_MAX)] = ()


type AskedToExplain = Annotated[ExplanationQuery, Depends(query_of(ExplanationQuery))]


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
    async def get_ranking(
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


def score_api(pool: asyncpg.Pool, policy: ScorePolicy, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])
    moment = moment_of(pool, now)

    @router.get(
        "/{seller_id}/score",
        summary="The score of a seller",
        description="For every role; what is behind the public level is for the seller himself, "
        "staff and auditors; what the numbers are summed from, for the last two. `day` (days "
        "since 1970-01-01) ages what is known to another day; one before that of `as_of` leaves "
        "out what happened after it. The level is that of `as_of`. Credit points and protections "
        "come with a later release: none count.",
        responses=refusals(NotFound, NotYetVisible) | answers.SCORE,
    )
    async def get_score(
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
        return answer(score_view(account, standing, found, reader_of(caller, seller_id)))

    return router


def explanation_api(
    pool: asyncpg.Pool, policy: ScorePolicy, references: References, now: Clock
) -> APIRouter:
    router = APIRouter(prefix="/v1/sellers", tags=["sellers"])
    moment = moment_of(pool, now)
    places = asyncio.Semaphore(EXPLANATIONS_MAX)

    @router.get(
        "/{seller_id}/score/explain",
        summary="Why a seller has this score",
        description="For every role. What adds most to the mean of each dimension (the `largest` "
        "shares; the rest in one number, so that all add up), how much counts less or nothing, "
        "each week with its cap, what would raise the score, and the score `without` some of "
        "what is listed. The seller is told which of his orders and cases it is, staff and "
        "auditors where each event stands in the log; everybody else has names of his own for "
        "them (`ref`). A review is not listed while it is held, hidden or withdrawn, whatever "
        f"the instant; staff see it. {EXPLANATIONS_MAX} are worked out at once.",
        responses=refusals(NotFound, NotYetVisible) | answers.EXPLANATION,
    )
    async def explain_score(
        seller_id: IdStr, caller: Anybody, token: ConsistencyToken, asked: AskedToExplain
    ) -> Response:
        at = await moment(seller_id, asked.as_of, token)
        reader = reader_of(caller, seller_id)
        wanted = queries.WantedExplanation(
            seller_id=seller_id,
            as_of=at,
            reader=reader,
            largest=asked.largest,
            entities=asked.without if reader == "STAFF" else (),
        )
        if places.locked():
            raise Unavailable
        async with places:
            async with pool.acquire() as db, _one_moment(db):
                found = await queries.explanation(db, wanted, policy)
            # What would raise a score is searched for: not by the loop that everybody waits for.
            view = await asyncio.to_thread(explained, found, asked.without, caller, reader)
        return answer(view)

    def explained(
        found: Explanation, without: Sequence[str], caller: Caller, reader: Reader
    ) -> AnyExplanationView:
        if reader == "STAFF":
            return explanation_view(found, without)
        seller_id = found.seller_id
        # A seller's members share what they see.
        who = caller.seller_id if reader == "SELLER" else caller.sub
        name_of = partial(references.of, f"{reader}/{who}", seller_id)
        if reader == "SELLER":
            return own_explanation_view(found, without, name_of)
        return public_explanation_view(found, without, name_of)

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


def moment_of(
    pool: asyncpg.Pool, now: Clock
) -> Callable[[str, datetime | None, Token | None], Awaitable[int]]:
    """The instant that a read of a seller is asked for, once it may be answered."""
    projected = position_of(pool, SCORE)

    async def moment(seller_id: str, as_of: datetime | None, token: Token | None) -> int:
        told = stated(as_of, now)
        await wait_for(token, projected)
        if not await queries.is_known(pool, seller_id):
            raise NotFound
        if told is not None:
            return told
        return (await queries.latest(pool, [seller_id], micros(now())))[seller_id]

    return moment


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


def reader_of(caller: Caller, seller_id: str) -> Reader:
    """As whom somebody reads of a seller. A party is a party first, whatever other roles he has,
    and no member of the seller's sees as staff what the seller does not.
    """
    if "SELLER" in caller.roles and caller.seller_id == seller_id:
        return "SELLER"
    is_staff = not caller.roles.isdisjoint(STAFF) and caller.roles.isdisjoint(PARTIES)
    belongs = seller_id in (caller.seller_id, caller.org_id)
    return "STAFF" if is_staff and not belongs else "PUBLIC"


def _one_moment(db: Connection) -> Transaction:
    """All statements of it read of one moment."""
    return db.transaction(isolation="repeatable_read", readonly=True)
