"""A read that is given a token waits for the live tables of its projection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from local_stack.databases import Database
from shared_events.envelope import Recorded
from shared_runtime.database import open_pool
from shared_runtime.decider import InvalidValue
from shared_runtime.delivery import Connection
from shared_runtime.migrate import migrate
from shared_runtime.problems import NotYetVisible
from shared_runtime.projections import Projection
from shared_runtime.reading import VISIBLE_SECONDS_MAX, Token, position_of, reached, wait_for


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
        assert await position_of(pool, PAYMENTS)(TOKEN) == position
        assert not reading.done()
    await pool.execute(REACHED, 3)
    await asyncio.wait_for(reading, 2)


SET_ASIDE = """
    INSERT INTO es.parked_event (subscription, topic, partition, position, key, state)
    SELECT name || '/' || generation, 'orders.events', 7, $1, 'S1', $2 FROM es.projection
"""


async def test_i11_a_read_says_that_what_its_token_stands_for_was_set_aside(
    pool: asyncpg.Pool,
) -> None:
    """And at once: nobody knows when somebody mends it. Other keys of the partition are read."""
    await pool.execute(REACHED, 5)
    for position, state in ((2, "DISCARDED"), (3, "WAITING"), (5, "WAITING")):
        await pool.execute(SET_ASIDE, position, state)
    projected = position_of(pool, PAYMENTS)
    for position in (3, 5):
        async with asyncio.timeout(VISIBLE_SECONDS_MAX / 2):
            with pytest.raises(NotYetVisible):
                await wait_for(replace(TOKEN, position=position), projected)
    for position in (1, 2, 4):
        await wait_for(replace(TOKEN, position=position), projected)
    await pool.execute("DELETE FROM es.parked_event")
    await wait_for(TOKEN, projected)


async def test_i11_so_does_a_read_of_what_a_reaction_brings_about(pool: asyncpg.Pool) -> None:
    assert await reached(pool, "reaction", TOKEN) == 0
    name = "UPDATE es.{} SET subscription = 'reaction'"
    await pool.execute(REACHED, 5)
    await pool.execute(name.format("cursor"))
    assert await reached(pool, "reaction", TOKEN) == 5
    await pool.execute(SET_ASIDE, 3, "WAITING")
    await pool.execute(name.format("parked_event"))
    with pytest.raises(NotYetVisible):
        await reached(pool, "reaction", TOKEN)


async def test_a_partition_without_a_cursor_is_at_the_beginning(pool: asyncpg.Pool) -> None:
    assert await position_of(pool, PAYMENTS)(replace(TOKEN, partition=8)) == 0


async def test_a_topic_that_the_projection_does_not_read_is_refused(pool: asyncpg.Pool) -> None:
    token = Token(topic="review.events", partition=7, position=1)
    with pytest.raises(InvalidValue):
        await wait_for(token, position_of(pool, PAYMENTS))
