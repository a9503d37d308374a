"""An order from its placing to what everybody reads of it, through the processes as they run."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from local_stack.people import now
from local_stack.services import Stack
from review_service.api.examples import LINE

MARK = uuid4().hex[:8]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.description.urls["review"]) as client:
        yield client


def test_an_order_is_reviewed_by_both_and_read_by_all(stack: Stack, api: httpx.Client) -> None:
    start = now(stack) - timedelta(hours=5)

    def at(hours: int) -> str:
        return (start + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    def post(role: str, sub: str, path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {stack.token(role, sub)}",
            "Idempotency-Key": str(uuid4()),
        }
        answered = api.post(f"/v1/orders{path}", json=body, headers=headers)
        assert answered.status_code == 201, answered.text
        return answered

    def get(role: str, sub: str, path: str, token: str) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {stack.token(role, sub)}",
            "Consistency-Token": token,
        }
        answered = api.get(path, headers=headers)
        assert answered.status_code == 200, answered.text
        told: dict[str, Any] = answered.json()
        return told

    order = deepcopy(LINE["order"]) | {
        "order_id": ORDER_ID,
        "seller_id": SELLER_ID,
        "buyer_id": BUYER_ID,
        "placed_at": at(0),
        "dispatch_by": at(24),
        "deliver_by": at(48),
    }
    post("SYSTEM", "market", "", order)
    post("SYSTEM", "market", f"/{ORDER_ID}/payment", {"at": at(1), "payment_ref": "P-1"})
    post("SYSTEM", "market", f"/{ORDER_ID}/shipment", {"at": at(2)})
    post("SYSTEM", "market", f"/{ORDER_ID}/delivery", {"at": at(3), "signed": True})
    completed = post("BUYER", BUYER_ID, f"/{ORDER_ID}/completion", {})
    evaluation = f"/v1/orders/{ORDER_ID}/evaluation"
    opened = get("BUYER", BUYER_ID, evaluation, completed.headers["Consistency-Token"])
    assert opened["state"] == "OPEN"
    stars = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
    post("BUYER", BUYER_ID, f"/{ORDER_ID}/evaluation/reviews", stars)
    both = post("SELLER", SELLER_ID, f"/{ORDER_ID}/evaluation/reviews", {"rating": 5})
    assert both.json()["state"] == "REVEALED"
    page = get(
        "BUYER",
        "somebody",
        f"/v1/sellers/{SELLER_ID}/reviews",
        both.headers["Consistency-Token"],
    )
    assert [item["quality"] for item in page["items"]] == [5]
