"""Rows in, a storefront's numbers out: what the reviews of a seller or of a product come to."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import asyncpg

RATINGS = """
    SELECT stars, sum(counted) AS counted, sum(not_counted) AS not_counted,
           sum(with_text) AS with_text, sum(with_media) AS with_media,
           sum(weight_milli) AS weight_milli, sum(quality_milli) AS quality_milli,
           sum(service_milli) AS service_milli, sum(logistics_milli) AS logistics_milli,
           sum(logistics_weight_milli) AS logistics_weight_milli
    FROM read.ratings WHERE {which} GROUP BY stars
"""
OF_SELLER = RATINGS.format(which="seller_id = $1 AND marketplace_id = '' AND sku = ''")
OF_PRODUCT = RATINGS.format(which="marketplace_id = $1 AND sku = $2 AND sku <> ''")
OF_SELLERS_PRODUCT = RATINGS.format(
    which="marketplace_id = $1 AND sku = $2 AND sku <> '' AND seller_id = $3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSums:
    """What the plain numbers are made of, exactly: each review's stars times its `weight_milli`.
    `rating` is quality, logistics and service by their weights, which are summed here.
    """

    weight_milli: int
    quality_milli: int
    service_milli: int
    logistics_milli: int
    logistics_weight_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingsView:
    """`rating`: 1.0 to 5.0, the mean of `ratings` reviews as far as each counts, null of none.
    `histogram`: how many of them have one star, two ... five. Those that do not count at all are
    in the lists too, and here in `not_counted`.
    """

    rating: float | None
    ratings: int
    histogram: dict[str, int]
    quality: float | None
    logistics: float | None
    service: float | None
    with_text: int
    with_media: int
    not_counted: int
    exact: WeightedSums


async def ratings_of_seller(pool: asyncpg.Pool, seller_id: str) -> RatingsView:
    return ratings_view(await pool.fetch(OF_SELLER, seller_id))


async def ratings_of_product(
    pool: asyncpg.Pool, sku: str, marketplace_id: str, seller_id: str | None
) -> RatingsView:
    """Without `seller_id`, of whoever of the marketplace has sold it."""
    if seller_id is None:
        return ratings_view(await pool.fetch(OF_PRODUCT, marketplace_id, sku))
    return ratings_view(await pool.fetch(OF_SELLERS_PRODUCT, marketplace_id, sku, seller_id))


def ratings_view(rows: list[asyncpg.Record]) -> RatingsView:
    def total(column: str) -> int:
        return int(sum(row[column] for row in rows))

    histogram = dict.fromkeys("54321", 0) | {str(row["stars"]): int(row["counted"]) for row in rows}
    exact = WeightedSums(
        weight_milli=total("weight_milli"),
        quality_milli=total("quality_milli"),
        service_milli=total("service_milli"),
        logistics_milli=total("logistics_milli"),
        logistics_weight_milli=total("logistics_weight_milli"),
    )
    return RatingsView(
        rating=rating(exact),
        ratings=total("counted"),
        histogram=histogram,
        quality=mean(exact.quality_milli, exact.weight_milli),
        logistics=mean(exact.logistics_milli, exact.logistics_weight_milli),
        service=mean(exact.service_milli, exact.weight_milli),
        with_text=total("with_text"),
        with_media=total("with_media"),
        not_counted=total("not_counted"),
        exact=exact,
    )


def rating(exact: WeightedSums) -> float | None:
    """The mean of all stars that count, of all three kinds."""
    stars = exact.quality_milli + exact.service_milli + exact.logistics_milli
    return mean(stars, 2 * exact.weight_milli + exact.logistics_weight_milli)


def mean(stars: int, weight: int) -> float | None:
    """To one decimal, rounded half up."""
    if weight == 0:
        return None
    return float((Decimal(stars) / weight).quantize(Decimal("0.1"), ROUND_HALF_UP))
