"""A request that has found its route in, nothing out; or the refusal of what no route takes.

Parameters that nobody reads are mistakes: a filter that is spelt wrong would answer a wrong list.
What a body says it is, is looked at before anybody reads it.
"""

import json
import re
from typing import cast

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Cookie, Header, Path
from fastapi.routing import APIRoute

from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.problems import MalformedBody, UnsupportedMediaType

JSON_TYPE = re.compile(r"application/([^;]*\+)?json\s*(;|$)", re.IGNORECASE)
BODILESS = frozenset({"GET", "HEAD"})
NOT_IN_THE_QUERY = (Path, Header, Cookie)
ERRORS_MAX = 50
FIELD_LENGTH_MAX = 100
"""Names of fields and parameters that clients make up are cut short."""


class WellFormed:
    """Of one application. Bodies of `streamed` paths are the routes' own business."""

    def __init__(self, streamed: frozenset[str]) -> None:
        self._streamed = streamed
        self._parameters: dict[int, frozenset[str]] = {}  # routes live as long as their app

    async def __call__(self, request: Request) -> None:
        """Raises `InvalidValue`, `UnsupportedMediaType` or `MalformedBody`."""
        self._check_parameters(request)
        if request.method in BODILESS or request.scope["path"] in self._streamed:
            return
        if body := await request.body():
            if not JSON_TYPE.match(request.headers.get("content-type", "")):
                raise UnsupportedMediaType
            parsed(body)

    def _check_parameters(self, request: Request) -> None:
        if not request.scope["query_string"]:
            return
        known = self._known_by(request.scope["route"])
        if unknown := [name for name in request.query_params if name not in known]:
            raise InvalidValue(
                errors=[
                    FieldError(field=name[:FIELD_LENGTH_MAX], bound="unknown parameter")
                    for name in unknown[:ERRORS_MAX]
                ]
            )

    def _known_by(self, route: APIRoute) -> frozenset[str]:
        if (known := self._parameters.get(id(route))) is None:
            fields = get_flat_params(route.dependant)
            known = frozenset(
                field.alias
                for field in fields
                if not isinstance(field.field_info, NOT_IN_THE_QUERY)
            )
            self._parameters[id(route)] = known
        return known


async def well_formed(request: Request) -> None:
    """A dependency of every route: what its application takes for well formed."""
    await cast("WellFormed", request.app.state.well_formed)(request)


def parsed(body: bytes) -> object:
    """What a body of JSON holds. Raises `MalformedBody` for anything else.

    RFC 8259: in UTF-8, and without NaN and infinities, which Python takes.
    """
    try:
        return cast("object", json.loads(body.decode("utf-8-sig"), parse_constant=_no_json))
    except (ValueError, RecursionError) as error:
        raise MalformedBody from error


def _no_json(constant: str) -> None:
    raise ValueError(constant)
