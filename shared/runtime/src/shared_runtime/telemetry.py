"""What a process does in, JSON lines on standard output and metrics out. Nothing personal.

Every line carries the correlation id of the request that it belongs to. Lines are events with
fields (`"request refused", rule="window-closed"`), never sentences with values in them.
"""

import logging
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import Processor

CORRELATION_HEADER = "X-Correlation-Id"
CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# W3C Trace Context, version 00: trace id and parent id, neither of them all zeros.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
UNOBSERVED = frozenset({"/livez", "/readyz", "/metrics"})
"""Whoever asks these asks all the time, and they say themselves what there is to say."""

REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "aftersales_http_request_seconds",
    "From the first byte in to the last byte out.",
    ["method", "route"],
)
REFUSALS = Counter("aftersales_refusals_total", "Requests that a rule refused.", ["rule"])


def configure_logging(level: str) -> None:
    """Sends all logs of the process, those of libraries too, to standard output as JSON lines."""
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line for each request that we make says nothing that its answer does not.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


@contextmanager
def correlated(correlation: str | None, traceparent: str | None) -> Generator[str]:
    """Puts the ids of a request on every line logged in its course; the correlation id.

    An id that does not look like one is replaced: what a client sends is not written to the logs.
    """
    if correlation is None or not CORRELATION_ID.fullmatch(correlation):
        correlation = str(uuid4())
    trace = {"traceparent": parent} if (parent := valid_traceparent(traceparent)) else {}
    with bound_contextvars(correlation_id=correlation, **trace):
        yield correlation


def valid_traceparent(value: str | None) -> str | None:
    """The header as events carry it on; None if it is absent or malformed."""
    return value if value and TRACEPARENT.fullmatch(value) else None
