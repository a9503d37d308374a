"""Tables are built again beside the live ones and switched under their readers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import asyncpg
import pytest
from local_stack.databases import Database
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_runtime.clock import system_clock
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import PostgresLog
from shared_runtime.projections import (
    CannotRebuild,
    Projection,
    create_projections,
    drop_retired,
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
        now=system_clock,
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
    return await rebuild(projection, source, owner=owner, now=system_clock)


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
