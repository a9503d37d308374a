"""How long 100,000 evaluations take to be closed whose time is over at once; how much faster two
workers are than one; and what reading the reviews of one seller takes then, who has that many.

All are of one seller, in one partition of the log: the worst case for all of it. The rates are of
a running stack. One worker of review-service closes some first, alone; then a second one comes:
they share timers, and leases of the rest.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from local_stack.oracle import reviewed
from local_stack.services import Stack, ephemeral_stack, replica_of
from shared_cli import bulk, clock

from bench.stacks import until

EVALUATIONS = 100_000
EVALUATIONS_OF_ONE = 20_000
"""Closed by one worker, before the second one comes."""
SECONDS_MAX = 60.0
RATIO_MIN = 1.5
PAGE_SECONDS_MAX = 0.05
PAGES = 300
PAGE = 50
SETTLE_SECONDS = 15.0
SELLER = "S-large"
OPEN = timedelta(days=15)
"""How long after its order an evaluation closes."""
LASTS = timedelta(days=2)
"""From the import until it does."""
EARLIER = timedelta(days=1)
"""By so much those are closed before, which are closed by one worker."""
FIRST_CLOSE = LASTS - EARLIER + timedelta(hours=12)
ALL_CLOSED = EARLIER
READY = "SELECT count(*) FROM es.timer WHERE name = 'EVALUATION_CLOSE'"
GONE = "SELECT (NOT EXISTS (SELECT FROM es.timer WHERE due_at < $1))::int"
SHOWN = "SELECT count(*) FROM read.public_reviews WHERE revealed_at IS NOT NULL"
PRICE = {"amount": 1000, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Closed:
    """Seconds until all are revealed, and until the list has all; those of each page, sorted.
    `alone`: until those of the one worker are revealed.
    """

    alone: float
    seconds: float
    listed: float
    pages: list[float]

    @property
    def p99(self) -> float:
        return self.pages[int(0.99 * (len(self.pages) - 1))]

    @property
    def ratio(self) -> float:
        """How many times as many two workers close as one, in the same time."""
        return (EVALUATIONS / self.seconds) / (EVALUATIONS_OF_ONE / self.alone)

    @property
    def holds(self) -> bool:
        in_time = self.seconds <= SECONDS_MAX and self.p99 <= PAGE_SECONDS_MAX
        return in_time and self.ratio >= RATIO_MIN

    def line(self) -> str:
        verdict = "holds" if self.holds else "MISSED"
        median = self.pages[len(self.pages) // 2]
        return (
            f"{EVALUATIONS:,} evaluations due at once: revealed after {self.seconds:.1f} s "
            f"(<= {SECONDS_MAX:.0f} s), {EVALUATIONS / self.seconds:,.0f} a second by two workers, "
            f"{EVALUATIONS_OF_ONE / self.alone:,.0f} by one: {self.ratio:.2f} times "
            f"(>= {RATIO_MIN:g}); listed after "
            f"{self.listed:.1f} s; a page of {PAGE} of their seller: p99 {1000 * self.p99:.0f} ms, "
            f"median {1000 * median:.0f} ms (<= {1000 * PAGE_SECONDS_MAX:.0f} ms) {verdict}"
        )


def measure() -> Closed:
    """Brings the orders in with the buyers' reviews, and moves the clock over their closing."""
    with ephemeral_stack() as stack:
        asyncio.run(_bring(stack))
        alone = asyncio.run(_close_some(stack))
        replica = replica_of(stack.services["review-worker"])
        replica.start()
        try:
            replica.wait_ready()
            return asyncio.run(_close(stack, alone))
        finally:
            replica.stop()


async def _bring(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('IMPORTER', 'bench')}"}
    async with bulk.client(headers) as web:
        taken = await bulk.send(web, stack.description.urls["review"], _lines(), lambda _: None)
    assert not taken.orders_refused, taken.orders_refused


async def _close_some(stack: Stack) -> float:
    """Seconds until the one worker has closed those whose time is over first."""
    db = await asyncpg.connect(_database(stack))
    await until(db, READY, EVALUATIONS_OF_ONE + EVALUATIONS)
    seconds = await _closed(stack, db, FIRST_CLOSE)
    await until(db, SHOWN, EVALUATIONS_OF_ONE)
    await db.close()
    return seconds


async def _close(stack: Stack, alone: float) -> Closed:
    db = await asyncpg.connect(_database(stack))
    began = time.perf_counter()
    seconds = await _closed(stack, db, ALL_CLOSED)
    await until(db, SHOWN, EVALUATIONS_OF_ONE + EVALUATIONS)
    listed = time.perf_counter() - began
    await db.close()
    await asyncio.sleep(SETTLE_SECONDS)  # the other services have come so far as well
    return Closed(alone, seconds, listed, await _pages(stack))


async def _closed(stack: Stack, db: asyncpg.Connection, passes: timedelta) -> float:
    """Moves the clock on by so much; seconds until no deadline before it is left."""
    file = Path(stack.description.clock_file)
    clock.move(file, passes)
    began, now = time.perf_counter(), datetime.now(UTC) + clock.offset(file)
    await until(db, GONE, 1, now)
    return time.perf_counter() - began


async def _pages(stack: Stack) -> list[float]:
    """Seconds of pages of both orders, read on and on."""
    took: list[float] = []
    headers = {"Authorization": f"Bearer {stack.token('AUDITOR', 'bench')}"}
    url = f"{stack.description.urls['review']}/v1/sellers/{SELLER}/reviews"
    async with httpx.AsyncClient(headers=headers, timeout=30) as web:
        for sort in ("newest", "most_useful"):
            cursor: dict[str, str] = {}
            for _ in range(PAGES // 2):
                began = time.perf_counter()
                asked = {"sort": sort, "limit": str(PAGE)} | cursor
                answered = await web.get(url, params=asked)
                took.append(time.perf_counter() - began)
                assert answered.is_success, answered.text
                cursor = {"cursor": answered.json()["next_cursor"]}
    return sorted(took)


def _lines() -> Iterator[bytes]:
    completed = datetime.now(UTC).replace(microsecond=0) - OPEN + LASTS
    for number in range(EVALUATIONS_OF_ONE + EVALUATIONS):
        text = f"The mug number {number} holds what it promises."
        before = EARLIER if number < EVALUATIONS_OF_ONE else timedelta()
        line = reviewed(_order(number), completed - before, 1 + number % 5, text)
        yield json.dumps(line).encode() + b"\n"


def _order(number: int) -> dict[str, object]:
    return {
        "order_id": f"closing-{number}",
        "seller_id": SELLER,
        "buyer_id": f"B-{number}",
        "marketplace_id": "bench",
        "country": "FR",
        "currency": "EUR",
        "lines": [
            {
                "line_id": "1",
                "sku": f"mug-{number % 100}",
                "category": "home",
                "quantity": 1,
                "unit_price": PRICE,
            }
        ],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": PRICE,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }


def _database(stack: Stack) -> str:
    told = stack.description
    return f"{told.postgres_url.rpartition('/')[0]}/{told.databases['review'].name}"
