"""A folder in, a Kafka 4 broker (KRaft, one node) on this machine out."""

import base64
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_stack import processes, topics
from local_stack.processes import Tethered

READY_SECONDS = 60.0
FOR_EVER = 2**63 - 1
LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024
# Compiled once, quickly: the better compiler takes more than it gives back, because a stack on one
# machine seldom runs for long (of the 32 s of an import of 180,000 events it took 12, and the
# broker takes 14 s without it).
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# A killed broker's place is free for its successor after this long.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# Nobody waits for the metadata log to go on when there is nothing to say.
metadata.max.idle.interval.ms=0
# One node: what is spread over three in production.
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Nothing is ever thrown away.
log.retention.ms=-1
log.retention.bytes=-1
offsets.retention.minutes=52560000
# A clock that has been moved ahead writes timestamps of the future.
log.message.timestamp.after.max.ms={for_ever}
message.max.bytes={largest}
replica.fetch.max.bytes={largest}
# Hundreds of small partitions: small indexes keep the memory map small.
log.segment.bytes=268435456
log.index.size.max.bytes=1048576
"""


@dataclass(slots=True)
class KafkaServer:
    """Starts, stops and starts again on the same ports and folder.

    `besides`: properties that are added to the usual ones, or stand in their place.
    `known`: whom it knows by a password, as StorageTool's `--add-scram` has it.
    `ready_seconds`: how long a start may take.
    """

    folder: Path
    java: Path
    jars: Path
    port: int
    controller_port: int
    ephemeral: bool = False
    keep_open: tuple[int, ...] = ()
    besides: Mapping[str, str] = field(default_factory=dict[str, str])
    known: tuple[str, ...] = ()
    ready_seconds: float = READY_SECONDS
    _process: Tethered | None = field(default=None, init=False)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def data(self) -> Path:
        """A folder for each partition."""
        return self.folder / "data"

    def start(self) -> None:
        self._format()
        self._process = processes.start(
            "Kafka",
            [*self._java(), "kafka.Kafka", self.folder / "server.properties"],
            log=self.log,
            grace_seconds=20,
            remove_orphaned=self.folder if self.ephemeral else None,
            keep_open=self.keep_open,
        )
        processes.wait_until(
            self._is_ready, self._process, seconds=self.ready_seconds, ready="ready"
        )

    def stop(self) -> None:
        """A controlled shutdown."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """SIGKILL: like a power cut, or when the data is thrown away anyhow."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        """It is there, and answers nothing, until it is thawed."""
        assert self._process is not None
        self._process.freeze()

    def thaw(self) -> None:
        assert self._process is not None
        self._process.thaw()

    def running(self) -> bool:
        return self._process is not None and self._process.running()

    def _is_ready(self) -> bool:
        return processes.answers(self.port) and topics.is_up(self.bootstrap)

    def _format(self) -> None:
        """A folder without the mark that is written last is made anew; ports may have changed."""
        done = self.folder / "formatted"
        if not done.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        properties = self.folder / "server.properties"
        properties.write_text(
            PROPERTIES.format(
                port=self.port,
                controller_port=self.controller_port,
                data=self.data,
                for_ever=FOR_EVER,
                largest=LARGEST_MESSAGE_BYTES,
            )
            + "".join(f"{name}={value}\n" for name, value in self.besides.items())
        )
        if done.exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        processes.run(
            [
                *(*self._java(), "kafka.tools.StorageTool", "format", "--standalone"),
                # One argument: an id that begins with "-" would be taken for another option.
                *(f"--cluster-id={cluster}", "--config", properties),
                *(f"--add-scram={each}" for each in self.known),
            ],
            what="Kafka's StorageTool",
            log=self.folder / "format.log",
        )
        done.touch()

    def _java(self) -> list[str | Path]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [self.java, *JVM, quiet, "-cp", f"{self.jars}/*"]
