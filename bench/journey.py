"""How long it takes from a review, by HTTP, until it is in the seller's score: one at a time."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
from local_stack.services import Stack, ephemeral_stack

from bench.orders import a_minute_ago, new_order

JOURNEYS = 100
WARM_UP_JOURNEYS = 10
P99_SECONDS_MAX = 0.5
LOOK_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from the request until the score shows it, sorted."""

    seconds: list[float]

    @property
    def p99(self) -> float:
        return self.seconds[int(0.99 * (len(self.seconds) - 1))]

    @property
    def holds(self) -> bool:
        return self.p99 <= P99_SECONDS_MAX

    def line(self) -> str:
        median = self.seconds[len(self.seconds) // 2]
        verdict = "holds" if self.holds else "MISSED"
        return (
            f"HTTP command until it is in the seller's score: p99 {1000 * self.p99:.0f} ms, "
            f"median {1000 * median:.0f} ms of {len(self.seconds)} "
            f"(<= {1000 * P99_SECONDS_MAX:.0f} ms) {verdict}"
        )


def measure() -> Took:
    """Both sides review an order; the second review reveals both, and the score takes it in."""
    with ephemeral_stack() as stack, httpx.Client(timeout=30) as web:
        took = [_journey(stack, web) for _ in range(WARM_UP_JOURNEYS + JOURNEYS)]
    return Took(sorted(took[WARM_UP_JOURNEYS:]))


def _journey(stack: Stack, web: httpx.Client) -> float:
    mark = uuid4().hex
    seller, buyer = f"S-{mark}", f"B-{mark}"
    _completed_order(stack, web, mark, seller, buyer)
    reviews = f"/v1/orders/{mark}/evaluation/reviews"
    stars = {"quality": 5, "logistics": 5, "service": 5, "incentive": "NONE"}
    _post(stack, web, reviews, ("BUYER", buyer), stars)
    began = time.perf_counter()
    token = _post(stack, web, reviews, ("SELLER", seller), {"rating": 5})
    url = f"{stack.description.urls['reputation']}/v1/sellers/{seller}/score"
    headers = _as(stack, "AUDITOR", "bench") | {"Consistency-Token": token}
    while web.get(url, headers=headers).status_code != HTTPStatus.OK:
        time.sleep(LOOK_SECONDS)
    return time.perf_counter() - began


def _completed_order(
    stack: Stack, web: httpx.Client, order_id: str, seller: str, buyer: str
) -> None:
    at = a_minute_ago()
    order = new_order(order_id, seller_id=seller, buyer_id=buyer, placed_at=at)
    _post(stack, web, "/v1/orders", ("SYSTEM", "bench"), order)
    steps: dict[str, dict[str, Any]] = {
        "payment": {"at": at, "payment_ref": "P1"},
        "shipment": {"at": at},
        "delivery": {"at": at, "signed": True},
    }
    for step, body in steps.items():
        _post(stack, web, f"/v1/orders/{order_id}/{step}", ("SYSTEM", "bench"), body)
    token = _post(stack, web, f"/v1/orders/{order_id}/completion", ("BUYER", buyer), {})
    url = f"{stack.description.urls['review']}/v1/orders/{order_id}/evaluation"
    headers = _as(stack, "BUYER", buyer) | {"Consistency-Token": token}
    while web.get(url, headers=headers).status_code != HTTPStatus.OK:
        time.sleep(LOOK_SECONDS)


def _post(
    stack: Stack, web: httpx.Client, path: str, who: tuple[str, str], body: dict[str, Any]
) -> str:
    headers = _as(stack, *who) | {"Idempotency-Key": str(uuid4())}
    answer = web.post(f"{stack.description.urls['review']}{path}", json=body, headers=headers)
    answer.raise_for_status()
    return answer.headers["Consistency-Token"]


def _as(stack: Stack, role: str, sub: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(role, sub)}"}
