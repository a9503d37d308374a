"""What the tests of a service's edges share: the service in one process, and a worker by hand.

A plugin of pytest. A service's tests say which service: `service`, a fixture of the session.

template    the name of a database that is at head, with the cursors of all that follows its log
parts       what its processes have in hand: a pool and the log of a database of its own, a clock
            that is moved by hand, the keys of people in memory (`key_store`)
api         its application
caller      a client for it, by role and account; whatever it is answered must be documented
caller_ahead  the same, of a process whose clock is a day ahead of its database's
others      a log that stands for those of all other services; a service that follows them has the
            fixture `followed` return its pool
work        has the worker do what there is to do, until nothing is left
rebuilt     whether every projection that is built again equals the live one
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from jsonschema_rs import Validator, validator_for
from pydantic import SecretStr
from shared_events.partition import PARTITIONS
from shared_events.registry import TOPIC_OF
from shared_runtime.clock import system_clock
from shared_runtime.database import open_pool
from shared_runtime.delivery import Subscription
from shared_runtime.log import PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.projections import live_subscription, rebuild
from shared_runtime.service import Parts, Service, api_app, openapi_document
from shared_runtime.skew import SKEW_MAX
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner, read_cursors
from shared_runtime.tail import Tail
from shared_runtime.testing import InMemoryKeyStore, ManualClock
from shared_runtime.timers import fire_due

from local_stack import blocking, issuer
from local_stack.databases import Administrator, Database
from local_stack.servers import Servers

JSON = "application/json"
TOLD_HEADERS = ("ETag", "Consistency-Token", "Idempotent-Replayed", "Retry-After")
ADD_HEADS = """
    INSERT INTO es.head (topic, partition)
    SELECT topic, partition
    FROM unnest($1::text[]) AS topic, generate_series(0, $2 - 1) AS partition
"""
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

type AnyService = Service[Any]


class Templates:
    """Databases to copy, each made when it is first wanted: at head, for the services' own logs and
    for those of others. Fixtures of a session would be those of the first service that asked.
    """

    def __init__(self, administrator: Administrator) -> None:
        self._administrator = administrator
        self._made: dict[tuple[str, str], Database] = {}

    def at_head(self, service: AnyService) -> str:
        def begin(made: Database) -> None:
            blocking.run(migrate(service.package, made.owner_url, service.projections))
            blocking.run(_with_cursors(made, service))

        return self._once(("template", service.name), begin)

    def of_others(self, service: AnyService) -> str:
        """With the logs of all services in it."""
        return self._once(
            ("others", service.name),
            lambda made: blocking.run(_with_all_topics(made)),
            self.at_head(service),
        )

    def _once(
        self, name: tuple[str, str], begin: Callable[[Database], None], copied: str | None = None
    ) -> str:
        if name not in self._made:
            unlike = f"{name[0]}_{uuid4().hex[:12]}"
            made = self._administrator.create(unlike, copied)
            begin(made)
            self._made[name] = made
        return self._made[name].name

    def drop(self) -> None:
        for made in self._made.values():
            self._administrator.drop(made.name)


@pytest.fixture(scope="session")
def templates(servers: Servers, administrator: Administrator) -> Iterator[Templates]:
    made = Templates(administrator)
    yield made
    if servers.own_postgres is None:  # ours is thrown away whole
        made.drop()


@pytest.fixture
def template(templates: Templates, service: AnyService) -> str:
    return templates.at_head(service)


async def _with_cursors(made: Database, service: AnyService) -> None:
    """Thousands of rows that every test would make anew."""
    async with await open_pool(made.app_url) as pool:
        clock = ManualClock(NOW)
        parts = Parts(
            settings=service.settings.model_construct(),
            pool=pool,
            log=PostgresLog(pool, source=f"/{service.name}", now=clock),
            now=clock,
            key_store=InMemoryKeyStore(),
        )
        own, elsewhere = await subscriptions_of(service, parts)
        for subscription in (*own, *elsewhere):
            await read_cursors(pool, subscription)


async def subscriptions_of(
    service: AnyService, parts: Parts[Any]
) -> tuple[list[Subscription], list[Subscription]]:
    """What follows the own log, and what follows others."""
    load = service.workload(parts)
    live = [await live_subscription(parts.pool, each) for each in load.own_projections]
    of_others = [await live_subscription(parts.pool, each) for each in load.kafka_projections]
    return [*load.on_own_log, *live], [*load.on_kafka, *of_others]


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database.app_url) as pool:
        yield pool


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer")
    issuer.ensure_key(folder)
    return folder


@pytest.fixture
def key_store() -> InMemoryKeyStore:
    return InMemoryKeyStore()


@pytest.fixture
def parts(  # noqa: PLR0917 - what pytest gives
    pool: asyncpg.Pool,
    database: Database,
    clock: ManualClock,
    keys: Path,
    key_store: InMemoryKeyStore,
    service: AnyService,
) -> Parts[Any]:
    settings = service.settings(
        env="local",
        database_url=SecretStr(database.app_url),
        kafka="none",
        jwks_url=f"file://{issuer.jwks_file(keys)}",
        issuer=issuer.ISSUER,
    )
    log = PostgresLog(pool, source=f"/{service.name}", now=clock)
    return Parts(settings=settings, pool=pool, log=log, now=clock, key_store=key_store)


@pytest.fixture
def api(parts: Parts[Any], service: AnyService) -> FastAPI:
    return api_app(service, parts)


type Check = Callable[[httpx.Response], Awaitable[None]]


@pytest.fixture(scope="session")
def checks() -> dict[str, Check]:
    """By the names of services: to read a document takes longer than most tests."""
    return {}


@pytest.fixture
def documented(service: AnyService, checks: dict[str, Check]) -> Check:
    """A check that an answer is one that the OpenAPI document tells of: by its status and rule,
    its headers, and its shape.
    """
    if service.name not in checks:
        checks[service.name] = _check_of(service)
    return checks[service.name]


def _check_of(service: AnyService) -> Check:
    document: dict[str, Any] = json.loads(openapi_document(service))
    paths = document["paths"]
    patterns = {path: re.compile(re.sub(r"{\w+}", "[^/]+", path)) for path in paths}

    @cache
    def shape(path: str, method: str, status: str) -> Validator:
        content = paths[path][method]["responses"][status]["content"]
        return validator_for(content[JSON]["schema"] | {"components": document["components"]})

    async def check(answered: httpx.Response) -> None:
        path, method = answered.request.url.path, answered.request.method.lower()
        templates = [t for t, pattern in patterns.items() if pattern.fullmatch(path)]
        template = next((t for t in templates if method in paths[t]), None)
        if template is None or not path.startswith("/v1"):
            return
        known = paths[template][method]["responses"].get(str(answered.status_code))
        assert known is not None, f"{method} {path}: {answered.status_code} is not documented"
        untold = {name.lower() for name in TOLD_HEADERS} - {
            name.lower() for name in known.get("headers", {})
        }
        assert not untold & answered.headers.keys(), f"{method} {path}: headers not documented"
        if answered.is_error:
            rule = (await answered.aread(), answered.json()["type"].rpartition("/")[2])[1]
            examples = known["content"]["application/problem+json"]["examples"]
            assert rule in examples, f"{method} {path}: {rule} is not documented"
            assert rule != "internal-error"
        elif answered.headers.get("Content-Type") == JSON:
            await answered.aread()
            shape(template, method, str(answered.status_code)).validate(answered.json())

    return check


@pytest.fixture
async def caller(
    api: FastAPI, keys: Path, documented: Check
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`caller("SELLER", "S1")`: more roles may follow; `seller_id` is a member's account;
    `withdrawal_of`: by a link, of this order.
    """
    async with _callers(api, keys, documented) as client:
        yield client


@pytest.fixture
async def caller_ahead(
    parts: Parts[Any], service: AnyService, keys: Path, documented: Check
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """The same, of a process whose clock is a day ahead of its database's, which it does not take
    for right.
    """

    def ahead() -> datetime:
        return system_clock() + timedelta(days=1)

    log = PostgresLog(parts.pool, source=f"/{service.name}", now=ahead, skew_max=SKEW_MAX)
    api = api_app(service, replace(parts, log=log, now=ahead))
    async with _callers(api, keys, documented) as client:
        yield client


@asynccontextmanager
async def _callers(
    api: FastAPI, keys: Path, documented: Check
) -> AsyncGenerator[Callable[..., httpx.AsyncClient]]:
    async with AsyncExitStack() as opened:
        clients: list[httpx.AsyncClient] = []

        def client(
            role: str,
            sub: str,
            *others: str,
            seller_id: str | None = None,
            org_id: str | None = None,
            withdrawal_of: str | None = None,
        ) -> httpx.AsyncClient:
            token = issuer.mint(
                keys,
                sub=sub,
                roles=[role, *others],
                seller_id=seller_id,
                org_id=org_id,
                withdrawal_of=withdrawal_of,
            )
            clients.append(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(api),
                    base_url="http://service",
                    headers={"Authorization": f"Bearer {token}"},
                    event_hooks={"response": [documented]},
                )
            )
            opened.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield client


async def _with_all_topics(made: Database) -> None:
    owner = await asyncpg.connect(made.owner_url)
    known = {topic for (topic,) in await owner.fetch("SELECT DISTINCT topic FROM es.head")}
    await owner.execute(ADD_HEADS, sorted({*TOPIC_OF.values()} - known), PARTITIONS)
    await owner.close()


@pytest.fixture
async def others(
    make_database: Callable[..., Database],
    templates: Templates,
    service: AnyService,
    clock: ManualClock,
) -> AsyncIterator[PostgresLog]:
    made = make_database(templates.of_others(service))
    async with await open_pool(made.app_url) as pool:
        yield PostgresLog(pool, source="/others", now=clock)


@pytest.fixture
def followed() -> asyncpg.Pool | None:
    """Where the logs of the other services are; None: they are not followed by hand."""
    return None


@pytest.fixture
async def work(
    parts: Parts[Any], service: AnyService, followed: asyncpg.Pool | None
) -> Callable[[], Awaitable[None]]:
    """Subscriptions, projections and timers of the worker, turn by turn."""
    fire = service.workload(parts).fire
    own, elsewhere = await subscriptions_of(service, parts)
    following = [(each, parts.pool) for each in own]
    if followed is not None:
        following += [(each, followed) for each in elsewhere]
    runners = [
        Runner(
            subscription=subscription,
            source=OwnLog(log, subscription.topics, tail=Tail(idle_seconds=0)),
            pool=parts.pool,
        )
        for subscription, log in following
    ]
    for runner in runners:
        await runner.start()

    async def until_idle() -> None:
        while True:
            done = [await runner.turn() for runner in runners]
            fired = await fire_due(parts.pool, parts.log, fire, parts.now) if fire else 0
            if not any((*done, fired)):
                break

    return until_idle


@pytest.fixture
def rebuilt(
    parts: Parts[Any], database: Database, service: AnyService, followed: asyncpg.Pool | None
) -> Callable[[], Awaitable[bool]]:
    async def all_equal() -> bool:
        own = {each.name: each for each in service.workload(parts).own_projections}
        async with asyncpg.create_pool(database.owner_url, min_size=0) as owner:
            logs = {
                each.name: owner if each.name in own or followed is None else followed
                for each in service.projections
            }
            return all(
                [
                    await rebuild(
                        own.get(each.name, each),
                        OwnLog(logs[each.name], each.topics),
                        owner=owner,
                    )
                    for each in service.projections
                ]
            )

    return all_equal
