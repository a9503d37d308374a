"""Who is on duty in, whom the next cases go to out: in turn, whoever draws."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from dispute_service.roster import (
    Adjudicator,
    all_on_duty,
    go_off_duty,
    go_on_duty,
    known,
    note_drawn,
    on_duty,
)
from shared_runtime.log import Database
from shared_runtime.rows import columns
from shared_runtime.testing import ManualClock, comes_to_wait
from shared_runtime.timers import ARM

HOUR = timedelta(hours=1)


@pytest.fixture
async def three(pool: asyncpg.Pool, clock: ManualClock) -> None:
    """a, b and c, of whom nobody was drawn yet."""
    for name in "cab":
        who = Adjudicator(adjudicator_id=name, level="AGENT", on_duty_until=clock() + HOUR)
        await go_on_duty(who, clock(), pool)


async def order(clock: ManualClock, db: Database) -> list[str]:
    return [each.adjudicator_id for each in await all_on_duty(clock(), db)]


@pytest.mark.usefixtures("three")
async def test_whoever_was_not_drawn_for_the_longest_time_is_first(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    assert await order(clock, pool) == ["a", "b", "c"]
    await note_drawn(["b"], clock(), pool)
    assert await order(clock, pool) == ["a", "c", "b"]
    clock.advance(timedelta(seconds=1))
    await note_drawn(["c", "a", "c"], clock(), pool)
    assert await order(clock, pool) == ["b", "a", "c"]


@pytest.mark.usefixtures("three")
async def test_a_draw_of_an_earlier_deadline_puts_nobody_before_those_who_still_wait(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    now = clock()
    for name in "abc":
        await note_drawn([name], now, pool)
    assert await order(clock, pool) == ["a", "b", "c"]
    await note_drawn(["a"], now - HOUR, pool)
    assert await order(clock, pool) == ["b", "c", "a"]


@pytest.mark.usefixtures("three")
async def test_on_duty_is_who_has_come_until_he_goes_or_his_time_is_over(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    await go_off_duty("b", pool)
    assert await order(clock, pool) == ["a", "c"]
    assert await on_duty("b", clock(), pool) is None
    there = await on_duty("a", clock(), pool)
    assert there
    assert there.level == "AGENT"
    clock.advance(HOUR - timedelta(microseconds=1))
    assert await order(clock, pool) == ["a", "c"]
    clock.advance(timedelta(microseconds=1))
    assert await order(clock, pool) == []
    for name in "ab":
        left = await known(name, pool)
        assert left
        assert left.level == "AGENT"


@pytest.mark.usefixtures("three")
async def test_locks_who_draws_beside_another_waits_and_does_not_draw_the_same_one(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    async with pool.acquire() as one, one.transaction():
        first = (await order(clock, one))[0]
        other = asyncio.create_task(order(clock, pool))
        assert await comes_to_wait(other, pool), "both see the same one first"
        await note_drawn([first], clock(), one)
    assert (first, await other) == ("a", ["b", "c", "a"])


async def test_locks_who_comes_on_duty_wakes_what_waits_and_waits_for_nobody_who_draws(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    due = clock() + HOUR
    for stream in ("dispute-1", "dispute-2"):
        await pool.execute(ARM, *columns([(stream, "ASSIGN/2", due, str(uuid4()))], 4))
    who = Adjudicator(adjudicator_id="a", level="AGENT", on_duty_until=due)
    async with pool.acquire() as drawing, drawing.transaction():
        await drawing.execute("SELECT FROM es.timer WHERE stream_id = 'dispute-1' FOR UPDATE")
        coming = asyncio.ensure_future(go_on_duty(who, clock(), pool))
        assert not await comes_to_wait(coming, pool), "he waits for who draws"
        assert await order(clock, drawing) == ["a"]
    dues = await pool.fetch("SELECT due_at FROM es.timer ORDER BY stream_id")
    assert [at for (at,) in dues] == [due, clock()]
