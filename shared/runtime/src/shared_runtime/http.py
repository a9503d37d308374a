"""A service's routers in, its HTTP application out: problem+json, roles, limits, health.

    app = service_app(title="review-service", version="1", routers=[orders_api(…)],
                      verifier=verifier, ready=partial(check_migrated, pool, "review_service"))
    run_api(app, settings)

fastapi-problem is not used: a refusal already carries its slug, message and members, and turning
it into a problem is shorter than a second hierarchy of exceptions.
"""

import asyncio
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, cast

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from shared_runtime.auth import Authenticate, Verifier, check_roles_declared
from shared_runtime.decider import FieldError, InvalidValue, Refused
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.documents import document_of
from shared_runtime.edge import BODY_BYTES_MAX, BodyLimit, Edge
from shared_runtime.migrated import DatabaseBehind
from shared_runtime.problems import (
    BodyTooLarge,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    NotReady,
    UnsupportedMediaType,
    problem,
    refusals,
)
from shared_runtime.settings import Settings
from shared_runtime.telemetry import REFUSALS
from shared_runtime.veil import Veil, VeilTokens

ERRORS_MAX = 50
FIELD_LENGTH_MAX = 100
READY_SECONDS_MAX = 2.0
SHUTDOWN_SECONDS_MAX = 10
JSON_TYPE = re.compile(r"application/([^;]*\+)?json\s*(;|$)", re.IGNORECASE)

log = structlog.get_logger()

type Ready = Callable[[], Awaitable[object]]
"""Raises `DatabaseBehind` or the failure of the world that keeps the process from working."""


def service_app(
    *,
    title: str,
    version: str,
    description: str = "",
    routers: Sequence[APIRouter],
    verifier: Verifier,
    ready: Ready,
    veil: Veil | None = None,
    streamed: frozenset[str] = frozenset(),
    body_bytes_max: int = BODY_BYTES_MAX,
) -> FastAPI:
    """The API of a service. Raises if a route does not declare its roles.

    `veil`: what parties' tokens are under. `streamed`: the paths whose bodies have any size
    (they limit their lines themselves).
    """
    check_roles_declared(routers)
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        responses=refusals(),
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    for router in routers:
        app.include_router(router)
    app.openapi = document_of(app)  # type: ignore[method-assign]  # as FastAPI says to extend it
    _add_health(app, ready, alive=lambda: True)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=body_bytes_max, streamed=streamed)
    if veil is not None:
        app.add_middleware(VeilTokens, veil=veil)
    app.add_middleware(Authenticate, verifier=verifier)
    app.add_middleware(Edge)
    return app


def worker_health_app(*, title: str, ready: Ready, alive: Callable[[], bool]) -> FastAPI:
    """Health and metrics of a worker; `alive` says whether its loops turn."""
    app = FastAPI(title=title, openapi_url=None)
    _add_health(app, ready, alive)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Edge)
    return app


def _add_health(app: FastAPI, ready: Ready, alive: Callable[[], bool]) -> None:
    @app.get("/livez", tags=["health"], summary="The loop turns")
    async def livez() -> Response:
        return JSONResponse({"status": "alive"}) if alive() else problem(NotReady())

    @app.get("/readyz", tags=["health"], summary="The database is reachable and migrated")
    async def readyz() -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await ready()
        except (*WORLD_FAILURES, DatabaseBehind) as failure:
            log.warning("not ready", failure=type(failure).__name__)
            return problem(NotReady())
        return JSONResponse({"status": "ready"})

    @app.get("/metrics", tags=["health"], summary="Prometheus metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _refused(_: Request, error: Exception) -> Response:
    refused = cast("Refused", error)
    REFUSALS.labels(refused.slug()).inc()
    log.info("request refused", rule=refused.slug())
    return problem(refused)


async def _invalid(request: Request, error: Exception) -> Response:
    errors: Sequence[Mapping[str, Any]] = cast("RequestValidationError", error).errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return await _refused(request, MalformedBody())
    if any(tuple(each["loc"]) == ("body",) for each in errors) and _is_not_json(request):
        return await _refused(request, UnsupportedMediaType())
    fields = [
        FieldError(field=_field(each["loc"]), bound=_bound(each)) for each in errors[:ERRORS_MAX]
    ]
    return await _refused(request, InvalidValue(errors=fields))


async def _http(request: Request, error: Exception) -> Response:
    told = cast("HTTPException", error)
    match told.status_code:
        case HTTPStatus.NOT_FOUND:
            refused: Refused = NotFound()
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allow = (told.headers or {}).get("Allow", "")
            methods = sorted(method.strip() for method in allow.split(",") if method)
            return problem(MethodNotAllowed(allowed_methods=methods), told.headers)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            refused = BodyTooLarge()
        case HTTPStatus.BAD_REQUEST:
            refused = MalformedBody()
        case _:
            raise error
    return await _refused(request, refused)


def _is_not_json(request: Request) -> bool:
    sent = request.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in request.headers
    )
    return sent and not JSON_TYPE.match(request.headers.get("content-type", ""))


def _field(place: Sequence[str | int]) -> str:
    """`("body", "lines", 0, "sku")` -> `lines[0].sku`. Names that clients make up are cut short."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[1:]]
    name = "".join(parts).lstrip(".") or str(place[0])
    return name[:FIELD_LENGTH_MAX]


def _bound(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return "required"
        case "extra_forbidden":
            return "unknown field"
        case _:
            said: str = error["msg"]
            return said.removeprefix("Value error, ").removeprefix("Input should be ")


class _Server(uvicorn.Server):
    """Leaves signals to the process, which ends by itself and then with code 0."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(app: ASGIApp, *, host: str, port: int, stop: asyncio.Event) -> None:
    """Serves until `stop`; then answers what has been begun, `SHUTDOWN_SECONDS_MAX` at most."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
    )
    server = _Server(config)

    async def end_with() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end_with())
    try:
        await server.serve()
    finally:
        ending.cancel()
    if not server.started:
        raise RuntimeError("the application did not start")


@asynccontextmanager
async def stopped_by_signals() -> AsyncGenerator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    try:
        yield stop
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def serve_api(app: ASGIApp, settings: Settings) -> None:
    """Serves an API until the process is told to end."""
    async with stopped_by_signals() as stop:
        await serve(app, host=settings.host, port=settings.port, stop=stop)


async def serve_worker(
    run: Callable[[asyncio.Event], Awaitable[None]], health: ASGIApp, settings: Settings
) -> None:
    """Runs a worker and serves its health until the process is told to end, or either fails."""
    async with stopped_by_signals() as stop, asyncio.TaskGroup() as group:
        group.create_task(serve(health, host=settings.host, port=settings.worker_port, stop=stop))
        await run(stop)
        stop.set()
