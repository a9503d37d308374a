"""Requests of people in; each asked by the function that the client for Python has for it out.

So whoever lives here, lives by that client: what it makes of a request and of its answer has to be
what was said, field by field.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import NamedTuple, Protocol, Self, cast, get_args, get_type_hints

import aftersales_client
import httpx
from aftersales_client.files import Client, Purpose
from deploy_tools.clients import built, documents

NOTHING = (b"", b"{}")
UPLOAD = "UploadFile"
PLACE = re.compile(r"{(\w+)}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
READ: Mapping[object, Callable[[str], object]] = {
    datetime: datetime.fromisoformat,
    int: int,
    bool: json.loads,
}
"""What is no text, of an address."""


class Operation(NamedTuple):
    """One of a document. `route`: its method and path, as they are documented."""

    route: str
    method: str
    path: re.Pattern[str]
    parameters: frozenset[str]
    tag: str
    name: str


class Model(Protocol):
    """A class that is generated."""

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, object]) -> Self: ...
    def to_dict(self) -> dict[str, object]: ...


done = set[str]()
"""The routes of what anybody has asked for and got, so far."""


class ByClient(httpx.BaseTransport):
    """Of one service, asked `over` another transport. Raises AssertionError where the client says
    less than was said, or more.
    """

    def __init__(self, service: str, over: httpx.BaseTransport | None = None) -> None:
        where = str(built("python") / "src" / "aftersales_client")
        if where not in aftersales_client.__path__:
            aftersales_client.__path__.append(where)
        self._operations = operations(service)
        self._package = f"aftersales_client.{service}"
        # A connection that is kept may be closed by a restart.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._web = {"transport": over or httpx.HTTPTransport(limits=limits), "trust_env": False}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        operation, said = self._meant(request)
        client = import_module(self._package).AuthenticatedClient(
            base_url=str(request.url.copy_with(path="/", query=None)).rstrip("/"),
            token=request.headers["Authorization"].removeprefix("Bearer "),
            timeout=httpx.Timeout(**request.extensions["timeout"]),
            httpx_args=self._web,
        )
        if operation.name == UPLOAD:
            answered = _uploaded(client, request, said)
        else:
            answered = self._asked(client, operation, request, said)
        if answered.is_success and said.get("validate_only") != "true":
            done.add(operation.route)
        return answered

    def _meant(self, request: httpx.Request) -> tuple[Operation, dict[str, str]]:
        """The operation, and what is said besides the body, as the arguments are called."""
        for operation in self._operations:
            places = operation.path.fullmatch(request.url.path)
            if places and operation.method == request.method:
                break
        else:
            raise AssertionError(f"{request.method} {request.url} is documented nowhere")
        said = {**places.groupdict(), **request.url.params}
        known = operation.parameters
        assert said.keys() <= known, f"{operation.name} knows not all of {said}"
        said |= {name: request.headers[name] for name in known if name in request.headers}
        return operation, {_snake(name): value for name, value in said.items()}

    def _asked(
        self, client: Client, operation: Operation, request: httpx.Request, said: Mapping[str, str]
    ) -> httpx.Response:
        module = f"{self._package}.api.{_snake(operation.tag)}.{_snake(operation.name)}"
        ask = import_module(module).sync_detailed
        hints = get_type_hints(ask)
        arguments: dict[str, object] = {}
        for name, value in said.items():
            # What means something in Python has a sign more: `format_`.
            argument = name if name in hints else f"{name}_"
            arguments[argument] = _read(value, hints[argument])
        if "body" in hints:
            arguments["body"] = _body(hints["body"], json.loads(request.content))
        else:
            assert request.content in NOTHING, f"{operation.name} takes no {request.content!r}"
        told = ask(client=client, **arguments)
        headers = {
            name: value for name, value in told.headers.items() if name != "content-encoding"
        }
        answered = httpx.Response(told.status_code, headers=headers, content=told.content)
        _is_as_told(told.parsed, answered, operation)
        return answered


@cache
def operations(service: str) -> tuple[Operation, ...]:
    """Of its document; paths with fewer places first, which are meant where both would be."""
    document = json.loads(documents()[service].read_text())
    found = [
        Operation(
            route=f"{method.upper()} {path}",
            method=method.upper(),
            path=re.compile(PLACE.sub(r"(?P<\1>[^/]+)", path)),
            parameters=frozenset(each["name"] for each in operation.get("parameters", ())),
            tag=operation["tags"][0],
            name=operation["operationId"],
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return tuple(sorted(found, key=lambda each: each.path.groups))


def _uploaded(client: Client, request: httpx.Request, said: Mapping[str, str]) -> httpx.Response:
    """As the part of the client does it that is written by hand."""
    told = aftersales_client.upload(
        client,
        request.content,
        request.headers["Content-Type"],
        purpose=cast("Purpose", said["purpose"]),
        idempotency_key=said["idempotency_key"],
        name=request.headers["File-Name"],
    )
    return httpx.Response(httpx.codes.CREATED, json={"media_id": told.value})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _read(value: str, hint: object) -> object:
    """As an argument has it."""
    read = next((READ[kind] for kind in (hint, *get_args(hint)) if kind in READ), str)
    return read(value)


def _body(hint: object, said: Mapping[str, object]) -> Model:
    """Of its classes the one that says the same."""
    kinds = [cast("type[Model]", each) for each in (get_args(hint) or (hint,))]
    made = [kind.from_dict(said) for kind in kinds if hasattr(kind, "from_dict")]
    bodies = {_text(each.to_dict()): each for each in made}
    assert _text(said) in bodies, f"a body says something else: {said}, {[*bodies]}"
    return bodies[_text(said)]


def _is_as_told(parsed: object, answered: httpx.Response, operation: Operation) -> None:
    where = f"{operation.name}, {answered.status_code}"
    if hasattr(parsed, "to_dict"):
        assert _text(cast("Model", parsed).to_dict()) == _text(answered.json()), where
    elif isinstance(parsed, str):
        assert parsed == answered.text, where
    else:
        assert not answered.content, f"{where}: {parsed!r} of {answered.text}"


def _text(told: object) -> str:
    """The same of the same: in one order, and with times written in one way."""
    text = json.dumps(told, sort_keys=True, indent=1)
    return TIME.sub(lambda found: datetime.fromisoformat(found[0]).isoformat(), text)
