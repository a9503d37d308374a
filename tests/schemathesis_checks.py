"""What schemathesis asks of our answers besides its own checks. It loads this file itself."""

import re
from importlib import import_module
from typing import Any

import schemathesis

UNSAYABLE = {
    "cursor": r"the `next_cursor` of a page of this list",
    "Consistency-Token": r"a token from a command's answer",
    "from": r"before until(, by \d+ days at most)?",
    "until": r"not after today|after now, and not more than \d+ hours ahead",
    "day": r"2000-01-01\.\.\d{4}-\d\d-\d\d",
    "begins_at": r"the first instant of a day to come, UTC",
}
"""Bounds that no schema of one field can say: what only we can make, what comes before something
else, and what depends on the day. Whatever else is refused as a value is documented as one.
"""
PRECONDITION_FAILED = 412
UNPROCESSABLE = 422
MISMATCH = "/problems/idempotency-mismatch"
"""The key of the example was used with another body before."""
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


def _is_unsayable(told: dict[str, Any]) -> bool:
    errors = told.get("errors", [])
    if not errors:
        return bool(told["type"] == MISMATCH)
    return all(re.fullmatch(UNSAYABLE.get(each["field"], "(?!)"), each["bound"]) for each in errors)
