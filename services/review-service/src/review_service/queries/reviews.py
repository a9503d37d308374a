"""Rows in, pages out: the reviews of a seller or of a product that everybody may read.

A product is what a marketplace calls by that SKU; where each of its sellers has numbers of his own,
what this seller calls so. Texts and media are sealed here; the edge opens them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec
from shared_events.review import Incentive
from shared_runtime.pages import Column, Key, Keyset, PageStart

from review_service.projections.public import (
    FollowUp,
    FormerVersion,
    ListedReview,
    Reply,
    shown,
)
from review_service.projections.stars import overall_stars
from review_service.refs import RefOf
from review_service.views import MediaShown, ReasonView, reason_views

type Sort = Literal["newest", "oldest", "highest", "lowest", "most_useful"]


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
    whose writer was erased, is null; so is the marketplace for a moment, until what was ordered is
    known here too. `language` is what the text is in, a BCP 47 tag; null where that is not sure, of
    a few words, and for a moment. So many readers say that it was `helpful`, so many that it was
    not.
    """

    ref: str
    seller_id: str
    marketplace_id: str | None
    stars: int
    quality: int
    logistics: int
    service: int
    before: FormerVersionView | None
    text: str | None
    language: str | None
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
    helpful: int
    not_helpful: int
    usefulness: int
    revealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReviewPage:
    items: list[PublicReviewView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list: what it is called in a cursor, its rows, the values that choose them, its pages."""

    name: str
    table: str
    rows: str
    values: Sequence[str]
    page: str


# A page is taken from the index of its order first; only its rows are then read whole.
OF_SELLER = """
    SELECT page.tie,
           (SELECT marketplace_id FROM read.ordered_products WHERE order_id = page.order_id),
           (SELECT language FROM read.review_languages WHERE order_id = page.order_id),
           row_to_json(page)
    FROM ({page}) AS page
"""
OF_PRODUCT = """
    SELECT page.tie, page.marketplace_id,
           (SELECT language FROM read.review_languages WHERE order_id = page.order_id),
           row_to_json(review)
    FROM ({page}) AS page JOIN read.public_reviews AS review USING (order_id)
    WHERE review.listed ORDER BY {order}
"""
# Looked at row by row in the order of the list: what a page costs does not hang on guesses about
# how many are in that language.
IN_LANGUAGE = """
    AND has_text AND (SELECT language FROM read.review_languages AS said
                      WHERE said.order_id = {table}.order_id) = ${number}
"""
# There is no review without an order that was completed.
NOT_VERIFIED = " AND false"


def of_seller(seller_id: str) -> ListOf:
    rows = "read.public_reviews WHERE seller_id = $2 AND listed"
    return ListOf(
        name=f"seller {seller_id!r}",
        table="public_reviews",
        rows=rows,
        values=[seller_id],
        page=OF_SELLER,
    )


def of_product(sku: str, marketplace_id: str, seller_id: str | None = None) -> ListOf:
    """Without `seller_id`, whoever of the marketplace has sold it."""
    rows = "read.product_reviews WHERE marketplace_id = $2 AND sku = $3"
    values = [marketplace_id, sku]
    if seller_id is not None:
        rows += " AND seller_id = $4"
        values.append(seller_id)
    return ListOf(
        name=f"product {values}",
        table="product_reviews",
        rows=rows,
        values=values,
        page=OF_PRODUCT,
    )


REVEALED: dict[str, Column] = {"revealed_at": "timestamptz", "tie": "text"}
# Of equals the newest come first; `lost_stars` are those that lack of five.
ORDERS: dict[Sort, Keyset] = {
    "newest": Keyset(columns=REVEALED, descending=True),
    "oldest": Keyset(columns=REVEALED),
    "highest": Keyset(columns={"stars": "bigint", **REVEALED}, descending=True),
    "lowest": Keyset(columns={"lost_stars": "bigint", **REVEALED}, descending=True),
    "most_useful": Keyset(columns={"usefulness_voted": "bigint", **REVEALED}, descending=True),
}
decode = msgspec.json.Decoder(ListedReview).decode


class Listed(NamedTuple):
    """A review of a page. `tie` tells it from others that are equal in the order of the list."""

    tie: str
    marketplace_id: str | None
    language: str | None
    review: ListedReview


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReviews:
    """Which list, and in which order. `stars`: only these; `text`, `media`: only those with one,
    or only those without. `language`: only those whose text is in it. `since`, `until`: only those
    that were revealed from then on, before then. `verified`: only those of orders that were
    completed, or only others.
    """

    of: ListOf
    sort: Sort = "newest"
    stars: int | None = None
    text: bool | None = None
    media: bool | None = None
    language: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    verified: bool | None = None

    @property
    def name(self) -> str:
        """What its cursors belong to."""
        wanted = f"{self.stars or 'all'} {self.text} {self.media} {self.language}"
        period = f"{self.since} {self.until} {self.verified}"
        return f"reviews of {self.of.name} {self.sort} {wanted} {period}"

    def sql(self, start: PageStart) -> tuple[str, list[Any]]:
        """The query of a page, and its parameters."""
        values: list[Any] = [start.rows_max, *self.of.values]
        conditions, order = "", ORDERS[self.sort]
        if self.stars is not None:
            values.append(self.stars)
            conditions += f" AND stars = ${len(values)}"
        for column, wanted in (("has_text", self.text), ("has_media", self.media)):
            if wanted is not None:
                conditions += f" AND {'' if wanted else 'NOT '}{column}"
        for limit, at in ((">=", self.since), ("<", self.until)):
            if at is not None:
                values.append(at)
                conditions += f" AND revealed_at {limit} ${len(values)}"
        if self.verified is False:
            conditions += NOT_VERIFIED
        if self.language is not None:
            values.append(self.language)
            conditions += IN_LANGUAGE.format(table=self.of.table, number=len(values))
        conditions += order.behind(start, len(values) + 1)
        page = f"SELECT * FROM {self.of.rows}{conditions} ORDER BY {order.order()} LIMIT $1"  # noqa: S608
        sql = self.of.page.format(page=page, order=order.order("page."))
        return sql, [*values, *order.values(start)]


async def review_page(
    pool: asyncpg.Pool, wanted: WantedReviews, start: PageStart, ref_of: RefOf
) -> PublicReviewPage:
    sql, values = wanted.sql(start)
    rows = await pool.fetch(sql, *values)
    found = [
        Listed(tie, marketplace_id, language, decode(told))
        for tie, marketplace_id, language, told in rows
    ]
    page, more = start.cut(found, partial(key_of, wanted.sort))
    return PublicReviewPage(
        items=[public_review_view(each, ref_of) for each in page], next_cursor=more
    )


def key_of(sort: Sort, listed: Listed) -> Key:
    review = listed.review
    assert review.revealed_at is not None
    revealed = (review.revealed_at, listed.tie)
    stars = overall_stars(review.quality, review.logistics, review.service)
    match sort:
        case "newest" | "oldest":
            return revealed
        case "highest":
            return (stars, *revealed)
        case "lowest":
            return (5 - stars, *revealed)
        case "most_useful":
            return (review.usefulness_voted, *revealed)


def public_review_view(listed: Listed, ref_of: RefOf) -> PublicReviewView:
    seen = shown(listed.review)
    assert seen.revealed_at is not None
    assert seen.weight_milli is not None
    return PublicReviewView(
        ref=ref_of(seen.order_id, "BUYER"),
        seller_id=seen.seller_id,
        marketplace_id=listed.marketplace_id,
        stars=overall_stars(seen.quality, seen.logistics, seen.service),
        quality=seen.quality,
        logistics=seen.logistics,
        service=seen.service,
        before=former_version_view(seen.before),
        text=seen.text,
        language=listed.language if seen.text else None,
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
        helpful=seen.helpful,
        not_helpful=seen.not_helpful,
        usefulness=seen.usefulness_voted,
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
