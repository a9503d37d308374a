"""Whoever waits for a log to grow is told, by whichever process lets it grow."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from local_stack.databases import Database
from shared_events.orders import OrderPaid
from shared_runtime.bells import CHANNEL, NOTIFY_SECONDS_MIN, Bell, Bells, Doze
from shared_runtime.database import open_pool
from shared_runtime.delivery import Subscription
from shared_runtime.log import PostgresLog
from shared_runtime.ownership import Ownership
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import ManualClock, facts, see

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
LONG = 3_600.0
PATIENCE_SECONDS = 30
PAID = OrderPaid(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="p1",
    paid_at=AT,
    payment_ref="P1",
)


async def woken(doze: Doze) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await doze.pause()


async def dozed_off(doze: Doze) -> asyncio.Task[None]:
    """It has come to the part of its pause that a bell ends."""
    doze.told.clear()
    pausing = asyncio.create_task(doze.pause())
    for _ in range(10):
        await asyncio.sleep(0)
    return pausing


def long_doze(bell: Bell) -> Doze:
    """One that has found nothing for hours."""
    doze = bell.doze(0.0, LONG)
    doze.seconds = LONG
    return doze


async def test_who_dozes_is_woken_by_his_bell_and_by_no_other() -> None:
    bell, other = Bell(), Bell()
    pausing = await dozed_off(long_doze(bell))
    other.ring()
    await asyncio.sleep(0)
    assert not pausing.done()
    bell.ring()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pausing


async def test_what_rings_while_he_looks_is_heard_when_he_lies_down() -> None:
    bell = Bell()
    doze = long_doze(bell)
    bell.ring()
    await woken(doze)


async def test_who_is_told_to_end_does_not_sleep_on() -> None:
    stop = asyncio.Event()
    pausing = asyncio.create_task(long_doze(Bell()).pause(stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pausing


async def test_pauses_grow_and_begin_anew_when_something_was_found() -> None:
    doze = Bell().doze(0.01, 0.04)
    clock = asyncio.get_running_loop().time

    async def took() -> float:
        began_at = clock()
        await doze.pause()
        return clock() - began_at

    for least in (0.01, 0.02, 0.04, 0.04):
        assert await took() >= least - 0.001
    doze.busy()
    pausing = asyncio.create_task(doze.pause())
    await asyncio.sleep(0.03)  # the next pause would be of 0.04 or more
    assert pausing.done()


async def test_who_is_rung_for_all_the_time_pauses_for_the_least_time() -> None:
    bell, clock = Bell(), asyncio.get_running_loop().time
    doze = bell.doze(0.02, LONG)
    began_at = clock()
    for _ in range(3):
        bell.ring()
        await woken(doze)
    assert clock() - began_at >= 3 * 0.02 - 0.003


async def test_it_pauses_no_longer_than_until_something_is_due() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await long_doze(Bell()).pause(most=0.01)


@pytest.fixture
async def elsewhere(database: Database) -> AsyncIterator[asyncpg.Pool]:
    """The connections of another process."""
    async with await open_pool(database.app_url) as pool:
        yield pool


@pytest.fixture
async def listening(elsewhere: asyncpg.Pool) -> AsyncIterator[Bells]:
    """Those of a worker of another process."""
    bells = Bells(elsewhere)
    worker = Ownership(elsewhere, bells)
    await worker.look()
    yield bells
    await worker.leave()


async def test_a_worker_hears_what_another_process_appends(
    listening: Bells, journal: PostgresLog
) -> None:
    pausing = await dozed_off(long_doze(listening.grown))
    await journal.append(facts("order-1", PAID, at=AT))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pausing


async def test_what_is_appended_in_a_transaction_is_told_too(
    pool: asyncpg.Pool, listening: Bells, journal: PostgresLog
) -> None:
    pausing = await dozed_off(long_doze(listening.grown))
    async with pool.acquire() as db, db.transaction():
        await journal.within(db).append(facts("order-1", PAID, at=AT))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pausing


async def test_however_much_is_appended_a_process_tells_the_others_now_and_then(
    pool: asyncpg.Pool, elsewhere: asyncpg.Pool
) -> None:
    heard: list[object] = []

    def hear(*told: object) -> None:
        heard.append(told)

    clock = asyncio.get_running_loop().time
    async with elsewhere.acquire() as session:
        await session.add_listener(CHANNEL, hear)
        bells, began_at = Bells(pool), clock()
        while len(heard) < 3:
            bells.tell()
            await asyncio.sleep(0)
        # The first at once, the others with a pause before each.
        assert clock() - began_at >= (len(heard) - 1) * NOTIFY_SECONDS_MIN
        session.terminate()


@pytest.mark.usefixtures("sight")
async def test_what_nobody_was_told_of_is_found_all_the_same(
    pool: asyncpg.Pool, topic: str, clock: ManualClock
) -> None:
    """By a reader whose log grows behind his back."""
    silent = PostgresLog(pool, source="/test", now=clock, topic_of=lambda _: topic, bells=Bells())
    tail = Tail(idle_seconds=0.05, grown=Bell())
    runner = Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=see),
        source=OwnLog(pool, (topic,), tail=tail),
        pool=pool,
    )
    await runner.start()
    assert await runner.turn() == 0
    await silent.append(facts("order-1", PAID, at=AT))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await runner.turn():
            pass
