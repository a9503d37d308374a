"""The page of an API works without the internet."""

import re

import httpx
import pytest
from fastapi import FastAPI
from shared_runtime.auth import Verifier
from shared_runtime.http import service_app


async def ready() -> None: ...


@pytest.fixture
def app(verifier: Verifier) -> FastAPI:
    return service_app(title="empty", version="1", routers=[], verifier=verifier, ready=ready)


async def test_the_page_of_the_api_needs_no_other_host(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://empty") as anyone:
        page = await anyone.get("/docs")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert not re.findall(r"(?:https?:)?//\w", page.text)
        named = re.findall(r'(?:src|href)="\./([^"]+)"', page.text)
        assert len(named) == 3
        for file in named:
            answered = await anyone.get(f"/{file}")
            assert answered.status_code == 200
            assert len(answered.content) > 500
        assert not re.findall(r"url\([\"']?(?:https?:)?//", (await anyone.get(f"/{named[0]}")).text)
