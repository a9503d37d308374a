"""An order from its placing to what everybody reads of it, through the processes as they run."""

from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from local_stack.people import Person, now
from local_stack.services import Stack
from review_service.api.examples import LINE

MARK = uuid4().hex[:8]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"
ORDER = f"/v1/orders/{ORDER_ID}"
EVALUATION = f"{ORDER}/evaluation"


def test_an_order_is_reviewed_by_both_and_read_by_all(stack: Stack) -> None:
    market, buyer = Person(stack, "SYSTEM", "market"), Person(stack, "BUYER", BUYER_ID)
    start = now(stack) - timedelta(hours=5)

    def at(hours: int) -> str:
        return (start + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    def read(who: Person, path: str, done: httpx.Response) -> dict[str, Any]:
        """As soon as it shows what was done."""
        assert done.status_code == httpx.codes.CREATED, done.text
        answered = who.look(path, **{"Consistency-Token": done.headers["Consistency-Token"]})
        assert answered.status_code == httpx.codes.OK, answered.text
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
    market.post("/v1/orders", order)
    market.post(f"{ORDER}/payment", {"at": at(1), "payment_ref": "P-1"})
    market.post(f"{ORDER}/shipment", {"at": at(2)})
    market.post(f"{ORDER}/delivery", {"at": at(3), "signed": True})
    completed = buyer.send("POST", f"{ORDER}/completion", {})
    assert read(buyer, EVALUATION, completed)["state"] == "OPEN"
    stars = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
    buyer.post(f"{EVALUATION}/reviews", stars)
    both = Person(stack, "SELLER", SELLER_ID).send("POST", f"{EVALUATION}/reviews", {"rating": 5})
    assert both.json()["state"] == "REVEALED"
    page = read(Person(stack, "BUYER", "somebody"), f"/v1/sellers/{SELLER_ID}/reviews", both)
    assert [item["quality"] for item in page["items"]] == [5]
