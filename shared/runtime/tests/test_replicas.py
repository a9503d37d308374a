"""What is kept for a standby shows in metrics of its primary, also while the standby is away."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from local_stack.postgres import PostgresServer
from local_stack.processes import free_port
from local_stack.servers import Servers
from prometheus_client import REGISTRY
from shared_runtime.watching import measure_replicas

PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.2
TRANSACTIONS = 40
MADE = "SELECT pg_create_physical_replication_slot('standby', true)"
DROPPED = "SELECT pg_drop_replication_slot('standby')"
WROTE = "CREATE TABLE written AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)"


def told(name: str) -> float:
    return REGISTRY.get_sample_value(f"aftersales_replica_kept_{name}") or 0.0


async def until(pool: asyncpg.Pool, holds: Callable[[], bool]) -> None:
    """Other processes are at work: a standby tells once a second what it still reads."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await measure_replicas(pool)
        while not holds():
            await asyncio.sleep(LOOK_SECONDS)
            await measure_replicas(pool)


def copy_of(server: PostgresServer, name: str) -> Path:
    """All that is in the folder of a server that is stopped, with the same owners."""
    copied = server.folder.with_name(name)
    shutil.copytree(server.folder, copied)
    for path in (server.folder, *server.folder.rglob("*")):
        owner = path.stat()
        os.chown(copied / path.relative_to(server.folder), owner.st_uid, owner.st_gid)
    return copied


@pytest.fixture
def primary(own_servers: Servers) -> PostgresServer:
    if own_servers.own_postgres is None:
        pytest.skip("the server is not ours to copy")
    return own_servers.own_postgres


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """It is stopped; of its slot nothing is left in the end."""
    primary.stop()
    folder = copy_of(primary, "standby")
    signal = folder / "data/standby.signal"
    signal.touch()
    shutil.copystat(folder / "data/PG_VERSION", signal)
    primary.start()
    following = {
        "primary_conninfo": primary.url,
        "primary_slot_name": "standby",
        "hot_standby_feedback": "on",
        "wal_receiver_status_interval": "1",
        "hot_standby": "on",
    }
    server = replace(primary, folder=folder, port=free_port(), besides=following)
    yield server
    server.kill()
    shutil.rmtree(folder)


async def test_what_a_standby_reads_and_has_not_fetched_is_kept_and_told(
    primary: PostgresServer, standby: PostgresServer
) -> None:
    """Also when it is away: its slot keeps both until it is back or the slot is dropped."""
    async with asyncpg.create_pool(primary.url, min_size=1) as pool:
        await measure_replicas(pool)
        assert (told("transactions"), told("bytes")) == (0, 0)
        await pool.execute(MADE)
        standby.start()
        reading = await asyncpg.connect(standby.url)
        async with reading.transaction(isolation="repeatable_read"):
            await reading.fetchval("SELECT count(*) FROM pg_class")
            for _ in range(TRANSACTIONS):
                await pool.fetchval("SELECT txid_current()")
            await until(pool, lambda: told("transactions") >= TRANSACTIONS)
        await until(pool, lambda: told("transactions") < TRANSACTIONS)
        await reading.close()
        await until(pool, lambda: told("bytes") < 100_000)
        standby.kill()
        for _ in range(TRANSACTIONS):
            await pool.fetchval("SELECT txid_current()")
        await pool.execute(WROTE)
        await until(
            pool, lambda: told("transactions") >= TRANSACTIONS and told("bytes") > 1_000_000
        )
        await pool.execute("DROP TABLE written")
        await pool.execute(DROPPED)
        await measure_replicas(pool)
        assert (told("transactions"), told("bytes")) == (0, 0)
