"""Events in, rows out: the reviews of a seller that everybody may read."""

from collections.abc import Sequence

from shared_events import review
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection

from review_service.projections.public import (
    PUBLIC_COLUMNS,
    PUBLIC_EVENTS,
    PublicEvent,
    fold_public,
    public_rows,
)

# The list is read page by page in two orders, of all stars or of some, however many there are of
# one seller: an index for each. A review is in them from its reveal on.
SELLER_REVIEWS_DDL = f"""
    CREATE TABLE seller_reviews ({PUBLIC_COLUMNS});
    CREATE INDEX seller_reviews_newest ON seller_reviews (seller_id, revealed_at, tie)
        WHERE listed;
    CREATE INDEX seller_reviews_newest_of_stars
        ON seller_reviews (seller_id, stars, revealed_at, tie) WHERE listed;
    CREATE INDEX seller_reviews_useful ON seller_reviews (seller_id, usefulness, revealed_at, tie)
        WHERE listed;
    CREATE INDEX seller_reviews_useful_of_stars
        ON seller_reviews (seller_id, stars, usefulness, revealed_at, tie) WHERE listed;
"""
ROWS = public_rows("seller_reviews")


async def seller_reviews(batch: Sequence[Recorded[PublicEvent]], db: Connection) -> None:
    await fold_public(ROWS, batch, db)


SELLER_REVIEWS = Projection(
    name="seller_reviews",
    version=2,
    topics=(review.TOPIC,),
    handles=PUBLIC_EVENTS,
    tables=("seller_reviews",),
    ddl=SELLER_REVIEWS_DDL,
    apply=seller_reviews,
)
