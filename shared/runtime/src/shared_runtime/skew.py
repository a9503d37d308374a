"""A process's clock and the database's in, whether they agree out.

What a writer's clock says is written into the log for good, and within a partition it never falls
again: one that is days ahead would date all that comes after it. So the database has a say.
"""

from datetime import timedelta

import asyncpg
from prometheus_client import Gauge

from shared_runtime.clock import Clock

SKEW_MAX = timedelta(seconds=5)
"""How far a writer's clock may be from the database's. Clocks that are set by NTP are within some
milliseconds; the rest is for a process that was held up between looking and writing."""
READ_CLOCK = "SELECT clock_timestamp()"

skew_seconds = Gauge(
    "aftersales_clock_skew_seconds", "How far this process's clock is ahead of its database's."
)


class ClockSkewed(OSError):  # noqa: N818 - a state of the world
    """The clock of this process is too far from its database's. Nothing was done."""


async def measure_clock(pool: asyncpg.Pool, now: Clock) -> timedelta:
    """How far the clock of this process is ahead of the database's; sets the metric."""
    async with pool.acquire() as db:  # a connection is waited for before
        before = now()
        told = await db.fetchval(READ_CLOCK)
        skew: timedelta = before + (now() - before) / 2 - told
    skew_seconds.set(skew.total_seconds())
    return skew


async def check_clock(pool: asyncpg.Pool, now: Clock) -> None:
    """Measures how far the clocks are apart. Raises `ClockSkewed` above `SKEW_MAX`."""
    skew = await measure_clock(pool, now)
    if abs(skew) > SKEW_MAX:
        raise ClockSkewed(f"{skew.total_seconds():.1f} s ahead of the database")
