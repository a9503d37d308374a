"""Through a real Kafka, its partitions delivered in any order, by one worker or four: the bits are
those of the fold.
"""

import asyncio
import dataclasses
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from uuid import uuid4

import asyncpg
import pytest
from local_stack.servers import Servers
from local_stack.topics import create_topics
from msgspec.structs import replace
from reputation_service.domain.facts import micros
from reputation_service.domain.policy import DEFAULT, always
from reputation_service.domain.replay import Replayed
from reputation_service.projections import SCORE
from reputation_service.queries.scores import accounts
from reputation_service.testing.histories import SELLERS, History, dice, history
from shared_events.partition import PARTITIONS
from shared_runtime.delivery import NO_CHAIN, Cursor, Delivery, Place, TakenOver
from shared_runtime.projections import Projection, live_subscription
from shared_runtime.relay import Relay
from shared_runtime.sources import KafkaLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import delivery_of


class InAnyOrder:
    """A Kafka of which only some partitions are read, until nothing comes of them; then others."""

    def __init__(self, kafka: KafkaLog, topics: Sequence[str], chance: random.Random) -> None:
        self._kafka = kafka
        self._topics = topics
        self._chance = chance
        self._waiting = self._others()

    async def places(self) -> frozenset[Place]:
        return await self._kafka.places()

    async def take(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place] = frozenset()
    ) -> list[Delivery]:
        taken = await self._kafka.take(cursors, held.union(self._waiting))
        if not taken:
            self._waiting = self._others()
        return taken

    def _others(self) -> frozenset[Place]:
        return frozenset(
            (topic, partition)
            for topic in self._topics
            for partition in range(PARTITIONS)
            if self._chance.randrange(2)
        )

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:
        await self._kafka.rewind(cursors)

    async def search(self, place: Place, cursor: Cursor) -> bool:
        return await self._kafka.search(place, cursor)

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        return await self._kafka.fetch(place, positions)


@pytest.fixture(scope="module")
def topics() -> dict[str, str]:
    """What the score reads, under names of its own: the broker has other writers of those."""
    unlike = uuid4().hex[:8]
    return {topic: f"{topic}.{unlike}" for topic in SCORE.topics}


@pytest.fixture(scope="module")
def kafka(servers: Servers, topics: dict[str, str]) -> str:
    create_topics(servers.kafka, topics.values())
    return servers.kafka


def chained(told: History) -> list[Delivery]:
    """As their logs have them: each partition's with its chain."""
    ends: dict[Place, bytes] = {}
    deliveries: list[Delivery] = []
    for delivery in map(delivery_of, told):
        before = ends.get(delivery.place, NO_CHAIN)
        ends[delivery.place] = sha256(before + delivery.leaf).digest()
        deliveries.append(replace(delivery, chain_hash=ends[delivery.place]))
    return deliveries


async def sent(told: History, kafka: str) -> None:
    relay = Relay(kafka)
    try:
        deliveries = chained(told)
        assert not await relay.produce(deliveries)
        assert not await relay.produce(deliveries[: len(told) // 3])  # a repeat
    finally:
        await relay.close()


async def work(
    source: KafkaLog,
    score: Projection,
    pool: asyncpg.Pool,
    chance: random.Random,
    stop: asyncio.Event,
) -> None:
    """A worker until it is told to end; when others come or go it begins again at its cursors."""
    runner = Runner(
        subscription=await live_subscription(pool, score),
        source=InAnyOrder(source, score.topics, chance),
        pool=pool,
    )
    try:
        await runner.start()
        while not stop.is_set():
            try:
                await runner.turn()
            except TakenOver:
                await runner.start()
    finally:
        with suppress(Exception):
            await source.close()


async def until_all_is_in(told: History, pool: asyncpg.Pool) -> None:
    goal: dict[tuple[str, int], int] = {}
    for recorded in told:
        goal[recorded.topic, recorded.partition] = recorded.position
    async with asyncio.timeout(90):
        while not await has_come_to(goal, pool):  # noqa: ASYNC110 - the workers answer
            await asyncio.sleep(0.1)


async def has_come_to(goal: Mapping[tuple[str, int], int], pool: asyncpg.Pool) -> bool:
    rows = await pool.fetch("SELECT topic, partition, position FROM es.cursor")
    reached = {(row[0], row[1]): row[2] for row in rows}
    return all(reached.get(place, 0) >= position for place, position in goal.items())


@pytest.mark.parametrize("workers", [1, 4])
async def test_partitions_in_any_order_leave_the_same_bits(
    kafka: str, topics: dict[str, str], pool: asyncpg.Pool, workers: int
) -> None:
    there = await history(11, orders=40)
    told = [replace(each, topic=topics[each.topic]) for each in there]
    score = dataclasses.replace(SCORE, topics=tuple(topics.values()))
    if workers == 1:  # both tests read what the first one sends
        await sent(told, kafka)
    stop, group = asyncio.Event(), f"test-{uuid4()}"
    chance = dice(workers)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            source = KafkaLog(kafka, group, score.topics)
            tasks.create_task(work(source, score, pool, chance, stop))
        await until_all_is_in(told, pool)
        stop.set()
    known = Replayed(DEFAULT.sla)
    for recorded in told:
        known.take(recorded)
    as_of = micros(told[-1].recorded_at)
    expected = {each.seller_id: each for each in known.accounts(as_of, DEFAULT)}
    found = await accounts(pool, dict.fromkeys(SELLERS, as_of), always(DEFAULT))
    assert {each.seller_id: each.state_sha256 for each in found} == {
        seller: expected[seller].state_sha256 for seller in SELLERS
    }
    for each in found:
        assert each.standing(DEFAULT) == expected[each.seller_id].standing(DEFAULT)
