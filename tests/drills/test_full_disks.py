"""A disk is full, of PostgreSQL or of Kafka: nothing that was acknowledged is missing afterwards.

Each server has a small file system of its own, which takes root to make: it is full when it is as
large as what is in it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest
from local_stack.oracle import check, check_projections, place, place_all
from local_stack.people import until
from local_stack.servers import Servers, servers
from local_stack.services import Stack, ephemeral_stack

pytestmark = pytest.mark.drill

ROOMY_BYTES = 2 * 1024**3
ORDERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in memory."""

    folder: Path

    def fill(self) -> None:
        """It has room for nothing more."""
        self._resize(shutil.disk_usage(self.folder).used)

    def clear(self) -> None:
        self._resize(ROOMY_BYTES)

    def _resize(self, size: int) -> None:
        run("mount", "-o", f"remount,size={size}", "tmpfs", str(self.folder))


@dataclass(frozen=True, slots=True)
class Cramped:
    """A stack whose servers have little room."""

    stack: Stack
    of_postgres: Disk
    of_kafka: Disk


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own


@contextmanager
def disk() -> Generator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="aftersales-"))
    made = False
    try:
        with suppress(subprocess.CalledProcessError, FileNotFoundError):
            run("mount", "-t", "tmpfs", "-o", f"size={ROOMY_BYTES},mode=711", "tmpfs", str(folder))
            made = True
        if not made:
            pytest.skip("a small file system cannot be mounted here")
        yield Disk(folder)
    finally:
        if made:
            run("umount", "--lazy", str(folder))
        folder.rmdir()


@contextmanager
def only(name: str, folder: Path) -> Generator[Servers]:
    """One server; the other one is said to be elsewhere."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as told:
            told.setenv(name, "elsewhere")
            started = stack.enter_context(servers(folder, ephemeral=True, durable=False))
        yield started


@pytest.fixture(scope="module")
def cramped() -> Iterator[Cramped]:
    if os.geteuid() != 0:
        pytest.skip("a small file system is made by root alone")
    if {"AFTERSALES_POSTGRES_URL", "AFTERSALES_KAFKA"} & os.environ.keys():
        pytest.skip("the disks of servers that exist are not ours to fill")
    with (
        disk() as of_postgres,
        disk() as of_kafka,
        only("AFTERSALES_KAFKA", of_postgres.folder) as one,
        only("AFTERSALES_POSTGRES_URL", of_kafka.folder) as other,
    ):
        both = Servers(
            postgres_url=one.postgres_url,
            kafka=other.kafka,
            own_postgres=one.own_postgres,
            own_kafka=other.own_kafka,
        )
        with ephemeral_stack(on=both) as started:
            yield Cramped(started, of_postgres, of_kafka)


def test_the_disk_of_postgresql_is_full(cramped: Cramped) -> None:
    """Orders are answered 503, and those that were acknowledged until then are there; with room
    again all goes on, after a start if the server has ended.
    """
    stack, postgres = cramped.stack, cramped.stack.servers.own_postgres
    assert postgres is not None
    placed = place_all(stack, "before-postgres-is-full", 10)
    cramped.of_postgres.fill()
    refused, order_id = False, ""
    try:
        for number in count():
            assert number < ORDERS_MAX, "it has had room"
            order_id = f"while-postgres-is-full-{number}"
            with suppress(httpx.TransportError):
                answer = place(stack, order_id, f"key-of-{order_id}")
                if refused := answer.status_code == 503:
                    break
                assert answer.status_code == 201, answer.text
                placed.add(order_id)
    finally:
        cramped.of_postgres.clear()
    assert refused
    if not postgres.running():
        postgres.stop()
        postgres.start()

    def is_placed() -> bool:
        with suppress(httpx.TransportError):
            return place(stack, order_id, f"key-of-{order_id}").status_code in {200, 201}
        return False

    until(is_placed, "orders are taken again")
    check(stack, placed | {order_id})
    check_projections(stack)


def test_the_disk_of_kafka_is_full(cramped: Cramped) -> None:
    """Orders are taken all the time; the broker ends, is started when it has room, and all
    arrives.
    """
    stack, kafka = cramped.stack, cramped.stack.servers.own_kafka
    assert kafka is not None
    placed = place_all(stack, "before-kafka-is-full", 10)
    cramped.of_kafka.fill()
    try:
        placed |= place_all(stack, "while-kafka-is-full", 100)
        until(lambda: not kafka.running(), "the broker has ended")
    finally:
        cramped.of_kafka.clear()
    kafka.stop()
    kafka.start()
    check(stack, placed | place_all(stack, "after-kafka-was-full", 10))
    check_projections(stack)
