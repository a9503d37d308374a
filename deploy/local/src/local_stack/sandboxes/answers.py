"""What a sandbox answers: a status and a body."""

from typing import Any

import msgspec
from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    status: int
    body: bytes


class Fault(Struct, frozen=True, kw_only=True):
    """`final`: false if the same may be asked again later."""

    code: str
    final: bool


class Faulty(Struct, frozen=True, kw_only=True):
    error: Fault


def answered(body: Any, status: int = 200) -> Answer:  # noqa: ANN401 - what JSON can say
    return Answer(status=status, body=msgspec.json.encode(body))


def refused(status: int, code: str, *, final: bool = True) -> Answer:
    """A definite no."""
    return answered(Faulty(error=Fault(code=code, final=final)), status)
