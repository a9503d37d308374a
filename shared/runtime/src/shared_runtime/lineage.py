"""A log and its topic in, whether they are one history out.

The relay looks before it goes on. A topic may have been made anew, or have lost its tail: then what
it lacks is sent again. A log may have been restored from a backup: then the topic has events that
the log has not, consumers have applied them, and to go on would write others in their places.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct
from msgspec.structs import replace

from shared_runtime.brokers import Bootstrap
from shared_runtime.delivery import NO_CHAIN, Compared, Cursor, Delivery, Epoch, Place
from shared_runtime.sources import Spans, kafka_delivery, reading

READ_SECONDS_MAX = 10.0
"""So long the last events of all partitions are waited for."""
READ_MS = 250
FURTHER = 16
"""Where the last records are no events of ours, so many times as many are looked at."""

FOUND = """
    SELECT place.topic, place.partition, head.position, head.epoch, head.epoch_from,
           event.chain_hash
    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS place (topic, partition, position)
    JOIN es.head AS head ON head.topic = place.topic AND head.partition = place.partition
    LEFT JOIN es.event AS event
        ON event.topic = place.topic AND event.partition = place.partition
        AND event.position = place.position
"""


class Found(Struct, frozen=True, kw_only=True):
    """How far the log goes, in which epoch it is, and its chain hash at the position asked for."""

    head: int
    epoch: Epoch
    chain_hash: bytes | None


class TopicEnd(Struct, frozen=True, kw_only=True):
    """Where a partition of a topic ends: the offset behind it; the last event that is there, and
    the offset of that one.
    """

    offset: int
    last: Delivery | None = None
    last_offset: int = -1

    @property
    def position(self) -> int:
        return self.last.position if self.last else 0

    def is_apart_from(self, cursor: Cursor) -> bool:
        """Whether the log goes on from a backup that a reader had come further than."""
        epoch = self.last.epoch if self.last else None
        if epoch is None or cursor.epoch is None:
            return False
        return epoch.id > cursor.epoch and cursor.position > epoch.since

    @property
    def is_short(self) -> bool:
        """Whether it has had fewer records than its last event has positions before it."""
        return self.last_offset < self.position - 1


def compare(
    log: Mapping[Place, Found], ends: Mapping[Place, TopicEnd], cursors: Mapping[Place, Cursor]
) -> Compared:
    """What of a log its topic lacks, though the cursors say that it was sent; the places where the
    topic has what the log has not; and those of which nobody says where they end.
    """
    broken = {place: told for place, end in ends.items() if (told := difference(log[place], end))}
    back = {
        place: cursor
        for place, end in ends.items()
        if place not in broken
        and (cursor := lacking_from(log[place], end, cursors[place])) is not None
    }
    return Compared(back=back, broken=broken, silent=frozenset(cursors.keys() - ends.keys()))


def difference(found: Found, end: TopicEnd) -> str | None:
    """How the topic differs from the log, in words; None where all that it ends with is in it."""
    if end.last is None:
        return None
    if end.position > found.head:
        return f"the topic ends at {end.position}, the log at {found.head}: it lost its tail"
    if found.chain_hash != end.last.chain_hash:
        return f"the log has another event at {end.position} than the topic"
    return None


def lacking_from(found: Found, end: TopicEnd, sent: Cursor) -> Cursor | None:
    """Behind which cursor a topic lacks what was sent to it; None if it lacks nothing.

    A partition has had as many records as positions at least: one with fewer was made anew. (One
    that is empty and has had them was emptied by its retention.)
    """
    made_anew = end.offset < sent.position if end.last is None else end.is_short
    if made_anew:
        return Cursor() if sent.position else None
    if end.last is None or end.position >= sent.position:
        return None
    return Cursor(position=end.position, chain_hash=found.chain_hash or NO_CHAIN)


async def look_up(db: asyncpg.Pool, ends: Mapping[Place, TopicEnd]) -> dict[Place, Found]:
    """What the log has where its topic ends. Ask for the ends first: the log may grow meanwhile."""
    rows = await db.fetch(
        FOUND,
        [topic for topic, _ in ends],
        [partition for _, partition in ends],
        [end.position for end in ends.values()],
    )
    return {
        (topic, partition): Found(
            head=head, epoch=Epoch(id=epoch, since=since), chain_hash=chain_hash
        )
        for topic, partition, head, epoch, since, chain_hash in rows
    }


async def ends_of(bootstrap: Bootstrap, places: Sequence[Place]) -> dict[Place, TopicEnd]:
    """Where these partitions end. Raises KafkaError, or TimeoutError if one does not say so."""
    ends = await ends_that_answer(bootstrap, places)
    if silent := [place for place in places if place not in ends]:
        raise TimeoutError(f"{silent[0]} does not answer, one of {len(silent)}")
    return ends


async def ends_that_answer(bootstrap: Bootstrap, places: Sequence[Place]) -> dict[Place, TopicEnd]:
    """Where those of these partitions end that say so in time. Raises KafkaError, or TimeoutError
    if Kafka is not reached at all.
    """
    async with reading(bootstrap, places) as consumer:
        asking = Spans()
        try:
            spans = await asking.of(consumer, [TopicPartition(*place) for place in places])
        finally:
            asking.close()
        found = {place: TopicEnd(offset=span.end) for place, span in spans.items()}
        left, window = {place for place, (begin, end) in spans.items() if end > begin}, 1
        until = asyncio.get_running_loop().time() + READ_SECONDS_MAX
        while left:
            for place in left:
                consumer.seek(place, max(spans[place].begin, spans[place].end - window))
            unread = set(left)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await _read_last(consumer, unread, found)
            for place in unread:
                del found[place]
            # Records that no relay has written are passed over, if need be down to the beginning.
            left = {
                place
                for place in left - unread
                if found[place].last is None and spans[place].end - window > spans[place].begin
            }
            window *= FURTHER
        return {(place.topic, place.partition): end for place, end in found.items()}


async def _read_last(
    consumer: AIOKafkaConsumer,
    reading_on: set[TopicPartition],
    found: dict[TopicPartition, TopicEnd],
) -> None:
    """Puts into `found` the last event of each place that has one, from where the consumer stands
    to its end. A place that was read to its end is taken out of `reading_on`.
    """
    while reading_on:
        for place, records in (await consumer.getmany(*reading_on, timeout_ms=READ_MS)).items():
            for record in records:
                if record.offset >= found[place].offset:
                    break
                try:
                    told = kafka_delivery(record)
                except (KeyError, ValueError):
                    continue
                found[place] = replace(found[place], last=told, last_offset=record.offset)
        for place in [*reading_on]:
            if await consumer.position(place) >= found[place].offset:
                reading_on.discard(place)
