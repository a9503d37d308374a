"""What the tests of the mechanism share: an empty log, a topic that is theirs alone, a clock.

database     a migrated database, copied from one that is migrated once
pool, owner  connections to it: of the app role, of the owner
topic        a name that both its log and the broker know
journal      the log, with all that is appended in that topic
"""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from local_stack import blocking
from local_stack.databases import Database, create_database, drop_database
from local_stack.servers import Servers, ephemeral_servers
from shared_events.partition import PARTITIONS
from shared_runtime.database import open_pool
from shared_runtime.log import PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.testing import ManualClock

ADD_HEADS = """
    INSERT INTO es.head (topic, partition)
    SELECT $1, partition FROM generate_series(0, $2 - 1) AS partition
"""


@pytest.fixture(scope="session")
def own_servers() -> Iterator[Servers]:
    """A pair that these tests stop, kill and start: each leaves both running for the next."""
    with ephemeral_servers() as started:
        yield started


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    made = create_database(servers.postgres_url, f"template_{uuid4().hex[:12]}")
    blocking.run(migrate("review_service", made.owner_url))
    yield made.name
    if servers.own_postgres is None:  # ours is thrown away whole
        drop_database(servers.postgres_url, made.name)


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.app_url, size=32) as pool:
        yield pool


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.owner_url) as owner:
        yield owner


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 15, 12, tzinfo=UTC))


@pytest.fixture
async def topic(owner: asyncpg.Pool, make_topics: Callable[..., list[str]]) -> str:
    (name,) = make_topics("orders.events")
    await owner.execute(ADD_HEADS, name, PARTITIONS)
    return name


@pytest.fixture
def journal(pool: asyncpg.Pool, topic: str, clock: ManualClock) -> PostgresLog:
    return PostgresLog(pool, source="/test", now=clock, topic_of=lambda _: topic)
