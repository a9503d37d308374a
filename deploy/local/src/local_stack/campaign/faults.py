"""What goes wrong, done to a stack and undone."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import RLock

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
        self._kafka_frozen = False
        self._one_at_a_time = RLock()

    def do(self, step: Break) -> None:
        with self._one_at_a_time:
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
                self.revive(process)

    def _do(self, step: Break) -> None:
        servers, service = self._stack.servers, step.process.partition("-")[0]
        match step.fault:
            case "kill":
                self._thaw(step.process)
                process = self._stack.services[step.process]
                process.kill()
                process.start()
            case "end":
                self._thaw(step.process)
                process = self._stack.services[step.process]
                process.stop()  # SIGTERM, as a deployment does it
                process.start()
            case "freeze" if step.process not in self._frozen:
                self.revive(step.process)
                self._stack.services[step.process].freeze()
                self._frozen.add(step.process)
            case "thaw":
                self._thaw(step.process)
                self._thaw_kafka()
            case "stop-postgres" if servers.own_postgres is not None:
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

    def _thaw(self, process: str) -> None:
        if process in self._frozen:
            self._stack.services[process].thaw()
            self._frozen.discard(process)

    def _thaw_kafka(self) -> None:
        if self._kafka_frozen and self._stack.servers.own_kafka is not None:
            self._stack.servers.own_kafka.thaw()
        self._kafka_frozen = False


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
