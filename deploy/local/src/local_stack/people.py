"""A running stack in; people who use its services over HTTP out, for tests and nothing else."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from msgspec import Struct
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.testing import facts

from local_stack import blocking
from local_stack.services import Stack

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1
REQUEST_SECONDS = 30


def until(holds: Callable[[], bool], what: str) -> None:
    """Looks until it holds: other processes are at work, and nothing tells of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(LOOK_SECONDS)


class Person:
    """A client for one service."""

    def __init__(self, stack: Stack, role: str, sub: str, service: str = "review") -> None:
        self._base = stack.description.urls[service]
        self._who = {"Authorization": f"Bearer {stack.token(role, sub)}"}

    def look(self, path: str) -> httpx.Response:
        return httpx.get(f"{self._base}{path}", headers=self._who, timeout=REQUEST_SECONDS)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answered = self.look(path)
        assert answered.is_success, answered.text
        return answered.json()

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:  # noqa: ANN401 - JSON
        answered = self._send("POST", path, body, **headers)
        assert answered.status_code == httpx.codes.CREATED, f"{path}: {answered.text}"
        return answered.json()

    def put(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        answered = self._send("PUT", path, body)
        assert answered.is_success, f"{path}: {answered.text}"
        return answered.json()

    def tries(self, path: str, body: dict[str, Any]) -> bool:
        """Whether it would be taken; nothing is recorded."""
        return self._send("POST", f"{path}?validate_only=true", body).is_success

    def judge(self, matter: str, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """A command about the version of a matter that he has just read."""
        version = self.look(matter).headers["ETag"]
        return self.post(f"{matter}/{path}", body, **{"If-Match": version})

    def events(self, matter: str) -> list[str]:
        """The types of what has happened to it, as far as he may know."""
        items = self.get(f"{matter}/events?limit=100")["items"]
        return [each["type"].partition(".")[0] for each in items]

    def _send(self, method: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        sent = self._who | {"Idempotency-Key": str(uuid4())} | headers
        url = f"{self._base}{path}"
        return httpx.request(method, url, json=body, headers=sent, timeout=REQUEST_SECONDS)


def now(stack: Stack) -> datetime:
    """By the stack's clock, which other tests may have moved ahead."""
    file = Path(stack.description.clock_file)
    ahead = int(file.read_text()) if file.exists() else 0
    return datetime.now(UTC) + timedelta(seconds=ahead)


def complete_order(stack: Stack, order_id: str, seller_id: str, buyer_id: str) -> None:
    """An order of one piece at 10.00, as the marketplace tells of it: complete a moment ago."""
    at = f"{now(stack) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    price = {"amount": 1000, "currency": "EUR"}
    line = {"line_id": "1", "sku": "lamp", "category": "home", "quantity": 1, "unit_price": price}
    order = {
        "order_id": order_id,
        "seller_id": seller_id,
        "buyer_id": buyer_id,
        "marketplace_id": "market",
        "country": "FR",
        "currency": "EUR",
        "placed_at": at,
        "lines": [line],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": price,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }
    feed = Person(stack, "SYSTEM", "market")
    feed.post("/v1/orders", order)
    feed.post(f"/v1/orders/{order_id}/payment", {"at": at, "payment_ref": "P"})
    feed.post(f"/v1/orders/{order_id}/shipment", {"at": at})
    feed.post(f"/v1/orders/{order_id}/completion", {"at": at})


def record(stack: Stack, service: str, stream: str, *events: Struct) -> None:
    """In the log of a service that is yet to come, from where its relay brings it to Kafka."""

    async def append() -> None:
        db = await asyncpg.connect(stack.description.databases[service].app_url)
        log = PostgresLog(db, source=f"/{service}-service", now=system_clock)
        await log.append(facts(stream, *events, at=datetime.now(UTC)))
        await db.close()

    blocking.run(append())
