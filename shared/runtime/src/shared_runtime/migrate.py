"""Migration files in, a database at head out: under a lock, as a command.

Alembic runs them with the owner's rights. Imported by the command alone: Alembic and SQLAlchemy
take as long to import as all the rest of a service.
"""

from collections.abc import Iterable
from functools import partial
from importlib.resources import files
from typing import Any

import asyncpg
from alembic import command, op
from alembic.config import Config
from shared_events.partition import PARTITIONS
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from shared_runtime.projections import Projection, create_projections

MIGRATION_LOCK = 0x61667465  # any number, the same for all who migrate


async def migrate(package: str, owner_url: str, projections: Iterable[Projection] = ()) -> None:
    """Brings a service's database to head and makes the tables of new projections."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await _upgrade(package, owner_url)
        await create_projections(owner, projections)
    finally:
        await owner.close()


async def _upgrade(package: str, owner_url: str) -> None:
    # The address is asyncpg's to read: SQLAlchemy does not know its `sslmode` and its like.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(asyncpg.connect, owner_url)
    )
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    async with engine.begin() as connection:
        config.attributes["connection"] = connection.sync_connection
        await connection.run_sync(lambda _: command.upgrade(config, "head"))
        # With it, not after it: whoever waits for the migration (check_migrated) may look at once.
        await connection.execute(text("GRANT SELECT ON alembic_version TO aftersales_app"))
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
