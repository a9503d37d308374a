"""A shop's request, followed by its trace from HTTP over Kafka to the score of another service."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

import httpx
from local_stack.people import until
from local_stack.services import Stack
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.test_journeys import order

TRACED = ("review-api", "review-worker", "reputation-worker")
TRACE = uuid4().hex

type Spans = set[tuple[str, str]]
"""The service and the name of each span of our trace."""


@contextmanager
def collector() -> Generator[tuple[str, Spans]]:
    """Takes what OTLP sends over HTTP."""
    told: Spans = set()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    told.update(
                        (named["service.name"], span.name)
                        for span in scope.spans
                        if span.trace_id.hex() == TRACE
                    )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None: ...  # noqa: A002

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", told
    server.shutdown()
    server.server_close()


@contextmanager
def restarted_with(stack: Stack, settings: Mapping[str, str]) -> Generator[None]:
    """They go on with these settings, and afterwards with their own again."""
    services = [stack.services[name] for name in TRACED]
    before = [service.env for service in services]
    try:
        for service in services:
            service.stop()
            service.env = {**service.env, **settings}
            service.start()
        for service in services:
            service.wait_ready()
        yield
    finally:
        for service, env in zip(services, before, strict=True):
            service.stop()
            service.env = env
            service.start()
        for service in services:
            service.wait_ready()


def test_a_trace_goes_from_the_request_over_kafka_to_the_score(stack: Stack) -> None:
    headers = {
        "Authorization": f"Bearer {stack.token('SYSTEM', 'shop')}",
        "Idempotency-Key": str(uuid4()),
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    }
    url = f"{stack.description.urls['review']}/v1/orders"
    wanted = {
        ("review-service", "POST /v1/orders"),
        ("review-service", "relay apply"),
        ("reputation-service", "score apply"),
    }
    with collector() as (address, told), restarted_with(stack, {"AFTERSALES_TRACES_URL": address}):
        httpx.post(url, json=order(f"traced-{TRACE}"), headers=headers).raise_for_status()
        until(lambda: wanted <= told, "the spans have come")
