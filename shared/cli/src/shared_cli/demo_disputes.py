"""Orders of the demo in, some disputes about them out: one settled, one that its seller has not
answered, one that waits for a decision; and a question about each.

They are told over HTTP, and the stack's clock carries them through their deadlines. The same
requests again change nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import httpx
from local_stack.errors import StackError
from local_stack.services import Stack

from shared_cli import clock

AGENT = "agent-1"
KNOWN_SECONDS_MAX = 30.0
NOT_FOUND = 404
LOOK_SECONDS = 0.2
STEPS = (("REBUTTAL", timedelta(days=5)), ("REVIEW", timedelta(days=2)))
"""How long each party has for evidence, and for what it thinks of the other's."""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An order of the demo to try things on."""

    order_id: str
    buyer_id: str
    seller_id: str


COMPLAINTS = (
    ("DAMAGED", "REFUND_PARTIAL", "acceptance"),
    ("WRONG_ITEM", "RETURN_AND_REFUND", None),
    ("NOT_AS_DESCRIBED", "REFUND_FULL", "rejection"),
)
"""What is wrong, what the buyer proposes, and what the seller does with that."""


def _body(order_id: str, reason: str, outcome: str) -> Json:
    amount = {"amount": {"amount": 100, "currency": "EUR"}} if outcome == "REFUND_PARTIAL" else {}
    return {
        "order_id": order_id,
        "reason": reason,
        "lines": [{"line_id": "1", "quantity": 1}],
        "outcome": outcome,
        "text": "This is not what I have ordered.",
    } | amount


def settled_of(orders: Sequence[Example]) -> Example:
    """The order whose dispute the seller settles with money."""
    return orders[-len(COMPLAINTS)]


def begin(stack: Stack, orders: Sequence[Example]) -> str:
    """Opens them about the last orders; the id of the one that will have to be decided."""
    dispute_id = ""
    for order, (reason, outcome, answer) in zip(
        orders[-len(COMPLAINTS) :], COMPLAINTS, strict=True
    ):
        buyer = _Person(stack, "BUYER", order.buyer_id)
        seller = _Person(stack, "SELLER", order.seller_id)
        opened = buyer.once_known("/v1/disputes", _body(order.order_id, reason, outcome))
        dispute_id = opened["dispute_id"]
        if answer:
            (asked,) = (told for told in opened["proposals"] if told["by"] == "BUYER")
            path = f"/v1/disputes/{dispute_id}/proposals/{asked['proposal_id']}/{answer}"
            seller.post(path, {})
        question = {"order_id": order.order_id, "topic": "PRODUCT", "text": "Is it new?"}
        buyer.post("/v1/inquiries", question)
    return dispute_id


def carry_on(stack: Stack, dispute_id: str, say: Callable[[str], None]) -> None:
    """Through the time for evidence, until somebody has to decide it."""
    auditor = _Person(stack, "AUDITOR", "auditor-1")
    path = f"/v1/disputes/{dispute_id}"
    auditor.until(path, "stage", "EVIDENCE")
    for stage, time_for_it in STEPS:
        clock.move(Path(stack.description.clock_file), time_for_it)
        auditor.until(path, "stage", stage)
    _Person(stack, "AGENT", AGENT).put("/v1/adjudication/duty", {})
    auditor.until(path, "adjudicator_id", AGENT)
    say("another week has passed: a dispute waits for its decision")


class _Person:
    """A client of dispute-service."""

    def __init__(self, stack: Stack, role: str, sub: str) -> None:
        self._base = stack.description.urls["dispute"]
        self._stack, self._role, self._sub = stack, role, sub

    def post(self, path: str, body: Json) -> Json:
        return _told(self._sent("POST", path, body))

    def put(self, path: str, body: Json) -> Json:
        return _told(self._sent("PUT", path, body))

    def once_known(self, path: str, body: Json) -> Json:
        """Orders come to dispute-service over Kafka: its own a moment after they were placed."""
        deadline = time.monotonic() + KNOWN_SECONDS_MAX
        while (answered := self._sent("POST", path, body)).status_code == NOT_FOUND:
            _wait(deadline, "the order is known to dispute-service")
        return _told(answered)

    def until(self, path: str, member: str, value: str) -> None:
        deadline = time.monotonic() + KNOWN_SECONDS_MAX
        while _told(self._sent("GET", path))[member] != value:
            _wait(deadline, f"{path}: {member} is {value}")

    def _sent(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        # A token is good for hours, and days pass here.
        headers = {"Authorization": f"Bearer {self._stack.token(self._role, self._sub)}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid5(NAMESPACE_URL, f"demo {path} {body}"))
        return httpx.request(method, f"{self._base}{path}", json=body, headers=headers, timeout=60)


def _told(answered: httpx.Response) -> Json:
    if answered.is_error:
        raise StackError(f"the demo's disputes: {answered.text}")
    return cast("Json", answered.json())


def _wait(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise StackError(f"not within {KNOWN_SECONDS_MAX:.0f} s: {what}")
    time.sleep(LOOK_SECONDS)
