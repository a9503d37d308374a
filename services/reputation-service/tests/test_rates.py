"""How often a seller was late, cancelled or was in the wrong, and a buyer complained in bad faith:
plain counts of weeks.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from msgspec import Struct
from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import day_of, micros
from reputation_service.domain.rates import Count, Late, counts_of
from reputation_service.projections import RATES
from reputation_service.queries.rates import RateView, buyer_rates, seller_rates
from reputation_service.testing.histories import (
    DAY,
    SELLERS,
    START,
    History,
    a_log,
    batches,
    cancelled,
    completed,
    delay_attributed,
    dice,
    dispute_closed,
    history,
    ids,
    interleaved,
    shipped,
    tell,
)
from shared_runtime.delivery import enter_tables
from shared_runtime.projections import live_subscription
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import Client

OF: dict[str, Any] = ids(1, "S1", "B1")
LONG_AFTER = micros(START + 200 * DAY)
WEEK = day_of(micros(START)) // WEEK_DAYS


async def counted(*events: Struct) -> list[Count | Late]:
    told = await tell(*events, log=a_log())
    return [count for recorded in told for count in counts_of(recorded)]


# --- What counts


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (shipped(OF, START, late=False), [Count("S1", "SHIPPED", WEEK)]),
        (
            shipped(OF, START, late=True),
            [Count("S1", "SHIPPED", WEEK), Count("S1", "DISPATCHED_LATE", WEEK)],
        ),
        (cancelled(OF, START), [Count("S1", "CANCELLED", WEEK)]),
        (cancelled(OF, START, by="BUYER"), []),
        (cancelled(OF, START, by="PLATFORM"), []),
        (completed(OF, START), [Count("S1", "COMPLETED", WEEK)]),
        (completed(OF, START, late=True), [Count("S1", "COMPLETED", WEEK), Late("o1", "S1", WEEK)]),
        (completed(OF, START, 2, late=True), []),
        (delay_attributed(OF), [Late("o1", "S1", None)]),
        (dispute_closed(OF, START, "DECIDED"), [Count("S1", "DEFECT", WEEK)]),
        (dispute_closed(OF, START, "DEFAULT"), [Count("S1", "DEFECT", WEEK)]),
        (dispute_closed(OF, START, "SETTLED", resolved_by_seller=True), []),
        (dispute_closed(OF, START, "WITHDRAWN"), []),
        (dispute_closed(OF, START, "PLATFORM"), []),
        (dispute_closed(OF, START, "DECIDED", liable="CARRIER", seller_fault_pct=0), []),
        (
            dispute_closed(
                OF, START, "DECIDED", liable="BUYER", seller_fault_pct=0, buyer_abuse=True
            ),
            [Count("B1", "ABUSE", WEEK)],
        ),
    ],
)
async def test_what_an_event_counts(event: Struct, counts: list[Count | Late]) -> None:
    assert await counted(event) == counts


# --- What is in the tables


async def project(batch: History, pool: asyncpg.Pool) -> None:
    subscription = await live_subscription(pool, RATES)
    async with pool.acquire() as db, db.transaction():
        await enter_tables(db, subscription.tables)
        await RATES.apply([each for each in batch if isinstance(each.event, RATES.handles)], db)


async def all_tables(pool: asyncpg.Pool) -> tuple[list[Any], list[Any]]:
    return (
        await pool.fetch("SELECT * FROM read.rate ORDER BY 1, 2, 3"),
        await pool.fetch("SELECT * FROM read.late_order ORDER BY 1"),
    )


async def test_whatever_order_events_come_in_the_counts_are_the_same(
    pool: asyncpg.Pool, owner: asyncpg.Pool
) -> None:
    told = await history(3, orders=60)
    for batch in batches(told, 50):
        await project(batch, pool)
    in_turn = await all_tables(pool)
    assert all(in_turn)
    for seed in range(3):
        await owner.execute("DELETE FROM read.rate; DELETE FROM read.late_order")
        for batch in batches(interleaved(told, dice(seed)), 7 + seed):
            await project(batch, pool)
        assert await all_tables(pool) == in_turn
    counts = [count for recorded in told for count in counts_of(recorded)]
    for seller in SELLERS:
        found = await seller_rates(pool, seller, LONG_AFTER, 60)
        late = {each.order_id for each in counts if isinstance(each, Late) and each.week}
        excused = {each.order_id for each in counts if isinstance(each, Late) and not each.week}
        of_seller = {
            each.order_id for each in counts if isinstance(each, Late) and each.seller_id == seller
        }
        assert found.late.many == len(late.intersection(of_seller) - excused)
        assert found.late.of == sum(
            each[:2] == (seller, "COMPLETED") for each in counts if isinstance(each, Count)
        )


async def test_nobody_is_to_blame_for_a_delay_of_the_carrier_whenever_it_is_told(
    pool: asyncpg.Pool,
) -> None:
    before, after = ids(1, "S1"), ids(2, "S1")
    events = (
        delay_attributed(before),
        completed(before, START, late=True),
        completed(after, START, late=True),
    )
    await project(await tell(*events, log=a_log()), pool)
    assert (await seller_rates(pool, "S1", LONG_AFTER, 60)).late == RateView(
        many=1, of=2, milli=500
    )
    log = a_log()
    await project(await tell(delay_attributed(after), log=log), pool)
    assert (await seller_rates(pool, "S1", LONG_AFTER, 60)).late == RateView(many=0, of=2, milli=0)


async def test_only_the_weeks_that_are_asked_for_count(pool: asyncpg.Pool) -> None:
    log = a_log()
    log.now.advance(100 * DAY)  # type: ignore[attr-defined]
    events = (
        shipped(ids(1, "S1"), START, late=True),
        shipped(ids(2, "S1"), START + 7 * DAY, late=False),
    )
    await project(await tell(*events, log=log), pool)
    at = micros(START + 7 * DAY)
    one, two = await seller_rates(pool, "S1", at, 1), await seller_rates(pool, "S1", at, 2)
    assert (one.dispatched_late, one.since) == (
        RateView(many=0, of=1, milli=0),
        two.since + 7 * DAY,
    )
    assert two.dispatched_late == RateView(many=1, of=2, milli=500)
    before = await seller_rates(pool, "S1", micros(START), 1)
    assert before.dispatched_late == RateView(many=1, of=1, milli=1000)


async def test_of_nothing_there_is_no_rate(pool: asyncpg.Pool) -> None:
    found = await seller_rates(pool, "S9", LONG_AFTER, 13)
    assert found.late == found.cancelled == found.defects == RateView(many=0, of=0, milli=None)
    assert (await buyer_rates(pool, "B9", LONG_AFTER, 13)).abuse == 0


# --- Over HTTP


async def test_rates_are_shown_to_whom_they_are_about_and_to_staff(
    caller: Callable[..., Client], tell: Callable[..., Awaitable[None]], clock: ManualClock
) -> None:
    of = ids(1, "S1", "B1")
    await tell("order-o1", shipped(of, clock(), late=True), completed(of, clock(), late=True))
    lost = {"liable": "BUYER", "seller_fault_pct": 0, "buyer_abuse": True}
    await tell("dispute-d1", dispute_closed(of, clock(), "DECIDED", **lost))
    for who in (caller("SELLER", "S1"), caller("ANALYST", "AN1"), caller("AUDITOR", "AU1")):
        shown = (await who.get("/v1/sellers/S1/rates")).json()
        assert shown["late"] == {"many": 1, "of": 1, "milli": 1000}
        assert shown["defects"] == {"many": 0, "of": 1, "milli": 0}
    for who in (caller("BUYER", "B1"), caller("ANALYST", "AN1")):
        assert (await who.get("/v1/buyers/B1/rates?weeks=1")).json()["abuse"] == 1
    for stranger, of_seller, of_buyer in (
        (caller("SELLER", "S2"), 404, 403),
        (caller("BUYER", "B2"), 403, 404),
        (caller("STOREFRONT", "www"), 403, 403),
    ):
        assert (await stranger.get("/v1/sellers/S1/rates")).status_code == of_seller
        assert (await stranger.get("/v1/buyers/B1/rates")).status_code == of_buyer
    for wrong in ("weeks=0", "weeks=157", "as_of=2999-01-01T00:00:00Z"):
        assert (
            await caller("SELLER", "S1").get(f"/v1/sellers/S1/rates?{wrong}")
        ).status_code == 422
