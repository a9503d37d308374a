"""What the tests of this service's edges share: the service in one process, and a worker by hand.

parts    what its processes have in hand: a pool and the log of a database of its own, a clock that
         is moved by hand, the keys of people in memory (`key_store`)
api      its application
caller   a client for it, by role and account; whatever it is answered must be documented
buyer    the client of the buyer of the order of the examples
seller   that of a member of its seller
work     has the worker do what there is to do, until nothing is left
tell     appends facts of an order or its evaluation as they are, without deciding anything
rebuilt  whether every projection that is built again equals the live one
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4, uuid5

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from jsonschema_rs import Validator, validator_for
from local_stack import blocking, issuer
from local_stack.databases import Database, create_database, drop_database
from local_stack.servers import Servers
from pydantic import SecretStr
from review_service.app import SERVICE, workload
from review_service.settings import ReviewSettings
from shared_events.orders import OrderFact
from shared_events.review import ReviewFact
from shared_runtime.database import open_pool
from shared_runtime.delivery import Subscription
from shared_runtime.log import Planned, PostgresLog, read_stream
from shared_runtime.migrate import migrate
from shared_runtime.projections import live_subscription, rebuild
from shared_runtime.sealing import seal_event
from shared_runtime.service import Parts, api_app, openapi_document
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner, read_cursors
from shared_runtime.tail import Tail
from shared_runtime.testing import TESTS, InMemoryKeyStore, ManualClock
from shared_runtime.timers import fire_due

JSON = "application/json"
TOLD_HEADERS = ("ETag", "Consistency-Token", "Idempotent-Replayed", "Retry-After")
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    made = create_database(servers.postgres_url, f"template_{uuid4().hex[:12]}")
    blocking.run(migrate(SERVICE.package, made.owner_url, SERVICE.projections))
    blocking.run(_with_cursors(made))
    yield made.name
    if servers.own_postgres is None:  # ours is thrown away whole
        drop_database(servers.postgres_url, made.name)


async def _with_cursors(made: Database) -> None:
    """Thousands of rows that every test would make anew."""
    async with await open_pool(made.app_url) as pool:
        clock = ManualClock(NOW)
        parts = Parts(
            settings=ReviewSettings.model_construct(),
            pool=pool,
            log=PostgresLog(pool, source="/review-service", now=clock),
            now=clock,
            key_store=InMemoryKeyStore(),
        )
        for subscription in await subscriptions_of(parts):
            await read_cursors(pool, subscription)


async def subscriptions_of(parts: Parts[ReviewSettings]) -> list[Subscription]:
    """What follows the own log."""
    load = workload(parts)
    live = [await live_subscription(parts.pool, each) for each in load.own_projections]
    return [*load.on_own_log, *live]


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
def key_store() -> InMemoryKeyStore:
    return InMemoryKeyStore()


@pytest.fixture
def parts(
    pool: asyncpg.Pool,
    database: Database,
    clock: ManualClock,
    keys: Path,
    key_store: InMemoryKeyStore,
) -> Parts[ReviewSettings]:
    settings = ReviewSettings(
        env="local",
        database_url=SecretStr(database.app_url),
        kafka="none",
        jwks_url=f"file://{issuer.jwks_file(keys)}",
        issuer=issuer.ISSUER,
    )
    log = PostgresLog(pool, source="/review-service", now=clock)
    return Parts(settings=settings, pool=pool, log=log, now=clock, key_store=key_store)


@pytest.fixture
def api(parts: Parts[ReviewSettings]) -> FastAPI:
    return api_app(SERVICE, parts)


@pytest.fixture(scope="session")
def documented() -> Callable[[httpx.Response], Awaitable[None]]:
    """A check that an answer is one that the OpenAPI document tells of: by its status and rule,
    its headers, and its shape.
    """
    document: dict[str, Any] = json.loads(openapi_document(SERVICE))
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
    api: FastAPI, keys: Path, documented: Callable[[httpx.Response], Awaitable[None]]
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`caller("SELLER", "S1")`: more roles may follow; `seller_id` is a member's account."""
    async with AsyncExitStack() as opened:
        clients: list[httpx.AsyncClient] = []

        def client(
            role: str,
            sub: str,
            *others: str,
            seller_id: str | None = None,
            org_id: str | None = None,
        ) -> httpx.AsyncClient:
            token = issuer.mint(
                keys, sub=sub, roles=[role, *others], seller_id=seller_id, org_id=org_id
            )
            clients.append(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(api),
                    base_url="http://review",
                    headers={"Authorization": f"Bearer {token}"},
                    event_hooks={"response": [documented]},
                )
            )
            opened.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield client


@pytest.fixture
def buyer(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("BUYER", "B-5")


@pytest.fixture
def seller(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("SELLER", "employee", seller_id="S-77")


@pytest.fixture
async def work(parts: Parts[ReviewSettings]) -> Callable[[], Awaitable[None]]:
    """The own-log subscriptions, projections and timers of the worker, turn by turn."""
    fire = workload(parts).fire
    runners = [
        Runner(
            subscription=subscription,
            source=OwnLog(parts.pool, subscription.topics, tail=Tail(idle_seconds=0)),
            pool=parts.pool,
            now=parts.now,
        )
        for subscription in await subscriptions_of(parts)
    ]
    for runner in runners:
        await runner.start()

    async def until_idle() -> None:
        assert fire
        while True:
            done = [await runner.turn() for runner in runners]
            fired = await fire_due(parts.pool, parts.log, fire, parts.now)
            if not any((*done, fired)):
                break

    return until_idle


type PartialEvent = partial[Any]
"""An event without what every event about an order says."""


@pytest.fixture
def tell(parts: Parts[ReviewSettings]) -> Callable[..., Awaitable[None]]:
    """`tell("O1", partial(ReviewHeld, ground="FAKE", hold_until=…))`: of the buyer's review of
    S-77, unless something else is said.
    """

    async def of_order(
        order_id: str,
        *events: PartialEvent,
        at: datetime | None = None,
        by: str = "system:test",
        seller_id: str = "S-77",
        buyer_id: str = "B-5",
    ) -> None:
        planned: list[Planned] = []
        for event in events:
            kind: Any = event.func
            bases = kind.__mro__
            of = "order" if OrderFact in bases else "evaluation"
            stream = f"{of}-{order_id}"
            before = len(await read_stream(parts.log, stream))
            version = before + 1 + sum(each.stream == stream for each in planned)
            event_id = str(uuid5(TESTS, f"{stream}/{version}"))
            known: dict[str, Any] = {
                "order_id": order_id,
                "seller_id": seller_id,
                "buyer_id": buyer_id,
                "policy_version": "ae-2025-1",
            }
            if ReviewFact in bases:
                side = event.keywords.get("side", "BUYER")
                known |= {"side": side, "review_id": f"R-{order_id}-{side[0]}"}
            planned.append(
                Planned(
                    event=seal_event(kind(**(known | event.keywords)), event_id),
                    event_id=event_id,
                    stream=stream,
                    version=version,
                    time=at or parts.now(),
                    actor=by,
                    correlation=order_id,
                    cause=event_id,
                )
            )
        await parts.log.append(planned)

    return of_order


@pytest.fixture
def rebuilt(parts: Parts[ReviewSettings], database: Database) -> Callable[[], Awaitable[bool]]:
    async def all_equal() -> bool:
        async with asyncpg.create_pool(database.owner_url, min_size=0) as owner:
            return all(
                [
                    await rebuild(each, OwnLog(owner, each.topics), owner=owner, now=parts.now)
                    for each in SERVICE.projections
                ]
            )

    return all_equal
