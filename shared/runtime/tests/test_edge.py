"""What comes between the server and the routes: heads, methods, caches, and patience."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, override

import httpx
import pytest
import uvloop
from fastapi import Depends, FastAPI, Request, Response
from local_stack import issuer, processes
from prometheus_client import REGISTRY
from shared_runtime.auth import Verifier, require
from shared_runtime.body_room import BodyRoom
from shared_runtime.commands import AnyCommandRequest
from shared_runtime.connections import (
    AHEAD_MAX,
    HEAD_BYTES_MAX,
    HEAD_LINES_MAX,
    PatientProtocol,
    Unread,
)
from shared_runtime.crowd import SPARE
from shared_runtime.edge import (
    COMPRESSED_ASIDE_BYTES_MIN,
    COMPRESSED_BYTES_MIN,
    Patience,
)
from shared_runtime.fields import Body, IdStr
from shared_runtime.http import serve, service_app, worker_health_app
from shared_runtime.problems import encode_json
from shared_runtime.reading import IfNoneMatch, answer, unless_seen
from shared_runtime.routers import Router
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

JSON = {"Content-Type": "application/json"}
SOON = Patience(body_seconds=0.01, idle_seconds=0.01)
LINES = "/v1/notes/lines"
LONG = 16 * 1024 * 1024
"""More than a kernel takes in for somebody who does not read."""
PARTS = 32


class NoteBody(Body):
    text: IdStr


class Echo(Response):
    """Answers what comes, as it comes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message["more_body"]
            await send({**message, "type": "http.response.body"})


def notes_api() -> Router:
    router = Router("/v1/notes", dependencies=[Depends(require("BUYER"))])

    @router.post("")
    async def write(body: NoteBody, request: AnyCommandRequest) -> Response:
        return answer({"text": body.text, "command": str(request.id)}, status=201)

    @router.post("/lines")
    async def lines(request: Request) -> Response:
        if "late" in request.headers:
            return answer({"parts": [part.decode() async for part in request.stream()]})
        return Echo()

    @router.get("/{note_id}")
    async def note(note_id: IdStr) -> Response:
        return answer({"id": note_id}, version=3)

    @router.get("/{note_id}/copies")
    async def copies(note_id: IdStr, characters: int, seen: IfNoneMatch) -> Response:
        shortest = len(encode_json({"id": note_id, "text": ""}))
        text = "x" * (characters - shortest)
        return unless_seen(answer({"id": note_id, "text": text}), seen)

    @router.get("/{note_id}/versions")
    async def versions(note_id: IdStr) -> Response:
        return answer({"id": note_id, "text": "x" * 10_000}, version=3)

    @router.get("/{note_id}/picture")
    async def picture(note_id: IdStr) -> Response:
        return answer({"id": note_id}, headers={"Cache-Control": "public, max-age=60"})

    return router


async def ready() -> None: ...


def notes(verifier: Verifier, patience: Patience, room: BodyRoom | None = None) -> FastAPI:
    return service_app(
        title="notes",
        version="1",
        routers=[notes_api()],
        verifier=verifier,
        ready=ready,
        streamed=frozenset({LINES}),
        patience=patience,
        room=room,
    )


@pytest.fixture
def app(verifier: Verifier) -> FastAPI:
    return notes(verifier, SOON)


@pytest.fixture
def bearer(tmp_path: Path, app: FastAPI) -> dict[str, str]:
    assert app.title == "notes"  # it has made the key
    return {"Authorization": f"Bearer {issuer.mint(tmp_path, sub='B1', roles=['BUYER'])}"}


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notes") as client:
        yield client


@pytest.fixture
def client(anyone: httpx.AsyncClient, bearer: dict[str, str]) -> httpx.AsyncClient:
    anyone.headers.update(bearer)
    return anyone


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix("/problems/")


@pytest.mark.parametrize("characters", [COMPRESSED_BYTES_MIN, COMPRESSED_ASIDE_BYTES_MIN])
async def test_a_long_answer_comes_by_gzip_to_whoever_takes_it(
    client: httpx.AsyncClient, characters: int
) -> None:
    path = f"/v1/notes/N1/copies?characters={characters}"
    whole = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert whole.headers["Content-Length"] == str(characters)
    assert "Content-Encoding" not in whole.headers
    lengths = set[str]()
    for accepted in ("gzip", "br, GZIP;q=0.5", "*", "*;q=0.1, identity"):
        short = await client.get(path, headers={"Accept-Encoding": accepted})
        assert short.headers["Content-Encoding"] == "gzip"
        lengths.add(short.headers["Content-Length"])
        assert short.json() == whole.json()
        assert short.headers["Vary"] == whole.headers["Vary"] == "Accept-Encoding"
    for accepted in ("", "br", "gzip;q=0", "gzip; q=0.000", "identity, *;q=0", "gzip;q=0, *"):
        told = await client.get(path, headers={"Accept-Encoding": accepted})
        assert "Content-Encoding" not in told.headers
    head = await client.head(path, headers={"Accept-Encoding": "gzip"})
    assert {head.headers["Content-Length"]} == lengths
    assert int(head.headers["Content-Length"]) < characters / 5
    assert head.content == b""


async def test_what_fits_a_packet_comes_as_it_is(client: httpx.AsyncClient) -> None:
    path = f"/v1/notes/N1/copies?characters={COMPRESSED_BYTES_MIN - 1}"
    told = await client.get(path, headers={"Accept-Encoding": "gzip"})
    assert not {"Content-Encoding", "Vary"} & {*told.headers}


async def test_compressed_it_has_the_same_etag_and_an_answer_whose_etag_is_a_version_is_left(
    client: httpx.AsyncClient,
) -> None:
    path = "/v1/notes/N1/copies?characters=5000"
    etags = {
        (await client.get(path, headers={"Accept-Encoding": accepted})).headers["ETag"]
        for accepted in ("gzip", "identity")
    }
    (etag,) = etags
    assert etag.startswith('W/"')
    again = await client.get(path, headers={"If-None-Match": etag, "Accept-Encoding": "gzip"})
    assert (again.status_code, again.headers["ETag"]) == (304, etag)
    version = await client.get("/v1/notes/N1/versions", headers={"Accept-Encoding": "gzip"})
    assert version.headers["ETag"] == '"3"'
    assert "Content-Encoding" not in version.headers


async def test_what_is_answered_line_for_line_is_not_kept_back(
    app: FastAPI, bearer: dict[str, str]
) -> None:
    headers = bearer | {"Accept-Encoding": "gzip", "Transfer-Encoding": "chunked"}
    sent = [b"x" * 5_000, b"y" * 5_000]
    (start, *told), _ = await exchange(app, LINES, headers, *map(part, sent))
    assert b"content-encoding" not in dict(start["headers"])
    assert [each["body"] for each in told] == sent


async def test_a_head_is_that_of_the_answer_to_get(client: httpx.AsyncClient) -> None:
    paths = ["/v1/notes/N1", "/v1/notes/N1/picture", "/v1/notes/%00", "/v1/nothing"]
    for path in [*paths, "/livez", "/readyz", "/docs", "/openapi.json"]:
        whole, head = await client.get(path), await client.head(path)
        assert head.status_code == whole.status_code, path
        assert head.content == b""
        for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)


async def test_with_a_head_no_body_comes(app: FastAPI, bearer: dict[str, str]) -> None:
    (start, *rest), _ = await exchange(app, "/v1/notes/N1", bearer, method="HEAD")
    assert start["status"] == 200
    assert [part["body"] for part in rest] == [b""]


async def test_a_head_of_what_is_only_written_is_refused(client: httpx.AsyncClient) -> None:
    answered = await client.head("/v1/notes")
    assert (answered.status_code, answered.headers["Allow"]) == (405, "OPTIONS, POST")
    assert answered.content == b""


async def test_a_head_is_counted_as_one(client: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        await client.head("/v1/notes/N1")
    (line,) = logged
    assert (line["method"], line["route"]) == ("HEAD", "/v1/notes/{note_id}")


async def test_whether_a_worker_lives_may_be_asked_by_head() -> None:
    app = worker_health_app(title="worker", ready=ready, alive=lambda: True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as anyone:
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await anyone.head(path)).status_code == 200


async def test_options_tells_the_methods_and_lets_no_other_origin_in(
    anyone: httpx.AsyncClient,
) -> None:
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    for path, allow in (
        ("/v1/notes", "OPTIONS, POST"),
        ("/v1/notes/N1", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ):
        answered = await anyone.options(path, headers=preflight)
        assert (answered.status_code, answered.headers["Allow"]) == (204, allow)
        assert answered.content == b""
        assert not [name for name in answered.headers if name.startswith("access-control")]
    assert slug(await anyone.options("/v1/nothing")) == (404, "not-found")


async def test_what_a_caller_is_answered_is_kept_by_no_cache(client: httpx.AsyncClient) -> None:
    for path in ("/v1/notes/N1", "/v1/notes/%00", "/v1/nothing"):
        assert (await client.get(path)).headers["Cache-Control"] == "private, no-store"
    picture = await client.get("/v1/notes/N1/picture")
    assert picture.headers["Cache-Control"] == "public, max-age=60"
    assert "Cache-Control" not in (await client.get("/livez")).headers


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def exchange(
    app: FastAPI, path: str, headers: dict[str, str], *messages: Message, method: str = "POST"
) -> tuple[list[Message], BaseException | None]:
    """A request of which these parts come, and then nothing any more."""
    coming = list(messages)
    answered: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if coming else await never()

    async def send(message: Message) -> None:
        answered.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }
    try:
        async with asyncio.timeout(10):
            await app(scope, receive, send)
    except Exception as failure:  # noqa: BLE001 - what becomes of it is what the tests are about
        return answered, failure
    return answered, None


def part(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": True}


@pytest.mark.parametrize("sent", [(), (part(b'{"text": '),)], ids=["nothing", "a half"])
async def test_a_body_that_does_not_come_is_waited_for_some_time(
    app: FastAPI, bearer: dict[str, str], sent: tuple[Message, ...]
) -> None:
    for announced in ({"Content-Length": "100"}, {"Transfer-Encoding": "chunked"}):
        headers = bearer | JSON | {"Idempotency-Key": "k1"} | announced
        (start, body), _ = await exchange(app, "/v1/notes", headers, *sent)
        assert start["status"] == 408
        assert b"/problems/request-timeout" in body["body"]
        assert (b"connection", b"close") in start["headers"]


async def test_a_stream_that_stops_before_its_answer_is_told_so(
    app: FastAPI, bearer: dict[str, str]
) -> None:
    headers = bearer | {"Late": "yes", "Transfer-Encoding": "chunked"}
    (start, body), _ = await exchange(app, LINES, headers, part(b"one"))
    assert start["status"] == 408
    assert b"/problems/request-timeout" in body["body"]


async def test_a_stream_that_stops_in_its_answer_is_cut_off(
    app: FastAPI, bearer: dict[str, str]
) -> None:
    headers = bearer | {"Transfer-Encoding": "chunked"}
    with capture_logs() as logged:
        answered, failure = await exchange(app, LINES, headers, part(b"one"), part(b"two"))
    assert failure is None
    assert answered[0]["status"] == 200
    assert b"".join(each.get("body", b"") for each in answered) == b"onetwo"
    assert answered[-1].get("more_body"), "an answer that ends like a whole one would be a lie"
    assert [line["event"] for line in logged] == ["client went away", "request"]


async def test_a_stream_may_take_longer_than_another_body(
    app: FastAPI, bearer: dict[str, str]
) -> None:
    whole: Message = {"type": "http.request", "body": b"end", "more_body": False}
    parts = [part(b"x")] * 50
    answered, _ = await exchange(app, LINES, bearer, *parts, whole)
    assert b"".join(each.get("body", b"") for each in answered) == b"x" * 50 + b"end"


async def read_to_end(port: int, sent: bytes) -> bytes:
    """What a server says to somebody who sends this and no more, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@asynccontextmanager
async def served(app: FastAPI, open_max: int = 100) -> AsyncGenerator[int]:
    """The port of a server."""
    port, stop = processes.free_port(), asyncio.Event()
    serving = asyncio.create_task(
        serve(app, host="127.0.0.1", port=port, stop=stop, open_max=open_max)
    )
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=5)) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
    try:
        yield port
    finally:
        stop.set()
        await asyncio.wait_for(serving, 10)


@pytest.fixture
async def port(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server that waits for a head no longer than a moment, and for a next one for ever."""
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.2)
    monkeypatch.setattr("shared_runtime.http.KEEP_ALIVE_SECONDS", 1_000)
    async with served(app) as port:
        yield port


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow"])
async def test_a_head_that_does_not_end_is_not_waited_for(port: int, sent: bytes) -> None:
    assert await read_to_end(port, sent) == b""


async def test_the_next_head_on_a_connection_is_waited_for_no_longer(port: int) -> None:
    whole = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    said = await read_to_end(port, whole + b"GET /livez HTTP/1.1\r\nX-Slow")
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.count(b"HTTP/1.1") == 1


async def test_a_head_has_a_largest_size(port: int) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(HEAD_BYTES_MAX // 1000 + 9))
    said = await read_to_end(port, b"GET /livez HTTP/1.1\r\n" + lines)
    assert said.startswith(b"HTTP/1.1 400")


async def test_a_head_that_comes_at_once_has_the_same_largest_size(port: int) -> None:
    long = b"X-Long: %s\r\n\r\n" % (HEAD_BYTES_MAX * b"x")
    said = await read_to_end(port, b"GET /livez HTTP/1.1\r\n" + long)
    assert said.startswith(b"HTTP/1.1 400")
    half = HEAD_BYTES_MAX // 2 * b"x"
    said = await read_to_end(port, b"GET /livez?%b HTTP/1.1\r\nX-Half: %b\r\n\r\n" % (half, half))
    assert said.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(("lines", "status"), [(HEAD_LINES_MAX, 200), (HEAD_LINES_MAX + 1, 400)])
async def test_a_head_has_so_many_lines(port: int, lines: int, status: int) -> None:
    head = b"GET /livez HTTP/1.1\r\nConnection: close\r\n" + b"a:\r\n" * (lines - 1) + b"\r\n"
    said = await read_to_end(port, head)
    assert said.startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize(("ahead", "is_too_many"), [(AHEAD_MAX, False), (AHEAD_MAX + 1, True)])
async def test_so_many_requests_may_be_sent_ahead(port: int, ahead: int, is_too_many: bool) -> None:
    whole = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    said = await read_to_end(port, whole * ahead + last)
    assert (b"HTTP/1.1 400" in said) is is_too_many


@pytest.mark.parametrize(("size", "is_too_long"), [(1000, False), (HEAD_BYTES_MAX, True)])
async def test_a_body_that_is_sent_ahead_is_short(size: int, is_too_long: bool) -> None:
    app = worker_health_app(title="slow", ready=asyncio.Event().wait, alive=lambda: True)
    whole = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /livez HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    async with served(app) as port:
        said = await read_to_end(port, whole + head + size * b"x")
    assert (b"HTTP/1.1 400" in said) is is_too_long


OPEN_MAX = 16
REQUESTS_MAX = OPEN_MAX - OPEN_MAX // SPARE
BEGUN = (
    b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"%bContent-Length: 9\r\n\r\n"
)


@asynccontextmanager
async def opened(port: int, count: int, sent: bytes) -> AsyncGenerator[list[asyncio.StreamReader]]:
    """So many connections on which this was sent."""
    async with AsyncExitStack() as lines:
        yield [await lines.enter_async_context(asked(port, sent)) for _ in range(count)]


async def head_of(port: int, path: str) -> bytes:
    """What a new client is answered there."""
    said = await read_to_end(
        port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    return said.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "sent", [b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost"]
)
async def test_a_new_client_is_answered_however_many_are_idle(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("shared_runtime.http.KEEP_ALIVE_SECONDS", 1_000)
    monkeypatch.setattr(PatientProtocol, "head_seconds", 1_000)
    async with served(app, OPEN_MAX) as port, opened(port, OPEN_MAX, sent) as lines:
        assert (await head_of(port, "/livez")).startswith(b"HTTP/1.1 200")
        assert (await lines[0].read()).count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


async def test_who_begins_to_ask_again_is_not_idle(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.http.KEEP_ALIVE_SECONDS", 1_000)
    monkeypatch.setattr(PatientProtocol, "head_seconds", 1_000)
    whole = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with served(app, OPEN_MAX) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole)
        await reader.readuntil(b"}")
        async with opened(port, OPEN_MAX - 1, whole) as lines:
            for line in lines:
                await line.readuntil(b"}")
            writer.write(whole[:20])
            await asyncio.sleep(0.05)
            assert (await head_of(port, "/livez")).startswith(b"HTTP/1.1 200")
            assert await lines[0].read() == b""
            writer.write(whole[20:])
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.fixture
def begun(bearer: dict[str, str]) -> bytes:
    """The head of a request whose body does not come."""
    return BEGUN % f"Idempotency-Key: K\r\nAuthorization: {bearer['Authorization']}\r\n".encode()


async def test_one_request_too_many_is_told_to_come_again_and_health_is_answered(
    verifier: Verifier, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.crowd.LATE_SECONDS", 1_000)
    async with served(notes(verifier, Patience()), OPEN_MAX) as port:
        async with opened(port, REQUESTS_MAX, begun):
            said = await head_of(port, "/v1/notes/N1")
            assert said.startswith(b"HTTP/1.1 503")
            assert b"retry-after: " in said
            assert b"connection: close" in said
            assert (await head_of(port, "/livez")).startswith(b"HTTP/1.1 200")
            assert (await head_of(port, "/readyz")).startswith(b"HTTP/1.1 200")
        while not (await head_of(port, "/v1/notes/N1")).startswith(b"HTTP/1.1 401"):  # noqa: ASYNC110
            await asyncio.sleep(0)


def let_go() -> float:
    """Clients that were waited for and have given way."""
    told = {"place": "UNDER_WAY"}
    return REGISTRY.get_sample_value("aftersales_http_let_go_total", told) or 0.0


@pytest.mark.parametrize("at", ["body", "answer"])
async def test_who_is_waited_for_gives_way_to_who_asks(
    verifier: Verifier,
    bearer: dict[str, str],
    begun: bytes,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
) -> None:
    monkeypatch.setattr("shared_runtime.crowd.LATE_SECONDS", 0)
    monkeypatch.setattr(PatientProtocol, "unread_answers", Unread(16 * LONG, 16 * LONG))
    long = f"{LONG_ANSWER}Host: x\r\nAuthorization: {bearer['Authorization']}\r\n\r\n".encode()
    sent = begun if at == "body" else long
    async with (
        served(notes(verifier, Patience()), OPEN_MAX) as port,
        opened(port, REQUESTS_MAX, sent) as lines,
    ):
        if at == "answer":  # it has begun
            for reader in lines:
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        before = let_go()
        assert (await head_of(port, "/v1/notes/N1")).startswith(b"HTTP/1.1 401")
        assert let_go() == before + 1


async def test_whose_body_comes_stays(
    verifier: Verifier, bearer: dict[str, str], begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_runtime.crowd.LATE_SECONDS", 0)
    head = f"POST {LINES} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer['Authorization']}\r\n"
    part = b"10000\r\n%b\r\n" % bytes(0x10000)
    async with served(notes(verifier, Patience()), OPEN_MAX) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        async with opened(port, REQUESTS_MAX - 1, begun) as lines:
            writer.write(part)
            await reader.readuntil(bytes(0x1000))
            assert (await head_of(port, "/v1/notes/N1")).startswith(b"HTTP/1.1 401")
            assert await lines[0].read() == b""
            writer.write(part + b"0\r\n\r\n")
            assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()


async def test_nobody_is_worked_for_who_has_not_read_what_he_was_answered(
    verifier: Verifier, bearer: dict[str, str]
) -> None:
    host = f"Host: x\r\nAuthorization: {bearer['Authorization']}\r\n\r\n"
    first = f"{LONG_ANSWER}{host}"
    sent = f"{first}GET /v1/others HTTP/1.1\r\nConnection: close\r\n{host}".encode()
    with capture_logs() as logged:
        async with served(notes(verifier, Patience())) as port, asked(port, sent) as reader:
            routes: list[str] = []
            while "/v1/notes/{note_id}/copies" not in routes:
                await asyncio.sleep(0.01)
                routes = [each.get("route", "") for each in logged]
            await asyncio.sleep(0.1)
            assert "request refused" not in {each["event"] for each in logged}
            assert b"/problems/not-found" in (await reader.read())[-1000:]


async def test_a_body_that_was_not_waited_for_holds_no_connection(port: int) -> None:
    head = b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    said = await read_to_end(port, head + b"{")
    assert said.startswith(b"HTTP/1.1 401")


class NeverPaused(PatientProtocol):
    """Lets an application write whatever it has, and waits for the client when that is over."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=2 * LONG)


@asynccontextmanager
async def asked(port: int, sent: bytes) -> AsyncGenerator[asyncio.StreamReader]:
    """The answer, of which next to nothing is taken in before it is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    writer.write(sent)
    try:
        async with asyncio.timeout(20):
            yield reader
    finally:
        writer.transport.abort()


async def read_too_late(port: int, sent: bytes, logged: list[MutableMapping[str, Any]]) -> int:
    """How much is left to somebody who begins to read when he has been given up."""
    size = 0
    async with asked(port, sent) as reader:
        while "client does not read" not in {each["event"] for each in logged}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with suppress(ConnectionError):
            while part := await reader.read(LONG):
                size += len(part)
    return size


LONG_ANSWER = f"GET /v1/notes/N1/copies?characters={LONG} HTTP/1.1\r\n"
UNREAD = {
    "while it waits for the next request": (PatientProtocol, LONG_ANSWER, b""),
    "while it is closed": (NeverPaused, f"{LONG_ANSWER}Connection: close\r\n", b""),
    "while more is answered": (
        PatientProtocol,
        f"POST {LINES} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        b"10000\r\n%b\r\n" % bytes(0x10000) * (LONG // 0x10000) + b"0\r\n\r\n",
    ),
}


@pytest.fixture(params=UNREAD)
def unread(
    request: pytest.FixtureRequest, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[bytes, bytes]:
    """A request whose answer is long, of a server with this protocol; and its body alone."""
    protocol, head, body = UNREAD[request.param]
    monkeypatch.setattr("shared_runtime.http.PatientProtocol", protocol)
    host = f"Host: x\r\nAuthorization: {bearer['Authorization']}\r\n\r\n"
    return f"{head}{host}".encode() + body, body


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_on_which_nobody_reads_is_cut_off(
    verifier: Verifier,
    monkeypatch: pytest.MonkeyPatch,
    loop: Callable[[], asyncio.AbstractEventLoop],
    unread: tuple[bytes, bytes],
) -> None:
    monkeypatch.setattr(PatientProtocol, "unread_seconds", 0.2)
    sent, body = unread

    async def exchanged() -> tuple[int, list[MutableMapping[str, Any]]]:
        with capture_logs() as logged:
            async with served(notes(verifier, Patience())) as port:
                return await read_too_late(port, sent, logged), logged

    with asyncio.Runner(loop_factory=loop) as runner:
        size, logged = runner.run(exchanged())
    assert size < LONG
    told = [each for each in logged if each.get("route") != "/livez"]
    assert [each["status"] for each in told if each["event"] == "request"] == [200]
    assert ("client went away" in {each["event"] for each in told}) is bool(body)


async def test_who_reads_slowly_is_waited_for(
    verifier: Verifier,
    monkeypatch: pytest.MonkeyPatch,
    unread: tuple[bytes, bytes],
) -> None:
    """His answer takes several times as long as one who reads nothing is waited for."""
    monkeypatch.setattr(PatientProtocol, "unread_seconds", 0.5)
    sent, _ = unread
    async with served(notes(verifier, Patience())) as port, asked(port, sent) as reader:
        for _ in range(PARTS):
            await reader.readexactly(LONG // PARTS)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("ahead", ["", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_whoever_reads_none_of_many_answers_loses_the_first(
    verifier: Verifier, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    """And is answered the others: nobody else has to wait for him."""
    monkeypatch.setattr(PatientProtocol, "unread_answers", Unread(8 * LONG, LONG * 17 // 8))
    host = f"Host: x\r\nAuthorization: {bearer['Authorization']}\r\n\r\n"
    sent = f"{LONG_ANSWER}{host}{ahead}".encode()
    async with served(notes(verifier, Patience())) as port, AsyncExitStack() as lines:
        with capture_logs() as logged:
            for _ in range(3):
                await lines.enter_async_context(asked(port, sent))
            async with asyncio.timeout(20):
                while "too much is unread" not in {each["event"] for each in logged}:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert [each["event"] for each in logged].count("too much is unread") == 1


async def test_a_body_that_comes_slowly_gives_way_to_who_sends(
    verifier: Verifier, bearer: dict[str, str]
) -> None:
    app = notes(verifier, Patience(), BodyRoom(of_one_max=40))
    transport = httpx.ASGITransport(app)
    begun, whole = asyncio.Event(), asyncio.Event()

    async def little_by_little() -> AsyncGenerator[bytes]:
        yield b'{"text": "' + 20 * b"x"
        begun.set()
        await whole.wait()
        yield b'"}'

    headers = {**bearer, **JSON}
    async with httpx.AsyncClient(transport=transport, base_url="http://notes") as client:

        async def write(content: AsyncGenerator[bytes] | bytes, key: str) -> httpx.Response:
            told = {**headers, "Idempotency-Key": key}
            return await client.post("/v1/notes", content=content, headers=told)

        slow = asyncio.create_task(write(little_by_little(), "1"))
        await begun.wait()
        assert (await write(b'{"text": "x"}  ', "2")).status_code == 201
        assert not slow.done()
        assert (await write(b'{"text": "' + 20 * b"y" + b'"}', "3")).status_code == 201
        answered = await asyncio.wait_for(slow, 10)
    assert slug(answered) == (503, "unavailable")
    assert "Retry-After" in answered.headers
