"""What the tests of this service's edges share, besides the kit of all services.

service   reputation-service
database  one that is at head
owner     a pool of who owns it
until_they_wait   returns when so many statements wait for a lock of a table
tell      events of other services into their log, and all done that there is to do
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from local_stack.databases import Database
from msgspec import Struct
from reputation_service.app import SERVICE
from shared_runtime.database import open_pool
from shared_runtime.log import PostgresLog
from shared_runtime.service import Service
from shared_runtime.testing import ManualClock, facts


@pytest.fixture(scope="session")
def service() -> Service[Any]:
    return SERVICE


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.owner_url) as pool:
        yield pool


@pytest.fixture
def until_they_wait(owner: asyncpg.Pool) -> Callable[[int], Awaitable[None]]:
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_database AS base ON base.oid = pg_locks.database
        WHERE NOT granted AND locktype = 'relation' AND datname = current_database()
    """

    async def until(how_many: int) -> None:
        async with asyncio.timeout(10):
            while await owner.fetchval(waiting) < how_many:  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0)

    return until


@pytest.fixture
def followed(others: PostgresLog) -> asyncpg.Pool:
    assert isinstance(others.db, asyncpg.Pool)
    return others.db


@pytest.fixture
def tell(
    others: PostgresLog, clock: ManualClock, work: Callable[[], Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    versions: dict[str, int] = {}

    async def publish(stream: str, *events: Struct) -> None:
        after = versions.get(stream, 0)
        cause = str(uuid4())
        await others.append(facts(stream, *events, at=clock(), after=after, cause=cause))
        versions[stream] = after + len(events)
        await work()

    return publish
