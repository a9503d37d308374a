"""What an operation has answered in; what was expected out, or the refusal as an exception."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

PROBLEM_TYPE = "application/problem+json"
PROBLEMS = "/problems/"


class Response(Protocol):
    """An answer of httpx, or what an operation has made of it."""

    @property
    def status_code(self) -> int: ...
    @property
    def content(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Parsed(Response, Protocol):
    """What `sync_detailed` and `asyncio_detailed` of every operation return."""

    @property
    def parsed(self) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """RFC 9457. `type` names the rule; `members` is what comes beside: `errors`, `closed_at` …"""

    type: str
    title: str
    status: int
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def rule(self) -> str:
        """`already-submitted`, of `/problems/already-submitted`."""
        return self.type.removeprefix(PROBLEMS)


class Refused(Exception):  # noqa: N818 - as the services call it
    """Anything but the answer that was asked for. `correlation_id` finds it in the logs."""

    def __init__(self, problem: Problem, correlation_id: str | None) -> None:
        super().__init__(f"{problem.rule}: {problem.detail}")
        self.problem = problem
        self.correlation_id = correlation_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer[T]:
    """`etag` is for `if_match`; `consistency_token` for reads that shall show what was recorded;
    `replayed`: the same request was answered before, and so was this one.
    """

    value: T
    etag: str | None
    consistency_token: str | None
    replayed: bool


def expect[T](kind: type[T], response: Parsed) -> Answer[T]:
    """The answer, if it is of that kind. Raises `Refused` if it is a problem, TypeError if it is
    another answer of this operation (`Rehearsal`, where `validate_only` was said).
    """
    check(response)
    if not isinstance(response.parsed, kind):
        raise TypeError(f"not {kind.__name__}, but {type(response.parsed).__name__}")
    return answer_with(response.parsed, response)


def answer_with[T](value: T, response: Response) -> Answer[T]:
    headers = response.headers
    return Answer(
        value=value,
        etag=headers.get("ETag"),
        consistency_token=headers.get("Consistency-Token"),
        replayed=headers.get("Idempotent-Replayed") == "true",
    )


def check(response: Response) -> None:
    """Raises `Refused` if it is anything but success."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise Refused(_problem(response), response.headers.get("X-Correlation-Id"))


def _problem(response: Response) -> Problem:
    status = HTTPStatus(response.status_code)
    if not response.headers.get("Content-Type", "").startswith(PROBLEM_TYPE):
        # Of something on the way that knows no problems.
        return Problem(type="about:blank", title=status.phrase, status=status, detail=status.phrase)
    told: dict[str, Any] = json.loads(response.content)
    known = {name: told.pop(name) for name in ("type", "title", "status", "detail")}
    return Problem(**known, members=told)
