"""The life of an order by HTTP: step by step, told by its marketplace, confirmed by its buyer."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.examples import ORDER
from shared_events.orders import OrderLine, OrderPlaced
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ORDERS = "/v1/orders"
PAID = {"at": "2026-01-10T10:00:00Z", "payment_ref": "P-1"}
SHIPPED = {"at": "2026-01-11T10:00:00Z", "tracking_id": "BR1", "deliver_by": "2026-01-14T00:00:00Z"}
DELIVERED = {"at": "2026-01-15T10:00:00Z", "signed": True}
COMPLETED = {"at": "2026-01-15T11:00:00Z"}
CANCELLED = {"by": "SELLER", "reason": "OUT_OF_STOCK"}
REOPENED = {"reason": "CARRIER_CORRECTION"}
DELAYED = {"incident_id": "STORM-1", "liable": "FORCE_MAJEURE"}
LIFE: list[tuple[str, dict[str, Any]]] = [
    ("payment", PAID),
    ("shipment", SHIPPED),
    ("delivery", DELIVERED),
    ("completion", COMPLETED),
]


def order(order_id: str = "O1", **fields: object) -> dict[str, Any]:
    return deepcopy(ORDER) | {"order_id": order_id} | fields


async def post(
    client: httpx.AsyncClient, path: str, body: object, *, key: str | None = None, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        f"{ORDERS}{path}", json=body, headers={"Idempotency-Key": key or str(uuid4()), **named}
    )


def slug(answered: httpx.Response) -> tuple[int, str]:
    assert answered.headers["Content-Type"] == "application/problem+json"
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


def wrong(answered: httpx.Response) -> dict[str, str]:
    assert slug(answered) == (422, "invalid-value")
    return {error["field"]: error["bound"] for error in answered.json()["errors"]}


async def live(feed: httpx.AsyncClient, order_id: str, until: str) -> None:
    """The order, told up to this step."""
    assert (await post(feed, "", order(order_id))).status_code == 201
    for step, body in LIFE:
        if until == "placing":
            break
        assert (await post(feed, f"/{order_id}/{step}", body)).status_code == 201
        if step == until:
            break


async def recorded(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM es.event")
    return count


@pytest.fixture
def feed(caller: Caller) -> httpx.AsyncClient:
    return caller("SYSTEM", "market")


async def test_an_order_goes_through_its_life(feed: httpx.AsyncClient) -> None:
    placed = await post(feed, "", order())
    assert placed.status_code == 201
    assert placed.headers["ETag"] == '"1"'
    assert placed.headers["Consistency-Token"].startswith("orders.events/")
    sent = {name: value for name, value in order().items() if name in placed.json()}
    assert {name: placed.json()[name] for name in sent} == sent
    stages = [placed.json()["stage"]]
    for version, (step, body) in enumerate(LIFE, start=2):
        answered = await post(feed, f"/O1/{step}", body)
        assert (answered.status_code, answered.headers["ETag"]) == (201, f'"{version}"')
        stages.append(answered.json()["stage"])
    assert stages == ["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED"]
    told = (await feed.get(f"{ORDERS}/O1")).json()
    assert told["paid_at"] == PAID["at"]
    assert (told["shipped_at"], told["deliver_by"]) == (SHIPPED["at"], SHIPPED["deliver_by"])
    assert (told["delivered_at"], told["late"]) == (DELIVERED["at"], True)
    assert (told["completed_at"], told["completion_no"]) == (COMPLETED["at"], 1)
    reopened = (await post(feed, "/O1/reopening", REOPENED)).json()
    assert (reopened["stage"], reopened["completed_at"], reopened["late"]) == (
        "SHIPPED",
        None,
        None,
    )
    cancelled = (await post(feed, "/O1/cancellation", CANCELLED)).json()
    assert (cancelled["stage"], cancelled["cancelled_at"]) == ("CANCELLED", "2026-01-15T12:00:00Z")


async def test_a_step_that_is_told_again_changes_nothing(
    feed: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await live(feed, "O1", "completion")
    for path, body in [("", order()), *((f"/O1/{step}", body) for step, body in LIFE)]:
        answered = await post(feed, path, body)
        assert (answered.status_code, answered.json()["stage"]) == (200, "COMPLETED")
    assert await recorded(pool) == 5


async def test_a_step_that_is_told_differently_is_refused(
    feed: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await live(feed, "O1", "completion")
    for path, body in [
        ("", order(country="PT")),
        ("/O1/payment", PAID | {"payment_ref": "P-2"}),
        ("/O1/shipment", SHIPPED | {"tracking_id": "BR2"}),
        ("/O1/delivery", DELIVERED | {"signed": False}),
        ("/O1/completion", {"at": "2026-01-15T11:00:01Z"}),
    ]:
        answered = await post(feed, path, body)
        assert slug(answered) == (409, "already-submitted")
        assert answered.json()["existing_id"] == "O1"
    assert await recorded(pool) == 5


async def test_steps_come_one_after_another(feed: httpx.AsyncClient) -> None:
    await live(feed, "O1", "placing")
    for step, body in [
        LIFE[1],
        LIFE[2],
        LIFE[3],
        ("reopening", REOPENED),
        ("delay-attribution", DELAYED),
    ]:
        answered = await post(feed, f"/O1/{step}", body)
        if step == "delay-attribution":  # an incident is told of every order that it may touch
            assert answered.status_code == 200
            continue
        assert slug(answered) == (409, "wrong-state")
        assert answered.json()["state"] == "PLACED"
        assert answered.json()["allowed_actions"] == ["MarkPaid", "CancelOrder"]
    for step, body in [("payment", PAID), ("cancellation", CANCELLED)]:
        early = await post(feed, f"/O1/{step}", body | {"at": "2026-01-10T09:29:59Z"})
        assert slug(early) == (422, "time-goes-back")
        assert early.json()["last_at"] == ORDER["placed_at"]
    await post(feed, "/O1/cancellation", CANCELLED)
    again = await post(feed, "/O1/cancellation", CANCELLED | {"reason": "OTHER"})
    assert slug(again) == (409, "already-submitted")


async def test_a_feed_states_when_it_happened_and_else_it_is_now(
    feed: httpx.AsyncClient, caller: Caller
) -> None:
    await live(feed, "O1", "placing")
    ahead = await post(feed, "/O1/payment", PAID | {"at": "2026-01-15T12:05:01Z"})
    assert wrong(ahead) == {"at": "not after now"}
    skewed = await post(feed, "/O1/payment", PAID | {"at": "2026-01-15T12:04:00Z"})
    assert skewed.json()["paid_at"] == "2026-01-15T12:04:00Z"
    # Our own clock is behind what was told: it is lifted to it.
    now = await post(caller("IMPORTER", "olist"), "/O1/shipment", {})
    assert now.json()["shipped_at"] == "2026-01-15T12:04:00Z"
    future = await post(feed, "", order("O2", placed_at="2026-01-16T00:00:00Z"))
    assert wrong(future) == {"placed_at": "not after now"}


async def test_its_buyer_confirms_the_receipt_now(
    feed: httpx.AsyncClient, buyer: httpx.AsyncClient, clock: ManualClock
) -> None:
    await live(feed, "O1", "shipment")
    assert wrong(await post(buyer, "/O1/completion", COMPLETED)) == {
        "at": "a feed or an importer says it"
    }
    answered = await post(buyer, "/O1/completion", {})
    assert (answered.status_code, answered.json()["completed_at"]) == (201, "2026-01-15T12:00:00Z")
    clock.advance(timedelta(minutes=1))
    assert slug(await post(buyer, "/O1/completion", {})) == (409, "wrong-state")


async def test_somebody_elses_order_is_not_there(
    feed: httpx.AsyncClient, caller: Caller, pool: asyncpg.Pool
) -> None:
    """Nor can it be told from one that does not exist."""
    await live(feed, "O1", "shipment")
    events = await recorded(pool)
    strangers = [
        caller("BUYER", "B-6"),
        caller("SELLER", "S-78"),
        caller("BUYER", "S-77"),
        caller("SELLER", "B-5"),
        caller("BUYER", "B-6", "SELLER", seller_id="S-78"),
    ]
    for stranger in strangers:
        for order_id in ("O1", "none"):
            for path in ("", "/events", "/evaluation", "/evaluation/events"):
                answered = await stranger.get(f"{ORDERS}/{order_id}{path}")
                assert slug(answered) == (404, "not-found")
                assert answered.json()["detail"] == "No such object for you."
            for path, body in [
                ("/evaluation/reviews", {"rating": 5}),
                ("/evaluation/reviews/R1/amendments", {"rating": 5}),
            ]:
                for query in ("", "?validate_only=true"):
                    answered = await post(stranger, f"/{order_id}{path}{query}", body)
                    assert slug(answered) == (404, "not-found")
    for order_id in ("O1", "none"):
        for query in ("", "?validate_only=true"):
            for seen in ({}, {"If_Match": '"99"'}):
                answered = await post(strangers[0], f"/{order_id}/completion{query}", {}, **seen)
                assert slug(answered) == (404, "not-found")
    assert await recorded(pool) == events


async def test_an_order_that_does_not_exist_has_no_steps(feed: httpx.AsyncClient) -> None:
    steps = [
        *LIFE,
        ("cancellation", CANCELLED),
        ("reopening", REOPENED),
        ("delay-attribution", DELAYED),
    ]
    for step, body in steps:
        for seen in ({}, {"If_Match": '"99"'}):
            assert slug(await post(feed, f"/none/{step}", body, **seen)) == (404, "not-found")


async def test_a_role_has_its_commands_and_no_others(caller: Caller) -> None:
    steps = [
        *LIFE,
        ("cancellation", CANCELLED),
        ("reopening", REOPENED),
        ("delay-attribution", DELAYED),
    ]
    for role in ("BUYER", "SELLER", "MODERATOR", "AUDITOR", "PRIVACY"):
        client = caller(role, "X")
        assert slug(await post(client, "", order())) == (403, "role-not-allowed")
        for step, body in steps:
            if (role, step) in {("BUYER", "completion"), ("MODERATOR", "delay-attribution")}:
                continue
            assert slug(await post(client, f"/O1/{step}", body)) == (403, "role-not-allowed")
    nobody = caller("PRIVACY", "P")
    for path in ("", "/events", "/evaluation", "/evaluation/events"):
        assert slug(await nobody.get(f"{ORDERS}/O1{path}")) == (403, "role-not-allowed")


async def test_a_moderator_decides_on_the_version_that_he_saw(
    feed: httpx.AsyncClient, caller: Caller
) -> None:
    await live(feed, "O1", "delivery")
    moderator = caller("MODERATOR", "M1")
    path = "/O1/delay-attribution"
    assert slug(await post(moderator, path, DELAYED)) == (428, "precondition-required")
    stale = await post(moderator, path, DELAYED, If_Match='"3"')
    assert slug(stale) == (412, "stale-version")
    assert (stale.json()["expected"], stale.json()["actual"]) == (3, 4)
    seen = (await moderator.get(f"{ORDERS}/O1")).headers["ETag"]
    done = await post(moderator, path, DELAYED, If_Match=seen)
    assert (done.status_code, done.json()["delay"]) == (201, DELAYED)
    stated = await post(moderator, path, DELAYED | {"at": "2026-01-15T11:00:00Z"}, If_Match='"5"')
    assert wrong(stated) == {"at": "a feed or an importer says it"}


async def test_to_the_parties_a_moderator_has_no_name(
    feed: httpx.AsyncClient, buyer: httpx.AsyncClient, caller: Caller
) -> None:
    await live(feed, "O1", "delivery")
    moderator = caller("MODERATOR", "M1")
    done = await post(moderator, "/O1/delay-attribution", DELAYED, If_Match='"4"')
    assert done.status_code == 201
    for client in (buyer, caller("SELLER", "employee", seller_id="S-77"), moderator):
        told = (await client.get(f"{ORDERS}/O1/events")).json()["items"][-1]
        assert told["actor"] == ("moderator:M1" if client is moderator else "staff")


READERS: list[tuple[str, str, str | None]] = [
    ("BUYER", "B-5", None),
    ("SELLER", "S-77", None),
    ("SELLER", "employee", "S-77"),
    ("AGENT", "A", None),
    ("SENIOR", "A", None),
    ("MODERATOR", "A", None),
    ("ANALYST", "A", None),
    ("AUDITOR", "A", None),
    ("SYSTEM", "market", None),
    ("IMPORTER", "olist", None),
]


async def test_an_order_is_read_by_its_parties_by_staff_and_by_feeds(
    feed: httpx.AsyncClient, caller: Caller
) -> None:
    await live(feed, "O1", "delivery")
    for role, sub, seller_id in READERS:
        reader = caller(role, sub, seller_id=seller_id)
        told = await reader.get(f"{ORDERS}/O1")
        assert (told.status_code, told.headers["ETag"]) == (200, '"4"')
        history = (await reader.get(f"{ORDERS}/O1/events")).json()
        assert [event["data"]["type"] for event in history["items"]] == [
            "OrderPlaced.v1",
            "OrderPaid.v1",
            "OrderShipped.v1",
            "OrderDelivered.v1",
        ]
        assert {event["actor"] for event in history["items"]} == {"system:market"}


async def test_a_history_is_read_page_by_page(feed: httpx.AsyncClient) -> None:
    await live(feed, "O1", "completion")
    await live(feed, "O2", "payment")
    whole = (await feed.get(f"{ORDERS}/O1/events")).json()["items"]
    told: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = (await feed.get(f"{ORDERS}/O1/events", params=query)).json()
        told += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert (len(told), told) == (5, whole)
    foreign = await feed.get(f"{ORDERS}/O2/events", params=query)
    assert wrong(foreign) == {"cursor": "the `next_cursor` of a page of this list"}


STAGES = ["placing", "payment", "shipment", "delivery", "completion"]
NEUTRAL: dict[str, tuple[str, dict[str, Any]]] = {
    "MarkPaid": ("payment", {"payment_ref": "neutral"}),
    "MarkShipped": ("shipment", {}),
    "MarkDelivered": ("delivery", {"signed": False}),
    "CompleteOrder": ("completion", {}),
    "CancelOrder": ("cancellation", {"by": "PLATFORM", "reason": "neutral"}),
    "ReopenOrder": ("reopening", {"reason": "CARRIER_CORRECTION"}),
    "AttributeDelay": ("delay-attribution", {"incident_id": "neutral", "liable": "CARRIER"}),
}


async def test_what_is_offered_is_what_would_be_accepted(
    feed: httpx.AsyncClient, buyer: httpx.AsyncClient
) -> None:
    """Law 6."""
    for stage in STAGES:
        await live(feed, stage, stage)
        for client, names in [(feed, set(NEUTRAL)), (buyer, {"CompleteOrder"})]:
            told = await client.get(f"{ORDERS}/{stage}")
            actions = {action["action"]: action for action in told.json()["available_actions"]}
            assert actions.keys() - {"PlaceOrder"} == names
            for name in names:
                path, body = NEUTRAL[name]
                tried = await post(client, f"/{stage}/{path}?validate_only=true", body)
                would = tried.is_success and bool(tried.json()["events"])
                assert actions[name]["allowed"] == would, (stage, name, tried.text)
                if tried.is_error:
                    assert actions[name]["reason_if_not"] == slug(tried)[1]


LONG, CONTROL = "x" * 65, "a\u0007b"
BAD: list[tuple[dict[str, Any], str]] = [
    ({"order_id": LONG}, "order_id"),
    ({"order_id": CONTROL}, "order_id"),
    ({"order_id": "a\u0000b"}, "order_id"),
    ({"order_id": "a/b"}, "order_id"),
    ({"order_id": "."}, "order_id"),
    ({"order_id": " O1"}, "order_id"),
    ({"order_id": "a,b"}, "order_id"),
    ({"marketplace_id": "a\\b"}, "marketplace_id"),
    ({"seller_id": "S/77"}, "seller_id"),
    ({"order_id": 7}, "order_id"),
    ({"colour": "red"}, "colour"),
    ({"shipping": None}, "shipping"),
    ({"shipping": {"amount": -1, "currency": "BRL"}}, "shipping.amount"),
    ({"shipping": {"amount": 1.5, "currency": "BRL"}}, "shipping.amount"),
    ({"shipping": {"amount": True, "currency": "BRL"}}, "shipping.amount"),
    ({"shipping": {"amount": 1200, "currency": "EUR"}}, "shipping.currency"),
    ({"total_ref": {"amount": 1200, "currency": "BRL"}}, "total_ref.currency"),
    ({"total": {"amount": 2**53, "currency": "BRL"}}, "total.amount"),
    ({"total": {"amount": 1, "currency": "BRL"}}, "total.amount"),
    ({"lines": []}, "lines"),
    ({"lines": [ORDER["lines"][0]] * 2}, "lines"),
    ({"lines": [ORDER["lines"][0] | {"quantity": 1000}]}, "lines[0].quantity"),
    ({"lines": [ORDER["lines"][0] | {"sku": CONTROL}]}, "lines[0].sku"),
    ({"lines": [ORDER["lines"][0] | {"sku": "A/B-12"}]}, "lines[0].sku"),
    ({"lines": [ORDER["lines"][0] | {"line_id": ".."}]}, "lines[0].line_id"),
    ({"lines": [ORDER["lines"][0] | {"category": "home\u200d"}]}, "lines[0].category"),
    ({"order_discount": {"amount": 10681, "currency": "BRL"}}, "order_discount.amount"),
    ({"country": "br"}, "country"),
    ({"country": "XX"}, "country"),
    ({"currency": "REAL"}, "currency"),
    ({"currency": "BRX"}, "currency"),
    ({"buyer_id": "S-77"}, "buyer_id"),
    ({"placed_at": "2026-01-10T09:30:00"}, "placed_at"),
    ({"placed_at": "2026-02-30T09:30:00Z"}, "placed_at"),
    ({"deliver_by": "2200-01-01T00:00:00Z"}, "deliver_by"),
    ({"withdrawal_right": "yes"}, "withdrawal_right"),
]


async def test_an_instant_with_an_offset_is_told_in_utc(feed: httpx.AsyncClient) -> None:
    told = await post(feed, "", order(placed_at="2026-01-10T06:30:00-03:00"))
    assert told.json()["placed_at"] == "2026-01-10T09:30:00Z"


async def test_an_order_that_is_not_sound_is_refused_with_every_field_named(
    feed: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for changes, field in BAD:
        answered = await post(feed, "", order(**changes))
        assert field in wrong(answered), (changes, answered.text)
    missing = {name: value for name, value in order().items() if name != "seller_id"}
    assert wrong(await post(feed, "", missing)) == {"seller_id": "required"}
    assert await recorded(pool) == 0


async def test_an_order_from_before_the_rules_of_today_is_shown_as_it_is(
    feed: httpx.AsyncClient, tell: Callable[..., Awaitable[None]]
) -> None:
    line = OrderLine(line_id="1,2", sku="A/B-12", category="a\\b", quantity=1, unit_price_minor=100)
    placed = partial(
        OrderPlaced,
        marketplace_id="market",
        country="XX",
        currency="BRX",
        placed_at=NOW,
        lines=[line],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=100,
        total_ref_minor=100,
        withdrawal_right=True,
    )
    await tell("O1", placed)
    seen = (await feed.get(f"{ORDERS}/O1")).json()
    assert (seen["country"], seen["total"]) == ("XX", {"amount": 100, "currency": "BRX"})
    assert (seen["lines"][0]["sku"], seen["withdrawal_informed"]) == ("A/B-12", True)


async def test_what_is_no_request_is_refused(feed: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    def sent(content: bytes, **headers: str) -> Awaitable[httpx.Response]:
        named = {"Idempotency-Key": "k", "Content-Type": "application/json"} | headers
        return feed.post(ORDERS, content=content, headers=named)

    for malformed in (b"{", b"", b"\xff", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"):
        answered = await sent(malformed)
        assert answered.status_code in (400, 422), malformed[:10]
    assert slug(await sent(b"x" * 10_000_000)) == (413, "body-too-large")
    text = {"Content-Type": "text/plain"}
    assert slug(await sent(b"{}", **text)) == (415, "unsupported-media-type")
    keyless = await feed.post(ORDERS, json=order())
    assert slug(keyless) == (400, "idempotency-key-missing")
    anonymous = await feed.get(f"{ORDERS}/O1", headers={"Authorization": "Bearer x"})
    assert slug(anonymous) == (401, "unauthenticated")
    assert wrong(await feed.get(f"{ORDERS}/{LONG}")).keys() == {"order_id"}
    assert await recorded(pool) == 0


async def test_the_same_request_twice_has_one_answer(feed: httpx.AsyncClient) -> None:
    first = await post(feed, "", order(), key="k1")
    again = await post(feed, "", order(), key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (201, first.content)
    assert slug(await post(feed, "", order("O2"), key="k1")) == (422, "idempotency-mismatch")


async def test_an_order_completes_by_itself_when_nobody_complained(
    feed: httpx.AsyncClient, clock: ManualClock, work: Work
) -> None:
    await live(feed, "O1", "delivery")
    due = (await feed.get(f"{ORDERS}/O1")).json()["auto_complete_at"]
    assert due == "2026-01-22T10:00:00Z"
    clock.at = datetime.fromisoformat(due) - timedelta(microseconds=1)
    await work()
    assert (await feed.get(f"{ORDERS}/O1")).json()["stage"] == "DELIVERED"
    clock.advance(timedelta(minutes=10))
    await work()
    told = (await feed.get(f"{ORDERS}/O1")).json()
    assert (told["stage"], told["completed_at"]) == ("COMPLETED", due)
