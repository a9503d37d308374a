"""An administrator's address in, the services' databases and their two roles out."""

import hmac
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from local_stack import blocking

SERVICES = ("review", "dispute", "returns", "reputation")
SEALING = ("review", "dispute", "returns", "reputation")
"""Services that seal personal text: each has a second database, for the keys."""
OWNER = "aftersales_owner"
APP = "aftersales_app"
ROLES_LOCK = 0x726F6C65  # any number, the same for all who make the roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database: by its owner, who migrates it, and by the role that the services run as."""

    name: str
    owner_url: str
    app_url: str


def create_databases(admin_url: str, prefix: str = "") -> dict[str, Database]:
    """The databases of the four services, made where they are not there yet."""
    return blocking.run(_create(admin_url, {service: prefix + service for service in SERVICES}))


def create_key_databases(admin_url: str, prefix: str = "") -> dict[str, Database]:
    """The key databases of the services that seal, made where they are not there yet."""
    names = {service: f"{prefix}{service}_keys" for service in SEALING}
    return blocking.run(_create(admin_url, names))


def create_database(admin_url: str, name: str, template: str | None = None) -> Database:
    """One database of that name, with both roles; a copy of another that nobody is using."""
    return blocking.run(_create(admin_url, {name: name}, template))[name]


def drop_database(admin_url: str, name: str) -> None:
    """Drops a database, whoever is still connected to it."""
    blocking.run(_drop(admin_url, name))


def database(admin_url: str, name: str) -> Database:
    """The addresses of a database by its name."""
    return Database(
        name=name,
        owner_url=_url_for(admin_url, name, OWNER),
        app_url=_url_for(admin_url, name, APP),
    )


async def _create(
    admin_url: str, names: dict[str, str], template: str | None = None
) -> dict[str, Database]:
    admin = await asyncpg.connect(admin_url)
    try:
        await _make_roles(admin, admin_url)
        for name in names.values():
            if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
                await _make_database(admin, name, template)
    finally:
        await admin.close()
    return {key: database(admin_url, name) for key, name in names.items()}


async def _make_roles(admin: asyncpg.Connection, admin_url: str) -> None:
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock($1)", ROLES_LOCK)
        for role in (OWNER, APP):
            there = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
            verb = "ALTER" if there else "CREATE"
            # The password is hexadecimal: DDL takes no parameters.
            await admin.execute(f"{verb} ROLE {role} LOGIN PASSWORD '{_password(admin_url, role)}'")
        # For a metric: a transaction that somebody else leaves open slows all appends down.
        await admin.execute(f"GRANT pg_read_all_stats TO {APP}")


async def _make_database(admin: asyncpg.Connection, name: str, template: str | None) -> None:
    # File by file in a third of the time that the log of a copy by pages takes.
    copied = f'TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
    await admin.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} {copied}')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {APP}')


async def _drop(admin_url: str, name: str) -> None:
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def _url_for(admin_url: str, name: str, role: str) -> str:
    address = urlsplit(admin_url)
    host = address.netloc.rpartition("@")[2]
    account = f"{role}:{quote(_password(admin_url, role))}"
    return urlunsplit(address._replace(netloc=f"{account}@{host}", path=f"/{name}"))


def _password(admin_url: str, role: str) -> str:
    """Derived, so that everyone who uses one server by one administrator's address agrees on it."""
    secret = unquote(urlsplit(admin_url).password or "local")
    return hmac.digest(secret.encode(), role.encode(), "sha256").hex()
