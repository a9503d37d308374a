"""Rows in, figures out: how returns have ended, by their reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

COUNT = """
    SELECT reason, resolution, count(*) AS returns, currency,
        sum(refunded_minor)::bigint AS refunded_minor,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY closed_at - began_at) AS median
    FROM read.listed_return
    WHERE closed_at >= $1 AND closed_at < $2{conditions}
    GROUP BY reason, resolution, currency ORDER BY reason, resolution, currency
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFigure:
    """Of returns that were closed in that time with this end; `refunded_minor`: of all of them.
    `median_seconds`: from the request to the end.
    """

    reason: str
    resolution: str
    currency: str
    returns: int
    refunded_minor: int
    median_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnStatistics:
    since: datetime
    until: datetime
    figures: list[ReturnFigure]


async def return_statistics(
    pool: asyncpg.Pool, seller_id: str | None, since: datetime, until: datetime
) -> ReturnStatistics:
    """Of one seller, or of all."""
    values: Sequence[object] = [since, until]
    conditions = ""
    if seller_id is not None:
        values = [*values, seller_id]
        conditions = " AND seller_id = $3"
    rows = await pool.fetch(COUNT.format(conditions=conditions), *values)
    figures = [
        ReturnFigure(
            reason=row["reason"],
            resolution=row["resolution"],
            currency=row["currency"],
            returns=row["returns"],
            refunded_minor=row["refunded_minor"],
            median_seconds=int(row["median"].total_seconds()),
        )
        for row in rows
    ]
    return ReturnStatistics(since=since, until=until, figures=figures)
