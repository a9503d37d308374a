"""Of most events nothing comes for most readers: no transaction is spent on passing them over."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from shared_events.envelope import Recorded
from shared_events.orders import OrderDelivered, OrderPaid
from shared_runtime.delivery import Connection, Delivery, Subscription, TakenOver
from shared_runtime.log import PostgresLog
from shared_runtime.sources import OwnLog, kafka_delivery
from shared_runtime.subscription import Runner, decoded, read_cursors
from shared_runtime.tail import Tail
from shared_runtime.testing import facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PATIENCE_SECONDS = 30
PARK = """
    INSERT INTO es.parked_key (subscription, topic, partition, key, reason, parked_at)
    VALUES ('sight', $1, 0, 'S9', 'a fault', now())
"""

pytestmark = pytest.mark.usefixtures("sight")


async def see_decoded(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    columns = zip(*[(r.topic, r.partition, r.position, r.key) for r in batch], strict=True)
    await db.execute("SELECT see($1, $2, $3, $4)", *map(list, columns))


@pytest.fixture
def runner(pool: asyncpg.Pool, topic: str) -> Runner:
    return runner_of(pool, topic)


def runner_of(pool: asyncpg.Pool, topic: str) -> Runner:
    """It is only for orders that are paid."""
    return Runner(
        subscription=Subscription(
            name="sight", topics=(topic,), apply=decoded((OrderPaid,), see_decoded)
        ),
        source=OwnLog(pool, (topic,), tail=Tail(idle_seconds=0)),
        pool=pool,
        puts_off=True,
    )


async def paid(journal: PostgresLog, order: str) -> None:
    event = OrderPaid(
        order_id=order,
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )
    await journal.append(facts(f"order-{order}", event, at=AT))


async def delivered(journal: PostgresLog, order: str) -> None:
    event = OrderDelivered(
        order_id=order,
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        delivered_at=AT,
        auto_complete_at=AT,
        late=False,
        signed=True,
    )
    await journal.append(facts(f"order-{order}", event, at=AT))


async def turn(runner: Runner) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await runner.turn():
            pass


async def stored(runner: Runner) -> int:
    cursors = await read_cursors(runner.pool, runner.subscription)
    return sum(cursor.position for cursor in cursors.values())


async def until_stored(runner: Runner, position: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await stored(runner) < position:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def seen(pool: asyncpg.Pool) -> list[tuple[int, int]]:
    """Positions, and how often each was applied."""
    return [tuple(row) for row in await pool.fetch("SELECT position, times FROM seen ORDER BY 1")]


async def test_what_is_passed_over_is_stored_with_what_comes_behind_it(
    runner: Runner, pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    await paid(journal, "O1")
    await runner.start()
    await turn(runner)
    for order in ("O2", "O3"):
        await delivered(journal, order)
        await turn(runner)
        assert await stored(runner) == 1
    await paid(journal, "O4")
    await turn(runner)
    assert await stored(runner) == 4
    assert await seen(pool) == [(1, 1), (4, 1)]


async def test_who_comes_after_one_that_died_passes_over_it_again(
    runner: Runner, pool: asyncpg.Pool, topic: str, journal: PostgresLog
) -> None:
    await paid(journal, "O1")
    await runner.start()
    await turn(runner)
    await delivered(journal, "O2")
    await turn(runner)
    await paid(journal, "O3")
    another = runner_of(pool, topic)
    await another.start()
    await turn(another)
    assert await seen(pool) == [(1, 1), (3, 1)]
    with pytest.raises(TakenOver):  # who only seemed to be dead has lost the place
        await turn(runner)
    assert await seen(pool) == [(1, 1), (3, 1)]


async def test_it_is_stored_after_a_moment_though_nothing_comes_behind_it(
    runner: Runner, journal: PostgresLog
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(runner.run(stop))
    await paid(journal, "O1")
    await until_stored(runner, 1)
    for order in ("O2", "O3"):
        await delivered(journal, order)
    await until_stored(runner, 3)
    stop.set()
    await running


async def test_while_keys_are_parked_nothing_is_passed_over(
    runner: Runner, pool: asyncpg.Pool, topic: str, journal: PostgresLog
) -> None:
    """The events of a parked key follow it, whatever they are."""
    await pool.execute(PARK, topic)
    await paid(journal, "O1")
    await runner.start()
    await turn(runner)
    await delivered(journal, "O2")
    await turn(runner)
    assert await stored(runner) == 2


def test_what_cannot_be_read_is_not_passed_over() -> None:
    apply = decoded((OrderPaid,), see_decoded)
    broken = Delivery(topic="t", partition=0, position=1, body=b"{", chain_hash=None)
    assert not apply.passes_over([broken])


def record_of(event_type: str) -> ConsumerRecord:
    """As a relay writes it, but that its body cannot be read."""
    told = SimpleNamespace(
        topic="t",
        partition=0,
        offset=0,
        timestamp=0,
        key=b"S1",
        value=b"{",
        headers=(
            ("type", event_type.encode()),
            ("position", b"1"),
            ("chainhash", b"00" * 32),
        ),
    )
    return cast("ConsumerRecord", told)


@pytest.mark.parametrize(
    ("event_type", "passed_over"),
    [("OrderDelivered.v1", True), ("OrderPaid.v1", False), ("OrderInsured.v1", False)],
)
def test_a_record_of_kafka_whose_type_nobody_handles_is_not_looked_into(
    event_type: str, *, passed_over: bool
) -> None:
    """What only a newer release knows is: its key is set aside."""
    apply = decoded((OrderPaid,), see_decoded)
    assert apply.passes_over([kafka_delivery(record_of(event_type))]) is passed_over
