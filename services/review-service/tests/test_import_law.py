"""A history that is imported equals the one that was lived, with every timer firing on time.

Laws 33 and 34 of the domain, and C15: the same commands by an importer, long after, give the
same facts at the same instants; only who told them and when they were written down differ.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from review_service.api.bulk import NDJSON, PATH
from review_service.api.examples import LINE, line_of
from review_service.domain.streams import order_id_of, review_id_of
from review_service.domain.subject import SIDES
from review_service.settings import ReviewSettings
from shared_events.registry import encode_data
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Fact = tuple[int, str, datetime, bytes]
type Request = tuple[str, str, str, str, dict[str, Any]]

LATER = datetime(2026, 6, 1, tzinfo=UTC)
NEXT_DUE = "SELECT min(due_at) FROM es.timer"
STEPS = {
    "paid": "payment",
    "shipped": "shipment",
    "delivered": "delivery",
    "completed": "completion",
    "cancelled": "cancellation",
}
BUYER, SELLER = LINE["reviews"]
CANCELLED = {"at": "2026-01-12T00:00:00Z", "by": "SELLER", "reason": "OUT_OF_STOCK"}


def at(day: str) -> dict[str, str]:
    return {"at": f"2026-{day}T10:00:00Z"}


HISTORIES: dict[str, dict[str, Any]] = {
    "both write": {},
    "the buyer alone writes": {"reviews": [BUYER]},
    "the seller alone writes": {"reviews": [SELLER]},
    "nobody writes": {"reviews": []},
    "the buyer writes too late": {"reviews": [BUYER | at("01-31"), SELLER]},
    "both write too late": {"reviews": [BUYER | at("02-20"), SELLER | at("02-21")]},
    "the buyer writes too early": {"reviews": [BUYER | at("01-15"), SELLER]},
    "the buyer writes twice": {"reviews": [BUYER, BUYER | at("01-20") | {"quality": 1}]},
    "it completes by itself": {"completed": None},
    "it completes by itself, unreviewed": {"completed": None, "reviews": []},
    "it is reviewed before it completes by itself": {
        "completed": None,
        "reviews": [BUYER, SELLER | at("01-25")],
    },
    "it is declared complete when it has just completed by itself": {
        "completed": {"at": "2026-01-22T14:00:00Z"},
        "reviews": [],
    },
    "it is never delivered": {"delivered": None, "completed": None, "reviews": [BUYER]},
    "it completes without a delivery": {"delivered": None},
    "it is cancelled": {
        "shipped": None,
        "delivered": None,
        "completed": None,
        "cancelled": CANCELLED,
    },
}


LIVED, IMPORTED = "lived", "moved"
"""What the ids of the orders of each run begin with: as long as each other."""


def told_by(run: str) -> dict[str, dict[str, Any]]:
    """The line of each history, with ids that no other has."""
    lines: dict[str, dict[str, Any]] = {}
    for number, (name, changes) in enumerate(HISTORIES.items()):
        told = deepcopy(LINE) | deepcopy(changes)
        order_id = f"{run}{number}"
        told["order"]["order_id"] = order_id
        told["order"]["buyer_id"] = f"{order_id}B"  # nobody who has reviewed the seller before
        lines[name] = {part: value for part, value in told.items() if value is not None}
    return lines


def requests_of(told: dict[str, Any]) -> Iterator[Request]:
    """Each command of a history when it happened, by whom it comes when it is lived."""
    order = told["order"]
    yield order["placed_at"], "SYSTEM", "market", "", order
    for part, path in STEPS.items():
        if step := told.get(part):
            yield step["at"], "SYSTEM", "market", f"/{order['order_id']}/{path}", step
    for review in told["reviews"]:
        said = {name: value for name, value in review.items() if name not in ("by", "at")}
        account = order[f"{review['by'].lower()}_id"]
        path = f"/{order['order_id']}/evaluation/reviews"
        yield review["at"], review["by"], account, path, said


async def live(
    lines: Iterable[dict[str, Any]],
    parts: Parts[ReviewSettings],
    clock: ManualClock,
    caller: Caller,
    work: Work,
) -> None:
    """All of it as time goes by; the worker does its part, and each timer fires when it is due."""

    async def until(instant: datetime) -> None:
        await work()
        while (due := await parts.pool.fetchval(NEXT_DUE)) and due <= instant:
            clock.at = due
            await work()
        clock.at = instant

    clients: dict[tuple[str, str], httpx.AsyncClient] = {}
    clock.at = datetime(2026, 1, 1, tzinfo=UTC)
    requests = [request for line in lines for request in requests_of(line)]
    for instant, role, account, path, body in sorted(requests, key=lambda request: request[0]):
        await until(datetime.fromisoformat(instant))
        if (role, account) not in clients:
            clients[role, account] = caller(role, account)
        answered = await clients[role, account].post(
            f"/v1/orders{path}", json=body, headers={"Idempotency-Key": str(uuid4())}
        )
        assert answered.status_code in (200, 201, 409), answered.text
    await until(LATER)


def nameless(data: bytes, stream: str, run: str) -> bytes:
    """The data of an event without what tells one run from another."""
    order_id = order_id_of(stream)
    for side in SIDES:
        data = data.replace(review_id_of(order_id, side).encode(), side.encode())
    return data.replace(run.encode(), b"")


async def facts(parts: Parts[ReviewSettings], run: str) -> dict[str, list[Fact]]:
    """What was recorded of each history: version, type, instant and data of its events."""
    rows = await parts.pool.fetch("SELECT DISTINCT stream_id FROM es.event")
    histories = await parts.log.read([row["stream_id"] for row in rows])
    return {
        stream.replace(run, ""): [
            (
                recorded.version,
                recorded.type,
                recorded.time,
                nameless(encode_data(recorded.event), stream, run),
            )
            for recorded in history
        ]
        for stream, history in histories.items()
        if run in stream
    }


async def bring(client: httpx.AsyncClient, lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    answered = await client.post(
        PATH, content="".join(map(line_of, lines)), headers={"Content-Type": NDJSON}
    )
    return [json.loads(answer) for answer in answered.content.splitlines()]


async def test_an_imported_history_equals_the_one_that_was_lived(
    parts: Parts[ReviewSettings], clock: ManualClock, caller: Caller, work: Work
) -> None:
    await live(told_by(LIVED).values(), parts, clock, caller, work)
    importer = caller("IMPORTER", "olist")
    *answers, _ = await bring(importer, told_by(IMPORTED).values())
    assert {answer["order"] for answer in answers} == {"accepted"}
    lived, imported = await facts(parts, LIVED), await facts(parts, IMPORTED)
    assert lived.keys() == imported.keys()
    for stream, history in lived.items():
        assert imported[stream] == history, stream
    types = {kind for history in lived.values() for _, kind, _, _ in history}
    assert types >= {"EvaluationClosed.v1", "ReviewsRevealed.v1", "OrderCancelled.v1"}

    # What was lived may be imported too, and what was imported twice: nothing is left to record.
    for run in (LIVED, IMPORTED):
        *answers, summary = await bring(importer, told_by(run).values())
        assert {answer["order"] for answer in answers} == {"unchanged"}
        assert summary["summary"]["events"] == 0
    await work()
    assert await facts(parts, IMPORTED) == imported
