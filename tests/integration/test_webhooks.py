"""A shop is told by webhook, from the processes as they run."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from local_stack.people import now
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


class Asking:
    """Requests to a service of the stack, in somebody's name."""

    def __init__(self, stack: Stack, service: str = "review") -> None:
        self._stack = stack
        self._url = stack.description.urls[service]

    def post(self, role: str, sub: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = self._who(role, sub) | {"Idempotency-Key": str(uuid4())}
        answered = httpx.post(f"{self._url}{path}", json=body, headers=headers)
        assert answered.status_code == 201, answered.text
        told: dict[str, Any] = answered.json()
        return told

    def get(self, role: str, sub: str, path: str) -> dict[str, Any]:
        answered = httpx.get(f"{self._url}{path}", headers=self._who(role, sub))
        assert answered.status_code == 200, answered.text
        told: dict[str, Any] = answered.json()
        return told

    def _who(self, role: str, sub: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._stack.token(role, sub)}"}


def test_each_service_reaches_a_shop(stack: Stack, shop: Receiver) -> None:
    secrets: list[str] = []
    for service in ("review", "dispute", "returns", "reputation"):
        asking = Asking(stack, service)
        made = asking.post("SELLER", SELLER_ID, PATH, {"url": shop.url})
        asking.post("SELLER", SELLER_ID, f"{PATH}/{made['endpoint_id']}/pings", {})
        came = shop.wait_for(len(secrets) + 1)[-1]
        secrets.append(made["secret"])
        told = Webhook(made["secret"]).verify(came.body, dict(came.headers))
        assert told["type"] == "Ping"


def test_a_shop_is_told_of_an_order_and_of_its_reviews_when_both_are_there(
    stack: Stack, shop: Receiver
) -> None:
    asking = Asking(stack)
    endpoint = asking.post("SELLER", SELLER_ID, PATH, {"url": shop.url})
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
    asking.post("SYSTEM", "market", "/v1/orders", order)
    asking.post("SYSTEM", "market", f"{of_order}/payment", {"at": at(1), "payment_ref": "P-1"})
    asking.post("SYSTEM", "market", f"{of_order}/shipment", {"at": at(2)})
    asking.post("SYSTEM", "market", f"{of_order}/delivery", {"at": at(3), "signed": True})
    asking.post("BUYER", BUYER_ID, f"{of_order}/completion", {})
    came = shop.wait_for(6)
    assert {each.told["type"].partition(".")[0] for each in came} == {
        *("OrderPlaced", "OrderPaid", "OrderShipped", "OrderDelivered", "OrderCompleted"),
        "EvaluationOpened",
    }
    stars = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE", "text": "well made"}
    asking.post("BUYER", BUYER_ID, f"{EVALUATION}/reviews", stars)
    asking.post("SELLER", SELLER_ID, f"{EVALUATION}/reviews", {"rating": 5})
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
    asking = Asking(stack)
    shop.status = 503
    made = asking.post("SELLER", SELLER_ID, PATH, {"url": shop.url})
    one = f"{PATH}/{made['endpoint_id']}"
    ping = asking.post("SELLER", SELLER_ID, f"{one}/pings", {})
    shop.wait_for(1)
    shop.status = 200
    asking.post("SELLER", SELLER_ID, f"{one}/deliveries/{ping['delivery_id']}/resend", {})
    first, again, *_ = shop.wait_for(2)
    assert first.id == again.id == ping["delivery_id"]
