"""The same work by `eventsourcing`, the event-store library of Python, on the same PostgreSQL."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from review_service.domain.rules import EVALUATIONS
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import ReviewWeighted
from shared_runtime.committing import Committer
from shared_runtime.delivery import NO_CHAIN, Connection, Subscription
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner, decoded

from bench.measure import Comparison
from bench.world import World, fill, opening

WRITERS = 32
STREAMS = 1_500
EVENTS = 30_000
PEER_EVENTS = 300
PEER_SECONDS_MAX = 300.0
ROUNDS = 3

TABLES = """
    CREATE SCHEMA peer;
    CREATE TABLE peer.reviewed (seller_id text, review_id text PRIMARY KEY, stars int);
    CREATE TABLE raw.reviewed (LIKE peer.reviewed INCLUDING INDEXES);
    GRANT ALL ON raw.reviewed TO aftersales_app;
"""
ADD = "INSERT INTO raw.reviewed SELECT * FROM unnest($1::text[], $2::text[], $3::int[])"
START_OVER = "UPDATE es.cursor SET position = 0, chain_hash = $1 WHERE subscription = 'reviewed'"
COUNT = "SELECT count(*) FROM es.event WHERE topic = $1"


class Evaluation(Aggregate):
    """An evaluation that is opened, with the fields of `EvaluationOpened`."""

    def __init__(self, order_id: str, seller_id: str, buyer_id: str, closes_at: datetime) -> None:
        self.order_id = order_id
        self.seller_id = seller_id
        self.buyer_id = buyer_id
        self.closes_at = closes_at


class Evaluations(Application[Any]):
    """Where they are kept."""


class Reviewed(PostgresTrackingRecorder):
    """A row for each event, with the place that it came from, in one transaction."""

    def add(self, seller_id: str, review_id: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO peer.reviewed VALUES (%s, %s, %s)", (seller_id, review_id, 5)
            )


class ReviewedProjection(Projection[Reviewed]):
    name = "reviewed"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ANN401  # pyright: ignore[reportIncompatibleVariableOverride] - the library's own way to say it
        self.view.add(domain_event.seller_id, domain_event.order_id, tracking)


async def append(world: World) -> Comparison:
    """New streams of one event each, by as many writers."""
    application = await peer(world)
    numbers = itertools.count()
    committer = Committer(world.log)

    async def ours(_: int) -> int:
        waiting = iter([opening(f"mine-{next(numbers)}") for _ in range(STREAMS)])

        async def writer() -> None:
            for ask in waiting:
                await committer.handle(EVALUATIONS, ask)

        await asyncio.gather(*(writer() for _ in range(WRITERS)))
        return STREAMS

    async def raw(_: int) -> int:
        await asyncio.to_thread(save_many, application, numbers, STREAMS)
        return STREAMS

    return Comparison(
        name=f"append, new streams, {WRITERS} at once",
        against="the library eventsourcing",
        unit="events/s",
        at_least=5,
        ours=ours,
        raw=raw,
        rounds=ROUNDS,
    )


async def project(world: World) -> Comparison:
    """A row for each event: ours follows its own log, the library the log of its application."""
    application = await peer(world)
    numbers = itertools.count()
    await fill(world, EVENTS)
    runner = Runner(
        subscription=Subscription(
            name="reviewed", topics=(review.TOPIC,), apply=decoded([ReviewWeighted], add_reviewed)
        ),
        source=OwnLog(world.pool, (review.TOPIC,)),
        pool=world.pool,
    )
    await runner.start()
    count = await world.pool.fetchval(COUNT, review.TOPIC)

    async def before(_: int) -> None:
        await world.pool.execute("DELETE FROM raw.reviewed")
        await world.pool.execute(START_OVER, NO_CHAIN)
        # One that remembers nothing of the round before.
        runner.source = OwnLog(world.pool, (review.TOPIC,))
        await runner.start()
        await asyncio.to_thread(save_many, application, numbers, PEER_EVENTS)

    async def ours(_: int) -> int:
        done = 0
        while done < count:
            done += await runner.turn()
        return done

    async def raw(_: int) -> int:
        await asyncio.to_thread(follow, application)
        return PEER_EVENTS

    return Comparison(
        name="projection, log to rows",
        against="the library eventsourcing",
        unit="events/s",
        at_least=100,
        ours=ours,
        raw=raw,
        before=before,
        rounds=ROUNDS,
    )


async def peer(world: World) -> Evaluations:
    """The library's application, in a schema of its own in the same database."""
    owner = await asyncpg.connect(world.database.owner_url)
    try:
        await owner.execute(TABLES)
    finally:
        await owner.close()
    address = urlsplit(world.database.owner_url)
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": world.database.name,
        "POSTGRES_HOST": address.hostname or "",
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": address.username or "",
        "POSTGRES_PASSWORD": unquote(address.password or ""),
        "POSTGRES_SCHEMA": "peer",
        "POSTGRES_POOL_SIZE": str(WRITERS),
        "POSTGRES_MAX_OVERFLOW": "0",
    }
    application = Evaluations(env)
    world.at_end.callback(application.close)
    return application


def save_many(application: Evaluations, numbers: Iterator[int], count: int) -> None:
    """New aggregates by `WRITERS` threads."""
    with ThreadPoolExecutor(WRITERS) as threads:
        for _ in threads.map(partial(save, application), itertools.islice(numbers, count)):
            pass


def save(application: Evaluations, number: int) -> None:
    application.save(
        Evaluation(f"order-{number}", f"seller-{number % 64}", f"buyer-{number}", datetime.now(UTC))
    )


def follow(application: Evaluations) -> None:
    """Runs the library's projection until it has seen everything."""
    newest = application.recorder.max_notification_id()
    with ProjectionRunner(
        application_class=Evaluations,
        projection_class=ReviewedProjection,
        view_class=Reviewed,
        env=application.env,
    ) as runner:
        runner.wait(newest, timeout=PEER_SECONDS_MAX)


async def add_reviewed(batch: Sequence[Recorded[ReviewWeighted]], db: Connection) -> None:
    reviews = [recorded.event for recorded in batch]
    await db.execute(
        ADD,
        [reviewed.seller_id for reviewed in reviews],
        [reviewed.review_id for reviewed in reviews],
        [reviewed.quality for reviewed in reviews],
    )
