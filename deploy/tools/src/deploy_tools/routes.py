"""The OpenAPI documents of the services in, the routes of the gateway out.

    python -m deploy_tools.routes      writes deploy/k8s/base/gateway/<service>.yaml

A service is at a host of its own, since paths such as /v1/media are of every one. Three kinds of
routes lead to it, and what is in none of them is not there:

    ordinary   a token, a body of a bounded size, an answer within some seconds
    streams    a token; bodies and answers of any size, which the service bounds itself
    signed     no token: the address or the body is signed

The ordinary ones of a service are one regular expression, not a list of matches: Envoy keeps the
buckets of its limits by match, and an account is to have one at each service.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

REPOSITORY = Path(__file__).parents[4]
DOCUMENTS = REPOSITORY / "docs" / "reference" / "openapi"
FOLDER = REPOSITORY / "deploy" / "k8s" / "base" / "gateway"
SERVICES = ("review", "dispute", "returns", "reputation")

ROOT = "/v1"
SEGMENT = "[^/]+"
MATCH_LENGTH_MAX = 1024
"""Of the value of a match in the Gateway API."""
PROMPT = "15s"
"""A service gives up on its database before: what it says of that is better than a 504."""
UNBOUNDED = "0s"
HEALTH = "health"
LINES = "application/x-ndjson"
JSON = "application/json"

type Kind = Literal["ordinary", "streams", "signed"]
type Branches = dict[str, Branches]
"""The segments that may follow; "" where a path ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of a document: `kind` says by which route it is reached, none: by no one."""

    service: str
    method: str
    path: str
    kind: Kind | None


def operations(service: str, document: Mapping[str, Any]) -> Iterator[Operation]:
    """All of a document, health too. Raises ValueError if one path is of two kinds."""
    for path, methods in document["paths"].items():
        kinds: list[Kind | None] = [_kind(operation) for operation in methods.values()]
        if len({*kinds}) > 1:
            raise ValueError(f"{path} is reached with a token, or a bound, by some methods alone")
        for method, kind in zip(methods, kinds, strict=True):
            yield Operation(service=service, method=method.upper(), path=path, kind=kind)


def document_of(service: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DOCUMENTS / f"{service}-service.json").read_text())
    return told


def manifest(service: str, document: Mapping[str, Any]) -> str:
    """The file of its routes."""
    paths: dict[Kind, list[str]] = {"ordinary": [], "streams": [], "signed": []}
    for each in operations(service, document):
        if each.kind is not None and each.path not in paths[each.kind]:
            paths[each.kind].append(each.path)
    links = [_match(path) for path in paths["signed"] if not path.startswith(ROOT)]
    webhooks = [_match(path) for path in paths["signed"] if path.startswith(ROOT)]
    rules: dict[Kind, list[str]] = {
        "ordinary": [_rule([_match_any(paths["ordinary"])], PROMPT)],
        "streams": [_rule([*map(_match, paths["streams"])], UNBOUNDED)],
        "signed": [_rule(links, UNBOUNDED), *([_rule(webhooks, PROMPT)] if webhooks else ())],
    }
    routes = [_route(service, kind, each) for kind, each in rules.items()]
    return f"{HEADER.format(service=service)}{'---\n'.join(routes)}"


HEADER = """\
# Made from docs/reference/openapi/{service}-service.json by `make docs`.
"""


def _kind(operation: Mapping[str, Any]) -> Kind | None:
    if HEALTH in operation["tags"]:
        return None
    if "security" not in operation:
        return "signed"
    sent = operation.get("requestBody", {}).get("content", {JSON: {}})
    told = {
        kind for answer in operation["responses"].values() for kind in answer.get("content", ())
    }
    return "ordinary" if JSON in sent and LINES not in told else "streams"


def pattern(paths: Iterable[str]) -> list[str]:
    """A regular expression that all of them match, whole, and no others; a line for each family."""
    tree: Branches = {}
    for path in paths:
        if not path.startswith(f"{ROOT}/"):
            raise ValueError(f"{path} is not under {ROOT}")
        branch = tree
        for segment in _segments(path.removeprefix(ROOT)):
            branch = branch.setdefault(segment, {})
        branch[""] = {}
    families = [f"/{segment}{_rest(branch)}" for segment, branch in sorted(tree.items())]
    return [f"{ROOT}(", *(f"{family}|" for family in families[:-1]), f"{families[-1]})"]


def _segments(path: str) -> list[str]:
    segments = path.strip("/").split("/")
    return [SEGMENT if re.fullmatch(r"{\w+}", each) else _literal(each) for each in segments]


def _literal(segment: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", segment):
        raise ValueError(f"{segment} would have to be escaped")
    return segment


def _rest(branch: Branches) -> str:
    ways = [f"/{segment}{_rest(after)}" for segment, after in sorted(branch.items()) if segment]
    if len(ways) == 1 and "" not in branch:
        return ways[0]
    return f"({'|'.join(ways)}){'?' if '' in branch else ''}" if ways else ""


def _match_any(paths: list[str]) -> str:
    lines = pattern(paths)
    if sum(map(len, lines)) > MATCH_LENGTH_MAX:
        raise ValueError("the paths do not go into one match any more: an account gets two buckets")
    return f"path: {{type: RegularExpression, value: {_folded(lines)}}}"


def _match(path: str) -> str:
    if "{" not in path:
        return f"path: {{type: Exact, value: {path}}}"
    value = "".join(f"/{segment}" for segment in _segments(path))
    return f'path: {{type: RegularExpression, value: "{value}"}}'


def _folded(lines: list[str]) -> str:
    """Of a text in double quotes, a backslash ends a line that is none."""
    return f'"{"\\\n          ".join(lines)}"'


def _rule(matches: list[str], seconds: str) -> str:
    listed = "".join(f"        - {match}\n" for match in matches)
    return f"""\
    - matches:
{listed}      timeouts: {{request: {seconds}}}
      backendRefs: [{{name: SERVICE-api, port: 8000}}]
"""


def _route(service: str, kind: Kind, rules: list[str]) -> str:
    name = service if kind == "ordinary" else f"{service}-{kind}"
    return f"""\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
  labels: {{app.kubernetes.io/name: {service}-service, aftersales.dev/route: {kind}}}
spec:
  parentRefs: [{{name: aftersales}}]
  hostnames: [{service}.aftersales.example]
  rules:
{"".join(rules).replace("SERVICE", service)}"""


def main() -> None:
    for service in SERVICES:
        (FOLDER / f"{service}.yaml").write_text(manifest(service, document_of(service)))


if __name__ == "__main__":
    main()
