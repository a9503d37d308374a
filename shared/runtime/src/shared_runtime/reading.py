"""What a client has seen in, what a read may answer out: ETags, tokens, cursors, pages."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import asyncpg
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fastapi import Depends, Header, Query, Response
from shared_events.partition import PARTITIONS

from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.documents import ASKED_EACH_TIME
from shared_runtime.problems import NotYetVisible, encode_json
from shared_runtime.projections import Projection

VISIBLE_SECONDS_MAX = 2.0
LOOK_SECONDS = 0.005
LOOK_SECONDS_MAX = 0.05
PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
CURSOR_LENGTH_MAX = 1024
DIGEST_BYTES = 16
VERSION_HEADER = "If-Match"
VERSION = re.compile(r'"([0-9]{1,9})"', re.ASCII)
TOKEN = re.compile(r"([a-z][a-z.-]{0,62})/([0-9]{1,2}):([0-9]{1,18})", re.ASCII)

REACHED = """
    SELECT coalesce(cursor.position, 0) AS position, waiting.position IS NOT NULL AS waits
    FROM ({reader}) AS reader
    LEFT JOIN es.cursor AS cursor
        ON cursor.subscription = reader.name AND cursor.topic = $2 AND cursor.partition = $3
    LEFT JOIN es.parked_event AS waiting
        ON waiting.subscription = reader.name AND waiting.topic = $2 AND waiting.partition = $3
        AND waiting.position = $4 AND waiting.state = 'WAITING'
"""
SUBSCRIPTION = REACHED.format(reader="SELECT $1::text AS name")
PROJECTION = REACHED.format(
    reader="SELECT name || '/' || generation AS name FROM es.projection WHERE name = $1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A place in a log that a read shall have reached."""

    topic: str
    partition: int
    position: int


type PositionOf = Callable[[Token], Awaitable[int | None]]
"""How far a read model has come in the partition of a token; None if it does not read that topic.
Raises `NotYetVisible` if the event of the token has been set aside."""


VERSION_SEEN = Header(
    alias=VERSION_HEADER,
    description='The ETag that you saw, like "3".',
    examples=['"3"'],
    json_schema_extra={"pattern": f"^{VERSION.pattern}$"},
)


async def if_match(value: Annotated[str | None, VERSION_SEEN] = None) -> int | None:
    """A dependency: the version that the client saw, if he says so."""
    return None if value is None else _version(value)


async def if_match_required(value: Annotated[str, VERSION_SEEN]) -> int:
    """A dependency: the version that the client saw. Without it: `PreconditionRequired`."""
    return _version(value)


def _version(value: str) -> int:
    match = VERSION.fullmatch(value)
    if match is None:
        raise _invalid(VERSION_HEADER, 'one ETag, like "3"')
    return int(match[1])


async def consistency_token(
    value: Annotated[
        str | None,
        Header(alias="Consistency-Token", description="From a command's answer: wait for it."),
    ] = None,
) -> Token | None:
    """A dependency: the place to wait for, if the client names one."""
    if value is None:
        return None
    match = TOKEN.fullmatch(value)
    if match is None or int(match[2]) >= PARTITIONS:
        raise _invalid("Consistency-Token", "a token from a command's answer")
    return Token(topic=match[1], partition=int(match[2]), position=int(match[3]))


async def if_none_match(
    value: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="ETags of answers that you have. If one is still right, you are told so.",
        ),
    ] = None,
) -> str | None:
    """A dependency: the answers that the client has."""
    return value


type IfNoneMatch = Annotated[str | None, Depends(if_none_match)]
type IfMatch = Annotated[int | None, Depends(if_match)]
type IfMatchRequired = Annotated[int, Depends(if_match_required)]
type ConsistencyToken = Annotated[Token | None, Depends(consistency_token)]
type Limit = Annotated[
    int, Query(ge=1, le=PAGE_SIZE_MAX, description="How many items a page has at most.")
]
type CursorText = Annotated[
    str | None, Query(max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of a page.")
]


async def wait_for(token: Token | None, position_of: PositionOf) -> None:
    """Returns when the read model has come to the token. Raises `NotYetVisible` after 2 s.

    Sound because positions have no holes: who is at 8 has applied 1..8, or set it aside. What is
    set aside takes the later events of its key with it, so it is enough to ask for the token's own.
    """
    if token is None:
        return
    pause = LOOK_SECONDS
    try:
        async with asyncio.timeout(VISIBLE_SECONDS_MAX):
            while await _position(token, position_of) < token.position:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS_MAX)
    except TimeoutError as too_late:
        raise NotYetVisible from too_late


async def _position(token: Token, position_of: PositionOf) -> int:
    position = await position_of(token)
    if position is None:
        raise _invalid("Consistency-Token", "this read does not depend on that topic")
    return position


def position_of(pool: asyncpg.Pool, *projections: Projection) -> PositionOf:
    """How far the live tables of a projection have come; of several, all that read the topic."""

    async def position(token: Token) -> int | None:
        reached = [
            await _reached(pool, PROJECTION, each.name, token)
            for each in projections
            if token.topic in each.topics
        ]
        return min(reached, default=None)

    return position


async def reached(pool: asyncpg.Pool, subscription: str, token: Token) -> int:
    """How far a subscription has come: a `PositionOf` for what a reaction brings about."""
    return await _reached(pool, SUBSCRIPTION, subscription, token)


async def _reached(pool: asyncpg.Pool, query: str, name: str, token: Token) -> int:
    row = await pool.fetchrow(query, name, token.topic, token.partition, token.position)
    if row is None:
        return 0
    if row["waits"]:
        raise NotYetVisible
    position: int = row["position"]
    return position


class Cursors:
    """Where a page ends in, opaque text out; and back. Nobody reads it or makes one up.

    A cursor belongs to one list (`of` names it, filters included) and is refused by another. The
    same place of the same list is always the same text (AES-SIV, RFC 5297).
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(hashlib.sha512(b"cursors\x00" + key).digest())

    def text(self, of: str, last: Sequence[str | int]) -> str:
        sealed = self._cipher.encrypt(msgspec.json.encode(last), [of.encode()])
        return base64.urlsafe_b64encode(sealed).decode()

    def last(self, of: str, text: str | None) -> list[str | int] | None:
        """The sort key of the last row seen; None on the first page. Raises `InvalidValue`."""
        if text is None:
            return None
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
            payload = self._cipher.decrypt(sealed, [of.encode()])
        except (ValueError, InvalidTag) as failure:
            raise _invalid("cursor", "the `next_cursor` of a page of this list") from failure
        return msgspec.json.decode(payload, type=list[str | int])


def answer(
    value: object,
    *,
    status: int = 200,
    version: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A value as the body of an answer, with the version of the aggregate as its ETag."""
    etag = {} if version is None else {"ETag": etag_of(version)}
    return Response(
        encode_json(value),
        status,
        headers=etag | dict(headers or {}),
        media_type="application/json",
    )


def reanswered(kept: Response, view: object, version: int) -> Response:
    """The same answer as before, with what there is to be seen now, and its version."""
    headers = {name: value for name, value in kept.headers.items() if name != "content-length"}
    return Response(encode_json(view), kept.status_code, headers | {"etag": etag_of(version)})


def etag_of(version: int) -> str:
    return f'"{version}"'


def unless_seen(response: Response, seen: str | None) -> Response:
    """An answer for everybody, or that what the client has (`If-None-Match`) is still the same.

    By its bytes, whatever they are compressed by: what nobody may read any more is not among them.
    Whoever keeps it has to ask each time.
    """
    digest = hashlib.blake2b(bytes(response.body), digest_size=DIGEST_BYTES).hexdigest()
    headers = {"ETag": f'W/"{digest}"', "Cache-Control": ASKED_EACH_TIME}
    known = [each.strip().removeprefix("W/") for each in (seen or "").split(",")]
    if f'"{digest}"' in known or "*" in known:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _invalid(field: str, bound: str) -> InvalidValue:
    return InvalidValue(errors=[FieldError(field=field, bound=bound)])
