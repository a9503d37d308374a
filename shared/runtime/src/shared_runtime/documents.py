"""What routes answer in, how the OpenAPI document tells of it out.

    responses=refusals(NotFound) | answered(OrderView, example=AN_ORDER, headers=("ETag",))

The schemas of answers are made when somebody asks for the document. FastAPI would make them when
a route is declared, anew for each: most of what a process needs to start.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute
from msgspec import Struct
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from shared_runtime.bounds import FORMS, in_a_sentence
from shared_runtime.problems import PROBLEM_SCHEMA, encode_json
from shared_runtime.telemetry import CORRELATION_HEADER
from shared_runtime.words import WordTable, meanings

REFERENCE = "#/components/schemas/{model}"
REFERRED = re.compile(r'"#/components/schemas/([^"]+)"')
LICENCE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
# The address is the gateway's, whatever it is.
SERVERS = [{"url": "/", "description": "Where this document was read."}]

NOT_STORED = "private, no-store"
ASKED_EACH_TIME = "private, no-cache"
UNAUTHORIZED = "401"

type Documented = dict[int | str, dict[str, Any]]
"""The `responses` of a route."""
type HeaderName = Literal["ETag", "Consistency-Token", "Idempotent-Replayed"]

OF_COMMANDS: tuple[HeaderName, ...] = ("ETag", "Consistency-Token", "Idempotent-Replayed")
HEADERS: dict[HeaderName, dict[str, Any]] = {
    "ETag": {
        "description": "The version of what is answered, for If-Match.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "Consistency-Token": {
        "description": "Of what was recorded, if anything was. A read that is given it waits until "
        "it shows that.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "`true` if the same request was answered before, and so is this one.",
        "schema": {"const": "true"},
    },
}
CORRELATION: dict[str, Any] = {
    "description": "Under which our logs tell of the request: its own X-Correlation-Id, if it has "
    "one of 1..64 letters, digits and ._:-",
    "schema": {"type": "string"},
}
CACHE_CONTROL: dict[str, Any] = {
    "description": "What somebody is told is for nobody else.",
    "schema": {"const": NOT_STORED},
}
CONTENT_DISPOSITION: dict[str, Any] = {
    "description": "An attachment, and a name to keep it under.",
    "schema": {"type": "string"},
}
HEADER_REFERENCE = "#/components/headers/{name}"

_models: dict[str, Any] = {}
_examples: dict[str, object] = {}
"""By what stands for them until the document is made: FastAPI drops members that are null."""


def answered(
    *models: type,
    example: object,
    status: int = 200,
    description: str = "Successful Response",
    headers: Iterable[HeaderName] = (),
) -> Documented:
    """The answer of a route, shaped like one of these models, which are dataclasses or structs;
    `example` is anything JSON holds.
    """
    schemas = [{"$ref": REFERENCE.format(model=_known(model))} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    told = msgspec.json.decode(encode_json(example))
    content = {"application/json": {"schema": schema, "example": _kept(told)}}
    answer: dict[str, Any] = {"description": description, "content": content}
    if named := {name: HEADERS[name] for name in headers}:
        answer["headers"] = named
    return {status: answer}


def answered_unless_seen(model: type, example: object) -> Documented:
    """The answer of a route for everybody, which `unless_seen` gives."""
    headers = {
        "ETag": {
            "description": "What is answered, for If-None-Match.",
            "schema": {"type": "string", "examples": ['W/"6f1ed002ab5595859014ebf0951522d9"']},
        },
        "Cache-Control": {
            "description": "It may be kept by whoever asks each time whether it is still right.",
            "schema": {"const": ASKED_EACH_TIME},
        },
    }
    (answer,) = answered(model, example=example).values()
    return {
        200: answer | {"headers": {**headers}},
        304: {"description": "What you have is still right.", "headers": {**headers}},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What `validate_only` answers: the events that would be recorded."""

    events: list[Any]


def commanded(model: type, example: object) -> Documented:
    """The answers of a command: the state after it."""
    return answered(
        model,
        example=example,
        status=201,
        description="It was recorded.",
        headers=OF_COMMANDS,
    ) | answered(
        model,
        Rehearsal,
        example=example,
        description="Nothing was left to record; or, with `validate_only`, what would be.",
        headers=OF_COMMANDS,
    )


def operation_id(route: APIRoute) -> str:
    """What clients that are generated call a route, unless it has said so: its function's name,
    `get_order` -> GetOrder.
    """
    return "".join(part.capitalize() for part in route.name.split("_"))


def document_of(app: FastAPI, words: Sequence[WordTable] = ()) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` is to be: FastAPI's document with the schemas of the answers in it, and
    beside each list of words what they mean.
    """
    of_fastapi = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = of_fastapi()
            _add_examples(told)
            _add_models(told)
            _share_headers(told)
            _drop_tags(told)
            _drop_nulls(told)
            _tell_forms(told)
            _tell_words(told, words)
        assert app.openapi_schema is not None
        return app.openapi_schema

    return document


def _operations(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in told["paths"].values():
        yield from path.values()


def _add_examples(told: dict[str, Any]) -> None:
    """Puts the examples of answers where they are wanted, with all of their members."""
    for operation in _operations(told):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                stands_for = content.get("example")
                if isinstance(stands_for, str) and stands_for in _examples:
                    content["example"] = _examples[stands_for]


def _share_headers(told: dict[str, Any]) -> None:
    """Adds the headers that every answer has; each is told of once, and referred to, but for one
    that means something else in some answers.
    """
    shared: dict[str, Any] = told["components"].setdefault("headers", {})
    for operation in _operations(told):
        for status, answer in operation["responses"].items():
            headers: dict[str, Any] = answer.setdefault("headers", {})
            headers[CORRELATION_HEADER] = CORRELATION
            # Who has not shown who he is, is told what anybody would be.
            if "security" in operation and status != UNAUTHORIZED:
                headers.setdefault("Cache-Control", CACHE_CONTROL)
            for name, header in headers.items():
                if shared.setdefault(name, header) == header:
                    headers[name] = {"$ref": HEADER_REFERENCE.format(name=name)}


def _drop_tags(told: dict[str, Any]) -> None:
    """Of the tags that are described, those of which there is nothing here."""
    used = {tag for operation in _operations(told) for tag in operation.get("tags", ())}
    told["tags"] = [tag for tag in told["tags"] if tag["name"] in used]


def _tell_forms(part: object) -> None:
    """Beside each pattern, what it says, in words."""
    if isinstance(part, list):
        for each in cast("list[object]", part):
            _tell_forms(each)
    elif isinstance(part, dict):
        known = cast("dict[str, Any]", part)
        pattern = known.get("pattern")
        if isinstance(pattern, str) and (words := FORMS.get(pattern)) is not None:
            said = [each for each in (known.get("description"), in_a_sentence(words)) if each]
            known["description"] = " ".join(said)
        for each in known.values():
            _tell_forms(each)


def _tell_words(part: object, words: Sequence[WordTable]) -> None:
    """Beside each list of words, what each of them means."""
    if isinstance(part, list):
        for each in cast("list[object]", part):
            _tell_words(each, words)
    elif isinstance(part, dict):
        known = cast("dict[str, Any]", part)
        alone = known.get("const")
        listed = [alone] if isinstance(alone, str) else known.get("enum")
        if isinstance(listed, list) and (table := meanings(cast("list[str]", listed), words)):
            lines = "\n".join(f"- `{word}`: {meaning}" for word, meaning in table.items())
            said = [each for each in (known.get("description"), lines) if each]
            known["description"] = "\n\n".join(said)
        for each in known.values():
            _tell_words(each, words)


def _drop_nulls(told: dict[str, Any]) -> None:
    """A header or a query parameter is there or is not: none of them is null."""
    for operation in _operations(told):
        for parameter in operation.get("parameters", ()):
            schema: dict[str, Any] = parameter["schema"]
            kinds = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
            schema.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _add_models(told: dict[str, Any]) -> None:
    """Adds the schemas of answers: that of problems, and those that are referred to."""
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    schemas[PROBLEM_SCHEMA["title"]] = PROBLEM_SCHEMA
    referred = set(REFERRED.findall(msgspec.json.encode(told).decode()))
    named = sorted(referred & _models.keys())
    structs = [_models[name] for name in named if issubclass(_models[name], Struct)]
    _, components = msgspec.json.schema_components(
        structs, ref_template=REFERENCE.format(model="{name}")
    )
    schemas.update(components)
    shown: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(_models[name]))
        for name in named
        if not issubclass(_models[name], Struct)
    ]
    if shown:
        _, definitions = TypeAdapter.json_schemas(shown, ref_template=REFERENCE)
        schemas.update(definitions["$defs"])


def _known(model: type) -> str:
    """The name of a model, by which it is found when the document is made."""
    name = model.__name__
    assert _models.setdefault(name, model) is model, f"two models named {name}"
    return name


def _kept(example: object) -> str:
    """What stands for an example until the document is made."""
    name = f"example {len(_examples)}"
    _examples[name] = example
    return name
