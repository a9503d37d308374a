"""Where a request went is told as spans, of one trace; and nothing is told unless it is wanted."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response
from local_stack import issuer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from shared_events.envelope import encode_envelope
from shared_events.orders import OrderPaid
from shared_runtime.auth import Verifier, require
from shared_runtime.delivery import Delivery
from shared_runtime.http import service_app
from shared_runtime.reading import answer
from shared_runtime.routers import Router
from shared_runtime.tracing import tell_applied, trace_with

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@pytest.fixture
def share() -> float:
    return 0.0


@pytest.fixture
def exporter(share: float) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    end = trace_with("notes-service", SimpleSpanProcessor(exporter), share)
    yield exporter
    end()


@pytest.fixture
async def client(verifier: Verifier, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    router = Router("/v1/notes", dependencies=[Depends(require("BUYER"))])

    @router.get("/{note_id}")
    async def note(note_id: str, request: Request) -> Response:
        if note_id == "broken":
            raise ZeroDivisionError
        return answer({"traceparent": request.headers.get("traceparent")})

    async def ready() -> None: ...

    app: FastAPI = service_app(
        title="notes", version="1", routers=[router], verifier=verifier, ready=ready
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://notes") as opened:
        token = issuer.mint(tmp_path, sub="B1", roles=["BUYER"])
        opened.headers["Authorization"] = f"Bearer {token}"
        yield opened


def delivery(traceparent: str | None) -> Delivery:
    event = OrderPaid(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )
    body = encode_envelope(
        event,
        event_id="01890a5d-ac96-774b-bcce-b302099a8057",
        source="review-service",
        stream="order-O1",
        version=1,
        time=AT,
        recorded_at=AT,
        actor="SYSTEM:shop",
        correlation_id="O1",
        causation_id="c",
        traceparent=traceparent,
    )
    return Delivery(topic="orders.events", partition=7, position=3, body=body, chain_hash=None)


def placed(span: ReadableSpan) -> tuple[str, str, str | None]:
    context = span.get_span_context()
    assert context is not None
    parent = span.parent and f"{span.parent.span_id:016x}"
    return span.name, f"{context.trace_id:032x}", parent


async def test_a_request_goes_on_with_the_trace_of_whoever_asked(
    exporter: InMemorySpanExporter, client: httpx.AsyncClient
) -> None:
    told = (await client.get("/v1/notes/N1", headers={"traceparent": SAMPLED})).json()
    (span,) = exporter.get_finished_spans()
    assert placed(span) == ("GET /v1/notes/{note_id}", TRACE, PARENT)
    assert span.kind is SpanKind.SERVER
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/notes/{note_id}",
        "http.response.status_code": 200,
    }
    assert span.resource.attributes["service.name"] == "notes-service"
    context = span.get_span_context()
    assert context is not None
    assert told["traceparent"] == f"00-{TRACE}-{context.span_id:016x}-01"


async def test_a_request_that_fails_is_marked(
    exporter: InMemorySpanExporter, client: httpx.AsyncClient
) -> None:
    await client.get("/v1/notes/broken", headers={"traceparent": SAMPLED})
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok


@pytest.mark.parametrize(("share", "spans"), [(0.0, 0), (1.0, 1)])
async def test_of_those_that_come_without_a_trace_a_share_gets_one(
    exporter: InMemorySpanExporter, client: httpx.AsyncClient, spans: int
) -> None:
    await client.get("/v1/notes/N1")
    assert len(exporter.get_finished_spans()) == spans


@pytest.mark.parametrize("share", [1.0])
@pytest.mark.parametrize(
    ("path", "traceparent"), [("/v1/notes/N1", NOT_SAMPLED), ("/livez", SAMPLED)]
)
async def test_what_is_not_to_be_traced_and_what_is_asked_all_the_time_is_not(
    exporter: InMemorySpanExporter, client: httpx.AsyncClient, path: str, traceparent: str
) -> None:
    await client.get(path, headers={"traceparent": traceparent})
    assert exporter.get_finished_spans() == ()


def test_each_event_of_a_trace_that_was_applied_is_told(exporter: InMemorySpanExporter) -> None:
    unreadable = Delivery(
        topic="orders.events", partition=7, position=4, body=b"{", chain_hash=None
    )
    deliveries = [delivery(SAMPLED), delivery(NOT_SAMPLED), delivery(None), unreadable]
    tell_applied("score/2", deliveries, seconds=0.25)
    (span,) = exporter.get_finished_spans()
    assert placed(span) == ("score apply", TRACE, PARENT)
    assert span.kind is SpanKind.CONSUMER
    assert span.attributes is not None
    assert span.attributes["aftersales.subscription"] == "score/2"
    assert span.attributes["cloudevents.event_type"] == "OrderPaid.v1"
    assert span.attributes["messaging.destination.name"] == "orders.events"
    assert span.end_time is not None
    assert span.start_time == span.end_time - 250_000_000


async def test_without_a_collector_nothing_is_changed(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/notes/N1", headers={"traceparent": SAMPLED})).json()
    assert told["traceparent"] == SAMPLED
    assert (await client.get("/v1/notes/N1")).json() == {"traceparent": None}
