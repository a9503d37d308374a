"""Servers and made-up history in, what the comparisons run on out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from local_stack.databases import Database, create_database
from local_stack.servers import Servers
from local_stack.topics import create_topics, delete_topics
from review_service.domain.closing_clock import OpenEvaluation
from review_service.domain.double_blind import SubmitReview
from review_service.domain.known import Known
from review_service.domain.policy import policies
from review_service.domain.rules import EvaluationCommand
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.domain.weight import WeightFacts
from shared_events import orders, review
from shared_events.envelope import encode_envelope
from shared_events.orders import OrderCompleted, OrderLine, OrderPlaced
from shared_events.partition import partition_of
from shared_events.registry import key_of, tag_of, topic_of
from shared_events.review import ReviewSubmitted, ReviewWeighted, WeightReason
from shared_runtime.database import open_pool
from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Planned, PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.rule import By, Sent

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
BENCH = UUID("b3a1c0de-0000-4000-8000-000000000001")
SYSTEM = Actor(role="SYSTEM", id="bench")
SELLERS = 64
CONNECTIONS = 32
FILLED_AT_ONCE = 2_000
BATCH_OF_REVIEWS = 1_000
EVENT_COLUMNS = (
    "topic",
    "partition",
    "position",
    "event_id",
    "stream_id",
    "stream_version",
    "type",
    "recorded_at",
    "body",
    "leaf_hash",
    "chain_hash",
)
TOPICS = (orders.TOPIC, review.TOPIC)
KNOWN = Known(policies=policies(), facts=WeightFacts(total_ref_minor=5000, placed_at=AT))

# The same columns without order, hashes and checks: what a plain insert costs.
RAW_TABLE = """
    CREATE SCHEMA raw;
    CREATE TABLE raw.event (
        topic text NOT NULL, partition integer NOT NULL, position bigint, event_id uuid NOT NULL,
        stream_id text NOT NULL, stream_version integer NOT NULL, type text NOT NULL,
        recorded_at timestamptz NOT NULL, body bytea NOT NULL);
    ALTER TABLE raw.event ALTER COLUMN body SET STORAGE EXTERNAL;
    CREATE INDEX ON raw.event (stream_id, stream_version);
    CREATE TABLE raw.log (LIKE es.event INCLUDING INDEXES INCLUDING STORAGE);
    GRANT USAGE ON SCHEMA raw TO aftersales_app;
    GRANT ALL ON ALL TABLES IN SCHEMA raw TO aftersales_app;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database with the log of review-service, and Kafka with its topics."""

    pool: asyncpg.Pool
    log: PostgresLog
    database: Database
    servers: Servers
    at_end: AsyncExitStack

    @property
    def kafka(self) -> str:
        return self.servers.kafka

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


@asynccontextmanager
async def world(servers: Servers, name: str) -> AsyncGenerator[World]:
    """A fresh one; the topics are those of the product."""
    database = create_database(servers.postgres_url, f"bench_{name}")
    create_topics(servers.kafka, TOPICS)
    await migrate("review_service", database.owner_url)
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(RAW_TABLE)
    finally:
        await owner.close()
    async with await open_pool(database.app_url, size=CONNECTIONS) as pool:
        log = PostgresLog(pool, source="/review-service", now=World.now)
        async with AsyncExitStack() as at_end:
            yield World(pool=pool, log=log, database=database, servers=servers, at_end=at_end)
    delete_topics(servers.kafka, TOPICS)


def opening(order: str) -> Ask[EvaluationCommand]:
    number = int(order.rpartition("-")[2])
    said = OpenEvaluation(
        order_id=order,
        seller_id=f"seller-{number % SELLERS}",
        buyer_id=f"buyer-{number}",
        completed_at=AT,
        completion_no=1,
    )
    return Ask(
        stream=evaluation_stream(order),
        command=Sent(said, By(actor=SYSTEM, now=AT, known=KNOWN)),
        cause=str(uuid5(BENCH, f"open {order}")),
        correlation=order,
    )


def submission(order: str) -> Ask[EvaluationCommand]:
    number = int(order.rpartition("-")[2])
    said = SubmitReview(
        review_id=f"review-{number}", quality=5, logistics=4, service=5, incentive="NONE"
    )
    buyer = Actor(role="BUYER", id=f"buyer-{number}")
    return Ask(
        stream=evaluation_stream(order),
        command=Sent(said, By(actor=buyer, now=AT + timedelta(days=1), known=KNOWN)),
        cause=str(uuid5(BENCH, f"submit {order}")),
        correlation=order,
    )


def history(mark: str, first: int, count: int) -> list[Planned]:
    """Facts of many sellers, each in a stream of its own: in turn an order of two lines that was
    placed, one that completed, one review that was weighted. `mark` tells one history from
    another.
    """
    made: list[Planned] = []
    for number in range(first, first + count):
        seller, order = f"seller-{number % SELLERS}", f"{mark}-{number}"
        made_by, stream_of = (
            (placed, order_stream),
            (completed, order_stream),
            (weighted, evaluation_stream),
        )[number % 3]
        made.append(
            Planned(
                event=made_by(seller, order),
                event_id=str(uuid5(BENCH, order)),
                stream=stream_of(order),
                version=1,
                time=AT,
                actor="system:bench",
                correlation=order,
                cause=str(BENCH),
            )
        )
    return made


def placed(seller: str, order: str) -> OrderPlaced:
    lines = [
        OrderLine(
            line_id=line, sku=f"sku-{line}", category="BOOKS", quantity=1, unit_price_minor=1000
        )
        for line in ("1", "2")
    ]
    return OrderPlaced(
        order_id=order,
        seller_id=seller,
        buyer_id=f"buyer-of-{order}",
        policy_version="ae-2025-1",
        marketplace_id="bench",
        country="BR",
        currency="BRL",
        placed_at=AT,
        lines=lines,
        order_discount_minor=0,
        shipping_minor=100,
        total_minor=2100,
        total_ref_minor=630,
        withdrawal_right=False,
    )


def completed(seller: str, order: str) -> OrderCompleted:
    return OrderCompleted(
        order_id=order,
        seller_id=seller,
        buyer_id=f"buyer-of-{order}",
        policy_version="ae-2025-1",
        completed_at=AT,
        completion_no=1,
        how="FEED",
        total_ref_minor=630,
        late=False,
    )


def weighted(seller: str, order: str) -> ReviewWeighted:
    return ReviewWeighted(
        order_id=order,
        seller_id=seller,
        buyer_id=f"buyer-of-{order}",
        policy_version="ae-2025-1",
        review_id=f"review-of-{order}",
        side="BUYER",
        seq=1,
        quality=5,
        logistics=4,
        service=3,
        weight_milli=1000,
        reasons=[WeightReason(code="FULL", effect_milli=1000)],
        excluded_dimensions=[],
        counted_at=AT,
        decided_by="RULE",
    )


def submitted_reviews(first: int, count: int) -> list[Planned]:
    """Reviews of many sellers, each of an order of its own."""
    return [
        Planned(
            event=submitted(f"seller-{number % SELLERS}", order),
            event_id=str(uuid5(BENCH, order)),
            stream=evaluation_stream(order),
            version=1,
            time=AT,
            actor="system:bench",
            correlation=order,
            cause=str(BENCH),
        )
        for number in range(first, first + count)
        for order in [f"review-{number}"]
    ]


def submitted(seller: str, order: str) -> ReviewSubmitted:
    return ReviewSubmitted(
        order_id=order,
        seller_id=seller,
        buyer_id=f"buyer-of-{order}",
        policy_version="ae-2025-1",
        review_id=f"review-of-{order}",
        side="BUYER",
        submitted_at=AT,
        quality=5,
        logistics=4,
        service=3,
        incentive="NONE",
    )


async def fill(world: World, events: int) -> None:
    """A log of so many events."""
    for first in range(0, events, FILLED_AT_ONCE):
        await world.log.append(history("fill", first, min(FILLED_AT_ONCE, events - first)))


def raw_rows(planned: Sequence[Planned], now: datetime) -> list[tuple[Any, ...]]:
    """What an append would store of these, but for positions and hashes."""
    return [
        (
            topic_of(item.stream),
            partition_of(key_of(item.event)),
            item.event_id,
            item.stream,
            item.version,
            tag_of(item.event),
            now,
            encoded(item, now),
        )
        for item in planned
    ]


def log_rows(planned: Sequence[Planned], first: int) -> list[tuple[Any, ...]]:
    """Whole rows of the log, with made-up positions (from `first` on) and hashes."""
    now = datetime.now(UTC)
    return [
        (*row[:2], first + n, *row[2:], sha256(row[-1]).digest(), sha256(row[-1]).digest())
        for n, row in enumerate(raw_rows(planned, now))
    ]


def encoded(item: Planned, now: datetime) -> bytes:
    return encode_envelope(
        item.event,
        event_id=item.event_id,
        source="/review-service",
        stream=item.stream,
        version=item.version,
        time=item.time,
        recorded_at=now,
        actor=item.actor,
        correlation_id=item.correlation,
        causation_id=item.cause,
    )
