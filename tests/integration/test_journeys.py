"""What crosses all four services: an import whose workers are killed, servers that go away."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack import blocking
from local_stack.databases import SERVICES
from local_stack.people import until
from local_stack.servers import Servers
from local_stack.services import Stack, ephemeral_stack
from msgspec.structs import replace
from reputation_service.domain.fold import Facts, fold, state_sha256
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import DEFAULT
from review_service.bulk.intake import Intake, Numbered, UploadTally
from review_service.bulk.story import Teller
from review_service.domain.policy import policies
from shared_cli.demo import marketplace
from shared_runtime.clock import system_clock
from shared_runtime.decider import Actor
from shared_runtime.testing import InMemoryKeyStore, InMemoryLog

ORDERS = 900
LINES_A_REQUEST = 100
PATIENCE_SECONDS = 90.0
KILL_EVERY_SECONDS = 0.7
WORKERS = tuple(f"{name}-worker" for name in SERVICES)
NOW = datetime(2026, 6, 1, tzinfo=UTC)

COUNT = "SELECT count(*) FROM es.event"
APPLIED = """
    SELECT coalesce(sum(cursor.position), 0) FROM es.projection AS projection
    JOIN es.cursor AS cursor ON cursor.subscription = projection.name || '/' || generation
    WHERE projection.name IN ('order_facts', 'score')
      AND topic IN ('orders.events', 'review.events')
"""


@pytest.fixture(scope="module")
def shaken(own_servers: Servers) -> Iterator[Stack]:
    """A stack that is treated badly; each test leaves it running."""
    with ephemeral_stack(on=own_servers) as started:
        yield started


def as_role(stack: Stack, role: str, sub: str = "test") -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(role, sub)}"}


def send(stack: Stack, lines: list[bytes]) -> dict[str, int]:
    """What became of the orders. A request that was broken off is sent again, whole."""
    url = f"{stack.description.urls['review']}/v1/orders/bulk"
    headers = as_role(stack, "IMPORTER") | {"Content-Type": "application/x-ndjson"}
    became: dict[str, int] = {}
    for part in batched(lines, LINES_A_REQUEST, strict=False):
        answer = httpx.post(url, content=b"\n".join(part), headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        summary = httpx.Response(200, content=answer.content.splitlines()[-1]).json()["summary"]
        for outcome, count in summary["orders"].items():
            became[outcome] = became.get(outcome, 0) + count
    return became


def scores(stack: Stack) -> dict[str, str]:
    """The digest of what is known of each account."""
    found: dict[str, str] = {}
    query: dict[str, str] = {}
    url = f"{stack.description.urls['reputation']}/v1/scores"
    while True:
        page = httpx.get(url, params=query, headers=as_role(stack, "AUDITOR"), timeout=60).json()
        found |= {item["seller_id"]: item["state_sha256"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def counts(stack: Stack, service: str, sql: str) -> int:
    async def ask() -> int:
        db = await asyncpg.connect(stack.description.databases[service].owner_url)
        try:
            return int(await db.fetchval(sql))
        finally:
            await db.close()

    return blocking.run(ask())


def is_everywhere(stack: Stack) -> bool:
    """Whether what others have folded of orders and reviews has come to the end of their logs."""
    orders = counts(
        stack, "review", "SELECT sum(position) FROM es.head WHERE topic = 'orders.events'"
    )
    both = counts(stack, "review", "SELECT sum(position) FROM es.head")
    return (
        counts(stack, "dispute", APPLIED) == orders
        and counts(stack, "returns", APPLIED) == orders
        and counts(stack, "reputation", APPLIED) == both
    )


def aftersales(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("aftersales")
    return subprocess.run(  # noqa: S603 - our own program
        [program, *arguments],
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def killed_again_and_again(stack: Stack, stop: threading.Event, deaths: list[str]) -> None:
    """SIGKILL for one worker after the other, each started again at once."""
    while not stop.wait(KILL_EVERY_SECONDS):
        worker = stack.services[WORKERS[len(deaths) % len(WORKERS)]]
        worker.kill()
        worker.start()
        deaths.append(worker.name)


async def undisturbed(lines: list[bytes]) -> tuple[int, dict[str, str]]:
    """How many events an import makes, and the digest of each account, by pure functions alone."""
    log = InMemoryLog(now=system_clock)
    importer = Actor(role="IMPORTER", id="test", on_behalf_of="SYSTEM")
    teller = Teller(
        orders=importer,
        sides={
            "BUYER": replace(importer, on_behalf_of="BUYER"),
            "SELLER": replace(importer, on_behalf_of="SELLER"),
        },
        moderator=replace(importer, on_behalf_of="MODERATOR"),
    )
    intake = Intake(log, policies(), InMemoryKeyStore(), system_clock)
    tally = UploadTally()
    numbered = [Numbered(number, line) for number, line in enumerate(lines, 1)]
    await intake.take(numbered, teller, tally)
    events = [each for history in log.streams.values() for each in history.values()]
    state = fold(Facts(fact for each in events for fact in observe(each, DEFAULT.sla)).in_force())
    return tally.events, {
        seller_id: state_sha256({seller_id: buckets}) for seller_id, buckets in state.items()
    }


async def test_workers_killed_at_any_moment_of_an_import_end_in_the_same_state(
    shaken: Stack,
) -> None:
    lines = list(marketplace(7, ORDERS, NOW))
    events, digests = await undisturbed(lines)

    stop, deaths = threading.Event(), list[str]()
    killer = threading.Thread(target=killed_again_and_again, args=(shaken, stop, deaths))
    killer.start()
    try:
        assert send(shaken, lines) == {"accepted": ORDERS, "unchanged": 0, "refused": 0}
        until(lambda: len(deaths) >= len(WORKERS), "every worker was killed")
    finally:
        stop.set()
        killer.join()
    until(lambda: is_everywhere(shaken), "the disturbed import has arrived")

    assert set(deaths) == set(WORKERS)
    assert counts(shaken, "review", COUNT) == events
    assert scores(shaken) == digests
    for check in ("verify", "replay"):
        told = aftersales(shaken, "audit", check)
        assert told.returncode == 0, told.stdout + told.stderr


def test_the_same_import_again_changes_nothing(shaken: Stack) -> None:
    lines = list(marketplace(7, ORDERS, NOW))
    before = counts(shaken, "review", COUNT)
    assert send(shaken, lines) == {"accepted": 0, "unchanged": ORDERS, "refused": 0}
    assert counts(shaken, "review", COUNT) == before


def order(order_id: str) -> dict[str, Any]:
    price = {"amount": 1000, "currency": "EUR"}
    return {
        "order_id": order_id,
        "seller_id": f"seller-of-{order_id}",
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


def place(stack: Stack, order_id: str) -> httpx.Response:
    headers = as_role(stack, "SYSTEM") | {"Idempotency-Key": str(uuid4())}
    return httpx.post(
        f"{stack.description.urls['review']}/v1/orders",
        json=order(order_id),
        headers=headers,
        timeout=30,
    )


def test_while_kafka_is_away_commands_work_and_everything_arrives_when_it_is_back(
    shaken: Stack,
) -> None:
    assert shaken.servers.own_kafka is not None
    shaken.servers.own_kafka.stop()
    try:
        placed = [place(shaken, f"no-kafka-{n}").status_code for n in range(5)]
        assert placed == [201] * 5
        ready = httpx.get(f"{shaken.description.urls['review']}/readyz", timeout=10)
        assert ready.status_code == 200  # not having Kafka is no reason to take no orders
    finally:
        shaken.servers.own_kafka.start()
    until(lambda: is_everywhere(shaken), "what was placed without Kafka has arrived")
    facts = counts(
        shaken, "dispute", "SELECT count(*) FROM read.order_facts WHERE order_id LIKE 'no-kafka-%'"
    )
    assert facts == 5


def test_while_postgres_is_away_answers_are_503_and_nobody_needs_a_restart(
    shaken: Stack,
) -> None:
    assert shaken.servers.own_postgres is not None
    shaken.servers.own_postgres.stop("immediate")
    try:
        away = place(shaken, "no-postgres")
        assert away.status_code == 503
        assert int(away.headers["Retry-After"]) >= 1
        assert away.headers["Content-Type"] == "application/problem+json"
    finally:
        shaken.servers.own_postgres.start()

    def is_placed() -> bool:
        with suppress(httpx.TransportError):
            return place(shaken, "no-postgres").status_code in (200, 201)
        return False

    until(is_placed, "orders are taken again")
    until(lambda: is_everywhere(shaken), "the workers go on")
    assert shaken.ended() == []
    told = aftersales(shaken, "audit", "verify")
    assert told.returncode == 0, told.stdout + told.stderr
