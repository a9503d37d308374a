"""What the tests of this service's edges share: the service in one process, and a worker by hand.

parts    what its processes have in hand: a pool and the log of a database of its own, a clock that
         is moved by hand
api      its application
caller   a client for it, by role and account; whatever it is answered must be documented
work     has the worker do what there is to do, until nothing is left
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from local_stack import blocking, issuer
from local_stack.databases import Database, create_database, drop_database
from local_stack.servers import Servers
from pydantic import SecretStr
from review_service.app import SERVICE, workload
from review_service.settings import ReviewSettings
from shared_runtime.database import open_pool
from shared_runtime.log import PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.projections import live_subscription
from shared_runtime.service import Parts, api_app
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import ManualClock
from shared_runtime.timers import fire_due

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    made = create_database(servers.postgres_url, f"template_{uuid4().hex[:12]}")
    blocking.run(migrate(SERVICE.package, made.owner_url, SERVICE.projections))
    yield made.name
    if servers.own_postgres is None:  # ours is thrown away whole
        drop_database(servers.postgres_url, made.name)


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


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
def parts(
    pool: asyncpg.Pool, database: Database, clock: ManualClock, keys: Path
) -> Parts[ReviewSettings]:
    settings = ReviewSettings(
        env="local",
        database_url=SecretStr(database.app_url),
        kafka="none",
        jwks_url=f"file://{issuer.jwks_file(keys)}",
        issuer=issuer.ISSUER,
    )
    log = PostgresLog(pool, source="/review-service", now=clock)
    return Parts(settings=settings, pool=pool, log=log, now=clock)


@pytest.fixture
def api(parts: Parts[ReviewSettings]) -> FastAPI:
    return api_app(SERVICE, parts)


def documented(api: FastAPI) -> Callable[[httpx.Response], Awaitable[None]]:
    """A check that an answer is one that the OpenAPI document tells of, by status and rule."""
    paths: dict[str, Any] = api.openapi()["paths"]
    patterns = {path: re.compile(re.sub(r"{\w+}", "[^/]+", path)) for path in paths}

    async def check(answered: httpx.Response) -> None:
        path, method = answered.request.url.path, answered.request.method.lower()
        templates = [t for t, pattern in patterns.items() if pattern.fullmatch(path)]
        told = next((paths[t][method] for t in templates if method in paths[t]), None)
        if told is None or not path.startswith("/v1"):
            return
        known = told["responses"].get(str(answered.status_code))
        assert known is not None, f"{method} {path}: {answered.status_code} is not documented"
        if answered.is_error:
            rule = (await answered.aread(), answered.json()["type"].rpartition("/")[2])[1]
            examples = known["content"]["application/problem+json"]["examples"]
            assert rule in examples, f"{method} {path}: {rule} is not documented"
            assert rule != "internal-error"

    return check


@pytest.fixture
async def caller(api: FastAPI, keys: Path) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`caller("SELLER", "S1")`: more roles may follow; `seller_id` is a member's account."""
    async with AsyncExitStack() as opened:
        clients: list[httpx.AsyncClient] = []

        def client(
            role: str, sub: str, *others: str, seller_id: str | None = None
        ) -> httpx.AsyncClient:
            token = issuer.mint(keys, sub=sub, roles=[role, *others], seller_id=seller_id)
            clients.append(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(api),
                    base_url="http://review",
                    headers={"Authorization": f"Bearer {token}"},
                    event_hooks={"response": [documented(api)]},
                )
            )
            opened.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield client


@pytest.fixture
async def work(parts: Parts[ReviewSettings]) -> Callable[[], Awaitable[None]]:
    """The own-log subscriptions, projections and timers of the worker, turn by turn."""
    load = workload(parts)
    subscriptions = [
        *load.on_own_log,
        *[await live_subscription(parts.pool, projection) for projection in load.own_projections],
    ]
    runners = [
        Runner(
            subscription=subscription,
            source=OwnLog(parts.pool, subscription.topics, pause=0),
            pool=parts.pool,
            now=parts.now,
        )
        for subscription in subscriptions
    ]
    for runner in runners:
        await runner.start()

    async def until_idle() -> None:
        assert load.fire
        while True:
            done = [await runner.turn() for runner in runners]
            fired = await fire_due(parts.pool, parts.log, load.fire, parts.now)
            if not any((*done, fired)):
                break

    return until_idle
