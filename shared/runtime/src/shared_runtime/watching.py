"""What waits in a service's database in, metrics of it out: for alarms on what only stands still.

How many records the consumers of Kafka are behind is in Kafka, by their groups' offsets; for how
long, is said here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog
from prometheus_client import Gauge

from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.idempotency import KEPT_FOR
from shared_runtime.log import PostgresLog
from shared_runtime.media import UNREFERENCED_LIFETIME
from shared_runtime.parking import DISCARDED_KEPT_FOR
from shared_runtime.pausing import pause
from shared_runtime.skew import measure_clock
from shared_runtime.subscription import Runner
from shared_runtime.webhooks import KEPT_FOR as DELIVERIES_KEPT_FOR

WATCH_SECONDS = 15.0
SILENCE_SECONDS_MIN = 10.0
"""Kafka answers every two seconds; what is longer than this is not how it falls."""
PURGE_SLACK = timedelta(hours=2)
"""What is old is forgotten every minute; for less than that nobody is called."""
OVERDUE_MAX = 10_000
"""More are not counted: that there are so many says enough."""

# A projection that is being built, or a recovery that was broken off, keeps nobody waiting.
LAG = """
    SELECT cursor.subscription, sum(head.position - cursor.position) AS events,
           min(next.recorded_at) AS oldest
    FROM es.cursor AS cursor JOIN es.head AS head USING (topic, partition)
    LEFT JOIN es.event AS next
        ON next.topic = cursor.topic AND next.partition = cursor.partition
        AND next.position = cursor.position + 1
    WHERE strpos(cursor.subscription, '/') = 0
       OR cursor.subscription IN (SELECT name || '/' || generation FROM es.projection)
    GROUP BY cursor.subscription
"""
PARKED = """
    SELECT subscription, count(*) AS keys,
           extract(epoch FROM clock_timestamp() - min(parked_at)) AS seconds
    FROM es.parked_key GROUP BY subscription
"""
THERE_ARE = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
UNPURGED: Mapping[str, tuple[str, timedelta, str]] = {
    "answers": (
        "es.reply",
        KEPT_FOR,
        """
        SELECT count(*) FROM (
            SELECT FROM es.reply WHERE created_at < $1::timestamptz - $2::interval LIMIT $3) AS old
        """,
    ),
    # These go by the database's clock also where time is moved by hand.
    "given_up_events": (
        "es.parked_event",
        DISCARDED_KEPT_FOR,
        """
        SELECT count(*) FROM (
            SELECT FROM es.parked_event AS event
            WHERE state = 'DISCARDED'
                AND set_aside_at < least($1::timestamptz, clock_timestamp()) - $2::interval
                AND NOT EXISTS (
                    SELECT FROM es.projection
                    WHERE event.subscription = projection.name || '/' || projection.generation)
            LIMIT $3) AS old
        """,
    ),
    "webhook_deliveries": (
        "webhook.delivery",
        DELIVERIES_KEPT_FOR,
        """
        SELECT count(*) FROM (
            SELECT FROM webhook.delivery
            WHERE created_at < $1::timestamptz - $2::interval LIMIT $3) AS old
        """,
    ),
    # What nothing refers to, and what was dropped and is in the storage still.
    "files": (
        "media.file",
        UNREFERENCED_LIFETIME,
        """
        SELECT count(*) FROM (
            (SELECT FROM media.file WHERE referenced_at IS NULL AND dropped_at IS NULL
                AND uploaded_at < $1::timestamptz - $2::interval LIMIT $3)
            UNION ALL
            (SELECT FROM media.file WHERE dropped_at < $1 LIMIT $3)) AS old
        """,
    ),
}
"""What is forgotten: its table, which not every service has, for how long it is kept, and what
counts what is older.
"""
OVERDUE = """
    SELECT count(*) AS timers, min(due_at) AS oldest
    FROM ((SELECT due_at FROM es.timer WHERE coalesce(retry_at, due_at) <= $1
           ORDER BY coalesce(retry_at, due_at) LIMIT $2)
          UNION ALL
          (SELECT due_at FROM es.timer WHERE retry_at > $1 LIMIT $2)) AS overdue
"""
# What a transaction may still read is not vacuumed away: the rows that every append and every turn
# change are found behind ever more dead ones. (A vacuum's own snapshot keeps nothing.)
OLDEST_SNAPSHOT = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)
    FROM (SELECT xact_start AS since FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type <> 'autovacuum worker'
            AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
          UNION ALL
          SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()) AS held
"""

# A standby that tells what it still reads (`hot_standby_feedback`) keeps dead rows as a session of
# its primary does; its slot goes on keeping them, and what it has not fetched, when it is away.
KEPT_FOR_REPLICAS = """
    SELECT coalesce(max(greatest(age(xmin), age(catalog_xmin))), 0)::float8 AS transactions,
           coalesce(max(pg_current_wal_lsn() - restart_lsn), 0)::float8 AS bytes
    FROM pg_replication_slots
"""

type OnKafka = tuple[Runner, Callable[[], float]]
"""A reader of topics, and what says for how many seconds Kafka has not answered it."""

log = structlog.get_logger()
lag = Gauge(
    "aftersales_log_lag_events",
    "Events of the own log that a subscription has not come to; the relay is one.",
    ["subscription"],
)
lag_seconds = Gauge(
    "aftersales_log_lag_seconds",
    "How long ago the first event was recorded that a subscription has not come to; of the relay, "
    "the age of what waits to be sent.",
    ["subscription"],
)
kafka_lag_seconds = Gauge(
    "aftersales_kafka_lag_seconds",
    "How long ago the first record was recorded that a subscription has taken from Kafka and not "
    "applied (of a feed of others: taken by Kafka); or for how long no broker has answered it, if "
    "that is longer. What lies in Kafka and is not taken yet is not seen, nor is a partition "
    "without a leader while others answer: that is in aftersales_silent_partitions.",
    ["subscription"],
)
parked_keys = Gauge("aftersales_parked_keys", "Keys that are set aside.", ["subscription"])
parked_seconds = Gauge(
    "aftersales_parked_seconds", "For how long the oldest of them is.", ["subscription"]
)
purge_debt = Gauge(
    "aftersales_purge_debt",
    "What is older than it is kept for (answers, webhook_deliveries, files, given_up_events); "
    "10,000 is more.",
    ["of"],
)
snapshot_seconds = Gauge(
    "aftersales_oldest_transaction_seconds",
    "How long ago the oldest transaction of the database began that keeps dead rows from being "
    "vacuumed. Those of other roles are seen by a role that has pg_read_all_stats.",
)
replica_transactions = Gauge(
    "aftersales_replica_kept_transactions",
    "So many transactions ago rows died that are kept for a standby or another reader of a slot of "
    "replication.",
)
replica_bytes = Gauge(
    "aftersales_replica_kept_bytes",
    "Of the write-ahead log of the database's server, kept for the slot that is furthest behind.",
)
overdue_timers = Gauge("aftersales_overdue_timers", "Deadlines that have passed and not fired.")
overdue_seconds = Gauge("aftersales_overdue_seconds", "How long ago the oldest of them passed.")


async def watch(
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    now: Callable[[], datetime],
    on_kafka: Sequence[OnKafka],
    stop: asyncio.Event,
) -> None:
    """Measures now and then, until `stop`. `on_kafka`: those of this worker that read topics."""
    while not stop.is_set():
        try:
            await measure(pool, own_log, now, on_kafka)
        except WORLD_FAILURES as failure:
            log.warning("nothing measured", failure=type(failure).__name__)
        await pause(stop, WATCH_SECONDS)


async def measure(
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    now: Callable[[], datetime],
    on_kafka: Sequence[OnKafka] = (),
) -> None:
    """Sets all of these metrics."""
    if not own_log.takes_any_clock:
        await measure_clock(pool, now)
    clock = await own_log.instant(now)
    behind, parked = await pool.fetch(LAG), await pool.fetch(PARKED)
    overdue = await pool.fetchrow(OVERDUE, clock, OVERDUE_MAX)
    assert overdue is not None
    _set(lag, {row["subscription"]: row["events"] for row in behind})
    _set(lag_seconds, {row["subscription"]: _age(row["oldest"], clock) for row in behind})
    late = {runner.subscription.name: _late(runner, silent(), clock) for runner, silent in on_kafka}
    _set(kafka_lag_seconds, late)
    _set(parked_keys, {row["subscription"]: row["keys"] for row in parked})
    _set(parked_seconds, {row["subscription"]: row["seconds"] for row in parked})
    _set(purge_debt, await debts(pool, clock))
    snapshot_seconds.set(await pool.fetchval(OLDEST_SNAPSHOT))
    await measure_replicas(pool)
    overdue_timers.set(overdue["timers"])
    overdue_seconds.set(_age(overdue["oldest"], clock))


async def debts(pool: asyncpg.Pool, clock: datetime) -> dict[str, int]:
    """How much of what is forgotten is there for too long, by what it is."""
    tables = [table for table, _, _ in UNPURGED.values()]
    there = {name for (name,) in await pool.fetch(THERE_ARE, tables)}
    return {
        of: await pool.fetchval(old, clock - PURGE_SLACK, kept_for, OVERDUE_MAX)
        for of, (table, kept_for, old) in UNPURGED.items()
        if table in there
    }


async def measure_replicas(pool: asyncpg.Pool) -> None:
    """Sets the metrics of what is kept for whoever follows the database's server."""
    kept = await pool.fetchrow(KEPT_FOR_REPLICAS)
    assert kept is not None
    replica_transactions.set(kept["transactions"])
    replica_bytes.set(kept["bytes"])


def _age(oldest: datetime | None, clock: datetime) -> float:
    return max(0.0, (clock - oldest).total_seconds()) if oldest else 0.0


def _late(reader: Runner, silent_seconds: float, clock: datetime) -> float:
    """The age of the oldest record that it has taken and not applied, or for how long it has been
    told nothing.
    """
    told = [at for waiting in reader.waiting.values() if (at := waiting.told_at) is not None]
    silence = silent_seconds if silent_seconds > SILENCE_SECONDS_MIN else 0.0
    return max(_age(min(told, default=None), clock), silence)


def _set(gauge: Gauge, values: Mapping[str, float]) -> None:
    """Exactly these: a subscription that is no more has no value."""
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(float(value))
