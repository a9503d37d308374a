"""Whoever asks by the client is told where it says something else than he, or than the service."""

from typing import Any

import httpx
import pytest

from tests.integration.by_client import ByClient

URL = "http://shop.example/v1/orders/O-1"
EVENTS: dict[str, object] = {"items": [], "next_cursor": None}


def ask(method: str, path: str, status: int = 200, **request: Any) -> httpx.Response:  # noqa: ANN401
    def answered(asked: httpx.Request) -> httpx.Response:
        assert asked.headers["Authorization"] == "Bearer T"
        return httpx.Response(status, json=EVENTS)

    way = ByClient("review", httpx.MockTransport(answered))
    with httpx.Client(transport=way, headers={"Authorization": "Bearer T"}) as web:
        return web.request(method, f"{URL}{path}", **request)


def test_what_the_client_says_is_what_was_said() -> None:
    assert ask("GET", "/events?limit=5").json() == EVENTS


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("GET", "/event", None, "documented nowhere"),
        ("GET", "/events?limits=5", None, "knows not all"),
        ("POST", "/payment", {"payment_ref": "P", "paid": True}, "says something else"),
    ],
)
def test_what_is_not_documented_is_not_asked(
    method: str, path: str, body: dict[str, object] | None, why: str
) -> None:
    with pytest.raises(AssertionError, match=why):
        ask(method, path, json=body, headers={"Idempotency-Key": "K"})


def test_what_the_client_does_not_understand_of_an_answer_is_told() -> None:
    with pytest.raises(AssertionError, match="ListOrderEvents, 206"):
        ask("GET", "/events", 206)
