"""A migrated database, copied from one that is migrated once."""

from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import asyncpg
import pytest
from local_stack import blocking
from local_stack.databases import Database, create_database, drop_database
from local_stack.servers import Servers
from reputation_service.app import SERVICE
from shared_runtime.database import open_pool
from shared_runtime.migrate import migrate


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    made = create_database(servers.postgres_url, f"template_{uuid4().hex[:12]}")
    blocking.run(migrate(SERVICE.package, made.owner_url, SERVICE.projections))
    yield made.name
    if servers.own_postgres is None:  # ours is thrown away whole
        drop_database(servers.postgres_url, made.name)


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.app_url) as pool:
        yield pool


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.owner_url) as pool:
        yield pool
