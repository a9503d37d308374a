"""The OpenAPI documents keep the rules of redocly.yaml; each of what they forbid is found."""

import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_tools.cache import OPENAPI_LINT, Absent, node, program

LINT = """
import { lint, loadConfig } from "@redocly/openapi-core";
const [configPath, ...files] = process.argv.slice(1);
const config = await loadConfig({ configPath });
const told = {};
for (const ref of files) {
  told[ref] = (await lint({ ref, config })).map(({ ruleId, message, location }) => ({
    rule: ruleId,
    said: `${location[0].pointer}: ${message}`,
  }));
}
console.log(JSON.stringify(told));
"""
"""Files in, what is to be said of each out, as JSON."""
REPOSITORY = Path(__file__).parents[3]
DOCUMENTS = REPOSITORY / "docs" / "reference" / "openapi"
RULES = REPOSITORY / "redocly.yaml"
SECONDS_MAX = 300

type Finding = list[dict[str, str]]
type Break = Callable[[dict[str, Any]], object]


def linted(*files: Path) -> list[Finding]:
    try:
        packages = program(OPENAPI_LINT).parent
        runs = node()
    except Absent as why:
        pytest.skip(f"OpenAPI documents are looked at by Redocly's linter: {why}")
    done = subprocess.run(  # noqa: S603
        [runs, "--input-type=module", "--eval", LINT, RULES, *files],
        cwd=packages,  # from where what is imported is found
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Finding] = json.loads(done.stdout)
    return [told[str(file)] for file in files]


KEPT = ("/livez", "/v1/orders/{order_id}", "/v1/orders/{order_id}/completion")
REFERENCE = re.compile(r'"#/components/(\w+)/([^"]+)"')


def small() -> dict[str, Any]:
    """Three paths of review-service with what they refer to: it is looked at many times."""
    document: dict[str, Any] = json.loads((DOCUMENTS / "review-service.json").read_text())
    document["paths"] = {path: document["paths"][path] for path in KEPT}
    tags = {
        tag for path in KEPT for each in document["paths"][path].values() for tag in each["tags"]
    }
    document["tags"] = [tag for tag in document["tags"] if tag["name"] in tags]
    all_parts: dict[str, Any] = document.pop("components")
    parts: dict[str, dict[str, Any]] = {}
    wanted = {*REFERENCE.findall(json.dumps(document))}
    while wanted:
        for kind, name in wanted:
            parts.setdefault(kind, {})[name] = all_parts[kind][name]
        known = {(kind, name) for kind, named in parts.items() for name in named}
        wanted = {*REFERENCE.findall(json.dumps(parts))} - known
    parts["securitySchemes"] = all_parts["securitySchemes"]
    return document | {"components": parts}


def of(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"][path][method]
    return operation


def of_order(document: dict[str, Any]) -> dict[str, Any]:
    return of(document, "/v1/orders/{order_id}")


def as_path(document: dict[str, Any], path: str) -> None:
    """What is asked of an order, at another path too."""
    document["paths"][path] = {"get": of_order(document) | {"operationId": "GetAgain"}}


def body_of(document: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = document["components"]["schemas"]["CompleteOrderBody"]
    return body


BROKEN: dict[str, Break] = {
    "struct": lambda it: it["info"].update(version=7),
    "no-schema-type-mismatch": lambda it: body_of(it).update(items={"type": "string"}),
    "no-enum-type-mismatch": lambda it: body_of(it)["properties"].update(
        colour={"type": "string", "enum": ["RED", 5]}
    ),
    "no-required-schema-properties-undefined": lambda it: body_of(it).update(required=["colour"]),
    "no-identical-paths": lambda it: as_path(it, "/v1/orders/{id}"),
    "no-ambiguous-paths": lambda it: as_path(it, "/v1/{kind}/completion"),
    "no-path-trailing-slash": lambda it: as_path(it, "/v1/orders/{order_id}/again/"),
    "path-declaration-must-exist": lambda it: as_path(it, "/v1/orders/{order_id}/{}"),
    "path-not-include-query": lambda it: as_path(it, "/v1/orders/{order_id}/again?at=once"),
    "operation-parameters-unique": lambda it: of_order(it)["parameters"].append(
        of_order(it)["parameters"][0]
    ),
    "info-license-strict": lambda it: it["info"].update(license={"name": "Apache"}),
    "operation-singular-tag": lambda it: of_order(it).update(
        tags=[tag["name"] for tag in it["tags"]]
    ),
    "no-duplicated-tag-names": lambda it: it["tags"].append(it["tags"][0]),
    "operation-operationId-url-safe": lambda it: of_order(it).update(operationId="Get an order"),
    "operation-2xx-response": lambda it: of_order(it)["responses"].pop("200"),
    "no-invalid-parameter-examples": lambda it: of_order(it)["parameters"][0].update(example=7),
    "no-example-value-and-externalValue": lambda it: of_order(it)["responses"]["200"]["content"][
        "application/json"
    ].update(examples={"one": {"value": {}, "externalValue": "https://shop.example/one"}}),
    "spec-components-invalid-map-name": lambda it: it["components"]["schemas"].update(
        {"not a name": {"type": "string"}}
    ),
    "info-license": lambda it: it["info"].pop("license"),
    "no-empty-servers": lambda it: it.pop("servers"),
    "tag-description": lambda it: it["tags"][0].pop("description"),
    "operation-tag-defined": lambda it: of_order(it).update(tags=["unheard-of"]),
    "operation-summary": lambda it: of_order(it).pop("summary"),
    "operation-description": lambda it: of(it, "/livez").pop("description"),
    "operation-operationId": lambda it: of_order(it).pop("operationId"),
    "operation-operationId-unique": lambda it: of_order(it).update(operationId="GetLiveness"),
    "rule/operation-id-is-a-name": lambda it: of_order(it).update(operationId="get_order_v1_get"),
    "security-defined": lambda it: of_order(it).pop("security"),
    "operation-4xx-response": lambda it: of_order(it).update(
        responses={"200": of_order(it)["responses"]["200"]}
    ),
    "operation-4xx-problem-details-rfc7807": lambda it: of_order(it)["responses"]["404"].update(
        content={"application/json": {"schema": {"type": "object"}}}
    ),
    "response-contains-header": lambda it: of_order(it)["responses"]["401"].pop("headers"),
    "parameter-description": lambda it: of_order(it)["parameters"][0].pop("description"),
    "rule/header-is-described": lambda it: it["components"]["headers"]["ETag"].pop("description"),
    "rule/header-has-a-schema": lambda it: it["components"]["headers"]["ETag"].pop("schema"),
    "no-unresolved-refs": lambda it: it["components"]["schemas"].pop("OrderView"),
    "no-unused-components": lambda it: it["components"]["schemas"].update(
        Nobody={"type": "string"}
    ),
    "path-parameters-defined": lambda it: of_order(it).update(parameters=[]),
    "no-invalid-media-type-examples": lambda it: of_order(it)["responses"]["200"]["content"][
        "application/json"
    ]["example"].update(order_id=7),
    "no-invalid-schema-examples": lambda it: it["components"]["schemas"]["CompleteOrderBody"][
        "examples"
    ].append({"at": 6}),
}
"""By the rule that finds it: something that is taken out of a document, or put into it."""


def test_nothing_is_to_be_said_of_our_documents() -> None:
    files = sorted(DOCUMENTS.iterdir())
    assert dict(zip(files, linted(*files), strict=True)) == {file: [] for file in files}


def test_of_each_rule_something_is_broken() -> None:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text())["rules"]
    assert {rule for rule, kept in rules.items() if kept is not False} == BROKEN.keys()


def test_what_each_rule_forbids_is_found(tmp_path: Path) -> None:
    document = small()
    sound = tmp_path / "sound.json"
    sound.write_text(json.dumps(document))
    files = {rule: tmp_path / f"{number}.json" for number, rule in enumerate(BROKEN)}
    for rule, file in files.items():
        broken = deepcopy(document)
        BROKEN[rule](broken)
        file.write_text(json.dumps(broken))
    of_sound, *of_broken = linted(sound, *files.values())
    assert of_sound == []
    told = dict(zip(files, of_broken, strict=True))
    missed = {rule for rule, said in told.items() if rule not in {each["rule"] for each in said}}
    assert not missed, {rule: told[rule] for rule in missed}
