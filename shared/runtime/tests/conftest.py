"""What the tests of the mechanism share: an empty log, a topic that is theirs alone, a clock.

database     a migrated database, copied from one that is migrated once
pool, owner  connections to it: of the app role, of the owner
topic        a name that its log knows
journal      the log, with all that is appended in that topic
kafka        the broker's address, where that topic is as well
sight        tables that tell how often and in which order events were applied
verifier     of tokens that `issuer.mint(tmp_path, …)` makes
dying        workers that kill themselves at a step of their work
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from local_stack import blocking, issuer
from local_stack.databases import Administrator, Database
from local_stack.servers import Servers
from local_stack.topics import create_topics
from shared_events.partition import PARTITIONS
from shared_runtime.auth import Verifier
from shared_runtime.clock import system_clock
from shared_runtime.database import open_pool
from shared_runtime.log import PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.testing import ManualClock

ADD_HEADS = """
    INSERT INTO es.head (topic, partition)
    SELECT $1, partition FROM generate_series(0, $2 - 1) AS partition
"""

SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'dying'
"""

SIGHT = """
    CREATE TABLE seen (topic text, partition int, position bigint, times int,
                       PRIMARY KEY (topic, partition, position));
    CREATE TABLE history (key text PRIMARY KEY, positions bigint[]);
    CREATE FUNCTION see(topics text[], partitions int[], positions bigint[], keys text[])
    RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
        INSERT INTO seen AS seen (topic, partition, position, times)
        SELECT *, 1 FROM unnest(topics, partitions, positions)
        ON CONFLICT (topic, partition, position) DO UPDATE SET times = seen.times + 1;
        INSERT INTO history AS history (key, positions)
        SELECT key, array_agg(position ORDER BY ord)
        FROM unnest(keys, positions) WITH ORDINALITY AS event (key, position, ord)
        GROUP BY key
        ON CONFLICT (key) DO UPDATE SET positions = history.positions || excluded.positions
    $$;
    GRANT ALL ON seen, history TO aftersales_app;
"""


@pytest.fixture(scope="session")
def template(servers: Servers, administrator: Administrator) -> Iterator[str]:
    made = administrator.create(f"template_{uuid4().hex[:12]}")
    blocking.run(migrate("review_service", made.owner_url))
    yield made.name
    if servers.own_postgres is None:  # ours is thrown away whole
        administrator.drop(made.name)


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
def verifier(tmp_path: Path) -> Verifier:
    issuer.ensure_key(tmp_path)
    return Verifier(
        f"file://{issuer.jwks_file(tmp_path)}",
        issuer=issuer.ISSUER,
        audience=issuer.AUDIENCE,
        now=system_clock,
    )


@pytest.fixture
async def topic(owner: asyncpg.Pool) -> str:
    name = f"orders.events.{uuid4().hex[:8]}"
    await owner.execute(ADD_HEADS, name, PARTITIONS)
    return name


@pytest.fixture
def kafka(servers: Servers, topic: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whoever asks it for what is not there is told so soon: tests have few who ask."""
    monkeypatch.setattr("shared_runtime.sources.FETCH_WAIT_MS", 100)
    monkeypatch.setattr("shared_runtime.sources.KAFKA_WAIT_MS", 50)
    create_topics(servers.kafka, [topic])
    return servers.kafka


@pytest.fixture
def journal(pool: asyncpg.Pool, topic: str, clock: ManualClock) -> PostgresLog:
    return PostgresLog(pool, source="/test", now=clock, topic_of=lambda _: topic)


@pytest.fixture
async def sight(owner: asyncpg.Pool) -> None:
    """`see(topics, partitions, positions, keys)` notes that events were applied, in turn."""
    await owner.execute(SIGHT)


@pytest.fixture(scope="session")
def mortuary() -> Iterator[Callable[[dict[str, str | int]], int]]:
    """dying.py, started once: a worker's description in, its exit code out."""
    program = [sys.executable, str(Path(__file__).with_name("dying.py"))]
    with subprocess.Popen(  # noqa: S603 - our own program
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told, answered = process.stdin, process.stdout

        def run(life: dict[str, str | int]) -> int:
            told.write(json.dumps(life) + "\n")
            told.flush()
            return int(answered.readline())

        yield run
        told.close()


@pytest.fixture
def dying(
    mortuary: Callable[[dict[str, str | int]], int], database: Database, kafka: str, topic: str
) -> Callable[[str, str, int], int]:
    """`dying(role, step, count)` runs a worker of dying.py on the topic: its exit code, once the
    database has noticed its end too. A commit that was on its way before comes after it.
    """
    on = {"url": f"{database.app_url}?application_name=dying", "kafka": kafka, "topic": topic}

    def run(role: str, at: str, count: int) -> int:
        code = mortuary({**on, "role": role, "at": at, "count": count})
        blocking.run(sessions_end(database))
        return code

    return run


async def sessions_end(database: Database) -> None:
    db = await asyncpg.connect(database.app_url)
    async with asyncio.timeout(60):
        while await db.fetchval(SESSIONS):  # noqa: ASYNC110 - the server answers
            await asyncio.sleep(0.01)
    await db.close()
