"""Migration files in, a database at head out: under a lock, as a command.

Alembic runs them with the owner's rights. Imported by the command alone: Alembic and SQLAlchemy
take as long to import as all the rest of a service.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from importlib.resources import files
from typing import Any

import asyncpg
import structlog
from alembic import command, op
from alembic.config import Config
from shared_events.partition import PARTITIONS
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from shared_runtime.projections import Projection, create_projections

MIGRATION_LOCK = 0x61667465  # any number, the same for all who migrate
# Whoever waits to change a table has all others who want it wait behind him: a dump that reads it
# would have the running release stand still. So a migration gives up soon, and comes again.
BRIEFLY = text("SET LOCAL lock_timeout = '500ms'")
PAUSE_SECONDS = 1.0
WAIT_SECONDS_MAX = 600.0
GIVES_WAY = ("55P03", "40P01")
"""SQLSTATEs: a lock was not to be had in time, or two waited for each other."""

log = structlog.get_logger()


async def migrate(package: str, owner_url: str, projections: Iterable[Projection] = ()) -> None:
    """Brings a service's database to head and makes the tables of new projections. Raises what
    PostgreSQL says of a table that is in use for `WAIT_SECONDS_MAX`: nothing has changed.
    """
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await _upgrade_in_time(package, owner_url)
        await create_projections(owner, projections)
    finally:
        await owner.close()


async def _upgrade_in_time(package: str, owner_url: str) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + WAIT_SECONDS_MAX
    while True:
        try:
            await _upgrade(package, owner_url)
        except (asyncpg.PostgresError, DBAPIError) as failure:
            if _state_of(failure) not in GIVES_WAY or clock() >= until:
                raise
            log.info("a table is in use: migrating again", package=package)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


def _state_of(failure: asyncpg.PostgresError | DBAPIError) -> str | None:
    told = failure.orig if isinstance(failure, DBAPIError) else failure
    return getattr(told, "sqlstate", None)


async def _upgrade(package: str, owner_url: str) -> None:
    # The address is asyncpg's to read: SQLAlchemy does not know its `sslmode` and its like.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(asyncpg.connect, owner_url)
    )
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    try:
        async with engine.begin() as connection:
            await connection.execute(BRIEFLY)
            config.attributes["connection"] = connection.sync_connection
            await connection.run_sync(lambda _: command.upgrade(config, "head"))
            # With it, not after it: whoever waits for the migration (check_migrated) may look at
            # once.
            await connection.execute(text("GRANT SELECT ON alembic_version TO aftersales_app"))
    finally:
        await engine.dispose()


def run_sql(sql: str) -> None:
    """Runs a script of several statements in a migration."""
    driver: Any = op.get_bind().connection.driver_connection
    await_only(driver.execute(sql))


def create_log(topics: Iterable[str]) -> None:
    """The first migration of every service: the log, with the heads of its own topics."""
    run_sql((files("shared_runtime") / "sql" / "0001_log.sql").read_text())
    for topic in topics:
        op.execute(
            f"INSERT INTO es.head (topic, partition) "  # noqa: S608 - a constant of the code
            f"SELECT '{topic}', partition FROM generate_series(0, {PARTITIONS - 1}) AS partition"
        )


def require_release(migration: str) -> None:
    """In a migration that takes away what releases without that one need: they end. None of them
    may run any more when it does.
    """
    op.execute(f"INSERT INTO es.oldest_release (migration) VALUES ('{migration}')")  # noqa: S608 - a constant of the code


def append_together() -> None:
    """In a migration of every service: the log takes the answers of several requests at once."""
    run_sql((files("shared_runtime") / "sql" / "together.sql").read_text())


def create_media() -> None:
    """In a migration of a service that takes files: their table."""
    run_sql((files("shared_runtime") / "sql" / "media.sql").read_text())


def create_leases() -> None:
    """In a migration of a service that has work lists: who works on what."""
    run_sql((files("shared_runtime") / "sql" / "work.sql").read_text())


def create_errands() -> None:
    """In a migration of a service that asks companies outside: what it is to ask them."""
    run_sql((files("shared_runtime") / "sql" / "errands.sql").read_text())


def create_webhooks() -> None:
    """In a migration of every service: who is told by webhook of what has happened."""
    run_sql((files("shared_runtime") / "sql" / "webhooks.sql").read_text())


def date_discarded() -> None:
    """In a migration of every service: since when events are set aside."""
    run_sql((files("shared_runtime") / "sql" / "discarded.sql").read_text())
