"""What went in comes out again, and goes in elsewhere: only what everybody may read, and hidden."""

import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.queries import placed_orders
from shared_events.review import ReviewHeld
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Json = dict[str, Any]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BUYER, SELLER = LINE["reviews"]
TOLD = BUYER | {
    "text": "Reads well.",
    "reply": {"at": "2026-01-18T10:00:00Z", "text": "Thank you."},
    "follow_up": {"at": "2026-03-01T10:00:00Z", "text": "It still shines."},
    "restricted": {
        "at": "2026-03-02T10:00:00Z",
        "ground": "PERSONAL_DATA",
        "measures": ["HIDE_TEXT"],
        "rule_ids": ["R-3"],
        "facts": "It gives a street.",
    },
}


@pytest.fixture(autouse=True)
def now(clock: ManualClock) -> None:
    clock.at = NOW


@pytest.fixture
def auditor(caller: Caller) -> httpx.AsyncClient:
    return caller("AUDITOR", "a-1")


def line(order_id: str, *reviews: Json, day: int = 10, **parts: Any) -> Json:  # noqa: ANN401 - of a line
    told: Json = deepcopy(LINE) | {"reviews": list(reviews)} | parts
    told["order"] |= {"order_id": order_id, "buyer_id": f"B-{order_id}"}
    told["order"]["placed_at"] = f"2026-01-{day:02}T09:30:00Z"
    return {name: part for name, part in told.items() if part is not None}


async def bring(client: httpx.AsyncClient, *lines: Json) -> Json:
    content = "".join(map(line_of, lines))
    answered = await client.post(
        "/v1/orders/bulk", content=content, headers={"Content-Type": NDJSON}
    )
    summary: Json = json.loads(answered.content.splitlines()[-1])["summary"]
    return summary


async def taken(client: httpx.AsyncClient, query: str = "") -> list[Json]:
    """All pages."""
    items: list[Json] = []
    cursor = ""
    while True:
        answered = await client.get(f"/v1/histories?{query}{cursor}")
        assert answered.status_code == 200, answered.text
        items += answered.json()["items"]
        if (following := answered.json()["next_cursor"]) is None:
            return items
        cursor = f"&cursor={following}"


def ids_of(items: list[Json]) -> set[str]:
    return {item["order"]["order_id"] for item in items}


async def test_what_comes_out_is_what_went_in_and_tells_nothing_new(
    auditor: httpx.AsyncClient, caller: Caller
) -> None:
    importer = caller("IMPORTER", "migration")
    told = line("O1", TOLD, SELLER | {"text": "Paid at once."})
    assert (await bring(importer, told))["parts"]["accepted"] == 3
    [item] = await taken(auditor)
    for name in ("paid", "shipped", "delivered", "completed"):
        assert item[name] == told[name]
    assert item["order"]["total"] == told["order"]["total"]
    buyers, sellers = item["reviews"]
    assert {name: buyers[name] for name in TOLD if name != "incentive"} == {
        name: part for name, part in TOLD.items() if name != "incentive"
    }
    assert sellers["text"] == "Paid at once."
    again = await bring(importer, item)
    assert again["events"] == 0
    assert again["orders"] == {"accepted": 0, "unchanged": 1, "refused": 0}
    assert again["parts"] == {"accepted": 0, "unchanged": 3, "refused": 0}


async def test_an_order_comes_out_as_far_as_it_came(
    auditor: httpx.AsyncClient, caller: Caller
) -> None:
    importer = caller("IMPORTER", "migration")
    cancelled = {"at": "2026-01-11T00:00:00Z", "by": "SELLER", "reason": "OUT_OF_STOCK"}
    await bring(
        importer,
        line("paid", shipped=None, delivered=None, completed=None),
        line("gone", shipped=None, delivered=None, completed=None, cancelled=cancelled),
        line("automatic", BUYER, completed=None),
    )
    items = {item["order"]["order_id"]: item for item in await taken(auditor)}
    assert "shipped" not in items["paid"]
    assert items["gone"]["cancelled"] == cancelled
    assert "completed" not in items["automatic"]  # it completes by itself again
    assert (await bring(importer, *items.values()))["events"] == 0


async def test_a_review_that_is_not_revealed_or_held_stays_here(
    auditor: httpx.AsyncClient, caller: Caller, clock: ManualClock, tell: Callable[..., Any]
) -> None:
    importer = caller("IMPORTER", "migration")
    clock.at = datetime(2026, 1, 20, tzinfo=UTC)
    await bring(importer, line("secret", BUYER), line("held", BUYER, SELLER))
    await tell(
        "held",
        partial(ReviewHeld, ground="FAKE", hold_until=clock.at + timedelta(days=3)),
        buyer_id="B-held",
    )
    items = {item["order"]["order_id"]: item for item in await taken(auditor)}
    assert items["secret"]["reviews"] == []
    assert [review["by"] for review in items["held"]["reviews"]] == ["SELLER"]
    assert ids_of(await taken(auditor, "reviewed=true")) == {"held"}


async def test_what_somebody_wrote_who_was_erased_does_not_come_out(
    auditor: httpx.AsyncClient, caller: Caller, key_store: InMemoryKeyStore
) -> None:
    await bring(caller("IMPORTER", "migration"), line("O1", TOLD, SELLER))
    await key_store.destroy("seller:S-77")
    await key_store.destroy("buyer:B-O1")
    [item] = await taken(auditor)
    buyers = item["reviews"][0]
    assert buyers["quality"] == 5
    assert not {"text", "reply", "follow_up"} & set(buyers)


async def test_orders_are_chosen_by_their_seller_and_by_when_they_were_placed_or_reviewed(
    auditor: httpx.AsyncClient, caller: Caller
) -> None:
    other = line("O3", BUYER, day=9)
    other["order"]["seller_id"] = "S-78"
    await bring(caller("IMPORTER", "migration"), line("O1", BUYER, day=8), line("O2", day=9), other)
    assert ids_of(await taken(auditor)) == {"O1", "O2", "O3"}
    assert ids_of(await taken(auditor, "seller_id=S-78")) == {"O3"}
    placed = "2026-01-09T09:30:00Z"
    assert ids_of(await taken(auditor, f"since={placed}")) == {"O2", "O3"}
    assert ids_of(await taken(auditor, f"until={placed}")) == {"O1"}
    assert ids_of(await taken(auditor, "reviewed=true")) == {"O1", "O3"}
    written = BUYER["at"]
    assert ids_of(await taken(auditor, f"reviewed=true&since={written}")) == {"O1", "O3"}
    assert ids_of(await taken(auditor, f"reviewed=true&until={written}")) == set()


@pytest.mark.parametrize("scanned", [1, 2, 3, 4, 1000])
async def test_pages_of_any_size_have_each_order_once(
    auditor: httpx.AsyncClient,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    scanned: int,
) -> None:
    monkeypatch.setattr(placed_orders, "SCANNED_MAX", scanned)
    lines = [line(f"O{n}", day=8) for n in range(5)]
    for n, each in enumerate(lines):
        each["order"]["seller_id"] = f"S-{n % 3}"
    await bring(caller("IMPORTER", "migration"), *lines)
    found = [item["order"]["order_id"] for item in await taken(auditor, "limit=2")]
    assert sorted(found) == [f"O{n}" for n in range(5)]
    assert ids_of(await taken(auditor, "limit=1&seller_id=S-1")) == {"O1", "O4"}


async def test_a_cursor_is_of_one_choice(auditor: httpx.AsyncClient, caller: Caller) -> None:
    await bring(caller("IMPORTER", "migration"), *(line(f"O{n}") for n in range(3)))
    page = await auditor.get("/v1/histories?limit=1")
    cursor = page.json()["next_cursor"]
    other = await auditor.get(f"/v1/histories?limit=1&reviewed=true&cursor={cursor}")
    assert other.status_code == 422
    at = "2026-01-09T09:30:00Z"
    assert (await auditor.get(f"/v1/histories?since={at}&until={at}")).status_code == 422


@pytest.mark.parametrize("role", ["SELLER", "BUYER", "STOREFRONT", "IMPORTER", "MODERATOR"])
async def test_only_auditors_and_the_shops_servers_take_histories_away(
    caller: Caller, role: str
) -> None:
    assert (await caller(role, "x-1").get("/v1/histories")).status_code == 403
    assert (await caller("SYSTEM", "x-1").get("/v1/histories")).status_code == 200
