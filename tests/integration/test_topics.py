"""The topics of a running stack, as Kafka has them."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from local_stack.services import Stack


async def test_our_topics_are_kept_for_ever_and_what_others_announce_for_a_week(
    stack: Stack,
) -> None:
    """An announced review has its text in the clear: an erasure would not reach it."""
    kafka = stack.description.kafka
    assert (await configs(kafka, "orders.events"))["retention.ms"] == "-1"
    feed = await configs(kafka, "marketplace.orders")
    assert int(feed["retention.ms"]) == 7 * 24 * 60 * 60 * 1000
    assert int(feed["segment.ms"]) == 24 * 60 * 60 * 1000
    assert feed["message.timestamp.type"] == "LogAppendTime"


async def configs(kafka: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (told,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    (resource,) = told.resources
    return {name: value for name, value, *_ in resource[4]}
