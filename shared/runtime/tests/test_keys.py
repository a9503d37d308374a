"""One key for each person, made once, wrapped, destroyed for ever: in memory and in PostgreSQL."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from local_stack.databases import Database
from pydantic import SecretStr
from shared_runtime.database import open_pool
from shared_runtime.decider import SubjectErased
from shared_runtime.keys import (
    DESTROY,
    REWRAP_MAX,
    Kek,
    KekMissing,
    Keks,
    KeyStore,
    PostgresKeyStore,
    check_keys_migrated,
    migrate_keys,
    new_key,
)
from shared_runtime.migrated import DatabaseBehind
from shared_runtime.sealing import KEY_BYTES
from shared_runtime.service import Service, SettingsMissing, run_api, run_migrate, run_rewrap
from shared_runtime.settings import Settings
from shared_runtime.testing import TEST_KEKS, InMemoryKeyStore, key_store
from shared_runtime.worker import Workload

NEW = Kek(id="new", secret=bytes(reversed(range(KEY_BYTES))))
WAITS = """
    SELECT true FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
ROTATED = Keks(current=NEW, previous=(TEST_KEKS.current,))


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture
async def stored(database: Database) -> AsyncIterator[PostgresKeyStore]:
    async with key_store(database.owner_url, database.app_url) as store:
        yield store


@pytest.fixture
async def app(database: Database, stored: PostgresKeyStore) -> AsyncIterator[asyncpg.Pool]:
    """What is done to the key database with the rights of the services."""
    assert stored
    async with await open_pool(database.app_url) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> KeyStore:
    if request.param == "memory":
        return InMemoryKeyStore()
    found: PostgresKeyStore = request.getfixturevalue("stored")
    return found


# --- The contract of every key store


async def test_a_person_has_one_key(store: KeyStore) -> None:
    key = await store.key_of("buyer:B1")
    assert await store.key_of("buyer:B1") == key
    assert (await store.key_of("seller:B1")).secret != key.secret
    assert len(key.secret) == KEY_BYTES
    assert key.secret.hex() not in repr(key)


async def test_keys_are_found_by_their_ids(store: KeyStore) -> None:
    one, other = await store.key_of("buyer:B1"), await store.key_of("buyer:B2")
    assert await store.keys([one.key_id, "nobody's"]) == {one.key_id: one}
    assert await store.keys([one.key_id, other.key_id]) == {one.key_id: one, other.key_id: other}
    assert await store.keys([]) == {}


async def test_a_destroyed_key_is_gone_at_once_and_no_new_one_is_made(store: KeyStore) -> None:
    key, other = await store.key_of("buyer:B1"), await store.key_of("buyer:B2")
    assert await store.destroyed_at("buyer:B1") is None
    assert await store.destroy("buyer:B1")
    assert not await store.destroy("buyer:B1")
    assert await store.destroyed_at("buyer:B1") is not None
    assert await store.keys([key.key_id, other.key_id]) == {other.key_id: other}
    with pytest.raises(SubjectErased):
        await store.key_of("buyer:B1")


async def test_one_who_has_not_written_anything_can_be_erased(store: KeyStore) -> None:
    assert await store.destroyed_at("buyer:B1") is None
    assert await store.destroy("buyer:B1")
    assert not await store.destroy("buyer:B1")
    with pytest.raises(SubjectErased):
        await store.key_of("buyer:B1")


async def test_who_make_the_same_persons_key_at_once_end_with_one(store: KeyStore) -> None:
    keys = await asyncio.gather(*[store.key_of("buyer:B1") for _ in range(20)])
    assert len({key.secret for key in keys}) == 1


async def test_the_keys_of_many_are_found_or_made_without_those_of_erased_people(
    store: KeyStore,
) -> None:
    known = await store.key_of("buyer:B1")
    await store.destroy("buyer:B2")
    wanted = ["buyer:B1", "buyer:B2", "seller:S1", "buyer:B1"]
    found = await store.keys_of(wanted)
    assert found.keys() == {"buyer:B1", "seller:S1"}
    assert found["buyer:B1"] == known
    assert found["seller:S1"] == await store.key_of("seller:S1")
    assert await store.keys_of([]) == {}


async def test_many_who_make_the_same_keys_at_once_end_with_one_each(store: KeyStore) -> None:
    people = [f"buyer:B{n}" for n in range(50)]
    made = await asyncio.gather(
        *[store.keys_of(people if n % 2 else reversed(people)) for n in range(10)]
    )
    assert all(found == made[0] for found in made)


# --- What is in the key database


async def test_two_processes_end_with_one_key(database: Database, stored: PostgresKeyStore) -> None:
    async with await open_pool(database.app_url) as pool:
        stores = [stored, PostgresKeyStore(pool, TEST_KEKS)] * 10
        keys = await asyncio.gather(*[each.key_of("buyer:B1") for each in stores])
    assert len({key.secret for key in keys}) == 1


async def test_a_secret_is_nowhere_in_the_key_database(
    stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    key = await stored.key_of("buyer:B1")
    row = await app.fetchrow("SELECT * FROM keys.person_key")
    assert row is not None
    assert (row["person"], row["key_id"], row["kek_id"]) == ("buyer:B1", key.key_id, "test")
    assert key.secret not in row["wrapped"]


async def test_a_wrapped_key_is_bound_to_its_person(
    stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    await stored.key_of("buyer:B1")
    await stored.key_of("buyer:B2")
    await app.execute(
        "UPDATE keys.person_key SET wrapped = other.wrapped FROM keys.person_key AS other "
        "WHERE person_key.person = 'buyer:B1' AND other.person = 'buyer:B2'"
    )
    with pytest.raises(KekMissing):
        await stored.key_of("buyer:B1")


async def test_a_destroyed_key_leaves_a_row_without_it(
    stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    await stored.key_of("buyer:B1")
    await stored.destroy("buyer:B1")
    row = await app.fetchrow("SELECT * FROM keys.person_key")
    assert row is not None
    assert (row["wrapped"], row["kek_id"]) == (None, None)
    assert row["destroyed_at"] is not None


# --- The key-encryption keys change


async def test_keys_are_wrapped_anew_in_batches(
    stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    keys = await asyncio.gather(*[stored.key_of(f"buyer:{n}") for n in range(REWRAP_MAX + 3)])
    await stored.destroy("buyer:0")
    rotated = PostgresKeyStore(app, ROTATED)
    later = await rotated.key_of("buyer:later")
    assert await rotated.key_of("buyer:1") == keys[1]
    assert await rotated.rewrap() == len(keys) - 1
    assert await rotated.rewrap() == 0
    only_new = PostgresKeyStore(app, Keks(current=NEW))
    await only_new.check()
    found = await only_new.keys([later.key_id, *[key.key_id for key in keys]])
    assert found == {key.key_id: key for key in (later, *keys[1:])}
    assert await only_new.destroyed_at("buyer:0") is not None


async def test_a_key_that_is_destroyed_while_it_is_wrapped_anew_stays_destroyed(
    database: Database, stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    await stored.key_of("buyer:B1")
    await stored.key_of("buyer:B2")
    async with (
        asyncio.timeout(20),
        await open_pool(database.app_url) as other,
        other.acquire() as db,
        db.transaction(),
    ):
        await db.execute(DESTROY, "buyer:B1", "no matter")
        rewrapping = asyncio.create_task(PostgresKeyStore(app, ROTATED).rewrap())
        while not await other.fetchval(WAITS):  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.01)
    assert await rewrapping == 1
    assert await stored.destroyed_at("buyer:B1") is not None


async def test_a_key_encryption_key_that_is_missing_is_named(
    stored: PostgresKeyStore, app: asyncpg.Pool
) -> None:
    await PostgresKeyStore(app, Keks(current=NEW)).check()  # nothing is wrapped yet
    await stored.key_of("buyer:B1")
    without = PostgresKeyStore(app, Keks(current=NEW))
    for refused in (without.check(), without.rewrap(), without.key_of("buyer:B1")):
        with pytest.raises(KekMissing, match="key-encryption key test, which is not given"):
            await refused
    namesake = PostgresKeyStore(app, Keks(current=Kek(id="test", secret=NEW.secret)))
    with pytest.raises(KekMissing, match="another key-encryption key than the test given"):
        await namesake.check()


def test_a_key_encryption_key_is_an_id_and_32_bytes() -> None:
    secret = b64encode(NEW.secret).decode()
    assert Kek.parse(f"new:{secret}\n") == NEW
    assert secret not in repr(NEW)
    for wrong in ("", "new", f"{secret}", f":{secret}", f"new:{secret[:-4]}", f"a b:{secret}"):
        with pytest.raises(ValueError, match="base64 of 32 bytes") as told:
            Kek.parse(wrong)
        assert secret[:20] not in str(told.value)


# --- Who may do what


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM keys.person_key",
        "TRUNCATE keys.person_key",
        "UPDATE keys.person_key SET person = 'buyer:B2'",
        "UPDATE keys.person_key SET key_id = 'another'",
        "UPDATE keys.person_key SET created_at = now()",
        "INSERT INTO keys.migration VALUES (9)",
        "DROP TABLE keys.person_key",
        "CREATE TABLE keys.other (id int)",
    ],
)
async def test_the_services_role_can_make_wrap_and_destroy_keys_and_no_more(
    stored: PostgresKeyStore, app: asyncpg.Pool, change: str
) -> None:
    await stored.key_of("buyer:B1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE keys.person_key SET wrapped = 'x', kek_id = 'test', destroyed_at = NULL",
        "UPDATE keys.person_key SET destroyed_at = now()",
        "DELETE FROM keys.person_key",
    ],
)
async def test_nobody_gives_a_destroyed_row_a_key_again(
    database: Database, stored: PostgresKeyStore, change: str
) -> None:
    await stored.key_of("buyer:B1")
    await stored.destroy("buyer:B1")
    owner = await asyncpg.connect(database.owner_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="was destroyed"):
        await owner.execute(change)
    await owner.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE keys.person_key SET wrapped = NULL",
        "UPDATE keys.person_key SET destroyed_at = now()",
        "UPDATE keys.person_key SET kek_id = NULL",
    ],
)
async def test_a_key_is_there_or_destroyed_and_nothing_in_between(
    stored: PostgresKeyStore, app: asyncpg.Pool, change: str
) -> None:
    await stored.key_of("buyer:B1")
    with pytest.raises(asyncpg.CheckViolationError):
        await app.execute(change)


# --- Releases


async def test_a_key_database_that_is_behind_is_told(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_url)
    with pytest.raises(DatabaseBehind, match="the key database is at 0"):
        await check_keys_migrated(owner)
    await asyncio.gather(*[migrate_keys(database.owner_url) for _ in range(3)])
    await check_keys_migrated(owner)
    await owner.execute("INSERT INTO keys.migration VALUES (99)")
    with pytest.raises(DatabaseBehind, match="the key database is at 99"):
        await check_keys_migrated(owner)
    await owner.close()


# --- A service that seals


def service_of(*, seals: bool) -> Service[Settings]:
    return Service(
        name="a-service",
        package="a_service",
        description="",
        settings=Settings,
        projections=(),
        routers=lambda _: (),
        workload=lambda _: Workload(own_topics=()),
        seals=seals,
    )


def settings_of(**told: str) -> Settings:
    secrets = {name: SecretStr(value) for name, value in told.items()}
    return Settings.model_construct(None, env="local", database_url=SecretStr("none"), **secrets)


async def test_a_service_that_seals_says_what_it_has_not_been_told() -> None:
    with pytest.raises(SettingsMissing, match="AFTERSALES_KEYS_URL, AFTERSALES_KEK"):
        await run_api(service_of(seals=True), settings_of())
    with pytest.raises(SettingsMissing, match="not set: AFTERSALES_KEYS_MIGRATION_URL"):
        await run_migrate(service_of(seals=True), settings_of(migration_url="postgres://none"))
    with pytest.raises(SettingsMissing, match="seals nothing"):
        await run_rewrap(service_of(seals=False), settings_of())


async def test_the_keys_are_wrapped_anew_by_a_command(
    database: Database, stored: PostgresKeyStore, capsys: pytest.CaptureFixture[str]
) -> None:
    await stored.key_of("buyer:B1")
    new = f"new:{b64encode(NEW.secret).decode()}"
    told = settings_of(keys_url=database.app_url, kek=new)
    with pytest.raises(KekMissing):
        await run_rewrap(service_of(seals=True), told)
    old = SecretStr(f"test:{b64encode(TEST_KEKS.current.secret).decode()}")
    told = told.model_copy(update={"previous_keks": (old,)})
    for count in (1, 0):
        await run_rewrap(service_of(seals=True), told)
        assert capsys.readouterr().out == f"{count} keys wrapped anew\n"


def test_no_two_keys_are_alike() -> None:
    assert len({new_key("buyer:B1").key_id for _ in range(100)}) == 100
