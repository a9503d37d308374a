"""The users of production, as they are deployed, at a real broker: what each needs and no more."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import CreateAclsRequest
from deploy_checks.facts import SERVICES, flows_of
from deploy_checks.render import K8S, Rendered, Resource, rendered
from local_stack import blocking
from local_stack.errors import MissingTools
from local_stack.secured import SecuredKafka, secured_kafka
from local_stack.topics import TOPICS, create_topics
from shared_runtime.brokers import Brokers, Certificates, client_of
from shared_runtime.delivery import TakenOver
from shared_runtime.keeping import NOT_TOLD, Keeping, KeptTooLong
from shared_runtime.lineage import ends_of
from shared_runtime.settings import Settings
from shared_runtime.sources import KafkaLog

pytestmark = pytest.mark.servers
# The numbers that Kafka's protocol has for what a KafkaUser says in words.
RESOURCES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3
SECONDS_MAX = 30

type Who = Callable[[str], Brokers]


@pytest.fixture(scope="module")
def kafka() -> Iterator[SecuredKafka]:
    """A broker that authorizes as Strimzi's does; with our topics, users and nobody else."""
    users = Rendered(rendered(K8S / "overlays" / "prod")).of("KafkaUser")
    authorizing = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # us, in the clear
    }
    try:
        with secured_kafka(authorizing) as started:
            create_topics(started.plain)
            blocking.run(allow(started.plain, users))
            blocking.run(in_force(of(started, users[-1]["metadata"]["name"])))
            yield started
    except MissingTools as why:
        pytest.skip(str(why))


async def allow(bootstrap: str, users: list[Resource]) -> None:
    """What Strimzi's user operator does: an ACL for each operation of each rule."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        for user in users:
            for rule in user["spec"]["authorization"]["acls"]:
                resource = rule["resource"]
                for operation in rule["operations"]:
                    request = CreateAclsRequest(
                        RESOURCES[resource["type"]],
                        resource["name"],
                        PATTERNS[resource["patternType"]],
                        f"User:CN={user['metadata']['name']}",
                        "*",
                        OPERATIONS[operation],
                        ALLOW,
                    )
                    answered = await client.send(client.get_random_node(), request)
                    assert [code for code, *_ in answered.creation_responses] == [0], answered
    finally:
        await client.close()


async def in_force(last: Brokers) -> None:
    """What is allowed is so a moment later, in the order in which it was said: when the last user
    sees the topics, all users may what they may.
    """
    async with asyncio.timeout(SECONDS_MAX):
        while not {*TOPICS} <= {*await listed(last)}:
            pass


async def listed(brokers: Brokers) -> list[str]:
    admin = AIOKafkaAdminClient(**client_of(brokers))
    await admin.start()
    try:
        return await admin.list_topics()
    finally:
        await admin.close()


def of(kafka: SecuredKafka, name: str) -> Brokers:
    certificate, key = kafka.authority.issue(name)
    files = Certificates(authority=kafka.authority.certificate, certificate=certificate, key=key)
    return Brokers(addresses=kafka.address, security="SSL", certificates=files)


@pytest.fixture
def who(kafka: SecuredKafka) -> Who:
    """The brokers as whoever has that name speaks with them."""
    return partial(of, kafka)


async def send(brokers: Brokers, topic: str) -> None:
    producer = AIOKafkaProducer(**client_of(brokers), enable_idempotence=True, acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"x", partition=0)
    finally:
        await producer.stop()


async def read_in_a_group(brokers: Brokers, group: str, topics: tuple[str, ...]) -> None:
    """As a worker reads: it joins, is given partitions, fetches and commits."""
    source = KafkaLog(brokers, group, topics, foreign=True, commit_seconds=0)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while {topic for topic, _ in await source.places()} != {*topics}:
                with suppress(TakenOver):
                    await source.rewind({})
                    await source.take({})
    finally:
        await source.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_its_topics_and_reads_in_its_groups(who: Who, service: str) -> None:
    brokers, flows = who(f"{service}-kafka"), flows_of(service)
    for topic in flows.writes:
        await send(brokers, topic)
    places = [(topic, 0) for topic in {*flows.writes, *flows.reads}]
    assert {*await ends_of(brokers, places)} == {*places}
    for group, topics in flows.groups.items():
        await read_in_a_group(brokers, group, topics)
    await read_in_a_group(brokers, f"{SERVICES[service].name}.recovery-1", flows.writes)


async def test_who_reads_what_is_announced_may_know_how_long_it_is_kept(who: Who) -> None:
    told = {
        name: await how_long(who(f"{name}-kafka"), "marketplace.orders")
        for name in ("review", "marketplace")
    }
    assert told == {"review": None, "marketplace": NOT_TOLD.format("marketplace.orders")}


async def how_long(brokers: Brokers, topic: str) -> str | None:
    """What is wrong with it."""
    files = brokers.certificates
    settings = Settings.model_construct(
        kafka=brokers.addresses,
        kafka_ca=files.authority,
        kafka_certificate=files.certificate,
        kafka_key=files.key,
    )
    try:
        await Keeping(settings).check(topic)
    except KeptTooLong as wrong:
        return str(wrong)
    return None


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_nothing_of_others(who: Who, service: str) -> None:
    brokers = who(f"{service}-kafka")
    for topic in {*TOPICS} - {*flows_of(service).writes}:
        with pytest.raises(TopicAuthorizationFailedError):
            await send(brokers, topic)


async def test_a_service_reads_in_no_group_of_others(who: Who) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await read_in_a_group(who("review-kafka"), "dispute-service.elsewhere", ("orders.events",))


async def test_nobody_makes_a_topic(who: Who) -> None:
    admin = AIOKafkaAdminClient(**client_of(who("review-kafka")))
    await admin.start()
    try:
        answered = await admin.create_topics([NewTopic("review.more", 1, 1)])
    finally:
        await admin.close()
    assert [code for _, code, *_ in answered.topic_errors] == [29]  # TOPIC_AUTHORIZATION_FAILED


async def test_a_marketplace_announces_orders_and_reads_nothing(who: Who) -> None:
    brokers = who("marketplace-kafka")
    await send(brokers, "marketplace.orders")
    with pytest.raises(TopicAuthorizationFailedError):
        await send(brokers, "orders.events")
    with pytest.raises(TopicAuthorizationFailedError):
        await fetched(brokers, "marketplace.orders")


async def test_whoever_counts_what_waits_reads_none_of_it(who: Who) -> None:
    brokers = who("keda-kafka")
    assert {*TOPICS} <= {*await listed(brokers)}
    admin = AIOKafkaAdminClient(**client_of(brokers))
    await admin.start()
    assert await admin.list_consumer_group_offsets("review-service.elsewhere") == {}
    await admin.close()
    with pytest.raises(TopicAuthorizationFailedError):
        await fetched(brokers, "orders.events")


async def test_whoever_has_a_certificate_and_no_name_here_may_do_nothing(who: Who) -> None:
    with pytest.raises(KafkaError):
        await send(who("somebody"), "orders.events")


async def fetched(brokers: Brokers, topic: str) -> None:
    """One record, of partition 0."""
    consumer = AIOKafkaConsumer(**client_of(brokers), auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        async with asyncio.timeout(SECONDS_MAX):
            await consumer.getone(place)
    finally:
        await consumer.stop()
