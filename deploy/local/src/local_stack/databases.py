"""An administrator's address in, the services' databases and their two roles out."""

import hmac
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self
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


class Administrator:
    """Makes and drops databases by one connection, which costs as much as half a copy does."""

    def __init__(self, admin_url: str) -> None:
        self._url = admin_url

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._loop = undo.enter_context(blocking.Loop())
            self._admin: asyncpg.Connection = self._loop.run(asyncpg.connect(self._url))
            undo.callback(lambda: self._loop.run(self._admin.close()))
            self._loop.run(_make_roles(self._admin, self._url))
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def create(self, name: str, template: str | None = None) -> Database:
        """One database of that name; a copy of another that nobody is using."""
        self._loop.run(_make_database(self._admin, name, template))
        return database(self._url, name)

    def drop(self, name: str) -> None:
        """Drops a database, whoever is still connected to it."""
        self._loop.run(self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def create_databases(admin_url: str, prefix: str = "") -> dict[str, Database]:
    """The databases of the four services, made where they are not there yet."""
    with Administrator(admin_url) as admin:
        return {service: admin.create(prefix + service) for service in SERVICES}


def create_key_databases(admin_url: str, prefix: str = "") -> dict[str, Database]:
    """The key databases of the services that seal, made where they are not there yet."""
    with Administrator(admin_url) as admin:
        return {service: admin.create(f"{prefix}{service}_keys") for service in SEALING}


def create_database(admin_url: str, name: str, template: str | None = None) -> Database:
    """One database of that name, with both roles; a copy of another that nobody is using."""
    with Administrator(admin_url) as admin:
        return admin.create(name, template)


def drop_database(admin_url: str, name: str) -> None:
    """Drops a database, whoever is still connected to it."""
    with Administrator(admin_url) as admin:
        admin.drop(name)


def database(admin_url: str, name: str) -> Database:
    """The addresses of a database by its name."""
    return Database(
        name=name,
        owner_url=_url_for(admin_url, name, OWNER),
        app_url=_url_for(admin_url, name, APP),
    )


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
    if await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        return
    # File by file in a third of the time that the log of a copy by pages takes.
    copied = f'TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
    await admin.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} {copied}')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {APP}')


def _url_for(admin_url: str, name: str, role: str) -> str:
    address = urlsplit(admin_url)
    host = address.netloc.rpartition("@")[2]
    account = f"{role}:{quote(_password(admin_url, role))}"
    return urlunsplit(address._replace(netloc=f"{account}@{host}", path=f"/{name}"))


def _password(admin_url: str, role: str) -> str:
    """Derived, so that everyone who uses one server by one administrator's address agrees on it."""
    secret = unquote(urlsplit(admin_url).password or "local")
    return hmac.digest(secret.encode(), role.encode(), "sha256").hex()
