"""A person in, the key that seals what the person writes out; destroyed once, it is gone for ever.

Keys are in a database of their own, each wrapped by a key-encryption key (KEK) that is in none.
Destroying the key of a person makes unreadable what the person wrote, wherever a copy of it is.
"""

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from secrets import token_bytes
from typing import Protocol

import asyncpg

from shared_runtime.database import CONNECT_SECONDS_MAX
from shared_runtime.decider import SubjectErased
from shared_runtime.migrated import DatabaseBehind
from shared_runtime.sealing import (
    KEY_BYTES,
    DoesNotOpen,
    Keys,
    PersonKey,
    decrypt,
    encrypt,
    to_base64,
)

KEY_ID_BYTES = 16
REWRAP_MAX = 500
MIGRATION_LOCK = 0x6B657973  # any number, the same for all who migrate key databases
KEK = re.compile(r"(?P<id>[0-9A-Za-z_-]{1,64}):(?P<secret>[0-9A-Za-z+/]{43}=)")


class KekMissing(Exception):  # noqa: N818 - the name says what is wrong
    """Keys are wrapped by a key-encryption key that was not given, or by another of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kek:
    """A key-encryption key; the id says which one wrapped a key."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Kek":
        """`<id>:<base64 of 32 bytes>`. Raises ValueError, which does not show the text."""
        match = KEK.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"<id>:<base64 of {KEY_BYTES} bytes> is wanted")
        return cls(id=match["id"], secret=b64decode(match["secret"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keks:
    """The current one wraps; it and the previous ones unwrap."""

    current: Kek
    previous: tuple[Kek, ...] = ()

    def wrap(self, key: PersonKey) -> bytes:
        """The secret of a key as the database has it, bound to its row."""
        return encrypt(self.current.secret, key.secret, _row(key.person, key.key_id))

    def unwrap(self, *, person: str, key_id: str, kek_id: str, wrapped: bytes) -> PersonKey:
        """Raises `KekMissing`."""
        for kek in (self.current, *self.previous):
            if kek.id == kek_id:
                return _unwrapped(kek, person, key_id, wrapped)
        raise KekMissing(f"keys are wrapped by the key-encryption key {kek_id}, which is not given")


def _unwrapped(kek: Kek, person: str, key_id: str, wrapped: bytes) -> PersonKey:
    try:
        secret = decrypt(kek.secret, wrapped, _row(person, key_id))
    except DoesNotOpen as failure:
        raise KekMissing(
            f"the key {key_id} was wrapped by another key-encryption key than the {kek.id} given"
        ) from failure
    return PersonKey(person=person, key_id=key_id, secret=secret)


def _row(person: str, key_id: str) -> str:
    return f"{key_id}/{person}"


def new_key(person: str) -> PersonKey:
    """A key that nobody has."""
    key_id = to_base64(token_bytes(KEY_ID_BYTES))
    return PersonKey(person=person, key_id=key_id, secret=token_bytes(KEY_BYTES))


class KeyStore(Keys, Protocol):
    """Who has which key: PostgreSQL, or memory in fast tests. It keeps no key in mind: one that
    was destroyed stops opening at once.
    """

    async def key_of(self, person: str) -> PersonKey:
        """The person's key, made when there is none. Raises `SubjectErased`."""
        ...

    async def keys_of(self, persons: Iterable[str]) -> dict[str, PersonKey]:
        """The key of each, made where there is none; without those of erased persons."""
        ...

    async def destroyed_at(self, person: str) -> datetime | None:
        """When the person's key was destroyed, if it was."""
        ...

    async def destroy(self, person: str) -> bool:
        """Destroys the person's key and keeps a new one from being made; False if it was so."""
        ...


async def key_to_tell(keys: KeyStore, person: str) -> PersonKey:
    """The key of somebody who is told something. Nobody can open what an erased one gets."""
    try:
        return await keys.key_of(person)
    except SubjectErased:
        return new_key(person)


FIND = "SELECT person, key_id, kek_id, wrapped FROM keys.person_key WHERE person = $1"
MAKE = """
    INSERT INTO keys.person_key (person, key_id, kek_id, wrapped) VALUES ($1, $2, $3, $4)
    ON CONFLICT (person) DO NOTHING
"""
FIND_MANY = """
    SELECT person, key_id, kek_id, wrapped FROM keys.person_key WHERE person = ANY($1::text[])
"""
MAKE_MANY = """
    INSERT INTO keys.person_key (person, key_id, kek_id, wrapped)
    SELECT person, key_id, $3, wrapped
    FROM unnest($1::text[], $2::text[], $4::bytea[]) AS made (person, key_id, wrapped)
    ORDER BY person
    ON CONFLICT (person) DO NOTHING
"""
THESE = """
    SELECT person, key_id, kek_id, wrapped FROM keys.person_key
    WHERE key_id = ANY($1::text[]) AND wrapped IS NOT NULL
"""
DESTROYED_AT = "SELECT destroyed_at FROM keys.person_key WHERE person = $1 AND wrapped IS NULL"
DESTROY = """
    INSERT INTO keys.person_key AS key (person, key_id, destroyed_at) VALUES ($1, $2, now())
    ON CONFLICT (person) DO UPDATE SET wrapped = NULL, kek_id = NULL, destroyed_at = now()
    WHERE key.wrapped IS NOT NULL
    RETURNING true
"""
# One look in the index for each KEK, however many keys it has wrapped.
KEKS_USED = """
    WITH RECURSIVE kek (id) AS (
        (SELECT min(kek_id) FROM keys.person_key WHERE wrapped IS NOT NULL)
        UNION ALL
        SELECT (SELECT min(kek_id) FROM keys.person_key
                WHERE wrapped IS NOT NULL AND kek_id > kek.id)
        FROM kek WHERE kek.id IS NOT NULL
    )
    SELECT id FROM kek WHERE id IS NOT NULL
"""
WRAPPED_BY = """
    SELECT person, key_id, kek_id, wrapped FROM keys.person_key
    WHERE kek_id = $1 AND wrapped IS NOT NULL ORDER BY key_id LIMIT $2
"""
# The old bytes are compared: a key that was destroyed meanwhile stays destroyed.
REWRAP = """
    UPDATE keys.person_key AS key SET wrapped = new.wrapped, kek_id = $1
    FROM unnest($2::text[], $3::bytea[], $4::bytea[]) AS new (key_id, was, wrapped)
    WHERE key.key_id = new.key_id AND key.wrapped = new.was
"""


class PostgresKeyStore:
    """The keys of one service, in its key database."""

    def __init__(self, db: asyncpg.Pool, keks: Keks) -> None:
        self._db = db
        self._keks = keks

    async def key_of(self, person: str) -> PersonKey:
        row = await self._db.fetchrow(FIND, person)
        if row is None:
            # Of two that make it at once, the second waits for the first and makes none.
            key = new_key(person)
            kek = self._keks.current.id
            await self._db.execute(MAKE, person, key.key_id, kek, self._keks.wrap(key))
            row = await self._db.fetchrow(FIND, person)
        assert row is not None
        if row["wrapped"] is None:
            raise SubjectErased
        return self._keks.unwrap(**row)

    async def keys_of(self, persons: Iterable[str]) -> dict[str, PersonKey]:
        wanted = sorted(set(persons))
        rows = await self._db.fetch(FIND_MANY, wanted)
        if missing := sorted(set(wanted) - {row["person"] for row in rows}):
            made = [new_key(person) for person in missing]
            await self._db.execute(
                MAKE_MANY,
                missing,
                [key.key_id for key in made],
                self._keks.current.id,
                [self._keks.wrap(key) for key in made],
            )
            rows = await self._db.fetch(FIND_MANY, wanted)
        return {
            row["person"]: self._keks.unwrap(**row) for row in rows if row["wrapped"] is not None
        }

    async def keys(self, key_ids: Iterable[str]) -> dict[str, PersonKey]:
        rows = await self._db.fetch(THESE, list(key_ids))
        return {row["key_id"]: self._keks.unwrap(**row) for row in rows}

    async def destroyed_at(self, person: str) -> datetime | None:
        at: datetime | None = await self._db.fetchval(DESTROYED_AT, person)
        return at

    async def destroy(self, person: str) -> bool:
        return bool(await self._db.fetchval(DESTROY, person, new_key(person).key_id))

    async def rewrap(self) -> int:
        """Wraps all keys by the current KEK; how many were not. Raises as `check` does."""
        await self.check()
        done = 0
        for kek_id in await self._keks_used():
            if kek_id == self._keks.current.id:
                continue
            while rows := await self._db.fetch(WRAPPED_BY, kek_id, REWRAP_MAX):
                done += await self._rewrap(rows)
        return done

    async def check(self) -> None:
        """Raises `DatabaseBehind`; or `KekMissing` if there are keys that the given KEKs do not
        unwrap: one of each KEK is tried.
        """
        await check_keys_migrated(self._db)
        for kek_id in await self._keks_used():
            for row in await self._db.fetch(WRAPPED_BY, kek_id, 1):
                self._keks.unwrap(**row)

    async def _keks_used(self) -> list[str]:
        return [row["id"] for row in await self._db.fetch(KEKS_USED)]

    async def _rewrap(self, rows: Iterable[asyncpg.Record]) -> int:
        keys = {row["wrapped"]: self._keks.unwrap(**row) for row in rows}
        status = await self._db.execute(
            REWRAP,
            self._keks.current.id,
            [key.key_id for key in keys.values()],
            list(keys),
            [self._keks.wrap(key) for key in keys.values()],
        )
        return int(status.split()[-1])


async def migrate_keys(owner_url: str) -> None:
    """Brings a key database to this release, with the owner's rights and under a lock."""
    owner = await asyncpg.connect(owner_url, timeout=CONNECT_SECONDS_MAX)
    try:
        async with owner.transaction():
            await owner.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            await owner.execute(FIRST)
            current = await _version(owner)
            for version, script in enumerate(_scripts()[current:], start=current + 1):
                await owner.execute(script.read_text())
                await owner.execute("INSERT INTO keys.migration (version) VALUES ($1)", version)
    finally:
        await owner.close()


async def check_keys_migrated(db: asyncpg.Pool | asyncpg.Connection) -> None:
    """Raises `DatabaseBehind` unless the key database is at this release."""
    try:
        current = await _version(db)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        current = 0
    if current != (head := len(_scripts())):
        raise DatabaseBehind(f"the key database is at {current}, this release needs {head}")


FIRST = """
    CREATE SCHEMA IF NOT EXISTS keys;
    CREATE TABLE IF NOT EXISTS keys.migration (version integer PRIMARY KEY);
"""


async def _version(db: asyncpg.Pool | asyncpg.Connection) -> int:
    version: int = await db.fetchval("SELECT coalesce(max(version), 0) FROM keys.migration")
    return version


def _scripts() -> list[Traversable]:
    """The migrations, in order: `keys_0001.sql` makes version 1."""
    scripts = [each for each in (files("shared_runtime") / "sql").iterdir() if _is_script(each)]
    return sorted(scripts, key=lambda script: script.name)


def _is_script(file: Traversable) -> bool:
    return file.name.startswith("keys_")
