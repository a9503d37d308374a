"""Servers in, the four services out: migrated, started (API and worker each), ready."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx

from local_stack import companies, databases, description, issuer, kek, processes, topics
from local_stack.databases import SERVICES, Database
from local_stack.description import Description
from local_stack.errors import StackError
from local_stack.processes import Process
from local_stack.servers import Ports, Servers, servers
from local_stack.starting import MIGRATING, MODULES, Forked, Start, inherited, starter

HOST = "127.0.0.1"
READY_SECONDS = 60.0
PORT_SECONDS = "3"
SOURCE_TOKEN_SECONDS = 365 * 24 * 3600
PATIENCE_SECONDS = 20.0  # for the last processes of a stack that was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPorts:
    """Zero, or not named: any free one."""

    servers: Ports = field(default_factory=Ports)
    api: Mapping[str, int] = field(default_factory=dict[str, int])
    worker: Mapping[str, int] = field(default_factory=dict[str, int])
    metrics: Mapping[str, int] = field(default_factory=dict[str, int])
    sandbox: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePorts:
    """Those of one service: of its API, of its worker, and of the metrics of its API."""

    api: int
    worker: int
    metrics: int


def usual_ports() -> StackPorts:
    """The same at every start, so that URLs can be kept; each can be set in the environment."""

    def setting(name: str, usual: int) -> int:
        return int(os.environ.get(f"AFTERSALES_{name}_PORT", usual))

    numbered = list(enumerate(SERVICES))
    return StackPorts(
        servers=Ports(
            postgres=setting("POSTGRES", 15432),
            kafka=setting("KAFKA", 19092),
            kafka_controller=setting("KAFKA_CONTROLLER", 19093),
        ),
        api={name: setting(name.upper(), 8101 + i) for i, name in numbered},
        worker={name: setting(f"{name.upper()}_WORKER", 8111 + i) for i, name in numbered},
        metrics={name: setting(f"{name.upper()}_METRICS", 8121 + i) for i, name in numbered},
        sandbox=setting("SANDBOX", 8131),
    )


@dataclass(slots=True)
class Service:
    """A process of a service, `review-api` or `review-worker`, or that of the sandboxes; it can be
    started again.
    """

    name: str
    package: str
    command: str
    port: int
    log: Path
    env: Mapping[str, str]
    starter: Start
    _process: Process | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self._process = self.starter(
            self.name, self.package, self.command, log=self.log, env=self.env
        )

    def wait_ready(self) -> None:
        assert self._process is not None
        processes.wait_until(self._is_ready, self._process, seconds=READY_SECONDS, ready="ready")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL: it has no last words."""
        if self._process is not None:
            self._process.kill()

    def freeze(self) -> None:
        """It is there, and does nothing, until it is thawed."""
        assert self._process is not None
        self._process.freeze()

    def thaw(self) -> None:
        assert self._process is not None
        self._process.thaw()

    def run(self, command: str) -> int:
        """Another command of its package to its end, with its settings; the exit code."""
        name = f"{self.name}-{command}"
        log = self.log.with_name(f"{name}.log")
        return self.starter(name, self.package, command, log=log, env=self.env).wait()

    @property
    def pid(self) -> int:
        """Of the process that runs, where it was forked."""
        assert isinstance(self._process, Forked)
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.running()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).is_success
        except httpx.TransportError:
            return False


PORT_OF = {"api": "AFTERSALES_PORT", "worker": "AFTERSALES_WORKER_PORT"}


def replica_of(process: Service) -> Service:
    """A second API or worker of the same service: one for each core of the least machine."""
    port = processes.free_port()
    ports = {PORT_OF[process.command]: port}
    if process.command == "api":
        ports["AFTERSALES_METRICS_PORT"] = processes.free_port()
    return replace(
        process,
        name=f"{process.name}-2",
        port=port,
        log=process.log.with_name(f"{process.name}-2.log"),
        env={**process.env, **{name: str(taken) for name, taken in ports.items()}},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Everything that was started; `services` by the names of their processes."""

    folder: Path
    description: Description
    servers: Servers
    services: Mapping[str, Service]

    def token(self, role: str, sub: str, *, seller_id: str | None = None) -> str:
        return issuer.mint(self.folder, sub=sub, roles=[role], seller_id=seller_id)

    def link_token(self, order_id: str, buyer_id: str) -> str:
        """What a link to withdraw gives to a buyer without an account."""
        return issuer.mint(self.folder, sub=buyer_id, roles=["BUYER"], withdrawal_of=order_id)

    def ended(self) -> list[Service]:
        """Those that ended by themselves."""
        return [service for service in self.services.values() if not service.running()]

    def environment(self) -> dict[str, str]:
        """What a command that works with this stack is told."""
        told = self.description
        addresses = {f"AFTERSALES_{name.upper()}_URL": url for name, url in told.urls.items()}
        return addresses | {
            "AFTERSALES_KAFKA": told.kafka,
            "AFTERSALES_POSTGRES_URL": told.postgres_url,
            "AFTERSALES_STACK": str(self.folder),
            "AFTERSALES_SANDBOX_URL": told.sandbox_url,
        }


def _silence(_: str) -> None:
    pass


@contextlib.contextmanager
def stack(
    folder: Path,
    *,
    ports: StackPorts | None = None,
    ephemeral: bool = False,
    on: Servers | None = None,
    say: Callable[[str], None] = _silence,
) -> Generator[Stack]:
    """All of it, ready; at the end everything that was started is stopped.

    `on` names servers that are running already and stay.
    """
    ports = ports or StackPorts()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        keep_open = (undo.enter_context(description.locked(folder, PATIENCE_SECONDS)),)
        shutil.rmtree(folder / "logs", ignore_errors=True)  # the last run's
        (folder / "logs").mkdir()
        issuer.ensure_key(folder)
        kek.ensure_kek(folder)
        taken = _take_ports(ports)
        sandbox = processes.take_port(ports.sandbox, "the sandboxes", "AFTERSALES_SANDBOX_PORT")
        # It is at its imports while the servers start.
        modules = (*MODULES, *MIGRATING) if ephemeral else MODULES
        start = undo.enter_context(starter(folder / "logs", keep_open, modules=modules))
        started = on or undo.enter_context(
            servers(folder, ports=ports.servers, ephemeral=ephemeral, keep_open=keep_open, say=say)
        )
        prefix = _prefix(started, shared=ephemeral and (on is not None or not started.own_postgres))
        made = databases.create_databases(started.postgres_url, prefix)
        made_for_keys = databases.create_key_databases(started.postgres_url, prefix)
        if prefix:
            undo.callback(_drop, started.postgres_url, [*made.values(), *made_for_keys.values()])
            undo.callback(topics.delete_topics, started.kafka, topics.TOPICS)
        described = replace(
            _describe(folder, started, made, made_for_keys, taken),
            sandbox_url=f"http://{HOST}:{sandbox}",
        )
        _mint_source_token(folder, described)
        sandboxes = _sandboxes(described, start)
        services = {sandboxes.name: sandboxes} | {
            service.name: service
            for name in SERVICES
            for service in _processes_of(name, described, start)
        }
        undo.callback(_together, [service.stop for service in services.values()])
        say("migrating the databases and starting the services")
        _together(
            [partial(topics.create_topics, started.kafka)]
            + [partial(_bring_up, name, services) for name in SERVICES]
            + [partial(_start, sandboxes)]
        )
        undo.callback(description.remove, folder)
        description.save(folder, described)
        yield Stack(folder=folder, description=described, servers=started, services=services)


@contextlib.contextmanager
def ephemeral_stack(
    say: Callable[[str], None] = _silence, *, on: Servers | None = None
) -> Generator[Stack]:
    """All of it on free ports, with data that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="aftersales-"))
    folder.chmod(0o711)
    try:
        with stack(folder, ephemeral=True, on=on, say=say) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def doubled(stack: Stack) -> Generator[Stack]:
    """The same with a second API and a second worker of each service, ready; they end with it."""
    replicas = [replica_of(each) for each in stack.services.values() if each.command in PORT_OF]
    with contextlib.ExitStack() as undo:
        undo.callback(_together, [each.stop for each in replicas])
        _together([partial(_start, each) for each in replicas])
        yield replace(stack, services={**stack.services, **{each.name: each for each in replicas}})


def _take_ports(ports: StackPorts) -> dict[str, ServicePorts]:
    """The ports of each service."""

    def take(name: str, asked: Mapping[str, int], whose: str, setting: str) -> int:
        variable = f"AFTERSALES_{name.upper()}{setting}_PORT"
        return processes.take_port(asked.get(name, 0), f"{name}-service{whose}", variable)

    return {
        name: ServicePorts(
            api=take(name, ports.api, "", ""),
            worker=take(name, ports.worker, "'s worker", "_WORKER"),
            metrics=take(name, ports.metrics, "'s metrics", "_METRICS"),
        )
        for name in SERVICES
    }


def _prefix(started: Servers, *, shared: bool) -> str:
    """An ephemeral stack on servers that others use too keeps away from what they hold."""
    if shared and topics.any_there(started.kafka):
        raise StackError(
            f"the Kafka at {started.kafka} holds the topics of another stack: leave "
            "AFTERSALES_KAFKA unset, and an own one is started"
        )
    return f"stack_{uuid4().hex[:8]}_" if shared else ""


def _drop(admin_url: str, made: Iterable[Database]) -> None:
    with databases.Administrator(admin_url) as administrator:
        for database in made:
            administrator.drop(database.name)


def _describe(
    folder: Path,
    started: Servers,
    made: dict[str, Database],
    made_for_keys: dict[str, Database],
    ports: Mapping[str, ServicePorts],
) -> Description:
    return Description(
        pid=os.getpid(),
        urls={name: f"http://{HOST}:{taken.api}" for name, taken in ports.items()},
        worker_urls={name: f"http://{HOST}:{taken.worker}" for name, taken in ports.items()},
        metrics_urls={name: f"http://{HOST}:{taken.metrics}" for name, taken in ports.items()},
        kafka=started.kafka,
        postgres_url=started.postgres_url,
        databases=made,
        issuer=issuer.ISSUER,
        audience=issuer.AUDIENCE,
        issuer_key=str(issuer.key_file(folder)),
        jwks=str(issuer.jwks_file(folder)),
        clock_file=str(folder / "clock"),
        logs=str(folder / "logs"),
        key_databases=made_for_keys,
        kek_file=str(kek.kek_file(folder)),
    )


def environment_of(name: str, told: Description) -> dict[str, str]:
    """What the processes of a service are told."""
    return (
        inherited()
        | _keys_of(name, told)
        | (_companies(told) if name == "returns" else {})
        | {
            "AFTERSALES_ENV": "local",
            "AFTERSALES_DATABASE_URL": told.databases[name].app_url,
            "AFTERSALES_MIGRATION_URL": told.databases[name].owner_url,
            "AFTERSALES_KAFKA": told.kafka,
            "AFTERSALES_JWKS_URL": f"file://{told.jwks}",
            "AFTERSALES_ISSUER": told.issuer,
            "AFTERSALES_AUDIENCE": told.audience,
            "AFTERSALES_HOST": HOST,
            "AFTERSALES_PORT": str(_port(told.urls[name])),
            "AFTERSALES_WORKER_PORT": str(_port(told.worker_urls[name])),
            "AFTERSALES_METRICS_PORT": str(_port(told.metrics_urls[name])),
            "AFTERSALES_CLOCK_FILE": told.clock_file,
            "AFTERSALES_SOURCES": json.dumps(_sources(told)),
            "AFTERSALES_SOURCE_TOKEN_FILE": str(_source_token_file(told)),
            "AFTERSALES_MEDIA_URL": _media_folder(name, told).as_uri(),
            "AFTERSALES_LOG_LEVEL": os.environ.get("AFTERSALES_LOG_LEVEL", "INFO"),
        }
    )


def _companies(told: Description) -> dict[str, str]:
    """All on this machine: who does not answer soon does not answer."""
    return companies.companies_at(told.sandbox_url) | {"AFTERSALES_PORT_SECONDS": PORT_SECONDS}


def _sources(told: Description) -> dict[str, str]:
    """Which service has recorded each topic of ours."""
    return {topic: told.urls[service] for topic, service in topics.WRITERS.items()}


def _source_token_file(told: Description) -> Path:
    return Path(told.issuer_key).with_name("source-token")


def _mint_source_token(folder: Path, told: Description) -> None:
    """What the workers show where they ask for what a topic has lost. Good for longer than a stack
    runs.
    """
    token = issuer.mint(
        folder, sub="local-workers", roles=["CONSUMER"], ttl_seconds=SOURCE_TOKEN_SECONDS
    )
    file = _source_token_file(told)
    file.touch(mode=0o600)
    file.write_text(token)


def _media_folder(name: str, told: Description) -> Path:
    """In the stack's folder: it goes with the rest."""
    return Path(told.clock_file).parent / "media" / name


def _keys_of(name: str, told: Description) -> dict[str, str]:
    """What a service that seals is told besides."""
    if (keys := told.key_databases.get(name)) is None:
        return {}
    return {
        "AFTERSALES_KEYS_URL": keys.app_url,
        "AFTERSALES_KEYS_MIGRATION_URL": keys.owner_url,
        "AFTERSALES_KEK": Path(told.kek_file).read_text().strip(),
    }


def _processes_of(name: str, told: Description, start: Start) -> Iterable[Service]:
    for command, urls in (("api", told.urls), ("worker", told.worker_urls)):
        yield Service(
            name=f"{name}-{command}",
            package=f"{name}_service",
            command=command,
            port=_port(urls[name]),
            log=Path(told.logs) / f"{name}-{command}.log",
            env=environment_of(name, told),
            starter=start,
        )


def _sandboxes(told: Description, start: Start) -> Service:
    return Service(
        name="sandbox",
        package=companies.PACKAGE,
        command="serve",
        port=_port(told.sandbox_url),
        log=Path(told.logs) / "sandbox.log",
        env=inherited()
        | companies.environment_of_sandboxes(
            url=told.sandbox_url, clock_file=told.clock_file, returns_url=told.urls["returns"]
        ),
        starter=start,
    )


def _start(process: Service) -> None:
    process.start()
    process.wait_ready()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _bring_up(name: str, services: Mapping[str, Service]) -> None:
    api, worker = services[f"{name}-api"], services[f"{name}-worker"]
    migration = api.starter(
        f"{name}-migrate",
        api.package,
        "migrate",
        log=api.log.with_name(f"{name}-migrate.log"),
        env=api.env,
    )
    if code := migration.wait():
        raise StackError(
            f"{migration.name} failed with code {code}; see {migration.log}\n{migration.tail()}"
        )
    for service in (api, worker):
        service.start()
    for service in (api, worker):
        service.wait_ready()


def _together(steps: Sequence[Callable[[], None]]) -> None:
    """Takes all steps at once; raises the first failure after all have ended."""
    with ThreadPoolExecutor(len(steps)) as pool:
        for step in [pool.submit(step) for step in steps]:
            step.result()
