"""Events in, rows out: the reviews that everybody may read, of a seller and of a product.

What an order contains and what is said of it come from two topics, in either order. Both are kept
as they come; whichever comes second enters the review in the lists of the order's products.
"""

from collections.abc import Sequence
from typing import cast, get_args

from msgspec import Struct
from shared_events import orders, review
from shared_events.envelope import Recorded
from shared_events.orders import OrderPlaced
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows, take_turns

from review_service.projections.public import (
    PUBLIC_COLUMNS,
    PublicEvent,
    PublicReview,
    evolve,
    order_of_the_buyers,
)
from review_service.projections.ratings import COUNT, RATINGS_DDL, UNCOUNT

# The lists are read page by page in two orders, of all stars or of some, however many reviews a
# seller or a product has: an index for each. Of what one seller has sold of a product, some stars
# are looked for among all. A review is in them from its reveal on. (`usefulness` of a product's is
# what the release before this one sorts by, which reads these tables until it is gone.)
PUBLIC_REVIEWS_DDL = f"""
    CREATE TABLE public_reviews ({PUBLIC_COLUMNS});
    CREATE INDEX seller_reviews_newest ON public_reviews (seller_id, revealed_at, tie)
        WHERE listed;
    CREATE INDEX seller_reviews_newest_of_stars
        ON public_reviews (seller_id, stars, revealed_at, tie) WHERE listed;
    CREATE INDEX seller_reviews_useful
        ON public_reviews (seller_id, usefulness_voted, revealed_at, tie) WHERE listed;
    CREATE INDEX seller_reviews_useful_of_stars
        ON public_reviews (seller_id, stars, usefulness_voted, revealed_at, tie) WHERE listed;
    CREATE INDEX seller_reviews_lowest ON public_reviews (seller_id, lost_stars, revealed_at, tie)
        WHERE listed;
    CREATE INDEX seller_reviews_with_media ON public_reviews (seller_id, revealed_at, tie)
        WHERE listed AND has_media;
    CREATE TABLE ordered_products (
        order_id text PRIMARY KEY,
        marketplace_id text NOT NULL,
        skus jsonb NOT NULL
    );
    CREATE TABLE product_reviews (
        order_id text,
        marketplace_id text NOT NULL,
        seller_id text NOT NULL,
        sku text,
        stars bigint NOT NULL,
        lost_stars bigint NOT NULL GENERATED ALWAYS AS (5 - stars) STORED,
        usefulness bigint NOT NULL,
        usefulness_voted bigint NOT NULL,
        has_text boolean NOT NULL,
        has_media boolean NOT NULL,
        revealed_at timestamptz NOT NULL,
        tie text NOT NULL,
        PRIMARY KEY (order_id, sku)
    );
    CREATE INDEX product_reviews_newest
        ON product_reviews (marketplace_id, sku, revealed_at, tie);
    CREATE INDEX product_reviews_newest_of_stars
        ON product_reviews (marketplace_id, sku, stars, revealed_at, tie);
    CREATE INDEX product_reviews_useful
        ON product_reviews (marketplace_id, sku, usefulness_voted, revealed_at, tie);
    CREATE INDEX product_reviews_useful_of_stars
        ON product_reviews (marketplace_id, sku, stars, usefulness_voted, revealed_at, tie);
    CREATE INDEX product_reviews_lowest
        ON product_reviews (marketplace_id, sku, lost_stars, revealed_at, tie);
    CREATE INDEX product_reviews_with_media
        ON product_reviews (marketplace_id, sku, revealed_at, tie) WHERE has_media;
    CREATE INDEX sellers_product_reviews_newest
        ON product_reviews (marketplace_id, seller_id, sku, revealed_at, tie);
    CREATE INDEX sellers_product_reviews_useful
        ON product_reviews (marketplace_id, seller_id, sku, usefulness_voted, revealed_at, tie);
    {RATINGS_DDL}
"""
REVIEWED = "SELECT order_id FROM public_reviews WHERE order_id = ANY($1)"
TAKE_FROM_LISTS = """
    DELETE FROM product_reviews USING public_reviews AS review
    WHERE product_reviews.order_id = ANY($1) AND review.order_id = product_reviews.order_id
        AND NOT review.listed
"""
ENTER_IN_LISTS = """
    INSERT INTO product_reviews
        (order_id, marketplace_id, seller_id, sku, stars, usefulness, usefulness_voted, has_text,
         has_media, revealed_at, tie)
    SELECT review.order_id, product.marketplace_id, review.seller_id, sku, review.stars,
           review.usefulness, review.usefulness_voted, review.has_text, review.has_media,
           review.revealed_at, review.tie
    FROM public_reviews AS review JOIN ordered_products AS product USING (order_id),
         jsonb_array_elements_text(product.skus) AS sku
    WHERE review.order_id = ANY($1) AND review.listed
    ON CONFLICT (order_id, sku) DO UPDATE SET
        stars = excluded.stars, usefulness = excluded.usefulness,
        usefulness_voted = excluded.usefulness_voted,
        has_text = excluded.has_text, has_media = excluded.has_media,
        revealed_at = excluded.revealed_at
"""
# Into tables that were built again. Only what differs: a second time, under the lock of the switch,
# that is next to nothing.
BRING_VOTES = """
    WITH review AS (
        UPDATE public_reviews AS review
        SET helpful = tally.helpful, not_helpful = tally.not_helpful
        FROM votes.tally AS tally
        WHERE review.order_id = tally.order_id AND (review.helpful, review.not_helpful)
            IS DISTINCT FROM (tally.helpful, tally.not_helpful)
        RETURNING review.order_id, review.usefulness_voted)
    UPDATE product_reviews AS product SET usefulness_voted = review.usefulness_voted
    FROM review WHERE product.order_id = review.order_id
"""


class OrderedProducts(Struct, frozen=True, kw_only=True):
    """The products of an order, each once, as its marketplace or its seller calls them."""

    order_id: str
    marketplace_id: str
    skus: list[str]


PRODUCTS = Rows(table="ordered_products", key="order_id", row=OrderedProducts)
REVIEWS = Rows(table="public_reviews", key="order_id", row=PublicReview)


async def public_reviews(
    batch: Sequence[Recorded[PublicEvent | OrderPlaced]], db: Connection
) -> None:
    await take_turns((told.partition for told in batch), db)
    placed = [told.event for told in batch if isinstance(told.event, OrderPlaced)]
    await PRODUCTS.write(map(ordered_products, placed), db)
    said = [
        cast("Recorded[PublicEvent]", told)
        for told in batch
        if not isinstance(told.event, OrderPlaced)
    ]
    reviewed = await reviewed_among([order.order_id for order in placed], db)
    touched = {order_id for told in said if (order_id := order_of_the_buyers(told.event))}
    orders_touched = sorted(touched.union(reviewed))
    if not orders_touched:
        return
    await db.execute(UNCOUNT, orders_touched)
    changed = await REVIEWS.fold_recorded(said, db, key_of=order_of_the_buyers, evolve=evolve)
    await db.execute(TAKE_FROM_LISTS, changed)
    await db.execute(ENTER_IN_LISTS, [*changed, *reviewed])
    await db.execute(COUNT, orders_touched)


async def reviewed_among(placed: Sequence[str], db: Connection) -> list[str]:
    """Of orders that are placed, those of which a review has come before: of nearly none."""
    if not placed:
        return []
    return [row["order_id"] for row in await db.fetch(REVIEWED, placed)]


async def bring_votes(db: Connection) -> None:
    await db.execute(BRING_VOTES)


def ordered_products(order: OrderPlaced) -> OrderedProducts:
    skus = dict.fromkeys(line.sku for line in order.lines)
    return OrderedProducts(
        order_id=order.order_id, marketplace_id=order.marketplace_id, skus=[*skus]
    )


PUBLIC_REVIEWS = Projection(
    name="public_reviews",
    version=6,
    topics=(orders.TOPIC, review.TOPIC),
    handles=(*get_args(PublicEvent.__value__), OrderPlaced),
    tables=("public_reviews", "ordered_products", "product_reviews", "ratings"),
    ddl=PUBLIC_REVIEWS_DDL,
    apply=public_reviews,
    compared={
        "public_reviews": f"SELECT {', '.join(PublicReview.__struct_fields__)} FROM {{table}}",  # noqa: S608 - fields of the code
        "product_reviews": "SELECT order_id, marketplace_id, seller_id, sku, stars, usefulness, "
        "has_text, has_media, revealed_at, tie FROM {table}",
    },
    beside=bring_votes,
)
