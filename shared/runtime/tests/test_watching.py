"""What stands still shows in a metric, and no longer when it moves on."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from msgspec.structs import replace
from prometheus_client import REGISTRY
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime.clock import system_clock
from shared_runtime.delivery import Cursor, Subscription, TakenOver
from shared_runtime.idempotency import KEPT_FOR
from shared_runtime.log import PostgresLog
from shared_runtime.media import UNREFERENCED_LIFETIME
from shared_runtime.parking import DISCARDED_KEPT_FOR
from shared_runtime.skew import SKEW_MAX
from shared_runtime.sources import KafkaLog, OwnLog, kafka_delivery
from shared_runtime.subscription import Runner
from shared_runtime.testing import ManualClock, facts
from shared_runtime.watching import SILENCE_SECONDS_MIN, UNPURGED, measure
from shared_runtime.webhooks import KEPT_FOR as SENT_KEPT_FOR

NOWHERE = "127.0.0.1:1"
PATIENCE_SECONDS = 30
DAY = timedelta(days=1)
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
REACHED = "INSERT INTO es.cursor (subscription, topic, partition, position) VALUES ($1, $2, $3, $4)"
PARK = """
    INSERT INTO es.parked_key (subscription, topic, partition, key, reason, parked_at)
    VALUES ('sight', 'orders.events', 1, $1, '', clock_timestamp() - $2::interval)
"""
ARM = """
    INSERT INTO es.timer (stream_id, name, due_at, armed_by, retry_at)
    VALUES ($1, 'CLOSE', $2, gen_random_uuid(), $3)
"""

ENDPOINT = """
    INSERT INTO webhook.endpoint (endpoint_id, account, made_as, url, types, seller_ids, buyer_ids,
                                  seller_id, created_at, since)
    VALUES (gen_random_uuid(), '', '', '', '{}', '{}', '{}', '', $1, $1)
"""


def all_told() -> float:
    """For so long Kafka has not answered."""
    return 0.0


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"aftersales_{name}", labels)


def paid(seller: str) -> OrderPaid:
    return OrderPaid(
        order_id="O1",
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )


async def test_how_far_each_reader_of_the_log_is_behind(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, clock: ManualClock
) -> None:
    await journal.append(facts("order-1", *[paid("S1")] * 5, at=AT))
    for subscription, position in (("relay", 5), ("sight", 2)):
        await pool.execute(REACHED, subscription, topic, partition_of("S1"), position)
    await pool.execute(REACHED, "of Kafka", "dispute.events", 1, 9)
    await measure(pool, journal, clock)
    assert told("log_lag_events", subscription="relay") == 0
    assert told("log_lag_events", subscription="sight") == 3
    clock.advance(timedelta(minutes=10))
    await measure(pool, journal, clock)
    assert told("log_lag_seconds", subscription="sight") == 600
    assert told("log_lag_seconds", subscription="relay") == 0
    assert told("log_lag_events", subscription="of Kafka") is None
    await pool.execute("DELETE FROM es.cursor WHERE subscription = 'sight'")
    await measure(pool, journal, clock)
    assert told("log_lag_events", subscription="sight") is None


async def test_a_projection_is_late_when_it_is_live_and_not_while_it_is_built(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, clock: ManualClock
) -> None:
    """Nor is what a recovery that was broken off has left."""
    await journal.append(facts("order-1", *[paid("S1")] * 5, at=AT))
    await pool.execute(
        "INSERT INTO es.projection (name, version, generation) VALUES ('sight', 1, 1)"
    )
    for subscription in ("sight/1", "sight/2", "recovery/5"):
        await pool.execute(REACHED, subscription, topic, partition_of("S1"), 3)
    await measure(pool, journal, clock)
    assert told("log_lag_events", subscription="sight/1") == 2
    for subscription in ("sight/2", "recovery/5"):
        assert told("log_lag_events", subscription=subscription) is None
        assert told("log_lag_seconds", subscription=subscription) is None
    await pool.execute("UPDATE es.projection SET generation = 2")
    await measure(pool, journal, clock)
    assert told("log_lag_events", subscription="sight/1") is None
    assert told("log_lag_events", subscription="sight/2") == 2


async def test_which_keys_are_set_aside_and_which_deadlines_are_overdue(
    pool: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    hour = timedelta(hours=1)
    for number, key in enumerate(("S1", "S2"), 1):
        await pool.execute(PARK, key, number * hour)
    await pool.execute(ARM, "order-1", clock.at - 2 * hour, clock.at + hour)  # it keeps failing
    await pool.execute(ARM, "order-2", clock.at - hour, None)
    await pool.execute(ARM, "order-3", clock.at + hour, None)
    await measure(pool, journal, clock)
    assert told("parked_keys", subscription="sight") == 2
    assert told("parked_seconds", subscription="sight") == pytest.approx(7200, abs=60)
    assert told("overdue_timers") == 2
    assert told("overdue_seconds") == 7200
    await pool.execute("DELETE FROM es.parked_key")
    await pool.execute("DELETE FROM es.timer")
    await measure(pool, journal, clock)
    assert told("parked_keys", subscription="sight") is None
    assert told("overdue_timers") == told("overdue_seconds") == 0


async def test_for_how_long_a_reader_of_kafka_has_not_applied_what_it_has_taken(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, clock: ManualClock
) -> None:
    is_away = True

    async def apply(*_: object) -> None:
        if is_away:
            raise ConnectionError

    reader = Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=apply),
        source=OwnLog(pool, (topic,)),
        pool=pool,
    )
    await reader.start()
    await measure(pool, journal, clock, [(reader, all_told)])
    assert told("kafka_lag_seconds", subscription="sight") == 0
    for seller in ("S1", "S2"):
        await journal.append(facts(f"order-{seller}", paid(seller), at=AT))
        clock.advance(timedelta(minutes=5))
    with pytest.raises(ConnectionError):
        await reader.turn()
    await measure(pool, journal, clock, [(reader, all_told)])
    assert told("kafka_lag_seconds", subscription="sight") == 600
    is_away = False
    await reader.start()
    assert await reader.turn() == 2
    await measure(pool, journal, clock, [(reader, all_told)])
    assert told("kafka_lag_seconds", subscription="sight") == 0


async def test_a_reader_of_kafka_that_holds_a_partition_is_late_by_what_it_waits_for(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, clock: ManualClock
) -> None:
    async def apply(*_: object) -> None:
        raise ValueError

    reader = Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=apply, parks=False),
        source=OwnLog(pool, (topic,)),
        pool=pool,
    )
    await reader.start()
    await journal.append(facts("order-S1", paid("S1"), at=AT))
    for _ in range(2):
        assert await reader.turn() == 0
    assert reader.holds
    clock.advance(timedelta(minutes=5))
    await measure(pool, journal, clock, [(reader, all_told)])
    assert told("kafka_lag_seconds", subscription="sight") == 300


async def test_a_reader_that_kafka_does_not_answer_is_late_though_nothing_is_taken(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str, clock: ManualClock
) -> None:
    async def apply(*_: object) -> None: ...

    reader = Runner(
        subscription=Subscription(name="sight", topics=(topic,), apply=apply),
        source=OwnLog(pool, (topic,)),
        pool=pool,
    )
    for silent, late in ((SILENCE_SECONDS_MIN, 0), (600, 600)):
        await measure(pool, journal, clock, [(reader, partial(float, silent))])
        assert told("kafka_lag_seconds", subscription="sight") == late


async def test_a_broker_that_has_nothing_new_answers_and_one_that_is_away_does_not(
    kafka: str, topic: str
) -> None:
    there, away = (KafkaLog(each, f"readers-of-{topic}", (topic,)) for each in (kafka, NOWHERE))
    assert away.silent_seconds() == 0  # it was asked nothing yet
    seconds = 0.0
    for _ in range(2):
        with pytest.raises(KafkaError):
            await away.take({})
        assert away.silent_seconds() > seconds
        seconds = away.silent_seconds()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await there.places():
                await take_nothing(there)
            answers = 0
            while answers < 2:
                before = there.silent_seconds()
                await take_nothing(there)
                answers += there.silent_seconds() < before
    finally:
        await there.close()


async def take_nothing(source: KafkaLog) -> None:
    try:
        assert await source.take({}) == []
    except TakenOver:  # Kafka has assigned the partitions
        await source.rewind({place: Cursor() for place in await source.places()})


async def test_a_record_is_as_old_as_it_says_and_that_of_a_feed_as_kafka_has_had_it(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    await journal.append(facts("order-S1", paid("S1"), at=AT))
    (ours,) = await OwnLog(pool, (topic,)).fetch((topic, partition_of("S1")), [1])
    assert ours.told_at == AT
    record: Any = ConsumerRecord  # its type says nothing of how it is made
    of_a_feed = record(
        topic="marketplace.orders",
        partition=0,
        offset=7,
        timestamp=int(AT.timestamp() * 1000),
        timestamp_type=1,
        key=None,
        value=b"{}",
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=2,
        headers=(),
    )
    told_by_others = kafka_delivery(of_a_feed, foreign=True)
    assert told_by_others.told_at == AT
    assert replace(told_by_others, taken_at=None).told_at is None


async def test_since_when_a_transaction_keeps_what_is_dead(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    """Whoever it is of, and though it only reads."""
    await measure(pool, journal, clock)
    assert (told("oldest_transaction_seconds") or 0) < 60
    async with owner.acquire() as db, db.transaction(isolation="repeatable_read"):
        began_at = await db.fetchval("SELECT clock_timestamp()")
        await measure(pool, journal, clock)
        first = told("oldest_transaction_seconds") or 0
        await measure(pool, journal, clock)
        further = told("oldest_transaction_seconds") or 0
        age = (await pool.fetchval("SELECT clock_timestamp()") - began_at).total_seconds()
    assert 0 < first < further < age + 1
    await measure(pool, journal, clock)
    assert (told("oldest_transaction_seconds") or 0) < further


async def test_how_far_a_workers_clock_is_ahead_unless_time_is_moved_by_hand(
    pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    ahead = ManualClock(system_clock() + DAY)
    checked = PostgresLog(pool, source="/test", now=ahead, skew_max=SKEW_MAX)
    await measure(pool, checked, ahead)
    skew = told("clock_skew_seconds")
    assert skew == pytest.approx(DAY.total_seconds(), abs=60)
    ahead.advance(DAY)
    await measure(pool, journal, ahead)
    assert told("clock_skew_seconds") == skew


async def test_how_many_old_answers_are_not_forgotten_yet(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    keep = """
        INSERT INTO es.reply (request_id, fingerprint, status, body, created_at)
        VALUES (gen_random_uuid(), '', 200, '', $1)
    """
    await owner.execute(keep, clock.at - KEPT_FOR - timedelta(hours=3))
    await owner.execute(keep, clock.at - KEPT_FOR - timedelta(hours=1))
    await measure(pool, journal, clock)
    assert told("purge_debt", of="answers") == 1


async def test_what_else_is_there_for_too_long_and_only_where_there_is_such_a_thing(
    pool: asyncpg.Pool, owner: asyncpg.Pool, journal: PostgresLog, clock: ManualClock
) -> None:
    given_up = """
        INSERT INTO es.parked_event (subscription, topic, partition, position, key, state,
                                     set_aside_at)
        VALUES ($1, 'orders.events', 1, 1, 'S1', 'DISCARDED', $2)
    """
    sent = """
        INSERT INTO webhook.delivery (delivery_id, endpoint_id, type, created_at)
        SELECT gen_random_uuid(), endpoint_id, '', $1 FROM webhook.endpoint
    """
    kept = """
        INSERT INTO media.file (media_id, owner, purpose, content_type, bytes, sha256, object,
                                fingerprint, uploaded_at, referenced_at, dropped_at)
        VALUES ($1, '', 'REVIEW', '', 0, '', $1, '', $2, $3, $4)
    """
    of_projections = "INSERT INTO es.projection (name, version, generation) VALUES ('seen', 1, 1)"
    late, in_time = timedelta(hours=3), timedelta(hours=1)
    await owner.execute(of_projections)
    await owner.execute(ENDPOINT, clock.at)
    for name, since in (("1", late), ("2", in_time), ("3", in_time)):
        await owner.execute(given_up, f"reaction-{name}", clock.at - DISCARDED_KEPT_FOR - since)
        await owner.execute(sent, clock.at - SENT_KEPT_FOR - since)
        uploaded_at = clock.at - UNREFERENCED_LIFETIME - since
        await owner.execute(kept, f"unreferenced-{name}", uploaded_at, None, None)
        await owner.execute(kept, f"needed-{name}", uploaded_at, uploaded_at, None)
        await owner.execute(kept, f"dropped-{name}", uploaded_at, None, clock.at - since)
    await owner.execute(given_up, "seen/1", clock.at - DISCARDED_KEPT_FOR - late)
    await measure(pool, journal, clock)
    debts = {of: told("purge_debt", of=of) for of in UNPURGED}
    assert debts == {"answers": 0, "given_up_events": 1, "webhook_deliveries": 1, "files": 2}
    await owner.execute("DROP SCHEMA media CASCADE")  # no service has to take files
    await measure(pool, journal, clock)
    assert told("purge_debt", of="files") is None
