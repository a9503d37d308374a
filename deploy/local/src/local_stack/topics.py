"""A broker's address in, the platform's topics out."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError
from shared_events.partition import PARTITIONS

from local_stack import blocking
from local_stack.errors import StackError

TOPICS = (
    "orders.events",
    "review.events",
    "dispute.events",
    "returns.events",
    "reputation.events",
    "marketplace.orders",
)
WRITERS = {
    "orders.events": "review",
    "review.events": "review",
    "dispute.events": "dispute",
    "returns.events": "returns",
    "reputation.events": "reputation",
}
"""The service that has recorded what is in each of our own."""
FEEDS = ("marketplace.orders",)
"""Topics that others write. What is said there of persons is not sealed, and once it has been read
our logs are the truth: it is not kept.
"""
DAY_MILLISECONDS = 24 * 60 * 60 * 1000
FEED_DAYS = 7
KEPT_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
KEPT_A_WEEK = KEPT_FOR_EVER | {
    "retention.ms": str(FEED_DAYS * DAY_MILLISECONDS),
    # What is in one file with younger records is not deleted before them.
    "segment.ms": str(DAY_MILLISECONDS),
    # Counted from its arrival: an old order that is announced late would be gone at once.
    "message.timestamp.type": "LogAppendTime",
}
REQUEST_MILLISECONDS = 10_000
UP_TO_ITS_END = -1
READY_LOOKS = 1200
LOOK_SECONDS = 0.05


def create_topics(bootstrap: str, names: Iterable[str] = TOPICS) -> None:
    """Makes those that are not there yet, with 64 partitions, and waits for them. They are kept for
    ever, feeds for a week.
    """
    blocking.run(_create(bootstrap, set(names)))


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Deletes topics with all that is in them."""
    blocking.run(_delete(bootstrap, list(names)))


def forget(bootstrap: str, name: str) -> None:
    """All that is in a topic is gone, as when it was kept for too short a time."""
    blocking.run(_forget(bootstrap, name))


def any_there(bootstrap: str, names: Iterable[str] = TOPICS) -> bool:
    """Whether a broker already holds one of these topics."""
    return not set(names).isdisjoint(blocking.run(_list(bootstrap)))


def is_up(bootstrap: str) -> bool:
    """Whether a broker answers for its cluster."""
    return blocking.run(_is_up(bootstrap))


async def _create(bootstrap: str, names: set[str]) -> None:
    async with _admin(bootstrap) as admin:
        missing = sorted(names - set(await admin.list_topics()))
        if missing:
            await admin.create_topics(
                [NewTopic(name, PARTITIONS, 1, topic_configs=configs_of(name)) for name in missing],
                timeout_ms=REQUEST_MILLISECONDS,
            )
        for _ in range(READY_LOOKS):
            if await _are_led(admin, names):
                return
            await asyncio.sleep(LOOK_SECONDS)
    raise StackError(f"Kafka's topics are not ready after {READY_LOOKS * LOOK_SECONDS:.0f} s")


def configs_of(name: str) -> dict[str, str]:
    """How a topic is kept."""
    return KEPT_A_WEEK if name in FEEDS else KEPT_FOR_EVER


async def _are_led(admin: AIOKafkaAdminClient, names: set[str]) -> bool:
    """A topic that was made is of use only when its partitions have leaders."""
    found = await admin.describe_topics(sorted(names))
    partitions = [partition for topic in found for partition in topic["partitions"]]
    return len(partitions) >= PARTITIONS * len(names) and all(
        partition["error_code"] == 0 for partition in partitions
    )


async def _delete(bootstrap: str, names: list[str]) -> None:
    async with _admin(bootstrap) as admin:
        await admin.delete_topics(names, timeout_ms=REQUEST_MILLISECONDS)


async def _forget(bootstrap: str, name: str) -> None:
    places = [TopicPartition(name, partition) for partition in range(PARTITIONS)]
    async with _admin(bootstrap) as admin:
        await admin.delete_records(dict.fromkeys(places, RecordsToDelete(UP_TO_ITS_END)))


async def _list(bootstrap: str) -> list[str]:
    async with _admin(bootstrap) as admin:
        return await admin.list_topics()


async def _is_up(bootstrap: str) -> bool:
    try:
        async with _admin(bootstrap) as admin:
            return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_MILLISECONDS
    )
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
