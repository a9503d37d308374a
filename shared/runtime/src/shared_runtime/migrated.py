"""A database in, whether this release can work on it out.

A release comes in three steps: its `migrate` adds what it needs, and the release before goes on
beside it; its processes take over, one by one; when none of the release before is left, a later
migration takes away what only that one needed, and says so (`require_release`).
"""

from importlib.resources import files

import asyncpg

AT = "SELECT version_num, (SELECT max(migration) FROM es.oldest_release) FROM alembic_version"


class DatabaseBehind(Exception):  # noqa: N818 - a state of the database
    """The database has not been migrated to this release."""


class DatabaseAhead(Exception):  # noqa: N818 - a state of the database
    """The database has been migrated to a release that this one cannot work beside."""


async def check_migrated(db: asyncpg.Pool | asyncpg.Connection, package: str) -> None:
    """Raises `DatabaseBehind` unless the database has the newest migration of the package, and
    `DatabaseAhead` if it has later ones that have taken away what this release needs.
    """
    current, oldest = await migrations_of(db)
    head = newest_migration(package)
    if current is None or current < head:
        raise DatabaseBehind(f"{package}: the database is at {current}, this release needs {head}")
    if oldest is not None and oldest > head:
        raise DatabaseAhead(f"{package}: the database needs {oldest}, this release knows {head}")


async def is_ahead(db: asyncpg.Pool | asyncpg.Connection, package: str) -> bool:
    """Whether a later release has migrated the database."""
    current, _ = await migrations_of(db)
    return current is not None and current > newest_migration(package)


async def migrations_of(
    db: asyncpg.Pool | asyncpg.Connection,
) -> tuple[str | None, str | None]:
    """The newest migration that a database has, and the oldest that a release must know to work on
    it, if that is said. They are named by their numbers, so they compare.
    """
    try:
        row = await db.fetchrow(AT)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        row = None
    return (None, None) if row is None else (row[0], row[1])


def newest_migration(package: str) -> str:
    """The revision of the newest migration file: files are named by their revision, in order."""
    versions = files(package) / "migrations" / "versions"
    return max(
        entry.name.removesuffix(".py") for entry in versions.iterdir() if entry.name[:1].isdigit()
    )
