"""The same request twice in, one set of events and one answer out.

A POST's Idempotency-Key and its sender make the command's id. The answer is kept in `es.reply` by
the append that records the events, so there are both or neither; the events' own ids come from
the command's id, so that even without the kept answer they could not be recorded twice.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid5

from fastapi import Header, Request

from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.log import Database
from shared_runtime.problems import IdempotencyMismatch, MalformedBody
from shared_runtime.wellformed import parsed

KEY_HEADER = "Idempotency-Key"
KEY_LENGTH_MAX = 128
KEY_PATTERN = "^[!-~]+$"
KEY = re.compile(rf"[!-~]{{1,{KEY_LENGTH_MAX}}}")
KEPT_FOR = timedelta(days=30)
PURGE_MAX = 10_000
COMMANDS = UUID("6f1d8f3c-6a0e-5d0b-9a53-0b5f7c3a1e42")
"""The namespace of command ids."""
DRY_RUN = "validate_only"

FIND = """
    SELECT request_id, fingerprint, status, etag, body, token FROM es.reply
    WHERE request_id = ANY(string_to_array($1, ',')::uuid[])
"""
PURGE = """
    DELETE FROM es.reply WHERE request_id IN (
        SELECT request_id FROM es.reply WHERE created_at < $1 ORDER BY created_at LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that a request was given, as `es.reply` has it."""

    fingerprint: bytes
    status: int
    etag: str | None
    body: bytes
    token: str | None

    def matching(self, fingerprint: bytes) -> "Kept":
        """This answer. Raises `IdempotencyMismatch` if another request was given it."""
        if fingerprint != self.fingerprint:
            raise IdempotencyMismatch
        return self


async def idempotency_key(
    value: Annotated[
        str,
        Header(
            alias=KEY_HEADER,
            description="A new one for each new request, the same one for its retry.",
            examples=["6f1d8f3c-6a0e-4d0b-9a53-0b5f7c3a1e42"],
            json_schema_extra={"maxLength": KEY_LENGTH_MAX, "pattern": KEY_PATTERN},
        ),
    ],
) -> str:
    """A dependency: the key, which every POST needs. Without it: `IdempotencyKeyMissing`."""
    if not KEY.fullmatch(value):
        bound = f"1..{KEY_LENGTH_MAX} visible ASCII characters"
        raise InvalidValue(errors=[FieldError(field=KEY_HEADER, bound=bound)])
    return value


def command_id(sub: str, key: str) -> UUID:
    """Two senders may use the same key. A line break is in neither `sub` nor key."""
    return uuid5(COMMANDS, f"{sub}\n{key}")


async def fingerprint(request: Request, key: str) -> bytes:
    """A digest of what was asked: method, path, query and body, however the JSON is written.

    Under the request's own Idempotency-Key, which is kept nowhere: whoever reads the database
    cannot try what somebody, erased since, may have written.
    """
    body = await request.body()
    query = sorted((k, v) for k, v in request.query_params.multi_items() if k != DRY_RUN)
    asked = [request.method, request.url.path, urlencode(query), canonical(body)]
    told = "\n".join(asked).encode("utf-8", "surrogatepass")
    return hmac.digest(key.encode(), told, hashlib.sha256)


def canonical(body: bytes) -> str:
    """The same text for the same JSON, whatever its spaces and the order of its members. Raises
    `MalformedBody`.
    """
    if not body:
        return ""
    try:
        return json.dumps(parsed(body), sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise MalformedBody from error


async def find_replies(db: Database, request_ids: Sequence[UUID]) -> list[Kept | None]:
    """The answer kept for each request, if it has had one."""
    rows = await db.fetch(FIND, ",".join(map(str, request_ids)))
    found = {request_id: Kept(*kept) for request_id, *kept in rows}
    return [found.get(request_id) for request_id in request_ids]


async def purge_replies(db: Database, now: datetime) -> int:
    """Forgets answers older than `KEPT_FOR`, `PURGE_MAX` at most; how many there were."""
    done = await db.execute(PURGE, now - KEPT_FOR, PURGE_MAX)
    return int(done.split()[-1])
