"""The workers of a service in, which partitions of its own log each of them reads out.

The 64 partitions are in groups, and each group is one worker's: all that reads the own log there
(relay, projections, reactions, the arming of timers) is done by it, and what it has fetched and
decoded serves them all. The groups are spread evenly over the workers that live. A worker that has
ended has none from the next look on; one that is frozen, or cut off, after `ALIVE_SECONDS`.

A group that changes hands has a new epoch, which whoever has it now writes into the cursors of what
he reads there. That waits for the last transaction of the one before, and no later one of his finds
a cursor that is his: nobody takes over in the middle of a batch.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import structlog
from prometheus_client import Gauge

from shared_runtime.bells import Bells
from shared_runtime.delivery import WORLD_FAILURES, Place
from shared_runtime.pausing import pause

GROUPS = 16
LOOK_SECONDS = 1.0
ALIVE_SECONDS = 10.0
RENEW_SECONDS = ALIVE_SECONDS / 3
ALIVE = 0x77726B72
"""The class of the session locks that say which workers are connected."""

log = structlog.get_logger()
owned_groups = Gauge(
    "aftersales_owned_groups", f"Groups of partitions that this worker has, of {GROUPS} in all."
)

JOIN = """
    INSERT INTO es.worker (id, seen_at) VALUES ($1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at RETURNING number
"""
CONNECT = "SELECT pg_advisory_lock_shared($1, $2)"
MAKE_LEASES = """
    INSERT INTO es.lease (partition_group) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING
"""
# Who has lost his session has ended; who has not been seen for long is frozen or cut off.
LIVING = """
    SELECT worker.id FROM es.worker AS worker
    JOIN pg_locks AS lock ON lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2
        AND lock.classid = $1 AND lock.objid = worker.number
    JOIN pg_database AS here ON here.oid = lock.database AND here.datname = current_database()
    WHERE worker.seen_at > clock_timestamp() - make_interval(secs => $2)
"""
OWNED = "SELECT partition_group, epoch FROM es.lease WHERE owner = $1 ORDER BY partition_group"
GIVE_UP = "UPDATE es.lease SET owner = NULL WHERE owner = $1 AND partition_group = ANY($2::int[])"
TAKE = """
    UPDATE es.lease SET owner = $1, epoch = epoch + 1 WHERE partition_group IN (
        SELECT partition_group FROM es.lease WHERE owner IS NULL OR owner <> ALL($2::uuid[])
        ORDER BY partition_group LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
LEAVE = """
    WITH gone AS (UPDATE es.lease SET owner = NULL WHERE owner = $1)
    DELETE FROM es.worker WHERE id = $1
"""
FORGET_OTHERS = """
    DELETE FROM es.worker WHERE seen_at < clock_timestamp() - make_interval(secs => 100 * $1)
"""


CLAIM = f"""
    UPDATE es.cursor AS cursor SET lease_epoch = claim.epoch
    FROM unnest($2::int[], $3::bigint[]) AS claim (partition_group, epoch)
    WHERE cursor.subscription = $1 AND cursor.partition % {GROUPS} = claim.partition_group
      AND cursor.lease_epoch < claim.epoch
"""  # noqa: S608 - a constant of this file


def group_of(place: Place) -> int:
    """The same for all topics: rows that follow from two of them have one writer."""
    return place[1] % GROUPS


async def claim(db: asyncpg.Pool, subscription: str, groups: Mapping[int, int]) -> None:
    """Makes the cursors of these groups (with their epochs) those of whoever has them now."""
    await db.execute(CLAIM, subscription, [*groups.keys()], [*groups.values()])


@dataclass(slots=True)
class Ownership:
    """The part of one worker. `groups`: what it has, as far as it knows, with their epochs.
    `bells`: what rings when another process says that the log has grown. `clock`: of this machine,
    in seconds; it goes on while the process is frozen.
    """

    pool: asyncpg.Pool
    bells: Bells | None = None
    clock: Callable[[], float] = time.monotonic
    worker: UUID = field(default_factory=uuid4)
    groups: dict[int, int] = field(default_factory=dict[int, int])
    _session: asyncpg.pool.PoolConnectionProxy | None = None
    _renewed_at: float = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Says that it lives and takes its share, until `stop`; then leaves all to the others."""
        try:
            while not stop.is_set():
                try:
                    await self.look()
                except WORLD_FAILURES as failure:
                    log.warning("leases wait", failure=type(failure).__name__)
                    await self._disconnect()
                await pause(stop, LOOK_SECONDS)
        finally:
            await self.leave()

    async def look(self) -> None:
        """Says that it lives, gives up what is more than its share, takes what nobody has."""
        db = await self._connected()
        living = {row["id"] for row in await db.fetch(LIVING, ALIVE, ALIVE_SECONDS)}
        is_due = self.clock() - self._renewed_at >= RENEW_SECONDS
        if is_due or self.worker not in living:
            await self._renew(db)
        living.add(self.worker)
        share = -(-GROUPS // len(living))
        owned = await self._owned(db)
        kept, surplus = [*owned][:share], [*owned][share:]
        self._set({group: owned[group] for group in kept})  # before others have the rest
        if surplus:
            await db.execute(GIVE_UP, self.worker, surplus)
        elif len(kept) < share:
            await db.execute(TAKE, self.worker, [*living], share - len(kept))
            self._set(await self._owned(db))

    def is_sure(self) -> bool:
        """Whether nobody can have taken it for one that is frozen. One that was finds out here, and
        not from `groups`, until its next look.
        """
        return self.clock() - self._renewed_at < ALIVE_SECONDS

    async def leave(self) -> None:
        self._set({})
        with suppress(*WORLD_FAILURES):
            await self.pool.execute(LEAVE, self.worker)
        await self._disconnect()

    async def _owned(self, db: asyncpg.pool.PoolConnectionProxy) -> dict[int, int]:
        rows = await db.fetch(OWNED, self.worker)
        return {row["partition_group"]: row["epoch"] for row in rows}

    def _set(self, groups: dict[int, int]) -> None:
        if groups.keys() != self.groups.keys():
            log.info("partition groups", owned=[*groups])
        self.groups = groups
        owned_groups.set(len(groups))

    async def _connected(self) -> asyncpg.pool.PoolConnectionProxy:
        """A session of its own, whose lock says that it lives."""
        if self._session is None or not is_open(self._session):
            await self._disconnect()
            self._session = await self.pool.acquire()
            number = await self._renew(self._session)
            await self._session.execute(CONNECT, ALIVE, number)
            await self._session.execute(MAKE_LEASES, GROUPS)
            await self._session.execute(FORGET_OTHERS, ALIVE_SECONDS)
            if self.bells is not None:
                await self.bells.listen(self._session)
        return self._session

    async def _renew(self, db: asyncpg.pool.PoolConnectionProxy) -> int:
        """Says that it lives; the number that it is known by."""
        renewed_at = self.clock()
        number: int = await db.fetchval(JOIN, self.worker)
        self._renewed_at = renewed_at
        return number

    async def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(asyncpg.InterfaceError):  # it was lost, and its lock with it
                session.terminate()
            await self.pool.release(session)


def is_open(session: asyncpg.pool.PoolConnectionProxy | None) -> bool:
    """Whether the session lives. A pool takes a lost connection back, and its proxy only raises."""
    try:
        return session is not None and not session.is_closed()
    except asyncpg.InterfaceError:
        return False
