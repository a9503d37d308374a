"""What the gateway leads to a service is what the service documents, and nothing else.

No server is started: what is written is compared with the documents, with the code's own problems
and with itself.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from deploy_tools.host_mode import PARTS, Resource, resources
from deploy_tools.routes import (
    FOLDER,
    MATCH_LENGTH_MAX,
    SERVICES,
    Kind,
    Operation,
    document_of,
    manifest,
    operations,
    pattern,
)
from shared_runtime.decider import NotFound, RateLimited, Refused
from shared_runtime.edge import BODY_BYTES_MAX, SHARED_WITH_ORIGINS
from shared_runtime.problems import (
    PROBLEM_TYPE,
    STATUSES,
    BodyTooLarge,
    InternalError,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
    problem_body,
    status_of,
)

DEPLOYED = [each for part in PARTS for each in resources(part)]
KINDS: tuple[Kind, ...] = ("ordinary", "streams", "signed")
of_every_service = pytest.mark.parametrize("service", SERVICES)


def of_kind(kind: str) -> list[Resource]:
    return [each for each in DEPLOYED if each["kind"] == kind]


def routed(service: str, path: str) -> set[str]:
    """The kinds of routes that a path of a service's host is led by."""
    return {
        route["metadata"]["labels"]["aftersales.dev/route"]
        for route in of_kind("HTTPRoute")
        for rule in route["spec"]["rules"]
        for match in rule.get("matches", ())
        if f"{service}.aftersales.example" in route["spec"]["hostnames"]
        and is_match(match["path"], path)
    }


def is_match(match: dict[str, str], path: str) -> bool:
    if match["type"] == "Exact":
        return path == match["value"]
    assert match["type"] == "RegularExpression", "a prefix leads to what nobody has documented"
    return re.fullmatch(match["value"], path) is not None


def filled(path: str) -> str:
    return re.sub(r"{\w+}", "X1", path)


@of_every_service
def test_the_routes_are_those_of_the_document(service: str) -> None:
    committed = (FOLDER / f"{service}.yaml").read_text()
    assert committed == manifest(service, document_of(service)), "`make docs` writes them anew"


@of_every_service
def test_each_operation_is_reached_by_the_route_of_its_kind(service: str) -> None:
    asked = 0
    for each in operations(service, document_of(service)):
        kinds = routed(service, filled(each.path))
        # A fixed path may look like one with an id in it: an exact match goes before a pattern.
        assert kinds - {"ordinary"} == {each.kind} - {"ordinary", None}, each
        assert ("ordinary" in kinds) or each.kind != "ordinary", each
        asked += 1
    assert asked > 40


@of_every_service
def test_health_metrics_and_what_is_not_documented_are_reached_by_nobody(service: str) -> None:
    inside = [each.path for each in operations(service, document_of(service)) if not each.kind]
    assert inside == ["/livez", "/readyz"]
    for path in (*inside, "/", "/metrics", "/docs", "/openapi.json", "/v1", "/v1/", "/v2/orders"):
        assert routed(service, path) == set(), path
    for each in operations(service, document_of(service)):
        assert routed(service, f"{filled(each.path)}/nobody/knows/it") == set(), each


def test_pages_of_the_same_origins_may_ask_with_a_token_and_by_a_link() -> None:
    with_token, by_link = (each["spec"]["cors"] for each in of_kind("SecurityPolicy"))
    assert with_token == by_link
    shared = {
        "allow_methods": with_token["allowMethods"],
        "allow_headers": with_token["allowHeaders"],
        "expose_headers": with_token["exposeHeaders"],
    }
    assert shared == {name: [*values] for name, values in SHARED_WITH_ORIGINS.items()}


@of_every_service
def test_no_token_is_needed_only_where_the_document_says_so(service: str) -> None:
    paths = document_of(service)["paths"]
    open_to_all = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if "security" not in operation and path not in ("/livez", "/readyz")
    }
    assert {path for path in paths if "signed" in routed(service, filled(path))} == open_to_all
    assert all(path == "/media/{media_id}" or "/webhooks/" in path for path in open_to_all)


def operation(**members: object) -> dict[str, Any]:
    return {"tags": ["orders"], "security": [], "responses": {}, **members}


def kinds_of(paths: dict[str, Any]) -> list[Operation]:
    return list(operations("review", {"paths": paths}))


def test_a_path_is_with_a_token_by_each_of_its_methods_or_by_none() -> None:
    signed: dict[str, Any] = {"tags": ["orders"], "responses": {}}
    with pytest.raises(ValueError, match="/v1/orders is reached with a token"):
        kinds_of({"/v1/orders": {"get": operation(), "post": signed}})


def test_what_comes_or_goes_in_lines_is_a_stream() -> None:
    lines: dict[str, Any] = {"content": {"application/x-ndjson": {}}}
    read, written = operation(responses={"200": lines}), operation(requestBody=lines)
    told = kinds_of({"/v1/export": {"get": read}, "/v1/import": {"post": written}})
    assert [each.kind for each in told] == ["streams", "streams"]


def test_a_pattern_matches_its_paths_whole_and_no_others() -> None:
    paths = ["/v1/a", "/v1/a/{id}", "/v1/a/{id}/b/{other}/c", "/v1/b-c/{id}/d"]
    matches = re.compile("".join(pattern(paths))).fullmatch
    assert all(matches(filled(path)) for path in paths)
    for path in ("/v1", "/v1/a/", "/v1/a/X1/b", "/v1/a/X1/b/X1", "/v1/b-c/X1", "/v1/b-c", "/v1/aa"):
        assert not matches(path), path


def test_a_path_that_a_pattern_would_read_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="escaped"):
        pattern(["/v1/a.b"])
    with pytest.raises(ValueError, match="not under"):
        pattern(["/a"])


@of_every_service
def test_an_account_has_one_bucket_at_each_service(service: str) -> None:
    """Envoy has one for each match."""
    (route,) = (each for each in of_kind("HTTPRoute") if each["metadata"]["name"] == service)
    (rule,) = route["spec"]["rules"]
    (match,) = rule["matches"]
    assert len(match["path"]["value"]) <= MATCH_LENGTH_MAX


def policies(kind: str) -> Iterator[tuple[set[str], dict[str, Any]]]:
    """Of those of a kind that are for routes, the routes and what it says of them."""
    for each in of_kind(kind):
        targets = each["spec"]["targetRefs"]
        if {target["kind"] for target in targets} == {"HTTPRoute"}:
            yield {target["name"] for target in targets}, each["spec"]


def routes_of(*kinds: Kind | Literal["nothing"]) -> set[str]:
    return {
        route["metadata"]["name"]
        for route in of_kind("HTTPRoute")
        if route["metadata"]["labels"]["aftersales.dev/route"] in kinds
    }


def test_every_route_has_the_limits_of_its_kind() -> None:
    limits = list(policies("BackendTrafficPolicy"))
    assert len(limits) == len(KINDS)
    for kind in KINDS:
        (spec,) = (spec for names, spec in limits if names == routes_of(kind))
        assert spec["mergeType"], "the answers of all routes hold too"
        assert spec["rateLimit"]["local"]["rules"]
        assert ("requestBuffer" in spec) == (kind != "streams")
    assert routes_of(*KINDS, "nothing") == {
        route["metadata"]["name"] for route in of_kind("HTTPRoute")
    }


def test_all_but_signed_routes_and_what_is_not_there_need_a_token() -> None:
    ((without, _),) = policies("SecurityPolicy")
    assert without == routes_of("signed", "nothing")
    (everywhere,) = (each for each in of_kind("SecurityPolicy") if "jwt" in each["spec"])
    assert [target["kind"] for target in everywhere["spec"]["targetRefs"]] == ["Gateway"]


def test_what_the_gateway_says_is_what_a_service_would() -> None:
    (answers,) = (
        each["spec"]["responseOverride"]
        for each in of_kind("BackendTrafficPolicy")
        if "responseOverride" in each["spec"]
    )
    (nothing,) = (each["spec"]["directResponse"] for each in of_kind("HTTPRouteFilter"))
    told = {
        body["status"]: body
        for each in (*(answer["response"] for answer in answers), nothing)
        for body in [json.loads(each["body"]["inline"])]
    }
    own: list[Refused] = [
        Unauthenticated(),
        NotFound(),
        RequestTimeout(),
        BodyTooLarge(limit_bytes=BODY_BYTES_MAX),
        InternalError(),
        Unavailable(),
    ]
    for refused in own:
        assert told.pop(status_of(type(refused))) == problem_body(refused)
    limited = told.pop(429)
    assert limited == {name: limited[name] for name in ("type", "title", "status", "detail")}
    assert limited["type"] == f"/problems/{RateLimited.slug()}"
    assert limited["detail"] == RateLimited.message()
    assert {body["type"] for body in told.values()} == {"/problems/gateway-timeout"}


def test_what_is_said_of_a_head_is_a_problem_too_and_the_same_where_a_service_has_it() -> None:
    (patch,) = (
        each["spec"]["jsonPatches"][0]["operation"]["value"] for each in of_kind("EnvoyPatchPolicy")
    )
    formats = [each["body_format_override"] for each in patch["mappers"] if len(each) > 1]
    assert {each["content_type"] for each in formats} == {PROBLEM_TYPE}
    told = {
        body["status"]: body
        for each in formats
        for body in [json.loads(each["text_format_source"]["inline_string"])]
    }
    assert told.keys() == {400, 404, 408, 426, 431, 501}
    assert told[404] == problem_body(NotFound())
    late = problem_body(RequestTimeout())
    assert told[408] == late | {"detail": "The head did not come in time."}
    for status, body in told.items():
        assert [*body] == ["type", "title", "status", "detail"]
        slug = body["type"].removeprefix("/problems/")
        assert body["title"] == slug.replace("-", " ").capitalize()
        assert slug not in STATUSES or STATUSES[slug] == status


def test_the_gateway_takes_what_a_service_takes() -> None:
    buffers = {
        spec["requestBuffer"]["limit"]
        for _, spec in policies("BackendTrafficPolicy")
        if "requestBuffer" in spec
    }
    assert buffers == {f"{BODY_BYTES_MAX // 1024}Ki"}
