"""Whatever is sent, the answer is an answer: a problem that names what is wrong, never a 500."""

import asyncio
import json
import socket
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_stack import issuer
from shared_runtime.auth import Caller, Verifier, require
from shared_runtime.commands import AnyCommandRequest, VersionedCommandRequest
from shared_runtime.decider import InvalidValue, NotAParty, PolicyUnknown, RateLimited, WindowClosed
from shared_runtime.edge import BODY_BYTES_MAX
from shared_runtime.fields import Body, IdStr, Instant, Money
from shared_runtime.http import serve, service_app, worker_health_app
from shared_runtime.migrated import DatabaseBehind
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import (
    PAGE_SIZE_MAX,
    ConsistencyToken,
    Cursors,
    CursorText,
    IfMatch,
    Limit,
    PositionOf,
    Token,
    answer,
    wait_for,
)
from shared_runtime.routers import Router
from shared_runtime.testing import ManualClock
from structlog.testing import capture_logs

type Headers = dict[str, str]

BUYER = Annotated[Caller, Depends(require("BUYER"))]
NOW = datetime(2026, 1, 20, tzinfo=UTC)
CLOSED_AT = datetime(2026, 1, 15, tzinfo=UTC)
CURSORS = Cursors(b"a key of the tests")
GOOD: dict[str, Any] = {
    "id": "T1",
    "at": "2026-01-15T12:00:00Z",
    "count": 2,
    "price": {"amount": 1099, "currency": "EUR"},
    "tags": ["a"],
}


class ThingBody(Body):
    id: IdStr
    at: Instant
    count: int
    price: Money
    tags: list[IdStr]


def things_api() -> Router:
    router = Router("/v1/things", dependencies=[Depends(require("BUYER"))])

    @router.post("", responses=refusals(WindowClosed, NotAParty))
    async def make(body: ThingBody) -> Response:
        return answer(body, status=201)

    @router.post("/lines")
    async def lines(request: Request) -> Response:
        return answer({"bytes": sum([len(chunk) async for chunk in request.stream()])})

    @router.post("/{thing_id}/bare")
    async def bare(thing_id: IdStr) -> Response:
        return answer({"id": thing_id})

    @router.get("/{thing_id}/bare")
    async def bare_too(thing_id: IdStr) -> Response:
        return answer({"id": thing_id}, headers={"Cache-Control": "public, max-age=60"})

    @router.post("/{thing_id}/once")
    async def once(thing_id: IdStr, request: AnyCommandRequest) -> Response:
        return answer({"id": thing_id, "command": str(request.id)})

    @router.post("/{thing_id}/decision")
    async def decision(thing_id: IdStr, request: VersionedCommandRequest) -> Response:
        return answer({"id": thing_id, "seen": request.expected})

    @router.get("/{thing_id}")
    async def look(thing_id: IdStr, seen: IfMatch, token: ConsistencyToken) -> Response:
        return answer({"id": thing_id, "seen": seen, "token": token}, version=3)

    @router.get("/{thing_id}/pages")
    async def pages(thing_id: IdStr, limit: Limit = 20, cursor: CursorText = None) -> Response:
        last = CURSORS.last(f"things {thing_id}", cursor)
        return answer({"limit": limit, "last": last})

    add_failing(router)
    return router


def add_failing(router: Router) -> None:
    @router.get("/{thing_id}/deadlines")
    async def deadlines(thing_id: IdStr) -> Response:
        raise PolicyUnknown(policy_version=thing_id)

    @router.post("/{thing_id}/fail")
    async def fail(thing_id: IdStr) -> Response:
        failures: dict[str, Exception] = {
            "closed": WindowClosed(closed_at=CLOSED_AT),
            "limited": RateLimited(retry_at=NOW + timedelta(days=1, milliseconds=1)),
            "limited no more": RateLimited(retry_at=NOW - timedelta(days=1)),
            "unseen": NotYetVisible(),
            "foreign": NotAParty(),
            "bug": RuntimeError("a secret of the inside"),
            "refused": ConnectionRefusedError(),
            "slow": TimeoutError(),
            "shut": asyncpg.AdminShutdownError("bye"),
        }
        raise failures[thing_id]


async def ready() -> None: ...


@pytest.fixture
def app(verifier: Verifier) -> FastAPI:
    return service_app(
        title="things",
        version="1",
        routers=[things_api()],
        verifier=verifier,
        ready=ready,
        streamed=frozenset({"/v1/things/lines"}),
        now=ManualClock(NOW),
    )


@pytest.fixture
def bearer(tmp_path: Path, app: FastAPI) -> dict[str, str]:
    assert app.title == "things"  # it has made the key
    return {"Authorization": f"Bearer {issuer.mint(tmp_path, sub='B1', roles=['BUYER'])}"}


@pytest.fixture
async def client(app: FastAPI, bearer: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://things", headers=bearer
    ) as client:
        yield client


def problem(answered: httpx.Response) -> tuple[int, str]:
    assert answered.headers["Content-Type"] == "application/problem+json"
    told = answered.json()
    assert told["status"] == answered.status_code
    assert told["title"]
    assert told["detail"]
    return answered.status_code, told["type"].removeprefix("/problems/")


async def bounds(client: httpx.AsyncClient, body: object) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    # ASCII: half a surrogate pair can be sent as an escape only.
    sent = json.dumps(body).encode("ascii")
    answered = await client.post("/v1/things", content=sent, headers=headers)
    assert problem(answered) == (422, "invalid-value")
    return {error["field"]: error["bound"] for error in answered.json()["errors"]}


async def test_a_body_comes_through_as_it_was_sent(client: httpx.AsyncClient) -> None:
    answered = await client.post("/v1/things", json=GOOD)
    assert answered.status_code == 201
    assert answered.json() == GOOD


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"count": "5"}, "count"),
        ({"count": 4.5}, "count"),
        ({"count": 4.0}, "count"),
        ({"count": True}, "count"),
        ({"count": None}, "count"),
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": "x\u0000"}, "id"),
        ({"id": "x\n"}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"id": 5}, "id"),
        ({"price": {"amount": -1, "currency": "EUR"}}, "price.amount"),
        ({"price": {"amount": 2**53, "currency": "EUR"}}, "price.amount"),
        ({"price": {"amount": 10**400, "currency": "EUR"}}, "price.amount"),
        ({"price": {"amount": 1, "currency": "eur"}}, "price.currency"),
        ({"price": {"amount": 1, "currency": "EUR\n"}}, "price.currency"),
        ({"price": 10.99}, "price"),
        ({"tags": ["a", ""]}, "tags[1]"),
        ({"tags": "a"}, "tags"),
        ({"unheard": 1}, "unheard"),
        ({"x" * 500: 1}, "x" * 100),
        ({"\ud800": 1}, "body"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
async def test_a_wrong_value_is_named(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    assert list(await bounds(client, GOOD | change)) == [field]


@pytest.mark.parametrize(
    ("at", "bound"),
    [
        ("2026-01-15T12:00:00", "an instant needs its offset: Z, or +01:00"),
        ("2026-01-15T12:00:00+25:00", "offset must be"),
        ("2026-01-15", "an instant like"),
        ("2026-13-15T12:00:00Z", "month must be in 1..12"),
        ("2026-01-15T12:00:00.1234567Z", "an instant like"),
        (1768478400, "an instant like"),
        ("9999-12-31T23:59:59Z", "from 1970 until 2200"),
        ("1969-12-31T23:59:59Z", "from 1970 until 2200"),
    ],
)
async def test_an_instant_has_its_offset(client: httpx.AsyncClient, at: object, bound: str) -> None:
    told = await bounds(client, GOOD | {"at": at})
    assert told["at"].startswith(bound)


@pytest.mark.parametrize("told", ["12:00:00.25+00:00", "12:00:00.25-00:00", "09:30:00.25-02:30"])
async def test_an_instant_with_another_offset_is_the_same_in_utc(
    client: httpx.AsyncClient, told: str
) -> None:
    answered = await client.post("/v1/things", json=GOOD | {"at": f"2026-01-15T{told}"})
    assert answered.json()["at"] == "2026-01-15T12:00:00.250000Z"


async def test_every_wrong_field_is_named_at_once(client: httpx.AsyncClient) -> None:
    assert set(await bounds(client, {"more": 1})) == {"id", "at", "count", "price", "tags", "more"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"id": "x",}',
        b"[" * 100_000,
        b"1" * 5_000,
        b"{} {}",
        b"NaN",
        b'{"count": -Infinity}',
        '{"id": "x"}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:8]),
)
@pytest.mark.parametrize("path", ["/v1/things", "/v1/things/T1/bare", "/v1/things/T1/once"])
async def test_a_body_that_is_no_json_is_malformed(
    client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
    answered = await client.post(path, content=body, headers=headers)
    assert problem(answered) == (400, "malformed-body")


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"', b""])
async def test_a_body_that_is_no_object_is_invalid(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answered = await client.post("/v1/things", content=body, headers=headers)
    assert problem(answered) == (422, "invalid-value")


@pytest.mark.parametrize("body", [b"{}", b"quality=5&logistics=4", b"\x00\xff", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1/things", "/v1/things/T1/bare", "/v1/things/T1/once"])
async def test_a_body_of_another_type_is_not_read(
    client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    kinds: list[dict[str, str]] = [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "no type"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ]
    for kind in kinds:
        headers = {"Idempotency-Key": "k1"} | kind
        answered = await client.post(path, content=body, headers=headers)
        assert problem(answered) == (415, "unsupported-media-type")


async def test_a_compressed_stream_is_not_read(client: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "gzip"}
    answered = await client.post("/v1/things/lines", content=b"\x1f\x8b", headers=headers)
    assert problem(answered) == (415, "unsupported-media-type")


@given(
    body=st.binary(max_size=40) | st.text(max_size=20).map(str.encode),
    kind=st.sampled_from(["application/json", "text/plain", "application/cloudevents+json", ""]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_body_is_it_is_answered(
    app: FastAPI, bearer: Headers, body: bytes, kind: str
) -> None:
    async def send() -> int:
        transport = httpx.ASGITransport(app)
        headers = bearer | {"Idempotency-Key": "k1"} | ({"Content-Type": kind} if kind else {})
        async with httpx.AsyncClient(
            transport=transport, base_url="http://things", headers=headers
        ) as client:
            return (await client.post("/v1/things/T1/once", content=body)).status_code

    status = asyncio.run(send())
    assert status in ((200, 400) if "json" in kind or not body else (415,))


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("rating=1", ["rating"]),
        ("limit=5&page=2&sort=", ["page", "sort"]),
        ("Limit=5", ["Limit"]),
        ("=", [""]),
        ("%ff=1", ["\ufffd"]),
        ("x" * 500 + "=1", ["x" * 100]),
    ],
)
async def test_a_parameter_that_nobody_reads_is_refused(
    client: httpx.AsyncClient, query: str, unknown: list[str]
) -> None:
    answered = await client.get(f"/v1/things/T1/pages?{query}")
    assert problem(answered) == (422, "invalid-value")
    assert answered.json()["errors"] == [
        {"field": name, "bound": "unknown parameter"} for name in unknown
    ]


async def chunks(size: int, total: int) -> AsyncIterator[bytes]:
    for _ in range(total // size):
        yield b" " * size


async def test_a_large_body_is_refused_announced_or_not(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    ten_megabytes = b" " * 10_000_000
    announced = await client.post("/v1/things", content=ten_megabytes, headers=headers)
    assert problem(announced) == (413, "body-too-large")
    assert announced.json()["limit_bytes"] == BODY_BYTES_MAX
    sent = chunks(1_000, BODY_BYTES_MAX + 1_000)
    unannounced = await client.post("/v1/things", content=sent, headers=headers)
    assert problem(unannounced) == (413, "body-too-large")


async def test_a_streamed_body_has_any_size(client: httpx.AsyncClient) -> None:
    answered = await client.post("/v1/things/lines", content=chunks(100_000, 10_000_000))
    assert answered.json() == {"bytes": 10_000_000}


async def test_an_id_in_a_path_is_an_id(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/things/{'x' * 64}")).status_code == 200
    for wrong in ("x" * 65, "%00", "a%0Ab"):
        answered = await client.get(f"/v1/things/{wrong}")
        assert problem(answered) == (422, "invalid-value")
        assert answered.json()["errors"][0]["field"] == "thing_id"


async def test_unknown_paths_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/v1/nothing")) == (404, "not-found")
    assert problem(await client.get("/elsewhere")) == (404, "not-found")
    answered = await client.delete("/v1/things/T1")
    assert problem(answered) == (405, "method-not-allowed")
    assert answered.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert answered.json()["allowed_methods"] == ["GET", "HEAD", "OPTIONS"]
    answered = await client.delete("/v1/things/T1/bare")
    assert answered.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_a_path_with_another_slash_is_another_path(client: httpx.AsyncClient) -> None:
    """A redirect would be to the host that the request names, whoever that is."""
    for path in ("/v1/things/", "/v1/things/T1/", "/livez/", "/docs/"):
        answered = await client.get(path, headers={"Host": "evil.example"})
        assert problem(answered) == (404, "not-found")


async def test_a_refusal_is_a_problem_with_its_members(client: httpx.AsyncClient) -> None:
    answered = await client.post("/v1/things/closed/fail")
    assert answered.json() == {
        "type": "/problems/window-closed",
        "title": "Window closed",
        "status": 409,
        "detail": "The time for this has passed.",
        "closed_at": "2026-01-15T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("refused", "seconds"), [("limited", "86401"), ("limited%20no%20more", "1"), ("unseen", "1")]
)
async def test_who_may_try_again_is_told_when(
    client: httpx.AsyncClient, refused: str, seconds: str
) -> None:
    answered = await client.post(f"/v1/things/{refused}/fail")
    assert answered.headers["Retry-After"] == seconds


async def test_a_decision_needs_a_key_and_the_version_it_is_about(
    client: httpx.AsyncClient,
) -> None:
    path = "/v1/things/T1/decision"
    assert problem(await client.post(path)) == (400, "idempotency-key-missing")
    keyed = {"Idempotency-Key": "k1"}
    assert problem(await client.post(path, headers=keyed)) == (428, "precondition-required")
    decided = await client.post(path, headers=keyed | {"If-Match": '"3"'})
    assert decided.json()["seen"] == 3


async def test_somebody_elses_object_is_not_there(client: httpx.AsyncClient) -> None:
    assert problem(await client.post("/v1/things/foreign/fail")) == (404, "not-found")


async def test_a_bug_says_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        answered = await client.post("/v1/things/bug/fail")
    assert problem(answered) == (500, "internal-error")
    assert "secret" not in answered.text
    assert [line["event"] for line in logged] == ["request failed", "request"]


def test_a_line_of_the_log_is_json_with_the_ids_of_its_request() -> None:
    program = """
import logging, structlog
from shared_runtime.telemetry import configure_logging, correlated
configure_logging("INFO")
with correlated("order-7", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"):
    structlog.get_logger().info("request refused", rule="window-closed")
    logging.getLogger("library").warning("said %s", "so")
    structlog.get_logger().debug("not at this level")
"""
    said = subprocess.run(  # noqa: S603 - our own program; logging is set once in a process
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["request refused", "said so"]
    assert lines[0]["rule"] == "window-closed"
    assert {line["correlation_id"] for line in lines} == {"order-7"}
    assert all(line["traceparent"].startswith("00-aaa") for line in lines)


@pytest.mark.parametrize("failure", ["refused", "slow", "shut"])
async def test_a_database_that_is_away_is_unavailable(
    client: httpx.AsyncClient, failure: str
) -> None:
    answered = await client.post(f"/v1/things/{failure}/fail")
    assert problem(answered) == (503, "unavailable")
    assert int(answered.headers["Retry-After"]) >= 1


async def test_i13_what_began_with_a_policy_of_a_later_release_is_unavailable(
    client: httpx.AsyncClient,
) -> None:
    assert problem(await client.get("/v1/things/p9/deadlines")) == (503, "unavailable")


async def test_a_correlation_id_is_given_back(client: httpx.AsyncClient) -> None:
    given = await client.get("/v1/things/T1", headers={"X-Correlation-Id": "order-7"})
    assert given.headers["X-Correlation-Id"] == "order-7"
    for hostile in ("x" * 65, "a b", "<script>"):
        answered = await client.get("/v1/things/T1", headers={"X-Correlation-Id": hostile})
        assert answered.headers["X-Correlation-Id"] != hostile


async def test_the_version_seen_comes_in_quotes(client: httpx.AsyncClient) -> None:
    answered = await client.get("/v1/things/T1", headers={"If-Match": '"3"'})
    assert answered.json()["seen"] == 3
    assert answered.headers["ETag"] == '"3"'
    for wrong in ("3", 'W/"3"', "*", '"-1"', '"3", "4"', '"' + "9" * 40 + '"'):
        refused = await client.get("/v1/things/T1", headers={"If-Match": wrong})
        assert problem(refused) == (422, "invalid-value")


async def test_a_token_names_a_place_in_a_log(client: httpx.AsyncClient) -> None:
    headers = {"Consistency-Token": "orders.events/12:345"}
    answered = await client.get("/v1/things/T1", headers=headers)
    assert answered.json()["token"] == {
        "topic": "orders.events",
        "partition": 12,
        "position": 345,
    }
    for wrong in ("", "x", "orders.events/64:1", "orders.events/1:-1", "orders.events/1:²"):
        refused = await client.get("/v1/things/T1", headers={b"Consistency-Token": wrong.encode()})
        assert problem(refused) == (422, "invalid-value")


TOKEN = Token(topic="orders.events", partition=1, position=3)


def at(*positions: int | None) -> PositionOf:
    """A read model that is found at these positions, one after the other, then at the last."""
    looks = iter(positions)

    async def position(token: Token) -> int | None:
        assert token is TOKEN
        return next(looks, positions[-1])

    return position


async def test_i11_a_read_with_a_token_waits_until_it_reflects_it() -> None:
    await wait_for(TOKEN, at(0, 2, 3))
    await wait_for(TOKEN, at(9))
    await wait_for(None, at(0))


@pytest.mark.usefixtures("impatient")
async def test_i11_a_read_says_that_it_cannot_reflect_its_token_yet() -> None:
    with pytest.raises(NotYetVisible):
        await wait_for(TOKEN, at(2))


async def test_a_token_of_a_topic_that_is_not_read_is_refused() -> None:
    with pytest.raises(InvalidValue):
        await wait_for(TOKEN, at(None))


async def test_a_cursor_works_where_it_was_given_and_nowhere_else(
    client: httpx.AsyncClient,
) -> None:
    cursor = CURSORS.text("things T1", ["S1", 7])
    answered = await client.get("/v1/things/T1/pages", params={"cursor": cursor})
    assert answered.json() == {"limit": 20, "last": ["S1", 7]}
    forged = Cursors(b"another key").text("things T1", ["S1", 7])
    tampered = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    for thing, wrong in (("T2", cursor), ("T1", forged), ("T1", tampered), ("T1", "é"), ("T1", "")):
        refused = await client.get(f"/v1/things/{thing}/pages", params={"cursor": wrong})
        assert problem(refused) == (422, "invalid-value")


async def test_a_cursor_tells_nothing() -> None:
    cursor = urlsafe_b64decode(CURSORS.text("things T1", ["S1", 7]))
    assert b"S1" not in cursor
    other = urlsafe_b64decode(CURSORS.text("things T1", ["S1", 8]))
    assert sum(one != another for one, another in zip(cursor, other, strict=True)) > 16
    assert CURSORS.text("things T1", ["S1", 7]) == CURSORS.text("things T1", ["S1", 7])


async def test_pages_have_a_largest_size_and_who_asks_for_more_is_told(
    client: httpx.AsyncClient,
) -> None:
    for asked in (1, PAGE_SIZE_MAX):
        answered = await client.get("/v1/things/T1/pages", params={"limit": asked})
        assert answered.json()["limit"] == asked
    for wrong in (0, -1, PAGE_SIZE_MAX + 1, 10**9, "x"):
        refused = await client.get("/v1/things/T1/pages", params={"limit": wrong})
        assert problem(refused) == (422, "invalid-value")


async def test_every_refusal_is_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/v1/things"]["post"]["responses"]
    assert {"400", "401", "404", "409", "413", "415", "422", "500", "503"} <= set(responses)
    examples = responses["409"]["content"]["application/problem+json"]["examples"]
    assert examples["window-closed"]["value"]["closed_at"]
    assert "HTTPValidationError" not in str(document)


async def test_health_needs_no_token(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://things") as anyone:
        for path in ("/livez", "/readyz", "/openapi.json", "/docs"):
            assert (await anyone.get(path)).status_code == 200


async def test_a_worker_says_when_its_loops_stand_still_or_its_database_is_behind() -> None:
    turning = True
    behind: Exception | None = None

    async def look() -> None:
        if behind:
            raise behind

    app = worker_health_app(title="worker", ready=look, alive=lambda: turning)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as anyone:
        assert (await anyone.get("/livez")).status_code == 200
        assert (await anyone.get("/readyz")).status_code == 200
        turning = False
        for behind in (DatabaseBehind(), ConnectionRefusedError()):  # noqa: B007 - read above
            assert problem(await anyone.get("/readyz")) == (503, "not-ready")
        assert problem(await anyone.get("/livez")) == (503, "not-ready")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def test_a_real_server_answers_ten_megabytes_and_ends_when_told(
    app: FastAPI, bearer: dict[str, str]
) -> None:
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=port, stop=stop))
    retries = httpx.AsyncHTTPTransport(retries=5)
    async with httpx.AsyncClient(
        transport=retries, base_url=f"http://127.0.0.1:{port}", headers=bearer
    ) as client:
        body = b" " * 10_000_000
        headers = {"Content-Type": "application/json"}
        answered = await client.post("/v1/things", content=body, headers=headers)
        assert problem(answered) == (413, "body-too-large")
        sent = chunks(1_000_000, 10_000_000)
        answered = await client.post("/v1/things", content=sent, headers=headers)
        assert problem(answered) == (413, "body-too-large")
        unknown = {**headers, "Authorization": "Bearer nobody"}
        answered = await client.post("/v1/things/lines", content=body, headers=unknown)
        assert problem(answered) == (401, "unauthenticated")
    stop.set()
    await asyncio.wait_for(serving, 10)
