"""Topics that are made anew or lose their tail, logs that are restored: noticed in time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from local_stack.databases import Database
from local_stack.errors import StackError
from local_stack.servers import Servers
from local_stack.topics import any_there, create_topics, delete_topics
from prometheus_client import REGISTRY
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime import sources
from shared_runtime.delivery import (
    NO_CHAIN,
    Connection,
    Cursor,
    Delivery,
    Epoch,
    Place,
    Subscription,
    TakenOver,
)
from shared_runtime.feed import LogFeed
from shared_runtime.lineage import ends_of, ends_that_answer
from shared_runtime.log import PostgresLog
from shared_runtime.parking import ask_retry, list_parked, retry_parked
from shared_runtime.projections import (
    Projection,
    create_projections,
    live_subscription,
    rebuild,
)
from shared_runtime.recovery import recover
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import FETCH_SECONDS_MAX, KafkaLog, OwnLog, reading
from shared_runtime.subscription import Forked, Runner, advance
from shared_runtime.tail import Tail
from shared_runtime.testing import counted, facts, see, seen

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
BUSY, CALM = "S1", "S2"
PATIENCE_SECONDS = 20
OLD, NEW = UUID(int=1), UUID(int=2)

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


async def write(log: PostgresLog, name: str, **counts: int) -> None:
    for seller, count in counts.items():
        events = [paid(name, seller)] * count
        await log.append(facts(f"order-{name}-{seller}", *events, at=AT))


@asynccontextmanager
async def consuming(
    pool: asyncpg.Pool,
    kafka: str,
    topic: str,
    *,
    foreign: bool = False,
    feed: LogFeed | None = None,
) -> AsyncGenerator[Runner]:
    source = KafkaLog(kafka, f"sight-{uuid4().hex}", (topic,), foreign=foreign, feed=feed)
    subscription = Subscription(name="sight", topics=(topic,), apply=see)
    runner = Runner(subscription=subscription, source=source, pool=pool)
    try:
        await runner.start()
        yield runner
    finally:
        await source.close()


@asynccontextmanager
async def relaying(pool: asyncpg.Pool, kafka: str, topic: str) -> AsyncGenerator[Runner]:
    relay = Relay(kafka)
    runner = Runner(
        subscription=relay_subscription(relay, (topic,)),
        source=OwnLog(pool, (topic,), tail=Tail(idle_seconds=0)),
        pool=pool,
    )
    try:
        await runner.start()
        yield runner
    finally:
        await relay.close()


async def turn_all(runner: Runner) -> None:
    while await runner.turn():
        pass


async def relay_all(pool: asyncpg.Pool, kafka: str, topic: str) -> None:
    async with relaying(pool, kafka, topic) as runner:
        await turn_all(runner)


async def turn_until(runner: Runner, so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():
            try:
                await runner.turn()
            except TakenOver:
                await runner.start()


async def turn_until_seen(runner: Runner, pool: asyncpg.Pool, **counts: int) -> None:
    async def so() -> bool:
        return await seen(pool) == counted(**counts)

    await turn_until(runner, so)


async def turn_until_held(runner: Runner, place: Place, why: str) -> None:
    async def so() -> bool:
        return place in runner.holds and runner.holds[place].why == why

    await turn_until(runner, so)


def make_anew(kafka: str, topic: str) -> None:
    delete_topics(kafka, [topic])
    for _ in range(100):
        if not any_there(kafka, [topic]):
            break
    while True:
        try:
            create_topics(kafka, [topic])
        except StackError:
            continue
        return


async def truncate(kafka: str, place: Place, before: int) -> None:
    """Deletes the first records of a partition, as a retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(*place): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def positions(kafka: str, place: Place) -> list[int]:
    """What lies in a partition."""
    found: list[int] = []
    async with reading(kafka, [place]) as consumer:
        end = (await consumer.end_offsets([TopicPartition(*place)]))[TopicPartition(*place)]
        while len(found) < end:
            record = await consumer.getone()
            found.append(int(dict(record.headers)["position"]))
    return found


async def cut(servers: Servers, database: Database, topic: str, seller: str, position: int) -> None:
    """The log of a seller ends at a position, as after a restore of a backup."""
    admin = await asyncpg.connect(servers.postgres_url.rpartition("/")[0] + f"/{database.name}")
    try:
        await admin.execute("SET session_replication_role = replica")  # no triggers
        place = (topic, partition_of(seller), position)
        await admin.execute(
            "DELETE FROM es.event WHERE topic = $1 AND partition = $2 AND position > $3", *place
        )
        await admin.execute(
            """
            UPDATE es.head SET position = $3, chain_hash = coalesce((
                SELECT chain_hash FROM es.event
                WHERE topic = $1 AND partition = $2 AND position = $3), $4)
            WHERE topic = $1 AND partition = $2
            """,
            *place,
            NO_CHAIN,
        )
        await admin.execute(
            """
            UPDATE es.cursor AS cursor SET position = head.position, chain_hash = head.chain_hash
            FROM es.head AS head
            WHERE head.topic = $1 AND head.partition = $2 AND cursor.subscription = 'relay'
              AND cursor.topic = $1 AND cursor.partition = $2 AND cursor.position > head.position
            """,
            *place[:2],
        )
    finally:
        await admin.close()


def told(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0.0


# --- Topics that are made anew


async def test_what_was_sent_to_a_topic_that_was_made_anew_is_sent_again(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    await write(journal, "O1", S1=30, S2=3)
    await relay_all(pool, kafka, topic)
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=30, S2=3)
    make_anew(kafka, topic)
    await write(journal, "O2", S1=40)
    await relay_all(pool, kafka, topic)
    assert await positions(kafka, (topic, partition_of(BUSY))) == [*range(1, 71)]
    assert await positions(kafka, (topic, partition_of(CALM))) == [1, 2, 3]
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=70, S2=3)
        assert not runner.holds


async def test_i3_a_relay_under_which_a_topic_is_made_anew_sends_all_again_to_be_found(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    """I3."""
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=50)
    async with relaying(pool, kafka, topic) as relay:
        await turn_all(relay)
        make_anew(kafka, topic)
        await write(journal, "O2", S1=10)

        async def are_there() -> bool:
            return relay.cursors[busy].position == 60 and len(await positions(kafka, busy)) > 10

        await turn_until(relay, are_there)
    # What had come to stand before it was noticed is in the way of nobody.
    there = await positions(kafka, busy)
    assert (there[0], there[-60:]) == (51, [*range(1, 61)])
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=60)


async def test_a_consumer_that_sees_its_topic_go_sees_it_come_again(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared_runtime.sources.METADATA_MS_MAX", 200)
    monkeypatch.setattr("shared_runtime.sources.ALONE_SECONDS", 1.0)
    await write(journal, "O1", S1=3)
    await relay_all(pool, kafka, topic)
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=3)
        delete_topics(kafka, [topic])

        async def has_gone() -> bool:
            return not await runner.source.places()

        await turn_until(runner, has_gone)
        create_topics(kafka, [topic])
        await write(journal, "O2", S1=2)
        await relay_all(pool, kafka, topic)
        await turn_until_seen(runner, pool, S1=5)


@pytest.mark.parametrize("milliseconds", [200, 60_000])
async def test_whoever_reads_or_writes_asks_what_topics_there_are_after_so_long(
    kafka: str, topic: str, milliseconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before: else Kafka's client has five minutes."""
    assert sources.METADATA_MS_MAX == 30_000
    for module in ("sources", "relay"):
        monkeypatch.setattr(f"shared_runtime.{module}.METADATA_MS_MAX", milliseconds)
    asking, all_have = set[int](), asyncio.Event()
    update: Any = vars(AIOKafkaClient)["_metadata_update"]

    async def noting(client: AIOKafkaClient, *told: object) -> bool:
        asking.add(id(client))
        if len(asking) == 3:
            all_have.set()
        return bool(await update(client, *told))

    relay, log = Relay(kafka), KafkaLog(kafka, f"sight-{uuid4().hex}", (topic,))
    async with reading(kafka, [(topic, 0)]) as consumer:
        await consumer.getmany(timeout_ms=50)
        await relay.produce([])
        has_joined = False
        while not has_joined:  # a broker that has just been started takes its time
            with suppress(TimeoutError, KafkaError):
                has_joined = bool(await log.places())
            await consumer.getmany(timeout_ms=50)
        monkeypatch.setattr("aiokafka.client.AIOKafkaClient._metadata_update", noting)
        seconds = PATIENCE_SECONDS if milliseconds == 200 else 2
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await all_have.wait()
    assert len(asking) == (3 if milliseconds == 200 else 0)
    await asyncio.gather(relay.close(), log.close())


async def test_what_a_broker_has_lost_of_a_tail_is_sent_again(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=7)
    await relay_all(pool, kafka, topic)
    await write(journal, "O2", S1=3)
    (last,) = await OwnLog(pool, (topic,)).fetch(busy, [10])
    await pool.execute(
        "UPDATE es.cursor SET position = 10, chain_hash = $1 "
        "WHERE subscription = 'relay' AND topic = $2 AND partition = $3",
        last.chain_hash,
        *busy,
    )
    before = told("aftersales_sent_again_total", topic=topic)
    await relay_all(pool, kafka, topic)
    assert await positions(kafka, busy) == [*range(1, 11)]
    assert told("aftersales_sent_again_total", topic=topic) == before + 1


async def test_what_retention_has_taken_is_not_sent_again(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=5)
    await relay_all(pool, kafka, topic)
    await truncate(kafka, busy, -1)
    async with relaying(pool, kafka, topic) as relay:
        assert relay.cursors[busy].position == 5
        assert not relay.holds


async def test_records_that_no_relay_has_written_are_passed_over_where_a_topic_ends(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=2)
    await relay_all(pool, kafka, topic)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for _ in range(3):
        await producer.send_and_wait(topic, b"hello", partition=busy[1])
    await producer.stop()
    async with relaying(pool, kafka, topic) as relay:
        assert relay.cursors[busy].position == 2


# --- Logs that are restored


@pytest.mark.parametrize("written_since", [0, 1, 3, 4])
async def test_i9_a_relay_sends_nothing_of_a_log_that_is_not_what_the_topic_ends_with(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    written_since: int,
) -> None:
    """It lost its tail, and has written less, as much or more in its place."""
    busy, calm = (topic, partition_of(BUSY)), (topic, partition_of(CALM))
    await write(journal, "O1", S1=8, S2=3)
    await relay_all(pool, kafka, topic)
    await cut(servers, database, topic, BUSY, 5)
    await write(journal, "another", S1=written_since, S2=2)
    async with relaying(pool, kafka, topic) as relay:
        assert relay.holds[busy].why == "fork"
        await turn_all(relay)
        assert told("aftersales_stopped_partitions", subscription="relay") == 1
        assert told("aftersales_held_partitions", subscription="relay", why="fork") == 1
        assert told("aftersales_held_partitions", subscription="relay", why="gap") == 0
    assert await positions(kafka, busy) == [*range(1, 9)]
    assert await positions(kafka, calm) == [*range(1, 6)]


async def test_i9_a_restored_log_takes_back_what_its_topic_still_has(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
) -> None:
    """I1. What is written with events is written with those that come back."""
    read = "SELECT * FROM es.event WHERE topic = $1 ORDER BY partition, position"
    heads = "SELECT * FROM es.head WHERE topic = $1 ORDER BY partition"
    there = "SELECT FROM es.event WHERE topic = $1 AND partition = $2 AND position = $3"
    kept: list[tuple[Place, int]] = []

    async def keep(deliveries: Sequence[Delivery], db: Connection) -> None:
        for each in deliveries:
            assert await db.fetch(there, *each.place, each.position)
            kept.append((each.place, each.position))

    await write(journal, "O1", S1=8, S2=3)
    await write(journal, "O2", S1=4)
    await relay_all(pool, kafka, topic)
    events, were = await pool.fetch(read, topic), await pool.fetch(heads, topic)
    await cut(servers, database, topic, BUSY, 5)
    await cut(servers, database, topic, CALM, 0)
    recovered = await recover(owner, kafka, [topic], beside=keep)
    assert (recovered.events, dict(recovered.parted)) == (10, {})
    busy, calm = (topic, partition_of(BUSY)), (topic, partition_of(CALM))
    assert {*kept} == {(busy, at) for at in range(6, 13)} | {(calm, at) for at in range(1, 4)}
    assert await pool.fetch(read, topic) == events
    are = await pool.fetch(heads, topic)
    for before, after in zip(were, are, strict=True):
        assert (after["position"], after["chain_hash"]) == (
            before["position"],
            before["chain_hash"],
        )
        assert after["epoch"] > before["epoch"]
        assert after["epoch_from"] == before["position"]
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=12, S2=3)
        await write(journal, "O3", S1=1)
        await relay_all(pool, kafka, topic)
        await turn_until_seen(runner, pool, S1=13, S2=3)
        assert runner.cursors[topic, partition_of(BUSY)].epoch == are[0]["epoch"]


async def test_a_restored_log_that_has_gone_on_is_told_from_where(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
) -> None:
    """I9."""
    busy = (topic, partition_of(BUSY))
    await write(journal, "O1", S1=8, S2=3)
    await relay_all(pool, kafka, topic)
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_seen(runner, pool, S1=8, S2=3)
    await cut(servers, database, topic, BUSY, 5)
    await write(journal, "another", S1=1)
    recovered = await recover(owner, kafka, [topic])
    assert (recovered.events, dict(recovered.parted)) == (0, {busy: 5})
    # The topic with both histories is made anew; who has come further than they have in common
    # knows it from the first event, though none has the position that he is at.
    make_anew(kafka, topic)
    await relay_all(pool, kafka, topic)
    assert await positions(kafka, busy) == [*range(1, 7)]
    async with consuming(pool, kafka, topic) as runner:
        await turn_until_held(runner, busy, "fork")
        await turn_until_seen(runner, pool, S1=8, S2=3)


async def pay(batch: Sequence[Recorded[OrderPaid]], db: Connection) -> None:
    rows = [(told.event.order_id, told.event.seller_id) for told in batch]
    await db.executemany("INSERT INTO payment (order_id, seller_id) VALUES ($1, $2)", rows)


async def test_i9_what_followed_a_history_that_is_over_is_built_again_from_the_one_that_goes_on(  # noqa: PLR0917
    servers: Servers,
    database: Database,
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where that one is shorter: its end is as far as there is to come."""
    monkeypatch.setattr("shared_runtime.projections.IDLE_SECONDS", 0.2)
    payments = Projection(
        name="payments",
        version=1,
        topics=(topic,),
        handles=(OrderPaid,),
        tables=("payment",),
        ddl="CREATE TABLE payment (order_id text, seller_id text)",
        apply=pay,
    )
    async with owner.acquire() as db:
        await create_projections(db, [payments])
    paid_for = "SELECT order_id, seller_id, count(*) FROM read.payment GROUP BY 1, 2 ORDER BY 1, 2"

    async def project_until(*wanted: tuple[str, str, int]) -> None:
        source = KafkaLog(kafka, f"sight-{uuid4().hex}", (topic,))
        live = await live_subscription(pool, payments)
        runner = Runner(subscription=live, source=source, pool=pool)

        async def so() -> bool:
            return [tuple(row) for row in await pool.fetch(paid_for)] == [*wanted]

        await runner.start()
        await turn_until(runner, so)
        await source.close()

    await write(journal, "O1", S1=8, S2=3)
    await relay_all(pool, kafka, topic)
    await project_until(("O1", "S1", 8), ("O1", "S2", 3))
    await cut(servers, database, topic, BUSY, 5)
    await write(journal, "O2", S1=1)
    await recover(owner, kafka, [topic])
    make_anew(kafka, topic)
    await relay_all(pool, kafka, topic)
    source = KafkaLog(kafka, f"rebuild-{uuid4().hex}", (topic,))
    assert not await rebuild(payments, source, owner=owner)
    await source.close()
    await write(journal, "O3", S1=1, S2=1)
    await relay_all(pool, kafka, topic)
    await project_until(
        ("O1", "S1", 5), ("O1", "S2", 3), ("O2", "S1", 1), ("O3", "S1", 1), ("O3", "S2", 1)
    )


def delivery(position: int, epoch: Epoch | None, chain: bytes = NO_CHAIN) -> Delivery:
    made = Delivery(topic="t", partition=0, position=position, body=b"{}", chain_hash=b"")
    from hashlib import sha256  # noqa: PLC0415

    made.chain_hash = sha256(chain + made.leaf).digest()
    made.epoch = epoch
    return made


def test_i9_a_history_that_parts_before_our_cursor_is_noticed_at_any_of_its_events() -> None:
    cursor = Cursor(position=8, chain_hash=b"ours", epoch=OLD)
    for position in (1, 5, 6):
        with pytest.raises(Forked):
            advance(cursor, delivery(position, Epoch(id=NEW, since=7)))
        assert advance(cursor, delivery(position, Epoch(id=NEW, since=8))) is None
        assert advance(cursor, delivery(position, Epoch(id=OLD))) is None


def test_i9_what_continues_our_chain_is_taken_whatever_its_epoch() -> None:
    first = Cursor(epoch=NEW)
    after = advance(first, delivery(1, Epoch(id=OLD)))
    assert after is not None
    assert (after.position, after.epoch) == (1, NEW)
    assert advance(Cursor(epoch=OLD), delivery(1, Epoch(id=NEW))) == replace(after, epoch=NEW)
    assert advance(Cursor(), delivery(1, None)) == replace(after, epoch=None)


def test_events_of_a_history_that_is_over_are_no_gap_and_no_fork() -> None:
    cursor = Cursor(position=8, chain_hash=b"ours", epoch=NEW)
    for position in (7, 8, 9, 12):
        assert advance(cursor, delivery(position, Epoch(id=OLD))) is None


# --- Topics of others


class Feed:
    """A marketplace that announces, and a subscription that takes it in."""

    def __init__(self, pool: asyncpg.Pool, kafka: str, topic: str) -> None:
        self.pool, self.kafka, self.topic = pool, kafka, topic
        self.place = (topic, 7)

    async def announce(self, *bodies: str) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        for body in bodies:
            await producer.send_and_wait(self.topic, body.encode(), key=b"K", partition=7)
        await producer.stop()

    async def taken(self, runner: Runner, *wanted: int) -> None:
        async def so() -> bool:
            return await seen(self.pool) == {"K": [*wanted]}

        await turn_until(runner, so)


@pytest.fixture
def feed(pool: asyncpg.Pool, kafka: str, topic: str) -> Feed:
    return Feed(pool, kafka, topic)


@pytest.mark.parametrize("announced", [2, 3, 5])
async def test_i9_a_feed_that_was_made_anew_is_not_read_as_if_it_went_on(
    feed: Feed, announced: int
) -> None:
    """Whether it has less, as much or more than was read: nothing of it is passed over."""
    async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
        await feed.announce("a", "b", "c")
        await feed.taken(runner, 1, 2, 3)
    make_anew(feed.kafka, feed.topic)
    await feed.announce(*map(str, range(announced)))
    async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
        await turn_until_held(runner, feed.place, "fork")
        await runner.turn()
        await feed.taken(runner, 1, 2, 3)


async def test_i9_a_feed_that_is_made_anew_under_its_reader_is_noticed(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.sources.METADATA_MS_MAX", 500)
    monkeypatch.setattr("shared_runtime.sources.ENDS_SECONDS", 0.0)
    async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
        await feed.announce("a", "b", "c")
        await feed.taken(runner, 1, 2, 3)
        make_anew(feed.kafka, feed.topic)
        await feed.announce("d", "e")
        await turn_until_held(runner, feed.place, "fork")


async def test_what_a_feed_has_deleted_before_it_was_read_is_told(feed: Feed) -> None:
    def missed() -> float:
        return told("aftersales_missed_records_total", topic=feed.topic)

    async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
        await feed.announce("a", "b", "c")
        await feed.taken(runner, 1, 2, 3)
    await feed.announce("d", "e", "f")
    await truncate(feed.kafka, feed.place, 5)
    for _ in range(2):
        async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
            await feed.taken(runner, 1, 2, 3, 6)
            await runner.turn()
        assert missed() == 2


async def test_i13_what_waits_of_a_feed_and_is_not_there_any_more_is_told_at_once(
    feed: Feed,
) -> None:
    async def refuse(*_: object) -> None:
        raise ValueError("cannot be applied")

    async def is_parked() -> bool:
        return bool(await list_parked(feed.pool))

    async with consuming(feed.pool, feed.kafka, feed.topic, foreign=True) as runner:
        await feed.announce("a")
        runner.subscription = replace(runner.subscription, apply=refuse)
        await turn_until(runner, is_parked)
        await truncate(feed.kafka, feed.place, 1)
        assert await ask_retry(feed.pool, subscription="sight", key="K")
        began_at = asyncio.get_running_loop().time()
        assert await retry_parked(runner.subscription, runner.source, feed.pool) == 0
        assert asyncio.get_running_loop().time() - began_at < FETCH_SECONDS_MAX / 2
    (parked,) = await list_parked(feed.pool)
    assert parked["reason"] == "position 1 is not in the source any more"


# --- Kafka that is slow in one partition


async def test_a_partition_that_is_not_acknowledged_holds_up_no_other(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """I3: and what is on its way there is not sent once more."""
    busy, calm = (topic, partition_of(BUSY)), (topic, partition_of(CALM))
    led = asyncio.Event()
    send_batch = AIOKafkaProducer.send_batch

    async def without_a_leader(self: Any, batch: Any, name: str, *, partition: int) -> Any:  # noqa: ANN401
        if partition == busy[1]:
            await led.wait()
        return await send_batch(self, batch, name, partition=partition)

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", without_a_leader)
    await write(journal, "O1", S1=3, S2=3)
    clock = asyncio.get_running_loop().time
    async with relaying(pool, kafka, topic) as relay:
        await turn_all(relay)
        for number in range(20):
            began = clock()
            await write(journal, f"more-{number}", S1=1, S2=1)
            while relay.cursors[calm].position < 4 + number:
                await relay.turn()
            assert clock() - began < 1.0
        assert relay.cursors[busy].position == 0
        assert relay.holds[busy].why == "fault"
        led.set()

        async def have_come() -> bool:
            return relay.cursors[busy].position == 23

        await turn_until(relay, have_come)
        assert not relay.holds
    assert await positions(kafka, busy) == [*range(1, 24)]
    assert await positions(kafka, calm) == [*range(1, 24)]


# --- Kafka that has no leader for a partition


class Leaders:
    """What Kafka's clients hear of who leads which partition: of one that is lost, nobody does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lost: set[Place] = set()
        told = ClusterMetadata.leader_for_partition

        def leader(metadata: ClusterMetadata, partition: TopicPartition) -> int | None:
            place = (partition.topic, partition.partition)
            return -1 if place in self.lost else told(metadata, partition)

        monkeypatch.setattr(ClusterMetadata, "leader_for_partition", leader)


async def has_come(running: Runner, place: Place, position: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while running.cursors.get(place, Cursor()).position < position:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def leaders(monkeypatch: pytest.MonkeyPatch) -> Leaders:
    monkeypatch.setattr(
        "shared_runtime.sources.ANSWER_SECONDS_MAX", 1.5
    )  # no fetch waits long here
    return Leaders(monkeypatch)


async def test_i3_a_partition_that_nobody_leads_is_not_sent_to_before_it_is_compared(  # noqa: PLR0917
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    leaders: Leaders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And holds up no other, over several comparisons."""
    monkeypatch.setattr("shared_runtime.subscription.COMPARE_SECONDS", 0.5)
    monkeypatch.setattr("shared_runtime.subscription.ASK_AGAIN_SECONDS", 0.5)
    busy, calm = (topic, partition_of(BUSY)), (topic, partition_of(CALM))
    leaders.lost = {busy}

    async def count() -> int:
        """Of the events of each."""
        rows = await pool.fetch("SELECT 1 FROM es.event WHERE topic = $1", topic)
        return len(rows) // 2

    async with relaying(pool, kafka, topic) as relay:
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        compared_at: set[float] = set()
        while len(compared_at) < 4:
            await write(journal, f"O{uuid4().hex}", S1=1, S2=1)
            await has_come(relay, calm, await count())
            compared_at.add(relay.compared_at)
        assert relay.holds[busy].why == "silent"
        assert told("aftersales_held_partitions", subscription="relay", why="silent") == 1
        assert relay.cursors[busy].position == 0
        leaders.lost = set()
        await has_come(relay, busy, await count())
        stop.set()
        await running
        assert not relay.holds
        assert told("aftersales_held_partitions", subscription="relay", why="silent") == 0
    assert await positions(kafka, busy) == [*range(1, await count() + 1)]


async def test_ends_that_are_all_asked_for_are_all_answered_or_none_is(
    kafka: str, topic: str, leaders: Leaders
) -> None:
    """A log that is recovered takes back what the topic has: all of it."""
    places = [(topic, 1), (topic, 2)]
    assert (await ends_of(kafka, places)).keys() == {*places}
    leaders.lost = {places[0]}
    assert (await ends_that_answer(kafka, places)).keys() == {places[1]}
    with pytest.raises(TimeoutError, match="one of 1"):
        await ends_of(kafka, places)


@pytest.mark.parametrize("foreign", [True, False])
async def test_a_partition_that_nobody_leads_holds_up_no_other_of_a_reader(  # noqa: PLR0917
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    leaders: Leaders,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    foreign: bool,
) -> None:
    """Neither where it looks for what a feed has deleted, nor for what a topic has lost."""
    monkeypatch.setattr("shared_runtime.sources.ENDS_SECONDS", 0.0)
    monkeypatch.setattr("shared_runtime.sources.EMPTY_SECONDS", 0.0)
    source = None if foreign else LogFeed({topic: "http://source/"}, tmp_path / "token")
    leaders.lost = {(topic, partition_of(BUSY))}
    await write(journal, "O1", S2=1)
    async with (
        relaying(pool, kafka, topic) as relay,
        consuming(pool, kafka, topic, foreign=foreign, feed=source) as runner,
    ):
        await turn_all(relay)
        await turn_until_seen(runner, pool, S2=1)
        assert isinstance(runner.source, KafkaLog)
        group = runner.source.group

        async def one_is_silent() -> bool:
            return told("aftersales_silent_partitions", group=group) == 1

        await turn_until(runner, one_is_silent)
        for number in range(5):
            await write(journal, f"more-{number}", S2=1)
            await turn_all(relay)
            await runner.start()
            await turn_until_seen(runner, pool, S2=2 + number)
        leaders.lost = set()

        async def have_answered() -> bool:
            return told("aftersales_silent_partitions", group=group) == 0

        await turn_until(runner, have_answered)
