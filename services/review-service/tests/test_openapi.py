"""The OpenAPI page tells what a client can rely on, and the service keeps to it."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import cycle
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from review_service.api.bulk import NDJSON
from review_service.api.callers import EVERYBODY
from review_service.api.examples import LINE, line_of
from shared_runtime.media_types import SENT_TYPES
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]

BULK = "/v1/orders/bulk"
ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
WITHOUT_BODY = {
    "/v1/media/{media_id}/links",
    *(f"{ENDPOINT}/{what}" for what in ("enabling", "disabling", "secrets", "pings")),
    f"{ENDPOINT}/deliveries/{{delivery_id}}/resend",
}


def routes(api: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, told in api.openapi()["paths"].items():
        for method, route in told.items():
            if path.startswith("/v1"):
                yield method, path, route


def test_every_route_says_what_it_is_for_whom_and_shows_an_example(api: FastAPI) -> None:
    for method, path, route in routes(api):
        assert route["summary"], path
        named = re.search(r"\b(every role|" + "|".join(EVERYBODY) + r")\b", route["description"])
        assert named, path
        sound = [s for s in ("200", "201", "204") if s in route["responses"]]
        assert sound, path
        for status in sound:
            for content in route["responses"][status].get("content", {}).values():
                assert content["example"], path
            assert status == "204" or route["responses"][status]["content"], path
        if method == "post" and path not in WITHOUT_BODY:
            for media_type, content in route["requestBody"]["content"].items():
                assert media_type in SENT_TYPES or has_example(api, content), path
        for status in ("401", "403", "422", "503"):
            if (path, status) != ("/v1/sellers/{seller_id}/reviews", "403"):
                assert status in route["responses"], (path, status)


def has_example(api: FastAPI, content: dict[str, Any]) -> bool:
    """A file has none: what it looks like, its type says."""
    if "example" in content:
        return bool(content["example"])
    name = content["schema"]["$ref"].rpartition("/")[2]
    return bool(api.openapi()["components"]["schemas"][name]["examples"])


async def test_the_examples_work(caller: Caller, clock: ManualClock) -> None:
    clock.at = datetime.fromisoformat("2026-02-01T00:00:00Z")
    feed = caller("SYSTEM", "market")
    placed = await feed.post(
        "/v1/orders", json=LINE["order"], headers={"Idempotency-Key": "example"}
    )
    assert placed.status_code == 201
    brought = await caller("IMPORTER", "olist").post(
        BULK, content=line_of(LINE), headers={"Content-Type": NDJSON}
    )
    answer, _ = (json.loads(each) for each in brought.text.splitlines())
    assert answer["order"] == "accepted"
    assert [each["outcome"] for each in answer["reviews"]] == ["accepted", "accepted"]


def posts(api: FastAPI) -> list[str]:
    return [filled(path) for method, path, _ in routes(api) if method == "post"]


def filled(path: str) -> str:
    """The address of something that there is not."""
    return re.sub(r"{\w+}", "X1", path)


NOT_JSON = [
    b"quality=5&logistics=4",
    b'--x\r\nContent-Disposition: form-data; name="quality"\r\n\r\n5\r\n--x--\r\n',
    b"hello",
    b"\x00\xff\xfe\x80",
    b"[" * 100_000,
    b"{" * 5,
    b'{"text": "\\ud800"',
    b'{"quality": NaN}',
    b"1" * 5_000,
]
OTHER_TYPES = (None, "text/plain", "multipart/form-data; boundary=x", "application/octet-stream")


async def test_a_body_that_is_no_json_is_refused_as_such_by_every_route(
    api: FastAPI, caller: Caller
) -> None:
    client = caller("SYSTEM", "B-5", *EVERYBODY)
    streamed = {BULK, "/v1/media"}  # these take other types, and say so themselves
    for path in posts(api):
        keyed = {"Idempotency-Key": f"{uuid4()}", "If-Match": '"1"'}
        query = {"purpose": "REVIEW"} if path == "/v1/media" else {}
        for body, kind in zip(NOT_JSON, cycle(OTHER_TYPES), strict=False):
            headers = keyed | ({} if kind is None else {"Content-Type": kind})
            answered = await client.post(path, content=body, headers=headers, params=query)
            assert answered.status_code == 415, (path, kind, body[:20])
            if path not in streamed:
                headers = keyed | {"Content-Type": "application/json"}
                answered = await client.post(path, content=body, headers=headers)
                assert answered.status_code == 400, (path, body[:20])


async def test_half_a_surrogate_pair_is_refused_and_never_a_failure(
    api: FastAPI, caller: Caller
) -> None:
    client = caller("SYSTEM", "B-5", *EVERYBODY)
    named = {"Content-Type": "application/json", "If-Match": '"1"'}
    for path in posts(api):
        keyed = named | {"Idempotency-Key": f"{uuid4()}"}
        for body in (b'{"text": "\\ud800"}', b'{"\\udfff": 1}', b'"\\ud800"'):
            answered = await client.post(path, content=body, headers=keyed)
            assert 400 <= answered.status_code < 500, (path, body)


async def test_every_read_may_be_asked_for_its_head_alone(api: FastAPI, caller: Caller) -> None:
    client = caller("SYSTEM", "B-5", *EVERYBODY)
    asked = 0
    for path, methods in api.openapi()["paths"].items():
        if "get" in methods:
            whole, head = await client.get(filled(path)), await client.head(filled(path))
            assert (head.status_code, head.content) == (whole.status_code, b""), path
            assert head.headers["Content-Length"] == whole.headers["Content-Length"], path
            asked += 1
        allow = (await client.options(filled(path))).headers["Allow"].split(", ")
        assert {method.upper() for method in methods} <= set(allow), path
    assert asked >= 15


async def test_a_decision_of_staff_has_to_say_what_it_was_made_on(api: FastAPI) -> None:
    required = {
        path.rpartition("/")[2]
        for _, path, route in routes(api)
        for parameter in route.get("parameters", ())
        if parameter["name"] == "If-Match" and parameter["required"]
    }
    assert required == {"releases", "keeps", "restrictions", "decision"}
