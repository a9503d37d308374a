"""PostgreSQL and Kafka on this machine: whole or repaired, ours or others', gone when we are."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from local_stack import downloads, processes
from local_stack.databases import Database
from local_stack.errors import MissingTools
from local_stack.postgres import PostgresServer
from local_stack.servers import Servers
from local_stack.servers import servers as start_servers

pytestmark = pytest.mark.servers

PARENT = """
import time
from local_stack.servers import ephemeral_servers
from local_stack.services import Stack
with ephemeral_servers() as started:
    folder = started.own_kafka.folder.parent
    print(started.own_postgres.port, started.own_kafka.port, folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder() -> Generator[Path]:
    """One that PostgreSQL's user can enter too, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="aftersales-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def test_a_test_gets_an_empty_database_that_both_roles_can_enter(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute("CREATE TABLE thing (id integer); GRANT SELECT ON thing TO aftersales_app")
    await owner.close()
    app = await asyncpg.connect(database.app_url)
    assert await app.fetch("SELECT * FROM thing") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE other (id integer)")
    await app.close()


async def test_a_test_gets_topics_that_take_what_it_sends(
    kafka: str, make_topics: Callable[..., list[str]]
) -> None:
    [topic] = make_topics("orders.events")
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    sent = await producer.send_and_wait(topic, b"first", partition=63)
    assert (sent.partition, sent.offset) == (63, 0)
    await producer.stop()


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
async def test_postgres_waits_for_the_disk_unless_its_data_is_only_a_tests(
    folder: Path, durable: bool, fsync: str
) -> None:
    server = PostgresServer(
        folder=folder / "postgres",
        programs=downloads.fetch().postgres,
        port=processes.free_port(),
        durable=durable,
    )
    server.start()
    admin = await asyncpg.connect(server.url)
    settings = [await admin.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
    await admin.close()
    server.stop()
    assert settings == [fsync, "on"]


async def test_a_half_initialised_folder_is_made_anew(folder: Path) -> None:
    half = folder / "postgres"
    (half / "data" / "base").mkdir(parents=True)
    (half / "data" / "PG_VERSION").write_text("18\n")
    server = PostgresServer(
        folder=half, programs=downloads.fetch().postgres, port=processes.free_port()
    )
    server.start()
    first = await asyncpg.connect(server.url)
    await first.execute("CREATE TABLE kept (id integer)")
    await first.close()
    server.stop("immediate")
    server.start()  # whole now: not touched again
    again = await asyncpg.connect(server.url)
    assert await again.fetch("SELECT * FROM kept") == []
    await again.close()
    server.stop()


def test_a_half_done_download_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_CACHE", str(folder))
    name = downloads.packages_folder(folder).name
    half = folder / f".{name}-killed"
    half.mkdir()
    (half / "kafka-clients.jar").write_bytes(b"half of it")
    programs = downloads.fetch()
    assert (programs.postgres / "bin" / "postgres").exists()
    assert list(programs.kafka_jars.glob("kafka_*.jar"))
    assert not half.exists()


def test_servers_end_and_their_data_goes_when_the_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)  # noqa: S603
    assert parent.stdout is not None
    postgres, kafka, data = parent.stdout.readline().decode().split()
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 30
    while (
        processes.answers(int(postgres))
        or processes.answers(int(kafka))
        or any(Path(data).glob("*/data"))
    ):
        assert time.monotonic() < deadline, "the servers outlive their parent"
        time.sleep(0.05)
    shutil.rmtree(data, ignore_errors=True)


def test_servers_that_exist_are_used_instead(
    servers: Servers, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERSALES_POSTGRES_URL", servers.postgres_url)
    monkeypatch.setenv("AFTERSALES_KAFKA", servers.kafka)
    with start_servers(folder) as used:
        assert used == Servers(postgres_url=servers.postgres_url, kafka=servers.kafka)
    assert list(folder.iterdir()) == []


def test_all_that_is_missing_is_named_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERSALES_CACHE", str(folder))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingTools, match=r"Java 17(.|\n)*Maven(.|\n)*Docker"):
        downloads.fetch()
