"""The relay against a producer that is handed the same bytes in ready-made batches."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from local_stack.topics import create_topics
from shared_events.envelope import decode_address
from shared_events.partition import PARTITIONS
from shared_runtime.delivery import NO_CHAIN, Cursor, Delivery
from shared_runtime.relay import BATCH_BYTES_MAX, CONTENT_TYPE, Relay, relay_subscription
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner

from bench.measure import Comparison
from bench.world import TOPICS, World, fill

EVENTS = 20_000
START_OVER = "UPDATE es.cursor SET position = 0, chain_hash = $1 WHERE subscription = 'relay'"
RAW_TOPIC = "bench.raw"

type Record = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers."""


async def relay(world: World) -> Comparison:
    """The whole log is relayed in each round. By hand: the same records, ready to be sent."""
    await fill(world, EVENTS)
    create_topics(world.kafka, [RAW_TOPIC])
    relaying = Relay(world.kafka)
    runner = Runner(
        subscription=relay_subscription(relaying, TOPICS),
        source=OwnLog(world.pool, TOPICS),
        pool=world.pool,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=world.kafka,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES_MAX,
    )
    await producer.start()
    world.at_end.push_async_callback(producer.stop)
    world.at_end.push_async_callback(relaying.close)
    logged = [
        (place[1], [as_sent(delivery) for delivery in group])
        for place, group in groupby(await everything(world), key=attrgetter("place"))
    ]

    async def ours(_: int) -> int:
        await world.pool.execute(START_OVER, NO_CHAIN)
        runner.source = OwnLog(world.pool, TOPICS)  # which remembers nothing of the round before
        await runner.start()
        done = 0
        while done < EVENTS:
            done += await runner.turn()
        return done

    async def raw(_: int) -> int:
        acknowledged = [
            await producer.send_batch(batch, RAW_TOPIC, partition=partition)
            for partition, records in logged
            for batch in batched(producer, records)
        ]
        await asyncio.gather(*acknowledged)
        return EVENTS

    return Comparison(
        name="relay, log to Kafka",
        against="idempotent produce of the same bytes, acks=all",
        unit="events/s",
        at_least=0.3,
        ours=ours,
        raw=raw,
    )


async def relay_everything(world: World) -> None:
    """Copies the log to Kafka."""
    relaying = Relay(world.kafka)
    runner = Runner(
        subscription=relay_subscription(relaying, TOPICS),
        source=OwnLog(world.pool, TOPICS),
        pool=world.pool,
    )
    await runner.start()
    while await runner.turn():
        pass
    await relaying.close()


async def everything(world: World) -> list[Delivery]:
    """The whole log, partition by partition."""
    source = OwnLog(world.pool, TOPICS)
    cursors = {(topic, partition): Cursor() for topic in TOPICS for partition in range(PARTITIONS)}
    found: list[Delivery] = []
    while len(found) < EVENTS:
        taken = await source.take(cursors)
        for delivery in taken:
            cursors[delivery.place] = Cursor(position=delivery.position)
        found += taken
    return sorted(found, key=attrgetter("topic", "partition", "position"))


def batched(producer: AIOKafkaProducer, records: Iterable[Record]) -> Iterator[BatchBuilder]:
    """Records in batches, each as large as it may be."""
    batch = producer.create_batch()
    for key, value, headers in records:
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)
    yield batch


def as_sent(delivery: Delivery) -> Record:
    """The record that the relay makes of it, with nothing left to work out."""
    headers = [
        CONTENT_TYPE,
        ("type", decode_address(delivery.body).type.encode()),
        ("position", b"%d" % delivery.position),
        ("chainhash", (delivery.chain_hash or b"").hex().encode()),
    ]
    return delivery.key.encode(), delivery.body, headers
