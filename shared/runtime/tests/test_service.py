"""What every process of a service does alike: it trusts no wrong clock, it forgets old answers."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from prometheus_client import REGISTRY
from pydantic import SecretStr
from shared_events.orders import OrderPaid
from shared_runtime import service
from shared_runtime.clock import Clock, system_clock
from shared_runtime.database import PLANS, NoneFree, open_pool
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.idempotency import KEPT_FOR, PURGE_MAX
from shared_runtime.parking import DISCARDED_KEPT_FOR, DISCARDED_PURGE_MAX
from shared_runtime.projections import Apart
from shared_runtime.service import (
    Parts,
    Service,
    api_app,
    forget_answers,
    forget_discarded,
    log_of,
    open_parts,
    parts_for,
    run_rebuild,
)
from shared_runtime.settings import Settings
from shared_runtime.skew import SKEW_MAX, ClockSkewed, skew_seconds
from shared_runtime.testing import ManualClock, facts
from shared_runtime.worker import Task, Workload

SERVICE = Service(
    name="shared-runtime",
    package="review_service",
    description="",
    settings=Settings,
    projections=(),
    routers=lambda _: [],
    workload=lambda _: Workload(own_topics=()),
)
PATIENCE_SECONDS = 30
DAY = timedelta(days=1)
PRODUCTION = Settings(
    database_url=SecretStr("postgres://app@db/review"),
    kafka="broker:9092",
    jwks_url="https://issuer.example/jwks",
    issuer="https://issuer.example",
    cursor_key=SecretStr("k" * 32),
    token_key=SecretStr("t" * 32),
)
MIGRATING = PRODUCTION.model_copy(update={"migration_url": SecretStr("postgres://owner@db/review")})
LOCAL = PRODUCTION.model_copy(update={"env": "local"})
EXPIRED = """
    INSERT INTO es.reply (request_id, fingerprint, status, body, created_at)
    SELECT gen_random_uuid(), '', 200, '', $1 FROM generate_series(1, $2)
"""
GIVEN_UP = """
    INSERT INTO es.parked_event (subscription, topic, partition, position, key, state, set_aside_at)
    SELECT 'sight', 'orders.events', 1, number, 'S1', 'DISCARDED',
           clock_timestamp() - $1::interval - interval '1 minute'
    FROM generate_series(1, $2) AS number
"""


@pytest.fixture
async def clock(pool: asyncpg.Pool) -> ManualClock:
    return ManualClock(await pool.fetchval("SELECT clock_timestamp()"))


def parts_of(settings: Settings, pool: asyncpg.Pool, clock: ManualClock) -> Parts[Settings]:
    log = log_of(SERVICE, settings, pool, clock)
    return Parts(settings=settings, pool=pool, log=log, now=clock)


def paid(clock: ManualClock) -> OrderPaid:
    return OrderPaid(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=clock(),
        payment_ref="P1",
    )


async def readiness(parts: Parts[Settings]) -> int:
    transport = httpx.ASGITransport(api_app(SERVICE, parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.get("/readyz")).status_code


async def test_i7_only_where_time_is_moved_by_hand_a_wrong_clock_writes(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    clock.advance(timedelta(days=300))
    with pytest.raises(ClockSkewed):
        await parts_of(PRODUCTION, pool, clock).log.append(
            facts("order-O1", paid(clock), at=clock())
        )
    local = parts_of(LOCAL, pool, clock).log
    assert len(await local.append(facts("order-O1", paid(clock), at=clock()))) == 1


async def test_a_process_whose_clock_is_wrong_is_not_ready_and_says_by_how_much(
    pool: asyncpg.Pool, clock: ManualClock
) -> None:
    assert await readiness(parts_of(PRODUCTION, pool, clock)) == 200
    clock.advance(2 * SKEW_MAX)
    assert await readiness(parts_of(PRODUCTION, pool, clock)) == 503
    skew = REGISTRY.get_sample_value("aftersales_clock_skew_seconds")
    assert skew == pytest.approx(2 * SKEW_MAX.total_seconds(), abs=SKEW_MAX.total_seconds())
    assert await readiness(parts_of(LOCAL, pool, clock)) == 200


async def test_an_api_says_how_far_its_clock_is_off_though_nobody_asks_whether_it_is_ready(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def skew() -> float | None:
        return REGISTRY.get_sample_value("aftersales_clock_skew_seconds")

    async def served(_: object, __: object, beside: Sequence[Task]) -> None:
        for task in beside:
            await task(asyncio.Event())

    def behind(_: Settings) -> Clock:
        return lambda: system_clock() - DAY

    async def at_the_first_pause(stop: asyncio.Event, _: float) -> None:
        stop.set()

    settings = PRODUCTION.model_copy(update={"database_url": SecretStr(database.app_url)})
    skew_seconds.set(0)
    monkeypatch.setattr(service, "serve_api", served)
    monkeypatch.setattr(service, "pause", at_the_first_pause)
    monkeypatch.setattr(service, "clock_of", behind)
    await service.run_api(SERVICE, settings)
    assert skew() == pytest.approx(-DAY.total_seconds(), abs=60)


async def test_a_process_begins_with_what_it_has_to_know(database: Database) -> None:
    known: list[str] = []

    async def learn(parts: Parts[Settings]) -> None:
        known.append(await parts.pool.fetchval("SELECT 'a version'"))

    settings = LOCAL.model_copy(update={"database_url": SecretStr(database.app_url)})
    async with open_parts(replace(SERVICE, first=learn), settings):
        assert known == ["a version"]


async def test_a_process_is_ready_though_all_its_connections_are_in_use(
    database: Database, clock: ManualClock
) -> None:
    async with (
        await open_pool(database.app_url, size=1) as busy,
        await open_pool(database.app_url, size=1) as probe,
        busy.acquire(),
    ):
        parts = parts_of(PRODUCTION, busy, clock)
        assert await readiness(replace(parts, probe=probe)) == 200


async def test_who_waits_too_long_for_a_connection_is_told_to_come_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.database.FREE_SECONDS_MAX", 0.1)
    async with await open_pool(database.app_url, size=1) as pool:
        async with pool.acquire():
            with pytest.raises(NoneFree) as told:
                await pool.fetchval("SELECT 1")
        assert isinstance(told.value, WORLD_FAILURES)
        assert not isinstance(told.value, TimeoutError)
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_process_has_as_many_connections_as_it_is_told(database: Database) -> None:
    told = {"database_url": SecretStr(database.app_url), "connections": 5}
    async with open_parts(SERVICE, LOCAL.model_copy(update=told)) as parts:
        assert (parts.pool.get_max_size(), parts.looks.get_max_size()) == (5, 1)


async def test_a_transaction_of_ours_that_does_nothing_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep all that is dead, and appends would become slower by the minute."""
    assert PLANS["idle_in_transaction_session_timeout"] == "60000"
    monkeypatch.setitem(PLANS, "idle_in_transaction_session_timeout", "200")
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
    async with (
        await open_pool(database.app_url, size=1) as looks,
        await open_pool(database.app_url, size=1) as pool,
        pool.acquire() as db,
    ):
        await db.transaction().start()
        pid = await db.fetchval("SELECT pg_backend_pid()")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await looks.fetchval(sessions, pid):
                pass
        with pytest.raises(WORLD_FAILURES):
            await db.execute("SELECT")


async def test_all_answers_that_were_kept_for_long_enough_are_forgotten_at_once(
    pool: asyncpg.Pool, owner: asyncpg.Pool, clock: ManualClock
) -> None:
    parts = parts_of(PRODUCTION, pool, clock)
    await owner.execute(EXPIRED, clock() - KEPT_FOR - timedelta(minutes=1), 2 * PURGE_MAX + 1)
    await owner.execute(EXPIRED, clock() - KEPT_FOR + timedelta(minutes=1), 1)
    ahead = replace(parts, now=ManualClock(clock() + timedelta(days=60)))
    await forget_answers(ahead, asyncio.Event())
    assert await pool.fetchval("SELECT count(*) FROM es.reply") == 1


async def test_all_that_was_given_up_for_long_enough_is_forgotten_at_once(
    pool: asyncpg.Pool,
) -> None:
    await pool.execute(GIVEN_UP, DISCARDED_KEPT_FOR, 2 * DISCARDED_PURGE_MAX + 1)
    await forget_discarded(pool, asyncio.Event())
    assert await pool.fetchval("SELECT count(*) FROM es.parked_event") == 0


def test_a_large_projection_is_folded_by_a_process_for_each_core_and_by_four_at_most() -> None:
    assert [parts_for(cores) for cores in (1, 2, 4, 5, 64)] == [1, 2, 4, 4, 4]


async def test_who_rebuilds_asks_for_no_more_processes_unless_he_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folded: list[int] = []

    async def rebuilt(*told: object) -> None:
        apart = told[-1]
        assert isinstance(apart, Apart)
        await apart.fold(1)

    async def fold(package: str, name: str, processes: int, generation: int) -> None:
        assert (package, name, generation) == (SERVICE.package, "orders", 1)
        folded.append(processes)

    async def migrated(*_: object) -> None: ...

    monkeypatch.setattr(service, "check_migrated", migrated)
    monkeypatch.setattr(service, "_rebuild", rebuilt)
    monkeypatch.setattr(service, "_fold_apart", fold)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 64)
    await run_rebuild(SERVICE, MIGRATING, name="orders")
    await run_rebuild(SERVICE, MIGRATING, name="orders", processes=9)
    assert folded == [4, 9]
