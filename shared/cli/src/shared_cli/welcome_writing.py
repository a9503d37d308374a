"""A running stack with the demo in it in, a request of each role that commands something out: what
it is about is there, and each can be pasted without the others.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from local_stack.people import Person, now
from local_stack.services import Stack

from shared_cli.demo_disputes import AGENT, Example

OF_NOBODY_ELSE = "demo-00002"
"""An order of the demo whose buyer nothing else is shown of."""
VERSION = (
    'curl -sI -H "Authorization: Bearer $TOKEN" {} '
    r"| sed -n 's/^etag: //Ip' | tr -d '\r'"
)
"""What asks for the version of an address."""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A POST, and who sends it. Pasted again it is the same request. `judged`: the address of what
    the staff look at first, whose version they say: it is looked at when this is pasted.
    """

    role: str
    sub: str
    does: str
    address: str
    body: Json
    judged: str | None = None
    media_type: str = "application/json"

    def told(self) -> str:
        """The address, and what curl is told besides."""
        headers = {
            "Content-Type": self.media_type,
            "Idempotency-Key": str(uuid5(NAMESPACE_URL, f"{self.address} {self.body}")),
        }
        said = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
        if self.judged:
            said += f' -H "If-Match: $({VERSION.format(self.judged)})"'
        return f"{self.address} {said} -d '{json.dumps(self.body)}'"


def of_each_role(stack: Stack, order: Example, hit_by_a_flood: str) -> Iterator[Writing]:
    """About an order that both sides have reviewed, and about another seller."""
    urls = {name: f"{url}/v1" for name, url in stack.description.urls.items()}
    review, returns, reputation = urls["review"], urls["returns"], urls["reputation"]
    path = f"/v1/orders/{order.order_id}"
    at, auditor = f"{stack.description.urls['review']}{path}", Person(stack, "AUDITOR", "auditor-1")
    by_buyer = _review_of_the_buyer(auditor.get(f"{path}/evaluation"))
    yield Writing(
        role="SYSTEM",
        sub="my-shop",
        does="your servers, which tell of an order",
        address=f"{review}/orders",
        body=_an_order("welcome-1"),
    )
    yield Writing(
        role="BUYER",
        sub=order.buyer_id,
        does="a buyer, who asks the seller something",
        address=f"{urls['dispute']}/inquiries",
        body={
            "order_id": order.order_id,
            "topic": "PRODUCT",
            "text": "Is there a spare part for it?",
        },
    )
    yield Writing(
        role="SELLER",
        sub=order.seller_id,
        does="a seller, who replies to a review",
        address=f"{at}/evaluation/reviews/{by_buyer['review_id']}/reply",
        body={"text": "Thank you, we have told our warehouse."},
    )
    yield Writing(
        role="AGENT",
        sub=AGENT,
        does="an agent, who gives a euro back as a kindness",
        address=f"{returns}/orders/{order.order_id}/refunds/goodwill",
        body={"goodwill": {"amount": 100, "currency": "EUR"}, "reason": "LATE"},
        judged=f"{returns}/orders/{order.order_id}/refunds",
    )
    yield Writing(
        role="MODERATOR",
        sub="moderator-1",
        does="a moderator, who holds that review back",
        address=f"{review}/reviews/{by_buyer['ref']}/holds",
        body={"ground": "PERSONAL_DATA"},
    )
    yield Writing(
        role="ANALYST",
        sub="analyst-1",
        does="an analyst, who opens a case, with an event of the order as evidence",
        address=f"{reputation}/cases",
        body={
            "account_kind": "SELLER",
            "account_id": order.seller_id,
            "rule": "FAKE_TRANSACTION",
            "cause_key": "ring-7",
            "detection": "ANALYST",
            "evidence_event_ids": [auditor.get(f"{path}/events")["items"][0]["id"]],
        },
    )
    flooded = f"{reputation}/sellers/{hit_by_a_flood}"
    yield Writing(
        role="SENIOR",
        sub="senior-1",
        does="a senior, who protects a seller whose warehouse stands under water",
        address=f"{flooded}/protections",
        body={"until": _in_a_month(stack), "reason": "WAREHOUSE_FLOOD"},
        judged=f"{flooded}/points",
    )
    yield Writing(
        role="IMPORTER",
        sub="migration",
        does="a migration, with an order of long ago, a line for all of it",
        address=f"{review}/orders/bulk",
        media_type="application/x-ndjson",
        body={
            "order": _an_order("welcome-2"),
            "paid": {"at": "2025-11-10T09:31:00Z", "payment_ref": "old-1"},
        },
    )
    forgotten = auditor.get(f"/v1/orders/{OF_NOBODY_ELSE}")
    yield Writing(
        role="PRIVACY",
        sub="desk-1",
        does="the privacy desk: a buyer wants to be forgotten",
        address=f"{reputation}/erasures",
        body={"account_kind": "BUYER", "account_id": forgotten["buyer_id"]},
    )


def _an_order(order_id: str) -> Json:
    """With the buyer of its own."""
    price = {"amount": 4990, "currency": "EUR"}
    return {
        "order_id": order_id,
        "seller_id": "lamps-and-more",
        "buyer_id": f"buyer-of-{order_id}",
        "marketplace_id": "my-market",
        "country": "DE",
        "currency": "EUR",
        "placed_at": "2025-11-10T09:30:00Z",
        "lines": [
            {
                "line_id": "1",
                "sku": "LAMP-4",
                "category": "home",
                "quantity": 1,
                "unit_price": price,
            }
        ],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": price,
        "total_ref": {"amount": 5860, "currency": "USD"},
        "withdrawal_right": True,
    }


def _in_a_month(stack: Stack) -> str:
    """At midnight, by the stack's clock."""
    return f"{now(stack) + timedelta(days=30):%Y-%m-%dT00:00:00Z}"


def _review_of_the_buyer(evaluation: Json) -> Json:
    return cast("Json", next(each for each in evaluation["reviews"] if each["by"] == "BUYER"))
