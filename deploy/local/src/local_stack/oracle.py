"""A stack after anything has been done to it in, whether nothing was lost, doubled or changed out.

log dense     positions of every partition are 1, 2, 3 … as far as its head says
chain whole   each event's hash continues the one before
all arrived   every projection has come to the end of the logs that it reads
projections   each is equal to one that is built again
acknowledged  each order that was answered is in the log, once, and is known to its readers
"""

import os
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx

from local_stack import blocking
from local_stack.databases import SERVICES
from local_stack.people import until
from local_stack.services import Stack

COMMAND_SECONDS = 300
REBUILT_AT_ONCE = 2
BROKEN_CHAINS = """
    WITH linked AS (
        SELECT topic, partition, position, leaf_hash, chain_hash, body,
               lag(chain_hash) OVER place AS before, row_number() OVER place AS number
        FROM es.event WINDOW place AS (PARTITION BY topic, partition ORDER BY position)
    )
    SELECT count(*) FROM linked
    WHERE position <> number OR leaf_hash <> sha256('\\x00'::bytea || body)
       OR chain_hash <> sha256(coalesce(before, decode(repeat('00', 32), 'hex')) || leaf_hash)
"""
HEADS_APART = """
    SELECT count(*) FROM es.head AS head
    WHERE position <> (SELECT count(*) FROM es.event AS event
                       WHERE event.topic = head.topic AND event.partition = head.partition)
"""
PLACED = """
    SELECT substr(stream_id, 7) AS order_id, count(*) AS times FROM es.event
    WHERE type = 'OrderPlaced.v1' GROUP BY stream_id
"""
READ = """
    SELECT coalesce(array_agg(DISTINCT cursor.topic), '{}') AS topics,
           coalesce(sum(cursor.position), 0) AS events
    FROM es.projection AS projection
    JOIN es.cursor AS cursor ON cursor.subscription = projection.name || '/' || generation
    GROUP BY projection.name
"""
KNOWN = "SELECT order_id FROM read.order_facts"


def ask(stack: Stack, service: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """Rows of a service's database, as its owner."""

    async def run() -> list[asyncpg.Record]:
        db = await asyncpg.connect(stack.description.databases[service].owner_url)
        try:
            return await db.fetch(sql, *values)
        finally:
            await db.close()

    return blocking.run(run())


def order(order_id: str) -> dict[str, object]:
    price = {"amount": 1000, "currency": "EUR"}
    return {
        "order_id": order_id,
        "seller_id": f"seller-{sum(order_id.encode()) % 20}",
        "buyer_id": f"buyer-of-{order_id}",
        "marketplace_id": "m1",
        "country": "FR",
        "currency": "EUR",
        "placed_at": "2026-01-05T12:00:00Z",
        "lines": [
            {"line_id": "1", "sku": "mug", "category": "home", "quantity": 1, "unit_price": price}
        ],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": price,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }


def reviewed(
    placed: dict[str, object], completed: datetime, stars: int, text: str
) -> dict[str, object]:
    """A line of bulk intake: an order that was completed then, and its review an hour later."""

    def at(hours: int) -> str:
        return (completed + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")

    review = {"quality": stars, "logistics": 4, "service": 5, "text": text}
    return {
        "order": placed | {"placed_at": at(-48)},
        "paid": {"at": at(-47), "payment_ref": f"P-{placed['order_id']}"},
        "shipped": {"at": at(-24)},
        "completed": {"at": at(0)},
        "reviews": [{"by": "BUYER", "at": at(1)} | review],
    }


def place(
    stack: Stack, order_id: str, key: str = "", *, seconds: float = 30, token: str = ""
) -> httpx.Response:
    """Sends an order; the same key is the same request. Raises httpx.TransportError."""
    headers = {
        "Authorization": f"Bearer {token or stack.token('SYSTEM', 'drill')}",
        "Idempotency-Key": key or str(uuid4()),
    }
    url = f"{stack.description.urls['review']}/v1/orders"
    return httpx.post(url, json=order(order_id), headers=headers, timeout=seconds)


def place_all(stack: Stack, name: str, count: int) -> set[str]:
    """So many orders, each acknowledged; their ids."""
    placed = {f"{name}-{number}" for number in range(count)}
    for order_id in sorted(placed):
        assert place(stack, order_id).status_code == httpx.codes.CREATED
    return placed


def has_arrived(stack: Stack) -> bool:
    """Whether each projection of each service has come to the end of what it reads."""
    return has_arrived_but(stack)


def has_arrived_but(stack: Stack, *away: str) -> bool:
    """The same, without the services that are away."""
    heads = [
        (service, ask(stack, service, "SELECT topic, sum(position) FROM es.head GROUP BY topic"))
        for service in SERVICES
    ]
    ends = {topic: int(position) for _, rows in heads for topic, position in rows}
    return all(
        events == sum(ends[topic] for topic in topics)
        for service in SERVICES
        if service not in away
        for topics, events in ask(stack, service, READ)
    )


def aftersales(stack: Stack, *arguments: str, codes: Collection[int] = (0,)) -> str:
    """What a command says. It must end with one of these codes."""
    program = Path(sys.executable).with_name("aftersales")
    told = subprocess.run(  # noqa: S603 - our own program
        [program, *arguments],
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    said = told.stdout + told.stderr
    assert told.returncode in codes, said
    return said


def check_log(stack: Stack, acknowledged: Collection[str]) -> None:
    """Log and chains are whole, and every acknowledged order is there once."""
    for service in SERVICES:
        for sql in (BROKEN_CHAINS, HEADS_APART):
            assert ask(stack, service, sql)[0][0] == 0, f"{service}: {sql}"
    placed = dict(tuple(row) for row in ask(stack, "review", PLACED))
    assert set(acknowledged) <= placed.keys()
    assert set(placed.values()) <= {1}


def check(stack: Stack, acknowledged: Collection[str]) -> None:
    """Everything. Projections by a process of each service, in seconds: a rebuild replaces what is
    wrong, so that it is found here or never.
    """
    until(lambda: has_arrived(stack), "all has arrived everywhere")
    check_log(stack, acknowledged)
    placed = {row["order_id"] for row in ask(stack, "review", PLACED)}
    assert {row["order_id"] for row in ask(stack, "dispute", KNOWN)} == placed
    for command in ("verify", "replay"):
        aftersales(stack, "audit", command)
    check_all_rebuilt(stack)
    assert stack.ended() == []


def check_projections(stack: Stack) -> None:
    """Each equals one that is built again by the command that people have, from its own log or from
    Kafka; and the first of each service one that is built in parts.
    """
    for service in SERVICES:
        aftersales(stack, "projections", "rebuild", service)
        first = ask(stack, service, "SELECT name FROM es.projection ORDER BY name")[0]["name"]
        aftersales(stack, "projections", "rebuild", service, first, "--processes", "2")


def check_all_rebuilt(stack: Stack) -> None:
    """Each equals one that is built again, by a process of each service: in seconds."""
    with ThreadPoolExecutor(REBUILT_AT_ONCE) as pool:
        list(pool.map(partial(check_rebuilt, stack), SERVICES))


def check_rebuilt(stack: Stack, service: str) -> None:
    """The same of one service."""
    process = stack.services[f"{service}-worker"]
    assert process.run("rebuild") == 0, process.log.with_name(f"{process.name}-rebuild.log")
