"""What an append and a read cost as the log grows, in one table and in a partitioned one
(`python -m bench.growing --events 500000 2000000`): docs/decisions/0014 has what was found.

The log is filled by SQL: streams of six events whose names and ids are random, as they are in the
field, over a year. PostgreSQL then has little memory and reads past the system's cache, so that
indexes are several times what is kept of them: as those of 10^9 events are on a large machine.
The layouts are measured in turn, round by round, by the statements of the product.

one       the table as it is
hash      16 parts by the partition of the topic, which all events of a stream share
months    a part a month of recording; no unique key holds beyond a month
"""

import argparse
import asyncio
import gc
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import md5
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import uuid4

import asyncpg
from local_stack import downloads, processes
from local_stack.databases import Database, create_database, database
from local_stack.postgres import PostgresServer
from review_service.domain.streams import evaluation_stream
from shared_events import review
from shared_events.partition import PARTITIONS
from shared_runtime.database import open_pool
from shared_runtime.log import READ, Planned, PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.sources import TAKE

from bench.world import AT, SELLERS, weighted

SIZES = (500_000, 2_000_000)
ROUNDS = 5
FILLED_AT_ONCE = 250_000
EVENTS_OF_A_STREAM = 6
STREAMS_AT_A_TIME = 20_000
"""So many streams begin between one event of a stream and its next."""
BODY_BYTES = 768
PARTS = 16
MONTHS = 13
CALLS = {1: 150, 32: 20, 500: 4}
"""Events of a call, and how many calls a round has."""
READS = {1: 150, 32: 20}
LOOKED_FOR = 500
LOOKS = 4
"""Streams that are not there yet: an import looks for those of its orders before it decides."""
TAKEN = 500
TAKES = 20
FILLING = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "16GB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
MEMORY_SECONDS = 3.0
"""After its end the memory of a server is given back: the next one in its folder waits for that."""
MEMORY = "64MB"
PAST_THE_CACHE = {"debug_io_direct": "data"}

COLUMNS = """
    topic text NOT NULL, partition integer NOT NULL, position bigint NOT NULL,
    event_id uuid NOT NULL, stream_id text NOT NULL, stream_version integer NOT NULL,
    type text NOT NULL, recorded_at timestamptz NOT NULL,
    body bytea STORAGE EXTERNAL NOT NULL, leaf_hash bytea NOT NULL, chain_hash bytea NOT NULL
"""
GUARDED = """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON es.event
        FOR EACH ROW EXECUTE FUNCTION es.refuse_change();
    CREATE TRIGGER only_by_append BEFORE INSERT ON es.event
        FOR EACH STATEMENT WHEN (current_setting('es.appending', true) IS DISTINCT FROM 'yes')
        EXECUTE FUNCTION es.refuse_change();
    GRANT SELECT ON es.event TO aftersales_app;
"""
FILL = f"""
    WITH made AS (
        SELECT n, n % {EVENTS_OF_A_STREAM} AS version,
               n / {EVENTS_OF_A_STREAM} - n % {EVENTS_OF_A_STREAM} * {STREAMS_AT_A_TIME} AS stream
        FROM generate_series($1::bigint, $2::bigint - 1) AS n
    ), placed AS (
        SELECT *, hashint8(stream) & {PARTITIONS - 1} AS partition FROM made
    ), stored AS (
        INSERT INTO es.event (topic, partition, position, event_id, stream_id, stream_version, type,
                              recorded_at, body, leaf_hash, chain_hash)
        SELECT $3, partition,
               head.position + row_number() OVER (PARTITION BY partition ORDER BY n),
               gen_random_uuid(), 'evaluation-' || md5(stream::text), 1 + version,
               'ReviewWeighted.v1',
               $4::timestamptz - make_interval(secs => 31e6 * (1 - n / $5::float8)),
               decode(repeat(md5(n::text), {BODY_BYTES // 16}), 'hex'),
               sha256(int8send(n)), sha256(int8send(n))
        FROM placed JOIN es.head AS head USING (partition) WHERE head.topic = $3
        RETURNING partition, position
    )
    UPDATE es.head SET position = filled.position
    FROM (SELECT partition, max(position) AS position FROM stored GROUP BY partition) AS filled
    WHERE head.topic = $3 AND head.partition = filled.partition
"""  # noqa: S608 - constants
# As full as the pages of an index are whose keys come in any order.
KEYS = """
    SELECT format('ALTER TABLE es.event DROP CONSTRAINT %I', conname) AS dropped,
           format('ALTER TABLE es.event ADD CONSTRAINT %I %s WITH (fillfactor = 70)', conname,
                  pg_get_constraintdef(oid)) AS added
    FROM pg_constraint WHERE conrelid = 'es.event'::regclass AND contype IN ('p', 'u')
"""
BYTES = """
    SELECT CASE WHEN contype.contype = 'p' THEN 'position'
                WHEN pg_get_indexdef(index.indexrelid) LIKE '%stream_id%' THEN 'stream'
                ELSE 'event id' END AS name,
           sum(pg_relation_size(index.indexrelid))::bigint AS bytes,
           max(pg_relation_size(index.indexrelid))::bigint AS largest
    FROM (SELECT 'es.event'::regclass AS relid UNION SELECT inhrelid FROM pg_inherits) AS part
    JOIN pg_class AS class ON class.oid = part.relid AND class.relkind = 'r'
    JOIN pg_index AS index ON index.indrelid = part.relid
    JOIN pg_constraint AS contype ON contype.conindid = index.indexrelid
    GROUP BY 1 ORDER BY 1
"""

type Work = Callable[[], Awaitable[int]]


def partitioned_by_hash() -> Iterator[str]:
    yield f"""
        CREATE TABLE es.event ({COLUMNS}, PRIMARY KEY (topic, partition, position),
            UNIQUE (event_id, partition), UNIQUE (stream_id, stream_version, partition))
        PARTITION BY HASH (partition)
    """
    for part in range(PARTS):
        yield f"""
            CREATE TABLE es.event_{part} PARTITION OF es.event
            FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})
        """


def partitioned_by_months() -> Iterator[str]:
    yield f"""
        CREATE TABLE es.event ({COLUMNS}, PRIMARY KEY (topic, partition, position, recorded_at),
            UNIQUE (event_id, recorded_at), UNIQUE (stream_id, stream_version, recorded_at))
        PARTITION BY RANGE (recorded_at)
    """
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (month + timedelta(days=32)).replace(day=1)
    for part in range(MONTHS):
        yield f"""
            CREATE TABLE es.event_{part} PARTITION OF es.event
            FOR VALUES FROM ('{month.isoformat()}') TO ('{end.isoformat()}')
        """
        month, end = (month - timedelta(days=1)).replace(day=1), month


LAYOUTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "one": lambda: iter(()),
    "hash": partitioned_by_hash,
    "months": partitioned_by_months,
}


class Measured(NamedTuple):
    """Milliseconds of a call, by what it does; the median of the rounds."""

    layout: str
    events: int
    took: Mapping[str, float]


@contextmanager
def running(server: PostgresServer, settings: Mapping[str, str]) -> Generator[None]:
    time.sleep(MEMORY_SECONDS)
    server.besides = settings
    server.start()
    try:
        yield
    finally:
        server.stop()


async def make(admin_url: str, layout: str) -> None:
    """A database with a log of that layout."""
    made = create_database(admin_url, f"growing_{layout}")
    await migrate("review_service", made.owner_url)
    statements = [*LAYOUTS[layout]()]
    if statements:
        owner = await asyncpg.connect(made.owner_url)
        await owner.execute(";".join(["DROP TABLE es.event", *statements, GUARDED]))
        await owner.close()


async def fill(made: Database, first: int, events: int, of: int) -> None:
    """The events from `first` on of a history of `of`, which ends now."""
    owner = await asyncpg.connect(made.owner_url, command_timeout=None)
    now = datetime.now(UTC)
    keys = await owner.fetch(KEYS)
    for key in keys:
        await owner.execute(key["dropped"])
    for at in range(first, events, FILLED_AT_ONCE):
        async with owner.transaction():
            await owner.execute("SELECT set_config('es.appending', 'yes', true)")
            until = min(at + FILLED_AT_ONCE, events)
            await owner.execute(FILL, at, until, review.TOPIC, now, float(of))
    for key in keys:
        await owner.execute(key["added"])
    await owner.execute("VACUUM (FREEZE, ANALYZE) es.event")
    await owner.execute("VACUUM ANALYZE es.head")
    await owner.close()


def planned(count: int) -> list[Planned]:
    """Facts of many sellers, each in a stream of its own whose name is random."""
    made: list[Planned] = []
    for number in range(count):
        order = uuid4().hex
        made.append(
            Planned(
                event=weighted(f"seller-{number % SELLERS}", order),
                event_id=str(uuid4()),
                stream=evaluation_stream(order),
                version=1,
                time=AT,
                actor="system:bench",
                correlation=order,
                cause=str(uuid4()),
            )
        )
    return made


@dataclass(frozen=True, slots=True)
class Works:
    """What is measured, in a log of so many events. Each says how many calls it has made."""

    pool: asyncpg.Pool
    events: int
    chance: Random

    def all(self) -> Mapping[str, Work]:
        return {
            **{f"append {size}": partial(self.append, size) for size in CALLS},
            **{f"read {size}": partial(self.read, size) for size in READS},
            f"look for {LOOKED_FOR}": self.look,
            f"take {TAKEN}": self.take,
        }

    async def append(self, size: int) -> int:
        log = PostgresLog(self.pool, source="/review-service", now=lambda: datetime.now(UTC))
        for call in [planned(size) for _ in range(CALLS[size])]:
            await log.append(call)
        return CALLS[size]

    async def read(self, size: int) -> int:
        """Streams of the last tenth: what is worked on."""
        last = max(1, self.events // EVENTS_OF_A_STREAM)
        for _ in range(READS[size]):
            some = [self.chance.randint(last * 9 // 10, last) for _ in range(size)]
            await self.pool.fetch(READ, [f"evaluation-{_md5(stream)}" for stream in some])
        return READS[size]

    async def look(self) -> int:
        for _ in range(LOOKS):
            await self.pool.fetch(READ, [evaluation_stream(uuid4().hex) for _ in range(LOOKED_FOR)])
        return LOOKS

    async def take(self) -> int:
        """What a reader of the log takes at once, from anywhere in a partition."""
        for _ in range(TAKES):
            partition = self.chance.randrange(PARTITIONS)
            position = self.chance.randint(0, self.events // PARTITIONS)
            most = BODY_BYTES * 2 * TAKEN
            await self.pool.fetch(TAKE, [review.TOPIC], [partition], [position], TAKEN, most)
        return TAKES


def _md5(number: int) -> str:
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


async def measure(admin_url: str, layouts: Sequence[str], events: int) -> list[Measured]:
    """Each work of each layout, in turn."""
    pools = {
        layout: await open_pool(database(admin_url, f"growing_{layout}").app_url, size=4)
        for layout in layouts
    }
    took: dict[tuple[str, str], list[float]] = {}
    for number in range(1 + ROUNDS):
        for layout in layouts if number % 2 else reversed(layouts):
            works = Works(pools[layout], events, Random(number))  # noqa: S311
            for name, work in works.all().items():
                gc.collect()
                began = time.perf_counter()
                calls = await work()
                took.setdefault((layout, name), []).append(
                    1000 * (time.perf_counter() - began) / calls
                )
    for pool in pools.values():
        await pool.close()
    return [
        Measured(
            layout,
            events,
            {
                name: statistics.median(each[1:])
                for (of, name), each in took.items()
                if of == layout
            },
        )
        for layout in layouts
    ]


async def sizes(admin_url: str, layouts: Sequence[str]) -> Iterator[str]:
    lines: list[str] = []
    for layout in layouts:
        owner = await asyncpg.connect(database(admin_url, f"growing_{layout}").owner_url)
        lines += [
            f"{layout:8} index of the {row['name']:10} {row['bytes'] / 1024**2:8,.0f} MiB, "
            f"the largest part {row['largest'] / 1024**2:8,.0f}"
            for row in await owner.fetch(BYTES)
        ]
        await owner.close()
    return iter(lines)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="growing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, nargs="+", default=SIZES)
    parser.add_argument("--memory", default=MEMORY, help="shared_buffers, when it is measured")
    parser.add_argument("--layouts", nargs="+", choices=[*LAYOUTS], default=[*LAYOUTS])
    asked = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="aftersales-"))
    folder.chmod(0o711)
    server = PostgresServer(
        folder=folder / "postgres",
        programs=downloads.fetch(lambda _: None).postgres,
        port=processes.free_port(),
        ephemeral=True,
    )
    try:
        run(server, asked.layouts, sorted(asked.events), asked.memory)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(server: PostgresServer, layouts: Sequence[str], events: Sequence[int], memory: str) -> None:
    filled = 0
    for count in events:
        with running(server, FILLING):
            for layout in layouts:
                if not filled and count == events[0]:
                    asyncio.run(make(server.url, layout))
                began = time.perf_counter()
                made = database(server.url, f"growing_{layout}")
                asyncio.run(fill(made, filled, count, events[-1]))
                rate = (count - filled) / (time.perf_counter() - began)
                sys.stdout.write(f"{layout:8} filled to {count:,}: {rate:,.0f} events/s\n")
            sys.stdout.write("\n".join(asyncio.run(sizes(server.url, layouts))) + "\n")
        filled = count
        with running(server, {"shared_buffers": memory, **PAST_THE_CACHE}):
            for measured in asyncio.run(measure(server.url, layouts, count)):
                each = ", ".join(f"{name} {took:.2f}" for name, took in measured.took.items())
                sys.stdout.write(f"{measured.layout:8} {count:12,} events, ms a call: {each}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
