"""A worker's loops fail one by one: whatever is wrong with one, the others go on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from prometheus_client import REGISTRY
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_runtime.clock import system_clock
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Decisions, PostgresLog
from shared_runtime.projections import Projection
from shared_runtime.subscription import Runner
from shared_runtime.testing import facts, see
from shared_runtime.timers import DueTimer, Timers
from shared_runtime.worker import STALLED_AFTER_SECONDS, Worker, Workload, keep_running

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PATIENCE_SECONDS = 30
ARM = """
    INSERT INTO es.timer (stream_id, name, due_at, armed_by)
    VALUES ('order-1', 'CLOSE', $1, gen_random_uuid())
"""


async def nothing(batch: Sequence[Recorded[object]], db: Connection) -> None: ...


async def fire(decisions: Decisions, due: Sequence[DueTimer]) -> None: ...


async def failing(_: asyncio.Event) -> None:
    raise ZeroDivisionError


def failures(loop: str) -> float:
    return REGISTRY.get_sample_value("aftersales_loop_failures_total", {"loop": loop}) or 0


NEVER_MIGRATED = Projection(
    name="never_migrated",
    version=1,
    topics=("orders.events",),
    handles=(),
    tables=(),
    ddl="",
    apply=nothing,
)


@pytest.fixture
def worker(pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str) -> Worker:
    load = Workload(
        own_topics=(topic,),
        on_own_log=(Subscription(name="sight", topics=(topic,), apply=see),),
        fire=fire,
    )
    return Worker(
        service="test",
        pool=pool,
        kafka=kafka,
        own_log=journal,
        now=system_clock,
        workload=load,
    )


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("sight")
async def test_a_loop_that_fails_is_begun_again_and_takes_no_other_with_it(
    worker: Worker, pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    worker.workload = replace(worker.workload, tasks=(failing,), own_projections=(NEVER_MIGRATED,))
    before = failures("failing")

    async def have_failed_again() -> bool:
        waits = REGISTRY.get_sample_value(
            "aftersales_projection_of_another_release", {"projection": NEVER_MIGRATED.name}
        )
        return failures("failing") > before + 1 and waits == 1

    async def have_all_gone_on() -> bool:
        applied = await pool.fetchval("SELECT count(*) FROM history")
        relayed = await pool.fetchval(
            "SELECT max(position) FROM es.cursor WHERE subscription = 'relay'"
        )
        armed = await pool.fetchval("SELECT count(*) FROM es.timer")
        return (applied, relayed, armed) == (1, 1, 0)

    async with at_work(worker):
        await until(have_failed_again)
        paid = OrderPaid(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="p1",
            paid_at=AT,
            payment_ref="P1",
        )
        await journal.append(facts("order-1", paid, at=AT))
        await pool.execute(ARM, AT)
        await until(have_all_gone_on)
        assert worker.is_alive()


async def test_i3_a_loop_is_begun_again_when_what_it_has_waited_for_was_cancelled_and_not_it() -> (
    None
):
    turns, stop = 0, asyncio.Event()

    async def waits_for_another(_: asyncio.Event) -> None:
        nonlocal turns
        turns += 1
        if turns > 1:
            stop.set()
            return
        other = asyncio.create_task(asyncio.sleep(PATIENCE_SECONDS))
        other.cancel()
        await other

    before = failures("waits")
    await keep_running("waits", waits_for_another, stop)
    assert turns == 2
    assert failures("waits") == before + 1


async def test_a_loop_that_is_cancelled_itself_ends() -> None:
    async def turns(_: asyncio.Event) -> None:
        await asyncio.sleep(PATIENCE_SECONDS)

    loop = asyncio.create_task(keep_running("turns", turns, asyncio.Event()))
    await asyncio.sleep(0)
    loop.cancel()
    await asyncio.wait([loop], timeout=PATIENCE_SECONDS)
    assert loop.cancelled()


async def test_a_worker_is_not_alive_when_a_loop_no_longer_turns(worker: Worker) -> None:
    async def all_turn() -> bool:
        turned = [runner.turned_at for runner in worker.runners]
        return worker.timers is not None and all((*turned, worker.timers.turned_at))

    async with at_work(worker):
        await until(all_turn)
        assert worker.is_alive()
        assert worker.timers is not None
        stuck: list[Runner | Timers] = [worker.timers, worker.runners[0]]
    for loop in stuck:
        turned_at = loop.turned_at
        loop.turned_at -= STALLED_AFTER_SECONDS + 1
        assert not worker.is_alive()
        loop.turned_at = turned_at
        assert worker.is_alive()
