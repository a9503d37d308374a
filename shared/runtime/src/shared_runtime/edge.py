"""A raw HTTP exchange in, one that is limited, observed and never answered with a stack trace out.

Plain ASGI, because bodies stream through it both ways.
"""

import asyncio
import gzip
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_runtime.auth import CALLER, Caller
from shared_runtime.body_room import BodyRoom, Coming
from shared_runtime.connections import CROWDED
from shared_runtime.decider import NotFound, Refused
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.documents import NOT_STORED
from shared_runtime.problems import (
    BodyTooLarge,
    InternalError,
    Unavailable,
    UnsupportedMediaType,
    problem,
)
from shared_runtime.telemetry import (
    CORRELATION_HEADER,
    REFUSALS,
    REQUEST_SECONDS,
    REQUESTS,
    UNOBSERVED,
    correlated,
)
from shared_runtime.tracing import Answered, request_span

BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS_MAX = 20.0
"""From the head of a request until all of its body is there: 13 kB/s for the largest."""
IDLE_SECONDS_MAX = 60.0
"""How long a body that is taken as it comes may have nothing to say."""
PLAIN = "identity"
JSON = "application/json"
WEAK = "W/"
COMPRESSED_BYTES_MIN = 1_400
"""What is shorter is one packet anyhow."""
COMPRESSED_ASIDE_BYTES_MIN = 64 * 1024
COMPRESSION = 1
"""A page of a hundred reviews to a seventh in some milliseconds; more takes off little more."""
NEVER = re.compile(r"q=0(\.0*)?")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SHARED_WITH_ORIGINS: Mapping[str, Any] = {
    "allow_methods": ("GET", "POST", "PUT", "DELETE"),
    "allow_headers": (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Consistency-Token",
        "File-Name",
    ),
    "expose_headers": (
        "ETag",
        "Consistency-Token",
        "Idempotent-Replayed",
        "Retry-After",
        CORRELATION_HEADER,
    ),
}
"""What a page of another origin may send, and what it may read."""

log = structlog.get_logger()


class Origins(CORSMiddleware):
    """Pages of these origins may read the answers. To those of others nothing is said of it, and so
    their browsers show them nothing.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("Origin") in self.allow_origins:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Edge:
    """The outermost layer: correlation ids, metrics, one log line, and what nobody else caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request_span(scope) as answered:
            headers = Headers(scope=scope)
            ids = (headers.get(CORRELATION_HEADER), headers.get("traceparent"))
            with correlated(*ids) as correlation:
                await _Exchange(scope, send, correlation, answered).run(self._app, receive)


class _Exchange:
    """One request and what becomes of it."""

    def __init__(self, scope: Scope, send: Send, correlation: str, answered: Answered) -> None:
        self._answered = answered
        self._scope = scope
        self._send = send
        self._correlation = correlation
        self._began = time.perf_counter()
        self._status: int | None = None

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        if CROWDED in self._scope:
            app = _crowded
        try:
            await app(self._scope, receive, self._answer)
        except ClientDisconnect:
            log.info("client went away")
        except WORLD_FAILURES as failure:
            log.warning("unavailable", failure=type(failure).__name__)
            await self._give_up(Unavailable(), failure, receive)
        except Exception as error:
            log.exception("request failed", failure=type(error).__name__)
            await self._give_up(InternalError(), error, receive)
        finally:
            self._observe()

    async def _give_up(self, refused: Refused, cause: Exception, receive: Receive) -> None:
        if self._status is not None:
            raise cause  # half an answer is out: the server cuts the connection, which says so
        await problem(refused)(self._scope, receive, self._answer)

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message)[CORRELATION_HEADER] = self._correlation
        await self._send(message)

    def _observe(self) -> None:
        if self._scope["path"] in UNOBSERVED:
            return
        method = self._scope["method"] if self._scope["method"] in METHODS else "OTHER"
        route = self._scope.get("route")
        # The template, never the path: paths name people and know no bound.
        path = getattr(route, "path", "") if isinstance(route, BaseRoute) else ""
        status = self._status or HTTPStatus.INTERNAL_SERVER_ERROR
        seconds = time.perf_counter() - self._began
        answered = self._answered
        answered.method, answered.route, answered.status = method, path, int(status)
        REQUESTS.labels(method, path, str(int(status))).inc()
        REQUEST_SECONDS.labels(method, path).observe(seconds)
        milliseconds = round(seconds * 1000, 1)
        log.info("request", method=method, route=path, status=int(status), ms=milliseconds)


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """There are more requests than are worked on at once: this one was not looked at."""
    refused = Unavailable()
    REFUSALS.labels(refused.slug()).inc()
    await problem(refused, {"Connection": "close"})(scope, receive, send)


type Allowed = Callable[[str], Sequence[str]]
"""The methods that a path takes; none if there is no such path."""


class Methods:
    """HEAD and OPTIONS of every path. A GET that is asked for its head alone is answered that.

    OPTIONS tells the methods, without a token, as the document does. (What a browser asks before a
    page of another origin may ask is answered by `Origins`.)
    """

    def __init__(self, app: ASGIApp, allowed: Allowed) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope.get("method"):
            case "HEAD":
                await self._answer_head(scope, receive, send)
            case "OPTIONS":
                await self._answer_options(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bodiless(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        # A copy: the server looks at its own to know that no body follows.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, bodiless)
        finally:
            scope["route"] = asked.get("route")

    async def _answer_options(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._allowed(scope["path"])
        answer = (
            Response(None, 204, {"Allow": ", ".join(allowed)}) if allowed else problem(NotFound())
        )
        await answer(scope, receive, send)


class NotStored:
    """Keeps what was answered to a caller out of every cache, unless its route says otherwise.

    Behind the authentication.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CALLER not in scope:
            await self._app(scope, receive, send)
            return

        async def not_stored(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", NOT_STORED)
            await send(message)

        await self._app(scope, receive, not_stored)


class Compressed:
    """Answers that are whole, long and JSON go out by gzip to whoever takes it.

    Not by the gateway: it would take off every ETag that is not a weak one. And not one with an
    ETag that is a version: that stands for the bytes as they are, and If-Match needs it as it is.
    (Starlette's own looks at no ETag, and keeps back what is answered line for line.)
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_be_compressed(message):
                start = message
                return
            if start is not None:
                begun, start = start, None
                message = await _as_taken(scope, begun, message)
                await send(begun)
            await send(message)

        await self._app(scope, receive, compressed)


def _may_be_compressed(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_version = not headers.get("ETag", WEAK).startswith(WEAK)
    return headers.get("Content-Type") == JSON and not is_version


async def _as_taken(scope: Scope, start: Message, message: Message) -> Message:
    """The body as it goes out; what has to be said of it is put into the head."""
    body: bytes = message.get("body", b"")
    if message.get("more_body", False) or len(body) < COMPRESSED_BYTES_MIN:
        return message
    headers = MutableHeaders(scope=start)
    headers.add_vary_header("Accept-Encoding")
    if not takes_gzip(Headers(scope=scope).get("Accept-Encoding", "")):
        return message
    if len(body) < COMPRESSED_ASIDE_BYTES_MIN:
        short = gzip.compress(body, COMPRESSION, mtime=0)
    else:  # some milliseconds, in which nobody else would be answered
        short = await asyncio.to_thread(gzip.compress, body, COMPRESSION, mtime=0)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(short))
    return {**message, "body": short}


def takes_gzip(accepted: str) -> bool:
    """Whether a client says that he does, and not that he does so not at all (`gzip;q=0`)."""
    weights = {
        name.strip().lower(): parameters.replace(" ", "").lower()
        for name, _, parameters in (each.partition(";") for each in accepted.split(","))
    }
    told = weights.get("gzip", weights.get("*"))
    return told is not None and NEVER.fullmatch(told) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a body is waited for: all of it; a part of one that is taken as it comes."""

    body_seconds: float = BODY_SECONDS_MAX
    idle_seconds: float = IDLE_SECONDS_MAX


class Bodies:
    """Refuses bodies over a limit, announced or not, those that are compressed, which would have
    another one, those that do not come, and those that there is no room for.

    Paths in `streamed` limit their lines; their bodies may take any time but not stop coming.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        streamed: frozenset[str],
        patience: Patience,
        room: BodyRoom,
    ) -> None:
        self._app = app
        self._limit = limit
        self._room = room
        self._streamed = streamed
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.get("content-encoding", PLAIN) != PLAIN:
            await problem(UnsupportedMediaType())(scope, receive, send)
            return
        if scope["path"] in self._streamed:
            stream = _Stream(receive, send, self._patience.idle_seconds)
            await self._app(scope, stream.receive, stream.send)
            return
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._limit:
            await problem(BodyTooLarge(limit_bytes=self._limit))(scope, receive, send)
            return
        if announced != "0" or "transfer-encoding" in headers:
            await self._take(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        with self._room.one(caller.sub if caller else "") as coming:

            async def answered(message: Message) -> None:
                self._room.leave(coming)
                await send(message)

            await self._app(scope, self._bounded(receive, coming), answered)

    def _bounded(self, receive: Receive, coming: Coming) -> Receive:
        deadline = asyncio.get_running_loop().time() + self._patience.body_seconds
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            if coming.is_whole:
                return await receive()
            message = await _waited_for(receive, coming, deadline)
            count = len(message.get("body", b""))
            taken += count
            # HTTPException: the one that FastAPI lets out of its reading of the body.
            if taken > self._limit:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self._room.add(coming, count)
            if coming.is_given_up:
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
            coming.is_whole = not message.get("more_body", False)
            return message

        return bounded


async def _waited_for(receive: Receive, coming: Coming, deadline: float) -> Message:
    """The next part. Raises HTTPException when it does not come in time, or is given up."""
    try:
        async with asyncio.timeout_at(deadline) as coming.patience:
            message = await receive()
    except TimeoutError as failure:
        given_up, late = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT
        raise HTTPException(given_up if coming.is_given_up else late) from failure
    finally:
        coming.patience = None
    if coming.is_given_up:  # while nobody waited for more of it
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
    return message


class _Stream:
    """A body that is taken as it comes. A client that says nothing for too long is told so; or is
    gone, if its answer has begun.
    """

    def __init__(self, receive: Receive, send: Send, idle_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._idle_seconds = idle_seconds
        self._whole = False
        self._begun = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError as failure:
            if self._begun:
                return {"type": "http.disconnect"}
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from failure
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        self._begun = True
        await self._send(message)
