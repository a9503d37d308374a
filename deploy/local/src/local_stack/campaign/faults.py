"""What goes wrong, done to a stack and undone."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from threading import RLock

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from shared_events.partition import PARTITIONS

from local_stack import blocking
from local_stack.campaign.plan import PROCESSES, Break
from local_stack.oracle import ask
from local_stack.services import Stack
from local_stack.topics import WRITERS

SAID_TWICE_MAX = 5
"""So many records at the end of each partition are there twice."""
SENT_AGAIN_MAX = 50
READ_SECONDS = 3.0
RESTART_SECONDS = 300.0
"""For a server, beside ten histories and sixteen processes that are all busy."""
WORKERS = tuple(process for process in PROCESSES if "-worker" in process)
CATCH_SECONDS = 3.0
MISSED_SECONDS = 0.003
OVERTAKEN_SECONDS = 15.0
"""By then a worker that does nothing counts as gone, here and with Kafka, and another one has gone
on with what it had."""
# Of those who are connected from there: who has begun a batch and not moved its cursors yet.
IN_THE_MIDDLE = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE client_port = ANY($1::int[]) AND state = 'idle in transaction'
          AND (query LIKE 'BEGIN%' OR query LIKE '%es.projection%'))
"""
# A relay that has lost what it knew of the last that it sent.
SEND_AGAIN = """
    UPDATE es.cursor AS cursor
    SET position = since, chain_hash = coalesce(
        (SELECT event.chain_hash FROM es.event AS event
         WHERE event.topic = cursor.topic AND event.partition = cursor.partition
           AND event.position = since), decode(repeat('00', 32), 'hex'))
    FROM (SELECT topic, partition, greatest(position / 2, position - $1::bigint) AS since
          FROM es.cursor WHERE subscription = 'relay') AS sent
    WHERE subscription = 'relay' AND sent.topic = cursor.topic
      AND sent.partition = cursor.partition
"""


class Faults:
    """Breaks a stack, one thing after the other, however many histories it happens to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._frozen: set[str] = set()
        self._caught: dict[str, float] = {}
        """Of the frozen, those in the middle of a batch: until when they stay so."""
        self._kafka_frozen = False
        self._one_at_a_time = RLock()

    def do(self, step: Break) -> None:
        with self._one_at_a_time:
            self._let_overtaken_go()
            self._do(step)

    def revive(self, process: str) -> None:
        """Whoever waits for it may go on waiting: it runs. One that found no database when it began
        has ended: whatever runs it starts it anew.
        """
        with self._one_at_a_time:
            self._thaw(process)
            if not (service := self._stack.services[process]).running():
                service.start()

    def mend(self) -> None:
        """All runs."""
        with self._one_at_a_time:
            self._thaw_kafka()
            for process in PROCESSES:
                if process not in self._caught:
                    self.revive(process)
            self._wait_for_overtaken()

    def _do(self, step: Break) -> None:
        process = self._stack.services[step.process]
        match step.fault:
            case "kill":
                self._thaw(step.process)
                process.kill()
                process.start()
            case "end":
                self._thaw(step.process)
                process.stop()  # SIGTERM, as a deployment does it
                process.start()
            case "freeze" if step.process not in self._frozen:
                self.revive(step.process)
                process.freeze()
                self._frozen.add(step.process)
            case "thaw":
                if step.process not in self._caught:
                    self._thaw(step.process)
                self._thaw_kafka()
            case "overtake":
                self._thaw_kafka()
                self._catch(step.process.replace("-api", "-worker"))
            case _:
                self._do_to_servers(step)

    def _do_to_servers(self, step: Break) -> None:
        servers, service = self._stack.servers, step.process.partition("-")[0]
        match step.fault:
            case "stop-postgres" if servers.own_postgres is not None:
                self._wait_for_overtaken()  # else what they have begun would be over
                servers.own_postgres.stop("immediate")
                servers.own_postgres.start()
            case "stop-kafka" if servers.own_kafka is not None:
                self._thaw_kafka()
                servers.own_kafka.ready_seconds = RESTART_SECONDS
                servers.own_kafka.kill()
                servers.own_kafka.start()
            case "freeze-kafka" if servers.own_kafka is not None:
                servers.own_kafka.freeze()
                self._kafka_frozen = True
            case "send-again":
                ask(self._stack, service, SEND_AGAIN, SENT_AGAIN_MAX)
            case "say-twice":
                self._thaw_kafka()
                topics = [topic for topic, writer in WRITERS.items() if writer == service]
                blocking.run(_say_twice(self._stack.description.kafka, topics))
            case _:
                pass

    def _catch(self, process: str) -> None:
        """Freezes a worker in the middle of a batch, this one or whichever is found so first, and
        sees that its other one runs: that takes over what it has, and goes on with it. What it
        then does with its batch has to be refused.
        """
        free = [
            each
            for each in (process, *WORKERS)
            if self._stack.services[each].running() and self._frozen.isdisjoint(_pair_of(each))
        ]
        if free and (caught := blocking.run(self._freeze_in_the_middle(free))):
            self._caught[caught] = time.monotonic() + OVERTAKEN_SECONDS
            for each in _pair_of(caught) - {caught}:
                self.revive(each)

    async def _freeze_in_the_middle(self, workers: Sequence[str]) -> str | None:
        """Freezes one after the other for a moment; None if all were idle."""
        db = await asyncpg.connect(self._stack.servers.postgres_url)
        try:
            deadline = time.monotonic() + CATCH_SECONDS
            for worker in cycle(workers):
                if time.monotonic() > deadline:
                    break
                self._stack.services[worker].freeze()
                self._frozen.add(worker)
                if await _is_in_the_middle(db, self._stack.services[worker].pid):
                    return worker
                self._thaw(worker)
                await asyncio.sleep(MISSED_SECONDS)
        finally:
            await db.close()
        return None

    def _wait_for_overtaken(self) -> None:
        if self._caught:
            time.sleep(max(0.0, max(self._caught.values()) - time.monotonic()))
            self._let_overtaken_go()

    def _let_overtaken_go(self) -> None:
        now = time.monotonic()
        for process in [process for process, until in self._caught.items() if until <= now]:
            self._thaw(process)

    def _thaw(self, process: str) -> None:
        self._caught.pop(process, None)
        if process in self._frozen:
            self._stack.services[process].thaw()
            self._frozen.discard(process)

    def _thaw_kafka(self) -> None:
        if self._kafka_frozen and self._stack.servers.own_kafka is not None:
            self._stack.servers.own_kafka.thaw()
        self._kafka_frozen = False


def _pair_of(process: str) -> set[str]:
    """The two of a service that are of its kind."""
    one = process.removesuffix("-2")
    return {one, f"{one}-2"}


async def _is_in_the_middle(db: asyncpg.Connection, pid: int) -> bool:
    """Whether a process that is frozen has begun a batch."""
    begun: bool = await db.fetchval(IN_THE_MIDDLE, [*_ports_of(pid)])
    return begun


def _ports_of(pid: int) -> Iterator[int]:
    """Those of this machine that a process is connected from."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        told = line.split()
        if f"socket:[{told[9]}]" in sockets:
            yield int(told[1].rpartition(":")[2], 16)


async def _say_twice(kafka: str, topics: Sequence[str]) -> None:
    """What came last in each partition of topics comes once more, if there is the time."""
    places = [
        TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)
    ]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await consumer.start()
    await producer.start()
    try:
        consumer.assign(places)
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        left: dict[TopicPartition, int] = {}
        for at in places:
            first = max(begins[at], ends[at] - SAID_TWICE_MAX)
            consumer.seek(at, first)
            left[at] = ends[at] - first
        with suppress(TimeoutError):  # of a busy machine
            async with asyncio.timeout(READ_SECONDS):
                await _say_again(consumer, producer, left)
        await producer.flush()
    finally:
        await producer.stop()
        await consumer.stop()


async def _say_again(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, left: dict[TopicPartition, int]
) -> None:
    """Sends what is read to where it comes from; `left`: how many of each partition are to come."""
    while any(count > 0 for count in left.values()):
        for at, records in (await consumer.getmany(timeout_ms=100)).items():
            left[at] -= len(records)
            for record in records:
                sent = (record.value, record.key, at.partition, None, [*record.headers])
                await producer.send(at.topic, *sent)
