"""A table of folds: one row a key, whatever comes in which batch."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import asyncpg
import pytest
from local_stack.databases import Database
from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_runtime.rows import Rows, take_turns
from shared_runtime.testing import take_all_at_once

AT = datetime(2026, 1, 15, 12, 30, 0, 123456, tzinfo=UTC)

type Stage = Literal["NEW", "OLD"]


class Item(Struct, frozen=True):
    name: str
    pieces: int


class Basket(Struct, frozen=True, kw_only=True):
    basket_id: str
    stage: Stage
    items: list[Item]
    events: int
    open: bool
    at: datetime
    note: str | None = None
    paid_at: datetime | None = None
    first: Item | None = None


class Added(Struct, frozen=True):
    basket_id: str
    item: Item


DDL = """
    CREATE TABLE basket (basket_id text PRIMARY KEY, stage text, items jsonb, events bigint,
                         open boolean, at timestamptz, note text, paid_at timestamptz, first jsonb)
"""
BASKETS = Rows(table="basket", key="basket_id", row=Basket)


def evolve(basket: Basket | None, event: Added) -> Basket | None:
    if event.item.pieces == 0:
        return basket
    if event.item.pieces < 0:
        return None
    if basket is None:
        return Basket(
            basket_id=event.basket_id,
            stage="NEW",
            items=[event.item],
            events=1,
            open=True,
            at=AT,
            first=event.item,
        )
    return replace(basket, stage="OLD", items=[*basket.items, event.item], events=basket.events + 1)


def recorded(event: Added, at: datetime = AT) -> Recorded[Added]:
    return Recorded(
        topic="t",
        partition=0,
        position=1,
        event_id="e",
        stream="s",
        version=1,
        type="",
        time=at,
        recorded_at=at,
        key="k",
        actor="system:test",
        correlation_id="c",
        causation_id="c",
        event=event,
    )


def folded(events: Sequence[Added]) -> dict[str, Basket]:
    """What the table should hold, by hand."""
    baskets: dict[str, Basket | None] = {}
    for event in events:
        baskets[event.basket_id] = evolve(baskets.get(event.basket_id), event)
    return {key: basket for key, basket in baskets.items() if basket is not None}


@pytest.fixture
async def db(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute(DDL)
    yield connection
    await connection.close()


async def test_a_row_is_read_as_it_was_written(db: asyncpg.Connection) -> None:
    whole = Basket(
        basket_id="b1",
        stage="OLD",
        items=[Item(name="a cup, “blue”", pieces=2)],
        events=2**40,
        open=False,
        at=AT,
        note="",
        paid_at=AT,
        first=Item(name="", pieces=1),
    )
    bare = replace(whole, basket_id="b2", items=[], note=None, paid_at=None, first=None)
    await BASKETS.write([whole, bare], db)
    assert await BASKETS.read(["b1", "b2", "b3"], db) == {"b1": whole, "b2": bare}


async def test_a_row_is_put_in_the_place_of_the_one_before(db: asyncpg.Connection) -> None:
    before = Basket(basket_id="b1", stage="NEW", items=[], events=1, open=True, at=AT, note="old")
    after = replace(before, events=2, note=None)
    await BASKETS.write([before], db)
    await BASKETS.write([after], db)
    assert await BASKETS.read(["b1"], db) == {"b1": after}


@pytest.mark.parametrize("seed", range(8))
async def test_the_table_is_the_fold_however_events_are_batched(
    db: asyncpg.Connection, seed: int
) -> None:
    events = [
        Added(basket_id=f"b{n * (seed + 3) % 4}", item=Item(name=f"i{n}", pieces=n % 7 % 4 - 1))
        for n in range(20)
    ]
    for cut in (events[: seed * 2], events[seed * 2 : 15], events[15:]):
        await BASKETS.fold(
            [recorded(event) for event in cut],
            db,
            key_of=lambda event: event.basket_id,
            evolve=evolve,
        )
    assert await BASKETS.read(["b0", "b1", "b2", "b3"], db) == folded(events)


async def test_a_row_that_comes_and_goes_in_one_batch_is_never_written(
    db: asyncpg.Connection,
) -> None:
    events = [Added(basket_id="b1", item=Item(name="i", pieces=pieces)) for pieces in (1, -1)]
    await db.execute("ALTER TABLE basket ADD CHECK (false)")
    await BASKETS.fold(
        [recorded(event) for event in events],
        db,
        key_of=lambda event: event.basket_id,
        evolve=evolve,
    )
    assert await BASKETS.read(["b1"], db) == {}


async def test_the_keys_of_the_rows_that_have_changed_are_told(db: asyncpg.Connection) -> None:
    events = [
        Added(basket_id=basket_id, item=Item(name="i", pieces=pieces))
        for basket_id, pieces in (("b2", 1), ("b1", 1), ("b2", 1), ("b3", 0))
    ]
    changed = await BASKETS.fold(
        [recorded(event) for event in events],
        db,
        key_of=lambda event: event.basket_id,
        evolve=evolve,
    )
    assert changed == ["b2", "b1"]


async def test_an_event_that_is_about_no_row_changes_none(db: asyncpg.Connection) -> None:
    events = [Added(basket_id=basket_id, item=Item(name="i", pieces=1)) for basket_id in "ab"]
    changed = await BASKETS.fold(
        [recorded(event) for event in events],
        db,
        key_of=lambda event: event.basket_id if event.basket_id == "a" else None,
        evolve=evolve,
    )
    assert (changed, [*await BASKETS.read("ab", db)]) == (["a"], ["a"])


async def test_a_row_may_say_when_something_was(db: asyncpg.Connection) -> None:
    def paid(basket: Basket | None, told: Recorded[Added]) -> Basket | None:
        after = evolve(basket, told.event)
        return after and replace(after, paid_at=told.time)

    later = AT + timedelta(days=1)
    event = Added(basket_id="b1", item=Item(name="i", pieces=1))
    await BASKETS.fold_recorded(
        [recorded(event), recorded(event, later)],
        db,
        key_of=lambda event: event.basket_id,
        evolve=paid,
    )
    assert (await BASKETS.read(["b1"], db))["b1"].paid_at == later


async def test_who_writes_rows_of_one_partition_waits_for_the_other(
    db: asyncpg.Connection, database: Database
) -> None:
    other = await asyncpg.connect(database.owner_url)
    await other.execute("SET lock_timeout = '20ms'")
    async with db.transaction():
        await take_turns([7, 3, 7], db)
        async with other.transaction():
            await take_turns([4, 5], other)
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with other.transaction():
                await take_turns([1, 3], other)
    async with other.transaction():
        await take_turns([1, 3], other)
    await other.close()


async def test_locks_of_partitions_are_taken_in_one_order(pool: asyncpg.Pool) -> None:
    await take_all_at_once(take_turns, range(16), pool)
