"""Folding every score from Kafka against a consumer that only counts."""

from collections.abc import Callable
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from reputation_service.domain.fold import Facts, fold
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import DEFAULT
from shared_events.envelope import decode_wanted
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.partition import PARTITIONS
from shared_events.registry import name_of
from shared_events.review import ReviewWeighted
from shared_runtime.sources import KAFKA_WAIT_MS, reading

from bench.measure import Comparison
from bench.relaying import EVENTS, relay_everything
from bench.world import TOPICS, World, fill

WANTED = frozenset(name_of(kind) for kind in (ReviewWeighted, OrderCompleted, OrderReopened))
PLACES = [(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)]


async def replay(world: World) -> Comparison:
    """Both read the same topics from the beginning with the same client."""
    await fill(world, EVENTS)
    await relay_everything(world)

    async def ours(_: int) -> int:
        facts = Facts()

        def take(record: ConsumerRecord) -> None:
            position = int(dict(record.headers)["position"])
            recorded = decode_wanted(
                WANTED, record.topic, record.partition, position, record.value or b""
            )
            if recorded is not None:
                facts.extend(observe(recorded, DEFAULT.sla))

        count = await consume(world.kafka, take)
        fold(facts.in_force())
        return count

    async def raw(_: int) -> int:
        return await consume(world.kafka, _look_away)

    return Comparison(
        name="score replay from Kafka",
        against="a consumer that only counts",
        unit="events/s",
        at_least=0.3,
        ours=ours,
        raw=raw,
    )


async def consume(bootstrap: str, take: Callable[[ConsumerRecord], Any]) -> int:
    """Hands over every record that is there now; how many there were."""
    count = 0
    async with reading(bootstrap, PLACES) as consumer:
        ends = await consumer.end_offsets([TopicPartition(*place) for place in PLACES])
        total = sum(ends.values())
        while count < total:
            for records in (await consumer.getmany(timeout_ms=KAFKA_WAIT_MS)).values():
                for record in records:
                    take(record)
                count += len(records)
    return count


def _look_away(_: ConsumerRecord) -> None: ...
