"""Rows in, pages out: the reviews of a seller or of a product that everybody may read.

Texts and media are sealed here; the edge opens them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec
from shared_events.review import Incentive

from review_service.domain.streams import review_ref
from review_service.evaluation_views import MediaShown, ReasonView, reason_views
from review_service.projections.public import (
    FollowUp,
    FormerVersion,
    PublicReview,
    Reply,
    shown,
)
from review_service.projections.stars import overall_stars

type Sort = Literal["newest", "most_useful"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerVersionView:
    """What the review said before the matter was resolved and the buyer revised it."""

    stars: int
    quality: int
    logistics: int
    service: int
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReplyView:
    text: str | None
    edited: bool
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFollowUpView:
    text: str | None
    media: list[MediaShown]
    appended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReviewView:
    """A buyer's review of a seller. `stars` is the mean of the three, rounded half up.

    It counts `weight_milli` of 1000, for these reasons; with `delivery_not_counted`, its
    logistics stars are on the account of a carrier. A text that a moderator has hidden, and one
    whose writer was erased, is null.
    """

    ref: str
    review_id: str
    stars: int
    quality: int
    logistics: int
    service: int
    before: FormerVersionView | None
    text: str | None
    media: list[MediaShown]
    incentive: Incentive
    verified_purchase: bool
    revised_after_resolution: bool
    incentive_disclosed: bool
    delivery_not_counted: bool
    reply: PublicReplyView | None
    follow_up: PublicFollowUpView | None
    weight_milli: int
    reasons: list[ReasonView]
    usefulness: int
    revealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReviewPage:
    items: list[PublicReviewView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list: the rows of which its pages are made, and what it is called in a cursor."""

    name: str
    rows: str
    page: str


# A page is taken from the index of its order first; only its rows are then read whole.
SELLERS = ListOf(
    name="seller",
    rows="read.public_reviews WHERE seller_id = $1 AND listed",
    page="SELECT tie, row_to_json(page) FROM ({page}) AS page",
)
PRODUCTS = ListOf(
    name="product",
    rows="read.product_reviews WHERE sku = $1",
    page="""
        SELECT page.tie, row_to_json(review)
        FROM ({page}) AS page JOIN read.public_reviews AS review USING (order_id)
        WHERE review.listed ORDER BY {order}
    """,
)
ORDERS: dict[Sort, tuple[str, ...]] = {
    "newest": ("revealed_at", "tie"),
    "most_useful": ("usefulness", "revealed_at", "tie"),
}
decode = msgspec.json.Decoder(PublicReview).decode
CASTS = {"usefulness": "bigint", "revealed_at": "timestamptz", "tie": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which list, in which order, and how much of it. `stars`: only these."""

    of: ListOf
    id: str
    sort: Sort
    stars: int | None
    limit: int

    @property
    def list_name(self) -> str:
        """What its cursors belong to."""
        return f"reviews of {self.of.name} {self.sort} {self.stars or 'all'} {self.id}"


def page_query(asked: Asked, *, after: bool) -> str:
    """The query of a page: $1 the id, $2 how many, then the stars, then where it goes on."""
    columns = ORDERS[asked.sort]
    next_one = 3
    conditions = ""
    if asked.stars is not None:
        conditions += f" AND stars = ${next_one}"
        next_one += 1
    if after:
        last = ", ".join(
            f"CAST(${number} AS {CASTS[column]})" for number, column in enumerate(columns, next_one)
        )
        conditions += f" AND ({', '.join(columns)}) < ({last})"
    order = ", ".join(f"{column} DESC" for column in columns)
    page = f"SELECT * FROM {asked.of.rows}{conditions} ORDER BY {order} LIMIT $2"  # noqa: S608
    return asked.of.page.format(
        page=page, order=", ".join(f"page.{column} DESC" for column in columns)
    )


async def review_page(
    pool: asyncpg.Pool, asked: Asked, after: Sequence[str | int] | None
) -> tuple[list[PublicReviewView], list[str | int] | None]:
    """A page, and where it ends if more follow."""
    stars = [] if asked.stars is None else [asked.stars]
    rows = await pool.fetch(
        page_query(asked, after=after is not None),
        asked.id,
        asked.limit + 1,
        *stars,
        *last_seen(after),
    )
    reviews = [(tie, decode(told)) for tie, told in rows]
    page = [public_review_view(review) for _, review in reviews[: asked.limit]]
    if len(reviews) <= asked.limit:
        return page, None
    tie, last = reviews[asked.limit - 1]
    return page, end_of(asked.sort, tie, last)


def last_seen(after: Sequence[str | int] | None) -> list[Any]:
    """The columns of the order, of the last row of the page before."""
    if after is None:
        return []
    *useful, revealed_at, tie = after
    return [*useful, datetime.fromisoformat(str(revealed_at)), tie]


def end_of(sort: Sort, tie: str, last: PublicReview) -> list[str | int]:
    assert last.revealed_at is not None
    newest: list[str | int] = [last.revealed_at.isoformat(), tie]
    return newest if sort == "newest" else [last.usefulness, *newest]


def public_review_view(review: PublicReview) -> PublicReviewView:
    seen = shown(review)
    assert seen.revealed_at is not None
    assert seen.weight_milli is not None
    return PublicReviewView(
        ref=review_ref(seen.order_id, "BUYER"),
        review_id=seen.review_id,
        stars=overall_stars(seen.quality, seen.logistics, seen.service),
        quality=seen.quality,
        logistics=seen.logistics,
        service=seen.service,
        before=former_version_view(seen.before),
        text=seen.text,
        media=[*seen.media],
        incentive=seen.incentive,
        verified_purchase=True,  # there is no review without an order that was completed
        revised_after_resolution=seen.before is not None,
        incentive_disclosed=seen.incentive != "NONE",
        delivery_not_counted=not seen.delivery_counted,
        reply=public_reply_view(seen.reply),
        follow_up=public_follow_up_view(seen.follow_up),
        weight_milli=seen.weight_milli,
        reasons=reason_views(seen.reasons),
        usefulness=seen.usefulness,
        revealed_at=seen.revealed_at,
    )


def former_version_view(before: FormerVersion | None) -> FormerVersionView | None:
    if before is None:
        return None
    return FormerVersionView(
        stars=overall_stars(before.quality, before.logistics, before.service),
        quality=before.quality,
        logistics=before.logistics,
        service=before.service,
        text=before.text,
    )


def public_reply_view(reply: Reply | None) -> PublicReplyView | None:
    if reply is None:
        return None
    return PublicReplyView(text=reply.text, edited=reply.edited, published_at=reply.published_at)


def public_follow_up_view(follow_up: FollowUp | None) -> PublicFollowUpView | None:
    if follow_up is None:
        return None
    return PublicFollowUpView(
        text=follow_up.text, media=[*follow_up.media], appended_at=follow_up.appended_at
    )
