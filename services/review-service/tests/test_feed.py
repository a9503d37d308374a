"""The marketplace announces its orders on a topic of its own, and any producer may write there."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from local_stack.topics import configs_of, create_topics
from review_service.api.examples import LINE
from review_service.app import workload
from review_service.bulk.feed import ORDER, TOPIC, marketplace_feed
from review_service.domain.policy import AE_2025_1, ALWAYS, policies
from review_service.settings import ReviewSettings
from shared_runtime.delivery import Delivery, Subscription
from shared_runtime.keeping import DAY_MS, Keeping
from shared_runtime.log import StreamsUnreadable
from shared_runtime.parking import ask_retry, is_of_the_events, list_parked
from shared_runtime.service import Parts
from shared_runtime.sources import KafkaLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import ManualClock
from structlog.testing import capture_logs

EVENTS_OF_A_LINE = 11


def line(order_id: str) -> dict[str, Any]:
    told = deepcopy(LINE)
    told["order"]["order_id"] = order_id
    return told


def announced(data: object, kind: str = ORDER) -> bytes:
    """A CloudEvent, as a producer that knows nothing of us makes it."""
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": kind,
        "subject": "whatever",
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event).encode()


@pytest.fixture
def feed(parts: Parts[ReviewSettings], clock: ManualClock, kafka: str) -> Subscription:
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    create_topics(kafka, [TOPIC])
    settings = parts.settings.model_copy(update={"env": "local", "kafka": kafka})
    (subscription,) = workload(replace(parts, settings=settings)).feeds
    assert subscription.topics == (TOPIC,)
    return subscription


async def take(feed: Subscription, pool: asyncpg.Pool, *bodies: bytes) -> None:
    deliveries = [
        Delivery(topic=TOPIC, partition=3, position=position, body=body, chain_hash=None)
        for position, body in enumerate(bodies, 1)
    ]
    async with pool.acquire() as db, db.transaction():
        await feed.apply(deliveries, db)


async def keep(kafka: str, topic: str, configs: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        kept = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        [answered] = await admin.alter_configs([kept])
    finally:
        await admin.close()
    assert [code for code, *_ in answered.resources] == [0], answered


@asynccontextmanager
async def running(runner: Runner) -> AsyncGenerator[None]:
    """For as long as something is waited for."""
    stop = asyncio.Event()
    run = asyncio.create_task(runner.run(stop))
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        stop.set()
        await run


async def recorded(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM es.event")
    return count


async def test_an_announced_order_comes_in_with_all_that_came_of_it(
    feed: Subscription, parts: Parts[ReviewSettings]
) -> None:
    await take(feed, parts.pool, announced(line("O1")))
    histories = await parts.log.read(["order-O1", "evaluation-O1"])
    assert [len(history) for history in histories.values()] == [6, 5]
    assert {recorded.actor for recorded in histories["order-O1"]} == {f"importer:{TOPIC}"}


async def test_an_order_that_is_announced_again_comes_in_once(
    feed: Subscription, pool: asyncpg.Pool
) -> None:
    await take(feed, pool, announced(line("O1")), announced(line("O2")), announced(line("O1")))
    await take(feed, pool, announced(line("O2")), announced(line("O1")))
    assert await recorded(pool) == 2 * EVENTS_OF_A_LINE


async def test_what_is_refused_is_told_with_its_place_and_the_rest_goes_on(
    feed: Subscription, pool: asyncpg.Pool
) -> None:
    conflicting, unsound, late = line("O1"), line("O3"), line("O4")
    conflicting["order"]["withdrawal_right"] = False
    unsound["order"]["total"]["amount"] += 1
    late["reviews"][0]["at"] = "2026-02-20T00:00:00Z"
    nameless = line("a\u0000b")
    with capture_logs() as logs:
        await take(
            feed,
            pool,
            announced(line("O1")),
            announced(conflicting),
            b"",
            b"nonsense",
            b'{"specversion":"1.0"}',
            announced(unsound),
            announced("no line"),
            announced(late),
            announced(nameless),
            announced(line("O2")),
        )
    told = [
        (log["position"], log["part"], log["rule"])
        for log in logs
        if log["event"] == "told in vain"
    ]
    assert told == [
        (2, "ORDER", "already-submitted"),
        (3, "ORDER", "malformed-line"),
        (4, "ORDER", "malformed-line"),
        (5, "ORDER", "malformed-line"),
        (6, "ORDER", "invalid-value"),
        (7, "ORDER", "invalid-value"),
        (8, "BUYER", "window-closed"),
        (9, "ORDER", "invalid-value"),
    ]
    # One that was reviewed by its seller alone has a weight less.
    assert await recorded(pool) == 3 * EVENTS_OF_A_LINE - 2


async def test_events_of_other_types_are_none_of_our_business(
    feed: Subscription, pool: asyncpg.Pool
) -> None:
    with capture_logs() as logs:
        await take(feed, pool, announced(line("O1"), "marketplace.product"), announced({}, "x"))
    assert await recorded(pool) == 0
    assert not logs


async def test_what_is_on_the_topic_is_taken_once_whatever_becomes_of_the_worker(
    feed: Subscription,
    parts: Parts[ReviewSettings],
    kafka: str,
    make_topics: Callable[..., list[str]],
) -> None:
    """Without keys, in several partitions; the second worker begins where the first one ended."""
    (topic,) = make_topics(TOPIC)
    await keep(kafka, topic, configs_of(TOPIC))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for half in (range(20), range(15, 40)):
            for n in half:
                await producer.send_and_wait(topic, announced(line(f"O{n}")), partition=n % 64)
            source = KafkaLog(kafka, f"review-service.{topic}", (topic,), foreign=True)
            runner = Runner(
                subscription=replace(feed, topics=(topic,)),
                source=source,
                pool=parts.pool,
            )
            async with running(runner):
                while await recorded(parts.pool) < (max(half) + 1) * EVENTS_OF_A_LINE:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await source.close()
    finally:
        await producer.stop()
    assert await recorded(parts.pool) == 40 * EVENTS_OF_A_LINE


@pytest.mark.parametrize(
    "kept",
    [
        {"retention.ms": "-1"},
        {"retention.ms": str(14 * DAY_MS), "segment.ms": str(DAY_MS)},
        {"retention.ms": str(7 * DAY_MS), "cleanup.policy": "compact"},
    ],
)
async def test_i12_what_people_wrote_is_not_taken_from_where_it_outlives_the_backups_of_their_keys(  # noqa: PLR0917
    feed: Subscription,
    parts: Parts[ReviewSettings],
    kafka: str,
    make_topics: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    kept: dict[str, str],
) -> None:
    """It waits for somebody to see to that; orders with stars alone go on."""
    (topic,) = make_topics(TOPIC)
    await keep(kafka, topic, kept)
    written_on = line("O1")
    written_on["reviews"][0]["text"] = "Bright enough to read by."
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for key, told in (("S1", written_on), ("S2", line("O2"))):
        await producer.send_and_wait(topic, announced(told), key=key.encode(), partition=3)
    await producer.stop()
    source = KafkaLog(kafka, f"review-service.{topic}", (topic,), foreign=True)
    runner = Runner(subscription=replace(feed, topics=(topic,)), source=source, pool=parts.pool)
    async with running(runner):
        while await recorded(parts.pool) < EVENTS_OF_A_LINE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        [waiting] = await list_parked(parts.pool)
        assert waiting["key"] == "S1"
        assert f"{topic} is kept" in waiting["reason"]
        assert {*await parts.log.read(["order-O1", "order-O2"])} == {"order-O2"}

        await keep(kafka, topic, configs_of(TOPIC))
        await ask_retry(parts.pool, subscription=feed.name, key="S1")
        monkeypatch.setattr("shared_runtime.keeping.LOOK_SECONDS", 0.0)
        while await list_parked(parts.pool):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await source.close()
    assert await recorded(parts.pool) == 2 * EVENTS_OF_A_LINE


async def test_i13_an_order_that_began_with_a_policy_of_a_later_release_waits_for_that_one(
    feed: Subscription,
    parts: Parts[ReviewSettings],
    pool: asyncpg.Pool,
    caller: Callable[..., httpx.AsyncClient],
) -> None:
    """Nothing of it is refused for good: by the feed, by HTTP or in bulk."""
    another = replace(AE_2025_1, version="ae-later")
    of_later = policies([(ALWAYS, another.version)], [AE_2025_1, another])
    later = marketplace_feed(
        parts.log, of_later, parts.keys, parts.now, keeping=Keeping(parts.settings)
    )
    whole = line("O1")
    begun = {name: whole[name] for name in ("order", "paid", "shipped")}
    await take(later, pool, announced(begun))
    with pytest.raises(StreamsUnreadable, match="order-O1: ae-later") as unreadable:
        await take(feed, pool, announced(whole))
    assert is_of_the_events(unreadable.value)  # its key is parked

    key = {"Idempotency-Key": "K1"}
    delivery = {"signed": True}
    told = await caller("SYSTEM", "market").post(
        "/v1/orders/O1/delivery", json=delivery, headers=key
    )
    assert (told.status_code, told.json()["type"]) == (503, "/problems/unavailable")
    answered = await caller("IMPORTER", "old-shop").post(
        "/v1/orders/bulk",
        content=json.dumps(whole),
        headers=key | {"Content-Type": "application/x-ndjson"},
    )
    first = json.loads(answered.text.splitlines()[0])
    assert (first["order"], first["problem"]["type"]) == ("refused", "/problems/unavailable")

    await take(later, pool, announced(whole))
    assert await recorded(pool) == EVENTS_OF_A_LINE
