"""What the tests of whole services share.

provider   pays refunds, unless it is told to refuse those of an order
lives      has the stories of a module lived side by side: what went wrong, by their names
by_client  has people ask by the client that is generated for Python
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from local_stack.databases import SERVICES
from local_stack.people import Person, Provider
from local_stack.returning import Lives, Tale, lived_side_by_side
from local_stack.services import Stack
from shared_cli import clock

from tests.integration.by_client import ByClient

FOLDER = Path(__file__).parent
BEHIND_ALL = FOLDER / "test_operations.py"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What all of them have asked for is looked at when all of them have been run, and only then:
    behind those that want the stack, as one that wants it.
    """
    items.sort(key=lambda item: item.path == BEHIND_ALL)
    some = config.getoption("keyword") or any("::" in each for each in config.args)
    if some or {*FOLDER.glob("test_*.py")} - {item.path for item in items}:
        why = pytest.mark.skip(reason="not all of tests/integration is run")
        for item in items:
            if item.path == BEHIND_ALL and "stack" in getattr(item, "fixturenames", ()):
                item.add_marker(why)


@pytest.fixture(scope="session", autouse=True)
def by_client() -> Iterator[None]:
    ways = {service: ByClient(service) for service in SERVICES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Person, "ways", ways)
        yield


@pytest.fixture
def provider(stack: Stack) -> Provider:
    return Provider(stack)


@pytest.fixture(scope="module")
def lives(stack: Stack, request: pytest.FixtureRequest) -> Lives:
    """Those whose tests are run."""
    wanted = {
        item.callspec.params["story"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
        and "story" in item.callspec.params
    }

    def live(tales: Mapping[str, Tale]) -> dict[str, Exception]:
        chosen = {name: tell for name, tell in tales.items() if name in wanted}
        move = partial(clock.move, Path(stack.description.clock_file))
        return lived_side_by_side(stack, chosen, move)

    return live
