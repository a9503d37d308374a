"""The service's own log in, Kafka out: byte for byte, log partition p to Kafka partition p."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from shared_events.envelope import decode_address

from shared_runtime.delivery import PLACE_OF, Connection, Delivery, Place, Subscription

BATCH_BYTES_MAX = 512 * 1024
REQUEST_TIMEOUT_MS = 10_000
PRODUCE_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 5.0

log = structlog.get_logger()


CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


class Relay:
    """Produces batches with `acks=all`, idempotent, and waits for every acknowledgement.

    A batch begins right behind a cursor, and a cursor moves when all up to it is acknowledged. So
    whatever is sent once more (this one died in between, two run at once, an old one's last batch
    arrives late), it begins at or below what Kafka has: it repeats, and never leaves a hole.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None

    async def produce(self, deliveries: Sequence[Delivery]) -> dict[Place, Exception]:
        """Sends the deliveries, each partition's in order; the partitions that failed, and why.

        Raises KafkaError if Kafka cannot be reached at all.
        """
        producer = await self._started()
        ordered = sorted(deliveries, key=PLACE_OF)  # stable
        groups = {place: list(group) for place, group in groupby(ordered, key=PLACE_OF)}
        outcomes = await asyncio.gather(
            *(_send(producer, place, group) for place, group in groups.items()),
            return_exceptions=True,
        )
        failed: dict[Place, Exception] = {}
        for place, outcome in zip(groups, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed[place] = outcome
            elif outcome is not None:
                raise outcome
        # What only was too slow may still arrive. What failed has lost its place in the sequence
        # by which the broker tells a repeat: a new producer begins a new one.
        if any(isinstance(failure, KafkaError) for failure in failed.values()):
            await self.close()
        return failed

    async def close(self) -> None:
        """Waits a while for what is under way, which without Kafka never ends."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await producer.stop()
        except TimeoutError:
            log.warning("producer left behind", waited_seconds=CLOSE_SECONDS_MAX)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                max_batch_size=BATCH_BYTES_MAX,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer


async def _send(producer: AIOKafkaProducer, place: Place, deliveries: Sequence[Delivery]) -> None:
    """Batch after batch, each when the one before is acknowledged. Raises TimeoutError."""
    topic, partition = place
    batch = producer.create_batch()
    # An idempotent producer would wait for Kafka for ever.
    async with asyncio.timeout(PRODUCE_SECONDS_MAX):
        for delivery in deliveries:
            if not _append(batch, delivery):
                await _send_batch(producer, batch, topic, partition)
                batch = producer.create_batch()
                added = _append(batch, delivery)
                assert added, "a batch takes its first record, however large"
        await _send_batch(producer, batch, topic, partition)


def _append(batch: BatchBuilder, delivery: Delivery) -> bool:
    assert delivery.chain_hash is not None
    address = decode_address(delivery.body)
    metadata = batch.append(
        timestamp=_milliseconds(address.recordedtime),
        key=address.partitionkey.encode(),
        value=delivery.body,
        headers=[
            CONTENT_TYPE,
            ("type", address.type.encode()),
            ("position", b"%d" % delivery.position),
            ("chainhash", delivery.chain_hash.hex().encode()),
        ],
    )
    return metadata is not None


# The events of one append share their instant.
@lru_cache(maxsize=64)
def _milliseconds(recordedtime: str) -> int:
    return int(datetime.fromisoformat(recordedtime).timestamp() * 1000)


async def _send_batch(
    producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int
) -> None:
    acknowledged = await producer.send_batch(batch, topic, partition=partition)
    await acknowledged


async def _nothing(deliveries: Sequence[Delivery], db: Connection) -> None:
    """In the transaction there is nothing left to do but to move the cursor."""


def relay_subscription(relay: Relay, topics: tuple[str, ...]) -> Subscription:
    """The relay as a subscription to the own log. It parks nothing: the topic has no holes."""
    return Subscription(
        name="relay", topics=topics, apply=_nothing, before=relay.produce, parks=False
    )
