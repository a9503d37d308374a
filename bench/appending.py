"""The log against plain inserts: one command at a time by many, and a thousand events a call."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from review_service.domain.rules import EVALUATIONS
from shared_runtime.committing import Committer
from shared_runtime.log import Decisions, handle_many

from bench.measure import ROUNDS, WARM_UP_ROUNDS, Comparison
from bench.world import (
    EVENT_COLUMNS,
    World,
    history,
    log_rows,
    opening,
    raw_rows,
    submission,
)

WRITERS = 32
COMMANDS = 3_000
COMMANDS_ALONE = 500
BATCH = 1_000
BATCHES = 10
OPENED_AT_ONCE = 500

READ = "SELECT body FROM raw.event WHERE stream_id = $1 ORDER BY stream_version"
INSERT = """
    INSERT INTO raw.event (topic, partition, event_id, stream_id, stream_version, type,
                           recorded_at, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
OPENED_RAW = """
    INSERT INTO raw.event (topic, partition, event_id, stream_id, stream_version, type,
                           recorded_at, body)
    SELECT topic, partition, event_id, stream_id, stream_version, type, recorded_at, body
    FROM es.event
"""


async def commands(world: World) -> Comparison:
    """Each command meets a stream of one event and adds one: a review is submitted."""
    return await _commands(world, WRITERS, COMMANDS, at_least=1.2)


async def alone(world: World) -> Comparison:
    """The same, one at a time."""
    return await _commands(world, 1, COMMANDS_ALONE, at_least=0.65)


async def _commands(world: World, writers: int, count: int, *, at_least: float) -> Comparison:
    rounds = [
        [f"order-{number * count + i}" for i in range(count)]
        for number in range(WARM_UP_ROUNDS + ROUNDS)
    ]
    asked = [[submission(order) for order in orders] for orders in rounds]
    submitted = [await _open(world, orders) for orders in rounds]
    await world.pool.execute(OPENED_RAW)
    await world.pool.execute("ANALYZE")
    committer = Committer(world.log)

    async def ours(number: int) -> int:
        waiting = iter(asked[number])

        async def writer() -> None:
            for ask in waiting:
                await committer.handle(EVALUATIONS, ask)

        await asyncio.gather(*(writer() for _ in range(writers)))
        return count

    async def raw(number: int) -> int:
        waiting = iter(submitted[number])

        async def writer() -> None:
            for row in waiting:
                async with world.pool.acquire() as db:
                    await db.fetch(READ, row[3])
                    await db.execute(INSERT, *row)

        await asyncio.gather(*(writer() for _ in range(writers)))
        return count

    return Comparison(
        name=f"command through the handler, {f'{writers} at once' if writers > 1 else 'alone'}",
        against="read and insert the same bytes, no order, hash or check",
        unit="commands/s",
        at_least=at_least,
        ours=ours,
        raw=raw,
    )


async def _open(world: World, orders: Sequence[str]) -> list[tuple[Any, ...]]:
    """Opens the evaluations; the rows that submitting to them will make, for the raw insert."""
    rows: list[tuple[Any, ...]] = []
    for at in range(0, len(orders), OPENED_AT_ONCE):
        some = orders[at : at + OPENED_AT_ONCE]
        await handle_many(world.log, EVALUATIONS, [opening(order) for order in some])
        decisions = Decisions(world.log)
        asks = [submission(order) for order in some]
        await decisions.read(ask.stream for ask in asks)
        for ask in asks:
            decisions.decide(EVALUATIONS, ask)
        rows += raw_rows(decisions.planned, datetime.now(UTC))
    return rows


async def batches(world: World) -> Comparison:
    """A thousand events a call, into the same table with the same indexes."""
    size = BATCH * BATCHES
    ours_planned = [
        [history(f"a{number}", at * BATCH, BATCH) for at in range(BATCHES)]
        for number in range(WARM_UP_ROUNDS + ROUNDS)
    ]
    copied = [
        [
            log_rows(history(f"c{number}", at * BATCH, BATCH), number * size + at * BATCH)
            for at in range(BATCHES)
        ]
        for number in range(WARM_UP_ROUNDS + ROUNDS)
    ]

    async def ours(number: int) -> int:
        for planned in ours_planned[number]:
            await world.log.append(planned)
        return size

    async def raw(number: int) -> int:
        async with world.pool.acquire() as db:
            for rows in copied[number]:
                await db.copy_records_to_table(
                    "log", schema_name="raw", columns=EVENT_COLUMNS, records=rows
                )
        return size

    return Comparison(
        name=f"batch append, {BATCH} events a call",
        against="asyncpg COPY of the same rows into the same indexes",
        unit="events/s",
        at_least=0.5,
        ours=ours,
        raw=raw,
    )
