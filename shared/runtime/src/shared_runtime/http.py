"""A service's routers in, its HTTP application out: problem+json, roles, limits, health.

    app = service_app(title="review-service", version="1", routers=[orders_api(…)],
                      verifier=verifier, ready=partial(check_migrated, pool, "review_service"))
    run_api(app, settings)

fastapi-problem is not used: a refusal already carries its slug, message and members, and turning
it into a problem is shorter than a second hierarchy of exceptions.
"""

import asyncio
import signal
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, cast, override

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from shared_runtime.api_page import add_api_page
from shared_runtime.auth import Authenticate, Verifier, check_roles_declared
from shared_runtime.body_room import BodyRoom
from shared_runtime.bounds import bound_of_field
from shared_runtime.clock import Clock, system_clock
from shared_runtime.connections import KEEP_ALIVE_SECONDS, PatientProtocol
from shared_runtime.crowd import INSIDE_OPEN_MAX, Crowd
from shared_runtime.decider import FieldError, InvalidValue, NotFound, PolicyUnknown, Refused
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.documents import LICENCE, SERVERS, Documented, document_of, operation_id
from shared_runtime.edge import (
    BODY_BYTES_MAX,
    BODY_SECONDS_MAX,
    SHARED_WITH_ORIGINS,
    Bodies,
    Compressed,
    Edge,
    Methods,
    NotStored,
    Origins,
    Patience,
)
from shared_runtime.idempotency import KEY_HEADER
from shared_runtime.migrated import DatabaseAhead, DatabaseBehind
from shared_runtime.pausing import pause
from shared_runtime.problems import (
    BodyTooLarge,
    IdempotencyKeyMissing,
    MalformedBody,
    MethodNotAllowed,
    NotReady,
    PreconditionRequired,
    RequestTimeout,
    Unavailable,
    problem,
    refusals_of,
)
from shared_runtime.reading import VERSION_HEADER
from shared_runtime.routers import Router
from shared_runtime.settings import Settings
from shared_runtime.telemetry import REFUSALS
from shared_runtime.veil import Veil, VeilTokens
from shared_runtime.wellformed import ERRORS_MAX, FIELD_LENGTH_MAX, WellFormed, well_formed
from shared_runtime.words import WordTable

READY_SECONDS_MAX = 2.0
SHUTDOWN_SECONDS_MAX = 10
DATE_SECONDS = 1.0
"""The header Date counts seconds."""
READS = frozenset({"GET", "HEAD"})
REQUIRED_HEADERS: Mapping[str, type[Refused]] = {
    KEY_HEADER: IdempotencyKeyMissing,
    VERSION_HEADER: PreconditionRequired,
}
"""What answers the absence of one."""
CONVENTIONS = f"""
**Of all routes.** Bodies are JSON in UTF-8, uncompressed, of at most {BODY_BYTES_MAX // 1024} KiB
unless a route says otherwise, and are waited for {BODY_SECONDS_MAX:.0f} seconds. Members and query
parameters that are not known are refused. Refusals are problems (RFC 9457) whose `type` names the
rule; a gateway before us may answer 429 and 504 besides, as problems with `Retry-After`. What GET
answers, HEAD answers without the body; OPTIONS tells a path's methods in `Allow`.
A page of another origin reads answers where the operator has named its origin; else it asks its
own server, which asks here.
"""
HEALTH = "health"
TAGS: Mapping[str, str] = {
    "media": "Photos and videos that are added to what people write.",
    "log": "What was recorded, event by event, as it was hashed: for consumers and auditors.",
    HEALTH: "For whoever runs the service: no token is needed.",
}
"""Those of the runtime's own routes."""

log = structlog.get_logger()

type Beside = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
type Ready = Callable[[], Awaitable[object]]
"""Raises `DatabaseBehind`, `DatabaseAhead` or the failure of the world that keeps the process from
working.
"""


def service_app(
    *,
    title: str,
    version: str,
    description: str = "",
    routers: Sequence[Router],
    verifier: Verifier,
    ready: Ready,
    tags: Mapping[str, str] | None = None,
    words: Sequence[WordTable] = (),
    veil: Veil | None = None,
    streamed: frozenset[str] = frozenset(),
    body_bytes_max: int = BODY_BYTES_MAX,
    patience: Patience | None = None,
    now: Clock = system_clock,
    origins: Sequence[str] = (),
    room: BodyRoom | None = None,
) -> FastAPI:
    """The API of a service. Raises if a route does not declare its roles.

    `tags`: what those of its routes mean; `words`: what those of its bodies and answers do.
    `veil`: what parties' tokens are under. `streamed`: the paths whose bodies have any size (they
    limit their lines themselves). `now`: the clock of its deadlines. `origins`: whose pages may
    read what is answered. `room`: for bodies.
    """
    routes = [route for router in routers for route in router.routes]
    check_roles_declared(routes)
    described = {**(tags or {}), **TAGS}
    app = FastAPI(
        title=title,
        version=version,
        description=f"{description.strip()}\n{CONVENTIONS}",
        license_info=LICENCE,
        servers=SERVERS,
        openapi_tags=[{"name": name, "description": each} for name, each in described.items()],
        generate_unique_id_function=operation_id,
        dependencies=[Depends(well_formed)],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send clients to whatever host they name
    )
    app.state.well_formed = WellFormed(streamed)
    app.router.routes.extend(routes)
    app.openapi = document_of(app, words)  # type: ignore[method-assign]  # as FastAPI says to extend it
    add_api_page(app)
    _add_health(app, ready, alive=lambda: True)
    # The last one added is the outermost.
    app.add_middleware(
        Bodies,
        limit=body_bytes_max,
        streamed=streamed,
        patience=patience or Patience(),
        room=room or BodyRoom(),
    )
    if veil is not None:
        app.add_middleware(VeilTokens, veil=veil)
    app.add_middleware(Compressed)
    app.add_middleware(NotStored)
    app.add_middleware(Authenticate, verifier=verifier)
    _add_edge(app, now)
    if origins:
        app.add_middleware(Origins, **SHARED_WITH_ORIGINS, allow_origins=origins)
    return app


def worker_health_app(*, title: str, ready: Ready, alive: Callable[[], bool]) -> FastAPI:
    """Health and metrics of a worker; `alive` says whether its loops turn."""
    app = _inside_app(title)
    _add_health(app, ready, alive)
    _add_metrics(app)
    _add_edge(app, system_clock)
    return app


def metrics_app(*, title: str) -> FastAPI:
    """Metrics of an API. Not on its own port: counts of requests tell who is doing what."""
    app = _inside_app(title)
    _add_metrics(app)
    _add_edge(app, system_clock)
    return app


def _inside_app(title: str) -> FastAPI:
    """For whoever runs the service, at an address of its own."""
    app = FastAPI(
        title=title,
        openapi_url=None,
        dependencies=[Depends(well_formed)],
        redirect_slashes=False,
    )
    app.state.well_formed = WellFormed(frozenset())
    return app


def _add_edge(app: FastAPI, now: Clock) -> None:
    """What every application answers the same way."""
    methods = _methods_of(app)
    app.add_exception_handler(Refused, partial(_refused, now=now))
    app.add_exception_handler(RequestValidationError, partial(_invalid, now=now))
    app.add_exception_handler(HTTPException, partial(_http, methods=methods))
    app.add_middleware(Methods, allowed=methods)
    app.add_middleware(Edge)


def _methods_of(app: FastAPI) -> Callable[[str], list[str]]:
    """The methods that a path takes, of all routes that it leads to; or of those that name it as it
    is, where an id in its place would lead to others besides.
    """

    def methods(path: str) -> list[str]:
        routes = [each for each in iter_route_contexts(app.routes) if each.path_regex.match(path)]
        named = [each for each in routes if each.path == path]
        taken = {method for route in named or routes for method in route.methods or ()}
        if "GET" in taken:
            taken.add("HEAD")
        return sorted(taken | {"OPTIONS"}) if taken else []

    return methods


def _add_health(app: FastAPI, ready: Ready, alive: Callable[[], bool]) -> None:
    def answers(status: str) -> Documented:
        schema = {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"const": status}},
        }
        content = {"application/json": {"schema": schema, "example": {"status": status}}}
        return refusals_of(InvalidValue, NotReady) | {
            200: {"description": "Yes.", "content": content}
        }

    @app.get(
        "/livez",
        tags=[HEALTH],
        summary="The loop turns",
        description="For whoever restarts it: 503 means that nothing else helps. Looks at nothing "
        "outside of the process.",
        responses=answers("alive"),
    )
    async def get_liveness() -> Response:
        return JSONResponse({"status": "alive"}) if alive() else problem(NotReady())

    @app.get(
        "/readyz",
        tags=[HEALTH],
        summary="The database is reachable and migrated",
        description="For whoever sends it requests: 503 means not now. It may pass by itself.",
        responses=answers("ready"),
    )
    async def get_readiness() -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await ready()
        except (*WORLD_FAILURES, DatabaseBehind, DatabaseAhead) as failure:
            log.warning("not ready", failure=type(failure).__name__)
            return problem(NotReady())
        return JSONResponse({"status": "ready"})


def _add_metrics(app: FastAPI) -> None:
    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _refused(request: Request, error: Exception, *, now: Clock) -> Response:
    if request.method in READS and isinstance(error, PolicyUnknown):
        # What is read has begun with it: a later release may answer.
        return _told(Unavailable(), now)
    return _told(cast("Refused", error), now)


async def _invalid(_: Request, error: Exception, *, now: Clock) -> Response:
    errors: Sequence[Mapping[str, Any]] = cast("RequestValidationError", error).errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return _told(MalformedBody(), now)
    for place, rule in REQUIRED_HEADERS.items():
        if any((each["type"], *each["loc"]) == ("missing", "header", place) for each in errors):
            return _told(rule(), now)
    fields = [
        FieldError(field=_field(each["loc"]), bound=bound_of_field(each))
        for each in errors[:ERRORS_MAX]
    ]
    return _told(InvalidValue(errors=fields), now)


async def _http(
    request: Request, error: Exception, *, methods: Callable[[str], list[str]]
) -> Response:
    match cast("HTTPException", error).status_code:
        case HTTPStatus.NOT_FOUND:
            return _told(NotFound())
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = methods(request.scope["path"])
            headers = {"Allow": ", ".join(allowed)}
            return _told(MethodNotAllowed(allowed_methods=allowed), headers=headers)
        case HTTPStatus.REQUEST_TIMEOUT:
            return _told(RequestTimeout(), headers={"Connection": "close"})
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return _told(Unavailable(), headers={"Connection": "close"})
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _told(BodyTooLarge())
        case HTTPStatus.BAD_REQUEST:
            return _told(MalformedBody())
        case _:
            raise error


def _told(
    refused: Refused, now: Clock = system_clock, *, headers: Mapping[str, str] | None = None
) -> Response:
    REFUSALS.labels(refused.slug()).inc()
    log.info("request refused", rule=refused.slug())
    return problem(refused, headers, now)


def _field(place: Sequence[str | int]) -> str:
    """`("body", "lines", 0, "sku")` -> `lines[0].sku`. Names that clients make up are cut short."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[1:]]
    name = "".join(parts).lstrip(".") or str(place[0])
    return name[:FIELD_LENGTH_MAX]


class _Server(uvicorn.Server):
    """Leaves signals to the process, which ends by itself and then with code 0. It is woken to be
    stopped, and to write another second into its answers: uvicorn looks ten times a second.
    """

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    @override
    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await pause(self._stop, DATE_SECONDS)
            self.should_exit = self._stop.is_set()


async def serve(
    app: ASGIApp, *, host: str, port: int, stop: asyncio.Event, open_max: int = INSIDE_OPEN_MAX
) -> None:
    """Serves until `stop`; then answers what has been begun, `SHUTDOWN_SECONDS_MAX` at most.
    `open_max`: how many connections there are at once.
    """
    protocol = partial(PatientProtocol, crowd=Crowd(open_max))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
    )
    server = _Server(config, stop)
    await server.serve()
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


async def serve_api(app: ASGIApp, settings: Settings, beside: Sequence[Beside] = ()) -> None:
    """Serves an API, and its metrics apart, until the process is told to end; `beside`: what it
    does besides, until the event that it is given is set.
    """
    metrics = metrics_app(title="metrics")
    async with stopped_by_signals() as stop, asyncio.TaskGroup() as group:
        group.create_task(serve(metrics, host=settings.host, port=settings.metrics_port, stop=stop))
        for task in beside:
            group.create_task(task(stop))
        await serve(
            app,
            host=settings.host,
            port=settings.port,
            stop=stop,
            open_max=settings.client_connections,
        )
        stop.set()


async def serve_worker(
    run: Callable[[asyncio.Event], Awaitable[None]], health: ASGIApp, settings: Settings
) -> None:
    """Runs a worker and serves its health until the process is told to end, or either fails."""
    async with stopped_by_signals() as stop, asyncio.TaskGroup() as group:
        group.create_task(serve(health, host=settings.host, port=settings.worker_port, stop=stop))
        await run(stop)
        stop.set()
