"""A service's parts in, one of its processes out.

`python -m <package> api | worker | migrate | migrated | rebuild [NAME] | recover | tidy | …`

    SERVICE = Service(name="review-service", package="review_service", …)      # its app.py
    main(SERVICE)                                                              # its __main__.py

All processes of a service are wired here, the same way; what differs is in its `Service`.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import asyncpg
import structlog
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError

from shared_runtime.auth import Verifier
from shared_runtime.clock import Clock, clock_of, system_clock
from shared_runtime.database import CONNECT_SECONDS_MAX, PLANS, PROBE_CONNECTIONS, open_pool
from shared_runtime.delivery import WORLD_FAILURES, Source, TakenOver
from shared_runtime.feed import LogFeed
from shared_runtime.http import serve_api, serve_worker, service_app, worker_health_app
from shared_runtime.idempotency import PURGE_MAX, purge_replies
from shared_runtime.keys import (
    Kek,
    KekMissing,
    Keks,
    KeyStore,
    PostgresKeyStore,
    check_keys_migrated,
    migrate_keys,
)
from shared_runtime.log import PostgresLog
from shared_runtime.migrated import DatabaseAhead, DatabaseBehind, check_migrated, is_ahead
from shared_runtime.parking import DISCARDED_PURGE_MAX, purge_discarded
from shared_runtime.pausing import pause
from shared_runtime.projections import (
    PARALLEL_MIN,
    PARTS_MAX,
    Apart,
    CannotRebuild,
    PartitionShare,
    Projection,
    create_projections,
    drop_retired,
    fold_part,
    outdated,
    rebuild,
    unmade,
)
from shared_runtime.recovery import recover
from shared_runtime.reference import commands_page
from shared_runtime.routers import Router
from shared_runtime.rules import Rules
from shared_runtime.sealing import KEY_BYTES
from shared_runtime.settings import Settings, load
from shared_runtime.skew import SKEW_MAX, check_clock, measure_clock
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.telemetry import configure_logging
from shared_runtime.tracing import send_spans
from shared_runtime.veil import Veil
from shared_runtime.watching import WATCH_SECONDS
from shared_runtime.webhooks import Webhooks
from shared_runtime.words import WordTable
from shared_runtime.worker import Task, Worker, Workload

PURGE_SECONDS = 60.0
DATABASE_LOOK_SECONDS = 1.0
LOOK_SECONDS_MAX = 10.0
# What is made here is freed when nobody holds it any more; cycles are few. Looking for them among
# the thousands of events of each batch took a fifteenth of a worker's time.
COLLECTOR_THRESHOLDS = (50_000, 20, 100)
COMMANDS = (
    "api | worker | migrate | migrated [--wait SECONDS] | rebuild [NAME [PROCESSES]] | recover | "
    "tidy | rewrap | openapi | commands"
)
USAGE = 2  # exit code
REFUSED = 1
UNAVAILABLE = 3
TOLD_TO_END = 128 + signal.SIGTERM

log = structlog.get_logger()


class NoSuchProjection(Exception):  # noqa: N818 - the name says what was asked for
    """The message says which there are."""


class SettingsMissing(Exception):  # noqa: N818 - the name says what is wrong
    """The message names what has to be set."""


class DatabaseAway(Exception):  # noqa: N818 - a state of the world
    """A database does not answer."""


class CannotRecover(Exception):  # noqa: N818 - a state of the log
    """The message says what is in the way."""


class TwoHistories(Exception):  # noqa: N818 - what a recovery has found
    """The message says where a log and its topic have gone on apart."""


class WasDifferent(Exception):  # noqa: N818 - what a rebuild has found
    """The rows of a projection were not what its log says: a fault, or somebody's hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts[S: Settings]:
    """What every process of a service has in hand. `key_store`: if it seals personal text.
    `probe`: a connection that is for readiness alone.
    """

    settings: S
    pool: asyncpg.Pool
    log: PostgresLog
    now: Clock
    key_store: KeyStore | None = None
    probe: asyncpg.Pool | None = None

    @property
    def looks(self) -> asyncpg.Pool:
        """By which the process looks whether its database is there: whatever else is under way."""
        return self.probe or self.pool

    async def instant(self) -> datetime:
        """What rows beside the log are dated by, whichever process writes them."""
        return await self.log.instant(self.now)

    @property
    def keys(self) -> KeyStore:
        """The keys of the people who write, for a service with `seals`."""
        assert self.key_store is not None, "only a service that seals has keys"
        return self.key_store

    @property
    def webhooks(self) -> Webhooks:
        """Where shops have themselves told of what happens: sealed like what people write."""
        return Webhooks(pool=self.pool, own_log=self.log, keys=self.keys, now=self.now)


def nothing_beside(_: Parts[Any]) -> Sequence[Task]:
    return ()


async def nothing_first(_: Parts[Any]) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service[S: Settings]:
    """What makes a service this one.

    `title` and `description` open its OpenAPI page, `tags` says what those of its routes mean,
    `words` what those of its bodies and answers do.
    `projections` are made by `migrate` and can be rebuilt, those of the own log as `workload` has
    them: one that opens texts has the keys there. `routers` and `workload` are what its
    API answers and what its worker does. `streamed`: the paths whose bodies have any size. `seals`:
    what people write is sealed with their keys, which are in a database of their own. `first`:
    what each of its processes has to know before it does anything; `background`: what it does
    besides. `commands`: the rows of each kind of stream.
    """

    name: str
    package: str
    description: str
    settings: type[S]
    projections: tuple[Projection, ...]
    routers: Callable[[Parts[S]], Sequence[Router]]
    workload: Callable[[Parts[S]], Workload]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    words: Sequence[WordTable] = ()
    streamed: frozenset[str] = frozenset()
    seals: bool = False
    first: Callable[[Parts[S]], Awaitable[None]] = nothing_first
    background: Callable[[Parts[S]], Sequence[Task]] = nothing_beside
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
    _tell_of(service.name, settings)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(command(service, settings)))
    except (SettingsMissing, KekMissing) as wrong:
        sys.stderr.write(f"{service.name} cannot start: {wrong}\n")
        sys.exit(USAGE)
    except (DatabaseBehind, DatabaseAhead) as other:
        then = f"run `python -m {service.package} migrate`"
        then = then if isinstance(other, DatabaseBehind) else "run a later release"
        sys.stderr.write(f"{other}: {then}\n")
        sys.exit(REFUSED)
    except NoSuchProjection as unknown:
        sys.stderr.write(f"{unknown}\n")
        sys.exit(USAGE)
    except (CannotRebuild, CannotRecover, DatabaseAway) as failure:
        sys.stderr.write(f"nothing has changed: {failure}\n")
        sys.exit(UNAVAILABLE)
    except (WasDifferent, TwoHistories) as different:
        sys.stderr.write(f"{different}\n")
        sys.exit(REFUSED)


def _tell_of(name: str, settings: Settings) -> None:
    """Whoever runs a process sees what it does."""
    configure_logging(settings.log_level)
    if settings.traces_url:
        send_spans(name, settings.traces_url, settings.traces_share)


async def _until_told(process: Coroutine[Any, Any, None]) -> None:
    """Ends at SIGTERM, also before the process listens for it itself: the first process of a
    container hears no signal that it has not asked for. What was not finished has failed.
    """
    running = asyncio.ensure_future(process)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        sys.exit(TOLD_TO_END)


def _asked_for(arguments: Sequence[str]) -> Callable[[Any, Any], Coroutine[Any, Any, None]] | None:
    match arguments:
        case ["rebuild", name]:
            return partial(run_rebuild, name=name)
        case ["migrated", "--wait", seconds] if seconds.isdecimal():
            return partial(run_migrated, wait=float(seconds))
        case ["rebuild", name, processes] if processes.isdecimal():
            return partial(run_rebuild, name=name, processes=max(1, int(processes)))
        case ["fold", name, generation, number, of]:
            part = PartitionShare(number=int(number), of=int(of))
            return partial(run_fold, name=name, generation=int(generation), part=part)
        case [name]:
            return PROCESSES.get(name)
        case _:
            return None


async def run_api[S: Settings](service: Service[S], settings: S) -> None:
    """Serves the API."""
    async with open_parts(service, settings) as parts:
        beside: Sequence[Task] = (*service.background(parts), partial(watch_clock, parts))
        await serve_api(api_app(service, parts), settings, beside)


async def run_worker[S: Settings](service: Service[S], settings: S) -> None:
    """Relays, projects, reacts and fires timers; serves its health."""
    async with open_parts(service, settings) as parts:
        load = service.workload(parts)
        worker = Worker(
            service=service.name,
            pool=parts.pool,
            kafka=settings.brokers,
            own_log=parts.log,
            now=parts.now,
            feed=feed_of(settings),
            workload=replace(
                load, tasks=(*load.tasks, *service.background(parts), partial(_purge, parts))
            ),
        )
        health = worker_health_app(
            title=f"{service.name} worker", ready=_ready(service, parts), alive=worker.is_alive
        )
        await serve_worker(worker.run, health, settings)


async def run_migrate[S: Settings](service: Service[S], settings: S) -> None:
    """Brings the databases to this release, with the owner's rights; projections of another version
    are built again. The release that runs goes on meanwhile: what only that one needs stays.

    A database that a later release has migrated is left alone. Raises `CannotRebuild`; the rest is
    done then.
    """
    url, keys_url = _owner_urls(service, settings)
    owner = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    try:
        if await is_ahead(owner, service.package):
            sys.stdout.write("a later release has migrated this database: nothing was changed\n")
            return
        try:
            await check_migrated(owner, service.package)
            await create_projections(owner, service.projections)
        except DatabaseBehind:
            from shared_runtime.migrate import migrate  # noqa: PLC0415 - half of a start's time

            await migrate(service.package, url, service.projections)
        to_rebuild = await outdated(owner, service.projections)
    finally:
        await owner.close()
    if keys_url is not None:
        await migrate_keys(keys_url)
    for name in to_rebuild:
        await run_rebuild(service, settings, name=name)


async def run_migrated[S: Settings](service: Service[S], settings: S, *, wait: float = 0) -> None:
    """Whether this release can work on its databases, asked until it can: `wait` seconds at most.

    For whatever starts the processes. Raises `DatabaseBehind`; `DatabaseAhead` at once: no waiting
    helps; `DatabaseAway`.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + wait
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                await _look_at_databases(service, settings)
        except (DatabaseBehind, *WORLD_FAILURES) as failure:
            if clock() >= until:
                if isinstance(failure, DatabaseBehind):
                    raise
                why = str(failure) or type(failure).__name__
                raise DatabaseAway(f"a database does not answer: {why}") from failure
            log.info("not migrated yet", failure=str(failure) or type(failure).__name__)
            await asyncio.sleep(DATABASE_LOOK_SECONDS)
        else:
            return


async def _look_at_databases[S: Settings](service: Service[S], settings: S) -> None:
    url = settings.database_url.get_secret_value()
    async with await open_pool(url, size=PROBE_CONNECTIONS) as pool:
        await check_migrated(pool, service.package)
        if missing := await unmade(pool, service.projections):
            raise DatabaseBehind(f"{service.package}: not made yet: {', '.join(missing)}")
    if service.seals:
        _require({"AFTERSALES_KEYS_URL": settings.keys_url})
        assert settings.keys_url is not None
        keys_url = settings.keys_url.get_secret_value()
        async with await open_pool(keys_url, size=PROBE_CONNECTIONS) as pool:
            await check_keys_migrated(pool)


async def run_tidy[S: Settings](service: Service[S], settings: S) -> None:
    """Takes away projections that this release no longer has, when no other one runs any more."""
    owner = await asyncpg.connect(_owner_url(settings), timeout=CONNECT_SECONDS_MAX)
    try:
        await check_migrated(owner, service.package)
        if not await is_ahead(owner, service.package):
            await drop_retired(owner, service.projections)
    finally:
        await owner.close()


async def run_recover[S: Settings](service: Service[S], settings: S) -> None:
    """After a restore, before anything else is started: takes back what Kafka still has of the log.

    Raises `TwoHistories` if the log has gone on from the backup; the rest is taken back then.
    """
    pool = asyncpg.create_pool(_owner_url(settings), min_size=0, timeout=CONNECT_SECONDS_MAX)
    try:
        async with pool as owner:
            async with _key_store(service, settings) as keys:
                log_here = log_of(service, settings, owner, system_clock)
                parts = Parts(
                    settings=settings, pool=owner, log=log_here, now=system_clock, key_store=keys
                )
                work = service.workload(parts)
            recovered = await recover(
                owner,
                settings.brokers,
                work.own_topics,
                group=f"{service.name}.recovery",
                beside=work.beside,
            )
    except (*WORLD_FAILURES, TakenOver) as failure:
        raise CannotRecover(str(failure) or type(failure).__name__) from failure
    sys.stdout.write(f"{recovered.events} events taken back from Kafka\n")
    if recovered.parted:
        places = (
            f"{topic}/{partition} behind {position}"
            for (topic, partition), position in sorted(recovered.parted.items())
        )
        raise TwoHistories(f"the log and Kafka have gone on apart: {', '.join(places)}")


async def run_rewrap[S: Settings](service: Service[S], settings: S) -> None:
    """Wraps all keys by the current key-encryption key; tells how many were not."""
    async with _key_store(service, settings) as keys:
        if keys is None:
            raise SettingsMissing("it seals nothing, and has no keys")
        sys.stdout.write(f"{await keys.rewrap()} keys wrapped anew\n")


async def run_rebuild[S: Settings](
    service: Service[S], settings: S, *, name: str, processes: int | None = None
) -> None:
    """Builds a projection again beside the live one and switches to it, with the owner's rights: a
    large one in several processes, one for each core if not said, `PARTS_MAX` then.

    Raises `NoSuchProjection`; `CannotRebuild`, when nothing has changed; `WasDifferent` after the
    switch.
    """
    url = _owner_url(settings)
    try:
        async with asyncpg.create_pool(
            url, min_size=0, timeout=CONNECT_SECONDS_MAX, server_settings=PLANS
        ) as owner:
            await check_migrated(owner, service.package)
            parts = processes or parts_for(os.process_cpu_count() or 1)
            apart = Apart(
                fold=partial(_fold_apart, service.package, name, parts),
                events_min=0 if processes else PARALLEL_MIN,
            )
            await _rebuild(service, settings, owner, name, apart)
    except WORLD_FAILURES as failure:
        raise CannotRebuild(str(failure) or type(failure).__name__) from failure


async def run_rebuild_all[S: Settings](service: Service[S], settings: S) -> None:
    """Builds every projection again, one after the other. Raises as `run_rebuild`: `WasDifferent`
    when all are done, of all those that were.
    """
    different: list[str] = []
    for projection in service.projections:
        try:
            await run_rebuild(service, settings, name=projection.name)
        except WasDifferent as told:
            different.append(str(told))
    if different:
        raise WasDifferent("; ".join(different))


async def run_fold[S: Settings](
    service: Service[S], settings: S, *, name: str, generation: int, part: PartitionShare
) -> None:
    """A part of what `rebuild` does, in a process of its own. Raises `CannotRebuild`."""
    url = _owner_url(settings)
    try:
        async with (
            asyncpg.create_pool(
                url, min_size=0, timeout=CONNECT_SECONDS_MAX, server_settings=PLANS
            ) as owner,
            _rebuilt_from(service, settings, owner, name) as (projection, source),
        ):
            await fold_part(projection, source, generation, part, owner=owner)
    except WORLD_FAILURES as failure:
        raise CannotRebuild(str(failure) or type(failure).__name__) from failure


def parts_for(cores: int) -> int:
    """In how many processes a large projection is folded."""
    return min(PARTS_MAX, cores)


async def _fold_apart(package: str, name: str, processes: int, generation: int) -> None:
    """Folds the parts of a generation at once, each in a process. Raises `CannotRebuild`."""
    folding = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", package, "fold", name),
            *map(str, (generation, number, processes)),
        )
        for number in range(processes)
    ]
    try:
        codes = await asyncio.gather(*(each.wait() for each in folding))
    finally:
        for each in folding:
            if each.returncode is None:
                each.kill()
    if any(codes):
        raise CannotRebuild(f"a process that folds a part of {name} has failed")


def _projection_of(service: Service[Any], name: str) -> Projection:
    projection = next((each for each in service.projections if each.name == name), None)
    if projection is None:
        known = ", ".join(each.name for each in service.projections) or "none"
        raise NoSuchProjection(f"no such projection: {name}; {service.name} has {known}")
    return projection


@asynccontextmanager
async def _rebuilt_from[S: Settings](
    service: Service[S], settings: S, owner: asyncpg.Pool, name: str
) -> AsyncGenerator[tuple[Projection, Source]]:
    """A projection as the worker has it, and what it is built again from. Raises
    `NoSuchProjection`.
    """
    projection = _projection_of(service, name)
    now = clock_of(settings)
    async with _key_store(service, settings) as keys:
        own_log = log_of(service, settings, owner, now)
        parts = Parts(settings=settings, pool=owner, log=own_log, now=now, key_store=keys)
        own = {each.name: each for each in service.workload(parts).own_projections}
        if name in own:
            yield own[name], OwnLog(owner, projection.topics)
            return
        group = f"{service.name}.{projection.name}.rebuild-{uuid4()}"
        source = KafkaLog(settings.brokers, group, projection.topics, feed=feed_of(settings))
        try:
            yield projection, source
        finally:
            await source.close()


async def _rebuild[S: Settings](
    service: Service[S], settings: S, owner: asyncpg.Pool, name: str, apart: Apart
) -> None:
    before = await owner.fetchval("SELECT version FROM es.projection WHERE name = $1", name)
    async with _rebuilt_from(service, settings, owner, name) as (projection, source):
        equal = await rebuild(projection, source, owner=owner, apart=apart)
    if not equal and projection.version == before:
        raise WasDifferent(f"{name} was not what the log says; it has been replaced")


PROCESSES: Mapping[str, Callable[[Any, Any], Coroutine[Any, Any, None]]] = {
    "api": run_api,
    "worker": run_worker,
    "migrate": run_migrate,
    "migrated": run_migrated,
    "rebuild": run_rebuild_all,
    "recover": run_recover,
    "rewrap": run_rewrap,
    "tidy": run_tidy,
}


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
        words=service.words,
        now=parts.now,
        veil=Veil(settings.token_secret),
        streamed=service.streamed,
        origins=settings.cors_origins,
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


def feed_of(settings: Settings) -> LogFeed | None:
    """Where other services' logs are asked for what their topics have lost, if that is said."""
    if not settings.sources:
        return None
    assert settings.source_token_file is not None
    return LogFeed(settings.sources, settings.source_token_file)


def log_of[S: Settings](
    service: Service[S], settings: S, pool: asyncpg.Pool, now: Clock
) -> PostgresLog:
    """The log of a service. Unless time is moved by hand there, it takes no wrong clock."""
    skew_max = None if settings.env == "local" else SKEW_MAX
    return PostgresLog(pool, source=f"/{service.name}", now=now, skew_max=skew_max)


def _ready[S: Settings](service: Service[S], parts: Parts[S]) -> Callable[[], Any]:
    # Not the key database: without it, all that needs no text goes on.
    async def ready() -> None:
        await check_migrated(parts.looks, service.package)
        if parts.settings.env != "local":
            await check_clock(parts.looks, parts.now)

    return ready


@asynccontextmanager
async def open_parts[S: Settings](service: Service[S], settings: S) -> AsyncGenerator[Parts[S]]:
    """Of one process, once its database answers."""
    now = clock_of(settings)
    async with AsyncExitStack() as opened:
        keys = await opened.enter_async_context(_key_store(service, settings))
        url = settings.database_url.get_secret_value()
        pool = await open_pool(url, size=settings.connections)
        opened.callback(pool.terminate)
        probe = await open_pool(url, size=PROBE_CONNECTIONS)
        opened.callback(probe.terminate)
        await _wait_for_database(partial(check_migrated, pool, service.package))
        if keys is not None:
            await _look_at_keys(keys)
        own_log = log_of(service, settings, pool, now)
        parts = Parts(
            settings=settings, pool=pool, log=own_log, now=now, key_store=keys, probe=probe
        )
        await _wait_for_database(partial(service.first, parts))
        yield parts


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
    pool = await open_pool(url.get_secret_value(), size=settings.keys_connections)
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


async def watch_clock[S: Settings](parts: Parts[S], stop: asyncio.Event) -> None:
    """Measures now and then how far the clock is from the database's, whoever asks for readiness.
    In a worker that is measured with all else.
    """
    while not parts.log.takes_any_clock and not stop.is_set():
        try:
            await measure_clock(parts.looks, parts.now)
        except WORLD_FAILURES as failure:
            log.warning("clock not measured", failure=type(failure).__name__)
        await pause(stop, WATCH_SECONDS)


async def _purge[S: Settings](parts: Parts[S], stop: asyncio.Event) -> None:
    """Now and then forgets answers to requests that nobody will repeat any more, and what was given
    up long ago.
    """
    while not stop.is_set():
        try:
            await forget_answers(parts, stop)
            await forget_discarded(parts.pool, stop)
        except WORLD_FAILURES as failure:
            log.warning("answers not forgotten", failure=type(failure).__name__)
        await pause(stop, PURGE_SECONDS)


async def forget_answers[S: Settings](parts: Parts[S], stop: asyncio.Event) -> None:
    """All that were kept for long enough, batch by batch: as fast as they are made at least."""
    now = await parts.instant()
    while not stop.is_set() and await purge_replies(parts.pool, now) == PURGE_MAX:
        pass


async def forget_discarded(pool: asyncpg.Pool, stop: asyncio.Event) -> None:
    """The same of events that reactions have left out."""
    while not stop.is_set() and await purge_discarded(pool) == DISCARDED_PURGE_MAX:
        pass
