"""The service's own log or a Kafka topic in, deliveries out."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, groupby
from typing import NamedTuple

import asyncpg
import structlog
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    KafkaTimeoutError,
    UnsupportedCodecError,
)
from prometheus_client import Counter, Gauge

from shared_runtime.brokers import Bootstrap, client_of
from shared_runtime.delivery import (
    PLACE_OF,
    Cursor,
    Delivery,
    Epoch,
    Place,
    Rewritten,
    TakenOver,
    Unreadable,
)
from shared_runtime.feed import LogFeed, SourceUnreachable
from shared_runtime.fetching import Consumer, SessionConsumer
from shared_runtime.rows import columns
from shared_runtime.tail import Heads, Tail

BATCH_MAX = 4_000
BATCH_PER_PLACE_MAX = 1_000
BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Of bodies: a batch of the largest events takes no more memory than one of usual ones."""
ANSWERED_BYTES_MAX = 4 * 1024 * 1024
"""Of bodies, by all brokers together: a batch from Kafka."""
PARTITION_BYTES_MAX = 512 * 1024
"""So much of each partition is fetched ahead from Kafka: as much as a relay sends at once."""
KAFKA_WAIT_MS = 500
"""So long more is waited for when something has come: then whatever has been put off is done.
Who has waited in vain waits twice as long the next time, for each time is a turn of its reader."""
FETCH_WAIT_MS = 2_000
"""So long the broker keeps a request for which there is nothing. To ask and be told so takes up
to a millisecond of the processor: client and broker go over all partitions."""
COMMIT_SECONDS = 5.0
COMMIT_SECONDS_MAX = 1.0
START_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 5.0
METADATA_MS_MAX = 30_000
"""A topic that was made anew is found again after so long at most."""
TRY_AGAIN_MS = 1_000
"""While Kafka is away, a reader tries again after so long whatever it has under way: to read, to
learn where brokers are, to find its group; each knocks at each broker."""
ALONE_SECONDS = 10.0
"""A member of a group that has been given nothing of a topic for so long joins it anew: it has seen
the topic go, and does not see it come again. So does one that no longer asks for anything."""
SHARE_SECONDS = 1.0
"""It is looked at again after so long."""
SEARCH_SECONDS_MAX = 2.0
ENDS_SECONDS = 5.0
ANSWER_SECONDS_MAX = 3.0
"""So long partitions are waited for that do not say where they end, when others have said so. (An
answer comes behind a fetch, which may wait for `FETCH_WAIT_MS`.)"""
NO_ANSWER_SECONDS_MAX = 20.0
"""So long when none has: Kafka is slow, not one of them."""
EMPTY_SECONDS = 30.0
PAGES_AT_ONCE = 4
FETCH_SECONDS_MAX = 10.0
NEAR = 500
"""Records that are passed over rather than sought past."""
APART_SECONDS_MAX = 5.0
APART_PAUSE_SECONDS = 0.02
COMMITTED = "read_committed"
"""What a producer has taken back, in a transaction of its own, has not happened."""
UNDECODABLE = (UnsupportedCodecError, CorruptRecordException)

log = structlog.get_logger()
missed_total = Counter(
    "aftersales_missed_records",
    "Records of a feed that were deleted before they were read",
    ["topic"],
)

healed_total = Counter(
    "aftersales_healed_events",
    "Events that a topic had lost and that were asked of the service that recorded them",
    ["topic"],
)

silent_partitions = Gauge(
    "aftersales_silent_partitions",
    "Partitions of a topic that do not say where they end",
    ["group"],
)

HEADS = "SELECT topic, partition, position, chain_hash FROM es.head WHERE position > 0"
TAKE_OF = """
    SELECT event.topic, event.partition, event.position, event.body, event.chain_hash
    FROM ({places}) AS place (topic, partition, position)
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT *, sum(octet_length(body)) OVER (ORDER BY position) AS bytes FROM (
                SELECT * FROM es.event
                WHERE es.event.topic = place.topic AND es.event.partition = place.partition
                  AND es.event.position > place.position
                ORDER BY es.event.position LIMIT $4
            ) AS next
        ) AS counted
        WHERE bytes <= $5 OR position = place.position + 1
    ) AS event
"""
TAKE = TAKE_OF.format(places="SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])")
TAKE_ONE = TAKE_OF.format(places="SELECT $1::text, $2::int, $3::bigint")
"""Of arrays PostgreSQL counts the elements, and makes a new plan each time."""
FETCH = """
    SELECT topic, partition, position, body, chain_hash FROM es.event
    WHERE topic = $1 AND partition = $2 AND position = ANY($3) ORDER BY position
"""


@dataclass(slots=True)
class OwnLog:
    """The log in the service's database, looked at: often while it grows, now and then when not.

    `tail` is shared by the readers of one process. `bytes_max`: of bodies, in a batch.
    """

    pool: asyncpg.Pool
    topics: tuple[str, ...]
    tail: Tail = field(default_factory=Tail)
    bytes_max: int = BATCH_BYTES_MAX
    _moved: set[Place] = field(init=False)
    _left: list[Place] = field(default_factory=list[Place])  # that were left for the next time

    def __post_init__(self) -> None:
        self._moved = self.tail.moved()

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
        bytes_of_one = self.bytes_max // len(behind)
        async with self.tail.reading:
            kept = [
                self.tail.after(place, after, per_place, bytes_of_one) for place, after in behind
            ]
            further = [told for told, here in zip(behind, kept, strict=True) if not here]
            read = await self._read(further, per_place, bytes_of_one) if further else []
            self.tail.keep(read)
        taken = [*chain.from_iterable(kept), *read]
        if not taken:  # it does not go as far as it went: it was restored from a backup
            await self.tail.look(self._heads)
        return self._within(taken)

    def _within(self, taken: list[Delivery]) -> list[Delivery]:
        """As much as a batch may have. Each place gives one event, however large, and many of them
        can be too much: then those that are left for the next time come first there.
        """
        if sum(len(delivery.body) for delivery in taken) <= self.bytes_max:
            self._left.clear()
            return taken
        groups = {place: list(told) for place, told in groupby(taken, PLACE_OF)}
        waited = [place for place in self._left if place in groups]
        self._left.clear()
        within: list[Delivery] = []
        room = self.bytes_max
        for place in dict.fromkeys([*waited, *groups]):
            size = sum(len(delivery.body) for delivery in groups[place])
            if within and size > room:
                self._left.append(place)
                continue
            within += groups[place]
            room -= size
        return within

    def _behind(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place]
    ) -> list[tuple[Place, int]]:
        """The places that go on behind their cursors, by name, and behind which position to read
        each. (Only those that have moved are looked at: most have not, each time that one has.)
        """
        behind: list[tuple[Place, int]] = []
        for place in sorted(self._moved - held):
            head = self.tail.heads.get(place)
            if head is None:  # it is not known where anything ends: all is going to move
                continue
            position, chain_hash = head
            after = position
            if place[0] in self.topics:
                after = _read_after(cursors[place], position, chain_hash)
            if after < position:
                behind.append((place, after))
            else:
                self._moved.discard(place)
        return behind

    async def _heads(self) -> Heads:
        rows = await self.pool.fetch(HEADS)
        return {
            (topic, partition): (position, chain_hash)
            for topic, partition, position, chain_hash in rows
        }

    async def _read(
        self, behind: Sequence[tuple[Place, int]], per_place: int, bytes_of_one: int
    ) -> list[Delivery]:
        steps = [(*place, after) for place, after in behind]
        take, places = (TAKE_ONE, steps[0]) if len(steps) == 1 else (TAKE, columns(steps, 3))
        rows = await self.pool.fetch(take, *places, per_place, bytes_of_one)
        return [_delivery(*row) for row in rows]

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:  # noqa: ARG002 - of a `Source`
        """Each `take` reads right behind the cursors it is given; what it has read to its end, it
        looks at again when that has moved, or after this. Where the log ends is asked again
        first: whoever begins anew may do so on one that was restored from a backup.
        """
        self.tail.heads = {}

    async def search(self, place: Place, cursor: Cursor) -> bool:  # noqa: ARG002 - of a `Source`
        """Its positions have no holes: what is not behind the cursor is nowhere."""
        return False

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


@dataclass(frozen=True, slots=True)
class _Searched:
    """What a search behind a position has found so far: it has come to an offset, and the first
    position that it has met beyond the one that is wanted.
    """

    behind: int
    offset: int
    beyond: float = float("inf")


class Span(NamedTuple):
    """The first offset that a partition has, and the one behind its last."""

    begin: int
    end: int


@dataclass(slots=True)
class Spans:
    """Where partitions begin and end. One that does not answer (it has no leader) keeps no other
    waiting, for Kafka's client answers for all of a request or for none: it is asked by itself,
    beside, for as long as it takes.
    """

    _asking: dict[TopicPartition, asyncio.Task[Mapping[TopicPartition, Span]]] = field(
        default_factory=dict[TopicPartition, "asyncio.Task[Mapping[TopicPartition, Span]]"]
    )

    async def of(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Span]:
        """Those that answer. Raises KafkaError for what waiting does not mend."""
        wanted = set(partitions)
        self._forget_answered(wanted)
        asked = wanted - self._asking.keys()
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await _spans(consumer, asked)
        except TimeoutError:
            pass
        begun = {each: asyncio.create_task(_span(consumer, each)) for each in asked}
        self._asking |= begun
        answers = await _answers(begun.values())
        self._forget_answered(wanted)
        return {each: span for answer in answers for each, span in answer.items()}

    def silent(self) -> frozenset[TopicPartition]:
        """Those that have not answered yet."""
        return frozenset(each for each, task in self._asking.items() if not task.done())

    def _forget_answered(self, wanted: set[TopicPartition]) -> None:
        for each, task in [*self._asking.items()]:
            if task.done() or each not in wanted:
                self._drop(each)

    def _drop(self, partition: TopicPartition) -> None:
        task = self._asking.pop(partition)
        if task.done():
            task.exception()  # it is asked again
        else:
            task.cancel()

    def close(self) -> None:
        """Asks no more."""
        self._forget_answered(set())


async def _answers[T](asking: Iterable[asyncio.Task[T]]) -> list[T]:
    """Those that come before nothing has come for a while."""
    waiting, seconds, answers = {*asking}, NO_ANSWER_SECONDS_MAX, list[T]()
    while waiting:
        done, waiting = await asyncio.wait(
            waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        answers += [task.result() for task in done if task.exception() is None]
        seconds = ANSWER_SECONDS_MAX
    return answers


async def _spans(
    consumer: AIOKafkaConsumer, partitions: set[TopicPartition]
) -> Mapping[TopicPartition, Span]:
    if not partitions:
        return {}
    # Both at once: the broker answers what a connection asks in turn, behind a fetch that waits.
    begins, ends = await asyncio.gather(
        consumer.beginning_offsets([*partitions]), consumer.end_offsets([*partitions])
    )
    return {each: Span(begins[each], ends[each]) for each in partitions}


async def _span(
    consumer: AIOKafkaConsumer, partition: TopicPartition
) -> Mapping[TopicPartition, Span]:
    """Asks until there is an answer, in which the client gives up from time to time."""
    while True:
        with suppress(KafkaTimeoutError):
            return await _spans(consumer, {partition})


@dataclass(slots=True)
class KafkaLog:
    """Topics that the relays write, shared among the workers of a group.

    The offset of position n is n - 1 plus the duplicates before it, so never smaller: reading
    from offset `cursor` on meets position `cursor + 1`.

    `feed`: where what a topic has lost is asked for. A place that misses something is read from
    there until it has come to what the topic has, then from the topic again.
    """

    bootstrap: Bootstrap
    group: str
    topics: tuple[str, ...]
    foreign: bool = False
    feed: LogFeed | None = None
    commit_seconds: float = COMMIT_SECONDS
    _consumer: SessionConsumer | None = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _heard_at: float | None = None
    _paused: frozenset[Place] | None = None  # None: as its consumer has it
    _rebalanced: asyncio.Event = field(default_factory=asyncio.Event)
    _committed_at: float = 0.0
    _has_come: bool = True
    _moved: dict[TopicPartition, int] = field(default_factory=dict[TopicPartition, int])
    _shared_at: float = 0.0
    _ends_at: float = float("-inf")
    _spans: Spans = field(default_factory=Spans)
    _begins: dict[TopicPartition, int] = field(default_factory=dict[TopicPartition, int])
    _searched: dict[Place, _Searched] = field(default_factory=dict[Place, "_Searched"])
    _healing: dict[Place, float] = field(default_factory=dict[Place, float])
    _emptied: dict[Place, int] = field(default_factory=dict[Place, int])

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
        await self._check_share(consumer)
        await self._commit(consumer)
        if self.foreign:
            await self._look_at_ends(consumer, cursors, held)
        healed = await self._heal(consumer, cursors, held) if self.feed else []
        self._hold(consumer, held | self._healing.keys())
        wait_ms = 0 if healed else KAFKA_WAIT_MS if self._has_come else 2 * KAFKA_WAIT_MS
        try:
            batches = await consumer.getmany(timeout_ms=wait_ms, max_records=BATCH_MAX)
        except UNDECODABLE:
            return await self._take_apart(consumer, cursors)
        except KafkaError:
            await self.close()  # it may have failed for good: there is another one the next time
            raise
        finally:
            self._note_heard(consumer)
        self._has_come = bool(batches or healed)
        self._moved |= {place: told[-1].offset + 1 for place, told in batches.items() if told}
        if self._rebalanced.is_set():
            raise TakenOver  # a partition that has just come is not read from its cursor yet
        return healed + [
            delivery
            for records in batches.values()
            for record in records
            if (delivery := self._ours(record)) is not None
        ]

    def _hold(self, consumer: AIOKafkaConsumer, held: frozenset[Place]) -> None:
        """Pauses exactly these partitions, as far as they are assigned. (To find out which are goes
        over all of them, so it is not asked each time.)
        """
        if held == self._paused:
            return
        paused = consumer.paused()
        wanted = {each for each in consumer.assignment() if (each.topic, each.partition) in held}
        consumer.pause(*(wanted - paused))
        consumer.resume(*(paused - wanted))
        self._paused = held

    def silent_seconds(self) -> float:
        """For how long no broker has answered, counted from the first time that one was asked. (One
        does every `FETCH_WAIT_MS`, though there be nothing new.)
        """
        if self._heard_at is None:
            return 0.0
        heard_at = self._heard_at
        if self._consumer is not None:
            heard_at = max(heard_at, self._consumer.heard_at)
        return asyncio.get_running_loop().time() - heard_at

    def _note_heard(self, consumer: SessionConsumer) -> None:
        """A broker that is asked nothing, since nothing is ours or all is held, is not silent."""
        paused = consumer.paused() if self._paused else frozenset[TopicPartition]()
        is_asked = bool(consumer.assignment() - paused)
        heard_at = consumer.heard_at if is_asked else asyncio.get_running_loop().time()
        self._heard_at = max(self._heard_at or heard_at, heard_at)

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
        self._ends_at = float("-inf")
        self._paused = None  # what its consumer was just given is read, held or not
        for name in assigned.keys() & cursors.keys():
            # One before: whoever reads on compares the last hash that he has with the source's.
            offset = max(0, cursors[name].position - 1)
            consumer.seek(assigned[name], offset)
            self._moved[assigned[name]] = offset

    async def _check_share(self, consumer: SessionConsumer) -> None:
        """Raises `TakenOver` when it has left a group that gives it nothing of a topic, or in which
        it asks for nothing.
        """
        now = asyncio.get_running_loop().time()
        if now - self._shared_at < SHARE_SECONDS:
            return
        has_all = {place.topic for place in consumer.assignment()} >= set(self.topics)
        if has_all and not consumer.has_failed:
            self._shared_at = now
        elif now - self._shared_at > ALONE_SECONDS:
            self._shared_at = now
            log.warning("joining the group anew", group=self.group, topics=self.topics)
            await self.close()
            raise TakenOver

    async def _look_at_ends(
        self, consumer: AIOKafkaConsumer, cursors: Mapping[Place, Cursor], held: frozenset[Place]
    ) -> None:
        """Compares now and then where a topic of others begins and ends with what was read of it.

        Raises `Rewritten` for one that is shorter. What was deleted before it was read is told.
        """
        now = asyncio.get_running_loop().time()
        if now - self._ends_at < ENDS_SECONDS:
            return
        assigned = {
            place: cursors[name]
            for place in consumer.assignment()
            if (name := (place.topic, place.partition)) in cursors and name not in held
        }
        if assigned:
            for place, span in (await self._look(consumer, assigned)).items():
                cursor = assigned[place]
                if span.end < cursor.position:
                    told = f"{cursor.position} were read, and it ends at {span.end}"
                    raise Rewritten((place.topic, place.partition), told)
                self._tell_missed(place, cursor, span.begin)
        self._ends_at = now

    async def _look(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Span]:
        """Where those begin and end that say so. The others are looked at when they do: they have
        no leader, so nothing of them is read meanwhile.
        """
        spans = await self._spans.of(consumer, partitions)
        silent_partitions.labels(self.group).set(len(self._spans.silent()))
        return spans

    def _tell_missed(self, place: TopicPartition, cursor: Cursor, begin: int) -> None:
        missed = begin - max(cursor.position, self._begins.get(place, 0))
        self._begins[place] = begin
        if missed > 0:
            missed_total.labels(place.topic).inc(missed)
            log.error(
                "deleted before it was read",
                topic=place.topic,
                partition=place.partition,
                after=cursor.position,
                records=missed,
            )

    async def search(self, place: Place, cursor: Cursor) -> bool:
        """Looks on from where the cursor should be, to the end: a topic that was made anew under
        the relay begins with later events, before it has them all. What it does not have is read
        from its source.
        """
        consumer, partition = await self._started(), TopicPartition(*place)
        found: int | None = None
        async with reading(self.bootstrap, [place]) as searching:
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    begin, end = (await _spans(searching, {partition}))[partition]
            except TimeoutError:
                return False
            before = self._searched.get(place)
            if before is None or before.behind != cursor.position:  # it looked for something else
                before = _Searched(cursor.position, max(begin, cursor.position - 1))
            offset, beyond = min(max(begin, before.offset), end), before.beyond
            searching.seek(partition, offset)
            with suppress(TimeoutError):
                async with asyncio.timeout(SEARCH_SECONDS_MAX):
                    while offset < end and found is None:
                        record = await searching.getone(partition)
                        told = self._ours(record)
                        if told is not None and told.position <= cursor.position + 1:
                            found = record.offset
                        elif told is not None:
                            beyond = min(beyond, told.position)
                        offset = record.offset + 1
        self._searched[place] = _Searched(cursor.position, offset, beyond)
        if found is not None:
            consumer.seek(partition, found)
            return True
        return offset >= end and await self._can_heal(place, cursor, beyond)

    async def _can_heal(self, place: Place, cursor: Cursor, beyond: float) -> bool:
        """Whether the source has what the topic misses between the cursor and what it has."""
        if self.feed is None or not self.feed.has(place[0]):
            return False
        try:
            has_it = bool(await self.feed.after(place, cursor.position))
        except SourceUnreachable as failure:
            log.warning("source not reached", topic=place[0], failure=str(failure))
            return False
        if has_it:
            self._healing[place] = beyond
            log.warning(
                "read from its source", topic=place[0], partition=place[1], after=cursor.position
            )
        return has_it

    async def _heal(
        self, consumer: AIOKafkaConsumer, cursors: Mapping[Place, Cursor], held: frozenset[Place]
    ) -> list[Delivery]:
        """The next events of the places that are read from their source."""
        await self._look_for_emptied(consumer, cursors)
        if not self._healing:
            return []
        ours = {(place.topic, place.partition): place for place in consumer.assignment()}
        for place in [*self._healing]:
            if place not in ours or place not in cursors:
                del self._healing[place]
            elif cursors[place].position + 1 >= self._healing[place]:
                self._back_to_topic(consumer, place, cursors[place])
        wanted = [place for place in self._healing if place not in held][:PAGES_AT_ONCE]
        pages = await asyncio.gather(*(self._page(place, cursors[place]) for place in wanted))
        for place, page in zip(wanted, pages, strict=True):
            if page:
                healed_total.labels(place[0]).inc(len(page))
            else:
                self._back_to_topic(consumer, place, cursors[place])
        return [*chain.from_iterable(pages)]

    def _back_to_topic(self, consumer: AIOKafkaConsumer, place: Place, cursor: Cursor) -> None:
        del self._healing[place]
        consumer.seek(TopicPartition(*place), max(0, cursor.position - 1))

    async def _page(self, place: Place, cursor: Cursor) -> list[Delivery]:
        """None where the source does not answer: what is missed is looked for anew."""
        assert self.feed is not None
        try:
            return await self.feed.after(place, cursor.position)
        except SourceUnreachable as failure:
            log.warning("source not reached", topic=place[0], failure=str(failure))
            self._emptied.pop(place, None)
            return []

    async def _look_for_emptied(
        self, consumer: AIOKafkaConsumer, cursors: Mapping[Place, Cursor]
    ) -> None:
        """Looks now and then for places that have had records and have none any more: nothing in
        them says what is missed.
        """
        now = asyncio.get_running_loop().time()
        if self.feed is None or now - self._ends_at < EMPTY_SECONDS:
            return
        if not (assigned := consumer.assignment()):
            return
        spans = await self._look(consumer, assigned)
        self._ends_at = now
        for partition, (begin, end) in spans.items():
            place = (partition.topic, partition.partition)
            is_empty = begin == end > 0
            if is_empty and self._emptied.get(place) != end and self.feed.has(place[0]):
                self._emptied[place] = end
                if place in cursors:
                    self._healing[place] = float("inf")

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        found: dict[int, Delivery] = {}
        partition = TopicPartition(*place)
        async with reading(self.bootstrap, [place]) as consumer:
            begin, end = (await _spans(consumer, {partition}))[partition]
            duplicates = 0  # at least so many before the positions that come
            for position in sorted(positions):
                offset = max(begin, position - 1 + duplicates)
                if offset >= end:
                    break  # it is not in there any more
                async with asyncio.timeout(FETCH_SECONDS_MAX):
                    if not found or offset > await consumer.position(partition) + NEAR:
                        consumer.seek(partition, offset)
                    delivery, offset = await self._at(consumer, partition, position, end)
                if delivery is not None and delivery.position == position:
                    found[position] = delivery
                    duplicates = offset - (position - 1)
        return [found[position] for position in sorted(found)]

    async def _at(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, position: int, end: int
    ) -> tuple[Delivery | None, int]:
        """The next record that is at a position or beyond it, and its offset; None if none is."""
        while await consumer.position(partition) < end:
            record = await consumer.getone(partition)
            delivery = self._ours(record)
            if delivery is not None and delivery.position >= position:
                return delivery, record.offset
        return None, end

    async def close(self) -> None:
        self._spans.close()
        silent_partitions.labels(self.group).set(0)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

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
        """Tells Kafka now and then how far we are: for dashboards, nothing here depends on it. (Of
        what has moved: it stores a record for each partition that is named.)
        """
        now = asyncio.get_running_loop().time()
        if now - self._committed_at < self.commit_seconds:
            return
        assigned = consumer.assignment()
        moved = {place: offset for place, offset in self._moved.items() if place in assigned}
        if not moved:
            return
        self._committed_at = now
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await consumer.commit(moved)
            self._moved.clear()

    async def _started(self) -> SessionConsumer:
        """One for all who ask: another one in the group would be given partitions, and read by
        nobody.
        """
        async with self._starting:
            if self._consumer is None:
                if self._heard_at is None:
                    self._heard_at = asyncio.get_running_loop().time()
                self._consumer = await self._start()
                self._shared_at = asyncio.get_running_loop().time()
            return self._consumer

    async def _start(self) -> SessionConsumer:
        consumer = SessionConsumer(
            **client_of(self.bootstrap),
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=COMMITTED,
            metadata_max_age_ms=METADATA_MS_MAX,
            retry_backoff_ms=TRY_AGAIN_MS,
            max_partition_fetch_bytes=PARTITION_BYTES_MAX,
            fetch_max_bytes=ANSWERED_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            consumer_timeout_ms=2 * FETCH_WAIT_MS,
        )
        consumer.subscribe(list(self.topics), listener=_Rebalance(self._rebalanced))
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await consumer.start()
        except BaseException:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await consumer.stop()
            raise
        return consumer


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
    epoch, event_type = headers.get("epoch"), headers.get("type", b"")
    return Delivery(
        topic=record.topic,
        partition=record.partition,
        position=record.offset + 1 if foreign else int(headers["position"]),
        body=record.value or b"",
        chain_hash=None if foreign else bytes.fromhex(headers["chainhash"].decode()),
        record_key=key,
        epoch=None if foreign or epoch is None else Epoch.parse(epoch),
        taken_at=datetime.fromtimestamp(record.timestamp / 1000, UTC) if foreign else None,
        name="" if foreign else _name_of(event_type),
    )


@lru_cache(maxsize=1024)  # there are some hundreds of types
def _name_of(event_type: bytes) -> str:
    return event_type.decode("utf-8", "replace").partition(".")[0]


@asynccontextmanager
async def reading(
    bootstrap: Bootstrap, places: Sequence[Place]
) -> AsyncGenerator[AIOKafkaConsumer]:
    """A consumer of these partitions from their beginning, in no group."""
    consumer = Consumer(
        **client_of(bootstrap),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=COMMITTED,
        metadata_max_age_ms=METADATA_MS_MAX,
    )
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            await consumer.start()
        consumer.assign([TopicPartition(*place) for place in places])
        yield consumer
    finally:
        await consumer.stop()
