"""A read that is given a token waits for the live tables of its projection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from local_stack.databases import Database
from shared_events.envelope import Recorded
from shared_runtime.database import open_pool
from shared_runtime.decider import InvalidValue
from shared_runtime.delivery import Connection
from shared_runtime.migrate import migrate
from shared_runtime.projections import Projection
from shared_runtime.reading import Token, position_of, wait_for


async def nothing(_: Sequence[Recorded[Any]], __: Connection) -> None: ...


PAYMENTS = Projection(
    name="payments",
    version=1,
    topics=("orders.events",),
    handles=(),
    tables=("payment",),
    ddl="CREATE TABLE payment (order_id text)",
    apply=nothing,
)
TOKEN = Token(topic="orders.events", partition=7, position=3)
REACHED = """
    INSERT INTO es.cursor (subscription, topic, partition, position)
    SELECT name || '/' || generation, 'orders.events', 7, $1 FROM es.projection
    ON CONFLICT (subscription, topic, partition) DO UPDATE SET position = excluded.position
"""


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    await migrate("review_service", database.owner_url, [PAYMENTS])
    async with await open_pool(database.app_url) as pool:
        yield pool


async def test_i11_a_read_waits_until_its_projection_has_come_to_the_token(
    pool: asyncpg.Pool,
) -> None:
    reading = asyncio.create_task(wait_for(TOKEN, position_of(pool, PAYMENTS)))
    for position in (1, 2):
        await pool.execute(REACHED, position)
        assert await position_of(pool, PAYMENTS)("orders.events", 7) == position
        assert not reading.done()
    await pool.execute(REACHED, 3)
    await asyncio.wait_for(reading, 2)


async def test_a_partition_without_a_cursor_is_at_the_beginning(pool: asyncpg.Pool) -> None:
    assert await position_of(pool, PAYMENTS)("orders.events", 8) == 0


async def test_a_topic_that_the_projection_does_not_read_is_refused(pool: asyncpg.Pool) -> None:
    token = Token(topic="review.events", partition=7, position=1)
    with pytest.raises(InvalidValue):
        await wait_for(token, position_of(pool, PAYMENTS))
