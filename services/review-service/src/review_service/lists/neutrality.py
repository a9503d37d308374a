"""Rows in, public figures out: how reviews are treated, whatever their stars and their seller.

Counted are the buyers' reviews revealed in the period, each once. A review's stars are the mean
of its three at the reveal, rounded half up. A seller's size is that of now, by completed orders.
Shares are per thousand of the reviews revealed, rounded half up; reversals, of the appeals.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
from shared_runtime.clock import Clock

SMALL_BELOW = 100
MEDIUM_BELOW = 1000
FRESH = timedelta(minutes=1)
PERIODS_KEPT_MAX = 128
PERIOD_DEFAULT = timedelta(days=365)
SECONDS_AN_HOUR = 3600

type SellerSize = Literal["SMALL", "MEDIUM", "LARGE"]
SIZES: tuple[SellerSize, ...] = ("SMALL", "MEDIUM", "LARGE")
STARS = (1, 2, 3, 4, 5)

# The median is the time that half of them took at most: one that has occurred.
FIGURES = f"""
    WITH treated AS (
        SELECT review.*, CASE
            WHEN coalesce(size.orders_completed, 0) < {SMALL_BELOW} THEN 'SMALL'
            WHEN size.orders_completed < {MEDIUM_BELOW} THEN 'MEDIUM'
            ELSE 'LARGE' END AS seller_size
        FROM read.treated_reviews AS review LEFT JOIN read.seller_sizes AS size USING (seller_id)
        WHERE revealed_at >= $1 AND revealed_at < $2
    )
    SELECT stars, seller_size, count(*) AS revealed,
           count(*) FILTER (WHERE held) AS held, count(*) FILTER (WHERE restricted) AS restricted,
           percentile_disc(0.5) WITHIN GROUP (
               ORDER BY extract(epoch FROM visible_at - submitted_at)::bigint)
               FILTER (WHERE visible_at IS NOT NULL) AS median_seconds,
           sum(flags)::bigint AS flags, sum(appeals)::bigint AS appeals,
           sum(appeals_reversed)::bigint AS appeals_reversed
    FROM treated GROUP BY GROUPING SETS ((stars, seller_size), (stars), (seller_size))
"""  # noqa: S608 - numbers of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralityFigures:
    """How the reviews of a group were treated. Null stars or size: of all.

    `held` and `restricted` count reviews that ever were; `flags`, `appeals` and
    `appeals_reversed` count each one. The median is from the submission to the first moment at
    which everybody could read the review, in hours, rounded half up; null if none could be.
    """

    stars: int | None
    seller_size: SellerSize | None
    revealed: int
    held: int
    held_milli: int | None
    restricted: int
    restricted_milli: int | None
    median_hours_to_visible: int | None
    flags: int
    flags_milli: int | None
    appeals: int
    appeals_milli: int | None
    appeals_reversed: int
    appeals_reversed_milli: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralityView:
    """The figures of the reviews revealed from `since` on and before `until`."""

    since: datetime
    until: datetime
    computed_at: datetime
    by_stars: list[NeutralityFigures]
    by_seller_size: list[NeutralityFigures]
    by_stars_and_seller_size: list[NeutralityFigures]


type _Group = tuple[int | None, SellerSize | None]


class Neutrality:
    """The figures of a period, computed once a minute at most."""

    def __init__(self, pool: asyncpg.Pool, now: Clock) -> None:
        self._pool = pool
        self._now = now
        self._kept: OrderedDict[tuple[datetime | None, datetime | None], NeutralityView] = (
            OrderedDict()
        )

    async def of(self, since: datetime | None, until: datetime | None) -> NeutralityView:
        """Without `until`, up to now; without `since`, of the 365 days before."""
        now = self._now()
        kept = self._kept.get((since, until))
        if kept is not None and now - kept.computed_at < FRESH:
            return kept
        end = until or now
        view = await figures(self._pool, since or end - PERIOD_DEFAULT, end, now)
        self._kept[since, until] = view
        self._kept.move_to_end((since, until))
        while len(self._kept) > PERIODS_KEPT_MAX:
            self._kept.popitem(last=False)
        return view


async def figures(
    pool: asyncpg.Pool, since: datetime, until: datetime, now: datetime
) -> NeutralityView:
    """Every group, also those without a review."""
    rows = await pool.fetch(FIGURES, since, until)
    found: dict[_Group, asyncpg.Record] = {(row["stars"], row["seller_size"]): row for row in rows}

    def of(groups: Sequence[_Group]) -> list[NeutralityFigures]:
        return [group_figures(group, found.get(group)) for group in groups]

    return NeutralityView(
        since=since,
        until=until,
        computed_at=now,
        by_stars=of([(stars, None) for stars in STARS]),
        by_seller_size=of([(None, size) for size in SIZES]),
        by_stars_and_seller_size=of([(stars, size) for stars in STARS for size in SIZES]),
    )


def group_figures(group: _Group, row: asyncpg.Record | None) -> NeutralityFigures:
    stars, seller_size = group
    counted: dict[str, int] = dict.fromkeys(COUNTED, 0)
    if row is not None:
        counted = {name: row[name] for name in COUNTED}
    median_seconds = None if row is None else row["median_seconds"]
    revealed = counted["revealed"]
    return NeutralityFigures(
        stars=stars,
        seller_size=seller_size,
        held_milli=milli(counted["held"], revealed),
        restricted_milli=milli(counted["restricted"], revealed),
        flags_milli=milli(counted["flags"], revealed),
        appeals_milli=milli(counted["appeals"], revealed),
        appeals_reversed_milli=milli(counted["appeals_reversed"], counted["appeals"]),
        median_hours_to_visible=None
        if median_seconds is None
        else half_up(median_seconds, SECONDS_AN_HOUR),
        **counted,
    )


COUNTED = ("revealed", "held", "restricted", "flags", "appeals", "appeals_reversed")


def milli(part: int, whole: int) -> int | None:
    """Per thousand; null of nothing."""
    return None if whole == 0 else half_up(1000 * part, whole)


def half_up(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
