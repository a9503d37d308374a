"""A service's parts in, one of its processes out.

`python -m <package> api | worker | migrate | rebuild NAME | rewrap | openapi | commands`

    SERVICE = Service(name="review-service", package="review_service", …)      # its app.py
    main(SERVICE)                                                              # its __main__.py

All processes of a service are wired here, the same way; what differs is in its `Service`.
"""

import asyncio
import gc
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import asyncpg
import structlog
import uvloop
from fastapi import APIRouter, FastAPI
from pydantic import ValidationError

from shared_runtime.auth import Verifier
from shared_runtime.clock import Clock, clock_of, system_clock
from shared_runtime.database import CONNECT_SECONDS_MAX, PLANS, open_pool
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.http import serve_api, serve_worker, service_app, worker_health_app
from shared_runtime.idempotency import PURGE_MAX, purge_replies
from shared_runtime.keys import (
    Kek,
    KekMissing,
    Keks,
    KeyStore,
    PostgresKeyStore,
    migrate_keys,
)
from shared_runtime.log import PostgresLog
from shared_runtime.migrated import DatabaseBehind, check_migrated
from shared_runtime.projections import (
    CannotRebuild,
    Projection,
    create_projections,
    drop_retired,
    outdated,
    rebuild,
)
from shared_runtime.reference import commands_page
from shared_runtime.rules import Rules
from shared_runtime.sealing import KEY_BYTES
from shared_runtime.settings import Settings, load
from shared_runtime.skew import SKEW_MAX, check_clock
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.telemetry import configure_logging
from shared_runtime.veil import Veil
from shared_runtime.worker import Worker, Workload

PURGE_SECONDS = 3600.0
DATABASE_LOOK_SECONDS = 1.0
KEYS_CONNECTIONS_MAX = 8
# What is made here is freed when nobody holds it any more; cycles are few. Looking for them among
# the thousands of events of each batch took a fifteenth of a worker's time.
COLLECTOR_THRESHOLDS = (50_000, 20, 100)
COMMANDS = "api | worker | migrate | rebuild NAME | rewrap | openapi | commands"
USAGE = 2  # exit code
REFUSED = 1
UNAVAILABLE = 3

log = structlog.get_logger()


class NoSuchProjection(Exception):  # noqa: N818 - the name says what was asked for
    """The message says which there are."""


class SettingsMissing(Exception):  # noqa: N818 - the name says what is wrong
    """The message names what has to be set."""


class WasDifferent(Exception):  # noqa: N818 - what a rebuild has found
    """The rows of a projection were not what its log says: a fault, or somebody's hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts[S: Settings]:
    """What every process of a service has in hand. `key_store`: if it seals personal text."""

    settings: S
    pool: asyncpg.Pool
    log: PostgresLog
    now: Clock
    key_store: KeyStore | None = None

    @property
    def keys(self) -> KeyStore:
        """The keys of the people who write, for a service with `seals`."""
        assert self.key_store is not None, "only a service that seals has keys"
        return self.key_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Service[S: Settings]:
    """What makes a service this one.

    `title` and `description` open its OpenAPI page, `tags` says what those of its routes mean.
    `projections` are made by `migrate` and can be rebuilt. `routers` and `workload` are what its
    API answers and what its worker does. `streamed`: the paths whose bodies have any size. `seals`:
    what people write is sealed with their keys, which are in a database of their own. `commands`:
    the rows of each kind of stream.
    """

    name: str
    package: str
    description: str
    settings: type[S]
    projections: tuple[Projection, ...]
    routers: Callable[[Parts[S]], Sequence[APIRouter]]
    workload: Callable[[Parts[S]], Workload]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    streamed: frozenset[str] = frozenset()
    seals: bool = False
    commands: Mapping[str, Rules[Any, Any, Any]] = field(
        default_factory=dict[str, Rules[Any, Any, Any]]
    )


def main[S: Settings](service: Service[S]) -> None:
    """Runs the process that the command line names, until it is told to end."""
    if sys.argv[1:] == ["openapi"]:
        sys.stdout.write(openapi_document(service))
        return
    if sys.argv[1:] == ["commands"]:
        sys.stdout.write(commands_page(service.name, service.commands))
        return
    command = _asked_for(sys.argv[1:])
    if command is None:
        sys.stderr.write(f"usage: python -m {service.package} {COMMANDS}\n")
        sys.exit(USAGE)
    try:
        settings = load(service.settings)
    except ValidationError as wrong:
        sys.stderr.write(f"{service.name} cannot start: {wrong}\n")
        sys.exit(USAGE)
    configure_logging(settings.log_level)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(command(service, settings))
    except (SettingsMissing, KekMissing) as wrong:
        sys.stderr.write(f"{service.name} cannot start: {wrong}\n")
        sys.exit(USAGE)
    except DatabaseBehind as behind:
        sys.stderr.write(f"{behind}: run `python -m {service.package} migrate`\n")
        sys.exit(REFUSED)
    except NoSuchProjection as unknown:
        sys.stderr.write(f"{unknown}\n")
        sys.exit(USAGE)
    except CannotRebuild as failure:
        sys.stderr.write(f"nothing has changed: {failure}\n")
        sys.exit(UNAVAILABLE)
    except WasDifferent as different:
        sys.stderr.write(f"{different}\n")
        sys.exit(REFUSED)


def _asked_for(arguments: Sequence[str]) -> Callable[[Any, Any], Coroutine[Any, Any, None]] | None:
    match arguments:
        case ["api"]:
            return run_api
        case ["worker"]:
            return run_worker
        case ["migrate"]:
            return run_migrate
        case ["rebuild", name]:
            return partial(run_rebuild, name=name)
        case ["rewrap"]:
            return run_rewrap
        case _:
            return None


async def run_api[S: Settings](service: Service[S], settings: S) -> None:
    """Serves the API."""
    async with _parts(service, settings) as parts:
        await serve_api(api_app(service, parts), settings)


async def run_worker[S: Settings](service: Service[S], settings: S) -> None:
    """Relays, projects, reacts and fires timers; serves its health."""
    async with _parts(service, settings) as parts:
        load = service.workload(parts)
        worker = Worker(
            service=service.name,
            pool=parts.pool,
            kafka=settings.kafka,
            own_log=parts.log,
            now=parts.now,
            workload=replace(load, tasks=(*load.tasks, partial(_purge, parts))),
        )
        health = worker_health_app(
            title=f"{service.name} worker", ready=_ready(service, parts), alive=worker.is_alive
        )
        await serve_worker(worker.run, health, settings)


async def run_migrate[S: Settings](service: Service[S], settings: S) -> None:
    """Brings the databases to this release, with the owner's rights; projections too: those that
    it no longer has are dropped, those of another version are built again.

    Raises `CannotRebuild`; the rest is done then.
    """
    url, keys_url = _owner_urls(service, settings)
    owner = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    try:
        try:
            await check_migrated(owner, service.package)
            await create_projections(owner, service.projections)
        except DatabaseBehind:
            from shared_runtime.migrate import migrate  # noqa: PLC0415 - half of a start's time

            await migrate(service.package, url, service.projections)
        await drop_retired(owner, service.projections)
        to_rebuild = await outdated(owner, service.projections)
    finally:
        await owner.close()
    if keys_url is not None:
        await migrate_keys(keys_url)
    for name in to_rebuild:
        await run_rebuild(service, settings, name=name)


async def run_rewrap[S: Settings](service: Service[S], settings: S) -> None:
    """Wraps all keys by the current key-encryption key; tells how many were not."""
    async with _key_store(service, settings) as keys:
        if keys is None:
            raise SettingsMissing("it seals nothing, and has no keys")
        sys.stdout.write(f"{await keys.rewrap()} keys wrapped anew\n")


async def run_rebuild[S: Settings](service: Service[S], settings: S, *, name: str) -> None:
    """Builds a projection again beside the live one and switches to it, with the owner's rights.

    Raises `NoSuchProjection`; `CannotRebuild`, when nothing has changed; `WasDifferent` after the
    switch.
    """
    url = _owner_url(settings)
    try:
        async with asyncpg.create_pool(
            url, min_size=0, timeout=CONNECT_SECONDS_MAX, server_settings=PLANS
        ) as owner:
            await check_migrated(owner, service.package)
            await _rebuild(service, settings, owner, name)
    except WORLD_FAILURES as failure:
        raise CannotRebuild(str(failure) or type(failure).__name__) from failure


async def _rebuild[S: Settings](
    service: Service[S], settings: S, owner: asyncpg.Pool, name: str
) -> None:
    now = clock_of(settings)
    own_log = log_of(service, settings, owner, now)
    async with _key_store(service, settings) as keys:
        parts = Parts(settings=settings, pool=owner, log=own_log, now=now, key_store=keys)
        workload = service.workload(parts)
    projection = next((each for each in service.projections if each.name == name), None)
    if projection is None:
        known = ", ".join(each.name for each in service.projections) or "none"
        raise NoSuchProjection(f"no such projection: {name}; {service.name} has {known}")
    before = await owner.fetchval("SELECT version FROM es.projection WHERE name = $1", name)
    if projection in workload.own_projections:
        equal = await rebuild(projection, OwnLog(owner, projection.topics), owner=owner, now=now)
    else:
        group = f"{service.name}.{name}.rebuild-{uuid4()}"
        source = KafkaLog(settings.kafka, group, projection.topics)
        try:
            equal = await rebuild(projection, source, owner=owner, now=now)
        finally:
            await source.close()
    if not equal and projection.version == before:
        raise WasDifferent(f"{name} was not what the log says; it has been replaced")


def api_app[S: Settings](service: Service[S], parts: Parts[S]) -> FastAPI:
    """The API of a service as an application: also for tests and for its OpenAPI document."""
    settings = parts.settings
    return service_app(
        title=service.name,
        version=version(service.name),
        description=service.description,
        routers=service.routers(parts),
        verifier=Verifier(
            settings.jwks_url,
            issuer=settings.issuer,
            audience=settings.audience,
            now=system_clock,
        ),
        ready=_ready(service, parts),
        tags=service.tags,
        now=parts.now,
        veil=Veil(settings.token_secret),
        streamed=service.streamed,
    )


def openapi_document[S: Settings](service: Service[S]) -> str:
    """What the API answers, as JSON with sorted keys. Needs no settings, database or Kafka."""

    async def document() -> dict[str, Any]:
        # Nothing of this is asked for anything while routes are declared.
        settings = service.settings.model_construct(env="local", jwks_url="", issuer="")
        pool = asyncpg.create_pool(min_size=0)
        own_log = PostgresLog(pool, source=f"/{service.name}", now=system_clock)
        keks = Keks(current=Kek(id="none", secret=bytes(KEY_BYTES)))
        keys = PostgresKeyStore(pool, keks) if service.seals else None
        parts = Parts(settings=settings, pool=pool, log=own_log, now=system_clock, key_store=keys)
        return api_app(service, parts).openapi()

    return json.dumps(asyncio.run(document()), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _owner_urls[S: Settings](service: Service[S], settings: S) -> tuple[str, str | None]:
    """The database by its owner; and the key database, of a service that has one."""
    keys_url = settings.keys_migration_url
    wanted = {"AFTERSALES_MIGRATION_URL": settings.migration_url}
    if service.seals:
        wanted["AFTERSALES_KEYS_MIGRATION_URL"] = keys_url
    _require(wanted)
    return _owner_url(settings), keys_url.get_secret_value() if service.seals and keys_url else None


def _owner_url(settings: Settings) -> str:
    _require({"AFTERSALES_MIGRATION_URL": settings.migration_url})
    assert settings.migration_url is not None
    return settings.migration_url.get_secret_value()


def _require(wanted: Mapping[str, object]) -> None:
    """Raises `SettingsMissing` naming all that is None."""
    if missing := [name for name, value in wanted.items() if value is None]:
        raise SettingsMissing(f"not set: {', '.join(missing)}")


def log_of[S: Settings](
    service: Service[S], settings: S, pool: asyncpg.Pool, now: Clock
) -> PostgresLog:
    """The log of a service. Unless time is moved by hand there, it takes no wrong clock."""
    skew_max = None if settings.env == "local" else SKEW_MAX
    return PostgresLog(pool, source=f"/{service.name}", now=now, skew_max=skew_max)


def _ready[S: Settings](service: Service[S], parts: Parts[S]) -> Callable[[], Any]:
    # Not the key database: without it, all that needs no text goes on.
    async def ready() -> None:
        await check_migrated(parts.pool, service.package)
        if parts.settings.env != "local":
            await check_clock(parts.pool, parts.now)

    return ready


@asynccontextmanager
async def _parts[S: Settings](service: Service[S], settings: S) -> AsyncGenerator[Parts[S]]:
    now = clock_of(settings)
    async with AsyncExitStack() as opened:
        keys = await opened.enter_async_context(_key_store(service, settings))
        pool = await open_pool(settings.database_url.get_secret_value())
        opened.callback(pool.terminate)
        await _wait_for_database(partial(check_migrated, pool, service.package))
        if keys is not None:
            await _look_at_keys(keys)
        own_log = log_of(service, settings, pool, now)
        yield Parts(settings=settings, pool=pool, log=own_log, now=now, key_store=keys)


@asynccontextmanager
async def _key_store[S: Settings](
    service: Service[S], settings: S
) -> AsyncGenerator[PostgresKeyStore | None]:
    """The keys of a service that seals. Raises `SettingsMissing`."""
    if not service.seals:
        yield None
        return
    url, keks = settings.keys_url, settings.keks
    _require({"AFTERSALES_KEYS_URL": url, "AFTERSALES_KEK": keks})
    assert url is not None
    assert keks is not None
    pool = await open_pool(url.get_secret_value(), size=KEYS_CONNECTIONS_MAX)
    try:
        yield PostgresKeyStore(pool, keks)
    finally:
        pool.terminate()


async def _look_at_keys(keys: PostgresKeyStore) -> None:
    """Never on a key database that is behind. While it is away, all that needs no text goes on."""
    try:
        await keys.check()
    except WORLD_FAILURES as failure:
        log.warning("the key database does not answer yet", failure=type(failure).__name__)


async def _wait_for_database(check: Callable[[], Awaitable[None]]) -> None:
    """A process may be started before its database answers; never on one that is behind."""
    while True:
        try:
            await check()
        except WORLD_FAILURES as failure:
            log.warning("the database does not answer yet", failure=type(failure).__name__)
            await asyncio.sleep(DATABASE_LOOK_SECONDS)
        else:
            return


async def _purge[S: Settings](parts: Parts[S], stop: asyncio.Event) -> None:
    """Now and then forgets answers to requests that nobody will repeat any more."""
    while not stop.is_set():
        try:
            await forget_answers(parts, stop)
        except WORLD_FAILURES as failure:
            log.warning("answers not forgotten", failure=type(failure).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PURGE_SECONDS)


async def forget_answers[S: Settings](parts: Parts[S], stop: asyncio.Event) -> None:
    """All that were kept for long enough, batch by batch: as fast as they are made at least."""
    now = await parts.log.instant(parts.now)
    while not stop.is_set() and await purge_replies(parts.pool, now) == PURGE_MAX:
        pass
