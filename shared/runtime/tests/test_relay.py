"""The topic equals the log, byte for byte, whatever dies between the two."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from local_stack.databases import Database, create_database
from local_stack.servers import Servers
from local_stack.topics import create_topics, delete_topics
from shared_events import orders
from shared_events.envelope import decode_envelope
from shared_events.orders import OrderPaid
from shared_events.partition import PARTITIONS, partition_of
from shared_runtime import relay as relay_module
from shared_runtime.clock import system_clock
from shared_runtime.database import open_pool
from shared_runtime.delivery import Cursor, Delivery, Place, Subscription, TakenOver
from shared_runtime.log import PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.ownership import ALIVE_SECONDS, GROUPS, Ownership
from shared_runtime.relay import Relay, Slow, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog, reading
from shared_runtime.subscription import Runner, read_cursors
from shared_runtime.testing import facts, see

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
BUSY, CALM = "S1", "S2"
IN_LOG = """
    SELECT event.*, head.epoch, head.epoch_from
    FROM es.event AS event JOIN es.head AS head USING (topic, partition)
    WHERE topic = $1 ORDER BY partition, event.position
"""
FROZEN = "UPDATE es.worker SET seen_at = seen_at - make_interval(secs => $2) WHERE id = $1"

type Record = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...], int]


def paid(order: str, seller: str) -> OrderPaid:
    return OrderPaid(
        order_id=order,
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="\u00fc",  # more bytes than characters
    )


async def write(log: PostgresLog, name: str, counts: Mapping[str, int]) -> int:
    """So many events for each seller, in one append; how many in all."""
    planned = [
        item
        for seller, count in counts.items()
        for item in facts(f"order-{name}-{seller}", *[paid(name, seller)] * count, at=AT)
    ]
    await log.append(planned)
    return len(planned)


async def in_log(pool: asyncpg.Pool, topic: str) -> dict[int, list[Record]]:
    """What each partition of the topic must hold."""
    expected: dict[int, list[Record]] = {}
    for row in await pool.fetch(IN_LOG, topic):
        headers = (
            ("content-type", b"application/cloudevents+json"),
            ("type", row["type"].encode()),
            ("position", str(row["position"]).encode()),
            ("chainhash", row["chain_hash"].hex().encode()),
            ("epoch", f"{row['epoch']}/{row['epoch_from']}".encode()),
        )
        key = decode_envelope(row["body"]).partitionkey.encode()
        milliseconds = int(row["recorded_at"].timestamp() * 1000)
        expected.setdefault(row["partition"], []).append((key, row["body"], headers, milliseconds))
    return expected


async def in_kafka(kafka: str, topic: str) -> dict[int, list[Record]]:
    """All records of each partition, as often as they are there."""
    places = [(topic, partition) for partition in range(PARTITIONS)]
    found: dict[int, list[Record]] = {}
    async with reading(kafka, places) as consumer:
        ends = await consumer.end_offsets([TopicPartition(*place) for place in places])
        left = sum(ends.values())
        async with asyncio.timeout(20):
            while left:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    left -= len(records)
                    for record in records:
                        found.setdefault(record.partition, []).append(as_sent(record))
    return found


def as_sent(record: ConsumerRecord) -> Record:
    return record.key, record.value, tuple(record.headers), record.timestamp


def without_duplicates(topic: Mapping[int, Sequence[Record]]) -> dict[int, list[Record]]:
    return {partition: list(dict.fromkeys(records)) for partition, records in topic.items()}


def bodies(topic: Mapping[int, Sequence[Record]]) -> dict[int, list[bytes | None]]:
    return {partition: [body for _, body, _, _ in records] for partition, records in topic.items()}


def duplicates(topic: Mapping[int, Sequence[Record]]) -> int:
    return sum(len(records) - len(set(records)) for records in topic.values())


def runner_of(pool: asyncpg.Pool, subscription: Subscription) -> Runner:
    return Runner(
        subscription=subscription,
        source=OwnLog(pool, subscription.topics),
        pool=pool,
    )


@asynccontextmanager
async def relays(url: str, kafka: str, topic: str, count: int = 1) -> AsyncGenerator[Subscription]:
    """So many relays at work, each with its own connections."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for _ in range(count):
            pool = await stack.enter_async_context(await open_pool(url, size=4))
            relay = Relay(kafka)
            stack.push_async_callback(relay.close)
            subscription = relay_subscription(relay, (topic,))
            runner = runner_of(pool, subscription)
            running = group.create_task(runner.run(stop))
            stack.push_async_callback(asyncio.wait, [running])
        stack.callback(stop.set)
        yield relay_subscription(Relay(kafka), (topic,))


async def relayed(pool: asyncpg.Pool, subscription: Subscription, count: int) -> None:
    """Returns when so many events are behind the cursors."""
    async with asyncio.timeout(30):
        while await reached(pool, subscription) < count:  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.01)


async def behind(pool: asyncpg.Pool, subscription: Subscription) -> bool:
    """Whether the log has more than is behind the cursors."""
    heads = "SELECT sum(position)::int FROM es.head WHERE topic = $1"
    head: int = await pool.fetchval(heads, *subscription.topics)
    return await reached(pool, subscription) < head


async def reached(pool: asyncpg.Pool, subscription: Subscription) -> int:
    cursors = await read_cursors(pool, subscription)
    return sum(cursor.position for cursor in cursors.values())


async def test_i3_a_relay_killed_at_any_step_leaves_no_hole_and_no_difference(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    dying: Callable[[str, str, int], int],
) -> None:
    # More than one batch takes, so that there is a step behind the one that dies.
    count = await write(journal, "O1", {BUSY: 400, CALM: 60})
    subscription = relay_subscription(Relay(kafka), (topic,))
    for step in ("taken", "produced", "applied"):
        assert dying("relay", step, count) == -signal.SIGKILL
        assert await reached(pool, subscription) == 0
    assert dying("relay", "moved", count) == -signal.SIGKILL
    assert 0 < await reached(pool, subscription) < count
    assert dying("relay", "produced", count) == -signal.SIGKILL
    assert dying("relay", "none", count) == 0
    found = await in_kafka(kafka, topic)
    assert without_duplicates(found) == await in_log(pool, topic)
    assert found.keys() == {partition_of(BUSY), partition_of(CALM)}
    assert duplicates(found) > 0


async def test_i3_two_relays_at_once_write_what_one_writes(
    database: Database, pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    count = await write(journal, "before", {BUSY: 700, CALM: 20})
    async with relays(database.app_url, kafka, topic, 2) as subscription:
        for number in range(40):
            count += await write(journal, f"O{number}", {BUSY: 9, CALM: 1, f"S{number}": 2})
        await relayed(pool, subscription, count)
    found = await in_kafka(kafka, topic)
    assert without_duplicates(found) == await in_log(pool, topic)


@dataclass(slots=True)
class LateClock:
    """Of a process that has been away for a while, in seconds."""

    late_by: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.late_by


class Halting:
    """A relay that stands still at a step of its first batch, as a process does that is frozen."""

    def __init__(self, relay: Relay, step: Literal["taken", "produced"]) -> None:
        self._relay = relay
        self._step = step
        self.has_come = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def produce(self, deliveries: Sequence[Delivery]) -> Mapping[Place, Exception]:
        if self._step == "taken":
            await self._halt()
        failed = await self._relay.produce(deliveries)
        if self._step == "produced":
            await self._halt()
        return failed

    async def _halt(self) -> None:
        self.has_come.set()
        await self.goes_on.wait()


@pytest.mark.parametrize("step", ["taken", "produced"])
@pytest.mark.parametrize("end", ["dead", "frozen"])
@pytest.mark.usefixtures("sight")
async def test_i3_a_relay_takes_over_from_one_that_is_dead_or_frozen(
    *,
    database: Database,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    step: Literal["taken", "produced"],
    end: Literal["dead", "frozen"],
) -> None:
    """Nothing is missing, and nothing is there twice but what was under way, which its readers pass
    over. One that was frozen sends nothing when it wakes, and moves no cursor.
    """
    its_own = await open_pool(database.app_url, size=4)
    clock = LateClock()
    first, second = Ownership(its_own, clock=clock), Ownership(pool)
    halted = Halting(relay := Relay(kafka, first.is_sure), step)
    one = runner_of(its_own, relay_subscription(relay, (topic,)))
    one.subscription, one.ownership = replace(one.subscription, before=halted.produce), first
    another = Relay(kafka, second.is_sure)
    two = runner_of(pool, relay_subscription(another, (topic,)))
    two.ownership = second

    count = under_way = await write(journal, "O1", {BUSY: 30, CALM: 10})
    await first.look()
    await one.start()
    turning = asyncio.create_task(one.turn())
    async with asyncio.timeout(20):
        await halted.has_come.wait()
    if end == "dead":
        its_own.terminate()
    else:
        clock.late_by = ALIVE_SECONDS
        await pool.execute(FROZEN, first.worker, ALIVE_SECONDS)
    await take_over(second)
    await two.start()
    count += await write(journal, "O2", {BUSY: 20, "S3": 5})
    await relay_all(two, second)
    before = await in_kafka(kafka, topic)
    if end == "dead":
        turning.cancel()
        await asyncio.wait([turning])
    else:
        halted.goes_on.set()
        with pytest.raises(TakenOver):
            await turning
    assert await in_kafka(kafka, topic) == before
    assert await reached(pool, two.subscription) == count
    count += await write(journal, "O3", {BUSY: 5, CALM: 5})
    await relay_all(two, second)
    found = await in_kafka(kafka, topic)
    assert without_duplicates(found) == await in_log(pool, topic)
    assert duplicates(found) == (under_way if step == "produced" else 0)
    assert await times_seen(pool, kafka, topic) == {1: count}
    await asyncio.gather(relay.close(), another.close(), second.leave())
    its_own.terminate()


async def take_over(worker: Ownership) -> None:
    async with asyncio.timeout(20):
        while len(worker.groups) < GROUPS:
            await worker.look()


async def relay_all(runner: Runner, worker: Ownership) -> None:
    await worker.look()
    while await runner.turn():
        await worker.look()


async def times_seen(pool: asyncpg.Pool, kafka: str, topic: str) -> dict[int, int]:
    """How many events somebody who reads all of a topic has seen so many times."""
    source = KafkaLog(kafka, f"relayed-{uuid4().hex[:8]}", (topic,))
    reader = Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=see),
        source=source,
        pool=pool,
    )
    await reader.start()
    async with asyncio.timeout(20):
        while await behind(pool, reader.subscription):
            with suppress(TakenOver):  # it is given its partitions
                await reader.turn()
                continue
            await reader.start()
    await source.close()
    rows = await pool.fetch("SELECT times, count(*) AS events FROM seen GROUP BY times")
    return {row["times"]: row["events"] for row in rows}


async def test_i3_what_was_appended_while_the_broker_was_away_arrives(
    own_servers: Servers, request: pytest.FixtureRequest
) -> None:
    if (broker := own_servers.own_kafka) is None:
        pytest.skip("this broker is not ours to stop")
    database = create_database(own_servers.postgres_url, f"relay_{uuid4().hex[:12]}")
    await migrate("review_service", database.owner_url)
    topic = orders.TOPIC
    create_topics(own_servers.kafka, [topic])
    request.addfinalizer(partial(delete_topics, own_servers.kafka, [topic]))
    async with (
        await open_pool(database.app_url) as pool,
        relays(database.app_url, own_servers.kafka, topic) as subscription,
    ):
        log = PostgresLog(pool, source="/test", now=system_clock)
        count = await write(log, "before", {BUSY: 30, CALM: 30})
        await relayed(pool, subscription, count)
        count += await write(log, "under way", {BUSY: 400, CALM: 30})
        await asyncio.to_thread(broker.stop)
        count += await write(log, "away", {BUSY: 30, CALM: 30})
        assert await reached(pool, subscription) < count
        await asyncio.to_thread(broker.start)
        count += await write(log, "back", {BUSY: 30, CALM: 30})
        await relayed(pool, subscription, count)
        found = await in_kafka(own_servers.kafka, topic)
        assert without_duplicates(found) == await in_log(pool, topic)


async def test_i3_who_looks_at_a_topic_while_the_broker_goes_away_is_told_and_not_cancelled(
    own_servers: Servers, request: pytest.FixtureRequest
) -> None:
    if (broker := own_servers.own_kafka) is None:
        pytest.skip("this broker is not ours to stop")
    create_topics(own_servers.kafka, [topic := f"orders.{uuid4().hex[:8]}"])
    request.addfinalizer(partial(delete_topics, own_servers.kafka, [topic]))
    place = TopicPartition(topic, 0)

    async def look() -> None:
        async with reading(own_servers.kafka, [place]) as consumer:
            consumer.seek(place, 0)
            await consumer.getmany(timeout_ms=100)
            await asyncio.to_thread(broker.kill)
            await consumer.getmany(timeout_ms=1000)  # its requests fail, one after the other
            raise ZeroDivisionError

    try:
        looking = asyncio.create_task(look())
        await asyncio.wait([looking], timeout=30)
    finally:
        await asyncio.to_thread(broker.start)
    assert not looking.cancelled()
    assert isinstance(looking.exception(), ZeroDivisionError)


async def test_a_producer_that_is_left_behind_ends_when_it_has_sent_what_it_has(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    topic: str,
    own_servers: Servers,
    request: pytest.FixtureRequest,
) -> None:
    if (broker := own_servers.own_kafka) is None:
        pytest.skip("this broker is not ours to stop")
    create_topics(own_servers.kafka, [topic])
    request.addfinalizer(partial(delete_topics, own_servers.kafka, [topic]))
    await write(journal, "O1", {BUSY: 2})
    first, second = await OwnLog(pool, (topic,)).fetch((topic, partition_of(BUSY)), [1, 2])
    before, relay = asyncio.all_tasks(), Relay(own_servers.kafka)
    assert await relay.produce([first]) == {}
    await asyncio.to_thread(broker.kill)
    try:
        assert await relay.produce([second]) != {}
        await relay.close()
        assert asyncio.all_tasks() - before
    finally:
        await asyncio.to_thread(broker.start)
    async with asyncio.timeout(30):
        while asyncio.all_tasks() - before:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.1)
    (sent,) = (await in_kafka(own_servers.kafka, topic)).values()
    assert [value for _, value, _, _ in sent] == [first.body, second.body]


def sent(partition: int, position: int, size: int) -> Delivery:
    return Delivery(
        topic="orders.events",
        partition=partition,
        position=position,
        body=bytes(size),
        chain_hash=bytes(32),
    )


async def test_what_kafka_does_not_acknowledge_does_not_become_more(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition that comes then gets its share, or one event, and waits with the rest."""
    monkeypatch.setattr(relay_module, "PRODUCE_SECONDS_MAX", 0.0)
    monkeypatch.setattr(relay_module, "UNDER_WAY_BYTES_MAX", 100)
    monkeypatch.setattr(relay_module, "UNDER_WAY_BYTES_OF_ONE", 20)
    begun: list[tuple[int, list[int]]] = []

    async def never(_: object, __: object, place: Place, group: Sequence[Delivery]) -> None:
        begun.append((place[1], [delivery.position for delivery in group]))
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "_send", never)
    relay = Relay(kafka)
    for partition, size in ((1, 30), (2, 30), (3, 10), (4, 30), (1, 30)):
        few = [sent(partition, position, size) for position in (1, 2, 3)]
        assert isinstance((await relay.produce(few))[few[0].place], Slow)
        await asyncio.sleep(0)
    await relay.close()
    assert begun == [(1, [1, 2, 3]), (2, [1]), (3, [1, 2]), (4, [1])]


async def test_i3_what_found_no_room_is_sent_behind_what_did(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    kafka: str,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await write(journal, "O1", {BUSY: 3, CALM: 2})
    monkeypatch.setattr(relay_module, "PRODUCE_SECONDS_MAX", 30.0)
    monkeypatch.setattr(relay_module, "UNDER_WAY_BYTES_MAX", 1)
    monkeypatch.setattr(relay_module, "UNDER_WAY_BYTES_OF_ONE", 1)
    relay = Relay(kafka)
    read = await OwnLog(pool, (topic,)).take(
        {(topic, partition_of(key)): Cursor() for key in (BUSY, CALM)}
    )
    rounds = 0
    while failed := await relay.produce(read):
        read = [delivery for delivery in read if delivery.place in failed]
        rounds += 1
    await relay.close()
    assert rounds == 2
    there, wanted = await in_kafka(kafka, topic), await in_log(pool, topic)
    assert bodies(there) == bodies(wanted)


async def test_a_partition_that_cannot_be_produced_holds_up_no_other(
    pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str
) -> None:
    await write(journal, "O1", {BUSY: 3, CALM: 4})
    relay = Relay(kafka)
    runner = runner_of(pool, relay_subscription(relay, (topic,)))

    async def with_one_that_kafka_lacks(deliveries: Sequence[Delivery]) -> dict[Place, Exception]:
        lacking = [replace(d, partition=PARTITIONS) for d in deliveries if d.key == BUSY]
        failed = await relay.produce([*lacking, *(d for d in deliveries if d.key == CALM)])
        return {(topic, partition_of(BUSY)): fault for fault in failed.values()}

    runner.subscription = replace(runner.subscription, before=with_one_that_kafka_lacks)
    await runner.start()
    assert await runner.turn() == 4
    assert runner.held() == {(topic, partition_of(BUSY))}
    runner.subscription = replace(runner.subscription, before=relay.produce)
    await runner.start()
    assert await runner.turn() == 3
    await relay.close()
    assert await in_kafka(kafka, topic) == await in_log(pool, topic)
