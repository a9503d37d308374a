"""Routes as they are declared, and what an application makes of them, and when."""

from pathlib import Path
from typing import Annotated, cast

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Response
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute
from local_stack import issuer
from shared_runtime.auth import BySignature, Caller, Verifier, require
from shared_runtime.http import service_app
from shared_runtime.routers import Router

type ABuyer = Annotated[Caller, Depends(require("BUYER"))]


def whose(caller: ABuyer) -> str:
    """A dependency that asks for the roles by itself."""
    return caller.sub


def anybody() -> str:
    return "anybody"


class Signed(BySignature):
    def __call__(self) -> None: ...


def app_of(router: Router, verifier: Verifier) -> FastAPI:
    async def ready() -> None: ...

    return service_app(title="x", version="1", routers=[router], verifier=verifier, ready=ready)


@pytest.fixture
def router() -> Router:
    router = Router("/v1/notes", tags=["notes"])

    @router.get("")
    async def list_notes(caller: ABuyer) -> Response:
        return Response(caller.sub)

    @router.get("/{note_id}")
    async def get_note(note_id: str, sub: Annotated[str, Depends(whose)]) -> Response:
        return Response(f"{note_id} of {sub}")

    return router


def analysed(router: Router) -> list[str]:
    return [
        route.path
        for route in router.routes
        if isinstance(route, APIRoute) and "dependant" in vars(route)
    ]


async def test_a_route_is_analysed_when_it_is_first_asked_for(
    router: Router, verifier: Verifier, tmp_path: Path
) -> None:
    app = app_of(router, verifier)
    assert analysed(router) == []
    token = issuer.mint(tmp_path, sub="B-1", roles=["BUYER"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://x",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        assert (await client.delete("/v1/notes/N-1")).status_code == 405
        assert analysed(router) == []
        assert (await client.get("/v1/notes/N-1")).text == "N-1 of B-1"
        assert analysed(router) == ["/v1/notes/{note_id}"]
        assert (await client.get("/v1/notes/N-1?of=me")).json()["type"] == "/problems/invalid-value"
        assert (await client.get("/v1/notes")).text == "B-1"


def test_what_is_not_there_when_a_route_is_analysed_is_not_there(router: Router) -> None:
    (route, _) = router.routes
    assert not hasattr(route, "colour")
    assert not hasattr(route, "colour")


def test_what_is_wrong_with_a_route_is_told_each_time_that_it_is_asked_for() -> None:
    router = Router("/v1/notes")

    @router.get("/{note_id}")
    async def get_note(note_id: Signed) -> Response:
        return Response(str(note_id))

    (route,) = router.routes
    for _ in range(2):
        with pytest.raises(FastAPIError, match="Signed"):
            assert cast("APIRoute", route).dependant


@pytest.mark.parametrize("behind", [Depends(anybody), Query()], ids=["another", "a parameter"])
def test_roles_that_something_else_stands_behind_are_none(
    behind: object, verifier: Verifier
) -> None:
    """Of several notes FastAPI goes by the last: nobody would ask for the roles."""
    router = Router("/v1/notes")

    async def list_notes(caller: str) -> Response:
        return Response(caller)

    list_notes.__annotations__["caller"] = Annotated[str, Depends(require("BUYER")), behind]
    router.add_api_route("", list_notes)
    with pytest.raises(ValueError, match="no roles"):
        app_of(router, verifier)


def test_all_routes_are_told_of_with_what_all_have(router: Router, verifier: Verifier) -> None:
    told = app_of(router, verifier).openapi()["paths"]
    assert told["/v1/notes"]["get"]["operationId"] == "ListNotes"
    assert told["/v1/notes/{note_id}"]["get"]["tags"] == ["notes"]
    for path in ("/v1/notes", "/v1/notes/{note_id}"):
        assert told[path]["get"]["responses"].keys() >= {"401", "422", "503"}


def test_a_service_does_not_start_with_a_route_that_lacks_what_all_have(verifier: Verifier) -> None:
    router = APIRouter(prefix="/v1/notes")

    @router.get("")
    async def list_notes(caller: ABuyer) -> Response:
        return Response(caller.sub)

    with pytest.raises(ValueError, match="none of ours"):
        app_of(cast("Router", router), verifier)


def test_a_signature_is_found_however_deep_it_is_asked_for(verifier: Verifier) -> None:
    """Where everybody has a token, none takes its place."""

    def signed(_: Annotated[None, Depends(Signed())]) -> None: ...

    router = Router("/v1/notes", dependencies=[Depends(signed)])

    @router.get("")
    async def list_notes(caller: ABuyer) -> Response:
        return Response(caller.sub)

    with pytest.raises(ValueError, match="everyone has a token"):
        app_of(router, verifier)
