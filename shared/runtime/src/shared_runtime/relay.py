"""The service's own log in, Kafka out: byte for byte, log partition p to Kafka partition p."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import accumulate, groupby

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from shared_events.envelope import decode_address

from shared_runtime.brokers import Bootstrap, client_of
from shared_runtime.delivery import (
    PLACE_OF,
    Compared,
    Cursor,
    Delivery,
    Place,
    Subscription,
    TakenOver,
    nothing,
)
from shared_runtime.lineage import compare, ends_that_answer, look_up
from shared_runtime.sources import METADATA_MS_MAX, PARTITION_BYTES_MAX

BATCH_BYTES_MAX = PARTITION_BYTES_MAX
UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024
"""Of bodies that are sent and not acknowledged: while Kafka is away they do not become more."""
UNDER_WAY_BYTES_OF_ONE = 64 * 1024
"""So much of a partition, or one event, is sent whatever is under way: partitions that do not
answer keep none of the others waiting."""
REQUEST_TIMEOUT_MS = 10_000
PRODUCE_SECONDS_MAX = 1.0
"""So long all partitions are waited for; what is slower is gone on without."""
CLOSE_SECONDS_MAX = 5.0

log = structlog.get_logger()


CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


class Slow(Exception):  # noqa: N818 - a state of the broker
    """Kafka has not acknowledged yet what was sent to a partition."""


class MadeAnew(Exception):  # noqa: N818 - a state of the topic
    """A partition has fewer records than were sent to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """What is on its way to a partition or has arrived there, by position."""

    first: int
    last: int
    size: int
    task: asyncio.Task[None]

    def is_there(self) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


def _certainly() -> bool:
    return True


class Relay:
    """Produces batches with `acks=all`, idempotent, and waits for their acknowledgements: a while
    for all, and no longer than that for a partition that is slow.

    A batch begins right behind a cursor, and a cursor moves when all up to it is acknowledged. So
    whatever is sent once more (this one died in between, two run at once, an old one's last batch
    arrives late), it begins at or below what Kafka has: it repeats, and never leaves a hole.

    `is_ours`: whether nobody else can be sending by now. Kafka does not know whose turn it is: one
    that was frozen would repeat to it whatever was sent meanwhile, and be told so by its cursors.
    """

    def __init__(self, bootstrap: Bootstrap, is_ours: Callable[[], bool] = _certainly) -> None:
        self._bootstrap = bootstrap
        self._is_ours = is_ours
        self._producer: AIOKafkaProducer | None = None
        self._sending: dict[Place, _Sending] = {}
        self._epochs: dict[Place, bytes] = {}
        self._left_behind: set[asyncio.Task[None]] = set()

    async def compare(self, db: asyncpg.Pool, cursors: Mapping[Place, Cursor]) -> Compared:
        """Where the topic has lost what was sent, where it is not the log's, and which of its
        partitions do not answer. Raises KafkaError or TimeoutError.
        """
        ends = await ends_that_answer(self._bootstrap, [*cursors])
        found = await look_up(db, ends)
        self._epochs |= {place: told.epoch.header() for place, told in found.items()}
        compared = compare(found, ends, cursors)
        for place, sending in [*self._sending.items()]:
            if place in ends and (place in compared.back or sending.task.done()):
                self._sending.pop(place).task.cancel()
        return compared

    async def produce(self, deliveries: Sequence[Delivery]) -> dict[Place, Exception]:
        """Sends the deliveries, each partition's in order; the partitions that failed or are slow,
        and why. What is slow is on its way: asked for again, it is not sent once more.

        Raises KafkaError if Kafka cannot be reached at all, and `TakenOver` if a topic was made
        anew or somebody else may be sending.
        """
        producer = await self._started()
        ordered = sorted(deliveries, key=PLACE_OF)  # stable
        groups = {place: list(group) for place, group in groupby(ordered, key=PLACE_OF)}
        still = {place for place, it in self._sending.items() if not it.task.done()}
        begun = self._begin_some(producer, groups, still)
        if begun:
            await asyncio.wait(begun, timeout=PRODUCE_SECONDS_MAX)
        failed: dict[Place, Exception] = {}
        for place, group in groups.items():
            sending = self._sending[place]
            if place in still or not sending.task.done():
                failed[place] = Slow(f"{sending.first} to {sending.last} not acknowledged yet")
                continue
            if sending.is_there() and sending.last < group[-1].position:
                failed[place] = Slow(f"no room behind {sending.last}")
                continue
            del self._sending[place]
            if failure := sending.task.exception():
                failed[place] = failure if isinstance(failure, Exception) else RuntimeError(failure)
        if anew := [place for place, why in failed.items() if isinstance(why, MadeAnew)]:
            log.error("topic made anew", places=anew)
            raise TakenOver
        if any(isinstance(failure, TakenOver) for failure in failed.values()):
            raise TakenOver
        # What only is slow may still arrive. What failed has lost its place in the sequence by
        # which the broker tells a repeat: a new producer begins a new one.
        if any(isinstance(failure, KafkaError) for failure in failed.values()):
            self._leave_behind()
        return failed

    def _begin_some(
        self,
        producer: AIOKafkaProducer,
        groups: Mapping[Place, list[Delivery]],
        still: set[Place],
    ) -> list[asyncio.Task[None]]:
        room = UNDER_WAY_BYTES_MAX - sum(self._sending[place].size for place in still)
        begun: list[asyncio.Task[None]] = []
        for place, group in groups.items():
            sending = None if place in still else self._begin(producer, place, group, room)
            if sending is not None:
                self._sending[place] = sending
                begun.append(sending.task)
                room -= sending.size
        return begun

    def _begin(
        self, producer: AIOKafkaProducer, place: Place, group: list[Delivery], room: int
    ) -> _Sending | None:
        """Sends what is not there yet, as far as there is room; None if all is."""
        first = group[0].position
        before = self._sending.get(place)
        if before and before.is_there() and before.first <= first <= before.last + 1:
            first = before.first
            group = [delivery for delivery in group if delivery.position > before.last]
            if not group:
                return None
        sizes = [*accumulate(len(delivery.body) for delivery in group)]
        room = max(room, UNDER_WAY_BYTES_OF_ONE)
        group = group[: max(1, sum(size <= room for size in sizes))]
        sending = self._send(producer, place, group)
        return _Sending(
            first=first,
            last=group[-1].position,
            size=sizes[len(group) - 1],
            task=asyncio.create_task(sending),
        )

    async def _send(
        self, producer: AIOKafkaProducer, place: Place, deliveries: Sequence[Delivery]
    ) -> None:
        """Batch after batch, each when the one before is acknowledged. Raises `MadeAnew`, and
        `TakenOver`.
        """
        epoch = self._epochs.get(place)
        batch, first = producer.create_batch(), deliveries[0].position
        for delivery in deliveries:
            if not _append(batch, delivery, epoch):
                await self._send_batch(producer, batch, place, first)
                batch, first = producer.create_batch(), delivery.position
                added = _append(batch, delivery, epoch)
                assert added, "a batch takes its first record, however large"
        await self._send_batch(producer, batch, place, first)

    async def _send_batch(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, place: Place, first: int
    ) -> None:
        if not self._is_ours():
            raise TakenOver
        topic, partition = place
        sent = await producer.send_batch(batch, topic, partition=partition)
        acknowledged = await sent
        # A repeat is acknowledged without an offset (-1).
        if 0 <= acknowledged.offset < first - 1:
            raise MadeAnew(f"{first} has come to stand at the offset {acknowledged.offset}")

    def _leave_behind(self) -> None:
        """The next batch has a producer of its own; nobody waits for the end of this one."""
        self._keep(asyncio.create_task(self.close()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Somebody has to, until it has ended."""
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    async def close(self) -> None:
        """Waits a while for what is under way, which without Kafka never ends. It goes on by itself
        then, and ends the producer.
        """
        producer, self._producer = self._producer, None
        sending, self._sending = self._sending, {}
        for each in sending.values():
            each.task.cancel()
        if producer is None:
            return
        stopping = asyncio.create_task(producer.stop())
        self._keep(stopping)
        await asyncio.wait([stopping], timeout=CLOSE_SECONDS_MAX)
        if not stopping.done():
            log.warning("producer left behind", waited_seconds=CLOSE_SECONDS_MAX)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **client_of(self._bootstrap),
                acks="all",
                enable_idempotence=True,
                max_batch_size=BATCH_BYTES_MAX,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                metadata_max_age_ms=METADATA_MS_MAX,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer


def _append(batch: BatchBuilder, delivery: Delivery, epoch: bytes | None) -> bool:
    assert delivery.chain_hash is not None
    address = decode_address(delivery.body)
    headers = [
        CONTENT_TYPE,
        ("type", address.type.encode()),
        ("position", b"%d" % delivery.position),
        ("chainhash", delivery.chain_hash.hex().encode()),
    ]
    metadata = batch.append(
        timestamp=_milliseconds(address.recordedtime),
        key=address.partitionkey.encode(),
        value=delivery.body,
        headers=headers if epoch is None else [*headers, ("epoch", epoch)],
    )
    return metadata is not None


# The events of one append share their instant.
@lru_cache(maxsize=64)
def _milliseconds(recordedtime: str) -> int:
    return int(datetime.fromisoformat(recordedtime).timestamp() * 1000)


def relay_subscription(relay: Relay, topics: tuple[str, ...]) -> Subscription:
    """The relay as a subscription to the own log. It parks nothing: the topic has no holes."""
    return Subscription(
        name="relay",
        topics=topics,
        apply=nothing,
        before=relay.produce,
        compare=relay.compare,
        parks=False,
    )
