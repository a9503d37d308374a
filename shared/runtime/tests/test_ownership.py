"""Who reads which partitions of the own log: all are read, each by one, whoever comes or goes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from local_stack.databases import Database
from shared_events.orders import OrderPaid
from shared_events.partition import PARTITIONS, partition_of
from shared_runtime import ownership
from shared_runtime.database import open_pool
from shared_runtime.delivery import Connection, Delivery, Subscription, TakenOver
from shared_runtime.log import PostgresLog
from shared_runtime.ownership import GROUPS, Ownership
from shared_runtime.parking import POISON_ATTEMPTS, list_parked
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import facts, see

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PATIENCE_SECONDS = 20
SELLERS = [f"S{number}" for number in range(1, 41)]

pytestmark = pytest.mark.usefixtures("sight")


async def write(log: PostgresLog, name: str, sellers: Sequence[str] = SELLERS) -> None:
    for seller in sellers:
        paid = OrderPaid(
            order_id=name,
            seller_id=seller,
            buyer_id="B1",
            policy_version="p1",
            paid_at=AT,
            payment_ref="P1",
        )
        await log.append(facts(f"order-{name}-{seller}", paid, at=AT))


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


def runner_of(pool: asyncpg.Pool, topic: str, owned: Ownership) -> Runner:
    return Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=see),
        source=OwnLog(pool, (topic,), tail=Tail(idle_seconds=0)),
        pool=pool,
        ownership=owned,
    )


async def turn_all(runner: Runner) -> None:
    while await runner.turn():
        pass


@asynccontextmanager
async def at_work(*runners: Runner) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for runner in runners:
            group.create_task(runner.run(stop))
        try:
            yield
        finally:
            stop.set()


async def counts(pool: asyncpg.Pool) -> dict[int, int]:
    """How many events were seen so many times."""
    rows = await pool.fetch("SELECT times, count(*) AS events FROM seen GROUP BY times")
    return {row["times"]: row["events"] for row in rows}


@pytest.fixture
async def workers(pool: asyncpg.Pool) -> AsyncGenerator[list[Ownership]]:
    """Three that could be there."""
    made = [Ownership(pool) for _ in range(3)]
    yield made
    for each in made:
        await each.leave()


async def settled(*workers: Ownership) -> None:
    for _ in range(2):
        for worker in workers:
            await worker.look()


async def test_who_is_alone_has_all_and_who_comes_gets_his_share(workers: list[Ownership]) -> None:
    first, second, third = workers
    await first.look()
    assert [*first.groups] == [*range(GROUPS)]
    await settled(first, second)
    assert (len(first.groups), len(second.groups)) == (8, 8)
    await settled(first, second, third)
    shares = [set(worker.groups) for worker in workers]
    assert sorted(map(len, shares)) == [4, 6, 6]
    assert sorted(group for share in shares for group in share) == [*range(GROUPS)]


async def test_what_a_worker_leaves_is_taken_over_at_the_next_look(
    workers: list[Ownership],
) -> None:
    first, second, _ = workers
    await settled(first, second)
    before = {**second.groups}
    await first.leave()
    await second.look()
    assert [*second.groups] == [*range(GROUPS)]
    assert all(second.groups[group] == epoch for group, epoch in before.items())
    assert all(second.groups[group] > 1 for group in second.groups.keys() - before.keys())


async def test_a_worker_that_was_killed_has_nothing_at_the_next_look(
    workers: list[Ownership], database: Database
) -> None:
    """Its session is gone with it: nobody waits for as long as for one that is frozen."""
    second = workers[1]
    async with await open_pool(database.app_url) as its_own:
        first = Ownership(its_own)
        await settled(first, second)
        its_own.terminate()

        async def has_all() -> bool:
            await second.look()
            return len(second.groups) == GROUPS

        await until(has_all)


async def test_a_worker_that_is_frozen_has_nothing_after_a_while(
    workers: list[Ownership], pool: asyncpg.Pool
) -> None:
    first, second, _ = workers
    await settled(first, second)
    await pool.execute(
        "UPDATE es.worker SET seen_at = seen_at - make_interval(secs => $1) WHERE id = $2",
        ownership.ALIVE_SECONDS,
        first.worker,
    )
    await second.look()
    assert len(second.groups) == GROUPS
    await settled(second, first)  # it thaws, and gets its share again
    assert len(first.groups) == 8


async def test_two_workers_read_a_part_each_and_nothing_twice(
    workers: list[Ownership], pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    first, second, _ = workers
    await settled(first, second)
    await write(journal, "O1")
    one, two = runner_of(pool, topic, first), runner_of(pool, topic, second)
    await one.start()
    await turn_all(one)
    by_one = await pool.fetchval("SELECT count(*) FROM seen")
    assert 0 < by_one < len(SELLERS)
    await two.start()
    await turn_all(two)
    assert await counts(pool) == {1: len(SELLERS)}


async def test_i4_who_has_lost_a_group_applies_no_more_of_it(
    workers: list[Ownership], pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Though he does not know, and nobody else has read on."""
    first, second, _ = workers
    await first.look()
    one, two = runner_of(pool, topic, first), runner_of(pool, topic, second)
    await one.start()
    await pool.execute("UPDATE es.worker SET seen_at = '-infinity' WHERE id = $1", first.worker)
    await second.look()
    await two.start()
    await write(journal, "O1")
    with pytest.raises(TakenOver):
        await one.turn()
    assert await counts(pool) == {}
    await turn_all(two)
    assert await counts(pool) == {1: len(SELLERS)}


async def test_i4_who_takes_over_waits_for_the_batch_that_is_under_way(
    workers: list[Ownership], pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Of whatever topic: rows that follow from two have one writer at a time."""
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(deliveries: Sequence[Delivery], db: Connection) -> None:
        entered.set()
        await go_on.wait()
        await see(deliveries, db)

    first, second, _ = workers
    await first.look()
    one, two = runner_of(pool, topic, first), runner_of(pool, topic, second)
    one.subscription = Subscription(name="sight", topics=(topic,), apply=slowly)
    await write(journal, "O1")
    await one.start()
    turning = asyncio.create_task(one.turn())
    await entered.wait()
    await pool.execute("UPDATE es.worker SET seen_at = '-infinity' WHERE id = $1", first.worker)
    await second.look()
    taking_over = asyncio.create_task(two.start())
    done, _ = await asyncio.wait({taking_over}, timeout=0.3)
    assert not done
    go_on.set()
    await turning
    await taking_over
    assert await two.turn() == 0
    assert await counts(pool) == {1: len(SELLERS)}


async def test_workers_that_come_and_go_leave_nothing_out(
    workers: list[Ownership], pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    async def have_come(events: int) -> None:
        async def so() -> bool:
            return await counts(pool) == {1: events}

        await until(so)

    stops = [asyncio.Event() for _ in workers]
    async with asyncio.TaskGroup() as group:
        async with at_work(*(runner_of(pool, topic, each) for each in workers)):
            for number, (worker, stop) in enumerate(zip(workers, stops, strict=True), 1):
                group.create_task(worker.run(stop))
                await write(journal, f"O{number}")
                await have_come(number * len(SELLERS))
            for number, stop in enumerate(stops[:2], 4):
                stop.set()
                await write(journal, f"O{number}")
                await have_come(number * len(SELLERS))
        stops[2].set()


async def test_i13_an_event_that_takes_too_long_keeps_no_other_partition_waiting(
    workers: list[Ownership], pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Each try of it takes as long as a statement may: what comes meanwhile is applied."""
    waiting: asyncio.Queue[None] = asyncio.Queue()
    tries = 0

    async def slow(deliveries: Sequence[Delivery], db: Connection) -> None:
        nonlocal tries
        if any(delivery.key == "S1" for delivery in deliveries):
            tries += len(deliveries) == 1
            await waiting.get()
            raise TimeoutError
        await see(deliveries, db)

    async def seen(key: str, events: int) -> None:
        async def so() -> bool:
            positions = await pool.fetchval("SELECT positions FROM history WHERE key = $1", key)
            return len(positions or ()) == events

        await until(so)

    calm = [seller for seller in SELLERS if partition_of(seller) != partition_of("S1")]
    await workers[0].look()
    runner = runner_of(pool, topic, workers[0])
    runner.subscription = Subscription(name="sight", topics=(topic,), apply=slow)
    await write(journal, "O1", ["S1", *calm])
    async with at_work(runner):
        waiting.put_nowait(None)  # the batch that had all of them has taken too long
        await seen(calm[0], 1)
        await write(journal, "O2", calm)
        await seen(calm[0], 2)  # S1 is still being tried
        assert await list_parked(pool) == []
        for _ in range(POISON_ATTEMPTS):
            waiting.put_nowait(None)

        async def is_parked() -> bool:
            return [row["key"] for row in await list_parked(pool)] == ["S1"]

        async def are_there() -> bool:
            return sum((await counts(pool)).values()) >= 2 * len(calm)

        await until(is_parked)
        await until(are_there)
    assert tries == POISON_ATTEMPTS
    assert await counts(pool) == {1: 2 * len(calm)}


def test_every_partition_is_in_a_group() -> None:
    assert {ownership.group_of(("t", partition)) for partition in range(PARTITIONS)} == {
        *range(GROUPS)
    }
    assert ownership.group_of(("a", 7)) == ownership.group_of(("b", 7))
