"""Metrics are for whoever runs a service: a count tells who has just written what is secret."""

import asyncio
import signal

import httpx
import pytest
from fastapi import FastAPI
from local_stack import processes
from shared_runtime.auth import Verifier
from shared_runtime.http import metrics_app, serve_api, service_app
from shared_runtime.settings import Settings


async def ready() -> None: ...


@pytest.fixture
def app(verifier: Verifier) -> FastAPI:
    return service_app(title="empty", version="1", routers=[], verifier=verifier, ready=ready)


async def test_metrics_are_not_where_everybody_looks(app: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://empty"
    ) as anyone:
        assert (await anyone.get("/metrics")).status_code == 404
    transport = httpx.ASGITransport(metrics_app(title="metrics"))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as collector:
        assert "http_requests_total" in (await collector.get("/metrics")).text
        assert (await collector.get("/v1/things/T1")).status_code == 404


async def test_an_api_answers_on_its_port_and_tells_its_metrics_on_another(app: FastAPI) -> None:
    settings = Settings.model_construct(
        host="127.0.0.1", port=processes.free_port(), metrics_port=processes.free_port()
    )
    serving = asyncio.create_task(serve_api(app, settings))
    transport = httpx.AsyncHTTPTransport(retries=5)
    async with httpx.AsyncClient(transport=transport) as anyone:
        public, inside = (
            f"http://127.0.0.1:{port}" for port in (settings.port, settings.metrics_port)
        )
        assert (await anyone.get(f"{public}/readyz")).status_code == 200
        assert (await anyone.get(f"{public}/metrics")).status_code == 404
        assert "aftersales_refusals_total" in (await anyone.get(f"{inside}/metrics")).text
        assert (await anyone.get(f"{inside}/v1/notes/N1")).status_code == 404
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(serving, 20)
