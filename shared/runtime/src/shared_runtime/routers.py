"""A path and its tags in, a router for the routes below it out: with what all routes have.

    router = Router("/v1/votes", tags=["votes"])

FastAPI analyses the signature of a route when it is declared, and again when its router is included
in an application, for what that adds. Here nothing is added: an application takes the routes as
they are, which halves its start, and looks through one list of them at each request.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Depends
from fastapi.params import Depends as Dependency

from shared_runtime.documents import operation_id
from shared_runtime.problems import refusals
from shared_runtime.wellformed import well_formed


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
        )
