"""Events in, rows out: tables that can be thrown away, built again beside the live ones, switched.

A projection's tables live in a schema of their own, a *generation*. Readers go through views in
the schema `read`, which name the live generation; a switch replaces the views in one transaction,
so that a statement sees the old tables or the new ones, never a mix.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import structlog
from msgspec import Struct
from prometheus_client import Gauge
from shared_events.envelope import Recorded
from shared_events.partition import PARTITIONS

from shared_runtime.delivery import (
    Apply,
    Connection,
    Cursor,
    Delivery,
    Generation,
    Place,
    Source,
    Subscription,
    TakenOver,
    enter_tables,
)
from shared_runtime.lineage import ends_of, ends_that_answer
from shared_runtime.problems import Unavailable
from shared_runtime.sources import KafkaLog
from shared_runtime.subscription import Runner, decoded, read_cursors

SWITCH_ATTEMPTS_MAX = 20
IN_TABLES_ATTEMPTS_MAX = 20
"""Each that fails has lost to somebody else, who is done now."""
SWITCH_WAIT_MS = 500  # less than PostgreSQL's deadlock_timeout, after which it may end a reader
DIGEST_SECONDS_MAX = 6 * 3600.0
CLOSE_SECONDS = 1.0
"""What a catch-up of no more than that has left is caught up while the live projection waits."""
CATCH_UPS_MAX = 50
STUCK_SECONDS = 30.0
IDLE_SECONDS = 2.0
"""After so long without an event it is looked whether there are any to come."""
PARALLEL_MIN = 50_000
"""Fewer events are folded sooner than other processes are started."""
PARTS_MAX = 4
"""In so many processes at most, unless somebody wants more: a node has more cores than what runs
there has memory."""

log = structlog.get_logger()

LOCK_REBUILD = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
UNLOCK_REBUILD = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"
SWITCH = "UPDATE es.projection SET generation = $2, version = $3 WHERE name = $1"
RETIRED = "SELECT name, generation, version FROM es.projection WHERE name <> ALL($1::text[])"
LIVE = "SELECT generation, version FROM es.projection WHERE name = $1"
TOPICS_READ = "SELECT DISTINCT topic FROM es.cursor WHERE subscription = $1"
HEADS = "SELECT topic, partition, position, chain_hash FROM es.head WHERE topic = ANY($1)"
DISCARDED = """
    SELECT topic, partition, position FROM es.parked_event
    WHERE subscription = $1 AND state = 'DISCARDED'
"""
HAND_ON_DISCARDED = """
    WITH parked AS (DELETE FROM es.parked_event WHERE subscription = $1 RETURNING *)
    INSERT INTO es.parked_event
        (subscription, topic, partition, position, key, state, reason, set_aside_at)
    SELECT $2, topic, partition, position, key, state, reason, set_aside_at
    FROM parked WHERE state = 'DISCARDED'
    ON CONFLICT (subscription, topic, partition, position)
    DO UPDATE SET state = excluded.state, reason = excluded.reason
"""


other_release = Gauge(
    "aftersales_projection_of_another_release",
    "1 while a projection is not written: its tables are of a version that this release is not of.",
    ["projection"],
)


class OtherVersion(OSError):  # noqa: N818 - a state of a rolling deployment
    """The live tables of a projection are of another release: that one writes them."""


class CannotRebuild(Exception):  # noqa: N818 - a state of the projection
    """The message says what is in the way."""


async def nothing_beside(_: Connection) -> None:
    """What is in the tables follows from the logs alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """What is read, the tables it is turned into (`ddl`, unqualified names), and how.

    `version` rises when the tables or the meaning of their rows change. `compared`: for a table
    whose rows depend on the order in which topics arrive, or on more than topics, the query over
    `{table}` that does not. `beside`: brings into new tables what the rows have that is in no log.
    """

    name: str
    version: int
    topics: tuple[str, ...]
    handles: tuple[type[Struct], ...]
    tables: tuple[str, ...]
    ddl: str
    apply: Callable[[Sequence[Recorded[Any]], Connection], Awaitable[None]]
    compared: Mapping[str, str] = field(default_factory=dict[str, str])
    beside: Callable[[Connection], Awaitable[None]] = nothing_beside


def subscription_of(projection: Projection, number: int, *, live: bool) -> Subscription:
    """The subscription that fills one generation of a projection."""
    return Subscription(
        name=f"{projection.name}/{number}",
        topics=projection.topics,
        apply=decoded(projection.handles, projection.apply),
        tables=Generation(
            projection=projection.name, version=projection.version, number=number, live=live
        ),
    )


async def live_subscription(pool: asyncpg.Pool, projection: Projection) -> Subscription:
    """The subscription that fills the live generation. Raises `OtherVersion`."""
    live = await pool.fetchrow(LIVE, projection.name)
    is_ours = live is not None and live["version"] == projection.version
    other_release.labels(projection.name).set(not is_ours)
    if live is None:
        raise OtherVersion(f"{projection.name} has no tables: not yet, or not any more")
    if not is_ours:
        told = f"{projection.name} is of version {live['version']}, not {projection.version}"
        raise OtherVersion(told)
    return subscription_of(projection, live["generation"], live=True)


async def in_live_tables[T](
    pool: asyncpg.Pool, projection: Projection, do: Callable[[Connection], Awaitable[T]]
) -> T:
    """What is done in a transaction in which unqualified names mean the live tables of a
    projection. Tried again when others were faster (`TakenOver`), or when they were built anew.

    Raises `Unavailable` if that was so again and again, and `OtherVersion`.
    """
    for _ in range(IN_TABLES_ATTEMPTS_MAX):
        live = await live_subscription(pool, projection)
        try:
            async with pool.acquire() as db, db.transaction():
                await enter_tables(db, live.tables)
                return await do(db)
        except TakenOver:
            continue
    raise Unavailable


async def create_projections(owner: Connection, projections: Iterable[Projection]) -> None:
    """Makes the first generation of each projection that has none. By the owner of the log."""
    for projection in projections:
        async with owner.transaction():
            added = await owner.fetchval(
                """
                INSERT INTO es.projection (name, version, generation) VALUES ($1, $2, 1)
                ON CONFLICT DO NOTHING RETURNING name
                """,
                projection.name,
                projection.version,
            )
            if added:
                first = subscription_of(projection, 1, live=True).tables
                assert first is not None
                await _create_tables(owner, projection, first)
                await _point_views(owner, projection.tables, first)


async def drop_retired(owner: Connection, projections: Iterable[Projection]) -> None:
    """Takes away what this release has no projections of any more. By the owner of the log."""
    async with owner.transaction():
        kept = [each.name for each in projections]
        for name, generation, version in await owner.fetch(RETIRED, kept):
            tables = Generation(projection=name, version=version, number=generation, live=True)
            await owner.execute(f"DROP SCHEMA {tables.schema} CASCADE")  # and the views on it
            await _forget_place(owner, f"{name}/{generation}")
            await owner.execute("DELETE FROM es.projection WHERE name = $1", name)


async def outdated(owner: Connection, projections: Iterable[Projection]) -> list[str]:
    """The projections whose tables are of another version than this release's."""
    rows = await owner.fetch("SELECT name, version FROM es.projection")
    found = {str(name): int(version) for name, version in rows}
    return [each.name for each in projections if found.get(each.name) not in (None, each.version)]


async def unmade(db: Connection | asyncpg.Pool, projections: Iterable[Projection]) -> list[str]:
    """The projections that have no tables yet, or those of an earlier version: until others are
    built, the release before is the one that writes them. (Those of a later version are another
    matter: a release that is rolled back to works without them.)
    """
    rows = await db.fetch("SELECT name, version FROM es.projection")
    found = {str(name): int(version) for name, version in rows}
    return [each.name for each in projections if found.get(each.name, 0) < each.version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How the parts of a generation, given its number, are folded each in a process of its own:
    where there are so many events. Raises `CannotRebuild`.
    """

    fold: Callable[[int], Awaitable[None]]
    events_min: int = PARALLEL_MIN


class PartitionShare(Struct, frozen=True, kw_only=True):
    """Which partitions one of several processes folds: of all topics those with the same numbers,
    so that rows that follow from two topics have one writer.
    """

    number: int
    of: int

    def has(self, place: Place) -> bool:
        return place[1] % self.of == self.number


async def fold_part(
    projection: Projection,
    source: Source,
    generation: int,
    part: PartitionShare,
    *,
    owner: asyncpg.Pool,
) -> None:
    """Brings the partitions of a part to where the live tables are now. Raises `CannotRebuild`."""
    live = await _live_whatever_its_version(owner, projection)
    built = replace(
        subscription_of(projection, generation, live=False),
        apply=_leaving_out(
            await _discarded(owner, live), decoded(projection.handles, projection.apply)
        ),
    )
    runner = Runner(subscription=built, source=source, pool=owner, mine=part.has)
    further = await _ends(owner, source, await _topics_only_of(owner, projection, live))
    goal = {**await read_cursors(owner, live), **further}
    clock = asyncio.get_running_loop().time
    began_at = clock()
    await _catch_up(runner, source, goal)
    log.info(
        "part folded",
        projection=projection.name,
        part=f"{part.number + 1}/{part.of}",
        events=sum(cursor.position for place, cursor in goal.items() if part.has(place)),
        seconds=round(clock() - began_at, 3),
    )


async def rebuild(
    projection: Projection,
    source: Source,
    *,
    owner: asyncpg.Pool,
    apart: Apart | None = None,
) -> bool:
    """Builds a projection again from the log, beside the live one, and switches to it.

    `apart`: what folds the most of it, where there is much.

    True if the new tables equal the old ones at the same positions (always, but for a damaged
    table). Those of a new version never do. Run with the owner's rights: it makes and drops
    schemas. A `KafkaLog` must be in a group of its own. Raises `CannotRebuild`: nothing has
    changed.
    """
    name = f"rebuild {projection.name}"
    async with owner.acquire() as session:
        if not await session.fetchval(LOCK_REBUILD, name):
            raise CannotRebuild(f"{projection.name} is being rebuilt already")
        try:
            return await _rebuild(projection, source, owner, apart)
        finally:
            await session.execute(UNLOCK_REBUILD, name)


async def _rebuild(
    projection: Projection,
    source: Source,
    owner: asyncpg.Pool,
    apart: Apart | None,
) -> bool:
    live = await _live_whatever_its_version(owner, projection)
    assert live.tables is not None
    built = subscription_of(projection, live.tables.number + 1, live=False)
    built = replace(built, apply=_leaving_out(await _discarded(owner, live), built.apply))
    await _start_over(owner, projection, built)
    runner = Runner(subscription=built, source=source, pool=owner)
    rebuilding = _Rebuilding(
        projection=projection,
        live=live,
        runner=runner,
        source=source,
        # A topic that the live one does not read is read to where it ends now.
        further=await _ends(owner, source, await _topics_only_of(owner, projection, live)),
    )
    if apart is not None and await _events_of(owner, live) >= apart.events_min:
        await apart.fold(rebuilding.new.number)
    await _come_close(rebuilding, owner)
    equal = await _is_equal(rebuilding, owner)
    await _come_close(rebuilding, owner)
    async with owner.acquire() as db, db.transaction():  # most of it, while nobody waits
        await _bring_beside(rebuilding, db)
    await _switch(rebuilding, owner)
    log.info("projection switched", projection=projection.name, to=built.name, equal=equal)
    return equal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rebuilding:
    """A projection, its live build, and what makes the new one. `further`: where it has to come
    besides to where the live one is. `over`: where the live one has come along a history that is
    over, and the one that goes on ends for now.
    """

    projection: Projection
    live: Subscription
    runner: Runner
    source: Source
    further: Mapping[Place, Cursor]
    over: dict[Place, Cursor] = field(default_factory=dict[Place, Cursor])

    @property
    def old(self) -> Generation:
        assert self.live.tables is not None
        return self.live.tables

    @property
    def new(self) -> Generation:
        assert self.runner.subscription.tables is not None
        return self.runner.subscription.tables

    async def catch_up(self, live: Mapping[Place, Cursor]) -> None:
        goal = {**live, **self.further, **self.over}
        self.over.update(await _catch_up(self.runner, self.source, goal))


async def _events_of(owner: asyncpg.Pool, live: Subscription) -> int:
    """How many events the live tables follow from."""
    cursors = await read_cursors(owner, live)
    return sum(cursor.position for cursor in cursors.values())


async def _live_whatever_its_version(owner: asyncpg.Pool, projection: Projection) -> Subscription:
    live = await owner.fetchrow(LIVE, projection.name)
    if live is None:
        raise CannotRebuild(f"{projection.name} has no tables: `migrate` makes them")
    of_its_version = replace(projection, version=live["version"])
    return subscription_of(of_its_version, live["generation"], live=True)


async def _topics_only_of(
    owner: asyncpg.Pool, projection: Projection, live: Subscription
) -> tuple[str, ...]:
    """The topics that the live tables do not follow; none if they have never followed any."""
    read = {row["topic"] for row in await owner.fetch(TOPICS_READ, live.name)}
    return tuple(topic for topic in projection.topics if read and topic not in read)


async def _ends(owner: asyncpg.Pool, source: Source, topics: Sequence[str]) -> dict[Place, Cursor]:
    """Where these topics end now."""
    if not topics:
        return {}
    if isinstance(source, KafkaLog):
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        ends = await ends_of(source.bootstrap, places)
        return {place: Cursor(position=end.position) for place, end in ends.items()}
    rows = await owner.fetch(HEADS, topics)
    return {(row["topic"], row["partition"]): Cursor(position=row["position"]) for row in rows}


async def _come_close(rebuilding: _Rebuilding, owner: asyncpg.Pool) -> None:
    """Follows the live tables until what is left takes no longer than `CLOSE_SECONDS`.

    Raises `CannotRebuild` if it does not come that close.
    """
    clock = asyncio.get_running_loop().time
    for _ in range(CATCH_UPS_MAX):
        began_at = clock()
        await rebuilding.catch_up(await read_cursors(owner, rebuilding.live))
        if clock() - began_at <= CLOSE_SECONDS:
            return
    raise CannotRebuild(f"{rebuilding.live.name} goes on faster than it can be built again")


async def _is_equal(rebuilding: _Rebuilding, owner: asyncpg.Pool) -> bool:
    """Whether the new tables equal the live ones at one place in the logs. Nothing waits for it:
    the live ones are looked at as they are at one moment, the new ones are brought there.
    """
    projection = rebuilding.projection
    if rebuilding.old.version != projection.version:
        return False  # tables of another version may not even have the same names
    async with owner.acquire() as db, db.transaction(isolation="repeatable_read"):
        then = await read_cursors(db, rebuilding.live)
        told = await digest(db, projection, rebuilding.old)
    await rebuilding.catch_up(then)
    async with owner.acquire() as db:
        return told == await digest(db, projection, rebuilding.new)


async def _switch(rebuilding: _Rebuilding, owner: asyncpg.Pool) -> None:
    """Makes the new tables the live ones, in one transaction."""
    for attempt in range(1, SWITCH_ATTEMPTS_MAX + 1):
        try:
            async with owner.acquire() as db, db.transaction():
                # A reader of two views takes them in its own order: if ours was the other one,
                # we waited for each other, and the next attempt goes the other way round.
                tables = rebuilding.projection.tables[:: 1 if attempt % 2 else -1]
                await _try_switch(rebuilding, tables, db)
        except asyncpg.LockNotAvailableError:
            if attempt == SWITCH_ATTEMPTS_MAX:
                raise
        else:
            return


async def _try_switch(rebuilding: _Rebuilding, tables: Sequence[str], db: Connection) -> None:
    projection, live = rebuilding.projection, rebuilding.live
    old, new = rebuilding.old, rebuilding.new
    # Turns of the live generation hold this row shared: they wait here until the switch, then
    # find themselves taken over.
    await db.execute("SELECT FROM es.projection WHERE name = $1 FOR UPDATE", projection.name)
    await rebuilding.catch_up(await read_cursors(db, live))
    await _bring_beside(rebuilding, db)
    await db.execute(SWITCH, projection.name, new.number, projection.version)
    # A reader of several views may hold one that is replaced later while it waits for one that is
    # replaced already. It is this transaction that gives way and is tried again, and it does so
    # before the readers that queue up behind it have waited long.
    await db.execute(f"SET LOCAL lock_timeout = '{SWITCH_WAIT_MS}ms'")
    await _point_views(db, tables, new)
    await db.execute(f"DROP SCHEMA {old.schema} CASCADE")
    await db.execute("DELETE FROM es.cursor WHERE subscription = $1", live.name)
    await db.execute("DELETE FROM es.parked_key WHERE subscription = $1", live.name)
    await db.execute(HAND_ON_DISCARDED, live.name, rebuilding.runner.subscription.name)


async def _bring_beside(rebuilding: _Rebuilding, db: Connection) -> None:
    """Whoever writes that holds the live generation, as its turns do: none is under way at a
    switch.
    """
    await db.execute("SELECT set_config('search_path', $1, true)", rebuilding.new.schema)
    await rebuilding.projection.beside(db)
    await db.execute("SET LOCAL search_path TO DEFAULT")


async def _discarded(db: asyncpg.Pool, live: Subscription) -> frozenset[tuple[str, int, int]]:
    """Topic, partition and position of the events that were given up for good."""
    return frozenset(tuple(row) for row in await db.fetch(DISCARDED, live.name))


def _leaving_out(discarded: frozenset[tuple[str, int, int]], apply: Apply) -> Apply:
    async def apply_others(deliveries: Sequence[Delivery], db: Connection) -> None:
        kept = [d for d in deliveries if (*d.place, d.position) not in discarded]
        if kept:
            await apply(kept, db)

    return apply_others


async def _start_over(owner: asyncpg.Pool, projection: Projection, built: Subscription) -> None:
    """Clears what a rebuild that was broken off has left, and makes empty tables."""
    assert built.tables is not None
    async with owner.acquire() as db, db.transaction():
        await db.execute(f"DROP SCHEMA IF EXISTS {built.tables.schema} CASCADE")
        await _forget_place(db, built.name)
        await _create_tables(db, projection, built.tables)


async def _forget_place(owner: Connection, subscription: str) -> None:
    """Takes away how far a subscription has come, and what it has set aside."""
    for table in ("cursor", "parked_key", "parked_event"):
        await owner.execute(f"DELETE FROM es.{table} WHERE subscription = $1", subscription)  # noqa: S608 - of these three


async def _create_tables(owner: Connection, projection: Projection, tables: Generation) -> None:
    await owner.execute(f"CREATE SCHEMA {tables.schema}")
    await owner.execute("SELECT set_config('search_path', $1, true)", tables.schema)
    await owner.execute(projection.ddl)
    await owner.execute("SET LOCAL search_path TO DEFAULT")
    await owner.execute(f"GRANT USAGE ON SCHEMA {tables.schema} TO aftersales_app")
    await owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {tables.schema} TO aftersales_app")


async def _point_views(owner: Connection, names: Iterable[str], tables: Generation) -> None:
    await owner.execute("CREATE SCHEMA IF NOT EXISTS read")
    await owner.execute("GRANT USAGE ON SCHEMA read TO aftersales_app")
    for table in names:
        await owner.execute(f"DROP VIEW IF EXISTS read.{table}")
        # Names come from the code's own projections, never from a request.
        await owner.execute(f"CREATE VIEW read.{table} AS SELECT * FROM {tables.schema}.{table}")  # noqa: S608
        await owner.execute(f"GRANT SELECT ON read.{table} TO aftersales_app")


async def digest(db: Connection, projection: Projection, tables: Generation) -> list[Any]:
    """A digest of all rows of each table, whatever their order."""
    queries = dict.fromkeys(projection.tables, "SELECT * FROM {table}")
    queries |= projection.compared
    return [
        tuple(
            await db.fetchrow(
                f"""
                SELECT count(*), sum(hashtextextended(t::text, 0)::numeric)
                FROM ({query.format(table=f"{tables.schema}.{table}")}) AS t
                """,  # noqa: S608 - names from the code's own projections
                timeout=DIGEST_SECONDS_MAX,
            )
            or ()
        )
        for table, query in queries.items()
    ]


async def _catch_up(
    runner: Runner, source: Source, goal: dict[Place, Cursor]
) -> Mapping[Place, Cursor]:
    """Turns until the goal; the places where that is of a history that is over, and where the one
    that goes on ends. Raises `CannotRebuild` if a partition does not get there.
    """
    over: Mapping[Place, Cursor] = {}
    has_looked = False
    runner.source = _UpTo(source, goal)
    await runner.start()
    clock = asyncio.get_running_loop().time
    progressed_at = clock()
    ours = [place for place in goal if runner.mine is None or runner.mine(place)]
    while behind := [p for p in ours if runner.cursors[p].position < goal[p].position]:
        stuck = [place for place in behind if place in runner.held()]
        if not has_looked and clock() - progressed_at > IDLE_SECONDS:
            over = await _histories_over(source, {place: goal[place] for place in behind})
            goal.update(over)
            has_looked = True
            continue
        if not stuck and clock() - progressed_at > STUCK_SECONDS:
            stuck = behind
        if stuck:
            (topic, partition), hold = stuck[0], runner.holds.get(stuck[0])
            raise CannotRebuild(
                f"{runner.subscription.name} stops in {topic}/{partition} behind "
                f"{runner.cursors[stuck[0]].position}: {hold.why if hold else 'no more events'}"
            )
        try:
            if await runner.turn():
                progressed_at = clock()
        except TakenOver:  # Kafka has assigned the partitions anew
            await runner.start()
        except asyncpg.TransactionRollbackError:  # of two processes, one gives way
            await runner.start()
    return over


async def _histories_over(source: Source, goal: Mapping[Place, Cursor]) -> Mapping[Place, Cursor]:
    """Of these places, those whose source has gone on from before; and where it ends."""
    if not isinstance(source, KafkaLog):
        return {}
    ends = await ends_that_answer(source.bootstrap, [*goal])
    return {
        place: Cursor(position=end.position)
        for place, end in ends.items()
        if end.is_apart_from(goal[place])
    }


class _UpTo:
    """A source that ends at some cursors, so that two builds can be compared at one place."""

    def __init__(self, source: Source, goal: Mapping[Place, Cursor]) -> None:
        self._source = source
        self._goal = goal

    async def places(self) -> frozenset[Place]:
        return await self._source.places()

    async def take(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place] = frozenset()
    ) -> list[Delivery]:
        return [
            delivery
            for delivery in await self._source.take(cursors, held)
            if delivery.position <= self._goal[delivery.place].position
        ]

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:
        await self._source.rewind(cursors)

    async def search(self, place: Place, cursor: Cursor) -> bool:
        return await self._source.search(place, cursor)

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        return await self._source.fetch(place, positions)
