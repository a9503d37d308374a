"""How long a projection takes to be built again, by one process and by one for each core.

Of a history of orders with their reviews, of many sellers, while the service's own worker rests.
What 1,000,000,000 events would take is computed from it: the fold of a partition needs no other.
"""

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from local_stack.oracle import ask, order, reviewed
from local_stack.people import until
from local_stack.services import Stack, ephemeral_stack
from msgspec import Struct
from shared_cli import bulk

ORDERS = 12_000
SELLERS = 400
ROUNDS = 3
PROJECTION = "public_reviews"
MANY = 1_000_000_000
FASTER = 1.2  # on two cores, which PostgreSQL needs as well
READ = """
    SELECT coalesce(sum(cursor.position), 0)::bigint AS events
    FROM es.projection AS projection
    JOIN es.cursor AS cursor ON cursor.subscription = projection.name || '/' || generation
    WHERE projection.name = $1
"""
LOGGED = "SELECT sum(position)::bigint AS events FROM es.head"


class Folded(Struct):
    """What a process says of its part."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Seconds of each round, by one process and by `processes`."""

    events: int
    processes: int
    alone: list[float]
    apart: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(a / b for a, b in zip(self.alone, self.apart, strict=True))

    @property
    def holds(self) -> bool:
        return self.ratio >= FASTER

    def line(self) -> str:
        alone, apart = (self.events / statistics.median(took) for took in (self.alone, self.apart))
        return (
            f"{PROJECTION} of {self.events:,} events built again: {alone:,.0f} a second by one "
            f"process, {apart:,.0f} by {self.processes}: {self.ratio:.2f} (>= {FASTER}); "
            f"{MANY:,} events: {MANY / alone / 3600:.1f} and {MANY / apart / 3600:.1f} hours "
            f"{'holds' if self.holds else 'MISSED'}"
        )


def measure() -> Rebuilt:
    with ephemeral_stack() as stack:
        asyncio.run(_bring(stack))
        (logged,) = ask(stack, "review", LOGGED)

        def has_read() -> bool:
            return bool(ask(stack, "review", READ, PROJECTION)[0]["events"] == logged["events"])

        until(has_read, "all is projected")
        for service in stack.services.values():
            if service.command == "worker":
                service.stop()
        processes = os.process_cpu_count() or 1
        alone: list[float] = []
        apart: list[float] = []
        for _ in range(ROUNDS):
            alone.append(_rebuild(stack, 1))
            apart.append(_rebuild(stack, processes))
        return Rebuilt(logged["events"], processes, alone, apart)


def _rebuild(stack: Stack, processes: int) -> float:
    """Seconds until the last of the processes has folded its part, without their starts."""
    command = [sys.executable, "-m", "review_service", "rebuild", PROJECTION, str(processes)]
    told = subprocess.run(  # noqa: S603 - our own program
        command,
        env=stack.services["review-worker"].env,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ).stdout
    lines = [line for line in told.splitlines() if b'"part folded"' in line]
    took = [msgspec.json.decode(line, type=Folded).seconds for line in lines]
    assert len(took) == processes, told
    return max(took)


async def _bring(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('IMPORTER', 'bench')}"}
    async with bulk.client(headers) as web:
        taken = await bulk.send(web, stack.description.urls["review"], _lines(), lambda _: None)
    assert not taken.orders_refused, taken.orders_refused


def _lines() -> Iterator[bytes]:
    completed = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)

    for number in range(ORDERS):
        placed = order(f"rebuilt-{number}") | {"seller_id": f"S-{number % SELLERS}"}
        text = f"The mug number {number} holds what it promises."
        yield msgspec.json.encode(reviewed(placed, completed, 1 + number % 5, text)) + b"\n"
