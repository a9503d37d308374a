"""Tables are built again beside the live ones and switched under their readers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import asyncpg
import pytest
from local_stack.databases import Database
from prometheus_client import REGISTRY
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime import projections
from shared_runtime.clock import system_clock
from shared_runtime.delivery import WORLD_FAILURES, Connection, Subscription, TakenOver
from shared_runtime.log import PostgresLog
from shared_runtime.projections import (
    Apart,
    CannotRebuild,
    OtherVersion,
    PartitionShare,
    Projection,
    create_projections,
    drop_retired,
    fold_part,
    live_subscription,
    outdated,
    rebuild,
)
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
SELLERS = ("S1", "S2", "S3")
DDL = """
    CREATE TABLE payment (position bigint, key text, PRIMARY KEY (key, position));
    CREATE TABLE payer (key text PRIMARY KEY, payments bigint);
"""
numbers = count()


async def paid_orders(batch: Sequence[Recorded[OrderPaid]], db: Connection) -> None:
    for recorded in batch:
        await db.execute("INSERT INTO payment VALUES ($1, $2)", recorded.position, recorded.key)
        await db.execute(
            "INSERT INTO payer VALUES ($1, 1) "
            "ON CONFLICT (key) DO UPDATE SET payments = payer.payments + 1",
            recorded.key,
        )


@pytest.fixture
async def projection(database: Database, topic: str) -> Projection:
    made = Projection(
        name="paid_orders",
        version=1,
        topics=(topic,),
        handles=(OrderPaid,),
        tables=("payment", "payer"),
        ddl=DDL,
        apply=paid_orders,
    )
    owner = await asyncpg.connect(database.owner_url)
    await create_projections(owner, [made])
    await owner.close()
    return made


async def write(log: PostgresLog, times: int) -> None:
    for number in range(times):
        paid = OrderPaid(
            order_id="O1",
            seller_id=SELLERS[number % len(SELLERS)],
            buyer_id="B1",
            policy_version="p1",
            paid_at=AT,
            payment_ref="P1",
        )
        await log.append(facts(f"order-{next(numbers)}", paid, at=AT))


async def runner_of(projection: Projection, pool: asyncpg.Pool) -> Runner:
    async def resolve() -> Subscription:
        return await live_subscription(pool, projection)

    runner = Runner(
        subscription=await resolve(),
        source=OwnLog(pool, projection.topics),
        pool=pool,
        resolve=resolve,
    )
    await runner.start()
    return runner


async def project(projection: Projection, pool: asyncpg.Pool) -> None:
    runner = await runner_of(projection, pool)
    while await runner.turn():
        pass


async def again(projection: Projection, owner: asyncpg.Pool) -> bool:
    source = OwnLog(owner, projection.topics)
    return await rebuild(projection, source, owner=owner)


async def payers(db: asyncpg.Pool) -> dict[str, int]:
    return {row["key"]: row["payments"] for row in await db.fetch("SELECT * FROM read.payer")}


async def test_i15_a_rebuilt_projection_equals_the_live_one(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 30)
    await project(projection, pool)
    before = await payers(pool)
    assert await again(projection, owner)
    assert await payers(pool) == before == dict.fromkeys(SELLERS, 10)


async def test_a_projection_of_another_version_is_outdated_until_it_is_built_again(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 6)
    await project(projection, pool)
    async with owner.acquire() as db:
        assert await outdated(db, [projection]) == []
        newer = replace(projection, version=projection.version + 1)
        assert await outdated(db, [newer]) == [newer.name]
        assert not await again(newer, owner)
        assert await outdated(db, [newer]) == []
    assert await payers(pool) == dict.fromkeys(SELLERS, 2)


async def test_what_a_release_has_no_projection_of_any_more_is_dropped(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 6)
    await project(projection, pool)
    async with owner.acquire() as db:
        await drop_retired(db, [projection])
        assert await payers(pool) == dict.fromkeys(SELLERS, 2)
        await drop_retired(db, [])
    left = "SELECT count(*) FROM information_schema.tables WHERE table_name = ANY($1)"
    assert await owner.fetchval(left, list(projection.tables)) == 0
    of_projections = "SELECT count(*) FROM es.cursor WHERE subscription LIKE $1"
    assert await owner.fetchval(of_projections, f"{projection.name}/%") == 0
    async with owner.acquire() as db:
        await create_projections(db, [projection])
    await project(projection, pool)
    assert await payers(pool) == dict.fromkeys(SELLERS, 2)


async def test_i15_a_rebuild_in_parts_equals_the_live_one_and_each_part_is_folded_once(
    projection: Projection, pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog
) -> None:
    await write(journal, 40)
    await project(projection, pool)
    folded: list[dict[str, int]] = []

    async def fold(generation: int) -> None:
        for number in range(3):
            part = PartitionShare(number=number, of=3)
            source = OwnLog(owner, projection.topics)
            await fold_part(projection, source, generation, part, owner=owner)
            rows = await owner.fetch(f"SELECT * FROM paid_orders_g{generation}.payer")  # noqa: S608
            folded.append({row["key"]: row["payments"] for row in rows})

    source, apart = OwnLog(owner, projection.topics), Apart(fold=fold, events_min=0)
    assert await rebuild(projection, source, owner=owner, apart=apart)
    whole = {"S1": 14, "S2": 13, "S3": 13}
    assert folded[-1] == whole == await payers(pool)
    in_part = [{key for key in SELLERS if partition_of(key) % 3 == each} for each in range(3)]
    assert folded[0].keys() == in_part[0]
    assert folded[1].keys() == in_part[0] | in_part[1]


async def test_a_part_that_cannot_be_folded_leaves_the_live_tables(
    projection: Projection, pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog
) -> None:
    async def fold(_: int) -> None:
        raise CannotRebuild("a process has failed")

    await write(journal, 3)
    await project(projection, pool)
    source, apart = OwnLog(owner, projection.topics), Apart(fold=fold, events_min=3)
    with pytest.raises(CannotRebuild):
        await rebuild(projection, source, owner=owner, apart=apart)
    assert await payers(pool) == dict.fromkeys(SELLERS, 1)
    few = Apart(fold=fold, events_min=4)
    assert await rebuild(projection, source, owner=owner, apart=few)


async def test_a_damaged_table_is_told_and_replaced(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 6)
    await project(projection, pool)
    await owner.execute("UPDATE read.payer SET payments = 99 WHERE key = 'S1'")
    assert not await again(projection, owner)
    assert await payers(pool) == dict.fromkeys(SELLERS, 2)


async def test_i15_readers_see_the_old_tables_or_the_new_ones_never_a_mix(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 60)
    await project(projection, pool)
    # What tells the generations apart: the old rows are marked, the rebuilt ones are not.
    await owner.execute("UPDATE read.payer SET key = key || ' old'")
    await owner.execute("UPDATE read.payment SET key = key || ' old'")
    switched = asyncio.Event()
    seen: set[tuple[bool, ...]] = set()

    async def read() -> None:
        while not switched.is_set():
            rows = await pool.fetch(
                "SELECT key FROM read.payer UNION ALL SELECT key FROM read.payment"
            )
            assert len(rows) == len(SELLERS) + 60
            seen.add(tuple({row["key"].endswith(" old") for row in rows}))

    readers = [asyncio.create_task(read()) for _ in range(4)]
    for _ in range(3):
        await again(projection, owner)
        await owner.execute("UPDATE read.payer SET key = key")
    switched.set()
    await asyncio.gather(*readers)
    assert seen <= {(True,), (False,)}
    assert (False,) in seen


async def test_i15_nothing_is_lost_when_events_flow_in_during_a_rebuild(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 30)
    runner = await runner_of(projection, pool)
    stop = asyncio.Event()
    following = asyncio.create_task(runner.run(stop))
    writing = asyncio.create_task(write(journal, 60))
    assert await again(projection, owner)
    await writing
    async with asyncio.timeout(30):
        while await payers(pool) != dict.fromkeys(SELLERS, 30):  # noqa: ASYNC110 - another task's rows
            await asyncio.sleep(0.01)
    stop.set()
    await following
    assert await again(projection, owner)


WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


async def test_i15_nobody_is_shown_less_after_the_switch_than_before_it(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    """Not even for a moment: a token that was good stays good."""
    await write(journal, 6)
    await project(projection, pool)
    turn = "SELECT FROM es.projection WHERE name = $1 FOR SHARE"
    async with pool.acquire() as db, db.transaction():
        await db.execute(turn, projection.name)  # as a turn of the live tables: a switch waits
        rebuilding = asyncio.create_task(again(projection, owner))
        while not await owner.fetchval(WAITS):  # noqa: ASYNC110 - another session answers
            await asyncio.sleep(0)
        await write(journal, 3)
        await project(projection, pool)
        assert await payers(pool) == dict.fromkeys(SELLERS, 3)
    assert await rebuilding
    assert await payers(pool) == dict.fromkeys(SELLERS, 3)


async def test_a_new_version_is_built_from_the_log_with_its_own_tables(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    async def twice(batch: Sequence[Recorded[OrderPaid]], db: Connection) -> None:
        await paid_orders(batch, db)
        await db.execute("UPDATE payer SET doubled = 2 * payments")

    await write(journal, 6)
    await project(projection, pool)
    second = replace(
        projection,
        version=2,
        ddl=DDL + "ALTER TABLE payer ADD doubled bigint;",
        apply=twice,
    )
    await again(second, owner)
    rows = await pool.fetch("SELECT doubled FROM read.payer")
    assert [row["doubled"] for row in rows] == [4, 4, 4]
    assert await pool.fetchval("SELECT version FROM es.projection") == 2


async def test_a_rebuild_that_was_broken_off_is_begun_anew(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 6)
    await project(projection, pool)
    await owner.execute("CREATE SCHEMA paid_orders_g2")
    await owner.execute("CREATE TABLE paid_orders_g2.payment (half int)")
    assert await again(projection, owner)
    assert await payers(pool) == dict.fromkeys(SELLERS, 2)


async def test_one_rebuild_of_a_projection_at_a_time(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 30)
    await project(projection, pool)
    both = await asyncio.gather(
        again(projection, owner), again(projection, owner), return_exceptions=True
    )
    assert [type(each) for each in both if each is not True] == [CannotRebuild]


# --- Two releases at once


async def test_i15_tables_of_another_version_are_written_by_the_release_that_knows_it(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    """Forwards and back: the one that is not it waits, and is heard of."""
    await write(journal, 6)
    older = await runner_of(projection, pool)
    await older.turn()
    newer = replace(projection, version=2)
    await again(newer, owner)
    await write(journal, 3)
    with pytest.raises(TakenOver):
        await older.turn()
    with pytest.raises(OtherVersion):
        await older.start()
    assert told(projection) == 1
    await project(newer, pool)
    assert told(projection) == 0
    assert await payers(pool) == dict.fromkeys(SELLERS, 3)
    await again(projection, owner)
    with pytest.raises(OtherVersion):
        await runner_of(newer, pool)
    await write(journal, 3)
    await project(projection, pool)
    assert await payers(pool) == dict.fromkeys(SELLERS, 4)


def told(projection: Projection) -> float | None:
    return REGISTRY.get_sample_value(
        "aftersales_projection_of_another_release", {"projection": projection.name}
    )


async def test_i15_live_tables_are_not_written_under_another_version(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    """Also where no rebuild has made a new generation."""
    await write(journal, 3)
    runner = await runner_of(projection, pool)
    await owner.execute("UPDATE es.projection SET version = 2 WHERE name = $1", projection.name)
    with pytest.raises(TakenOver):
        await runner.turn()
    assert await payers(pool) == {}


async def test_a_projection_that_was_dropped_waits_alone(
    pool: asyncpg.Pool, owner: asyncpg.Pool, projection: Projection
) -> None:
    async with owner.acquire() as db:
        await drop_retired(db, [])
    with pytest.raises(OtherVersion):
        await live_subscription(pool, projection)


async def test_i15_a_version_that_reads_a_topic_more_is_switched_to_when_it_has_read_it(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, projection: Projection
) -> None:
    await write(journal, 3)
    await project(projection, pool)
    other = f"{projection.topics[0]}.more"
    await owner.execute(
        "INSERT INTO es.head (topic, partition) SELECT $1, generate_series(0, 63)", other
    )
    more = PostgresLog(pool, source="/test", now=system_clock, topic_of=lambda _: other)
    await write(more, 30)
    both = replace(
        projection,
        version=2,
        topics=(*projection.topics, other),
        ddl=DDL.replace("PRIMARY KEY (key, position)", "number serial"),
    )
    await again(both, owner)
    assert await payers(pool) == dict.fromkeys(SELLERS, 11)


# --- What a rebuild holds up


async def test_the_live_tables_are_written_while_they_are_compared(
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    projection: Projection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await write(journal, 6)
    runner = await runner_of(projection, pool)
    while await runner.turn():
        pass
    digest, turned = projections.digest, [0]

    async def digest_while_events_come(db: Connection, *which: Any) -> list[Any]:  # noqa: ANN401
        await write(journal, 3)
        turned[0] += await runner.turn()
        return await digest(db, *which)

    monkeypatch.setattr(projections, "digest", digest_while_events_come)
    assert await again(projection, owner)
    assert turned == [6]
    assert await payers(pool) == dict.fromkeys(SELLERS, 4)


async def test_a_rebuild_that_does_not_come_close_to_the_live_tables_locks_nothing(
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    projection: Projection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projections, "CLOSE_SECONDS", -1.0)
    await write(journal, 6)
    await project(projection, pool)
    with pytest.raises(CannotRebuild, match="faster"):
        await again(projection, owner)
    assert await pool.fetchval("SELECT generation FROM es.projection") == 1


async def test_who_reads_a_view_that_has_other_columns_now_is_told_to_come_again(
    pool: asyncpg.Pool, owner: asyncpg.Pool
) -> None:
    """In a transaction; it is answered 503 then, as whatever is the world's doing. The next attempt
    sees what there is.
    """
    shown = "CREATE OR REPLACE VIEW public.shown AS SELECT 1 AS before"
    await owner.execute(f"{shown}; GRANT SELECT ON public.shown TO aftersales_app")
    async with pool.acquire() as db:
        assert len(await db.fetchrow("SELECT * FROM public.shown") or ()) == 1
        await owner.execute(f"{shown}, 2 AS besides")
        with pytest.raises(WORLD_FAILURES):
            async with db.transaction():
                await db.fetchrow("SELECT * FROM public.shown")
        async with db.transaction():
            assert len(await db.fetchrow("SELECT * FROM public.shown") or ()) == 2
