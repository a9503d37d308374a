"""What waits in a service's database in, metrics of it out: for alarms on what only stands still.

The lag of consumers of Kafka is in Kafka, by their groups' offsets.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog
from prometheus_client import Gauge

from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.log import PostgresLog

WATCH_SECONDS = 15.0
OVERDUE_MAX = 10_000
"""More are not counted: that there are so many says enough."""

LAG = """
    SELECT cursor.subscription, sum(head.position - cursor.position)
    FROM es.cursor AS cursor JOIN es.head AS head USING (topic, partition)
    GROUP BY cursor.subscription
"""
PARKED = "SELECT subscription, count(*) FROM es.parked_key GROUP BY subscription"
OVERDUE = """
    SELECT count(*) AS timers, min(due_at) AS oldest
    FROM (SELECT due_at FROM es.timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2) AS overdue
"""

log = structlog.get_logger()
lag = Gauge(
    "aftersales_log_lag",
    "Events of the own log that a subscription has not come to; the relay is one.",
    ["subscription"],
)
parked_keys = Gauge("aftersales_parked_keys", "Keys that are set aside.", ["subscription"])
overdue_timers = Gauge("aftersales_overdue_timers", "Deadlines that have passed and not fired.")
overdue_seconds = Gauge("aftersales_overdue_seconds", "How long ago the oldest of them passed.")


async def watch(
    pool: asyncpg.Pool, own_log: PostgresLog, now: Callable[[], datetime], stop: asyncio.Event
) -> None:
    """Measures now and then, until `stop`."""
    while not stop.is_set():
        try:
            await measure(pool, own_log, now)
        except WORLD_FAILURES as failure:
            log.warning("nothing measured", failure=type(failure).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WATCH_SECONDS)


async def measure(pool: asyncpg.Pool, own_log: PostgresLog, now: Callable[[], datetime]) -> None:
    """Sets all of these metrics."""
    clock = await own_log.instant(now)
    behind, parked = await pool.fetch(LAG), await pool.fetch(PARKED)
    overdue = await pool.fetchrow(OVERDUE, clock, OVERDUE_MAX)
    assert overdue is not None
    _set(lag, behind)
    _set(parked_keys, parked)
    overdue_timers.set(overdue["timers"])
    oldest = overdue["oldest"] or clock
    overdue_seconds.set((clock - oldest).total_seconds())


def _set(gauge: Gauge, rows: Iterable[asyncpg.Record]) -> None:
    """Exactly these: a subscription that is no more has no value."""
    gauge.clear()
    for subscription, value in rows:
        gauge.labels(subscription).set(float(value))
