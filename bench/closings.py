"""How long 100,000 evaluations take to be closed whose time is over at once; and what reading the
reviews of one seller takes then, who has that many.

All are of one seller, in one partition of the log: the worst case for both. The rates are of a
running stack with two workers of review-service: they share timers, and leases of the rest.
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
from local_stack.services import Stack, ephemeral_stack
from shared_cli import bulk, clock

from bench.stacks import replica_of, until

EVALUATIONS = 100_000
SECONDS_MAX = 60.0
PAGE_SECONDS_MAX = 0.05
PAGES = 300
PAGE = 50
SETTLE_SECONDS = 15.0
SELLER = "S-large"
READY = "SELECT count(*) FROM es.timer WHERE name = 'EVALUATION_CLOSE'"
GONE = "SELECT (NOT EXISTS (SELECT FROM es.timer))::int"
SHOWN = "SELECT count(*) FROM read.public_reviews WHERE revealed_at IS NOT NULL"
PRICE = {"amount": 1000, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Closed:
    """Seconds until all are revealed, and until the list has all; those of each page, sorted."""

    seconds: float
    listed: float
    pages: list[float]

    @property
    def p99(self) -> float:
        return self.pages[int(0.99 * (len(self.pages) - 1))]

    @property
    def holds(self) -> bool:
        return self.seconds <= SECONDS_MAX and self.p99 <= PAGE_SECONDS_MAX

    def line(self) -> str:
        verdict = "holds" if self.holds else "MISSED"
        median = self.pages[len(self.pages) // 2]
        return (
            f"{EVALUATIONS:,} evaluations due at once: revealed after {self.seconds:.1f} s "
            f"(<= {SECONDS_MAX:.0f} s), {EVALUATIONS / self.seconds:,.0f} a second; listed after "
            f"{self.listed:.1f} s; a page of {PAGE} of their seller: p99 {1000 * self.p99:.0f} ms, "
            f"median {1000 * median:.0f} ms (<= {1000 * PAGE_SECONDS_MAX:.0f} ms) {verdict}"
        )


def measure() -> Closed:
    """Brings the orders in with the buyers' reviews, and moves the clock over their closing."""
    with ephemeral_stack() as stack:
        asyncio.run(_bring(stack))
        replica = replica_of(stack.services["review-worker"])
        replica.start()
        try:
            replica.wait_ready()
            return asyncio.run(_close(stack))
        finally:
            replica.stop()


async def _bring(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('IMPORTER', 'bench')}"}
    async with bulk.client(headers) as web:
        taken = await bulk.send(web, stack.description.urls["review"], _lines(), lambda _: None)
    assert not taken.orders_refused, taken.orders_refused


async def _close(stack: Stack) -> Closed:
    db = await asyncpg.connect(_database(stack))
    await until(db, READY, EVALUATIONS)
    began = time.perf_counter()
    clock.move(Path(stack.description.clock_file), timedelta(days=2))
    await until(db, GONE, 1)
    seconds = time.perf_counter() - began
    await until(db, SHOWN, EVALUATIONS)
    listed = time.perf_counter() - began
    await db.close()
    await asyncio.sleep(SETTLE_SECONDS)  # the other services have come so far as well
    return Closed(seconds, listed, await _pages(stack))


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
    completed = datetime.now(UTC).replace(microsecond=0) - timedelta(days=14)
    for number in range(EVALUATIONS):
        text = f"The mug number {number} holds what it promises."
        line = reviewed(_order(number), completed, 1 + number % 5, text)
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
