"""A refusal in, an RFC 9457 problem out, and its entry in the OpenAPI document.

`type` is "/problems/<slug>", `title` the rule's name in words, `detail` its message; the members
of the refusal come beside them. What happens at the door, before any decider, is a refusal too.
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from types import GenericAlias, NoneType
from typing import Any, Literal, TypeAliasType, get_args, get_origin

import msgspec
from fastapi import Response
from pydantic import BaseModel

from shared_runtime import decider
from shared_runtime.clock import Clock, system_clock
from shared_runtime.decider import (
    InvalidValue,
    NotAParty,
    Refused,
    RoleNotAllowed,
    ScopeNotAllowed,
)
from shared_runtime.log import StaleVersion

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 1
"""How long somebody shall wait who cannot be told an instant."""

# By name, so that a service's own refusals have theirs without a second table. Others are 409.
STATUSES: Mapping[str, int] = {
    "malformed-body": 400,
    "malformed-line": 400,
    "idempotency-key-missing": 400,
    "unauthenticated": 401,
    "role-not-allowed": 403,
    "scope-not-allowed": 403,
    "not-a-party": 403,
    "conflict-of-interest": 403,
    "human-required": 403,
    "measure-in-force": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "request-timeout": 408,
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


class RequestTimeout(Refused):
    """The body did not come in time."""


class UnsupportedMediaType(Refused):
    """The body must be application/json, and not compressed."""


class IdempotencyKeyMissing(Refused):
    """Every POST needs an Idempotency-Key: a new one for each new request, the same for a retry."""


class IdempotencyMismatch(Refused):
    """This command id was used with another body."""


class PreconditionRequired(Refused):
    """Say which version you saw: send its ETag as If-Match."""


class ConcurrentChange(Refused):
    """Others kept changing the object at the same time. Nothing was done; try again."""


class Unavailable(Refused):
    """Something that this service needs cannot be reached. Send the same request again."""


class NotReady(Refused):
    """The service cannot work yet."""


class NotYetVisible(Refused):
    """What your token stands for cannot be read yet. Try again."""


class InternalError(Refused):
    """Something went wrong here. The correlation id finds it in the logs."""


# What any route may answer: a token may have no role at all.
EVERYWHERE: tuple[type[Refused], ...] = (
    MalformedBody,
    Unauthenticated,
    RoleNotAllowed,
    ScopeNotAllowed,
    RequestTimeout,
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

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer"},
    }
}
# What the document says of headers that answers of such a status have.
STATUS_HEADERS: Mapping[int, dict[str, Any]] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {
            "description": "How to prove who you are: by a bearer token.",
            "schema": {"type": "string"},
        }
    },
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}

# Of members that more than one service may tell. A rule of one service says it with its field:
# `field(metadata={"example": …})`; what says nothing is shown by its type.
EXAMPLES: Mapping[str, object] = {
    "errors": [{"field": "quality", "bound": "1..5"}],
    "allowed_roles": ["SELLER"],
    "allowed_methods": ["GET", "HEAD", "OPTIONS"],
    "allowed_actions": ["WithdrawReview"],
    "state": "CLOSED",
    "ground": "PARTY",
    "missing": ["facts"],
    "policy_version": "ae-2025-1",
    "measure_id": "M-1",
    "existing_id": "R-1",
    "limit": 3,
    "limit_bytes": 262_144,
    "expected": 3,
    "actual": 4,
}

PROBLEM_REFERENCE = "#/components/schemas/Problem"
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
    "description": "RFC 9457. `type` names the rule; its members come beside these.",
}


def status_of(rule: type[Refused]) -> int:
    return STATUSES.get(rule.slug(), HTTPStatus.CONFLICT)


def problem(
    refused: Refused, headers: Mapping[str, str] | None = None, now: Clock = system_clock
) -> Response:
    """The answer that a refusal is. Somebody else's object is not there at all."""
    if isinstance(refused, NotAParty):
        refused = decider.NotFound()
    status = status_of(type(refused))
    return Response(
        encode_json(problem_body(refused)),
        status,
        headers=_headers(refused, status, now) | dict(headers or {}),
        media_type=PROBLEM_TYPE,
    )


def problem_body(refused: Refused) -> dict[str, object]:
    """The same where it is a part of another answer."""
    return _described(type(refused)) | refused.members()


def refusals(*rules: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these refusals and those that any route under /v1 may answer."""
    return refusals_of(*EVERYWHERE, *rules)


def refusals_of(*rules: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that is refused by these rules alone."""
    return {**_documented(rules)}


@cache
def _documented(rules: tuple[type[Refused], ...]) -> dict[int | str, dict[str, Any]]:
    """Made once, as many routes are refused by the same rules. Nobody changes it."""
    documented: dict[int | str, dict[str, Any]] = {}
    for rule in (decider.NotFound if rule is NotAParty else rule for rule in rules):
        status = status_of(rule)
        entry = documented.setdefault(status, _answer(status))
        examples = entry["content"][PROBLEM_TYPE]["examples"]
        examples[rule.slug()] = _example(rule)
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


def _answer(status: int) -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": PROBLEM_REFERENCE}, "examples": {}}}
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    return told | ({"headers": STATUS_HEADERS[status]} if status in STATUS_HEADERS else {})


def _described(rule: type[Refused]) -> dict[str, object]:
    return {
        "type": f"/problems/{rule.slug()}",
        "title": rule.slug().replace("-", " ").capitalize(),
        "status": status_of(rule),
        "detail": rule.message(),
    }


def _headers(refused: Refused, status: int, now: Clock) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return {"Retry-After": str(_seconds_until(refused.members().get("retry_at"), now))}
    return {}


def _seconds_until(retry_at: object, now: Clock) -> int:
    """Whole seconds: who waits so long is not too early."""
    if not isinstance(retry_at, datetime):
        return RETRY_SECONDS
    return max(RETRY_SECONDS, math.ceil((retry_at - now()).total_seconds()))


def _example(rule: type[Refused]) -> dict[str, object]:
    members: tuple[Field[Any], ...] = fields(rule) if is_dataclass(rule) else ()
    shown = _described(rule) | {each.name: _sample(each) for each in members}
    return {"summary": rule.message(), "value": shown}


def _sample(member: Field[Any]) -> object:
    """A value of a member, for the reader of the OpenAPI document."""
    if "example" in member.metadata:
        return member.metadata["example"]
    return EXAMPLES[member.name] if member.name in EXAMPLES else _of_kind(member.name, member.type)


def _of_kind(name: str, kind: object) -> object:
    if isinstance(kind, TypeAliasType):
        return _of_kind(name, kind.__value__)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if isinstance(kind, GenericAlias):
        return [_of_kind(name, get_args(kind)[0])]
    if options := [each for each in get_args(kind) if each is not NoneType]:
        return _of_kind(name, options[0])  # of a union
    if kind is str:
        return name.replace("_", " ")
    return "2026-01-15T00:00:00Z" if kind is datetime else 1
