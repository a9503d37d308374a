"""Where a request went, as spans of OpenTelemetry: one for each request that is answered, and one
for each of its events wherever that is applied. Nothing, unless `AFTERSALES_TRACES_URL` names who
collects them; what makes spans is not even loaded then.

A request's trace context is an attribute of the events that come of it (`traceparent`, as the W3C
and CloudEvents have it), so it goes the way of the events: the log, the relay, Kafka, a projection
or a reaction of another service, and the events that come of that one in turn. Spans name routes,
subscriptions, places and types: nothing personal.
"""

import atexit
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import DecodeError
from starlette.datastructures import MutableHeaders
from starlette.types import Scope

from shared_runtime.delivery import Delivery
from shared_runtime.telemetry import UNOBSERVED, valid_traceparent

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

HEADER = "traceparent"
SAMPLED = "01"
SERVER_ERROR_MIN = 500

_tracer: "Tracer | None" = None


def send_spans(service: str, url: str, share: float) -> None:
    """From now on spans go to `url` (OTLP over HTTP, `http://collector:4318/v1/traces`). Of the
    requests that come without a decision about it, `share` (0 to 1) are traced.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    trace_with(service, BatchSpanProcessor(OTLPSpanExporter(endpoint=url)), share)


def trace_with(service: str, processor: "SpanProcessor", share: float) -> Callable[[], None]:
    """As `send_spans`, to any processor; what ends it, with the last spans sent."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
        ParentBased,
        TraceIdRatioBased,
    )

    global _tracer  # noqa: PLW0603 - as a process has one log, it has one tracer
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=ParentBased(TraceIdRatioBased(share)),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("aftersales")

    def end() -> None:
        global _tracer  # noqa: PLW0603
        _tracer = None
        provider.shutdown()

    atexit.register(end)
    return end


class Answered:
    """How a request was answered, for its span."""

    method = "OTHER"
    route = ""
    status = 0


@contextmanager
def request_span(scope: Scope) -> Generator[Answered]:
    """The span of a request, which goes on with the trace of whoever asked. Inside, the request's
    `traceparent` is that of the span.
    """
    answered = Answered()
    if _tracer is None or scope["path"] in UNOBSERVED:
        yield answered
        return
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

    headers = MutableHeaders(scope=scope)
    span = _tracer.start_span(
        "request", context=_context(headers.get(HEADER)), kind=SpanKind.SERVER
    )
    context = span.get_span_context()
    headers[HEADER] = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    try:
        yield answered
    finally:
        span.update_name(f"{answered.method} {answered.route}".rstrip())
        span.set_attribute("http.request.method", answered.method)
        if answered.route:
            span.set_attribute("http.route", answered.route)
        span.set_attribute("http.response.status_code", answered.status)
        if answered.status >= SERVER_ERROR_MIN:
            span.set_status(StatusCode.ERROR)
        span.end()


def tell_applied(subscription: str, deliveries: Iterable[Delivery], seconds: float) -> None:
    """A span for each of these events that belongs to a trace: it was applied with others, in so
    many seconds up to now.
    """
    if _tracer is None:
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    ended = time.time_ns()
    name = subscription.partition("/")[0]  # of a projection, whichever of its generations
    for delivery in deliveries:
        try:
            envelope = delivery.envelope()
        except DecodeError:
            continue  # it is parked, which is told elsewhere
        if envelope.traceparent is None or not envelope.traceparent.endswith(SAMPLED):
            continue
        span = _tracer.start_span(
            f"{name} apply",
            context=_context(envelope.traceparent),
            kind=SpanKind.CONSUMER,
            attributes={
                "aftersales.subscription": subscription,
                "messaging.destination.name": delivery.topic,
                "messaging.destination.partition.id": str(delivery.partition),
                "aftersales.position": delivery.position,
                "cloudevents.event_id": envelope.id,
                "cloudevents.event_type": envelope.type,
            },
            start_time=ended - int(seconds * 1e9),
        )
        span.end(ended)


def _context(traceparent: str | None) -> "Context":
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    parent = valid_traceparent(traceparent)
    return TraceContextTextMapPropagator().extract({HEADER: parent} if parent else {})
