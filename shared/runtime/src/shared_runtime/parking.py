"""Events that cannot be applied in, parked keys out; other keys go on.

A key that fails is set aside in the transaction of the cursor, by reference: its later events
follow it, in order. A retry applies them in order, up to the first that fails again; a discard
gives that one up, with a reason.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter

import asyncpg
import structlog

from shared_runtime.delivery import (
    WORLD_FAILURES,
    Connection,
    Delivery,
    Place,
    Source,
    Subscription,
    TakenOver,
    enter_tables,
)
from shared_runtime.log import AlreadyRecorded, StreamsUnreadable, VersionConflict

POISON_ATTEMPTS = 3
PARKED_KEYS_MAX = 100
REASON_LENGTH_MAX = 500
RETRY_BATCH_MAX = 500
RETRY_BYTES_MAX = 1024 * 1024
"""Of bodies, or one event."""
UNKEPT_BYTES = 64 * 1024
"""What a body is taken for that was not kept: a line of a feed has no more."""
RETRIES_AT_ONCE = 4
"""In a process: what is tried again is in memory beside what is new."""
RETRY_AFTER = timedelta(minutes=5)
"""Parked keys are tried again so often by themselves: by then a release that can apply them may
have taken over, or what they need may be back."""
RETRY_LOOK_SECONDS = 1.0
DISCARDED_KEPT_FOR = timedelta(days=365)
"""What a reaction has left out is told for so long; the event itself stays in the log."""
DISCARDED_PURGE_MAX = 10_000

log = structlog.get_logger()


POSITION_OF = attrgetter("position")


class TooManyParked(Exception):  # noqa: N818 - a state of the subscription
    """So many keys fail that the release is at fault, not the events: nothing more is parked."""


def is_of_the_events(fault: Exception) -> bool:
    """Whether a batch failed because of what is in it. Otherwise the same batch is tried again:
    the world failed, or another writer was first.
    """
    # The decider insists on what it has decided before; or an event is about a stream that only a
    # newer release can read.
    if isinstance(fault, (AlreadyRecorded, StreamsUnreadable)):
        return True
    return not isinstance(fault, (TakenOver, VersionConflict, *WORLD_FAILURES))


FOLLOW = """
    INSERT INTO es.parked_event (subscription, topic, partition, position, key, body, chain_hash)
    SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::bytea[],
                             $7::bytea[])
    ON CONFLICT DO NOTHING
"""
"""Read once more, since a topic was made anew or a cursor was set back, an event that waits goes on
waiting, and one that was given up is given up for good."""
PARK = """
    INSERT INTO es.parked_key (subscription, topic, partition, key, reason, parked_at)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp())
"""


async def set_aside(
    subscription: Subscription,
    deliveries: Sequence[Delivery],
    parked: set[tuple[str, int, str]],
    db: Connection,
) -> list[Delivery]:
    """Lets the events of parked keys (topic, partition, key) wait behind these; the others."""
    if not parked:
        return list(deliveries)
    waiting = [d for d in deliveries if (*d.place, d.key) in parked]
    await _wait(subscription, waiting, db)
    return [d for d in deliveries if (*d.place, d.key) not in parked]


async def park_slow_key(
    subscription: Subscription, slow: Delivery, db: Connection, parked_keys: int
) -> None:
    """Parks the key of an event whose application takes longer than a statement may.

    Raises `TooManyParked`.
    """
    reason = "it takes longer than a statement may"
    _check_room(parked_keys, reason)
    await _park_key(subscription, slow, db, reason)
    await _wait(subscription, [slow], db)


def _check_room(parked_keys: int, reason: str) -> None:
    if parked_keys >= PARKED_KEYS_MAX:
        raise TooManyParked(f"{parked_keys} keys are parked, and one more fails: {reason}")


async def park_failing_keys(
    subscription: Subscription,
    deliveries: Sequence[Delivery],
    db: Connection,
    parked_keys: int,
) -> None:
    """Applies a batch of one partition key by key; a key that fails is parked.

    Raises `TooManyParked` rather than park more than `PARKED_KEYS_MAX` keys in all.
    """
    by_key: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_key.setdefault(delivery.key, []).append(delivery)
    for waiting in by_key.values():
        done, reason = await _apply_in_order(subscription, waiting, db)
        if reason is None:
            continue
        _check_room(parked_keys, reason)
        parked_keys += 1
        await _park_key(subscription, waiting[done], db, reason)
        await _wait(subscription, waiting[done:], db)


async def _apply_in_order(
    subscription: Subscription, waiting: Sequence[Delivery], db: Connection
) -> tuple[int, str | None]:
    """How many were applied, and if one failed, why."""
    reason = await _attempt(subscription, waiting, db)
    if reason is None:
        return len(waiting), None
    for done, delivery in enumerate(waiting):
        for _ in range(POISON_ATTEMPTS):
            reason = await _attempt(subscription, [delivery], db)
            if reason is None:
                break
        if reason is not None:
            return done, reason
    return len(waiting), None


async def _attempt(
    subscription: Subscription, deliveries: Sequence[Delivery], db: Connection
) -> str | None:
    """Applies in a savepoint; the fault in words if the events cannot be applied."""
    try:
        async with db.transaction():
            await subscription.apply(deliveries, db)
    except Exception as fault:
        if not is_of_the_events(fault):
            raise
        return f"{type(fault).__name__}: {fault}"[:REASON_LENGTH_MAX]
    return None


async def _park_key(
    subscription: Subscription, first: Delivery, db: Connection, reason: str
) -> None:
    log.error(
        "key parked",
        subscription=subscription.name,
        topic=first.topic,
        partition=first.partition,
        position=first.position,
        reason=reason,
    )
    await db.execute(PARK, subscription.name, *first.place, first.key, reason)


async def _wait(subscription: Subscription, deliveries: Sequence[Delivery], db: Connection) -> None:
    if deliveries:
        await db.execute(
            FOLLOW,
            subscription.name,
            [d.topic for d in deliveries],
            [d.partition for d in deliveries],
            [d.position for d in deliveries],
            [d.key for d in deliveries],
            # What others announce may hold words that are nobody's to keep: only its place is.
            [None if d.chain_hash is None else d.body for d in deliveries],
            [d.chain_hash for d in deliveries],
        )


ASKED = """
    SELECT topic, partition, key FROM es.parked_key
    WHERE subscription = $1
      AND (retry_asked_at IS NOT NULL OR tried_at < clock_timestamp() - $2::interval)
    ORDER BY topic, partition, key
"""
ASKED_OF = """
    SELECT DISTINCT subscription FROM es.parked_key
    WHERE retry_asked_at IS NOT NULL OR tried_at < clock_timestamp() - $1::interval
"""
LOCK_KEY = """
    SELECT true FROM es.parked_key
    WHERE subscription = $1 AND topic = $2 AND partition = $3 AND key = $4 FOR UPDATE
"""
WAITING = """
    SELECT position, body, chain_hash FROM (
        SELECT *, row_number() OVER up_to_it AS number,
               sum(coalesce(octet_length(body), $7)) OVER up_to_it AS bytes
        FROM (
            SELECT position, body, chain_hash FROM es.parked_event
            WHERE subscription = $1 AND topic = $2 AND partition = $3 AND key = $4
              AND state = 'WAITING'
            ORDER BY position LIMIT $5
        ) AS next WINDOW up_to_it AS (ORDER BY position)
    ) AS counted
    WHERE bytes <= $6 OR number = 1 ORDER BY position
"""
APPLIED = """
    DELETE FROM es.parked_event
    WHERE subscription = $1 AND topic = $2 AND partition = $3 AND position = ANY($4::bigint[])
"""
FREE_KEY = """
    DELETE FROM es.parked_key
    WHERE subscription = $1 AND topic = $2 AND partition = $3 AND key = $4
"""
KEEP_PARKED = """
    UPDATE es.parked_key SET retry_asked_at = NULL, reason = $5, tried_at = clock_timestamp()
    WHERE subscription = $1 AND topic = $2 AND partition = $3 AND key = $4
"""


class Retries:
    """Of which subscriptions keys are to be tried again: one look now and then tells all those of a
    process. So many are tried `at_once`.
    """

    def __init__(self) -> None:
        self.at_once = asyncio.Semaphore(RETRIES_AT_ONCE)
        self._due: frozenset[str] = frozenset()
        self._looked_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def are_due(self, subscription: str, db: asyncpg.Pool) -> bool:
        """Whether some of this subscription were a moment ago."""
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= RETRY_LOOK_SECONDS:
                rows = await db.fetch(ASKED_OF, RETRY_AFTER)
                self._due = frozenset(name for (name,) in rows)
                self._looked_at = now
        return subscription in self._due


async def retry_parked(subscription: Subscription, source: Source, pool: asyncpg.Pool) -> int:
    """Applies the waiting events of each key whose retry was asked for, or that was last tried
    `RETRY_AFTER` ago; how many keys are free.

    In order, up to the first that fails again: with that one the key stays parked.
    """
    freed = 0
    for topic, partition, key in await pool.fetch(ASKED, subscription.name, RETRY_AFTER):
        freed += await _retry_key(subscription, source, pool, (topic, partition), key)
    return freed


async def _retry_key(
    subscription: Subscription, source: Source, pool: asyncpg.Pool, place: Place, key: str
) -> bool:
    """Whether the key is free. A long queue is worked off in several transactions."""
    name = (subscription.name, *place, key)
    while True:
        # Fetched before anything is locked: the source may be slow.
        waiting = await waiting_of(pool, name)
        positions = [row["position"] for row in waiting]
        deliveries = await _fetched(source, place, waiting)
        async with pool.acquire() as db, db.transaction():
            await enter_tables(db, subscription.tables)
            # The lock holds off the turn that would let one more event wait behind our back.
            if not await db.fetchval(LOCK_KEY, *name):
                return False
            if [row["position"] for row in await waiting_of(db, name)] != positions:
                continue
            if not positions:
                await db.execute(FREE_KEY, *name)
                log.info("key freed", subscription=subscription.name, topic=place[0])
                return True
            reason = await _apply_fetched(subscription, place, positions, deliveries, db)
            if reason is not None:
                await db.execute(KEEP_PARKED, *name, reason)
                return False


async def waiting_of(
    db: asyncpg.Pool | Connection, name: tuple[str, str, int, str]
) -> list[asyncpg.Record]:
    """The first events of a key that wait: as many as are tried again together."""
    return await db.fetch(WAITING, *name, RETRY_BATCH_MAX, RETRY_BYTES_MAX, UNKEPT_BYTES)


async def _fetched(
    source: Source, place: Place, waiting: Sequence[asyncpg.Record]
) -> list[Delivery]:
    """The events that wait: as they were kept, else as the source still has them."""
    kept = [
        Delivery(
            topic=place[0],
            partition=place[1],
            position=row["position"],
            body=row["body"],
            chain_hash=row["chain_hash"],
        )
        for row in waiting
        if row["body"] is not None
    ]
    others = [row["position"] for row in waiting if row["body"] is None]
    found = await source.fetch(place, others) if others else []
    return sorted([*kept, *found], key=POSITION_OF)


async def _apply_fetched(
    subscription: Subscription,
    place: Place,
    positions: Sequence[int],
    deliveries: Sequence[Delivery],
    db: Connection,
) -> str | None:
    """Applies what was waiting, as far as it goes; why it did not go further."""
    found = [delivery.position for delivery in deliveries]
    if missing := [position for position in positions if position not in found]:
        return f"position {missing[0]} is not in the source any more"
    done, reason = await _apply_in_order(subscription, deliveries, db)
    await db.execute(APPLIED, subscription.name, *place, positions[:done])
    return reason


LIST = """
    SELECT parked.subscription, parked.topic, parked.partition, parked.key, parked.reason,
           parked.parked_at, parked.retry_asked_at, count(event.position) AS events,
           min(event.position) AS first_position
    FROM es.parked_key AS parked
    LEFT JOIN es.parked_event AS event
        ON event.subscription = parked.subscription AND event.topic = parked.topic
        AND event.partition = parked.partition AND event.key = parked.key
        AND event.state = 'WAITING'
    GROUP BY parked.subscription, parked.topic, parked.partition, parked.key
    ORDER BY parked.parked_at
"""
ASK = """
    UPDATE es.parked_key SET retry_asked_at = clock_timestamp()
    WHERE subscription = $1 AND key = $2 AND ($3::text IS NULL OR topic = $3)
"""
# A retry under way holds the key's lock: what it has applied is not discarded behind its back.
DISCARD = """
    WITH parked AS (
        SELECT subscription, topic, partition, key FROM es.parked_key
        WHERE subscription = $1 AND key = $2 AND ($4::text IS NULL OR topic = $4)
        ORDER BY parked_at LIMIT 1 FOR UPDATE
    )
    UPDATE es.parked_event AS event
    SET state = 'DISCARDED', reason = $3, set_aside_at = clock_timestamp()
    FROM parked
    WHERE event.subscription = parked.subscription AND event.topic = parked.topic
      AND event.partition = parked.partition AND event.state = 'WAITING'
      AND event.position = (
          SELECT min(position) FROM es.parked_event AS first
          WHERE first.subscription = parked.subscription AND first.topic = parked.topic
            AND first.partition = parked.partition AND first.key = parked.key
            AND first.state = 'WAITING')
"""


async def list_parked(db: asyncpg.Pool | Connection) -> list[asyncpg.Record]:
    """The parked keys of a service, oldest first, with the reason and how many events wait."""
    return await db.fetch(LIST)


async def ask_retry(
    db: asyncpg.Pool | Connection,
    *,
    subscription: str,
    key: str,
    topic: str | None = None,
) -> bool:
    """Asks the worker to try a key again, in one topic or in all; False if it is not parked."""
    return await db.execute(ASK, subscription, key, topic) != "UPDATE 0"


async def discard_first(
    db: asyncpg.Pool | Connection,
    *,
    subscription: str,
    key: str,
    reason: str,
    topic: str | None = None,
) -> bool:
    """Gives up the first waiting event of a key, for good and with a reason; False if none waits.

    That is the one the key is parked for. It stays in the log and its reference here, so that
    what was left out can be told. The events behind it wait for a retry.
    """
    return await db.execute(DISCARD, subscription, key, reason, topic) != "UPDATE 0"


# What a projection has left out it leaves out whenever it is built again.
PURGE_DISCARDED = """
    DELETE FROM es.parked_event WHERE (subscription, topic, partition, position) IN (
        SELECT subscription, topic, partition, position FROM es.parked_event AS event
        WHERE state = 'DISCARDED' AND set_aside_at < clock_timestamp() - $1::interval
          AND NOT EXISTS (
              SELECT FROM es.projection
              WHERE event.subscription = projection.name || '/' || projection.generation)
        ORDER BY set_aside_at LIMIT $2)
"""


async def purge_discarded(db: asyncpg.Pool | Connection) -> int:
    """Forgets what reactions have left out `DISCARDED_KEPT_FOR` ago, `DISCARDED_PURGE_MAX` at most;
    how many there were. What projections have left out is kept for as long as they are.
    """
    done = await db.execute(PURGE_DISCARDED, DISCARDED_KEPT_FOR, DISCARDED_PURGE_MAX)
    return int(done.split()[-1])
