"""What every test may ask for: PostgreSQL and Kafka, real ones, started once and when first used.

database      a fresh, empty database with the addresses of its owner and of the app role
servers       both servers, which stay up
own_servers   a second pair, for tests that stop, kill and start them
kafka         the broker's address
make_topics   topics under names that no other test has
impatient     reads do not wait for what their token stands for
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from uuid import uuid4

import pytest
from hypothesis import settings
from local_stack.databases import Administrator, Database
from local_stack.servers import Servers, ephemeral_servers
from local_stack.services import Stack, ephemeral_stack
from local_stack.topics import create_topics
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ("local_stack.service_kit",)

settings.register_profile("check", derandomize=True, deadline=None)
settings.register_profile("hunt", max_examples=10_000, deadline=None)
settings.load_profile("check")  # pytest --hypothesis-profile=hunt wins


# httpx looks on the disk for what is not installed, at each request: told so, it need not.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

STARTING = {"servers", "own_servers", "stack"}
WHOLE_STACK = "tests/integration"
EACH_SERVICE = "tests/"
STOPPING = pytest.StashKey[ExitStack]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start servers are marked, so that the fast ones can be run alone. Those of whole
    services take longest: they are begun first where others run beside them, behind them those that
    ask each service for minutes, so that nobody is waited for at the end; where they are alone,
    they come last. The stack is there for as long as it is used: those that ask for it come one
    after the other, behind those that have one of their own.
    """
    for item in items:
        if STARTING.intersection(fixtures_of(item)):
            item.add_marker("servers")
        if "stack" in fixtures_of(item) and WHOLE_STACK not in item.nodeid:
            pytest.fail(f"{item.nodeid} needs the stack, so it belongs in {WHOLE_STACK}")
    first = "PYTEST_XDIST_WORKER" in os.environ
    items.sort(
        key=lambda item: (
            (WHOLE_STACK in item.nodeid) is not first,
            first and not item.nodeid.startswith(EACH_SERVICE),
            "stack" in fixtures_of(item),
        )
    )


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A stack that has nothing to do takes 0.4 of a core: it is stopped behind its last test."""
    over = nextitem is not None and "stack" not in fixtures_of(nextitem)
    if over and "stack" in fixtures_of(item):
        item.config.stash[STOPPING].close()


class ByFile(LoadFileScheduling):
    """Three processes (`make test`) share the tests file by file, as a test may go on where the one
    before it ended; those of whole services are one piece, so that one stack does. They are one
    more than there are cores: each waits a good part of its time.

    Groups by a mark would say the same, but xdist 3.8 loses them under pytest 9.2 (pytest-dev/
    pytest-xdist#1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return WHOLE_STACK if file.startswith(WHOLE_STACK) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def pytest_collection_finish() -> None:
    """What is there by now stays: looking through it for garbage took a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Shared by all tests: leave both running."""
    with ephemeral_servers(durable=False) as started:
        yield started


@pytest.fixture(scope="session")
def own_servers() -> Iterator[Servers]:
    """Whoever stops or kills one starts it again for the next."""
    with ephemeral_servers(durable=False) as started:
        yield started


@pytest.fixture(scope="session")
def administrator(servers: Servers) -> Iterator[Administrator]:
    """Of the databases on them."""
    with Administrator(servers.postgres_url) as administrator:
        yield administrator


@pytest.fixture
def make_database(administrator: Administrator) -> Iterator[Callable[..., Database]]:
    """Makes any number of databases; `template` names one to copy (nobody may be using it)."""
    made: list[Database] = []

    def make(template: str = "template1") -> Database:
        name = f"test_{uuid4().hex[:12]}"
        made.append(administrator.create(name, template))
        return made[-1]

    yield make
    for database in made:
        administrator.drop(database.name)


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture
def kafka(servers: Servers) -> str:
    return servers.kafka


@pytest.fixture
def make_topics(kafka: str) -> Callable[..., list[str]]:
    """Topics of 64 partitions, named after those given but unlike any other test's."""

    def make(*names: str) -> list[str]:
        unlike = uuid4().hex[:8]
        made = [f"{name}.{unlike}" for name in names]
        create_topics(kafka, made)
        return made

    return make


@pytest.fixture(scope="session")
def stack(servers: Servers, pytestconfig: pytest.Config) -> Iterator[Stack]:
    """The services, shared by all tests: use ids that no other test has."""
    with ExitStack() as stopping:
        pytestconfig.stash[STOPPING] = stopping
        yield stopping.enter_context(ephemeral_stack(on=servers))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that comes too early says so at once, and not after two seconds."""
    monkeypatch.setattr("shared_runtime.reading.VISIBLE_SECONDS_MAX", 0.05)
