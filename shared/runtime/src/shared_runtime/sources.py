"""The service's own log or a Kafka topic in, deliveries out."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain

import asyncpg
import structlog
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError

from shared_runtime.delivery import Cursor, Delivery, Place, TakenOver, Unreadable
from shared_runtime.tail import Heads, Tail

BATCH_MAX = 4_000
BATCH_PER_PLACE_MAX = 1_000
KAFKA_WAIT_MS = 250
COMMIT_SECONDS = 5.0
COMMIT_SECONDS_MAX = 1.0
FETCH_SECONDS_MAX = 10.0
NEAR = 500
"""Records that are passed over rather than sought past."""
APART_SECONDS_MAX = 5.0
APART_PAUSE_SECONDS = 0.02
COMMITTED = "read_committed"
"""What a producer has taken back, in a transaction of its own, has not happened."""
UNDECODABLE = (UnsupportedCodecError, CorruptRecordException)

log = structlog.get_logger()

HEADS = "SELECT topic, partition, position, chain_hash FROM es.head WHERE position > 0"
TAKE = """
    SELECT event.topic, event.partition, event.position, event.body, event.chain_hash
    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS place (topic, partition, position)
    CROSS JOIN LATERAL (
        SELECT * FROM es.event
        WHERE es.event.topic = place.topic AND es.event.partition = place.partition
          AND es.event.position > place.position
        ORDER BY es.event.position LIMIT $4
    ) AS event
"""
FETCH = """
    SELECT topic, partition, position, body, chain_hash FROM es.event
    WHERE topic = $1 AND partition = $2 AND position = ANY($3) ORDER BY position
"""


@dataclass(slots=True)
class OwnLog:
    """The log in the service's database, looked at: often while it grows, now and then when not.

    `tail` is shared by the readers of one process.
    """

    pool: asyncpg.Pool
    topics: tuple[str, ...]
    tail: Tail = field(default_factory=Tail)

    async def places(self) -> frozenset[Place]:
        return frozenset()

    async def take(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place] = frozenset()
    ) -> list[Delivery]:
        # As far as the log is known to go, it is read without asking how far it goes by now.
        behind = self._behind(cursors, held)
        if not behind:
            await self.tail.look(self._heads)
            behind = self._behind(cursors, held)
        if not behind:
            return []
        # The same number for each that is behind: a busy partition does not hold up the others.
        per_place = max(1, min(BATCH_PER_PLACE_MAX, BATCH_MAX // len(behind)))
        async with self.tail.reading:
            kept = [self.tail.after(place, after, per_place) for place, after in behind]
            further = [told for told, here in zip(behind, kept, strict=True) if not here]
            read = await self._read(further, per_place) if further else []
            self.tail.keep(read)
        taken = [*chain.from_iterable(kept), *read]
        if not taken:  # it does not go as far as it went: it was restored from a backup
            await self.tail.look(self._heads)
        return taken

    def _behind(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place]
    ) -> list[tuple[Place, int]]:
        """The places that go on behind their cursors, and behind which position to read each."""
        return [
            (place, after)
            for place, (position, chain_hash) in self.tail.heads.items()
            if place[0] in self.topics
            and place not in held
            and (after := _read_after(cursors[place], position, chain_hash)) < position
        ]

    async def _heads(self) -> Heads:
        rows = await self.pool.fetch(HEADS)
        return {
            (topic, partition): (position, chain_hash)
            for topic, partition, position, chain_hash in rows
        }

    async def _read(self, behind: Sequence[tuple[Place, int]], per_place: int) -> list[Delivery]:
        rows = await self.pool.fetch(
            TAKE,
            [topic for (topic, _), _ in behind],
            [partition for (_, partition), _ in behind],
            [after for _, after in behind],
            per_place,
        )
        return [_delivery(*row) for row in rows]

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:  # noqa: ARG002 - of a `Source`
        """Each `take` reads right behind the cursors it is given. Where the log ends is asked
        again first: whoever begins anew may do so on one that was restored from a backup.
        """
        self.tail.heads = {}

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        return [_delivery(*row) for row in await self.pool.fetch(FETCH, *place, positions)]


def _read_after(cursor: Cursor, position: int, chain_hash: bytes) -> int:
    """Behind which position to read, given where the log ends.

    A log that ends at the cursor with another hash was rewritten: its last event is read again,
    for the reader to see that.
    """
    rewritten = position == cursor.position and chain_hash != cursor.chain_hash
    return position - 1 if rewritten else cursor.position


def _delivery(
    topic: str, partition: int, position: int, body: bytes, chain_hash: bytes
) -> Delivery:
    return Delivery(
        topic=topic, partition=partition, position=position, body=body, chain_hash=chain_hash
    )


@dataclass(slots=True)
class KafkaLog:
    """Topics that the relays write, shared among the workers of a group.

    The offset of position n is n - 1 plus the duplicates before it, so never smaller: reading
    from offset `cursor` on meets position `cursor + 1`.
    """

    bootstrap: str
    group: str
    topics: tuple[str, ...]
    foreign: bool = False
    commit_seconds: float = COMMIT_SECONDS
    _consumer: AIOKafkaConsumer | None = None
    _rebalanced: asyncio.Event = field(default_factory=asyncio.Event)
    _committed_at: float = 0.0

    async def places(self) -> frozenset[Place]:
        """A topic of others may have more partitions than ours."""
        consumer = await self._started()
        return frozenset((place.topic, place.partition) for place in consumer.assignment())

    async def take(
        self,
        cursors: Mapping[Place, Cursor],
        held: frozenset[Place] = frozenset(),
    ) -> list[Delivery]:
        consumer = await self._started()
        if self._rebalanced.is_set():
            raise TakenOver  # partitions came or went: the cursors in hand may be old
        await self._commit(consumer)
        _hold(consumer, held)
        try:
            batches = await consumer.getmany(timeout_ms=KAFKA_WAIT_MS, max_records=BATCH_MAX)
        except UNDECODABLE:
            return await self._take_apart(consumer, cursors)
        return [
            delivery
            for records in batches.values()
            for record in records
            if (delivery := self._ours(record)) is not None
        ]

    async def _take_apart(
        self, consumer: AIOKafkaConsumer, cursors: Mapping[Place, Cursor]
    ) -> list[Delivery]:
        """What comes before the record that cannot be read; if nothing does, `Unreadable`.

        A fetch that fails loses what it had read of all partitions, and does not say where it
        failed: so all are read again, record by record.
        """
        await self.rewind(cursors)
        try:
            async with asyncio.timeout(APART_SECONDS_MAX):
                return await self._read_singly(consumer, cursors)
        except TimeoutError:
            return []  # all can be read: it was damaged on its way here
        finally:
            await self.rewind(cursors)

    async def _read_singly(
        self, consumer: AIOKafkaConsumer, cursors: Mapping[Place, Cursor]
    ) -> list[Delivery]:
        good: dict[Place, list[Delivery]] = defaultdict(list)
        while True:
            found = False
            for partition in consumer.assignment() - consumer.paused():
                place = (partition.topic, partition.partition)
                try:
                    told = await consumer.getmany(partition, max_records=1)
                except UNDECODABLE as fault:
                    if new := good[place]:
                        return new
                    raise Unreadable(place, fault) from fault
                found = found or bool(told)
                good[place] += self._new(told.get(partition, ()), cursors.get(place, Cursor()))
                if len(good[place]) >= BATCH_PER_PLACE_MAX:
                    return good[place]
            await asyncio.sleep(0 if found else APART_PAUSE_SECONDS)

    def _new(self, records: Sequence[ConsumerRecord], cursor: Cursor) -> list[Delivery]:
        deliveries = [self._ours(record) for record in records]
        return [told for told in deliveries if told and told.position > cursor.position]

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:
        consumer = await self._started()
        assigned = {(place.topic, place.partition): place for place in consumer.assignment()}
        if assigned.keys() <= cursors.keys():
            self._rebalanced.clear()
        for name in assigned.keys() & cursors.keys():
            # One before: whoever reads on compares the last hash that he has with the source's.
            consumer.seek(assigned[name], max(0, cursors[name].position - 1))

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        found: dict[int, Delivery] = {}
        partition = TopicPartition(*place)
        async with reading(self.bootstrap, [place]) as consumer:
            duplicates = 0  # at least so many before the positions that come
            for position in sorted(positions):
                async with asyncio.timeout(FETCH_SECONDS_MAX):
                    offset = position - 1 + duplicates
                    if not found or offset > await consumer.position(partition) + NEAR:
                        consumer.seek(partition, offset)
                    while True:
                        record = await consumer.getone(partition)
                        delivery = self._ours(record)
                        if delivery is not None and delivery.position >= position:
                            break
                if delivery.position == position:
                    found[position] = delivery
                    duplicates = record.offset - (position - 1)
        return [found[position] for position in sorted(found)]

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    def _ours(self, record: ConsumerRecord) -> Delivery | None:
        """The delivery; None for a record that no relay has written, which is not of the log."""
        try:
            return kafka_delivery(record, foreign=self.foreign)
        except (KeyError, ValueError):
            pass
        log.error(
            "alien record passed over",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        return None

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Tells Kafka now and then how far we are: for dashboards, nothing here depends on it."""
        now = asyncio.get_running_loop().time()
        if now - self._committed_at < self.commit_seconds:
            return
        self._committed_at = now
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await consumer.commit()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap,
                group_id=self.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level=COMMITTED,
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
            consumer.subscribe(list(self.topics), listener=_Rebalance(self._rebalanced))
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer


def _hold(consumer: AIOKafkaConsumer, held: frozenset[Place]) -> None:
    """Pauses exactly these partitions, as far as they are assigned."""
    wanted = {place for place in consumer.assignment() if (place.topic, place.partition) in held}
    paused = consumer.paused()
    consumer.pause(*(wanted - paused))
    consumer.resume(*(paused - wanted))


class _Rebalance(ConsumerRebalanceListener):
    """Partitions came or went: the cursors are read again before the next take."""

    def __init__(self, rebalanced: asyncio.Event) -> None:
        self._rebalanced = rebalanced

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None: ...

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:  # noqa: ARG002
        self._rebalanced.set()


def kafka_delivery(record: ConsumerRecord, *, foreign: bool = False) -> Delivery:
    """A Kafka record as a delivery. `foreign`: not one of our logs, so the offset numbers it.

    Raises KeyError or ValueError if it should be of our logs and lacks what a relay writes.
    """
    key = record.key.decode("utf-8", "replace") if record.key is not None else ""
    if foreign:  # any bytes may come, and PostgreSQL's text takes all characters but this
        key = key.replace("\x00", "\ufffd")
    headers = dict(record.headers)
    return Delivery(
        topic=record.topic,
        partition=record.partition,
        position=record.offset + 1 if foreign else int(headers["position"]),
        body=record.value or b"",
        chain_hash=None if foreign else bytes.fromhex(headers["chainhash"].decode()),
        record_key=key,
    )


@asynccontextmanager
async def reading(bootstrap: str, places: Sequence[Place]) -> AsyncGenerator[AIOKafkaConsumer]:
    """A consumer of these partitions from their beginning, in no group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=COMMITTED,
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(*place) for place in places])
        yield consumer
    finally:
        await consumer.stop()
