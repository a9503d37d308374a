"""A raw HTTP exchange in, one that is limited, observed and never answered with a stack trace out.

Plain ASGI, because bodies stream through it both ways.
"""

import time
from http import HTTPStatus

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_runtime.decider import Refused
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.problems import BodyTooLarge, InternalError, Unavailable, problem
from shared_runtime.telemetry import CORRELATION_HEADER, REQUEST_SECONDS, REQUESTS, correlated

BODY_BYTES_MAX = 256 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNOBSERVED = frozenset({"/livez", "/readyz", "/metrics"})

log = structlog.get_logger()


class Edge:
    """The outermost layer: correlation ids, metrics, one log line, and what nobody else caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        ids = (headers.get(CORRELATION_HEADER), headers.get("traceparent"))
        with correlated(*ids) as correlation:
            await _Exchange(scope, send, correlation).run(self._app, receive)


class _Exchange:
    """One request and what becomes of it."""

    def __init__(self, scope: Scope, send: Send, correlation: str) -> None:
        self._scope = scope
        self._send = send
        self._correlation = correlation
        self._began = time.perf_counter()
        self._status: int | None = None

    async def run(self, app: ASGIApp, receive: Receive) -> None:
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
        REQUESTS.labels(method, path, str(int(status))).inc()
        REQUEST_SECONDS.labels(method, path).observe(seconds)
        milliseconds = round(seconds * 1000, 1)
        log.info("request", method=method, route=path, status=int(status), ms=milliseconds)


class BodyLimit:
    """Refuses bodies over a limit, announced or not. Paths in `streamed` limit their lines."""

    def __init__(self, app: ASGIApp, limit: int, streamed: frozenset[str]) -> None:
        self._app = app
        self._limit = limit
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._limit:
            await problem(BodyTooLarge(limit_bytes=self._limit))(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                # The one exception that FastAPI lets out of its reading of the body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        return counted
