"""This release beside the one after it, on one database. (Under load: `make drills`.)"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack import blocking, issuer, kek
from local_stack.databases import Database
from local_stack.people import until
from local_stack.processes import free_port
from local_stack.services import Service as Process
from local_stack.starting import inherited
from pydantic import SecretStr
from review_service.api.examples import ORDER
from review_service.app import workload
from review_service.projections import OWN_ORDERS
from review_service.reactions.orders import OPENING
from review_service.settings import ReviewSettings
from shared_runtime.parking import RETRY_AFTER, list_parked
from shared_runtime.projections import OtherVersion, live_subscription
from shared_runtime.service import Parts, Service, run_migrate
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner

from tests.drills.later_release import WRAPPED, LaterRelease, make_later_release
from tests.drills.running import start

type Caller = Callable[..., httpx.AsyncClient]

ORDERS = "/v1/orders"
PAID = {"payment_ref": "P-1"}
AGO = "UPDATE es.parked_key SET tried_at = tried_at - $1::interval"
GIFTS = "SELECT order_id FROM read.own_orders WHERE wrapped_at IS NOT NULL"


@pytest.fixture
def later(tmp_path: Path) -> LaterRelease:
    folder = tmp_path / "later"
    folder.mkdir()
    return make_later_release(folder)


@pytest.fixture
def processes(
    later: LaterRelease,
    database: Database,
    make_database: Callable[..., Database],
    keys: Path,
    tmp_path: Path,
) -> Iterator[tuple[Process, Process]]:
    """The API and the worker of the later release, which are not started. They have no Kafka."""
    kek.ensure_kek(tmp_path)
    of_keys = make_database()
    told = {
        "AFTERSALES_ENV": "local",
        "AFTERSALES_DATABASE_URL": database.app_url,
        "AFTERSALES_MIGRATION_URL": database.owner_url,
        "AFTERSALES_KEYS_URL": of_keys.app_url,
        "AFTERSALES_KEYS_MIGRATION_URL": of_keys.owner_url,
        "AFTERSALES_KEK": kek.kek_file(tmp_path).read_text().strip(),
        "AFTERSALES_KAFKA": f"127.0.0.1:{free_port()}",
        "AFTERSALES_JWKS_URL": f"file://{issuer.jwks_file(keys)}",
        "AFTERSALES_ISSUER": issuer.ISSUER,
        "AFTERSALES_AUDIENCE": issuer.AUDIENCE,
        "AFTERSALES_HOST": "127.0.0.1",
        "AFTERSALES_MEDIA_URL": (tmp_path / "media").as_uri(),
    }
    api, worker = (
        later.process(
            f"review-{command}",
            "review_service",
            command,
            log=tmp_path / f"review-{command}.log",
            env={**inherited(), **told},
        )
        for command in ("api", "worker")
    )
    yield api, worker
    for process in (api, worker):
        process.stop()


async def test_this_release_and_the_one_after_it_work_on_one_database(  # noqa: PLR0917
    processes: tuple[Process, Process],
    parts: Parts[ReviewSettings],
    pool: asyncpg.Pool,
    database: Database,
    service: Service[ReviewSettings],
    caller: Caller,
    keys: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it records and this one does not know is set aside here, and applied there."""
    api, worker = processes
    feed, beside = caller("SYSTEM", "market"), issuer.mint(keys, sub="market", roles=["SYSTEM"])

    async def post(client: httpx.AsyncClient, path: str, body: object) -> int:
        key = {"Idempotency-Key": str(uuid4())}
        return (await client.post(f"{ORDERS}{path}", json=body, headers=key)).status_code

    for order_id in ("O1", "O2"):
        told = ORDER | {"order_id": order_id, "seller_id": f"S-{order_id}"}
        assert await post(feed, "", told) == 201

    assert await asyncio.to_thread(api.run, "migrate") == 0
    with pytest.raises(OtherVersion):
        await live_subscription(pool, OWN_ORDERS)
    assert await post(feed, "/O2/payment", PAID) == 201
    await asyncio.to_thread(start, api)
    async with httpx.AsyncClient(
        base_url=api.url, headers={"Authorization": f"Bearer {beside}"}
    ) as client:
        assert await post(client, "/O1/gift-wrapping", {}) == 201
    assert await post(feed, "/O1/payment", PAID) == 503
    assert [(await feed.get(f"{ORDERS}/{each}")).status_code for each in ("O1", "O2")] == [503, 200]

    (opening,) = [each for each in workload(parts).on_own_log if each.name == OPENING]
    runner = Runner(subscription=opening, source=OwnLog(pool, opening.topics), pool=pool)
    await runner.start()
    while await runner.turn():
        pass
    (parked,) = await list_parked(pool)
    assert (parked["key"], parked["reason"]) == ("S-O1", f"UnknownEventType: {WRAPPED}")

    as_owner = {
        "migration_url": SecretStr(database.owner_url),
        "keys_migration_url": SecretStr(api.env["AFTERSALES_KEYS_MIGRATION_URL"]),
    }
    await run_migrate(service, parts.settings.model_copy(update=as_owner))
    assert "nothing was changed" in capsys.readouterr().out

    await pool.execute(AGO, RETRY_AFTER)
    await asyncio.to_thread(start, worker)
    await asyncio.to_thread(
        until, lambda: state_of(database) == (0, ["O1"]), "the later one has applied it"
    )


def state_of(database: Database) -> tuple[int, list[str]]:
    """How many keys are set aside, and which orders are shown as gifts."""

    async def run() -> tuple[int, list[str]]:
        db = await asyncpg.connect(database.owner_url)
        try:
            gifts = [row["order_id"] for row in await db.fetch(GIFTS)]
            return await db.fetchval("SELECT count(*) FROM es.parked_key"), gifts
        finally:
            await db.close()

    return blocking.run(run())
