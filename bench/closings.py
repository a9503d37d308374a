"""How long 100,000 evaluations take to be closed whose time is over at once; how much faster two
workers are than one; and what reading the reviews of one seller takes then, who has that many.

All are of one seller, in one partition of the log: the worst case for all of it. The rates are of
a running stack. One worker of review-service closes some first, alone; then a second one comes:
they share timers, and leases of the rest.

Whether they stand in one another's way is asked of workers that may run a quarter of the time
each: two cores have enough left then for what two of them ask of everybody else. With all of its
time one worker keeps more than one core busy already, by itself and by its database; what a second
one adds then says how many cores there are. It is measured too, and told.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from local_stack.oracle import reviewed
from local_stack.services import Service, Stack, ephemeral_stack, replica_of
from shared_cli import bulk, clock

from bench.stacks import until

EVALUATIONS = 100_000
OF_ONE_SLOWED, OF_TWO_SLOWED, OF_ONE = 10_000, 20_000, 20_000
"""Closed before: by one worker and by two that may run some of the time, and by one with all."""
RUNS = 0.25
"""Of its time a worker that is slowed."""
TURN_SECONDS = 0.04
SECONDS_MAX = 60.0
RATIO_MIN = 1.5
PAGE_SECONDS_MAX = 0.05
PAGES = 300
PAGE = 50
SETTLE_SECONDS = 15.0
SELLER = "S-large"
OPEN = timedelta(days=15)
"""How long after its order an evaluation closes."""
DAY = timedelta(days=1)
FIRST_CLOSE = timedelta(hours=12)
"""From the import until the first of them do; those of each later part a day after the former."""
PARTS = (OF_ONE_SLOWED, OF_ONE, OF_TWO_SLOWED, EVALUATIONS)
"""In the order in which their time is over; all are of one import."""
READY = "SELECT count(*) FROM es.timer WHERE name = 'EVALUATION_CLOSE'"
GONE = "SELECT (NOT EXISTS (SELECT FROM es.timer WHERE due_at < $1))::int"
SHOWN = "SELECT count(*) FROM read.public_reviews WHERE revealed_at IS NOT NULL"
PRICE = {"amount": 1000, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Closed:
    """Seconds until all are revealed, and until the list has all; those of each page, sorted.
    `one`, `one_slowed`, `two_slowed`: evaluations a second, of one worker and of slowed ones.
    """

    one_slowed: float
    one: float
    two_slowed: float
    seconds: float
    listed: float
    pages: list[float]

    @property
    def two(self) -> float:
        return EVALUATIONS / self.seconds

    @property
    def p99(self) -> float:
        return self.pages[int(0.99 * (len(self.pages) - 1))]

    @property
    def ratio(self) -> float:
        """How many times as many two workers close as one, where the machine is not in the way."""
        return self.two_slowed / self.one_slowed

    @property
    def holds(self) -> bool:
        in_time = self.seconds <= SECONDS_MAX and self.p99 <= PAGE_SECONDS_MAX
        return in_time and self.ratio >= RATIO_MIN

    def line(self) -> str:
        verdict = "holds" if self.holds else "MISSED"
        median = self.pages[len(self.pages) // 2]
        return (
            f"{EVALUATIONS:,} evaluations due at once: revealed after {self.seconds:.1f} s "
            f"(<= {SECONDS_MAX:.0f} s), {self.two:,.0f} a second by two workers, {self.one:,.0f} "
            f"by one, {self.two / self.one:.2f} times; by workers that run {RUNS:.0%} of the time "
            f"{self.two_slowed:,.0f} and {self.one_slowed:,.0f}: {self.ratio:.2f} times "
            f"(>= {RATIO_MIN:g}); listed after "
            f"{self.listed:.1f} s; a page of {PAGE} of their seller: p99 {1000 * self.p99:.0f} ms, "
            f"median {1000 * median:.0f} ms (<= {1000 * PAGE_SECONDS_MAX:.0f} ms) {verdict}"
        )


def measure() -> Closed:
    """Brings the orders in with the buyers' reviews, and moves the clock over their closings."""
    with ephemeral_stack() as stack:
        worker = stack.services["review-worker"]
        asyncio.run(_bring(stack))
        one_slowed, one = asyncio.run(_by_one(stack, worker))
        replica = replica_of(worker)
        replica.start()
        try:
            replica.wait_ready()
            two_slowed, seconds, listed = asyncio.run(_by_two(stack, [worker, replica]))
            pages = asyncio.run(_pages(stack))
        finally:
            replica.stop()
    return Closed(one_slowed, one, two_slowed, seconds, listed, pages)


async def _bring(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('IMPORTER', 'bench')}"}
    async with bulk.client(headers) as web:
        taken = await bulk.send(web, stack.description.urls["review"], _lines(), lambda _: None)
    assert not taken.orders_refused, taken.orders_refused


async def _by_one(stack: Stack, worker: Service) -> tuple[float, float]:
    """How many it closes in a second when it is slowed, and when it is not."""
    db = await asyncpg.connect(_database(stack))
    await until(db, READY, sum(PARTS))
    async with _slowed([worker]):
        slowed = await _closed(stack, db, FIRST_CLOSE)
    await until(db, SHOWN, OF_ONE_SLOWED)
    seconds = await _closed(stack, db, DAY)
    await until(db, SHOWN, OF_ONE_SLOWED + OF_ONE)
    await db.close()
    return OF_ONE_SLOWED / slowed, OF_ONE / seconds


async def _by_two(stack: Stack, workers: Sequence[Service]) -> tuple[float, float, float]:
    """How many they close in a second when they are slowed; seconds until all of the rest are
    closed when they are not, and until the list has them.
    """
    db = await asyncpg.connect(_database(stack))
    async with _slowed(workers):
        slowed = await _closed(stack, db, DAY)
    await until(db, SHOWN, sum(PARTS) - EVALUATIONS)
    began = time.perf_counter()
    seconds = await _closed(stack, db, DAY)
    await until(db, SHOWN, sum(PARTS))
    listed = time.perf_counter() - began
    await db.close()
    await asyncio.sleep(SETTLE_SECONDS)  # the other services have come so far as well
    return OF_TWO_SLOWED / slowed, seconds, listed


@asynccontextmanager
async def _slowed(workers: Sequence[Service]) -> AsyncGenerator[None]:
    """Each of them is frozen most of the time, whatever it holds then."""
    turns = [asyncio.create_task(_in_turns(worker)) for worker in workers]
    try:
        yield
    finally:
        for turn in turns:
            turn.cancel()
        await asyncio.wait(turns)


async def _in_turns(worker: Service) -> None:
    try:
        while True:
            worker.freeze()
            await asyncio.sleep((1 - RUNS) * TURN_SECONDS)
            worker.thaw()
            await asyncio.sleep(RUNS * TURN_SECONDS)
    finally:
        worker.thaw()


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
    imported = datetime.now(UTC).replace(microsecond=0)
    days = (day for day, part in enumerate(PARTS) for _ in range(part))
    for number, day in enumerate(days):
        text = f"The mug number {number} holds what it promises."
        # Before the clock has come so far that these close, and after those of a day before have.
        closes = imported + FIRST_CLOSE / 2 + day * DAY
        line = reviewed(_order(number), closes - OPEN, 1 + number % 5, text)
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
