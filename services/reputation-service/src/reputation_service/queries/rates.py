"""Rows in, answers out: how often a seller was late, did not deliver or was in the wrong, and how
often a buyer complained in bad faith.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import DAY_MICROS, day_of, instant
from reputation_service.domain.read import rhe

COUNTS = """
    SELECT counted, sum(many)::bigint AS many FROM read.rate
    WHERE account_id = $1 AND week BETWEEN $2 AND $3 GROUP BY counted
"""
LATE = """
    SELECT count(*) FROM read.late_order
    WHERE seller_id = $1 AND week BETWEEN $2 AND $3 AND NOT excused
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateView:
    """`many` of `of`; `milli` of a thousand, rounded half to even, absent of nothing."""

    many: int
    of: int
    milli: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerRatesView:
    """Whole weeks from `since` on, that of `as_of` among them. In no score.

    `late`: orders that came too late, of those that were complete, without those for whose delay a
    carrier or a disaster is to blame. `dispatched_late`: of those that were sent. `cancelled`: by
    the seller, of those that he sent or cancelled. `defects`: disputes that he lost or left
    unanswered, of orders that were complete.
    """

    seller_id: str
    since: datetime
    as_of: datetime
    late: RateView
    dispatched_late: RateView
    cancelled: RateView
    defects: RateView


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerRatesView:
    """`abuse`: disputes of these weeks that he was found to have opened in bad faith."""

    buyer_id: str
    since: datetime
    as_of: datetime
    abuse: int


def rate(many: int, of: int) -> RateView:
    return RateView(many=many, of=of, milli=rhe(1000 * many, of) if of else None)


def first_week(as_of: int, weeks: int) -> int:
    return _week(as_of) - weeks + 1


async def seller_rates(
    pool: asyncpg.Pool, seller_id: str, as_of: int, weeks: int
) -> SellerRatesView:
    """By what is known now of the weeks up to an instant."""
    span = (first_week(as_of, weeks), _week(as_of))
    counted = await _counts(pool, seller_id, span)
    late = await pool.fetchval(LATE, seller_id, *span)
    return seller_rates_view(seller_id, as_of, weeks, counted, late)


def seller_rates_view(
    seller_id: str, as_of: int, weeks: int, counted: Mapping[str, int], late: int
) -> SellerRatesView:
    completed, shipped = counted.get("COMPLETED", 0), counted.get("SHIPPED", 0)
    cancelled = counted.get("CANCELLED", 0)
    return SellerRatesView(
        seller_id=seller_id,
        since=_begin(as_of, weeks),
        as_of=instant(as_of),
        late=rate(late, completed),
        dispatched_late=rate(counted.get("DISPATCHED_LATE", 0), shipped),
        cancelled=rate(cancelled, shipped + cancelled),
        defects=rate(counted.get("DEFECT", 0), completed),
    )


async def buyer_rates(pool: asyncpg.Pool, buyer_id: str, as_of: int, weeks: int) -> BuyerRatesView:
    counted = await _counts(pool, buyer_id, (first_week(as_of, weeks), _week(as_of)))
    return buyer_rates_view(buyer_id, as_of, weeks, counted)


def buyer_rates_view(
    buyer_id: str, as_of: int, weeks: int, counted: Mapping[str, int]
) -> BuyerRatesView:
    return BuyerRatesView(
        buyer_id=buyer_id,
        since=_begin(as_of, weeks),
        as_of=instant(as_of),
        abuse=counted.get("ABUSE", 0),
    )


async def _counts(pool: asyncpg.Pool, account_id: str, span: tuple[int, int]) -> dict[str, int]:
    rows = await pool.fetch(COUNTS, account_id, *span)
    return {row["counted"]: row["many"] for row in rows}


def _week(as_of: int) -> int:
    return day_of(as_of) // WEEK_DAYS


def _begin(as_of: int, weeks: int) -> datetime:
    return instant(first_week(as_of, weeks) * WEEK_DAYS * DAY_MICROS)
