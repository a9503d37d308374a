"""Whatever is sent to a service, it answers as its OpenAPI document says: all that schemathesis can
check, by somebody with every role, so that no request ends at the door.

Requests are made from the document: its examples, and each bound of each parameter and member from
both sides. They are the same at every run.
"""

import asyncio
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from local_stack import issuer
from local_stack.databases import Database
from local_stack.processes import free_port
from shared_runtime.decider import Role
from shared_runtime.http import serve
from shared_runtime.service import Service, openapi_document

from tests.authorization import SERVICES

REPOSITORY = Path(__file__).parents[1]
BY_NAME = {service.name: service for service in SERVICES}
OURS_INSTEAD = "positive_data_acceptance,negative_data_rejection"
PROCESSOR_SECONDS_MAX = 200
"""Of who asks and who answers, for all services together. How long that is by the clock depends on
what else a machine does.
"""
SECONDS_MAX = 1_200
"""What takes as long is stuck."""


@pytest.fixture(params=BY_NAME)
def service(request: pytest.FixtureRequest) -> Service[Any]:
    return BY_NAME[request.param]


@pytest.fixture(scope="module")
def taken() -> dict[str, float]:
    """The seconds of processor time that were taken, by service."""
    return {}


def processor_seconds() -> float:
    """Ours so far, and that of processes of ours that have ended."""
    used = (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.fixture
def database(make_database: Any, template: str) -> Database:  # noqa: ANN401
    made: Database = make_database(template)
    return made


@pytest.fixture
def document(service: Service[Any], tmp_path: Path) -> Path:
    """Written before a loop runs: making it takes one."""
    file = tmp_path / "openapi.json"
    file.write_text(openapi_document(service))
    return file


async def test_whatever_is_sent_the_answer_is_one_of_those_that_are_told_of(
    *,
    api: FastAPI,
    keys: Path,
    service: Service[Any],
    document: Path,
    tmp_path: Path,
    taken: dict[str, float],
) -> None:
    before = processor_seconds()
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(api, host="127.0.0.1", port=port, stop=stop))
    token = issuer.mint(keys, sub="B-5", roles=get_args(Role.__value__), seller_id="S-77")
    asking = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("st"), "--config-file", "tests/schemathesis.toml"),
        *("run", document, "--url", f"http://127.0.0.1:{port}"),
        *("--header", f"Authorization: Bearer {token}", "--phases", "examples,coverage"),
        # Ours stand in the place of these: as strict, but for what no schema can say.
        *("--checks", "all", "--exclude-checks", OURS_INSTEAD),
        *("--warnings", "off", "--continue-on-failure", "--workers", "2"),
        *("--report-dir", tmp_path),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await asyncio.wait_for(asking.communicate(), SECONDS_MAX)
    finally:
        stop.set()
        await serving
    assert asking.returncode == 0, told.decode()
    assert b"Coverage" in told
    taken[service.name] = processor_seconds() - before
    assert sum(taken.values()) < PROCESSOR_SECONDS_MAX, taken
