"""What people wait for who deal with 100,000 returns in all states: what an order may give back,
the work lists, and the carrier's scans.

The half of them is of one seller, in one partition of the log: the worst case for both. All of it
is asked of a running stack, whose worker of returns-service follows meanwhile; the workers of the
services that only listen to returns stand still.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import batched
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
from local_stack.companies import WEBHOOK_SECRET
from local_stack.sandboxes.telling import signed
from local_stack.services import Stack, ephemeral_stack
from msgspec import Struct
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.return_readers import folded
from returns_service.domain.return_state import Return
from returns_service.domain.steps import ToLedger, steps_of
from returns_service.domain.streams import ledger_stream, return_stream
from returns_service.return_rows import write_returns
from returns_service.testing import asks, history, opened, paid, say
from returns_service.testing.returns import (
    accepted,
    arrived,
    authorized,
    closed,
    delivered_back,
    handed_over,
    labelled,
    line,
    order,
    received,
    rejected,
    requested,
    reviewed,
)
from shared_events.orders import OrderDelivered, OrderPaid, OrderPlaced
from shared_events.returns import ReturnDeclined, UnitsAccepted
from shared_runtime.clock import system_clock
from shared_runtime.log import Planned, PostgresLog

from bench.stacks import LOOK_SECONDS, Line, p99, until

RETURNS = 100_000
SCANS = 10_000
SCANS_AT_ONCE = 16
SCAN_SECONDS_MAX = 60.0
PREVIEW_MS_MAX = 30.0
LIST_MS_MAX = 100.0
READS = 1_000
PAGES = 100
ORDERS_AT_ONCE = 2_000
RETURNS_AT_ONCE = 500
SELLER = "S-large"
OTHER_SELLERS = 500
UNIT = "1/1"
AGO = timedelta(days=3)
"""The returns of the stories were asked for on 3 March; here it was so long ago."""

OPENED = "SELECT count(*) FROM es.event WHERE type = 'RefundLedgerOpened.v1'"
LISTED = "SELECT count(*) FROM read.listed_return"
SCANNED = "SELECT count(*) FROM es.event WHERE type = 'ReturnScanned.v1' AND recorded_at > $1"
BEHIND = """
    SELECT (SELECT count(*) FROM es.head AS head
            JOIN es.cursor AS cursor USING (topic, partition)
            WHERE topic = 'returns.events' AND cursor.position < head.position)
        + (SELECT count(*) FROM ports.errand)
"""
"""What the worker has to do yet: also to ask others."""

type Story = tuple[Struct, ...]

ORDER = arrived(order(line("1", 1, 5399)))
MONEY: Story = history(opened(ORDER), say(asks("RF", UNIT)), say(paid("RF")))[1:]
"""The refund of a piece that was accepted; the service opens the ledger by itself."""

TO_SHIP: Story = (requested(UNIT), authorized(UNIT), labelled())
ON_ITS_WAY: Story = (*TO_SHIP, handed_over(UNIT, day=4))
THERE: Story = (*ON_ITS_WAY, delivered_back(UNIT, day=5))
DECLINED = ReturnDeclined(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    return_id="RT-1",
    units=[UNIT],
    code="FINAL_SALE",
    note=None,
    by="SELLER",
    contest_until=requested().requested_at + timedelta(days=7),
    decision_seconds=3600,
)
SHARES: Mapping[str, tuple[int, Story]] = {
    "to be answered by the seller": (15, (requested(UNIT), reviewed())),
    "to be answered by the desk": (5, (requested(UNIT), reviewed(by="AGENT"))),
    "to be sent": (25, TO_SHIP),
    "on its way": (15, ON_ITS_WAY),
    "to be inspected": (10, THERE),
    "received": (5, (*THERE, received(UNIT, day=5))),
    "rejected": (5, (*THERE, rejected(UNIT, day=5))),
    "declined": (5, (requested(UNIT), DECLINED)),
    "refunded": (15, (*THERE, accepted(UNIT), closed(UNIT, result="REFUNDED", day=6))),
}
"""Of a hundred returns so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Milliseconds of each read, by what was read; the seconds of all scans, and until the worker
    had nothing to do any more.
    """

    previews: list[float]
    lists: Mapping[str, list[float]]
    scan_seconds: float
    followed_seconds: float

    @property
    def slowest_list(self) -> str:
        return max(self.lists, key=lambda name: p99(self.lists[name]))

    @property
    def holds(self) -> bool:
        lists = max(map(p99, self.lists.values()))
        return (
            p99(self.previews) <= PREVIEW_MS_MAX
            and lists <= LIST_MS_MAX
            and self.followed_seconds <= SCAN_SECONDS_MAX
        )

    def line(self) -> str:
        verdict = "holds" if self.holds else "MISSED"
        lists = ", ".join(f"{name} {p99(took):.0f}" for name, took in self.lists.items())
        return (
            f"{RETURNS:,} returns: eligibility p99 {p99(self.previews):.1f} ms, median "
            f"{statistics.median(self.previews):.1f} (<= {PREVIEW_MS_MAX:.0f} ms); p99 of lists: "
            f"{lists} ms (<= {LIST_MS_MAX:.0f} ms); {SCANS:,} scans by webhook in "
            f"{self.scan_seconds:.1f} s, the worker behind them after {self.followed_seconds:.1f} "
            f"(<= {SCAN_SECONDS_MAX:.0f} s) {verdict}"
        )


def measure() -> Served:
    with ephemeral_stack() as stack:
        for service in ("dispute", "reputation"):
            stack.services[f"{service}-worker"].stop()
        return asyncio.run(_serve(stack))


async def _serve(stack: Stack) -> Served:
    now = datetime.now(UTC).replace(microsecond=0)
    db = await asyncpg.connect(stack.description.databases["returns"].owner_url)
    await _place_orders(stack, now)
    await until(db, OPENED, RETURNS)
    await _have_returned(stack, now)
    await until(db, LISTED, RETURNS)
    while await db.fetchval(BEHIND):  # noqa: ASYNC110 - the worker is at it
        await asyncio.sleep(LOOK_SECONDS)
    await db.execute("ANALYZE")
    previews, lists = await _previews(stack), await _lists(stack)
    began, clock = datetime.now(UTC), time.perf_counter()
    await _scan(stack, now)
    scan_seconds = time.perf_counter() - clock
    assert await db.fetchval(SCANNED, began) == SCANS
    while await db.fetchval(BEHIND):  # noqa: ASYNC110 - as above
        await asyncio.sleep(LOOK_SECONDS)
    followed_seconds = time.perf_counter() - clock
    await db.close()
    return Served(
        previews=previews,
        lists=lists,
        scan_seconds=scan_seconds,
        followed_seconds=followed_seconds,
    )


# --- What there is


def seller_of(number: int) -> str:
    return SELLER if number % 2 else f"S-{number // 2 % OTHER_SELLERS}"


def ids_of(number: int) -> dict[str, str]:
    return {"order_id": f"r{number}", "seller_id": seller_of(number), "buyer_id": f"B-{number}"}


def story_of(number: int) -> Story:
    """States change from return to return, so that every seller has all."""
    at = number // 2 % 100
    for share, story in SHARES.values():
        if at < share:
            return story
        at -= share
    raise AssertionError(at)


async def _place_orders(stack: Stack, now: datetime) -> None:
    """Paid, and delivered some days ago."""
    async with asyncpg.create_pool(stack.description.databases["review"].app_url) as pool:
        log = PostgresLog(pool, source="/review-service", now=system_clock)
        for some in batched(range(RETURNS), ORDERS_AT_ONCE, strict=False):
            await log.append([each for number in some for each in _ordered(number, now)])


def _ordered(number: int, now: datetime) -> Iterator[Planned]:
    ids: dict[str, Any] = ids_of(number) | {"policy_version": "ae-2025-1"}
    at = now - AGO - timedelta(days=2)
    placed = OrderPlaced(
        **ids,
        marketplace_id="bench",
        country="DE",
        currency="EUR",
        placed_at=at - timedelta(days=9),
        lines=list(ORDER.lines),
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=5399,
        total_ref_minor=5399,
        withdrawal_right=True,
    )
    told = (
        placed,
        OrderPaid(**ids, paid_at=placed.placed_at, payment_ref=f"P-{number}"),
        OrderDelivered(
            **ids, delivered_at=at, late=False, signed=True, auto_complete_at=at + timedelta(days=7)
        ),
    )
    for version, event in enumerate(told, 1):
        yield _planned(f"order-{placed.order_id}", version, event, placed.order_id, now)


async def _have_returned(stack: Stack, now: datetime) -> None:
    async with asyncpg.create_pool(stack.description.databases["returns"].app_url) as pool:
        log = PostgresLog(pool, source="/returns-service", now=system_clock)
        for some in batched(range(RETURNS), RETURNS_AT_ONCE, strict=False):
            planned = [each for number in some for each in _returned(number, now)]
            async with pool.acquire() as db, db.transaction():
                within = log.within(db)
                await write_returns(planned, within)
                await within.append(planned)


def _returned(number: int, now: datetime) -> Iterator[Planned]:
    """A return as it stands, with the money that was given for it."""
    ids = ids_of(number)
    names = {
        "O1": ids["order_id"],
        "S1": ids["seller_id"],
        "B1": ids["buyer_id"],
        "RT-1": return_id_of(number),
        "L-1": f"L-{number}",
        "T-1": parcel_of(number),
    }
    later = now - AGO - requested().requested_at
    told = [_told_of(event, names, later) for event in story_of(number)]
    for version, event in enumerate(told, 1):
        stream = return_stream(return_id_of(number))
        planned = _planned(stream, version, event, ids["order_id"], now)
        yield planned
        if isinstance(event, UnitsAccepted):
            names["RF"] = _refund_of(planned.event_id, event, told[:version])
    if "RF" in names:
        for version, event in enumerate(MONEY, 2):
            copied = _told_of(event, names, later)
            stream = ledger_stream(ids["order_id"])
            yield _planned(stream, version, copied, ids["order_id"], now)


def return_id_of(number: int) -> str:
    return f"RT-{number}"


def parcel_of(number: int) -> str:
    return f"T-{number}"


def _refund_of(event_id: str, event: UnitsAccepted, so_far: Sequence[Any]) -> str:
    """The one that the service would ask for: it finds that it has."""
    matter = folded(so_far)
    assert isinstance(matter, Return)
    (step,) = steps_of(event_id, event, matter)
    assert isinstance(step, ToLedger)
    assert isinstance(step.said, RequestRefund)
    return step.said.refund_id


def _told_of(event: Struct, names: Mapping[str, str], later: timedelta) -> Struct:
    """The same, of others and later."""

    def other(value: Any) -> Any:  # noqa: ANN401 - any value of a field
        if isinstance(value, str):
            return names.get(value, value)
        if isinstance(value, datetime):
            return value + later
        if isinstance(value, list):
            return [*map(other, value)]  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, dict):
            return dict(zip(value, map(other, value.values()), strict=True))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return value

    data = msgspec.to_builtins(event, builtin_types=(datetime,))
    return msgspec.convert(other(data), type(event))


def _planned(stream: str, version: int, event: Struct, order_id: str, at: datetime) -> Planned:
    return Planned(
        event=event,
        event_id=str(uuid4()),
        stream=stream,
        version=version,
        time=at,
        actor="system:bench",
        correlation=order_id,
        cause=str(uuid4()),
    )


# --- What is asked


async def _previews(stack: Stack) -> list[float]:
    """Of orders with a return, one after the other, for a reason: with the decision."""
    headers = {"Authorization": f"Bearer {stack.token('AUDITOR', 'bench')}"}
    took: list[float] = []
    async with httpx.AsyncClient(headers=headers, base_url=_url(stack), timeout=30) as web:
        for n in range(READS + 50):
            order_id = ids_of(n * 7919 % RETURNS)["order_id"]
            at = f"/v1/orders/{order_id}/return-eligibility?reason=DAMAGED"
            _, milliseconds = await _timed(web, at)
            took.append(milliseconds)
    return took[50:]


async def _lists(stack: Stack) -> dict[str, list[float]]:
    """Pages of each, from the first on."""
    seller = stack.token("SELLER", SELLER)
    desk = stack.token("AGENT", "desk-1")
    asked: dict[str, tuple[str, str]] = {
        "seller, by time left": (seller, "/v1/returns?sort=due"),
        "seller, newest": (seller, "/v1/returns?sort=newest"),
        "warehouse": (seller, "/v1/returns/waiting"),
        "desk": (desk, "/v1/returns/cases"),
        "refunds": (seller, "/v1/refunds"),
    }
    return {name: await _pages(stack, token, path) for name, (token, path) in asked.items()}


async def _pages(stack: Stack, token: str, path: str) -> list[float]:
    headers = {"Authorization": f"Bearer {token}"}
    took: list[float] = []
    sign = "&" if "?" in path else "?"
    async with httpx.AsyncClient(headers=headers, base_url=_url(stack), timeout=30) as web:
        at = path
        while len(took) < PAGES:
            answered, milliseconds = await _timed(web, at)
            took.append(milliseconds)
            more = answered.json()["next_cursor"]
            at = f"{path}{sign}cursor={more}" if more else path
    return took


async def _timed(web: httpx.AsyncClient, path: str) -> tuple[httpx.Response, float]:
    """The answer, and the milliseconds that it took."""
    began = time.perf_counter()
    answered = await web.get(path)
    took = time.perf_counter() - began
    assert answered.is_success, answered.text
    return answered, 1000 * took


async def _scan(stack: Stack, now: datetime) -> None:
    """The carrier takes over what is to be sent: a webhook for each."""
    waiting = [number for number in range(RETURNS) if story_of(number) is TO_SHIP][:SCANS]
    assert len(waiting) == SCANS
    parcels = iter(waiting)

    async def tell() -> None:
        line = await Line.to(_url(stack))
        for number in parcels:
            body = _scan_of(number, now)
            headers = signed(WEBHOOK_SECRET, f"scan-{number}", body, datetime.now(UTC))
            status, answered = await line.post("/v1/webhooks/carrier", body, headers)
            assert (status, answered) == (HTTPStatus.OK, b'{"recorded":1}')
        await line.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SCANS_AT_ONCE):
            tasks.create_task(tell())


def _scan_of(number: int, now: datetime) -> bytes:
    parcel = {
        "reference": return_id_of(number),
        "order_ref": ids_of(number)["order_id"],
        "tracking_id": parcel_of(number),
        "kind": "HANDED_OVER",
        "scanned_at": now,
    }
    return msgspec.json.encode({"type": "parcel.scanned", "timestamp": now, "data": parcel})


def _url(stack: Stack) -> str:
    return stack.description.urls["returns"]
