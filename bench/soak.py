"""A stack at work for as long as one likes: what must not grow does not (`make soak MINUTES=30`).

Orders come in singly and in bulk with their reviews, are read, some sellers are told of theirs by
webhook, buyers ask for returns, which a carrier is asked for labels of, and the clock is moved on,
so that within one run ninety days pass: deadlines are armed and fire, answers are kept and
forgotten. What is looked at:

memory    of each process of the services: not more in the last third than in the middle one
tables    that hold what comes and goes: the same, with their indexes
events    the bytes that one takes, with its indexes: the same at the end as in the middle

Exit code 0 when all of that is flat, 1 when something grows (it is named).
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
import httpx
import msgspec
from local_stack.databases import SERVICES
from local_stack.errors import StackError
from local_stack.oracle import check_log, order, reviewed
from local_stack.receiver import receiving
from local_stack.services import Stack, ephemeral_stack
from shared_cli import bulk, clock
from shared_runtime.connections import KEEP_ALIVE_SECONDS

MINUTES = 30.0
PASSES = timedelta(days=90)
SAMPLES = 60
TURN_SECONDS = 1.0
BULK = 10
SELLERS = 50
TOLD = 5
"""So many of the sellers have an endpoint of a webhook."""
RETURNED_AFTER = 20
"""So many turns later a buyer asks for a return: all that has to know his order knows it."""
GROWN_SHARE = 0.15
"""Of what it was in the middle third: so much is the noise of a garbage collector, of a vacuum."""
GROWN_BYTES = 24 * 1024**2
"""Of a process, besides."""
GROWN_TABLE_BYTES = 2 * 1024**2
COME_AND_GO = (
    "es.head",
    "es.cursor",
    "es.reply",
    "es.timer",
    "es.parked_key",
    "es.parked_event",
    "es.worker",
    "es.lease",
    "webhook.delivery",
    "webhook.attempt",
    "ports.errand",
)
# A service that asks no company has no errands.
SIZES = """
    SELECT name, pg_total_relation_size(to_regclass(name))::bigint AS bytes
    FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL
"""
EVENTS = """
    SELECT coalesce(sum(position), 0)::bigint AS events,
           pg_total_relation_size('es.event')::bigint AS bytes
    FROM es.head
"""


@dataclass(frozen=True, slots=True)
class Course:
    """How large something was, sample by sample. `slack`: by so much it may grow besides."""

    name: str
    slack: float = GROWN_BYTES
    sizes: list[float] = field(default_factory=list[float])

    @property
    def middle(self) -> float:
        third = len(self.sizes) // 3
        return median(self.sizes[third : 2 * third])

    @property
    def end(self) -> float:
        return median(self.sizes[-(len(self.sizes) // 3) :])

    def grows(self) -> bool:
        """Whether it is larger at the end than in the middle, by more than what is noise."""
        return self.end > self.middle * (1 + GROWN_SHARE) + self.slack

    def line(self) -> str:
        first, most = self.sizes[0] / 1024**2, max(self.sizes) / 1024**2
        middle, end = self.middle / 1024**2, self.end / 1024**2
        return (
            f"{self.name:34} {first:8.1f} {middle:8.1f} {end:8.1f} {most:8.1f}  "
            f"{'GROWS' if self.grows() else 'flat'}"
        )


@dataclass(slots=True)
class Soaked:
    """What was seen. `per_event`: bytes of one, with its indexes, all services together."""

    courses: dict[str, Course] = field(default_factory=dict[str, Course])
    per_event: Course = field(default_factory=partial(Course, "bytes of an event", 0))
    placed: set[str] = field(default_factory=set[str])
    events: int = 0
    returns: int = 0
    told: int = 0
    """By webhook."""

    def add(self, sizes: Mapping[str, float], slack: float = GROWN_BYTES) -> None:
        for name, size in sizes.items():
            self.courses.setdefault(name, Course(name, slack)).sizes.append(size)

    def growing(self) -> list[str]:
        grown = [course.name for course in self.courses.values() if course.grows()]
        return grown + [self.per_event.name] * self.per_event.grows()


class Traffic:
    """A second's work: an order by itself, some in bulk with all that follows, a return, and reads.

    `shop`: where sellers are told of their orders.
    """

    def __init__(self, stack: Stack, soaked: Soaked, shop: str) -> None:
        self._stack = stack
        self._soaked = soaked
        self._shop = shop
        self._number = 0
        self._system = {"Authorization": f"Bearer {stack.token('SYSTEM', 'soak')}"}
        self._importer = {"Authorization": f"Bearer {stack.token('IMPORTER', 'soak')}"}
        self._auditor = {"Authorization": f"Bearer {stack.token('AUDITOR', 'soak')}"}

    async def begin(self, web: httpx.AsyncClient) -> None:
        """Some sellers say where they are to be told."""
        url = f"{self._stack.description.urls['review']}/v1/webhook-endpoints"
        for number in range(TOLD):
            who = self._keyed("SELLER", f"soak-seller-{number}")
            (await web.post(url, json={"url": self._shop}, headers=who)).raise_for_status()

    async def turn(self, web: httpx.AsyncClient) -> None:
        self._number += 1
        urls, seller = self._stack.description.urls, f"soak-seller-{self._number % SELLERS}"
        order_id = f"soak-{self._number}"
        headers = {**self._system, "Idempotency-Key": str(uuid4())}
        placed = await web.post(
            f"{urls['review']}/v1/orders", json=order(order_id), headers=headers
        )
        placed.raise_for_status()
        self._soaked.placed.add(order_id)
        lines = [msgspec.json.encode(self._line(each, seller)) for each in range(BULK)]
        sent = await web.post(
            f"{urls['review']}/v1/orders/bulk",
            content=b"\n".join(lines),
            headers={**self._importer, "Content-Type": "application/x-ndjson"},
        )
        sent.raise_for_status()
        for path in (f"/v1/sellers/{seller}/score", f"/v1/sellers/{seller}/score/explain"):
            await web.get(f"{urls['reputation']}{path}", headers=self._auditor)
        await web.get(f"{urls['review']}/v1/sellers/{seller}/reviews", headers=self._auditor)
        if self._number > RETURNED_AFTER:
            await self._return(web, f"soak-{self._number - RETURNED_AFTER}-0")

    async def _return(self, web: httpx.AsyncClient, order_id: str) -> None:
        asked = {
            "order_id": order_id,
            "kind": "RETURN",
            "lines": [{"line_id": "1", "quantity": 1}],
            "reason": "CHANGE_OF_MIND",
            "wants": "REFUND",
        }
        url = f"{self._stack.description.urls['returns']}/v1/returns"
        who = self._keyed("BUYER", f"buyer-of-{order_id}")
        taken = await web.post(url, json=asked, headers=who)
        self._soaked.returns += taken.is_success  # in a short run his time for it may be over

    def _keyed(self, role: str, sub: str) -> dict[str, str]:
        token = self._stack.token(role, sub)
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}

    def _now(self) -> datetime:
        return datetime.now(UTC) + clock.offset(Path(self._stack.description.clock_file))

    def _line(self, number: int, seller: str) -> dict[str, object]:
        """An order that was completed a day ago, and its review."""
        order_id = f"soak-{self._number}-{number}"
        self._soaked.placed.add(order_id)
        return reviewed(
            order(order_id) | {"seller_id": seller},
            self._now() - timedelta(days=1),
            1 + number % 5,
            f"Number {number} holds what it promises.",
        )


async def look(stack: Stack, soaked: Soaked) -> None:
    """Takes a sample of everything."""
    processes = {name: process for name, process in stack.services.items() if name != "sandbox"}
    soaked.add({f"memory of {name}": memory_of(each.pid) for name, each in processes.items()})
    events = size = 0
    for service in SERVICES:
        db = await asyncpg.connect(stack.description.databases[service].owner_url)
        try:
            rows = await db.fetch(SIZES, COME_AND_GO)
            tables = {f"{service} {row['name']}": row["bytes"] for row in rows}
            soaked.add(tables, GROWN_TABLE_BYTES)
            told = await db.fetchrow(EVENTS)
            assert told is not None
            events, size = events + told["events"], size + told["bytes"]
        finally:
            await db.close()
    soaked.events = events
    soaked.per_event.sizes.append(size / max(1, events))


def memory_of(pid: int) -> float:
    """Bytes that a process has in memory and shares with no other."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = [
        int(line.split()[1])
        for line in told.splitlines()
        if line.startswith(("Private_Clean:", "Private_Dirty:"))
    ]
    return 1024.0 * sum(kilobytes)


async def soak(stack: Stack, minutes: float) -> Soaked:
    """Keeps a stack at work, and looks at it now and then."""
    soaked = Soaked()
    with receiving() as shop:
        await _keep_at_work(stack, soaked, Traffic(stack, soaked, shop.url), minutes)
        soaked.told = len(shop.received)
    return soaked


async def _keep_at_work(stack: Stack, soaked: Soaked, traffic: Traffic, minutes: float) -> None:
    began = time.monotonic()
    pause = minutes * 60 / SAMPLES
    # Whoever keeps a connection for as long as a service does may send just as it is closed.
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS / 2)
    async with httpx.AsyncClient(timeout=bulk.REQUEST_SECONDS, limits=limits) as web:
        await traffic.begin(web)
        for sample in range(1, SAMPLES + 1):
            while time.monotonic() - began < sample * pause:
                turned = time.monotonic()
                await traffic.turn(web)
                await asyncio.sleep(max(0.0, turned + TURN_SECONDS - time.monotonic()))
            await look(stack, soaked)
            clock.move(Path(stack.description.clock_file), PASSES / SAMPLES)
            sys.stderr.write(
                f"{sample} of {SAMPLES}: {soaked.events:,} events, {soaked.returns:,} returns\n"
            )


def told(soaked: Soaked) -> Sequence[str]:
    heading = f"{'MiB':34} {'first':>8} {'middle':>8} {'end':>8} {'most':>8}"
    per = soaked.per_event
    size = f"{per.middle:,.0f} bytes each in the middle, {per.end:,.0f} at the end"
    lines = [course.line() for course in soaked.courses.values()]
    besides = f"{soaked.returns:,} returns asked for, {soaked.told:,} times told by webhook"
    return [heading, *lines, f"{soaked.events:,} events: {size}", besides]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    minutes = parser.parse_args(arguments).minutes
    try:
        with ephemeral_stack() as stack:
            soaked = asyncio.run(soak(stack, minutes))
            check_log(stack, soaked.placed)
            ended = stack.ended()
    except StackError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write("\n".join(told(soaked)) + "\n")
    for name in soaked.growing():
        sys.stdout.write(f"grows: {name}\n")
    for process in ended:
        sys.stdout.write(f"ended by itself: {process.name}\n")
    return 1 if ended or soaked.growing() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
