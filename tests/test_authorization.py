"""Each route lets in whom the committed table says and nobody else: tried over HTTP, by each role.

The services are in this process, and have a database: whoever is let in is answered by it.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from local_stack import issuer
from local_stack.databases import Database
from shared_runtime.service import Service, openapi_document

from tests.authorization import LINK, NONE, ROLES, SERVICES, Entry, page, read

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "authorization.md"
BY_NAME = {service.name: service for service in SERVICES}


@pytest.fixture(params=BY_NAME)
def service(request: pytest.FixtureRequest) -> Service[Any]:
    return BY_NAME[request.param]


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
def table(service: Service[Any]) -> list[Entry]:
    return read(PAGE.read_text())[service.name]


def test_the_table_is_that_of_this_release() -> None:
    assert PAGE.read_text() == page(), "`make docs` writes it anew: look through what has changed"


def test_every_documented_route_is_in_the_table() -> None:
    for name, entries in read(PAGE.read_text()).items():
        paths = json.loads(openapi_document(BY_NAME[name]))["paths"]
        documented = {(method.upper(), path) for path in paths for method in paths[path]}
        health = {("GET", "/livez"), ("GET", "/readyz")}
        assert {(each.method, each.path) for each in entries} == documented - health


@pytest.mark.parametrize("name", BY_NAME)
def test_whoever_is_not_let_in_finds_it_in_the_document(name: str) -> None:
    paths = json.loads(openapi_document(BY_NAME[name]))["paths"]
    for entry in read(PAGE.read_text())[name]:
        if NONE not in entry.lets_in:
            told = paths[entry.path][entry.method.lower()]["responses"]["403"]["content"]
            assert "role-not-allowed" in told["application/problem+json"]["examples"], entry


class Callers:
    """Clients of one service, by who asks."""

    def __init__(self, api: httpx.ASGITransport, keys: Path) -> None:
        self._api = api
        self._keys = keys

    def __call__(self, who: str) -> httpx.AsyncClient:
        headers = {} if who == NONE else {"Authorization": f"Bearer {self._token(who)}"}
        return httpx.AsyncClient(transport=self._api, base_url="http://service", headers=headers)

    def _token(self, who: str) -> str:
        if who == LINK:  # whatever roles its issuer has given it besides
            return issuer.mint(self._keys, sub="B1", roles=ROLES, withdrawal_of="X1")
        return issuer.mint(self._keys, sub="X1", roles=[who])


async def outcome(client: httpx.AsyncClient, entry: Entry) -> str:
    """How somebody fares at the door; behind it, whatever is answered."""
    answered = await client.request(entry.method, re.sub(r"{\w+}", "X1", entry.path))
    assert not answered.is_server_error, f"{entry.method} {entry.path}: {answered.text}"
    if answered.is_success:
        return "let in"
    told = answered.json()["type"].removeprefix("/problems/")
    return (
        told if told in ("unauthenticated", "role-not-allowed", "scope-not-allowed") else "let in"
    )


async def test_each_route_lets_in_whom_the_table_says(
    api: FastAPI, keys: Path, table: list[Entry]
) -> None:
    callers = Callers(httpx.ASGITransport(api, raise_app_exceptions=False), keys)
    refusals = {LINK: "scope-not-allowed", NONE: "unauthenticated"}
    for who in (*ROLES, LINK, NONE):
        async with callers(who) as client:
            for entry in table:
                wanted = refusals.get(who, "role-not-allowed")
                if who in entry.lets_in:
                    wanted = "let in"
                if NONE in entry.lets_in:  # its signature is missing, whoever asks
                    wanted = "let in" if entry.path.startswith("/media") else "unauthenticated"
                assert await outcome(client, entry) == wanted, (who, entry.method, entry.path)
