"""Events in, rows out: of which orders a buyer or a seller has written or received a review.

A review that was written is its writer's from then on, and the other side's from the reveal on.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import ReviewsRevealed, ReviewSubmitted, ReviewWithdrawn, Side
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

# What he wrote, by when he wrote it; what he received, by when it was revealed.
OWN_REVIEWS_DDL = """
    CREATE TABLE own_reviews (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        buyer_wrote_at timestamptz,
        seller_wrote_at timestamptz,
        revealed_at timestamptz
    );
    CREATE INDEX written_by_buyer ON own_reviews (buyer_id, buyer_wrote_at, order_id)
        WHERE buyer_wrote_at IS NOT NULL;
    CREATE INDEX written_by_seller ON own_reviews (seller_id, seller_wrote_at, order_id)
        WHERE seller_wrote_at IS NOT NULL;
    CREATE INDEX received_by_buyer ON own_reviews (buyer_id, revealed_at, order_id)
        WHERE seller_wrote_at IS NOT NULL AND revealed_at IS NOT NULL;
    CREATE INDEX received_by_seller ON own_reviews (seller_id, revealed_at, order_id)
        WHERE buyer_wrote_at IS NOT NULL AND revealed_at IS NOT NULL;
"""


class OwnReviews(Struct, frozen=True, kw_only=True):
    """When each side wrote about the other, if it did, and when both could read it."""

    order_id: str
    seller_id: str
    buyer_id: str
    buyer_wrote_at: datetime | None = None
    seller_wrote_at: datetime | None = None
    revealed_at: datetime | None = None


type OwnReviewEvent = ReviewSubmitted | ReviewWithdrawn | ReviewsRevealed
ROWS = Rows(table="own_reviews", key="order_id", row=OwnReviews)


async def own_reviews(batch: Sequence[Recorded[OwnReviewEvent]], db: Connection) -> None:
    await ROWS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)


def evolve(before: OwnReviews | None, event: OwnReviewEvent) -> OwnReviews | None:
    row = before or OwnReviews(
        order_id=event.order_id, seller_id=event.seller_id, buyer_id=event.buyer_id
    )
    match event:
        case ReviewSubmitted():
            return wrote(row, event.side, event.submitted_at)
        case ReviewWithdrawn(before_reveal=True):
            row = wrote(row, event.side, None)
            return row if row.buyer_wrote_at or row.seller_wrote_at else None
        case ReviewWithdrawn():
            return before  # it is still told that there was one
        case ReviewsRevealed():
            return replace(row, revealed_at=event.revealed_at)


def wrote(row: OwnReviews, side: Side, at: datetime | None) -> OwnReviews:
    match side:
        case "BUYER":
            return replace(row, buyer_wrote_at=at)
        case "SELLER":
            return replace(row, seller_wrote_at=at)


OWN_REVIEWS = Projection(
    name="own_reviews",
    version=1,
    topics=(review.TOPIC,),
    handles=get_args(OwnReviewEvent.__value__),
    tables=("own_reviews",),
    ddl=OWN_REVIEWS_DDL,
    apply=own_reviews,
)
