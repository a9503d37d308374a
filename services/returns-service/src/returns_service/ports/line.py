"""A request to a company in, what was heard of it out: an answer, or why there is none."""

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from msgspec import Struct
from shared_events.characters import is_id
from shared_events.fields import Code

ANSWER_BYTES_MAX = 1024 * 1024
KEEP_ALIVE_SECONDS = 5.0
PLAIN = "identity"
OTHER = "OTHER"
NO_ANSWER = "NO_ANSWER"
UNREADABLE = "UNREADABLE"


class Heard(Struct, frozen=True, kw_only=True):
    """An answer came, whatever it says."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Unknown(Struct, frozen=True, kw_only=True):
    """Nobody knows whether it was done. `code`: what was met in the place of an answer."""

    code: Code


class Refused(Struct, frozen=True, kw_only=True):
    """It was not done and never will be: the company's own definite word."""

    code: Code


class NotNow(Struct, frozen=True, kw_only=True):
    """It was not done, and may be asked again: the company's own definite word."""

    code: Code


class PortFault(Struct, frozen=True, kw_only=True):
    code: str
    final: bool


class Faulty(Struct, frozen=True, kw_only=True):
    """How all of them say no."""

    error: PortFault


type No = Refused | NotNow | Unknown

DEFINITE = (HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.UNPROCESSABLE_ENTITY)
"""The statuses of a no that is a decision. A 401 or a 404 is a fault between us, a 409 says that
the same is under way, a 429 that we ask too often: none says what became of it."""


def no_of(heard: Heard | Unknown) -> No:
    """What an answer that is no success says."""
    if isinstance(heard, Unknown):
        return heard
    fault = read(heard, Faulty)
    if heard.status not in DEFINITE or isinstance(fault, Unknown):
        return Unknown(code=f"HTTP_{heard.status}")
    code = code_of(fault.error.code)
    return Refused(code=code) if fault.error.final else NotNow(code=code)


def code_of(said: str | None) -> Code:
    """A code of theirs as one of ours: what cannot be one is `OTHER`."""
    return said if said and is_id(said) else OTHER


def read[T](heard: Heard, kind: type[T]) -> T | Unknown:
    """The body of an answer, if it is what it should be."""
    try:
        return msgspec.json.decode(heard.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unknown(code=UNREADABLE)


class Line:
    """To one company. `seconds`: how long an answer is waited for, from the first byte sent to the
    last one read.
    """

    def __init__(self, client: httpx.AsyncClient, *, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    async def get(self, path: str, **query: str) -> Heard | Unknown:
        return await self._ask("GET", path, params=query)

    async def post(
        self, path: str, body: Struct | None = None, *, key: str | None = None
    ) -> Heard | Unknown:
        """`key`: for what is done once, however often it is asked."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key is not None else {}
        content = None if body is None else msgspec.json.encode(body)
        return await self._ask("POST", path, content=content, headers=headers)

    async def _ask(
        self,
        method: str,
        path: str,
        **request: Any,  # noqa: ANN401 - as httpx has them
    ) -> Heard | Unknown:
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(method, path, **request) as answered,
            ):
                body = await _whole(answered)
        except (httpx.HTTPError, TimeoutError):
            return Unknown(code=NO_ANSWER)
        if body is None:
            return Unknown(code=UNREADABLE)
        return Heard(status=answered.status_code, body=body)

    async def close(self) -> None:
        await self._client.aclose()


async def _whole(answered: httpx.Response) -> bytes | None:
    """The body; None of one that is larger than any answer of theirs, or may be: of what is
    compressed a few bytes are as many as somebody likes.
    """
    if answered.headers.get("Content-Encoding", PLAIN) != PLAIN:
        return None
    body = bytearray()
    async for part in answered.aiter_raw():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            return None
    return bytes(body)


def line_to(url: str, key: str, *, seconds: float) -> Line:
    """A line to the company at this address, with the key of our account there. How many ask at
    once is bounded by whoever asks.
    """
    headers = {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json",
        "Accept-Encoding": PLAIN,
    }
    client = httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=None,  # noqa: S113 - one for all of it, above
        limits=httpx.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS),
        follow_redirects=False,
    )
    return Line(client, seconds=seconds)
