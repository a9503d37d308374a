"""What routes answer in, how the OpenAPI document tells of it out.

    responses=refusals(NotFound) | answered(OrderView, example=AN_ORDER)

The schemas of answers are made when somebody asks for the document. FastAPI would make them when
a route is declared, anew for each: most of what a process needs to start.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from shared_runtime.problems import encode_json

REFERENCE = "#/components/schemas/{model}"
REFERRED = re.compile(r'"#/components/schemas/([^"]+)"')

type Documented = dict[int | str, dict[str, Any]]
"""The `responses` of a route."""

_models: dict[str, Any] = {}


def answered(
    *models: type, example: object, status: int = 200, description: str = "Successful Response"
) -> Documented:
    """The answer of a route, shaped like one of these models; `example` is anything JSON holds."""
    schemas = [{"$ref": REFERENCE.format(model=_known(model))} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    told = msgspec.json.decode(encode_json(example))
    content = {"application/json": {"schema": schema, "example": told}}
    return {status: {"description": description, "content": content}}


def document_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` is to be: FastAPI's document with the schemas of the answers in it."""
    of_fastapi = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = of_fastapi()
            referred = set(REFERRED.findall(msgspec.json.encode(told).decode()))
            shown: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
                (name, "serialization", TypeAdapter(_models[name]))
                for name in sorted(referred & _models.keys())
            ]
            if shown:
                _, definitions = TypeAdapter.json_schemas(shown, ref_template=REFERENCE)
                schemas = told.setdefault("components", {}).setdefault("schemas", {})
                schemas.update(definitions["$defs"])
        assert app.openapi_schema is not None
        return app.openapi_schema

    return document


def _known(model: type) -> str:
    """The name of a model, by which it is found when the document is made."""
    name = model.__name__
    assert _models.setdefault(name, model) is model, f"two models named {name}"
    return name
