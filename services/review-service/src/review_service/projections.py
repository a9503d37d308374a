"""Events in, rows out: the reviews of a seller that everybody may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import ReviewWeighted, WeightReason
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

# The list is read newest first, page by page, however many there are of one seller. A marketplace
# may give one id to the reviews of two orders: `tie` tells them apart and names neither.
SELLER_REVIEWS_DDL = """
    CREATE TABLE seller_reviews (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        review_id text NOT NULL,
        quality bigint NOT NULL,
        logistics bigint NOT NULL,
        service bigint NOT NULL,
        weight_milli bigint NOT NULL,
        reasons jsonb NOT NULL,
        revealed_at timestamptz NOT NULL,
        tie text NOT NULL GENERATED ALWAYS AS (md5(order_id)) STORED
    );
    CREATE INDEX seller_reviews_newest ON seller_reviews (seller_id, revealed_at, review_id, tie);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealedReview:
    """A buyer's revealed review and how much it counts by now."""

    order_id: str
    seller_id: str
    review_id: str
    quality: int
    logistics: int
    service: int
    weight_milli: int
    reasons: list[WeightReason]
    revealed_at: datetime


ROWS = Rows(table="seller_reviews", key="order_id", row=RevealedReview)


async def seller_reviews(batch: Sequence[Recorded[ReviewWeighted]], db: Connection) -> None:
    """The last weight of each review replaces the ones before. Weights come after the reveal."""
    rows = {
        recorded.event.order_id: revealed(recorded.event)
        for recorded in batch
        if recorded.event.side == "BUYER"
    }
    await ROWS.write(rows.values(), db)


def revealed(event: ReviewWeighted) -> RevealedReview:
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return RevealedReview(
        order_id=event.order_id,
        seller_id=event.seller_id,
        review_id=event.review_id,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        weight_milli=event.weight_milli,
        reasons=event.reasons,
        revealed_at=event.counted_at,
    )


SELLER_REVIEWS = Projection(
    name="seller_reviews",
    version=1,
    topics=(review.TOPIC,),
    handles=(ReviewWeighted,),
    tables=("seller_reviews",),
    ddl=SELLER_REVIEWS_DDL,
    apply=seller_reviews,
)
PROJECTIONS = (SELLER_REVIEWS,)
