"""What a command and a read cost over HTTP, against the plain way to do the same (plain.py).

The whole stack runs, so that each command is followed by the workers of all services; behind the
plain way nobody follows anything. Both have the same servers, are asked by the same lean client
over connections that are kept, and have their rounds in turn; while the one is asked, the
processes of the other are stopped. Processor time is that of all processes but the client's, until
they are at rest again.
"""

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Protocol
from uuid import uuid4

from local_stack import processes
from local_stack.databases import create_database, drop_database
from local_stack.services import Stack, ephemeral_stack
from sqlalchemy.engine import make_url

from bench.orders import a_minute_ago, new_order
from bench.processor import processor_seconds
from bench.stacks import Line

AT_ONCE = 16
ROUNDS = 3
WARM_UP_ROUNDS = 1
COMMANDS = 500
COMMANDS_ALONE = 100
READS = 1_000
SELLERS = 100
"""They have their accounts from the first rounds on; each order is of a buyer who is new, as nearly
all are in the real history that the import is measured with."""
RATE_MIN = 0.8
TIMES_MAX = 2.0
TIMES_ALONE_MAX = 3.0
READ_RATE_MIN = 1.2
REST_LOOK_SECONDS = 1.0
REST_SHARE_MAX = 0.2
"""Of a core: all processes together, taking less for so long, have nothing more to do. (They take a
seventh when nobody asks anything, and little while they rest between their turns.)"""


class Stoppable(Protocol):
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Side:
    """Who is asked: where he listens, what runs for him alone, and the orders that he has taken."""

    url: str
    processes: Sequence[Stoppable]
    placed: list[str] = field(default_factory=list[str])


type Ask = Callable[[Side, Line, int], Awaitable[None]]
"""One request, the number of which tells it from the others."""


@dataclass(slots=True)
class Shown:
    """What the rounds have shown of a side: requests a second, and processor time for each."""

    rates: list[float] = field(default_factory=list[float])
    ms: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Medians of both sides; of the rounds' ratios, those of the rates and of processor times."""

    name: str
    ours: Shown
    plain: Shown
    ratio_min: float = 0.0
    times_max: float = float("inf")

    @property
    def ratio(self) -> float:
        return _ratio(self.ours.rates, self.plain.rates)

    @property
    def times(self) -> float:
        return _ratio(self.ours.ms, self.plain.ms)

    @property
    def holds(self) -> bool:
        return self.ratio >= self.ratio_min and self.times <= self.times_max

    def line(self) -> str:
        rate, plain_rate, ms, plain_ms = (
            statistics.median(shown)
            for shown in (self.ours.rates, self.plain.rates, self.ours.ms, self.plain.ms)
        )
        wanted = [
            *([f"rate >= {self.ratio_min:g}"] if self.ratio_min else []),
            *([f"processor <= {self.times_max:g}"] if self.times_max < float("inf") else []),
        ]
        return (
            f"{self.name}: {rate:,.0f}/s, {ms:.1f} ms of processor time each\n"
            f"  against the plain way: {plain_rate:,.0f}/s, {plain_ms:.1f} ms: "
            f"rate {self.ratio:.2f}, processor {self.times:.1f} ({', '.join(wanted)}) "
            f"{'holds' if self.holds else 'MISSED'}"
        )


@dataclass(frozen=True, slots=True)
class Rows:
    rows: Sequence[Served]

    @property
    def holds(self) -> bool:
        return all(row.holds for row in self.rows)

    def line(self) -> str:
        return "\n".join(row.line() for row in self.rows)


def measure() -> Rows:
    with ephemeral_stack() as stack, plain_way(stack) as plain:
        ours = Side(stack.description.urls["review"], list(stack.services.values()))
        return Rows(asyncio.run(_rows(stack, ours, plain)))


@contextmanager
def plain_way(stack: Stack) -> Generator[Side]:
    """It answers, with a database of its own."""
    told = stack.description
    name = f"plain_{uuid4().hex[:8]}"
    database = make_url(create_database(told.postgres_url, name).owner_url)
    url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    port = processes.free_port()
    process = processes.start(
        "the plain way",
        [sys.executable, "-m", "bench.plain", url, told.jwks, str(port)],
        log=stack.folder / "logs" / "plain.log",
    )
    try:
        processes.wait_until(lambda: processes.answers(port), process, seconds=30, ready="there")
        yield Side(f"http://127.0.0.1:{port}", [process])
    finally:
        process.stop()
        drop_database(told.postgres_url, name)


async def _rows(stack: Stack, ours: Side, plain: Side) -> list[Served]:
    headers = {"authorization": f"Bearer {stack.token('SYSTEM', 'bench')}"}
    place, read = partial(_place, headers), partial(_read, headers)
    together = await _rounds((ours, plain), place, AT_ONCE, COMMANDS)
    alone = await _rounds((ours, plain), place, 1, COMMANDS_ALONE)
    reads = await _rounds((ours, plain), read, AT_ONCE, READS)
    return [
        Served(
            name=f"POST of an order, {AT_ONCE} at once",
            ours=together[0],
            plain=together[1],
            ratio_min=RATE_MIN,
            times_max=TIMES_MAX,
        ),
        Served(
            name="POST of an order, one at a time",
            ours=alone[0],
            plain=alone[1],
            times_max=TIMES_ALONE_MAX,
        ),
        Served(
            name=f"GET of an order, {AT_ONCE} at once",
            ours=reads[0],
            plain=reads[1],
            ratio_min=READ_RATE_MIN,
        ),
    ]


async def _place(headers: Mapping[str, str], side: Side, line: Line, _: int) -> None:
    mark = uuid4().hex
    at = a_minute_ago()
    seller = f"S-{len(side.placed) % SELLERS}"
    order = new_order(mark, seller_id=seller, buyer_id=f"B-{mark}", placed_at=at)
    told = {**headers, "content-type": "application/json", "idempotency-key": mark}
    status, answer = await line.post("/v1/orders", json.dumps(order).encode(), told)
    assert status == HTTPStatus.CREATED, answer
    side.placed.append(mark)


async def _read(headers: Mapping[str, str], side: Side, line: Line, number: int) -> None:
    order_id = side.placed[number % len(side.placed)]
    status, answer = await line.get(f"/v1/orders/{order_id}", headers)
    assert status == HTTPStatus.OK, answer


async def _rounds(
    sides: tuple[Side, Side], ask: Ask, at_once: int, requests: int
) -> tuple[Shown, Shown]:
    """Round by round, who goes first in turn. What the first rounds show is left out."""
    shown = Shown(), Shown()
    for number in range(WARM_UP_ROUNDS + ROUNDS):
        for who in (0, 1) if number % 2 else (1, 0):
            rate, ms = await _round(sides[who], sides[1 - who], ask, at_once, requests)
            if number >= WARM_UP_ROUNDS:
                shown[who].rates.append(rate)
                shown[who].ms.append(ms)
    return shown


async def _round(
    side: Side, other: Side, ask: Ask, at_once: int, requests: int
) -> tuple[float, float]:
    """Requests a second, and milliseconds of processor time for each, what follows included."""
    lines = [await Line.to(side.url) for _ in range(at_once)]
    numbers = iter(range(requests))

    async def one_after_the_other(line: Line) -> None:
        for number in numbers:
            await ask(side, line, number)

    with stopped(other):
        await at_rest()
        gc.collect()
        used, began = processor_seconds(), time.perf_counter()
        await asyncio.gather(*map(one_after_the_other, lines))
        took = time.perf_counter() - began
        await at_rest()
        used = processor_seconds() - used
    for line in lines:
        await line.close()
    return requests / took, 1000 * used / requests


@contextmanager
def stopped(side: Side) -> Generator[None]:
    for each in side.processes:
        each.freeze()
    try:
        yield
    finally:
        for each in side.processes:
            each.thaw()


async def at_rest() -> None:
    """Whoever followed is done."""
    while True:
        before = processor_seconds()
        await asyncio.sleep(REST_LOOK_SECONDS)
        if processor_seconds() - before < REST_SHARE_MAX * REST_LOOK_SECONDS:
            return


def _ratio(ours: Sequence[float], plain: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, plain, strict=True))
