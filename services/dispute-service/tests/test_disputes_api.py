"""Disputes over HTTP: what each party, and who decides, can do and sees."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx

type Client = httpx.AsyncClient
OPENING: dict[str, Any] = {
    "reason": "NOT_AS_DESCRIBED",
    "lines": [{"line_id": "1", "quantity": 1}],
    "outcome": "REFUND_PARTIAL",
    "amount": {"amount": 1000, "currency": "EUR"},
    "text": "It is another material than the picture shows.",
}


async def send(client: Client, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())} | headers)


async def opened(buyer: Client, order_id: str, **changes: object) -> dict[str, Any]:
    told = await send(buyer, "/v1/disputes", {"order_id": order_id} | OPENING | changes)
    assert told.status_code == 201, told.text
    dispute: dict[str, Any] = told.json()
    return dispute


def kinds(history: httpx.Response) -> list[str]:
    return [each["type"].partition(".")[0] for each in history.json()["items"]]


async def test_a_dispute_is_settled_by_the_sellers_first_answer(
    delivered: Callable[..., Awaitable[str]], buyer: Client, seller: Client
) -> None:
    dispute = await opened(buyer, await delivered())
    at = f"/v1/disputes/{dispute['dispute_id']}"
    assert dispute["stage"] == "NEGOTIATING"
    assert dispute["held"] == {"amount": 1000, "currency": "EUR"}
    (proposal,) = (await seller.get(at)).json()["proposals"]
    assert proposal["by"] == "BUYER"
    told = await send(seller, f"{at}/proposals/{proposal['proposal_id']}/acceptance", {})
    assert told.status_code == 201, told.text
    assert told.json()["stage"] == "EXECUTING"
    assert kinds(await buyer.get(f"{at}/events")) == [
        "DisputeOpened",
        "ProposalAccepted",
        "DisputeSettled",
        "RemedyOrdered",
    ]


async def test_of_an_order_of_others_nobody_learns(
    delivered: Callable[..., Awaitable[str]], buyer: Client, caller: Callable[..., Client]
) -> None:
    order_id = await delivered()
    dispute = await opened(buyer, order_id)
    stranger = caller("BUYER", "B-6")
    told = await send(stranger, "/v1/disputes", {"order_id": order_id} | OPENING)
    assert told.status_code == 404
    assert (await stranger.get(f"/v1/disputes/{dispute['dispute_id']}")).status_code == 404
