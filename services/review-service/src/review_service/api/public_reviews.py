"""Which reviews are wanted in, a page of them with their texts out: of a seller, of a product."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, Query, Response
from shared_runtime.auth import Caller, require
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.fields import Instant
from shared_runtime.pages import PageQuery, check_period, query_of
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import (
    Cursors,
    IfNoneMatch,
    PositionOf,
    answer,
    position_of,
    unless_seen,
    wait_for,
)

from review_service.api import query_answers
from review_service.api.callers import EVERYBODY
from review_service.projections import PUBLIC_REVIEWS, REVIEW_LANGUAGES
from review_service.queries import reviews
from review_service.queries.reviews import ListOf, Sort
from review_service.refs import RefOf

type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]
type OpenTexts = Callable[[Response], Awaitable[Response]]
"""An answer with sealed texts in, the same with those that can be opened out."""

SORT = (
    "Newest or oldest first; highest or lowest stars first, and of equal ones the newest; or most "
    "useful first: by a sum of facts that is the same for every star, and by readers' votes."
)
STARS_WANTED = "Only those whose three stars have this mean, rounded half up."
TEXT_WANTED = "Only those with a text (true), or only those without one (false)."
MEDIA_WANTED = "Only those with photos or videos (true), or only those without any (false)."
LANGUAGE_WANTED = (
    "Only those whose text is in this language, as `language` of the items has it. A text that is "
    "too short to tell is in none."
)
SINCE = "Only those that were revealed from then on."
UNTIL = "Only those that were revealed before then."
VERIFIED_WANTED = (
    "Only those of orders that were completed (true): all are. Or only others (false): there are "
    "none."
)
LANGUAGE = r"^[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?$"
RESPONSES = refusals(RoleNotAllowed, NotYetVisible) | query_answers.PUBLIC_REVIEWS
RATINGS_RESPONSES = refusals(RoleNotAllowed, NotYetVisible) | query_answers.RATINGS
RATINGS = (
    "`rating` is the mean of the stars of the reviews that count, each as far as it counts, to one "
    "decimal; `histogram` says how many have how many stars. `exact` has the sums, for who wants "
    "to work it out again. A Consistency-Token of `review.events` or `orders.events` waits for "
    "what it stands for."
)
DESCRIPTION = (
    "Each was written by the buyer of an order that was completed, and counts `weight_milli` of "
    "1000 for its reasons. There from the reveal on, but not while held or hidden by a moderator. "
    "`usefulness` is `weight_milli`, and 400 for a text, 100 for each file up to three, 200 for a "
    "follow-up, 300 if facts of the order corroborate it; and up to 500 more or less by how many "
    "say that it is `helpful` or `not_helpful`. Stars are no part of it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQuery(PageQuery):
    """A page in one of the orders, of all reviews or of some."""

    seen: IfNoneMatch = None
    sort: Annotated[Sort, Query(description=SORT)] = "newest"
    stars: Annotated[int | None, Query(ge=1, le=5, description=STARS_WANTED)] = None
    text: Annotated[bool | None, Query(description=TEXT_WANTED)] = None
    media: Annotated[bool | None, Query(description=MEDIA_WANTED)] = None
    language: Annotated[
        str | None, Query(description=LANGUAGE_WANTED, pattern=LANGUAGE, examples=["en"])
    ] = None
    since: Annotated[Instant | None, Query(description=SINCE)] = None
    until: Annotated[Instant | None, Query(description=UNTIL)] = None
    verified: Annotated[bool | None, Query(description=VERIFIED_WANTED)] = None


type ReviewsAsked = Annotated[ReviewQuery, Depends(query_of(ReviewQuery))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReviews:
    """All that the routes about reviews of a seller, or of a product, need."""

    pool: asyncpg.Pool
    cursors: Cursors
    open_texts: OpenTexts
    ref_of: RefOf

    @property
    def projected(self) -> PositionOf:
        """How far their rows are."""
        return position_of(self.pool, PUBLIC_REVIEWS)

    async def page(self, asked: ReviewQuery, of: ListOf) -> Response:
        wanted = reviews.WantedReviews(
            of=of,
            sort=asked.sort,
            stars=asked.stars,
            text=asked.text,
            media=asked.media,
            language=asked.language,
            since=asked.since,
            until=asked.until,
            verified=asked.verified,
        )
        check_period(asked.since, asked.until)
        start = asked.start(self.cursors, wanted.name)
        await wait_for(asked.token, self.projected)
        if asked.language is not None:
            await wait_for(asked.token, position_of(self.pool, PUBLIC_REVIEWS, REVIEW_LANGUAGES))
        found = await reviews.review_page(self.pool, wanted, start, self.ref_of)
        return unless_seen(await self.open_texts(answer(found)), asked.seen)
