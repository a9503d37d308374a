"""What schemathesis asks of our answers besides its own checks. It loads this file itself."""

import re
from importlib import import_module
from typing import Any

import schemathesis

UNSAYABLE = {
    "cursor": r"the `next_cursor` of a page of this list",
    "Consistency-Token": r"a token from a command's answer",
    "since": r"before until(, by \d+ days at most)?",
    "until": r"not after today|after now, and not more than \d+ hours ahead",
    "day": r"2000-01-01\.\.\d{4}-\d\d-\d\d",
    "url": r"printable ASCII .*|an address (like|of) .*|port \d+, .*|a host and a path: .*",
    "types": r"the name of an event of this service",
    "seller_ids": r"SYSTEM says it: .*",
    "buyer_ids": r"SYSTEM says it: .*",
    "begins_at": r"the first instant of a day to come, UTC",
}
"""Bounds that no schema of one field can say: what only we can make, what comes before something
else, what depends on the day or on who asks, which hosts are inside, which events a service has.
Whatever else is refused as a value is documented as one.
"""
PRECONDITION_FAILED = 412
UNPROCESSABLE = 422
MISMATCH = "/problems/idempotency-mismatch"
"""The key of the example was used with another body before."""
OF_HTTP = frozenset(
    {"content-type", "content-length", "date", "connection", "transfer-encoding"}
    | {"content-encoding", "vary"}
)
"""Headers that nobody is told of: HTTP has them."""
LINES = "application/x-ndjson"
schemathesis.serializer.alias(LINES, "text/plain")
OPENAPI: Any = import_module("schemathesis.specs.openapi.checks")  # its types are not told


@schemathesis.check
def sound_data_is_taken(ctx: Any, response: Any, case: Any) -> bool | None:  # noqa: ANN401
    """A request that is as the document says is not refused for what is in it."""
    if case.headers.get("If-Match") == "":  # against its pattern: it is no sound data
        return None
    if response.status_code == PRECONDITION_FAILED:
        return None  # the version that it names is not the one that there is
    if response.status_code == UNPROCESSABLE and _is_unsayable(response.json()):
        return None
    done: bool | None = OPENAPI.positive_data_acceptance(ctx, response, case)
    return done


@schemathesis.check
def unsound_data_is_refused(ctx: Any, response: Any, case: Any) -> bool | None:  # noqa: ANN401
    """A request that is not as the document says is refused; but whatever is sent as lines is some,
    and each is answered for itself.
    """
    if case.media_type == LINES:
        return None
    done: bool | None = OPENAPI.negative_data_rejection(ctx, response, case)
    return done


@schemathesis.check
def every_header_is_told_of(ctx: Any, response: Any, case: Any) -> None:  # noqa: ANN401, ARG001
    """An answer of a status that is documented has no header that is not."""
    if case.method.upper() != case.operation.method.upper():
        return  # of a method that is none of this operation
    answers = case.operation.definition.raw["responses"]
    if (answer := answers.get(str(response.status_code))) is not None:
        told = {name.lower() for name in answer["headers"]} | OF_HTTP
        untold = {name for name in response.headers if name.lower() not in told}
        assert not untold, f"headers that no one is told of: {untold}"


def _is_unsayable(told: dict[str, Any]) -> bool:
    errors = told.get("errors", [])
    if not errors:
        return bool(told["type"] == MISMATCH)
    return all(
        re.fullmatch(UNSAYABLE.get(each["field"].partition("[")[0], "(?!)"), each["bound"])
        for each in errors
    )
