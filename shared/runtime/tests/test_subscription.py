"""Each event once and in order, whatever crashes; a source that is not what it was is noticed."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka import client as kafka_client
from aiokafka import codec as codecs
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from local_stack.databases import Database
from local_stack.servers import Servers
from local_stack.topics import create_topics, delete_topics
from prometheus_client import REGISTRY
from shared_events.orders import OrderPaid
from shared_events.partition import PARTITIONS, partition_of
from shared_runtime import sources
from shared_runtime.database import open_pool
from shared_runtime.delivery import (
    NO_CHAIN,
    Connection,
    Cursor,
    Delivery,
    Place,
    Source,
    Subscription,
    TakenOver,
)
from shared_runtime.fetching import SessionConsumer, Sessions
from shared_runtime.log import PostgresLog
from shared_runtime.parking import ask_retry, list_parked, retry_parked
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import (
    AHEAD_MIN,
    TURNS_A_SECOND,
    TURNS_AT_ONCE,
    Pace,
    Runner,
    read_cursors,
)
from shared_runtime.tail import Tail
from shared_runtime.testing import facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
BUSY, CALM = "S1", "S2"
PATIENCE_SECONDS = 30
AWAY_SECONDS = 4
TURNS = 40
TO_THE_END = -1  # as Kafka has it

type Told = dict[TopicPartition, list[ConsumerRecord]]

pytestmark = pytest.mark.usefixtures("sight")


def paid(order: str, seller: str) -> OrderPaid:
    return OrderPaid(
        order_id=order,
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )


async def write(log: PostgresLog, name: str, **counts: int) -> int:
    """So many events for each seller, in one append; how many in all."""
    planned = [
        item
        for seller, count in counts.items()
        for item in facts(f"order-{name}-{seller}", *[paid(name, seller)] * count, at=AT)
    ]
    await log.append(planned)
    return len(planned)


async def see(deliveries: Sequence[Delivery], db: Connection) -> None:
    await db.execute(
        "SELECT see($1, $2, $3, $4)",
        [d.topic for d in deliveries],
        [d.partition for d in deliveries],
        [d.position for d in deliveries],
        [d.key for d in deliveries],
    )


def runner_on(pool: asyncpg.Pool, source: Source, topic: str) -> Runner:
    subscription = Subscription(name="sight", topics=(topic,), apply=see)
    return Runner(subscription=subscription, source=source, pool=pool)


@asynccontextmanager
async def kafka_log(
    kafka: str, topic: str, group: str = "", *, foreign: bool = False
) -> AsyncGenerator[KafkaLog]:
    source = KafkaLog(kafka, group or f"sight-{uuid4().hex}", (topic,), foreign=foreign)
    try:
        yield source
    finally:
        await source.close()


async def relay_all(pool: asyncpg.Pool, kafka: str, topic: str) -> None:
    relay = Relay(kafka)
    runner = Runner(
        subscription=relay_subscription(relay, (topic,)),
        source=OwnLog(pool, (topic,)),
        pool=pool,
    )
    await runner.start()
    while await runner.turn():
        pass
    await relay.close()


async def turn_until(runner: Runner, so: Callable[[], Awaitable[bool]]) -> None:
    """Turns until it is so: when a group gives out its partitions, nobody knows."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():
            await runner.turn()


async def turn_until_applied(runner: Runner, pool: asyncpg.Pool, **counts: int) -> None:
    """Turns until so many events of each seller were applied, and once more."""

    async def so() -> bool:
        return await histories(pool) == counted(**counts)

    await turn_until(runner, so)
    await runner.turn()


async def until_applied(pool: asyncpg.Pool, **counts: int) -> None:
    """Looks until somebody has applied so many events of each seller."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await histories(pool) != counted(**counts):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def histories(pool: asyncpg.Pool) -> dict[str, list[int]]:
    """The positions that were applied, by seller and in the order of their application."""
    rows = await pool.fetch("SELECT * FROM history")
    return {row[0]: row[1] for row in rows}


async def times_applied(pool: asyncpg.Pool) -> set[int]:
    return {row["times"] for row in await pool.fetch("SELECT times FROM seen")}


def counted(**counts: int) -> dict[str, list[int]]:
    return {seller: list(range(1, count + 1)) for seller, count in counts.items()}


# --- Once


async def test_i4_a_consumer_killed_at_any_step_applies_each_event_once(
    pool: asyncpg.Pool, journal: PostgresLog, dying: Callable[[str, str, int], int]
) -> None:
    count = await write(journal, "O1", S1=400, S2=60)
    # The topic holds duplicates: a relay has died between produce and cursor.
    assert dying("relay", "produced", count) == -signal.SIGKILL
    assert dying("relay", "none", count) == 0
    for step in ("taken", "applied"):
        assert dying("projection", step, count) == -signal.SIGKILL
        assert await histories(pool) == {}
    assert dying("projection", "moved", count) == -signal.SIGKILL
    reached = await histories(pool)
    assert 0 < sum(len(positions) for positions in reached.values()) < count
    assert dying("projection", "applied", count) == -signal.SIGKILL
    assert await histories(pool) == reached
    assert dying("projection", "none", count) == 0
    assert await histories(pool) == counted(S1=400, S2=60)
    assert await times_applied(pool) == {1}


async def test_i4_two_consumers_on_one_partition_apply_each_event_once(
    database: Database, pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    await write(journal, "O0", S1=300, S2=30)
    await relay_all(pool, kafka, topic)
    stop = asyncio.Event()
    async with (
        await open_pool(database.app_url) as other_pool,
        kafka_log(kafka, topic) as one,
        kafka_log(kafka, topic) as other,
        asyncio.TaskGroup() as group,
    ):
        for source, its_pool in ((one, pool), (other, other_pool)):
            runner = runner_on(its_pool, source, topic)
            runner.batch_max = 50
            group.create_task(runner.run(stop))
        for number in range(1, 21):
            await write(journal, f"O{number}", S1=10, S2=1)
            await relay_all(pool, kafka, topic)
        async with asyncio.timeout(30):
            while await histories(pool) != counted(S1=500, S2=50):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # another process's rows: nothing tells of them
        stop.set()
    assert await times_applied(pool) == {1}


@pytest.mark.parametrize("counts", [{"S1": 3}, {"S1": 2, "S2": 1}], ids=["a place", "places"])
async def test_i4_who_was_overtaken_forgets_his_batch(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, counts: dict[str, int]
) -> None:
    await write(journal, "O1", **counts)
    one, other = (runner_on(pool, OwnLog(pool, (topic,)), topic) for _ in range(2))
    await one.start()
    await other.start()
    assert await one.turn() == 3
    with pytest.raises(TakenOver):
        await other.turn()
    await other.start()
    assert await other.turn() == 0
    assert await times_applied(pool) == {1}


async def test_i4_partitions_that_change_hands_lose_and_double_nothing(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    """A second member joins the group, the first one leaves it; events come all the while."""
    sellers = {f"S{n}": 3 for n in range(20)}
    await write(journal, "O0", **sellers)
    await relay_all(pool, kafka, topic)
    stop_first, stop_second = asyncio.Event(), asyncio.Event()
    group_name = f"sight-{uuid4().hex}"
    async with kafka_log(kafka, topic, group_name) as second, asyncio.TaskGroup() as group:
        async with kafka_log(kafka, topic, group_name) as first:
            leaving = group.create_task(runner_on(pool, first, topic).run(stop_first))
            await applied(pool, 3)
            group.create_task(runner_on(pool, second, topic).run(stop_second))
            await write(journal, "O1", **sellers)
            await relay_all(pool, kafka, topic)
            await applied(pool, 6)
            stop_first.set()
            await leaving
        await write(journal, "O2", **sellers)
        await relay_all(pool, kafka, topic)
        await applied(pool, 9)
        stop_second.set()
    assert await times_applied(pool) == {1}


async def applied(pool: asyncpg.Pool, count: int) -> None:
    """Returns when each of twenty sellers' events are applied, so many of each, in order."""
    async with asyncio.timeout(30):
        while True:
            found = await histories(pool)
            if len(found) == 20 and {len(positions) for positions in found.values()} == {count}:
                return
            await asyncio.sleep(0.01)


# --- Forks


async def rewrite(servers: Servers, database: Database, topic: str, position: int) -> None:
    """The log of the busy seller ends at a position, as after a restore of an older backup."""
    admin = await asyncpg.connect(servers.postgres_url.rpartition("/")[0] + f"/{database.name}")
    try:
        await admin.execute("SET session_replication_role = replica")  # no triggers
        place = (topic, partition_of(BUSY), position)
        await admin.execute(
            "DELETE FROM es.event WHERE topic = $1 AND partition = $2 AND position > $3", *place
        )
        await admin.execute(
            """
            UPDATE es.head SET position = $3, chain_hash = (
                SELECT chain_hash FROM es.event
                WHERE topic = $1 AND partition = $2 AND position = $3)
            WHERE topic = $1 AND partition = $2
            """,
            *place,
        )
    finally:
        await admin.close()


@pytest.mark.parametrize("rewritten", [2, 3])
async def test_i9_a_log_that_lost_its_tail_and_rewrote_it_is_noticed_in_the_database(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    topic: str,
    rewritten: int,
) -> None:
    await write(journal, "O1", S1=5, S2=3)
    runner = runner_on(pool, OwnLog(pool, (topic,)), topic)
    await runner.start()
    await turn_until_applied(runner, pool, S1=5, S2=3)
    await rewrite(servers, database, topic, 3)
    await turn_until_applied(runner, pool, S1=5, S2=3)  # a lost tail alone changes nothing
    await write(journal, "another", S1=rewritten, S2=1)
    await goes_on_without_the_busy_one(runner, pool, topic)


@pytest.mark.parametrize("sent", [(4, 5, 6), (5,), (6,)])
async def test_i9_a_log_that_lost_its_tail_and_rewrote_it_is_noticed_in_kafka(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    sent: tuple[int, ...],
) -> None:
    await write(journal, "O1", S1=5, S2=3)
    await relay_all(pool, kafka, topic)
    async with kafka_log(kafka, topic) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until_applied(runner, pool, S1=5, S2=3)
        await rewrite(servers, database, topic, 3)
        await write(journal, "another", S1=3, S2=1)
        # What the relay sends depends on the cursor that the backup has given it.
        rows = await pool.fetch(
            """
            SELECT topic, partition, position, body, chain_hash FROM es.event
            WHERE topic = $1 AND (partition = $2 AND position = ANY($3)
                                  OR partition = $4 AND position = 4)
            """,
            topic,
            partition_of(BUSY),
            sent,
            partition_of(CALM),
        )
        relay = Relay(kafka)
        assert await relay.produce([Delivery(**dict(row)) for row in rows]) == {}
        await relay.close()
        await goes_on_without_the_busy_one(runner, pool, topic)


async def goes_on_without_the_busy_one(runner: Runner, pool: asyncpg.Pool, topic: str) -> None:
    busy = (topic, partition_of(BUSY))

    async def is_held() -> bool:
        return busy in runner.holds

    for _ in range(2):
        await turn_until(runner, is_held)
        await turn_until_applied(runner, pool, S1=5, S2=4)
        assert runner.holds[busy].why == "fork"
        assert runner.held() == {busy}
        await runner.start()  # a restart does not make it good


async def test_i4_what_is_held_stays_so_when_a_group_gives_its_partitions_anew(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    held = frozenset({(topic, partition_of(BUSY))})
    cursors = {(topic, partition): Cursor() for partition in range(PARTITIONS)}
    group = f"sight-{uuid4().hex}"
    await write(journal, "O1", S1=3, S2=3)
    await relay_all(pool, kafka, topic)

    async def read_again(source: KafkaLog) -> set[Place]:
        """The places of what comes, from the beginning on, until all of the calm one has."""
        read: list[Delivery] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(told.place not in held for told in read) < 3:
                try:
                    read += await source.take(cursors, held)
                except TakenOver:
                    await source.rewind(cursors)
                    read.clear()
        return {told.place for told in read}

    calm = {(topic, partition_of(CALM))}
    async with kafka_log(kafka, topic, group) as source:
        assert await read_again(source) == calm
        async with kafka_log(kafka, topic, group) as other:
            assert await other.places()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(await source.places()) < PARTITIONS:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        assert await read_again(source) == calm


async def test_who_has_been_told_something_does_not_wait_long_for_more(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """His reader has put cursors off perhaps, and somebody waits for them."""
    waits: list[tuple[int, bool]] = []
    getmany = SessionConsumer.getmany

    async def seen(consumer: SessionConsumer, *, timeout_ms: int, max_records: int) -> Told:
        told = await getmany(consumer, timeout_ms=timeout_ms, max_records=max_records)
        waits.append((timeout_ms, bool(told)))
        return told

    monkeypatch.setattr(SessionConsumer, "getmany", seen)
    async with kafka_log(kafka, topic) as source:
        runner = runner_on(pool, source, topic)
        for order in ("O1", "O2"):
            await write(journal, order, S1=1)
            await relay_all(pool, kafka, topic)
            await runner.start()
            await turn_until_applied(runner, pool, S1=int(order[1:]))
            await runner.turn()
            await runner.turn()
    is_long = [wait > waits[0][0] for wait, _ in waits]
    assert is_long[1:] == [not had_come for _, had_come in waits[:-1]]
    assert any(had_come for _, had_come in waits)


# --- Gaps


async def truncate(kafka: str, topic: str, partition: int, before: int) -> None:
    """Deletes the first records of a partition, as a retention that is too short does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic, partition): RecordsToDelete(before_offset=before)}
        )
    finally:
        await admin.close()


async def test_a_gap_is_never_passed_and_holds_up_no_other_partition(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=5, S2=3)
    await relay_all(pool, kafka, topic)
    await truncate(kafka, *busy, before=2)
    async with kafka_log(kafka, topic) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until_applied(runner, pool, S2=3)

        async def is_held() -> bool:
            return busy in runner.holds

        await turn_until(runner, is_held)
        assert runner.holds[busy].why == "gap"
        assert stopped() == 1
        assert await histories(pool) == counted(S2=3)
        # The rest is deleted too and all is relayed once more: what was missing is there.
        await truncate(kafka, *busy, before=TO_THE_END)
        await pool.execute("DELETE FROM es.cursor WHERE subscription = 'relay'")
        await relay_all(pool, kafka, topic)
        await runner.start()
        assert stopped() == 0
        await turn_until_applied(runner, pool, S1=5, S2=3)
        assert runner.held() == frozenset()
    assert await times_applied(pool) == {1}


async def test_i4_two_who_ask_for_a_consumer_at_once_are_given_one(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To another one in its group Kafka would give partitions that nobody reads."""
    started, start = list[SessionConsumer](), SessionConsumer.start

    async def noting(consumer: SessionConsumer) -> None:
        started.append(consumer)
        await start(consumer)

    monkeypatch.setattr("shared_runtime.fetching.SessionConsumer.start", noting)
    async with kafka_log(kafka, topic) as source:
        await asyncio.gather(source.places(), source.rewind({}))
    assert len(started) == 1


async def test_a_reader_knocks_a_few_times_a_second_while_kafka_is_away(
    own_servers: Servers, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (broker := own_servers.own_kafka) is None:
        pytest.skip("this broker is not ours to stop")
    create_topics(own_servers.kafka, [topic := f"orders.{uuid4().hex[:8]}"])
    request.addfinalizer(partial(delete_topics, own_servers.kafka, [topic]))
    knocks, connect = 0, vars(kafka_client)["create_conn"]

    async def knocking(*at: Any, **how: Any) -> object:  # noqa: ANN401 - as the library's
        nonlocal knocks
        knocks += 1
        return await connect(*at, **how)

    now = asyncio.get_running_loop().time
    async with kafka_log(own_servers.kafka, topic) as source:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):  # a broker that has just been started
            while not await has_been_given(source):  # noqa: ASYNC110 - Kafka says so
                await asyncio.sleep(0.01)
        await source.rewind({(topic, partition): Cursor() for partition in range(PARTITIONS)})
        monkeypatch.setattr("aiokafka.client.create_conn", knocking)
        await asyncio.to_thread(broker.kill)
        try:
            began_at = now()
            while (seconds := now() - began_at) < AWAY_SECONDS:
                assert await source.take({}) == []
            knocked = knocks
        finally:
            await asyncio.to_thread(broker.start)
    assert 0 < knocked < 10 * seconds


async def has_been_given(source: KafkaLog) -> bool:
    """Whether it has partitions of its topic."""
    with suppress(TimeoutError, KafkaError):
        return bool(await source.places())
    return False


@pytest.mark.parametrize(
    "step",
    ["fetcher.Fetcher._get_actions_per_node", "group_coordinator.GroupCoordinator._do_heartbeat"],
)
async def test_i4_a_reader_whose_consumer_has_failed_for_good_has_another(  # noqa: PLR0917
    step: str,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared_runtime.sources.ALONE_SECONDS", 1.0)
    has_failed, stop = asyncio.Event(), asyncio.Event()

    def failing(*_: object) -> None:
        has_failed.set()
        raise KafkaError("nobody has foreseen this")

    async with kafka_log(kafka, topic) as source, asyncio.TaskGroup() as group:
        runner = runner_on(pool, source, topic)
        await write(journal, "O1", S1=1)
        await relay_all(pool, kafka, topic)
        group.create_task(runner.run(stop))
        try:
            await until_applied(pool, S1=1)
            with monkeypatch.context() as broken:
                broken.setattr(f"aiokafka.consumer.{step}", failing)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await has_failed.wait()
            await write(journal, "O2", S1=1)
            await relay_all(pool, kafka, topic)
            await until_applied(pool, S1=2)
        finally:
            stop.set()
    assert await times_applied(pool) == {1}


async def test_what_is_behind_in_the_own_log_is_read_by_the_names_of_its_places(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Always the same, so that what follows one after the other does so everywhere."""
    await write(journal, "O1", **{f"S{number}": 1 for number in range(40)})
    subscription = Subscription(name="sight", topics=(topic,), apply=see)
    taken = await OwnLog(pool, (topic,)).take(await read_cursors(pool, subscription))
    places = [delivery.place for delivery in taken]
    assert len({*places}) > 10
    assert places == sorted(places)


async def test_what_no_relay_has_written_is_passed_over(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    where: dict[str, Any] = {"partition": partition_of(BUSY), "key": BUSY.encode()}
    await producer.send_and_wait(topic, b"hello", **where)
    await write(journal, "O1", S1=2)
    await relay_all(pool, kafka, topic)
    await producer.send_and_wait(topic, b"{}", **where, headers=[("position", b"three")])
    await write(journal, "O2", S1=2)
    await relay_all(pool, kafka, topic)
    await producer.stop()
    async with kafka_log(kafka, topic) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until_applied(runner, pool, S1=4)


async def test_a_topic_of_others_is_read_by_its_offsets(
    pool: asyncpg.Pool, kafka: str, topic: str
) -> None:
    def have_come(*positions: int) -> Callable[[], Awaitable[bool]]:
        async def so() -> bool:
            return await histories(pool) == {"K": list(positions)}

        return so

    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for _ in range(3):
        await producer.send_and_wait(topic, b"hello", key=b"K", partition=7)
    await truncate(kafka, topic, 7, 1)
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until(runner, have_come(2, 3))
        await producer.send_and_wait(topic, b"hello", key=b"K", partition=7)
        await runner.start()
        await turn_until(runner, have_come(2, 3, 4))
    await producer.stop()
    assert await times_applied(pool) == {1}


async def test_a_run_that_was_broken_off_begins_again_behind_what_is_stored(
    pool: asyncpg.Pool, kafka: str, topic: str
) -> None:
    breaking = True

    async def before(deliveries: Sequence[Delivery]) -> dict[Place, Exception]:
        assert not (breaking and deliveries)
        return {}

    async def have_come() -> bool:
        return await histories(pool) == {"K": [1, 2]}

    await send_compressed(kafka, topic, None, 7, 7)
    stop = asyncio.Event()
    async with kafka_log(kafka, topic, foreign=True) as source, asyncio.TaskGroup() as group:
        runner = runner_on(pool, source, topic)
        runner.subscription = replace(runner.subscription, before=before)
        with pytest.raises(AssertionError):
            await runner.run(stop)
        breaking = False
        group.create_task(runner.run(stop))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await have_come():  # noqa: ASYNC110 - it is in the database
                await asyncio.sleep(0.01)
        stop.set()


async def test_what_a_producer_takes_back_has_not_happened(
    pool: asyncpg.Pool, kafka: str, topic: str
) -> None:
    kept = (3, 4)  # positions: each transaction ends with a marker that has one too

    async def have_come() -> bool:
        return await histories(pool) == {"K": [*kept]}

    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"shop-{topic}")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"taken back", key=b"K", partition=7)
    await producer.abort_transaction()
    await producer.begin_transaction()
    for _ in kept:
        await producer.send_and_wait(topic, b"kept", key=b"K", partition=7)
    await producer.commit_transaction()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"taken back", key=b"K", partition=7)
    await producer.abort_transaction()
    await producer.stop()
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until(runner, have_come)
        assert [d.position for d in await source.fetch((topic, 7), kept)] == [*kept]
        await runner.start()
        await runner.turn()
        assert await have_come()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_record_is_read_however_its_producer_compresses(
    pool: asyncpg.Pool, kafka: str, topic: str, codec: str
) -> None:
    async def has_come() -> bool:
        return await histories(pool) == {"K": [1]}

    await send_compressed(kafka, topic, codec, 7)
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until(runner, has_come)


def stopped() -> float | None:
    """What the metric says of how many partitions are not read on."""
    return REGISTRY.get_sample_value("aftersales_stopped_partitions", {"subscription": "sight"})


async def send_compressed(kafka: str, topic: str, codec: str | None, *partitions: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, compression_type=codec)
    await producer.start()
    for partition in partitions:
        await producer.send_and_wait(topic, b"hello" * 50, key=b"K", partition=partition)
    await producer.stop()


async def test_what_cannot_be_decompressed_holds_its_partition_alone_and_is_told(
    pool: asyncpg.Pool, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def have_come(**expected: list[int]) -> Callable[[], Awaitable[bool]]:
        async def so() -> bool:
            rows = await pool.fetch("SELECT partition, position FROM seen")
            found: dict[str, list[int]] = {}
            for partition, position in rows:
                found.setdefault(f"p{partition}", []).append(position)
            return {name: sorted(positions) for name, positions in found.items()} == expected

        return so

    await send_compressed(kafka, topic, None, 7, 8)
    await send_compressed(kafka, topic, "zstd", 7)
    await send_compressed(kafka, topic, None, 7, 8)
    library = codecs.cramjam
    monkeypatch.setattr(codecs, "cramjam", None)  # a process that was installed without it
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until(runner, have_come(p7=[1], p8=[1, 2]))
        held = runner.holds[topic, 7]
        assert held.why == "unreadable"
        assert stopped() == 1
        await send_compressed(kafka, topic, None, 8)
        await turn_until(runner, have_come(p7=[1], p8=[1, 2, 3]))
        monkeypatch.setattr(codecs, "cramjam", library)
        await turn_until(runner, have_come(p7=[1, 2, 3], p8=[1, 2, 3]))
        assert (topic, 7) not in runner.holds
        assert stopped() == 0
    assert await times_applied(pool) == {1}


async def test_i13_a_key_of_any_bytes_holds_up_nobody(
    pool: asyncpg.Pool, kafka: str, topic: str
) -> None:
    async def poison(deliveries: Sequence[Delivery], db: Connection) -> None:
        assert not any(delivery.body == b"poison" for delivery in deliveries)
        await see(deliveries, db)

    async def have_come() -> bool:
        return await histories(pool) == {"good": [2]}

    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(topic, b"poison", key=b"\x00\xff", partition=7)
    await producer.send_and_wait(topic, b"hello", key=b"good", partition=7)
    await producer.stop()
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        runner.subscription = replace(runner.subscription, apply=poison)
        await runner.start()
        await turn_until(runner, have_come)
    (parked,) = await list_parked(pool)
    assert (parked["key"], parked["events"]) == ("\ufffd\ufffd", 1)


async def test_i12_of_what_others_announce_only_its_place_waits_and_it_is_read_again(
    pool: asyncpg.Pool, kafka: str, topic: str
) -> None:
    """It may hold words of people, which nobody could erase from the tables of those who wait."""
    mended: list[bool] = []

    async def failing(deliveries: Sequence[Delivery], db: Connection) -> None:
        if not mended and deliveries[0].key == "S1":
            raise LookupError("no such seller")
        await see(deliveries, db)

    async def have_come() -> bool:
        return await histories(pool) == {"S2": [3]}

    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for key, said in (b"S1", b"I am ill"), (b"S1", b"I am well"), (b"S2", b"hello"):
        await producer.send_and_wait(topic, said, key=key, partition=7)
    await producer.stop()
    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        runner.subscription = replace(runner.subscription, apply=failing)
        await runner.start()
        await turn_until(runner, have_come)
        kept = await pool.fetch("SELECT position, body FROM es.parked_event ORDER BY position")
        assert [tuple(each) for each in kept] == [(1, None), (2, None)]
        mended.append(True)
        assert await ask_retry(pool, subscription=runner.subscription.name, key="S1")
        assert await retry_parked(runner.subscription, source, pool) == 1
    assert await histories(pool) == {"S1": [1, 2], "S2": [3]}


# --- Batches


async def test_a_batch_that_is_too_much_is_taken_in_smaller_ones(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    sizes: list[int] = []

    async def slow(deliveries: Sequence[Delivery], db: Connection) -> None:
        sizes.append(len(deliveries))
        if len(deliveries) > 30:
            raise TimeoutError
        await see(deliveries, db)

    await write(journal, "O1", S1=100, S2=10)
    runner = runner_on(pool, OwnLog(pool, (topic,)), topic)
    runner.subscription = replace(runner.subscription, apply=slow)
    await runner.start()
    while await histories(pool) != counted(S1=100, S2=10):
        with suppress(TimeoutError):
            await runner.turn()
    assert sizes[:4] == [110, 55, 27, 54]
    assert await times_applied(pool) == {1}


async def test_a_loop_that_is_busy_with_small_turns_takes_so_many_a_second(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Another event comes in the course of each turn."""
    loop = asyncio.get_running_loop()
    ended: list[float] = []
    stop = asyncio.Event()

    async def work(deliveries: Sequence[Delivery], _: Connection) -> None:
        await write(journal, f"O{len(ended) + 1}", S1=1)
        ended.append(loop.time())
        if len(ended) == TURNS:
            stop.set()
        assert len(deliveries) == 1

    subscription = Subscription(name="sight", topics=(topic,), apply=work)
    source = OwnLog(pool, (topic,), tail=Tail(idle_seconds=0))
    runner = Runner(subscription=subscription, source=source, pool=pool)
    await write(journal, "O0", S1=1)
    await runner.run(stop)
    # (The last before the first that rests, and the last of all, are looked at when they end.)
    assert ended[-1] - ended[0] >= (TURNS - TURNS_AT_ONCE - 2) / TURNS_A_SECOND


def busy() -> Pace:
    """It has just taken as many small turns as it may at once."""
    pace = Pace()
    assert [pace.rest_after(1, 0.0) for _ in range(int(TURNS_AT_ONCE))] == [0.0] * int(
        TURNS_AT_ONCE
    )
    return pace


def test_a_loop_takes_some_small_turns_at_once_and_then_so_many_a_second() -> None:
    pace, at = busy(), 0.0
    for _ in range(3):
        rest = pace.rest_after(1, at)
        assert rest == pytest.approx(1 / TURNS_A_SECOND)
        at += rest


def test_neither_great_turns_nor_looks_that_find_nothing_are_counted() -> None:
    pace = busy()
    assert pace.rest_after(AHEAD_MIN, 0.0) == 0.0
    assert pace.rest_after(0, 0.0) == 0.0
    assert pace.rest_after(AHEAD_MIN - 1, 0.0) > 0.0


async def test_batches_that_are_as_large_as_they_may_be_are_not_paced(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """After one that was too much they are small, and there is plenty left."""
    rests: list[tuple[int, float]] = []

    class Watched(Pace):
        def rest_after(self, applied: int, at: float, plenty: int = AHEAD_MIN) -> float:  # noqa: ARG002 - no time passes
            rests.append((applied, super().rest_after(applied, 0.0, plenty)))
            if len(rests) == 8:
                stop.set()
            return 0.0

    await write(journal, "O1", S1=100)
    stop = asyncio.Event()
    runner = runner_on(pool, OwnLog(pool, (topic,), tail=Tail(idle_seconds=0)), topic)
    runner.pace, runner.batch_max = Watched(left=0.0, at=0.0), 1
    await runner.run(stop)
    assert rests[:6] == [(1, 0.0), (2, 0.0), (4, 0.0), (8, 0.0), (16, 0.0), (32, 0.0)]
    taken, rest = rests[6]
    assert taken == 37
    assert rest == pytest.approx(1 / TURNS_A_SECOND)


@pytest.mark.parametrize(
    ("seconds", "turns"), [(3 / TURNS_A_SECOND, 3), (4 / TURNS_A_SECOND, 4), (60.0, 4)]
)
def test_the_longer_it_has_not_turned_the_more_it_may_at_once_up_to_a_bound(
    seconds: float, turns: int
) -> None:
    pace = busy()
    rests = [pace.rest_after(1, seconds) for _ in range(turns + 1)]
    assert rests[:-1] == pytest.approx([0.0] * turns)
    assert rests[-1] == pytest.approx(1 / TURNS_A_SECOND)


async def test_a_busy_partition_does_not_hold_up_the_others(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    sellers = {f"S{n}": 2 for n in range(2, 12)}
    await write(journal, "O1", S1=1200, **sellers)
    source = OwnLog(pool, (topic,))
    runner = runner_on(pool, source, topic)
    await runner.start()
    await runner.turn()
    found = await histories(pool)
    assert {key: len(found[key]) for key in sellers} == sellers
    assert len(found[BUSY]) < 1200


async def test_a_batch_is_bounded_in_bytes_and_the_largest_event_comes_alone(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    await write(journal, "O1", S1=9, S2=9)
    source = OwnLog(pool, (topic,))
    cursors = {(topic, partition_of(key)): Cursor() for key in ("S1", "S2")}
    (size, *_) = {len(each.body) for each in await source.take(cursors)}
    for most, taken in ((8 * size, [1, 1, 2, 2, 3, 3, 4, 4]), (2 * size, [1, 1]), (1, [1])):
        read = await OwnLog(pool, (topic,), bytes_max=most).take(cursors)
        assert sorted(each.position for each in read) == taken


async def test_many_places_with_large_events_take_turns(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """Each may give one, however large, and all of them together are too much."""
    sellers = ("S1", "S2", "S3", "S4")
    await write(journal, "O1", **dict.fromkeys(sellers, 3))
    cursors = {(topic, partition_of(key)): Cursor() for key in sellers}
    source = OwnLog(pool, (topic,))
    (size, *_) = {len(each.body) for each in await source.take(cursors)}
    assert len(await OwnLog(pool, (topic,), bytes_max=4 * size).take(cursors)) == 4
    source = OwnLog(pool, (topic,), bytes_max=3 * size)
    first = {each.place for each in await source.take(cursors)}
    assert len(first) == 3
    assert cursors.keys() - first < {each.place for each in await source.take(cursors)}


async def test_nothing_more_is_fetched_while_what_has_come_is_not_taken(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes long over a batch has one answer of each broker besides, and not a part of
    every partition.
    """
    fetches: list[object] = []
    send = Sessions.send

    async def noted(self: Sessions, node_id: int, request: object, **options: object) -> object:
        if isinstance(request, FetchRequest):
            fetches.append(request)
        return await send(self, node_id, request, **options)

    monkeypatch.setattr(Sessions, "send", noted)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(topic, b"1", partition=1)
    async with kafka_log(kafka, topic, foreign=True) as source:
        places = {(topic, partition): Cursor() for partition in range(PARTITIONS)}
        await source.places()
        await source.rewind(places)
        # It has come, and another one is waited for.
        while not await source.take(places):
            pass
        await producer.send_and_wait(topic, b"2", partition=1)
        await asyncio.sleep(0.5)  # which it does before anybody takes it
        begun = len(fetches)
        await producer.send_and_wait(topic, b"3", partition=2)
        await asyncio.sleep(0.5)
        assert len(fetches) == begun
        assert [each.body for each in await source.take(places)] == [b"2"]
        assert [each.body for each in await source.take(places)] == [b"3"]
    await producer.stop()


async def test_what_is_fetched_ahead_from_kafka_is_bounded_in_bytes(
    pool: asyncpg.Pool, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is larger alone comes alone."""
    monkeypatch.setattr(sources, "PARTITION_BYTES_MAX", 4 * 1024)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for size in (*[1000] * 10, 10_000, *[1000] * 10):
        await producer.send_and_wait(topic, bytes(size), key=b"K", partition=7)
    await producer.stop()
    batches: list[list[int]] = []

    async def note(deliveries: Sequence[Delivery], _: Connection) -> None:
        batches.append([len(each.body) for each in deliveries])

    async def have_come() -> bool:
        return sum(map(len, batches)) == 21

    async with kafka_log(kafka, topic, foreign=True) as source:
        runner = runner_on(pool, source, topic)
        runner.subscription = replace(runner.subscription, apply=note)
        await runner.start()
        await turn_until(runner, have_come)
    assert [10_000] in batches
    assert max(map(sum, batches)) == 10_000
    assert max(map(len, batches)) <= 4


async def test_readers_of_one_process_read_and_decode_the_log_once(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    await write(journal, "O1", S1=3, S2=2)
    tail = Tail()
    first, second = (OwnLog(pool, (topic,), tail=tail) for _ in range(2))
    cursors = {(topic, partition_of(key)): Cursor() for key in ("S1", "S2")}
    read = await first.take(cursors)
    assert len(read) == 5
    assert {id(delivery) for delivery in await second.take(cursors)} == {id(d) for d in read}
    await write(journal, "O2", S1=1)
    reached = {d.place: Cursor(position=d.position, chain_hash=d.chain_hash or b"") for d in read}
    assert [d.position for d in await second.take(reached)] == [4]
    assert len(await first.take({**reached, read[0].place: Cursor()})) >= 3


def test_i9_what_continues_the_chain_of_one_reader_need_not_continue_anothers() -> None:
    told = Delivery(topic="t", partition=0, position=1, body=b"{}", chain_hash=bytes(32))
    told.chain_hash = sha256(NO_CHAIN + told.leaf).digest()
    assert told.continues(NO_CHAIN)
    assert not told.continues(sha256(b"another").digest())
    assert told.continues(NO_CHAIN)


async def test_what_was_read_to_its_end_is_read_again_from_where_one_goes_back_to(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """I4."""
    await write(journal, "O1", S1=2, S2=1)
    source = OwnLog(pool, (topic,), tail=Tail(idle_seconds=0))
    begin = {(topic, partition_of(key)): Cursor() for key in ("S1", "S2")}
    read = await source.take(begin)
    reached = {
        told.place: Cursor(position=told.position, chain_hash=told.chain_hash or b"")
        for told in read
    }
    assert (len(read), await source.take(reached)) == (3, [])
    back = reached | {(topic, partition_of("S1")): Cursor()}
    await source.rewind(back)
    assert [(told.place[1], told.position) for told in await source.take(back)] == [
        (partition_of("S1"), 1),
        (partition_of("S1"), 2),
    ]


async def test_a_log_that_was_restored_from_a_backup_is_read_as_it_is_now(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    """I9."""
    await write(journal, "O1", S1=2)
    tail = Tail(idle_seconds=0)
    source = OwnLog(pool, (topic,), tail=tail)
    here = (topic, partition_of("S1"))
    read = await source.take({here: Cursor()})
    lost = Delivery(topic=topic, partition=here[1], position=3, body=b"{}", chain_hash=bytes(32))
    reached = {here: Cursor(position=2, chain_hash=read[-1].chain_hash or b"")}
    for kept in ([lost], []):
        tail.keep(kept)
        tail.heads = {here: (3, bytes(32))}
        await source.rewind(reached)
        assert await source.take(reached) == []
        assert tail.heads[here][0] == 2
    tail.heads = {here: (3, bytes(32))}  # and without having begun anew
    assert await source.take(reached) == []
    assert tail.heads[here][0] == 2


async def test_records_are_fetched_by_their_positions_wherever_they_are(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    dying: Callable[[str, str, int], int],
) -> None:
    count = await write(journal, "O1", S1=1500)
    dying("relay", "produced", count)
    await relay_all(pool, kafka, topic)
    place = (topic, partition_of(BUSY))
    wanted = [1, 2, 99, 100, 101, 700, 1499, 1500]
    async with kafka_log(kafka, topic) as source:
        from_kafka = await source.fetch(place, wanted)
    from_log = await OwnLog(pool, (topic,)).fetch(place, wanted)
    assert [d.position for d in from_kafka] == wanted
    assert [replace(d, record_key=None, epoch=None, name="") for d in from_kafka] == from_log


async def test_kafka_is_told_how_far_a_group_has_come(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    await write(journal, "O1", S1=5)
    await relay_all(pool, kafka, topic)
    group = f"sight-{uuid4().hex}"
    async with kafka_log(kafka, topic, group) as source:
        source.commit_seconds = 0
        runner = runner_on(pool, source, topic)
        await runner.start()
        await turn_until_applied(runner, pool, S1=5)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    assert offsets[TopicPartition(topic, partition_of(BUSY))].offset == 5
