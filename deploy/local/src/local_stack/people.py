"""A running stack in; people who use its services over HTTP out, for tests and the demo."""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import asyncpg
import httpx
from msgspec import Struct
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.testing import facts

from local_stack import blocking
from local_stack.services import Stack

PATIENCE_SECONDS = 120.0  # of a machine that does other things as well
LOOK_SECONDS = 0.1
REQUEST_SECONDS = 30
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""All is on this machine; without it, each request would read all certificates first."""


def until(holds: Callable[[], bool], what: str, come: Callable[[], int] = lambda: 0) -> None:
    """Looks until it holds: other processes are at work, and nothing tells of them. `come`: how far
    they have come; as long as that is ever further, they are waited for.
    """
    began = time.monotonic()
    deadline, furthest = began + PATIENCE_SECONDS, come()
    while not holds():
        looked = time.monotonic()
        if looked >= deadline:
            now_at = come()
            assert now_at > furthest, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
            deadline, furthest = looked + PATIENCE_SECONDS, now_at
        pause_after(looked - began)
        began = time.monotonic()


def pause_after(seconds: float) -> None:
    """A pause after a look that took so long: at least as long, so that whoever is looked at has
    the half of the time for its work.
    """
    time.sleep(max(LOOK_SECONDS, seconds))


class Person:
    """A client for one service. `token`: what he has been given, if it is not his own. `ways`: how
    each service is asked, if not directly.
    """

    ways: ClassVar[dict[str, httpx.BaseTransport]] = {}

    def __init__(
        self, stack: Stack, role: str, sub: str, service: str = "review", token: str = ""
    ) -> None:
        self._service, self._base = service, stack.description.urls[service]
        self._who = {"Authorization": f"Bearer {token or stack.token(role, sub)}"}

    def look(self, path: str, **headers: str) -> httpx.Response:
        return self._ask("GET", path, self._who | headers)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answered = self.look(path)
        assert answered.is_success, answered.text
        return answered.json()

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:  # noqa: ANN401 - JSON
        answered = self.send("POST", path, body, **headers)
        assert answered.status_code == httpx.codes.CREATED, f"{path}: {answered.text}"
        return answered.json()

    def send(self, method: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        """Whatever it is answered."""
        sent = self._who | {"Idempotency-Key": str(uuid4())} | headers
        return self._ask(method, path, sent, json=body)

    def upload(self, purpose: str, image: bytes, name: str = "photo.jpg") -> str:
        """A JPEG for what is to be shown; the id of the file."""
        sent = self._who | {"Idempotency-Key": str(uuid4()), "Content-Type": "image/jpeg"}
        sent["File-Name"] = name
        taken = self._ask("POST", f"/v1/media?purpose={purpose}", sent, content=image)
        assert taken.status_code == httpx.codes.CREATED, taken.text
        media_id: str = taken.json()["media_id"]
        return media_id

    def put(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        answered = self.send("PUT", path, body)
        assert answered.is_success, f"{path}: {answered.text}"
        return answered.json()

    def delete(self, path: str) -> None:
        answered = self.send("DELETE", path, {})
        assert answered.is_success, f"{path}: {answered.text}"

    def tries(self, path: str, body: dict[str, Any]) -> bool:
        """Whether it would be taken; nothing is recorded."""
        return self.send("POST", f"{path}?validate_only=true", body).is_success

    def judge(self, matter: str, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """A command about the version of a matter that he has just read."""
        version = self.look(matter).headers["ETag"]
        return self.post(f"{matter}/{path}", body, **{"If-Match": version})

    def events(self, matter: str) -> list[str]:
        """The types of what has happened to it, as far as he may know."""
        items = self.get(f"{matter}/events?limit=100")["items"]
        return [each["type"].partition(".")[0] for each in items]

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        *,
        json: dict[str, Any] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        way, url = self.ways.get(self._service), f"{self._base}{path}"
        with httpx.Client(transport=way, timeout=REQUEST_SECONDS, verify=NO_TLS) as web:
            return web.request(method, url, headers=headers, json=json, content=content)


class Provider:
    """The sandbox of the payment provider, told how to behave: by itself it pays what it is asked
    for.
    """

    def __init__(self, stack: Stack) -> None:
        self._at = f"{stack.description.sandbox_url}/control/payments/plans"

    def refuses(self, order_id: str) -> None:
        """Every refund of that order, for good."""
        self._plan(order_id, {"refuse": "CARD_CLOSED"})

    def pays(self, order_id: str) -> None:
        """Again, whatever it was told before."""
        self._plan(order_id, {})

    def _plan(self, order_id: str, plan: dict[str, Any]) -> None:
        told = httpx.put(f"{self._at}/{order_id}", json=plan, timeout=REQUEST_SECONDS)
        assert told.is_success, told.text


def now(stack: Stack) -> datetime:
    """By the stack's clock, which other tests may have moved ahead."""
    file = Path(stack.description.clock_file)
    ahead = int(file.read_text()) if file.exists() else 0
    return datetime.now(UTC) + timedelta(seconds=ahead)


def complete_order(
    stack: Stack,
    order_id: str,
    seller_id: str,
    buyer_id: str,
    *,
    quantity: int = 1,
    price_minor: int = 1000,
) -> None:
    """An order of lamps, as the marketplace tells of it: complete a moment ago. In the currency of
    the policy's limits it is worth a tenth more.
    """
    at = f"{now(stack) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    price, total_minor = {"amount": price_minor, "currency": "EUR"}, quantity * price_minor
    line = {"line_id": "1", "sku": "lamp", "category": "home", "unit_price": price}
    order = {
        "order_id": order_id,
        "seller_id": seller_id,
        "buyer_id": buyer_id,
        "marketplace_id": "market",
        "country": "FR",
        "currency": "EUR",
        "placed_at": at,
        "lines": [line | {"quantity": quantity}],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": {"amount": total_minor, "currency": "EUR"},
        "total_ref": {"amount": total_minor * 11 // 10, "currency": "USD"},
        "withdrawal_right": True,
    }
    feed = Person(stack, "SYSTEM", "market")
    feed.post("/v1/orders", order)
    feed.post(f"/v1/orders/{order_id}/payment", {"at": at, "payment_ref": "P"})
    feed.post(f"/v1/orders/{order_id}/shipment", {"at": at})
    feed.post(f"/v1/orders/{order_id}/completion", {"at": at})


def record(stack: Stack, service: str, stream: str, *events: Struct, after: int = 0) -> None:
    """In the log of a service, whatever its rules say, behind so many events of that stream. Its
    relay brings it to Kafka.
    """

    async def append() -> None:
        db = await asyncpg.connect(stack.description.databases[service].app_url)
        log = PostgresLog(db, source=f"/{service}-service", now=system_clock)
        await log.append(facts(stream, *events, at=datetime.now(UTC), after=after))
        await db.close()

    blocking.run(append())
