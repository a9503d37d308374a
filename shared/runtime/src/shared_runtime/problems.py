"""A refusal in, an RFC 9457 problem out, and its entry in the OpenAPI document.

`type` is "/problems/<slug>", `title` the rule's name in words, `detail` its message; the members
of the refusal come beside them. What happens at the door, before any decider, is a refusal too.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel

from shared_runtime import decider
from shared_runtime.decider import InvalidValue, NotAParty, Refused
from shared_runtime.log import StaleVersion

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 1

# By name, so that a service's own refusals have theirs without a second table. Others are 409.
STATUSES: Mapping[str, int] = {
    "malformed-body": 400,
    "malformed-line": 400,
    "idempotency-key-missing": 400,
    "unauthenticated": 401,
    "role-not-allowed": 403,
    "not-a-party": 403,
    "conflict-of-interest": 403,
    "human-required": 403,
    "measure-in-force": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "subject-erased": 410,
    "link-expired": 410,
    "stale-version": 412,
    "body-too-large": 413,
    "line-too-long": 413,
    "file-too-large": 413,
    "unsupported-media-type": 415,
    "invalid-value": 422,
    "invalid-file": 422,
    "idempotency-mismatch": 422,
    "policy-unknown": 422,
    "time-goes-back": 422,
    "evidence-required": 422,
    "reasons-missing": 422,
    "not-returnable": 422,
    "quantity-exceeded": 422,
    "amount-exceeds-ceiling": 422,
    "precondition-required": 428,
    "rate-limited": 429,
    "internal-error": 500,
    "unavailable": 503,
    "not-ready": 503,
    "not-yet-visible": 503,
}


NotFound = decider.NotFound


class MalformedBody(Refused):
    """The body is not JSON."""


class Unauthenticated(Refused):
    """A valid access token is needed."""


@dataclass(kw_only=True, eq=False)
class MethodNotAllowed(Refused):
    """This path does not take this method."""

    allowed_methods: list[str]


@dataclass(kw_only=True, eq=False)
class BodyTooLarge(Refused):
    """The body is larger than this path takes."""

    limit_bytes: int | None = None


class UnsupportedMediaType(Refused):
    """The body must be application/json."""


class IdempotencyKeyMissing(Refused):
    """Every POST needs an Idempotency-Key: a new one for each new request, the same for a retry."""


class IdempotencyMismatch(Refused):
    """This command id was used with another body."""


class PreconditionRequired(Refused):
    """Say which version you saw: send its ETag as If-Match."""


class ConcurrentChange(Refused):
    """Others kept changing the object at the same time. Nothing was done; try again."""


class Unavailable(Refused):
    """Something that this service needs cannot be reached. Nothing was done; try again."""


class NotReady(Refused):
    """The service cannot work yet."""


class NotYetVisible(Refused):
    """What your token stands for cannot be read yet. Try again."""


class InternalError(Refused):
    """Something went wrong here. The correlation id finds it in the logs."""


# What any route may answer.
EVERYWHERE: tuple[type[Refused], ...] = (
    MalformedBody,
    Unauthenticated,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidValue,
    InternalError,
    Unavailable,
)
ON_COMMANDS: tuple[type[Refused], ...] = (
    IdempotencyKeyMissing,
    IdempotencyMismatch,
    StaleVersion,
    ConcurrentChange,
)

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "additionalProperties": True,
}


def status_of(rule: type[Refused]) -> int:
    return STATUSES.get(rule.slug(), HTTPStatus.CONFLICT)


def problem(refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that a refusal is. Somebody else's object is not there at all."""
    if isinstance(refused, NotAParty):
        refused = NotFound()
    status = status_of(type(refused))
    return Response(
        encode_json(problem_body(refused)),
        status,
        headers=_headers(status) | dict(headers or {}),
        media_type=PROBLEM_TYPE,
    )


def problem_body(refused: Refused) -> dict[str, object]:
    """The same where it is a part of another answer."""
    return _described(type(refused)) | refused.members()


def refusals(*rules: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these refusals and those that any route may answer."""
    documented: dict[int | str, dict[str, Any]] = {}
    for rule in (*EVERYWHERE, *(NotFound if rule is NotAParty else rule for rule in rules)):
        status = status_of(rule)
        entry = documented.setdefault(
            status,
            {
                "description": HTTPStatus(status).phrase,
                "content": {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA, "examples": {}}},
            },
        )
        examples = entry["content"][PROBLEM_TYPE]["examples"]
        examples[rule.slug()] = {"summary": rule.message(), "value": _example(rule)}
    return documented


def command_refusals(*rules: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """The same for a route that runs a command."""
    return refusals(*ON_COMMANDS, *rules)


def encode_json(value: object) -> bytes:
    """JSON as every answer has it: snake_case, instants in UTC with a Z."""
    return msgspec.json.encode(value, enc_hook=_encode_model)


def _encode_model(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"no JSON for {type(value).__name__}")


def _described(rule: type[Refused]) -> dict[str, object]:
    return {
        "type": f"/problems/{rule.slug()}",
        "title": rule.slug().replace("-", " ").capitalize(),
        "status": status_of(rule),
        "detail": rule.message(),
    }


def _headers(status: int) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}


def _example(rule: type[Refused]) -> dict[str, object]:
    members: tuple[Field[Any], ...] = fields(rule) if is_dataclass(rule) else ()
    return _described(rule) | {member.name: _sample(str(member.type)) for member in members}


def _sample(kind: str) -> object:
    """A value of a member's type, for the reader of the OpenAPI document."""
    if "FieldError" in kind:
        return [{"field": "quality", "bound": "1..5"}]
    if "list" in kind:
        return []
    if "datetime" in kind:
        return "2026-01-15T00:00:00Z"
    return 1 if "int" in kind else "…"
