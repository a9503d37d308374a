"""A database in, whether it is at this release out: a service does not start on one behind it."""

from importlib.resources import files

import asyncpg


class DatabaseBehind(Exception):  # noqa: N818 - a state of the database
    """The database has not been migrated to this release."""


async def check_migrated(db: asyncpg.Pool | asyncpg.Connection, package: str) -> None:
    """Raises `DatabaseBehind` unless the database is at the newest migration of the package."""
    try:
        current = await db.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        current = None
    if current != (head := newest_migration(package)):
        raise DatabaseBehind(f"{package}: the database is at {current}, this release needs {head}")


def newest_migration(package: str) -> str:
    """The revision of the newest migration file: files are named by their revision, in order."""
    versions = files(package) / "migrations" / "versions"
    return max(
        entry.name.removesuffix(".py") for entry in versions.iterdir() if entry.name[:1].isdigit()
    )
