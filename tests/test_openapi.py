"""The OpenAPI documents of the four services: what they show is true, and can be relied on."""

import json
import re
from collections.abc import Iterator
from functools import cache
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
from dispute_service.app import SERVICE as DISPUTE
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from jsonschema_rs import Validator, validator_for
from local_stack import issuer
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_casework.meanings import PEOPLE
from shared_runtime import media_api, webhooks_api
from shared_runtime.auth import RolesRequired
from shared_runtime.bounds import FORMS, in_a_sentence
from shared_runtime.clock import system_clock
from shared_runtime.documents import OF_COMMANDS
from shared_runtime.edge import SHARED_WITH_ORIGINS
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts, Service, api_app, openapi_document
from shared_runtime.testing import InMemoryKeyStore
from shared_runtime.words import meanings
from starlette.routing import BaseRoute

SERVICES: dict[str, Service[Any]] = {
    service.name: service for service in (REVIEW, DISPUTE, RETURNS, REPUTATION)
}
BY_LINK = {
    ("returns-service", "post", "/v1/withdrawals"),
    ("returns-service", "post", "/v1/withdrawals/{return_id}/confirmation"),
    ("returns-service", "get", "/v1/returns/{return_id}"),
    ("returns-service", "get", "/v1/orders/{order_id}/return-eligibility"),
}
"""All that a token of scope `withdrawal` opens, of four services."""
VERSIONED_FOR_STAFF = {
    "/v1/orders/{order_id}/delay-attribution",
    "/v1/orders/{order_id}/refunds/goodwill",
    "/v1/returns/{return_id}/advances/confirmation",
    "/v1/returns/{return_id}/approval",
    "/v1/returns/{return_id}/refusal",
}
"""Where it depends on who asks whether he has to say which version he saw."""
ROLES = ("BUYER", "SELLER", "SENIOR", "MODERATOR", "ANALYST", "AUDITOR", "SYSTEM", "IMPORTER")

of_every_service = pytest.mark.parametrize("service", SERVICES)


@cache
def document(service: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(openapi_document(SERVICES[service]))
    return told


def operations(of: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in of["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def examples(whole: object, place: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each example in a part of a document: where it is, the schema that it is of, and itself."""
    if isinstance(whole, list):
        for number, each in enumerate(cast("list[object]", whole)):
            yield from examples(each, f"{place}/{number}")
    if not isinstance(whole, dict):
        return
    part = cast("dict[str, Any]", whole)
    shown = part.get("examples", ())
    if isinstance(shown, list):
        yield from ((f"{place}/examples", part, each) for each in cast("list[object]", shown))
    elif "schema" in part:
        if "example" in part:
            yield place, part["schema"], part["example"]
        for name in shown:
            yield f"{place}/{name}", part["schema"], shown[name]["value"]
    for name, each in part.items():
        yield from examples(each, f"{place}/{name}")


@cache
def validator_of(service: str, schema: str) -> Validator:
    """Most of a thousand examples are of the same few schemas."""
    return validator_for(json.loads(schema) | {"components": document(service)["components"]})


def faults(service: str, schema: dict[str, Any], example: object) -> list[str]:
    validator = validator_of(service, json.dumps(schema))
    return [error.message for error in validator.iter_errors(example)]


@of_every_service
def test_every_example_is_one_of_its_schema(service: str) -> None:
    of = document(service)
    shown = 0
    for place, schema, example in examples(of):
        assert not faults(service, schema, example), place
        if "contentSchema" in schema:
            for line in example.splitlines():
                assert not faults(service, schema["contentSchema"], json.loads(line)), place
        shown += 1
    assert shown >= 6


def patterns(whole: object) -> Iterator[tuple[str, str]]:
    """Each pattern of a document, and how its schema is described."""
    if isinstance(whole, list):
        for each in cast("list[object]", whole):
            yield from patterns(each)
    if isinstance(whole, dict):
        part = cast("dict[str, Any]", whole)
        if isinstance(part.get("pattern"), str):
            yield part["pattern"], part.get("description", "")
        for each in part.values():
            yield from patterns(each)


@of_every_service
def test_beside_each_pattern_stands_what_it_says_in_words(service: str) -> None:
    found = [*patterns(document(service))]
    assert len({pattern for pattern, _ in found}) >= 4
    for pattern, described in found:
        words = in_a_sentence(FORMS[pattern])
        assert described.count(words) == 1, pattern


def lists(whole: object) -> Iterator[tuple[list[str], str]]:
    """Each list of words of a document, and how its schema is described."""
    if isinstance(whole, list):
        for each in cast("list[object]", whole):
            yield from lists(each)
    if isinstance(whole, dict):
        part = cast("dict[str, Any]", whole)
        if isinstance(part.get("enum"), list):
            yield part["enum"], part.get("description", "")
        if re.fullmatch(r"[A-Z][A-Z_]+", str(part.get("const"))):
            yield [part["const"]], part.get("description", "")
        for each in part.values():
            yield from lists(each)


@of_every_service
def test_beside_each_list_of_words_stands_what_each_of_them_means(service: str) -> None:
    found = [*lists(document(service))]
    assert len(found) >= 30
    for words, described in found:
        told = re.findall(r"^- `(.+)`: (.+\.)$", described, re.MULTILINE)
        assert [word for word, _ in told] == words


def test_what_words_mean_is_said_of_those_alone_that_there_are() -> None:
    """In the documents of whoever has the table: most have theirs to themselves."""
    told = {
        service.name: {
            pair
            for words, _ in lists(document(service.name))
            for pair in (meanings(words, service.words) or {}).items()
        }
        for service in SERVICES.values()
    }
    for table in (table for service in SERVICES.values() for table in service.words):
        if table is not PEOPLE:
            having = [each for each in SERVICES.values() if any(it is table for it in each.words)]
            assert {pair for each in having for pair in told[each.name]} >= table.items()


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        (r"^[A-Z]{2}$", "DE", "de"),
        (r"^[A-Z]{3}$", "EUR", "EURO"),
        (r"^[0-9a-f]{64}$", "0f" * 32, "0F" * 32),
        (r"^[!-~]+$", "order-1", "order 1"),
        (r"^https?://[!-~]+$", "https://shop.example/a", "ftp://shop.example/"),
        (r'^"([0-9]{1,9})"$', '"3"', "3"),
        (r"^[A-Z][A-Z0-9_]{0,63}$", "SIZE_2", "2_SIZE"),
        (r"^[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?$", "zh-Hant", "pt_BR"),
    ],
)
def test_the_words_about_a_pattern_are_true(pattern: str, fits: str, does_not: str) -> None:
    assert re.search(pattern, fits)
    assert not re.search(pattern, does_not)
    for shown in re.findall(r"like (.+?)(?: or (.+))?$", FORMS[pattern]):
        assert all(re.search(pattern, each) for each in shown if each)


def test_all_patterns_with_words_are_looked_at() -> None:
    used = {pattern for service in SERVICES for pattern, _ in patterns(document(service))}
    assert used == FORMS.keys()


@of_every_service
def test_every_answer_says_what_its_members_are(service: str) -> None:
    for path, method, operation in operations(document(service)):
        for status, told in operation["responses"].items():
            schema = told.get("content", {}).get("application/json", {}).get("schema")
            assert schema != {"type": "object"}, f"{method} {path}: {status}"


@of_every_service
def test_an_example_of_a_problem_shows_what_its_members_are_like(service: str) -> None:
    for path, _, operation in operations(document(service)):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    members = example["value"].values()
                    assert all(member not in ("…", "", []) for member in members), path


@of_every_service
def test_every_operation_has_a_name_of_its_own_that_is_one(service: str) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document(service))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in names), names


@of_every_service
def test_no_schema_is_called_by_the_module_that_it_is_in(service: str) -> None:
    names = document(service)["components"]["schemas"]
    assert not [name for name in names if "__" in name]


@of_every_service
def test_a_document_says_whose_it_is_and_what_its_parts_are(service: str) -> None:
    of = document(service)
    assert of["info"]["license"]["identifier"] == "Apache-2.0"
    assert [server["url"] for server in of["servers"]] == ["/"]
    used = {tag for _, _, operation in operations(of) for tag in operation["tags"]}
    described = {tag["name"]: tag["description"] for tag in of["tags"]}
    assert used == described.keys()
    assert all(described.values())


@of_every_service
def test_health_is_asked_by_anybody_and_answers_no_more_than_it_says(
    service: str,
) -> None:
    of = document(service)["paths"]
    assert "/metrics" not in of
    for path in ("/livez", "/readyz"):
        assert of[path]["get"]["responses"].keys() == {"200", "422", "503"}


@of_every_service
def test_who_is_to_try_again_is_told_when(service: str) -> None:
    for path, _, operation in operations(document(service)):
        for status in operation["responses"].keys() & {"429", "503"}:
            assert "Retry-After" in operation["responses"][status]["headers"], path


@of_every_service
def test_a_header_or_a_parameter_is_there_or_it_is_not(service: str) -> None:
    """An address has no null: a client that was made from the document would send the word."""
    for path, _, operation in operations(document(service)):
        for parameter in operation.get("parameters", ()):
            kinds = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            assert "null" not in [kind.get("type") for kind in kinds], (path, parameter["name"])


@of_every_service
def test_what_every_request_needs_is_required(service: str) -> None:
    """Who may leave it out is not told that it is missing."""
    for path, _, operation in operations(document(service)):
        rules = {
            rule
            for answer in operation["responses"].values()
            for content in answer.get("content", {}).values()
            for rule in content.get("examples", ())
        }
        needed = {each["name"]: each["required"] for each in operation.get("parameters", ())}
        assert needed.get("Idempotency-Key", False) == ("idempotency-key-missing" in rules), path
        if path not in VERSIONED_FOR_STAFF:
            assert needed.get("If-Match", False) == ("precondition-required" in rules), path


@of_every_service
def test_what_an_answer_of_a_command_says_in_its_headers_is_documented(service: str) -> None:
    """A file is in no stream, nor is a webhook: they have no version and nothing to wait for."""
    for path, method, operation in operations(document(service)):
        parameters = {each["name"] for each in operation.get("parameters", ())}
        of_no_stream = path.startswith((media_api.PATH, webhooks_api.PATH))
        if "Idempotency-Key" not in parameters or of_no_stream:
            continue
        for status in operation["responses"].keys() & {"200", "201"}:
            headers = operation["responses"][status].get("headers", {}).keys()
            assert headers >= {*OF_COMMANDS}, (method, path, status)


def test_a_page_of_another_origin_may_send_all_that_is_not_a_companys_to_send() -> None:
    """What its browser holds back, no shop's page can use."""
    told = [each for service in SERVICES for each in operations(document(service))]
    methods = {method.upper() for _, method, _ in told}
    headers = {
        parameter["name"]
        for _, _, operation in told
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header" and not parameter["name"].startswith("webhook-")
    }
    assert {*SHARED_WITH_ORIGINS["allow_methods"]} == methods
    assert {*SHARED_WITH_ORIGINS["allow_headers"]} == headers | {"Authorization", "Content-Type"}


@pytest.fixture
def of(service: str) -> dict[str, Any]:
    """Its document, made before a loop runs: making it takes one."""
    return document(service)


@pytest.fixture
async def parts(service: str, tmp_path: Path) -> Parts[Any]:
    """Those of an API without a database: for what is refused before anybody asks it."""
    issuer.ensure_key(tmp_path)
    of = SERVICES[service]
    settings = of.settings.model_construct(
        env="local",
        jwks_url=f"file://{issuer.jwks_file(tmp_path)}",
        issuer=issuer.ISSUER,
        audience=issuer.AUDIENCE,
    )
    pool = asyncpg.create_pool(min_size=0)
    log = PostgresLog(pool, source=f"/{service}", now=system_clock)
    keys = InMemoryKeyStore() if of.seals else None
    return Parts(settings=settings, pool=pool, log=log, now=system_clock, key_store=keys)


def calls(of: Dependant) -> Iterator[Any]:
    """What FastAPI calls for a request: the route, and all that it depends on."""
    assert of.call is not None
    yield of.call
    for each in of.dependencies:
        yield from calls(each)


@of_every_service
def test_nothing_that_a_route_depends_on_is_taken_to_a_thread(
    service: str, parts: Parts[Any]
) -> None:
    """FastAPI does so with whatever is no coroutine, and that takes longer than the work."""
    routes = [each for router in SERVICES[service].routers(parts) for each in router.routes]
    for route in routes:
        assert isinstance(route, APIRoute)
        for call in calls(route.dependant):
            assert iscoroutinefunction(call) or iscoroutinefunction(call.__call__), (route, call)


@of_every_service
async def test_no_route_takes_a_parameter_that_it_does_not_know(
    service: str, of: dict[str, Any], parts: Parts[Any], tmp_path: Path
) -> None:
    token = issuer.mint(tmp_path, sub="B1", roles=[*ROLES])
    asked = 0
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api_app(SERVICES[service], parts)),
        base_url="http://service",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        for path, method, operation in operations(of):
            parameters = operation.get("parameters", ())
            query = {each["name"]: "x" for each in parameters if each["in"] == "query"}
            filled = re.sub(r"{\w+}", "X1", path)
            answered = await client.request(method, filled, params=query | {"nobody_knows": "1"})
            errors = [{"field": "nobody_knows", "bound": "unknown parameter"}]
            assert (answered.status_code, answered.json()["errors"]) == (422, errors), path
            asked += 1
    assert asked >= 2


@of_every_service
async def test_i21_a_token_to_withdraw_opens_what_says_so_and_no_other_door(
    service: str, of: dict[str, Any], parts: Parts[Any], tmp_path: Path
) -> None:
    """Whatever roles its issuer has given it besides."""
    token = issuer.mint(tmp_path, sub="B1", roles=[*ROLES], withdrawal_of="O-1")
    asked = 0
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api_app(SERVICES[service], parts)),
        base_url="http://service",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        for path, method, operation in operations(of):
            if "security" not in operation:
                continue  # signed, or told to anybody
            answered = await client.request(method, re.sub(r"{\w+}", "X1", path))
            is_refused = answered.json()["type"] == "/problems/scope-not-allowed"
            is_told = "token of scope `withdrawal`" in operation["description"]
            by_link = (service, method, path) in BY_LINK
            assert (is_refused, is_told) == (not by_link, by_link), (method, path, answered.text)
            asked += 1
    routes = [each for router in SERVICES[service].routers(parts) for each in router.routes]
    assert asked == sum(bool(roles_of(each)) for each in routes) >= 20


def roles_of(route: BaseRoute) -> list[RolesRequired]:
    """Whom it is for; none are asked for where it is signed."""
    assert isinstance(route, APIRoute)
    return [call for call in calls(route.dependant) if isinstance(call, RolesRequired)]
