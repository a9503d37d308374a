"""POST /v1/orders/bulk: NDJSON in, NDJSON out, both as they come.

Lines are taken in batches. The next one is read when the last is recorded and its answers are on
their way, so that neither the size of an upload nor a slow reader costs memory.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, HTTPException, Request, Response
from shared_casework.callers import FEEDS
from shared_runtime.auth import Caller, require
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.places import Places
from shared_runtime.problems import UnsupportedMediaType, refusals
from shared_runtime.routers import Router
from shared_runtime.telemetry import valid_traceparent
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from review_service.api import examples
from review_service.bulk.intake import Intake, Numbered, UploadTally
from review_service.bulk.line import LINE_BYTES_MAX, Life
from review_service.bulk.ndjson import Lines
from review_service.bulk.reviewed import Reviewed
from review_service.bulk.story import Teller, feed, importer

type Feed = Annotated[Caller, Depends(require(*FEEDS))]

PATH = "/v1/orders/bulk"
NDJSON = "application/x-ndjson"
IDENTITY = "identity"
NDJSON_TYPE = re.compile(r"application/x-ndjson\s*(;|$)", re.IGNORECASE)
BATCH_LINES_MAX = 500
BATCH_BYTES_MAX = 1024 * 1024
UPLOADS_MAX = 16
"""At once, in a process: each has up to a batch in memory."""
UPLOADS_OF_ONE_MAX = 8
PATIENCE_SECONDS = 15.0
"""So long an upload waits for its place."""
QUIET_SECONDS = 10.0
"""An upload that has brought no line for so long, or read no answer, gives its place to who waits
for one."""
UPLOADS_BYTES_MAX = UPLOADS_MAX * (BATCH_BYTES_MAX + 2 * LINE_BYTES_MAX)
"""Of text: a batch that is gathered, a line that has begun, what the server has of the next."""
QUIET_LOOK_SECONDS = 1.0
LINGER_SECONDS = 0.01
"""How long lines that are there wait for more to come with them."""


class NotNdjson(UnsupportedMediaType):
    """The body must be application/x-ndjson, without a Content-Encoding."""

    @classmethod
    def slug(cls) -> str:
        return UnsupportedMediaType.slug()


class BulkUpload:
    """The body of a request, as it comes. `whole` says how it ended, when it has; `let_go`: that it
    was quiet for too long while its place `is_wanted`.
    """

    def __init__(self, receive: Receive, is_wanted: Callable[[], bool]) -> None:
        self._receive = receive
        self._is_wanted = is_wanted
        self._coming: asyncio.Task[Message] | None = None
        self._quiet_since = asyncio.get_running_loop().time()
        self.ended = False
        self.whole = False
        self.let_go = False

    def has_line(self) -> None:
        """It is not quiet."""
        self._quiet_since = asyncio.get_running_loop().time()

    async def chunk(self, patience_seconds: float | None) -> bytes | None:
        """The next bytes; None when none have come for so long."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._next())
        seconds = QUIET_LOOK_SECONDS if patience_seconds is None else patience_seconds
        done = False
        while not done:
            if self._is_too_quiet():
                self.ended = self.let_go = True
                return b""
            done = bool((await asyncio.wait({self._coming}, timeout=seconds))[0])
            if not done and patience_seconds is not None:
                return None
        message, self._coming = self._coming.result(), None
        if message["type"] == "http.disconnect":
            self.ended = True
            return b""
        self.ended = self.whole = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    def _is_too_quiet(self) -> bool:
        seconds = asyncio.get_running_loop().time() - self._quiet_since
        return seconds >= QUIET_SECONDS and self._is_wanted()

    def abandon(self) -> None:
        if self._coming is not None:
            self._coming.cancel()

    async def _next(self) -> Message:
        return await self._receive()


async def batches(upload: BulkUpload) -> AsyncGenerator[list[Numbered]]:
    """The lines of an upload, as many together as are there. A line that was cut off is none."""
    lines = Lines()
    batch: list[Numbered] = []
    size = 0
    while not upload.ended:
        chunk = await upload.chunk(LINGER_SECONDS if batch else None)
        if chunk is None:
            yield batch
            upload.has_line()
            batch, size = [], 0
            continue
        for numbered in lines.feed(chunk):
            upload.has_line()
            batch.append(numbered)
            size += len(numbered.text) if isinstance(numbered.text, bytes) else 0
            if len(batch) == BATCH_LINES_MAX or size >= BATCH_BYTES_MAX:
                yield batch
                upload.has_line()
                batch, size = [], 0
    if upload.whole:  # then the last line may do without a line end
        batch.extend(lines.rest())
    if batch:
        yield batch


class Exchange(Response):
    """The answer: begun when the first lines are recorded, ended when the upload has ended.

    Reads the request itself, because Starlette's streaming answer reads it to its end to see
    whether the client is still there.
    """

    def __init__(self, intake: Intake, teller: Teller, places: Places) -> None:
        super().__init__(media_type=NDJSON)
        self._places = places
        self._intake = intake
        self._teller = teller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        account = self._teller.orders.id
        async with self._places.one(account):
            wanted = partial(self._places.are_wanted_of, account)
            await self._take(BulkUpload(receive, wanted), partial(read_by, send, wanted))

    async def _take(self, upload: BulkUpload, send: Send) -> None:
        tally = UploadTally()
        begun = False
        try:
            async with aclosing(batches(upload)) as coming:
                async for batch in coming:
                    answers = await self._intake.take(batch, self._teller, tally)
                    if not begun:
                        await send(START)
                        begun = True
                    await send(_part(answers))
        finally:
            upload.abandon()
        if upload.let_go and not begun:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT)
        if not upload.whole:
            raise ClientDisconnect
        if not begun:
            await send(START)
        await send(_part(tally.summary(), last=True))


async def read_by(send: Send, is_wanted: Callable[[], bool], message: Message) -> None:
    """Sends it, and lets a client go who does not read while his place `is_wanted`."""
    sending = asyncio.ensure_future(send(message))
    began_at = asyncio.get_running_loop().time()
    try:
        while not (await asyncio.wait({sending}, timeout=QUIET_LOOK_SECONDS))[0]:
            if asyncio.get_running_loop().time() - began_at >= QUIET_SECONDS and is_wanted():
                raise ClientDisconnect
        await sending
    finally:
        sending.cancel()


START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", NDJSON.encode())],
}


def _part(body: bytes, *, last: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": not last}


DESCRIPTION = f"""
For SYSTEM and IMPORTER. A line is an order as it was placed, the instants of the states that it
has reached, and its reviews (on behalf of the parties: an IMPORTER's alone). It is judged as of
those instants; deadlines that have passed since are met. Lines are idempotent by their order: no
Idempotency-Key.

Answered is a line for each line, in order, while the upload goes on: **read while you send**, a
client that does not is made to wait, and is cut off after a minute or two. The last line sums up.
An upload that breaks off has done what it has answered, and at most {BATCH_LINES_MAX} lines more:
send it again, whole lines that were taken are `unchanged`. A line whose order is refused (whichever
step of it) changes nothing; a refused review leaves its order and the other review. A line has at
most {LINE_BYTES_MAX} bytes.

{UPLOADS_MAX} are taken in at once, {UPLOADS_OF_ONE_MAX} of one caller's. Another one waits for a
place, {PATIENCE_SECONDS:.0f} seconds at most; one that for {QUIET_SECONDS:.0f} seconds has brought
no line, or has not read what it is answered, is ended then.

**What else there was to a review comes with it**: a `title` (the first paragraph of its text),
files of its writer, the other side's `reply`, a `follow_up`, and that it was `restricted`
elsewhere. These parts are judged each by itself and answered in `parts`; one that is refused leaves
the review and the others. A reply or a follow-up of before the reveal is said at it.

**Bring an order's reviews in its own line.** A line that completes an order also meets the deadline
of its evaluation, and what has been closed or revealed stays so: others have read it, and a history
does not go back. A review that is brought later, as of an instant before, is `time-goes-back`.
"""


def _inlined(schema: object, parts: dict[str, Any]) -> object:
    """A schema without references: those of msgspec do not hold inside of an OpenAPI document."""
    if isinstance(schema, list):
        return [_inlined(item, parts) for item in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    told = cast("dict[str, object]", schema)
    if "$ref" in told:
        return _inlined(parts[str(told["$ref"]).rpartition("/")[2]], parts)
    return {name: _inlined(each, parts) for name, each in told.items() if name != "discriminator"}


def line_schema() -> dict[str, Any]:
    """The JSON Schema of a line, without references."""
    schemas, parts = msgspec.json.schema_components([Life, Reviewed])
    line, review = (cast("dict[str, Any]", _inlined(schema, parts)) for schema in schemas)
    reviews: dict[str, Any] = {"type": "array", "items": review, "default": []}
    properties = line["properties"] | {"reviews": reviews}
    return {
        **line,
        "title": "Line",
        "properties": properties,
    }


LINES: dict[str, Any] = {
    "type": "string",
    "contentMediaType": NDJSON,
    "contentSchema": line_schema(),
    "description": "Lines; `contentSchema` is that of each.",
}
REQUEST = {
    "required": True,
    "content": {NDJSON: {"schema": LINES, "example": examples.line_of(examples.LINE)}},
}
ANSWERS = {
    "description": "A line for each line, and a summary.",
    "content": {NDJSON: {"schema": {"type": "string"}, "example": examples.ANSWERS}},
}


def bulk_api(intake: Intake) -> Router:
    router = Router("/v1/orders", tags=["bulk"])
    places = Places(UPLOADS_MAX, UPLOADS_OF_ONE_MAX, PATIENCE_SECONDS)

    @router.post(
        "/bulk",
        summary="Whole histories of orders, a line each",
        description=DESCRIPTION,
        response_class=Response,
        responses=refusals(RoleNotAllowed) | {200: ANSWERS},
        openapi_extra={"requestBody": REQUEST},
    )
    async def take_lines(request: Request, caller: Feed) -> Response:
        encoding = request.headers.get("content-encoding", IDENTITY)
        if encoding != IDENTITY or not NDJSON_TYPE.match(request.headers.get("content-type", "")):
            raise NotNdjson
        traceparent = valid_traceparent(request.headers.get("traceparent"))
        tells = importer if "IMPORTER" in caller.roles else feed
        return Exchange(intake, tells(caller.sub, traceparent), places)

    return router
