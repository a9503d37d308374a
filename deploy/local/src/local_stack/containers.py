"""Docker in, PostgreSQL and Kafka in containers out: for a machine without Java.

Not exercised in continuous integration, which has Java and no Docker daemon: this path has been
written against the documentation of testcontainers and checked by the type checkers alone.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Generator
from typing import Any

from local_stack import processes, topics
from local_stack.errors import StackError

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.3.1"
DOCKER_SECONDS = 10
READY_SECONDS = 120.0
KAFKA_PORT = 9092
KAFKA_ENVIRONMENT = {
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_NODE_ID": "1",
    "KAFKA_LISTENERS": f"PLAINTEXT://:{KAFKA_PORT},CONTROLLER://:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_LOG_RETENTION_MS": "-1",
    "KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS": str(2**63 - 1),
    "KAFKA_MESSAGE_MAX_BYTES": str(4 * 1024 * 1024),
}


def docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        told = subprocess.run(  # noqa: S603
            [docker, "info"], capture_output=True, check=False, timeout=DOCKER_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return told.returncode == 0


@contextlib.contextmanager
def servers() -> Generator[tuple[str, str]]:
    """The administrator's address of PostgreSQL and Kafka's bootstrap address."""
    try:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - optional
        from testcontainers.postgres import PostgresContainer  # noqa: PLC0415
    except ImportError as missing:
        raise StackError("containers need the package testcontainers: `make setup`") from missing
    port = processes.free_port()
    kafka: Any = DockerContainer(KAFKA_IMAGE).with_bind_ports(KAFKA_PORT, port)
    for name, value in (
        KAFKA_ENVIRONMENT | {"KAFKA_ADVERTISED_LISTENERS": _listener(port)}
    ).items():
        kafka.with_env(name, value)
    postgres: Any = PostgresContainer(POSTGRES_IMAGE, driver=None)
    with postgres, kafka:
        _wait_for_kafka(f"127.0.0.1:{port}")
        yield postgres.get_connection_url(), f"127.0.0.1:{port}"


def _listener(port: int) -> str:
    return f"PLAINTEXT://127.0.0.1:{port}"


def _wait_for_kafka(bootstrap: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not topics.is_up(bootstrap):
        if time.monotonic() > deadline:
            raise StackError(f"Kafka's container is not ready after {READY_SECONDS:.0f} s")
        time.sleep(processes.LOOK_SECONDS)
