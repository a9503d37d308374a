"""Who has himself told by webhook is told what he may read, and of a review no sooner."""

from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from local_stack.receiver import Receiver, receiving
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.app import READS
from review_service.settings import ReviewSettings
from shared_runtime.outside import Outside
from shared_runtime.reach import Reach
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import done, refusal, send
from shared_runtime.webhook_sending import Sending
from shared_runtime.webhooks import DELAYS, FORMER_SIGNS_FOR
from standardwebhooks import Webhook

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]

PATH = "/v1/webhook-endpoints"
ORDER_ID = LINE["order"]["order_id"]
REVIEWS = f"/v1/orders/{ORDER_ID}/evaluation/reviews"
COMPLETED = datetime(2026, 1, 15, 18, tzinfo=UTC)
OF_BUYER = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE", "text": "well made"}
OF_SELLER = {"rating": 5, "text": "paid at once"}


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def sending(parts: Parts[ReviewSettings]) -> Sending:
    outside = Outside(Reach(local=True))
    return Sending(webhooks=parts.webhooks, reads=READS, outside=outside)


@pytest.fixture
async def completed(
    caller: Caller, clock: ManualClock, work: Work
) -> Callable[[], Awaitable[None]]:
    """An order of B-5 at S-77 is."""

    async def complete() -> None:
        clock.at = COMPLETED
        told = {name: value for name, value in deepcopy(LINE).items() if name != "reviews"}
        await caller("IMPORTER", "olist").post(
            "/v1/orders/bulk", content=line_of(told), headers={"Content-Type": NDJSON}
        )
        await work()

    return complete


async def subscribe(client: httpx.AsyncClient, url: str, **wanted: object) -> dict[str, Any]:
    return done(await send(client, PATH, {"url": url} | wanted))


async def types_for(client: httpx.AsyncClient, endpoint: dict[str, Any]) -> list[str]:
    """What is on its way to it, or there, the oldest first."""
    told = await client.get(f"{PATH}/{endpoint['endpoint_id']}/deliveries", params={"limit": 100})
    items = reversed(told.json()["items"])
    return [each["type"].partition(".")[0] for each in items]


async def test_of_a_hidden_review_only_its_author_is_told_until_both_are_revealed(
    *,
    completed: Callable[[], Awaitable[None]],
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    shop: Receiver,
    sending: Sending,
    work: Work,
) -> None:
    subscribers = {
        "seller": caller("SELLER", "S-77"),
        "buyer's machine": caller("SYSTEM", "erp-1", org_id="B-5"),
        "seller's machine": caller("SYSTEM", "erp-2", org_id="S-77"),
        "market": caller("SYSTEM", "market"),
        "other seller": caller("SELLER", "S-99"),
        "other's machine": caller("SYSTEM", "erp-3", seller_id="S-77"),
    }
    endpoints = {
        who: await subscribe(client, shop.url, types=["ReviewSubmitted", "ReviewsRevealed"])
        for who, client in subscribers.items()
    }

    async def told() -> dict[str, list[str]]:
        await work()
        return {who: await types_for(client, endpoints[who]) for who, client in subscribers.items()}

    await completed()
    nobody: dict[str, list[str]] = {who: [] for who in subscribers}
    assert await told() == nobody
    done(await send(buyer, REVIEWS, OF_BUYER))
    assert await told() == nobody | {"buyer's machine": ["ReviewSubmitted"]}
    await sending.turn()
    assert len(shop.received) == 1
    done(await send(seller, REVIEWS, OF_SELLER))
    both = ["ReviewSubmitted", "ReviewSubmitted", "ReviewsRevealed"]
    revealed = await told()
    assert {who: sorted(types) for who, types in revealed.items()} == {
        "seller": both,
        "buyer's machine": both,
        "seller's machine": both,
        "market": both,
        "other seller": [],
        "other's machine": both,
    }
    while await sending.turn():
        pass
    assert len(shop.received) == 5 * 3
    for each in shop.received:
        assert "well made" not in each.body.decode()
        assert "paid at once" not in each.body.decode()
        assert '"s1.' not in each.body.decode()
    stars = {
        each.told["data"]["data"].get("quality")
        for each in shop.received
        if each.told["type"] == "ReviewSubmitted.v1"
    }
    assert stars == {5, None}


async def test_a_review_that_is_held_meanwhile_is_sent_without_its_stars(
    *,
    completed: Callable[[], Awaitable[None]],
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    shop: Receiver,
    sending: Sending,
    work: Work,
) -> None:
    await completed()
    shops = caller("SELLER", "S-77")
    await subscribe(shops, shop.url, types=["ReviewSubmitted"])
    done(await send(buyer, REVIEWS, OF_BUYER))
    revealed = done(await send(seller, REVIEWS, OF_SELLER))
    await work()
    (of_buyer,) = (each for each in revealed["reviews"] if each["by"] == "BUYER")
    seen = await caller("MODERATOR", "mod-1").get(f"/v1/reviews/{of_buyer['ref']}")
    held = await send(
        caller("MODERATOR", "mod-1"),
        f"/v1/reviews/{of_buyer['ref']}/holds",
        {"ground": "FAKE"},
        version=seen.headers["ETag"],
    )
    assert held.status_code == 201, held.text
    await sending.turn()
    by_side = {
        each.told["data"]["data"]["side"]: each.told["data"]["data"] for each in shop.received
    }
    assert by_side["SELLER"]["rating"] == 5
    assert by_side["BUYER"].get("quality") is None


async def test_the_steps_of_an_order_are_told_to_its_seller(
    *,
    completed: Callable[[], Awaitable[None]],
    caller: Caller,
    shop: Receiver,
    sending: Sending,
) -> None:
    shops = caller("SELLER", "S-77")
    endpoint = await subscribe(shops, shop.url)
    await completed()
    told = await types_for(shops, endpoint)
    assert told[0] == "OrderPlaced"
    assert {"OrderCompleted", "EvaluationOpened"} <= {*told}
    while await sending.turn():
        pass
    for came in shop.received:
        Webhook(endpoint["secret"]).verify(came.body, dict(came.headers))
        assert came.told["data"]["order_id"] == ORDER_ID
    page = await shops.get(f"/v1/orders/{ORDER_ID}/events", params={"limit": 100})
    shown = {each["id"]: each for each in page.json()["items"]}
    sent = {each.told["data"]["id"]: each.told["data"] for each in shop.received}
    for event_id, event in shown.items():
        assert {name: sent[event_id][name] for name in ("id", "time", "actor")} == {
            name: event[name] for name in ("id", "time", "actor")
        }
        assert sent[event_id]["data"] == event["data"]


async def test_an_endpoint_is_made_changed_tried_and_deleted(
    caller: Caller, shop: Receiver, sending: Sending, clock: ManualClock
) -> None:
    shops = caller("SELLER", "employee", seller_id="S-77")
    key = "made-once"
    made = done(await send(shops, PATH, {"url": shop.url}, key=key))
    assert made["secret"].startswith("whsec_")
    assert done(await send(shops, PATH, {"url": shop.url}, key=key)) == made
    other_body = await send(shops, PATH, {"url": f"{shop.url}/2"}, key=key)
    assert refusal(other_body) == "idempotency-mismatch"
    one = f"{PATH}/{made['endpoint_id']}"
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert (await shops.get(one)).json() == shown
    assert (await caller("SELLER", "S-77").get(PATH)).json()["items"] == [shown]

    changed = await send(shops, one, {"url": shop.url, "types": ["OrderPaid"]})
    assert changed.json()["types"] == ["OrderPaid"]
    rotated = done(await send(shops, f"{one}/secrets"))
    assert rotated["secret"] != made["secret"]
    until = (clock() + FORMER_SIGNS_FOR).isoformat().replace("+00:00", "Z")
    assert rotated["former_signs_until"] == until

    ping = done(await send(shops, f"{one}/pings"))
    assert (ping["type"], ping["state"], ping["attempts"]) == ("Ping", "WAITING", [])
    shop.status = 500
    await sending.turn()
    (failed,) = (await shops.get(f"{one}/deliveries")).json()["items"]
    assert (failed["delivery_id"], failed["state"]) == (ping["delivery_id"], "WAITING")
    assert [each["outcome"] for each in failed["attempts"]] == ["HTTP_500"]
    again = datetime.fromisoformat(failed["next_attempt_at"])
    assert timedelta(0) <= again - clock() - DELAYS[0] <= DELAYS[0] / 10
    shop.status = 200
    resent = done(await send(shops, f"{one}/deliveries/{ping['delivery_id']}/resend"))
    assert resent["delivery_id"] == ping["delivery_id"]
    await sending.turn()
    for state, count in (("DELIVERED", 1), ("WAITING", 0)):
        listed = await shops.get(f"{one}/deliveries", params={"state": state})
        assert len(listed.json()["items"]) == count

    off = await send(shops, f"{one}/disabling")
    assert off.json()["off_because"] == "OWNER"
    assert refusal(await send(shops, f"{one}/pings")) == "wrong-state"
    resend = f"{one}/deliveries/{ping['delivery_id']}/resend"
    assert refusal(await send(shops, resend)) == "wrong-state"
    on = await send(shops, f"{one}/enabling")
    assert (on.json()["off_at"], on.json()["off_because"]) == (None, None)

    assert (await shops.delete(one)).status_code == 204
    for gone in (await shops.get(one), await shops.delete(one), await send(shops, f"{one}/pings")):
        assert refusal(gone) == "not-found"


async def test_deliveries_come_page_by_page(caller: Caller, shop: Receiver) -> None:
    shops = caller("SELLER", "S-77")
    one = f"{PATH}/{(await subscribe(shops, shop.url))['endpoint_id']}"
    pings = [done(await send(shops, f"{one}/pings"))["delivery_id"] for _ in range(3)]
    first = (await shops.get(f"{one}/deliveries", params={"limit": 2})).json()
    cursor = {"cursor": first["next_cursor"]}
    second = (await shops.get(f"{one}/deliveries", params={"limit": 2} | cursor)).json()
    shown = [each["delivery_id"] for each in first["items"] + second["items"]]
    assert shown == pings[::-1]
    assert second["next_cursor"] is None
    foreign = await shops.get(f"{one}/deliveries", params={"state": "FAILED"} | cursor)
    assert refusal(foreign) == "invalid-value"


async def test_endpoints_are_for_shops_and_of_their_own(caller: Caller, shop: Receiver) -> None:
    made = await subscribe(caller("SELLER", "S-77"), shop.url)
    one = f"{PATH}/{made['endpoint_id']}"
    for stranger in (caller("SELLER", "S-99"), caller("SYSTEM", "market")):
        assert refusal(await stranger.get(one)) == "not-found"
        assert refusal(await stranger.get(f"{one}/deliveries")) == "not-found"
        assert refusal(await stranger.delete(one)) == "not-found"
        for path in ("", "/secrets", "/pings", "/enabling", "/disabling", "/deliveries/D/resend"):
            asked = await send(stranger, f"{one}{path}", {} if path else {"url": shop.url})
            assert refusal(asked) == "not-found"
        assert (await stranger.get(PATH)).json() == {"items": []}
    for role in ("BUYER", "MODERATOR", "AUDITOR", "CONSUMER"):
        asked = await send(caller(role, "B-5"), PATH, {"url": shop.url})
        assert refusal(asked) == "role-not-allowed"
    for name in ("none", made["endpoint_id"].upper(), "0" * 32):
        assert refusal(await caller("SELLER", "S-77").get(f"{PATH}/{name}")) == "not-found"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://shop.example/#part"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "ftp://shop.example/"}, "url"),
        ({"url": "https://shop.example/", "types": ["OrderPaid", "Unheard"]}, "types[1]"),
        ({"url": "https://shop.example/", "types": ["DisputeOpened"]}, "types[0]"),
        ({"url": "https://shop.example/", "seller_ids": ["S-99"]}, "seller_ids"),
        ({"url": "https://shop.example/", "buyer_ids": ["B-5"]}, "buyer_ids"),
    ],
)
async def test_what_a_shop_may_not_ask_for_is_refused(
    caller: Caller, body: dict[str, object], field: str
) -> None:
    refused = await send(caller("SELLER", "S-77"), PATH, body)
    assert refusal(refused) == "invalid-value"
    assert [each["field"] for each in refused.json()["errors"]] == [field]


async def test_an_account_has_ten_endpoints(caller: Caller) -> None:
    shops = caller("SELLER", "S-77")
    for _ in range(10):
        await subscribe(shops, "https://shop.example/")
    refused = await send(shops, PATH, {"url": "https://shop.example/"})
    assert refusal(refused) == "limit-reached"
    assert refused.json()["limit"] == 10
