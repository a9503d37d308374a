"""A shop is told by webhook, from the processes as they run."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from uuid import uuid4

import pytest
from local_stack.people import Person, now
from local_stack.receiver import Receiver, receiving
from local_stack.services import Stack
from review_service.api.examples import LINE
from standardwebhooks import Webhook

MARK = uuid4().hex[:8]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"
PATH = "/v1/webhook-endpoints"
EVALUATION = f"/v1/orders/{ORDER_ID}/evaluation"


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_each_service_reaches_a_shop(stack: Stack, shop: Receiver) -> None:
    secrets: list[str] = []
    for service in ("review", "dispute", "returns", "reputation"):
        seller = Person(stack, "SELLER", SELLER_ID, service)
        made = seller.post(PATH, {"url": shop.url})
        seller.post(f"{PATH}/{made['endpoint_id']}/pings", {})
        came = shop.wait_for(len(secrets) + 1)[-1]
        secrets.append(made["secret"])
        told = Webhook(made["secret"]).verify(came.body, dict(came.headers))
        assert told["type"] == "Ping"


def test_a_shop_is_told_of_an_order_and_of_its_reviews_when_both_are_there(
    stack: Stack, shop: Receiver
) -> None:
    market = Person(stack, "SYSTEM", "market")
    seller, buyer = Person(stack, "SELLER", SELLER_ID), Person(stack, "BUYER", BUYER_ID)
    endpoint = seller.post(PATH, {"url": shop.url})
    start = now(stack) - timedelta(hours=5)

    def at(hours: int) -> str:
        return (start + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    order = deepcopy(LINE["order"]) | {
        "order_id": ORDER_ID,
        "seller_id": SELLER_ID,
        "buyer_id": BUYER_ID,
        "placed_at": at(0),
        "dispatch_by": at(24),
        "deliver_by": at(48),
    }
    of_order = f"/v1/orders/{ORDER_ID}"
    market.post("/v1/orders", order)
    market.post(f"{of_order}/payment", {"at": at(1), "payment_ref": "P-1"})
    market.post(f"{of_order}/shipment", {"at": at(2)})
    market.post(f"{of_order}/delivery", {"at": at(3), "signed": True})
    buyer.post(f"{of_order}/completion", {})
    came = shop.wait_for(6)
    assert {each.told["type"].partition(".")[0] for each in came} == {
        *("OrderPlaced", "OrderPaid", "OrderShipped", "OrderDelivered", "OrderCompleted"),
        "EvaluationOpened",
    }
    stars = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE", "text": "well made"}
    buyer.post(f"{EVALUATION}/reviews", stars)
    seller.post(f"{EVALUATION}/reviews", {"rating": 5})
    # Of the buyer's review there was nothing before. Now all is sent, and comes in any order.
    told = set[str]()
    while not {"ReviewSubmitted", "ReviewsRevealed"} <= told:
        came = shop.wait_for(len(came) + 1)
        told = {each.told["type"].partition(".")[0] for each in came[6:]}
    for each in came:
        Webhook(endpoint["secret"]).verify(each.body, dict(each.headers))
        assert b"well made" not in each.body


def test_what_a_shop_has_refused_is_sent_once_more_when_it_asks(
    stack: Stack, shop: Receiver
) -> None:
    seller = Person(stack, "SELLER", SELLER_ID)
    shop.status = 503
    made = seller.post(PATH, {"url": shop.url})
    one = f"{PATH}/{made['endpoint_id']}"
    ping = seller.post(f"{one}/pings", {})
    shop.wait_for(1)
    shop.status = 200
    seller.post(f"{one}/deliveries/{ping['delivery_id']}/resend", {})
    first, again, *_ = shop.wait_for(2)
    assert first.id == again.id == ping["delivery_id"]


def test_a_shop_moves_and_gives_its_endpoint_up(stack: Stack, shop: Receiver) -> None:
    seller = Person(stack, "SELLER", SELLER_ID)
    made = seller.post(PATH, {"url": f"{shop.url}/old"})
    one = f"{PATH}/{made['endpoint_id']}"
    assert seller.send("POST", one, {"url": f"{shop.url}/new", "types": ["OrderPlaced"]}).is_success
    secret = seller.post(f"{one}/secrets", {})["secret"]
    assert seller.send("POST", f"{one}/disabling", {}).is_success
    assert seller.get(one)["off_at"]
    assert seller.send("POST", f"{one}/enabling", {}).is_success
    seller.post(f"{one}/pings", {})
    (came,) = shop.wait_for(1)
    assert came.path == "/told/new"
    Webhook(secret).verify(came.body, dict(came.headers))
    assert len(seller.get(f"{one}/deliveries")["items"]) == 1
    seller.delete(one)
    assert made["endpoint_id"] not in [each["endpoint_id"] for each in seller.get(PATH)["items"]]
