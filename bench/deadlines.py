"""How long 10,000 deadlines of disputes take that fall due at once, of 100,000 open ones; and what
reading a list of them takes then.

All are of one seller, in one partition of the log: the worst case for both. The rates are of a
running stack with two workers of dispute-service; one of them is killed on the way.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
from local_stack.services import Service, Stack, ephemeral_stack, replica_of
from msgspec import Struct
from shared_cli import clock
from shared_events.dispute import DisputedUnits, DisputeOpened
from shared_events.orders import OrderLine, OrderPlaced
from shared_runtime.clock import system_clock
from shared_runtime.log import Planned, PostgresLog

from bench.stacks import LOOK_SECONDS, until

DISPUTES = 100_000
DUE = 10_000
SECONDS_MAX = 30.0
PAGE_SECONDS_MAX = 0.1
PAGES = 200
BATCH = 1_000
KILLED_AFTER = 2_000
SELLER = "S-large"
DAY = timedelta(days=1)
KNOWN = "SELECT count(*) FROM read.order_facts"
ARMED = "SELECT count(*) FROM es.timer WHERE name = 'DISPUTE_ANSWER'"
LEFT = "SELECT count(*) FROM es.timer WHERE name = 'DISPUTE_ANSWER' AND due_at < $1"
GIVEN = """
    SELECT count(*), count(DISTINCT stream_id) FROM es.event WHERE type = 'DefaultJudgementGiven.v1'
"""


@dataclass(frozen=True, slots=True)
class Passed:
    """Seconds until all that was due is decided; how many decisions there are, and on how many
    disputes; the seconds of each page of the seller's list, sorted.
    """

    seconds: float
    decisions: int
    disputes: int
    pages: list[float]

    @property
    def p99(self) -> float:
        return self.pages[int(0.99 * (len(self.pages) - 1))]

    @property
    def holds(self) -> bool:
        once = self.decisions == self.disputes == DUE
        return once and self.seconds <= SECONDS_MAX and self.p99 <= PAGE_SECONDS_MAX

    def line(self) -> str:
        verdict = "holds" if self.holds else "MISSED"
        return (
            f"{DUE:,} deadlines of {DISPUTES:,} disputes due at once: decided after "
            f"{self.seconds:.1f} s (<= {SECONDS_MAX:.0f} s), a worker killed on the way; "
            f"{self.decisions:,} decisions on {self.disputes:,} disputes; a page of the seller's: "
            f"p99 {1000 * self.p99:.0f} ms (<= {1000 * PAGE_SECONDS_MAX:.0f} ms) {verdict}"
        )


def measure() -> Passed:
    """Opens the disputes, and moves the clock over the deadlines of some of them."""
    with ephemeral_stack() as stack:
        replica = replica_of(stack.services["dispute-worker"])
        replica.start()
        replica.wait_ready()
        try:
            return asyncio.run(_pass(stack, replica))
        finally:
            replica.stop()


async def _pass(stack: Stack, replica: Service) -> Passed:
    now = datetime.now(UTC)
    placed = [(f"order-d{n}", _order(n, now)) for n in range(DISPUTES)]
    await _append(stack, "review", placed)
    db = await asyncpg.connect(stack.description.databases["dispute"].owner_url)
    await until(db, KNOWN, DISPUTES)
    opened = [(f"dispute-D{n}", _dispute(n, now)) for n in range(DISPUTES)]
    await _append(stack, "dispute", opened)
    await until(db, ARMED, DISPUTES)
    began = time.perf_counter()
    clock.move(Path(stack.description.clock_file), 2 * DAY)
    due = now + 2 * DAY
    while (left := await db.fetchval(LEFT, due)) > 0:
        if left < DUE - KILLED_AFTER and replica.running():
            replica.kill()
        await asyncio.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - began
    given = await db.fetchrow(GIVEN)
    assert given is not None
    decisions, disputes = given
    await db.close()
    return Passed(seconds, decisions, disputes, await _pages(stack))


async def _append(stack: Stack, service: str, events: Sequence[tuple[str, Struct]]) -> None:
    async with asyncpg.create_pool(stack.description.databases[service].app_url) as pool:
        log = PostgresLog(pool, source=f"/{service}-service", now=system_clock)
        at = datetime.now(UTC)
        for some in batched(events, BATCH, strict=False):
            await log.append([_planned(stream, event, at) for stream, event in some])


def _planned(stream: str, event: Struct, at: datetime) -> Planned:
    cause = str(uuid4())
    return Planned(
        event=event,
        event_id=cause,
        stream=stream,
        version=1,
        time=at,
        actor="system:bench",
        correlation=stream,
        cause=cause,
    )


async def _pages(stack: Stack) -> list[float]:
    """Seconds of pages of the seller's list, the most urgent first, read on and on."""
    took: list[float] = []
    headers = {"Authorization": f"Bearer {stack.token('SELLER', SELLER)}"}
    url = f"{stack.description.urls['dispute']}/v1/disputes"
    cursor: dict[str, str] = {}
    async with httpx.AsyncClient(headers=headers, timeout=30) as web:
        for _ in range(PAGES):
            began = time.perf_counter()
            answered = await web.get(url, params={"sort": "due"} | cursor)
            took.append(time.perf_counter() - began)
            assert answered.is_success, answered.text
            cursor = {"cursor": answered.json()["next_cursor"]}
    return sorted(took)


def _order(number: int, now: datetime) -> OrderPlaced:
    line = OrderLine(line_id="1", sku="mug", category="home", quantity=1, unit_price_minor=1000)
    return OrderPlaced(
        order_id=f"d{number}",
        seller_id=SELLER,
        buyer_id=f"B-{number}",
        policy_version="ae-2025-1",
        marketplace_id="bench",
        country="FR",
        currency="EUR",
        placed_at=now - 9 * DAY,
        lines=[line],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=1000,
        total_ref_minor=1100,
        withdrawal_right=True,
    )


def _dispute(number: int, now: datetime) -> DisputeOpened:
    """The first of them are to be answered by tomorrow."""
    answer_due = now + (DAY if number < DUE else 5 * DAY)
    return DisputeOpened(
        order_id=f"d{number}",
        seller_id=SELLER,
        buyer_id=f"B-{number}",
        policy_version="ae-2025-1",
        dispute_id=f"D{number}",
        reason="DAMAGED",
        lines=[DisputedUnits(line_id="1", quantity=1, units="1/1")],
        proposal_id=f"P{number}",
        outcome="REFUND_FULL",
        currency="EUR",
        ceiling_minor=1000,
        held_minor=1000,
        opened_at=now,
        answer_due=answer_due,
        auto_escalate_at=now + 7 * DAY,
        buyer_may_escalate_at=now + 3 * DAY,
        seller_may_escalate_at=now + 5 * DAY,
    )
