"""Which reviews are wanted in, a page of them with their texts out: of a seller, of a product."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from shared_runtime.auth import Caller, require
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    Cursors,
    CursorText,
    Limit,
    PositionOf,
    answer,
    wait_for,
)

from review_service.api import list_answers
from review_service.api.callers import EVERYBODY
from review_service.lists.reviews import Asked, ListOf, PublicReviewPage, Sort, review_page

type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]
type Opened = Callable[[Response], Awaitable[Response]]
"""An answer with sealed texts in, the same with those that can be opened out."""

SORT = "Newest first; or most useful first: by a sum of facts that is the same for every star."
STARS = "Only those whose three stars have this mean, rounded half up."
RESPONSES = refusals(RoleNotAllowed, NotYetVisible) | list_answers.PUBLIC_REVIEWS
DESCRIPTION = (
    "Each was written by the buyer of an order that was completed, and counts `weight_milli` of "
    "1000 for its reasons. There from the reveal on, but not while held or hidden by a moderator. "
    "`usefulness` is `weight_milli`, and 400 for a text, 100 for each file up to three, 200 for a "
    "follow-up, 300 if facts of the order corroborate it; stars are no part of it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A page in one of the orders, of all stars or of some."""

    token: ConsistencyToken
    sort: Annotated[Sort, Query(description=SORT)] = "newest"
    stars: Annotated[int | None, Query(ge=1, le=5, description=STARS)] = None
    limit: Limit = PAGE_SIZE
    cursor: CursorText = None


type WantedPage = Annotated[Wanted, Depends()]


async def public_reviews(
    pool: asyncpg.Pool,
    cursors: Cursors,
    wanted: Wanted,
    of: ListOf,
    name: str,
    *,
    projected: PositionOf,
    opened: Opened,
) -> Response:
    asked = Asked(of=of, id=name, sort=wanted.sort, stars=wanted.stars, limit=wanted.limit)
    after = cursors.last(asked.list_name, wanted.cursor)
    await wait_for(wanted.token, projected)
    items, last = await review_page(pool, asked, after)
    more = None if last is None else cursors.text(asked.list_name, last)
    return await opened(answer(PublicReviewPage(items=items, next_cursor=more)))
