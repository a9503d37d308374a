"""Rows in, public figures out: how reviews are treated, whatever their stars and their seller.

Counted are the buyers' reviews revealed in the period, each once. A review's stars are the mean
of its three at the reveal, rounded half up. A seller's size is that of now, by completed orders.
Shares are per thousand of the reviews revealed, rounded half up; reversals, of the appeals.

A seller who knows when a review came out could look for its stars here, though it is held. So days
are counted whole, and no group is told of that has too few reviews to hide one among them.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg
from shared_casework.figures import half_up, milli
from shared_runtime.clock import Clock

SMALL_BELOW = 100
MEDIUM_BELOW = 1000
FRESH = timedelta(minutes=1)
PERIODS_KEPT_MAX = 128
PERIOD_DEFAULT = timedelta(days=365)
SECONDS_AN_HOUR = 3600

type SellerSize = Literal["SMALL", "MEDIUM", "LARGE"]
SIZES: tuple[SellerSize, ...] = ("SMALL", "MEDIUM", "LARGE")
ALL_STARS = (1, 2, 3, 4, 5)
GROUP_MIN = 5

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
           sum(appeals_reversed)::bigint AS appeals_reversed,
           sum(flags_overdue)::bigint AS flags_overdue,
           sum(appeals_overdue)::bigint AS appeals_overdue
    FROM treated GROUP BY GROUPING SETS ((stars, seller_size), (stars), (seller_size))
"""  # noqa: S608 - numbers of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralityFigures:
    """How the reviews of a group were treated. Null stars or size: of all.

    `suppressed`: there are too few of them to tell anything of, and every figure is null.
    `held` and `restricted` count reviews that ever were; `flags`, `appeals` and
    `appeals_reversed` count each one, `…_overdue` those that were not decided in time. The median
    is from the submission to the first moment at which everybody could read the review, in hours,
    rounded half up; null if none could be.
    """

    stars: int | None
    seller_size: SellerSize | None
    suppressed: bool
    revealed: int | None = None
    held: int | None = None
    held_milli: int | None = None
    restricted: int | None = None
    restricted_milli: int | None = None
    median_hours_to_visible: int | None = None
    flags: int | None = None
    flags_milli: int | None = None
    flags_overdue: int | None = None
    appeals: int | None = None
    appeals_milli: int | None = None
    appeals_reversed: int | None = None
    appeals_reversed_milli: int | None = None
    appeals_overdue: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralityView:
    """The figures of the reviews revealed from `since` on and before `until`."""

    since: datetime
    until: datetime
    computed_at: datetime
    by_stars: list[NeutralityFigures]
    by_seller_size: list[NeutralityFigures]
    by_stars_and_seller_size: list[NeutralityFigures]


type Group = tuple[int | None, SellerSize | None]
OF_STARS: list[Group] = [(stars, None) for stars in ALL_STARS]
OF_SIZE: list[Group] = [(None, size) for size in SIZES]
OF_BOTH: list[Group] = [(stars, size) for stars in ALL_STARS for size in SIZES]
GROUPS = [*OF_STARS, *OF_SIZE, *OF_BOTH]
SUMS: list[Sequence[Group]] = [
    *([(stars, None), *((stars, size) for size in SIZES)] for stars in ALL_STARS),
    *([(None, size), *((stars, size) for stars in ALL_STARS)] for size in SIZES),
    [*OF_STARS, *OF_SIZE],
]
"""Groups of which each one follows from the others."""


class Neutrality:
    """The figures of a period, computed once a minute at most."""

    def __init__(self, pool: asyncpg.Pool, now: Clock) -> None:
        self._pool = pool
        self._now = now
        self._kept: OrderedDict[tuple[datetime, datetime], NeutralityView] = OrderedDict()

    async def of(self, since: datetime | None, until: datetime | None) -> NeutralityView:
        """Without `until`, up to today; without `since`, of the 365 days before."""
        now = self._now()
        end = until or day_of(now)
        period = since or end - PERIOD_DEFAULT, end
        kept = self._kept.get(period)
        if kept is not None and now - kept.computed_at < FRESH:
            return kept
        view = await figures(self._pool, *period, now)
        self._kept[period] = view
        self._kept.move_to_end(period)
        while len(self._kept) > PERIODS_KEPT_MAX:
            self._kept.popitem(last=False)
        return view


async def figures(
    pool: asyncpg.Pool, since: datetime, until: datetime, now: datetime
) -> NeutralityView:
    """Every group, also those that nothing is told of."""
    rows = await pool.fetch(FIGURES, since, until)
    found: dict[Group, Mapping[str, Any]] = {
        (row["stars"], row["seller_size"]): dict(row) for row in rows
    }
    revealed = {group: found[group]["revealed"] if group in found else 0 for group in GROUPS}
    hidden = too_few(revealed)

    def of(groups: Sequence[Group]) -> list[NeutralityFigures]:
        return [group_figures(group, None if group in hidden else found[group]) for group in groups]

    return NeutralityView(
        since=since,
        until=until,
        computed_at=now,
        by_stars=of(OF_STARS),
        by_seller_size=of(OF_SIZE),
        by_stars_and_seller_size=of(OF_BOTH),
    )


def too_few(revealed: Mapping[Group, int]) -> set[Group]:
    """The groups to say nothing of. Of groups that add up, one alone would follow from the others:
    the smallest of these goes with it.
    """
    hidden = {group for group, reviews in revealed.items() if reviews < GROUP_MIN}
    while alone := [told for told in SUMS if len(hidden.intersection(told)) == 1]:
        hidden.add(
            min((group for group in alone[0] if group not in hidden), key=revealed.__getitem__)
        )
    return hidden


def day_of(now: datetime) -> datetime:
    """The first instant of the day, in UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def group_figures(group: Group, row: Mapping[str, Any] | None) -> NeutralityFigures:
    """None: nothing is told of it."""
    stars, seller_size = group
    if row is None:
        return NeutralityFigures(stars=stars, seller_size=seller_size, suppressed=True)
    counted: dict[str, int] = {name: row[name] for name in COUNTED}
    median_seconds: int | None = row["median_seconds"]
    revealed = counted["revealed"]
    return NeutralityFigures(
        stars=stars,
        seller_size=seller_size,
        suppressed=False,
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


COUNTED = (
    "revealed",
    "held",
    "restricted",
    "flags",
    "flags_overdue",
    "appeals",
    "appeals_reversed",
    "appeals_overdue",
)
