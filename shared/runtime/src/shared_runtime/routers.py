"""A path and its tags in, a router for the routes below it out: with what all routes have.

    router = Router("/v1/votes", tags=["votes"])

FastAPI analyses the signature of a route when it is declared, and again when its router is included
in an application, for what that adds. Here nothing is added, and an application takes the routes as
they are; each is analysed when it is first asked for. Else that is most of a start.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from shared_runtime.documents import operation_id
from shared_runtime.problems import refusals
from shared_runtime.wellformed import well_formed


class Route(APIRoute):
    """Until it is analysed it has what it takes to find it, and to see who may use it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:  # noqa: ANN401 - FastAPI's
        self.path, self.endpoint = path, endpoint
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.methods = {*(declared["methods"] or ("GET",))}
        self.dependencies = declared["dependencies"]
        self._declared = declared

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a route has
        declared = vars(self).pop("_declared", None)
        if declared is None:
            raise AttributeError(name)
        try:
            super().__init__(self.path, self.endpoint, **declared)
        except BaseException:
            self._declared = declared  # whoever asks next is told the same
            raise
        return getattr(self, name)


class Router(APIRouter):
    """Its routes take requests that are well formed, and tell of the refusals of all routes."""

    def __init__(
        self, prefix: str = "", *, tags: Sequence[str] = (), dependencies: Sequence[Dependency] = ()
    ) -> None:
        super().__init__(
            prefix=prefix,
            tags=[*tags],
            dependencies=[Depends(well_formed), *dependencies],
            responses=refusals(),
            generate_unique_id_function=operation_id,
            route_class=Route,
        )
