"""Files in and out over HTTP, and what a worker does for them.

    links = Links(settings.media_secret, now)
    store = media_of(parts, links)

    routers: media_router(store, links), in the service's `streamed` paths: media_api.PATH
    tasks:   *media_tasks(store)

Uploads and reads are under /v1. The download is not: a link is good without a token, for some
minutes, and its answer is never shown by a browser as a part of our pages.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import unquote

import asyncpg
import structlog
from fastapi import Depends, Header, Query, Request, Response
from msgspec import UNSET, UnsetType
from shared_events.characters import ID_LENGTH_MAX, fault_of_line
from shared_events.fields import Instant
from starlette.types import Receive, Scope, Send

from shared_runtime.auth import BySignature, Caller, caller_of, require
from shared_runtime.clock import Clock
from shared_runtime.decider import (
    FieldError,
    InvalidValue,
    LimitReached,
    NotFound,
    Role,
    RoleNotAllowed,
    SubjectErased,
    WrongState,
)
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.documents import (
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    NOT_STORED,
    answered,
)
from shared_runtime.fields import IdStr
from shared_runtime.history import STAFF_ROLES
from shared_runtime.idempotency import command_id, idempotency_key
from shared_runtime.keys import KeyStore
from shared_runtime.log import PostgresLog
from shared_runtime.media import (
    DOWNLOAD_PATH,
    LINK_LIFETIME,
    Link,
    Links,
    MediaFile,
    MediaSettings,
    MediaStore,
    Upload,
    UploadView,
    if_any,
)
from shared_runtime.media_objects import objects_at
from shared_runtime.media_types import (
    CONTENT_TYPES,
    IMAGE_BYTES_MAX,
    MIB,
    PIXELS_MAX,
    SENT_TYPES,
    VIDEO_BYTES_MAX,
    FileTooLarge,
    InvalidFile,
    LinkExpired,
    Reason,
    UnsupportedFile,
    bytes_max,
    said_type,
)
from shared_runtime.pausing import pause
from shared_runtime.places import Places
from shared_runtime.problems import (
    IdempotencyKeyMissing,
    IdempotencyMismatch,
    MalformedBody,
    Unavailable,
    refusals,
)
from shared_runtime.reading import answer
from shared_runtime.routers import Router
from shared_runtime.scanning import Decoding, scanner_at
from shared_runtime.sealing import person_of
from shared_runtime.shape import Purpose
from shared_runtime.spool import MEMORY_BYTES_MAX as SPOOL_IN_MEMORY_MAX
from shared_runtime.spool import Spool
from shared_runtime.worker import Task

PATH = "/v1/media"
OWNERS: tuple[Role, ...] = ("BUYER", "SELLER")
NAME_LENGTH_MAX = 255
LINES_MAX = 64
"""Uploads, and downloads, that come in or go out at once. What waits for them is on disk."""
UPLOADS_OF_ONE_MAX = 4
"""Of those, one person's."""
DOWNLOADS_OF_ONE_MAX = 16
"""Of those, of one person's files: who reads them is not known, a link is good for anybody."""
BODIES_MAX = 8
"""Uploads, and downloads, that a process has in memory at once: no line has to be waited for."""
BODIES_OF_ONE_MAX = 2
SPOOLED_BYTES_MAX = 512 * MIB
"""Of uploads, and of downloads, that are on disk at once: ten of the largest videos."""
UPLOADED_BYTES_OF_ONE_MAX = 64 * MIB
"""An eighth, by what he says that he brings: one of the largest videos, beside pictures."""
DOWNLOADED_BYTES_OF_ONE_MAX = 128 * MIB
"""Of one person's files: two of the largest, if two readers are slow."""
BODIES_BYTES_MAX = 3 * VIDEO_BYTES_MAX
"""Of uploads, and of downloads, in memory."""
BODIES_BYTES_OF_ONE_MAX = BODIES_OF_ONE_MAX * VIDEO_BYTES_MAX
COPIES = 3
"""How often a body is in memory while it is examined, sealed or opened: 150 MiB were seen of 50."""
IDLE_BYTES = 84 * MIB
PICTURES_BYTES_MAX = 830 * MIB
"""A HEIC that takes all it may, beside the largest WebP that is decoded beside another picture."""
MEMORY_BYTES_MAX = (
    IDLE_BYTES
    + PICTURES_BYTES_MAX
    + 2 * (COPIES * BODIES_BYTES_MAX + LINES_MAX * SPOOL_IN_MEMORY_MAX)
)
"""Of a process with all that it lets in at once, both ways."""
DISK_BYTES_MAX = 2 * SPOOLED_BYTES_MAX
PATIENCE_SECONDS = 10.0
"""How long a request waits for a place among them."""
GRACE_SECONDS = 10.0
BYTES_PER_SECOND_MIN = 64 * 1024
"""What a line has to carry, after the grace: it may be slow, not stopped."""
PART_BYTES = 256 * 1024
WORK_SECONDS = 30.0

DOWNLOAD_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": NOT_STORED,
}
TOLD_OF_DOWNLOAD: dict[str, Any] = {
    name: {"description": "Nothing of ours is shown with it.", "schema": {"const": value}}
    for name, value in DOWNLOAD_HEADERS.items()
} | {
    "Cache-Control": CACHE_CONTROL,
    "Content-Disposition": CONTENT_DISPOSITION,
}

log = structlog.get_logger()

type Owner = Annotated[Caller, Depends(require(*OWNERS))]
type Reader = Annotated[Caller, Depends(require(*OWNERS, *STAFF_ROLES))]
type Key = Annotated[str, Depends(idempotency_key)]


class FileView(UploadView, frozen=True, kw_only=True):
    """What its owner and staff see of a file. `reason`: why it was rejected."""

    purpose: Purpose
    reason: Reason | UnsetType = UNSET
    name: str | UnsetType = UNSET
    uploaded_at: Instant
    decided_at: Instant | UnsetType = UNSET


@asynccontextmanager
async def in_pace() -> AsyncGenerator[Callable[[int], None]]:
    """Gives a function to tell how many bytes have passed so far. Raises TimeoutError as soon as
    that are fewer than a line has to carry.
    """
    began_at = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began_at + GRACE_SECONDS) as patience:

        def passed(count: int) -> None:
            patience.reschedule(began_at + GRACE_SECONDS + count / BYTES_PER_SECOND_MIN)

        yield passed


class LinkRequired(BySignature):
    """A dependency: the link is one that was given out here, and not long ago."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def __call__(
        self,
        media_id: IdStr,
        expires: Annotated[int, Query(ge=0, lt=2**33, description="Seconds since 1970.")],
        signature: Annotated[str, Query(max_length=ID_LENGTH_MAX, description="Of the link.")],
    ) -> None:
        self._links.check(media_id, expires, signature)


class Ways:
    """What there is for uploads, or for downloads: lines, and room on disk for what they carry;
    places in memory, and room there. One person has only so much of each.
    """

    def __init__(self, of_one: int, bytes_of_one: int) -> None:
        self._lines = Places(LINES_MAX, of_one, PATIENCE_SECONDS)
        self._spooled = Places(SPOOLED_BYTES_MAX, bytes_of_one, PATIENCE_SECONDS)
        self._bodies = Places(BODIES_MAX, BODIES_OF_ONE_MAX, PATIENCE_SECONDS)
        self._in_memory = Places(BODIES_BYTES_MAX, BODIES_BYTES_OF_ONE_MAX, PATIENCE_SECONDS)

    @asynccontextmanager
    async def line(self, person: str, size: int) -> AsyncGenerator[None]:
        """For a file of so many bytes, or at most so many. Raises `Unavailable`."""
        async with self._lines.one(person), self._spooled.one(person, size):
            yield

    @asynccontextmanager
    async def body(self, person: str, size: int) -> AsyncGenerator[None]:
        """The same, in memory."""
        async with self._bodies.one(person), self._in_memory.one(person, size):
            yield


class Download(Response):
    """A file on its way out, in parts: on disk while its reader is slow, and not in memory."""

    def __init__(
        self,
        ways: Ways,
        file: MediaFile,
        content: Callable[[], Awaitable[bytes]],
    ) -> None:
        super().__init__(media_type=file.content_type, headers=DOWNLOAD_HEADERS)
        self.headers["Content-Disposition"] = f'attachment; filename="{file.download_name}"'
        self.headers["Content-Length"] = str(file.size)
        self._ways = ways
        self._owner = file.owner
        self._size = file.size
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        async with self._ways.line(self._owner, self._size):
            with Spool() as spool:
                async with self._ways.body(self._owner, self._size):
                    await spool.write(await self._content())
                await self._send(spool, send)

    async def _send(self, spool: Spool, send: Send) -> None:
        sent = 0
        await spool.rewind()
        async with in_pace() as passed:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while part := await spool.read(PART_BYTES):
                await send({"type": "http.response.body", "body": part, "more_body": True})
                sent += len(part)
                passed(sent)
            await send({"type": "http.response.body", "body": b""})


async def file_name(
    header: Annotated[
        str | None,
        Header(
            alias="File-Name",
            description=f"1..{NAME_LENGTH_MAX} characters, percent-encoded. Kept encrypted, like "
            "the file.",
            json_schema_extra={"minLength": 1},
        ),
    ] = None,
    name: Annotated[
        str | None,
        Query(
            description="The same; but addresses end up in logs on their way.",
            json_schema_extra={"minLength": 1, "maxLength": NAME_LENGTH_MAX},
        ),
    ] = None,
) -> str | None:
    """A dependency: what the owner calls the file, if he says so."""
    told = name if header is None else unquote(header, errors="replace")
    if told is None:
        return None
    long = None if 1 <= len(told) <= NAME_LENGTH_MAX else f"1..{NAME_LENGTH_MAX} characters"
    if bound := long or fault_of_line(told):
        raise InvalidValue(errors=[FieldError(field="name", bound=bound)])
    return told


def announced(request: Request, limit: int) -> int:
    """How many bytes the body has; at most, if it does not say. Raises `FileTooLarge`."""
    told = request.headers.get("content-length", str(limit))
    if not told.isdecimal():
        raise MalformedBody
    if int(told) > limit:
        raise FileTooLarge(limit_bytes=limit)
    return int(told)


async def received(request: Request, limit: int, spool: Spool) -> None:
    """Takes in the body. Raises `FileTooLarge` as soon as that is known; `Unavailable` if it is
    too slow.
    """
    try:
        async with in_pace() as passed:
            async for part in request.stream():
                await spool.write(part)
                if spool.size > limit:
                    raise FileTooLarge(limit_bytes=limit)
                passed(spool.size)
    except TimeoutError as failure:
        raise Unavailable from failure
    await spool.rewind()


UPLOAD_DESCRIPTION = f"""
For BUYER and SELLER. The body is the file itself, `Content-Type` its type: JPEG, PNG, WebP or HEIC
(which is kept as a JPEG that is made of it) up to
{IMAGE_BYTES_MAX // MIB} MiB and {PIXELS_MAX // 1_000_000} megapixels, MP4 or WebM up to
{VIDEO_BYTES_MAX // MIB} MiB. Metadata (where, when, with what, notes, previews) is removed;
`bytes` and `sha256` are those of what is kept. UPLOADED: not scanned yet, ask again. Only a CLEAN
file can be referred to. What nothing refers to within a day is deleted.
"""
LINK_DESCRIPTION = f"""
For the owner (BUYER or SELLER), and staff. `url` is good for {LINK_LIFETIME.seconds // 60}
minutes, without a token, for whoever has it; relative to this service. Each call gives a new one.
"""

FILE_EXAMPLE: dict[str, Any] = {
    "media_id": "5f2b1c8e-4a0d-5b7e-9c3f-2d1a6e8b0c47",
    "state": "CLEAN",
    "content_type": "image/jpeg",
    "bytes": 482113,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "width": 1600,
    "height": 1200,
}
VIEW_EXAMPLE = FILE_EXAMPLE | {
    "purpose": "REVIEW",
    "name": "box.jpg",
    "uploaded_at": "2026-01-15T12:00:00Z",
    "decided_at": "2026-01-15T12:00:00Z",
}
LINK_EXAMPLE = {
    "url": f"{DOWNLOAD_PATH}/{FILE_EXAMPLE['media_id']}?expires=1768478700&signature=3b5f…",
    "expires_at": "2026-01-15T12:05:00Z",
}


BINARY = {"schema": {"type": "string", "format": "binary"}}
THE_FILE: dict[str, Any] = {
    "description": "The file.",
    "content": dict.fromkeys(CONTENT_TYPES, BINARY),
    "headers": TOLD_OF_DOWNLOAD,
}
UPLOAD_BODY = {"required": True, "content": dict.fromkeys(SENT_TYPES, BINARY)}
UPLOAD_REFUSALS = refusals(
    IdempotencyKeyMissing,
    IdempotencyMismatch,
    RoleNotAllowed,
    SubjectErased,
    UnsupportedFile,
    FileTooLarge,
    InvalidFile,
    LimitReached,
)


def media_router(store: MediaStore, links: Links) -> Router:
    """Uploads, reads, links and downloads of a service's files."""
    router = Router(tags=["media"])
    uploads = Ways(UPLOADS_OF_ONE_MAX, UPLOADED_BYTES_OF_ONE_MAX)
    downloads = Ways(DOWNLOADS_OF_ONE_MAX, DOWNLOADED_BYTES_OF_ONE_MAX)

    async def seen(media_id: str, caller: Caller) -> MediaFile:
        file = await store.info(media_id)
        if caller.roles.isdisjoint(STAFF_ROLES) and file.owner not in _persons(caller):
            raise NotFound
        return file

    @router.post(
        PATH,
        summary="Sends a photo or a video",
        description=UPLOAD_DESCRIPTION,
        status_code=201,
        response_class=Response,
        responses=UPLOAD_REFUSALS
        | answered(
            UploadView,
            example=FILE_EXAMPLE,
            status=201,
            description="It was taken.",
            headers=("Idempotent-Replayed",),
        ),
        openapi_extra={"requestBody": UPLOAD_BODY},
    )
    async def upload_file(
        request: Request,
        *,
        purpose: Annotated[Purpose, Query(description="What it is to be added to.")],
        caller: Owner,
        key: Key,
        name: Annotated[str | None, Depends(file_name)],
        role: Annotated[
            Literal["BUYER", "SELLER"] | None, Query(description="For those who are both.")
        ] = None,
    ) -> Response:
        content_type = said_type(request.headers.get("content-type"))
        owner = person_of(caller.actor(*OWNERS if role is None else (role,)))
        limit = bytes_max(content_type)
        async with uploads.line(owner, announced(request, limit)):
            with Spool() as spool:
                await received(request, limit, spool)
                # Only now in memory: nobody else's line is waited for.
                async with uploads.body(owner, spool.size):
                    told = await store.upload(
                        Upload(
                            media_id=str(command_id(caller_of(request).sub, f"{PATH}\n{key}")),
                            owner=owner,
                            purpose=purpose,
                            content_type=content_type,
                            data=await spool.read(spool.size),
                            name=name,
                        )
                    )
        headers = {"Idempotent-Replayed": "true"} if told.replayed else None
        return Response(told.body, 201, headers, media_type="application/json")

    @router.get(
        f"{PATH}/{{media_id}}",
        summary="What is known of a file",
        description="For its owner (BUYER or SELLER), and staff.",
        response_class=Response,
        responses=refusals(RoleNotAllowed, NotFound, SubjectErased)
        | answered(FileView, example=VIEW_EXAMPLE, description="The file."),
    )
    async def get_file_info(media_id: IdStr, caller: Reader) -> Response:
        file = await seen(media_id, caller)
        return answer(_view(file, await store.name(file)))

    @router.post(
        f"{PATH}/{{media_id}}/links",
        summary="A link to download a file",
        description=LINK_DESCRIPTION,
        status_code=201,
        response_class=Response,
        responses=refusals(IdempotencyKeyMissing, RoleNotAllowed, NotFound, WrongState)
        | answered(Link, example=LINK_EXAMPLE, status=201, description="The link."),
        dependencies=[Depends(idempotency_key)],
    )
    async def link_to_file(media_id: IdStr, caller: Reader) -> Response:
        await seen(media_id, caller)
        return answer(await store.link(media_id), status=201)

    @router.get(
        f"{DOWNLOAD_PATH}/{{media_id}}",
        summary="The file itself, by a link",
        description="For whoever has the link, while it is good. Always an attachment.",
        response_class=Response,
        responses=refusals(NotFound, LinkExpired, SubjectErased) | {200: THE_FILE},
        dependencies=[Depends(LinkRequired(links))],
    )
    async def download_file(media_id: IdStr) -> Response:
        file = await store.info(media_id)
        return Download(downloads, file, lambda: store.content(file))

    return router


def _persons(caller: Caller) -> set[str]:
    """Whose files are the caller's own."""
    return {person_of(caller.actor(role)) for role in OWNERS if role in caller.roles}


def _view(file: MediaFile, name: str | None) -> FileView:
    return FileView(
        media_id=file.media_id,
        state=file.state,
        content_type=file.content_type,
        bytes=file.size,
        sha256=file.sha256,
        width=if_any(file.width),
        height=if_any(file.height),
        purpose=file.purpose,
        reason=if_any(file.reason),
        name=if_any(name),
        uploaded_at=file.uploaded_at,
        decided_at=if_any(file.decided_at),
    )


class MediaParts(Protocol):
    """What a process of a service with files has in hand."""

    @property
    def settings(self) -> MediaSettings: ...
    @property
    def pool(self) -> asyncpg.Pool: ...
    @property
    def log(self) -> PostgresLog: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def now(self) -> Clock: ...


def media_of(parts: MediaParts, links: Links) -> MediaStore:
    """The files that people add to what they write, and bring as evidence."""
    decoding = Decoding()
    return MediaStore(
        db=parts.pool,
        objects=objects_at(parts.settings.media_url, parts.settings.media_access),
        keys=parts.keys,
        scanner=scanner_at(parts.settings.clamd, decoding),
        decoding=decoding,
        links=links,
        own_log=parts.log,
        now=parts.now,
    )


def media_tasks(store: MediaStore) -> tuple[Task, ...]:
    """What a worker does beside: scans what waits, deletes what nobody needs."""

    async def tend(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await store.scan_waiting()
                await store.purge()
            except WORLD_FAILURES as failure:
                log.warning("files not tended", failure=type(failure).__name__)
            await pause(stop, WORK_SECONDS)

    return (tend,)
