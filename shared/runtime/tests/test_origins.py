"""A page of another origin reads what it is answered where the operator has named its origin."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, Response
from local_stack import issuer
from shared_runtime.auth import Verifier, require
from shared_runtime.decider import NotFound
from shared_runtime.http import service_app
from shared_runtime.reading import answer
from shared_runtime.routers import Router

SHOP = "https://shop.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}


def notes_api() -> Router:
    router = Router("/v1/notes")

    @router.get("/{note_id}", dependencies=[Depends(require("STOREFRONT"))])
    async def note(note_id: str) -> Response:
        if note_id == "none":
            raise NotFound
        return answer({"id": note_id}, version=3)

    return router


async def ready() -> None: ...


@pytest.fixture
async def page(verifier: Verifier, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """What asks from a page of the shop."""
    app = service_app(
        title="notes",
        version="1",
        routers=[notes_api()],
        verifier=verifier,
        ready=ready,
        origins=[SHOP],
    )
    token = issuer.mint(tmp_path, sub="shop", roles=["STOREFRONT"])
    headers = {"Origin": SHOP, "Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://notes", headers=headers
    ) as client:
        yield client


async def test_a_page_of_the_shop_asks_beforehand_without_a_token(page: httpx.AsyncClient) -> None:
    del page.headers["Authorization"]
    asked = await page.options("/v1/notes/N1", headers=PREFLIGHT)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == SHOP
    assert "GET" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in asked.headers  # cookies mean nothing here


async def test_it_reads_answers_and_refusals_alike(page: httpx.AsyncClient) -> None:
    for path, status in (("/v1/notes/N1", 200), ("/v1/notes/none", 404), ("/v1/nothing", 404)):
        told = await page.get(path)
        assert (told.status_code, told.headers["Access-Control-Allow-Origin"]) == (status, SHOP)
        assert told.headers["Vary"] == "Origin"
    assert "ETag" in (await page.get("/v1/notes/N1")).headers["Access-Control-Expose-Headers"]
    del page.headers["Authorization"]
    refused = await page.get("/v1/notes/N1")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SHOP)


@pytest.mark.parametrize("origin", ["https://other.example", "null", f"{SHOP}.evil.example", ""])
async def test_a_page_of_anybody_else_is_told_nothing_of_it(
    page: httpx.AsyncClient, origin: str
) -> None:
    page.headers["Origin"] = origin
    told = [await page.get("/v1/notes/N1"), await page.options("/v1/notes/N1", headers=PREFLIGHT)]
    assert not any(name.startswith("access-control") for each in told for name in each.headers)
