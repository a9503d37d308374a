"""A folder and ports in, PostgreSQL and Kafka out: own ones, existing ones, or containers."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from local_stack import containers, downloads, processes
from local_stack.kafka import KafkaServer
from local_stack.postgres import PostgresServer

MEMORY = Path("/dev/shm")  # noqa: S108 - only a fresh folder of our own in it is used
MEMORY_BYTES_MIN = 4 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Zero: any free one."""

    postgres: int = 0
    kafka: int = 0
    kafka_controller: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The two addresses; and the servers themselves, if they are ours."""

    postgres_url: str
    kafka: str
    own_postgres: PostgresServer | None = None
    own_kafka: KafkaServer | None = None


def _silence(_: str) -> None:
    pass


@contextlib.contextmanager
def servers(
    folder: Path,
    *,
    ports: Ports | None = None,
    ephemeral: bool = False,
    durable: bool = True,
    keep_open: tuple[int, ...] = (),
    say: Callable[[str], None] = _silence,
) -> Generator[Servers]:
    """Both servers, ready and empty; stopped at the end.

    `AFTERSALES_POSTGRES_URL` and `AFTERSALES_KAFKA` name servers that exist instead. `ephemeral`
    data is thrown away, also when this process is killed.
    """
    existing_postgres = os.environ.get("AFTERSALES_POSTGRES_URL")
    existing_kafka = os.environ.get("AFTERSALES_KAFKA")
    with contextlib.ExitStack() as stack:
        if existing_postgres and existing_kafka:
            found = Servers(postgres_url=existing_postgres, kafka=existing_kafka)
        elif downloads.find_java() is None and containers.docker_answers():
            say("starting PostgreSQL and Kafka in containers")
            postgres_url, kafka = stack.enter_context(containers.servers())
            found = Servers(
                postgres_url=existing_postgres or postgres_url, kafka=existing_kafka or kafka
            )
        else:
            starter = _Starter(folder, ports or Ports(), ephemeral, durable, keep_open)
            stack.callback(starter.stop)
            found = starter.start(existing_postgres, existing_kafka, say)
        yield found


@contextlib.contextmanager
def ephemeral_servers(
    say: Callable[[str], None] = _silence, *, durable: bool = True
) -> Generator[Servers]:
    """Both servers on free ports, with data that is gone afterwards.

    What is not `durable` is kept in memory, where there is room: files are made and dropped there
    without a disk, and databases by the hundred take half of the time.
    """
    folder = Path(tempfile.mkdtemp(prefix="aftersales-", dir=None if durable else _memory()))
    folder.chmod(0o711)
    try:
        with servers(folder, ephemeral=True, durable=durable, say=say) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A file system in memory, if there is one with room enough."""
    usable = os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN else None


def postgres_folder(folder: Path) -> Path:
    """Beside the rest; but as root it must be where another user can enter."""
    if os.geteuid() != 0 or downloads.is_open_to_all(folder):
        return folder / "postgres"
    name = sha256(str(folder.absolute()).encode()).hexdigest()[:12]
    return Path("/var/lib/aftersales") / name / "postgres"


class _Starter:
    """Starts what is not there yet, both at once, and stops it."""

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        ephemeral: bool,
        durable: bool,
        keep_open: tuple[int, ...],
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._ephemeral = ephemeral
        self._durable = durable
        self._keep_open = keep_open
        self._postgres: PostgresServer | None = None
        self._kafka: KafkaServer | None = None

    def start(
        self, postgres_url: str | None, kafka: str | None, say: Callable[[str], None]
    ) -> Servers:
        self._choose(postgres_url is None, kafka is None, downloads.fetch(say))
        say("starting PostgreSQL and Kafka")
        own = [server for server in (self._postgres, self._kafka) if server is not None]
        with ThreadPoolExecutor(len(own) or 1) as pool:
            for started in [pool.submit(server.start) for server in own]:
                started.result()
        if self._postgres is not None:
            postgres_url = self._postgres.url
        if self._kafka is not None:
            kafka = self._kafka.bootstrap
        assert postgres_url is not None
        assert kafka is not None
        return Servers(
            postgres_url=postgres_url,
            kafka=kafka,
            own_postgres=self._postgres,
            own_kafka=self._kafka,
        )

    def stop(self) -> None:
        own = [server for server in (self._postgres, self._kafka) if server is not None]
        with ThreadPoolExecutor(len(own) or 1) as pool:
            list(pool.map(self._end, own))

    def _end(self, server: PostgresServer | KafkaServer) -> None:
        if not self._ephemeral:
            server.stop()
            return
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)

    def _choose(self, postgres: bool, kafka: bool, programs: downloads.Programs) -> None:
        """All ports are looked at before anything starts."""
        ports = self._ports
        if postgres:
            self._postgres = PostgresServer(
                folder=postgres_folder(self._folder),
                programs=programs.postgres,
                port=processes.take_port(ports.postgres, "PostgreSQL", "AFTERSALES_POSTGRES_PORT"),
                ephemeral=self._ephemeral,
                durable=self._durable,
                keep_open=self._keep_open,
            )
        if kafka:
            self._kafka = KafkaServer(
                folder=self._folder / "kafka",
                java=programs.java,
                jars=programs.kafka_jars,
                port=processes.take_port(ports.kafka, "Kafka", "AFTERSALES_KAFKA_PORT"),
                controller_port=processes.take_port(
                    ports.kafka_controller,
                    "Kafka's controller",
                    "AFTERSALES_KAFKA_CONTROLLER_PORT",
                ),
                ephemeral=self._ephemeral,
                keep_open=self._keep_open,
            )
