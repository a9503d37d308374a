"""A later release migrates the database under a running one: that goes on, forwards and back."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from local_stack.databases import Database
from pydantic import SecretStr
from shared_runtime.migrated import DatabaseAhead, DatabaseBehind, check_migrated, newest_migration
from shared_runtime.projections import Projection
from shared_runtime.service import DatabaseAway, Service, run_migrate, run_migrated, run_tidy
from shared_runtime.settings import Settings
from shared_runtime.worker import Workload

PACKAGE = "review_service"
BEFORE = "0009_webhooks"
LATER = "9999_of_a_later_release"
TO_IT = "UPDATE alembic_version SET version_num = $1"


async def test_beside_a_later_migration_a_release_works(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    await check_migrated(pool, PACKAGE)
    await owner.execute(TO_IT, LATER)
    await check_migrated(pool, PACKAGE)


async def test_a_migration_that_takes_away_what_a_release_needs_says_so(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    await owner.execute(TO_IT, LATER)
    need = "INSERT INTO es.oldest_release (migration) VALUES ($1)"
    await owner.execute(need, newest_migration(PACKAGE))
    await check_migrated(pool, PACKAGE)
    await owner.execute(need, "9998_takes_away")
    with pytest.raises(DatabaseAhead, match="9998_takes_away"):
        await check_migrated(pool, PACKAGE)


async def test_on_an_earlier_migration_a_release_does_not_work(
    owner: asyncpg.Pool, pool: asyncpg.Pool
) -> None:
    await owner.execute(TO_IT, "0001_log")
    with pytest.raises(DatabaseBehind, match="0001_log"):
        await check_migrated(pool, PACKAGE)


@pytest.fixture
def settings(database: Database) -> Settings:
    return Settings(
        database_url=SecretStr(database.app_url),
        migration_url=SecretStr(database.owner_url),
        kafka="broker:9092",
        jwks_url="https://issuer.example/jwks",
        issuer="https://issuer.example",
        cursor_key=SecretStr("k" * 32),
        token_key=SecretStr("t" * 32),
    )


def service(*projections: Projection) -> Service[Settings]:
    return Service(
        name="shared-runtime",
        package=PACKAGE,
        description="",
        settings=Settings,
        projections=projections,
        routers=lambda _: [],
        workload=lambda _: Workload(own_topics=()),
    )


async def nothing(*_: object) -> None: ...


def projection(version: int = 1) -> Projection:
    return Projection(
        name="of_one_release",
        version=version,
        topics=("orders.events",),
        handles=(),
        tables=("one",),
        ddl="CREATE TABLE one (n int)",
        apply=nothing,
    )


async def test_migrate_of_the_release_before_leaves_a_later_ones_database_alone(
    owner: asyncpg.Pool, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await run_migrate(service(projection(2)), settings)
    await owner.execute(TO_IT, LATER)
    await run_migrate(service(projection(1)), settings)
    assert "nothing was changed" in capsys.readouterr().out
    assert await owner.fetchval("SELECT version_num FROM alembic_version") == LATER
    assert await owner.fetchval("SELECT version FROM es.projection") == 2


async def test_a_migration_that_has_to_wait_for_a_table_lets_others_work_on_it(
    owner: asyncpg.Pool, pool: asyncpg.Pool, settings: Settings
) -> None:
    """A dump that reads it for hours would have all commands stand still behind the migration."""
    await owner.execute("ALTER TABLE es.parked_event DROP COLUMN set_aside_at")
    await owner.execute(TO_IT, BEFORE)
    clock = asyncio.get_running_loop().time
    async with owner.acquire() as dump, dump.transaction():
        await dump.fetch("SELECT FROM es.parked_event")
        migrating = asyncio.create_task(run_migrate(service(), settings))
        slowest, until = 0.0, clock() + 3
        while clock() < until:
            began_at = clock()
            await pool.fetch("SELECT FROM es.parked_event")
            slowest = max(slowest, clock() - began_at)
        assert not migrating.done()
    async with asyncio.timeout(20):
        await migrating
    assert slowest < 2
    await check_migrated(pool, PACKAGE)
    await pool.fetch("SELECT set_aside_at FROM es.parked_event")


async def test_whoever_starts_a_release_waits_until_its_database_is_migrated(
    make_database: Callable[..., Database], settings: Settings
) -> None:
    empty = make_database()
    told = settings.model_copy(
        update={
            "database_url": SecretStr(empty.app_url),
            # As an operator of databases says it: none of it is SQLAlchemy's.
            "migration_url": SecretStr(
                f"{empty.owner_url}?sslmode=prefer&target_session_attrs=any"
            ),
        }
    )
    with pytest.raises(DatabaseBehind, match="at None"):
        await run_migrated(service(projection()), told)
    waiting = asyncio.create_task(run_migrated(service(projection()), told, wait=60))
    await run_migrate(service(projection()), told)
    async with asyncio.timeout(20):
        await waiting


async def test_a_database_is_migrated_when_its_projections_are_made(settings: Settings) -> None:
    await run_migrated(service(), settings)
    with pytest.raises(DatabaseBehind, match="of_one_release"):
        await run_migrated(service(projection()), settings)


async def test_a_release_waits_until_its_version_of_a_projection_is_built(
    owner: asyncpg.Pool, settings: Settings
) -> None:
    """Until then the release before writes the tables, and its processes are not replaced."""
    await run_migrate(service(projection(1)), settings)
    with pytest.raises(DatabaseBehind, match="of_one_release"):
        await run_migrated(service(projection(2)), settings)
    await owner.execute("UPDATE es.projection SET version = 2")  # as a rebuild does, with Kafka
    await run_migrated(service(projection(2)), settings)
    await run_migrated(service(projection(1)), settings)  # rolled back, it works on without it


async def test_for_a_database_that_is_ahead_or_away_nobody_waits_for_ever(
    owner: asyncpg.Pool, settings: Settings
) -> None:
    away = settings.model_copy(
        update={"database_url": SecretStr("postgresql://app@127.0.0.1:9/none")}
    )
    with pytest.raises(DatabaseAway):
        await run_migrated(service(), away)
    await owner.execute(TO_IT, LATER)
    await owner.execute("INSERT INTO es.oldest_release (migration) VALUES ('9998_takes_away')")
    with pytest.raises(DatabaseAhead):
        await run_migrated(service(), settings, wait=600)


async def test_what_only_the_release_before_has_goes_when_that_one_has_gone(
    owner: asyncpg.Pool, settings: Settings
) -> None:
    names = "SELECT array_agg(name) FROM es.projection"
    await run_migrate(service(projection()), settings)
    await run_migrate(service(), settings)
    assert await owner.fetchval(names) == ["of_one_release"]
    await run_tidy(service(), settings)
    assert await owner.fetchval(names) is None
