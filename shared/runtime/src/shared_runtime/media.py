"""Files that people send in, files that may be shown out: kept encrypted, found by their ids.

A file's bytes are sealed with its owner's key and kept in object storage under a name that says
nothing; what is known of it is a row. UPLOADED → CLEAN | REJECTED: only a clean one can be
referred to or downloaded. What nobody refers to for a day is deleted.

The row is there before the object, and goes after it: what a crash leaves behind is found again.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Literal, Self
from urllib.parse import urlencode

import asyncpg
import structlog
from msgspec import UNSET, Struct, UnsetType
from pydantic import Field, SecretStr, model_validator
from shared_events.fields import Sha256

from shared_runtime.clock import Clock
from shared_runtime.decider import (
    FieldError,
    InvalidValue,
    LimitReached,
    NotFound,
    SubjectErased,
    WrongState,
)
from shared_runtime.keys import KeyStore
from shared_runtime.log import Database, PostgresLog
from shared_runtime.media_heic import as_jpeg
from shared_runtime.media_objects import Access, Objects
from shared_runtime.media_types import (
    EXTENSIONS,
    ContentType,
    InvalidFile,
    LinkExpired,
    Reason,
    SentType,
)
from shared_runtime.problems import ConcurrentChange, IdempotencyMismatch, encode_json
from shared_runtime.scanning import (
    TOGETHER_PIXELS_MAX,
    Decoding,
    Examined,
    Rejected,
    Scanner,
    ScannerUnavailable,
    Verdict,
    check_outside,
    examined,
)
from shared_runtime.sealing import DoesNotOpen
from shared_runtime.settings import Settings, secret_of
from shared_runtime.shape import Purpose

LINK_LIFETIME = timedelta(minutes=5)
UNREFERENCED_LIFETIME = timedelta(hours=24)
UNREFERENCED_MAX = 50
"""Files of one person that nothing refers to yet."""
BATCH_MAX = 100
DOWNLOAD_PATH = "/media"
MEDIA_KEY_LENGTH_MIN = 32
LOCAL_MEDIA_KEY = "local: links to files on one machine are no secret"

log = structlog.get_logger()

type FileState = Literal["UPLOADED", "CLEAN", "REJECTED"]


class MediaSettings(Settings):
    """The settings of a service that takes files."""

    media_url: str = "memory:///"
    media_key: SecretStr | None = None
    media_access_key_id: SecretStr | None = None
    media_secret_access_key: SecretStr | None = None
    clamd: str | None = Field(default=None, pattern=r"^[^:/\s]+:[0-9]{1,5}$")

    @property
    def media_access(self) -> Access | None:
        """By which key a bucket lets us in; None: as the machine we run on may."""
        known, secret = self.media_access_key_id, self.media_secret_access_key
        if known is None or secret is None:
            return None
        return Access(key_id=known.get_secret_value(), secret=secret.get_secret_value())

    @property
    def media_secret(self) -> bytes:
        """The key that signs links to files."""
        return secret_of(self.media_key, LOCAL_MEDIA_KEY)

    @model_validator(mode="after")
    def _safe_media(self) -> Self:
        if not self.media_url.startswith(("file:///", "s3://")) and (
            self.env != "local" or self.media_url != "memory:///"
        ):
            raise ValueError("AFTERSALES_MEDIA_URL must be file:///… or s3://…")
        if (self.media_access_key_id is None) != (self.media_secret_access_key is None):
            raise ValueError(
                "AFTERSALES_MEDIA_ACCESS_KEY_ID and AFTERSALES_MEDIA_SECRET_ACCESS_KEY go together"
            )
        if self.env == "local":
            return self
        if len(self.media_secret) < MEDIA_KEY_LENGTH_MIN or self.media_key is None:
            raise ValueError(f"AFTERSALES_MEDIA_KEY needs {MEDIA_KEY_LENGTH_MIN} bytes or more")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What somebody sends. `media_id` follows from the request: a repeat is the same file."""

    media_id: str
    owner: str
    purpose: Purpose
    content_type: SentType
    data: bytes
    name: str | None

    @property
    def fingerprint(self) -> bytes:
        parts = (self.owner, self.purpose, self.content_type, self.name or "")
        told = "\n".join((*parts, hashlib.sha256(self.data).hexdigest()))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


class UploadView(Struct, frozen=True, kw_only=True):
    """What is kept of a file. A video has no width and height."""

    media_id: str
    state: FileState
    content_type: ContentType
    bytes: int
    sha256: Sha256
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET


def if_any[T](value: T | None) -> T | UnsetType:
    """A member of a view that is left out where there is nothing to tell."""
    return UNSET if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAnswer:
    """The answer to an upload: the same to each repeat."""

    body: bytes
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """What is known of a file. `size` (in bytes) and `sha256` are those of what is kept."""

    media_id: str
    owner: str
    purpose: Purpose
    state: FileState
    reason: Reason | None
    content_type: ContentType
    size: int
    sha256: str
    width: int | None
    height: int | None
    sealed_name: bytes | None
    object: str
    uploaded_at: datetime
    decided_at: datetime | None

    @property
    def download_name(self) -> str:
        """The owner's own name for it is personal, and a link is for whoever has it."""
        return f"{self.media_id}.{EXTENSIONS[self.content_type]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    url: str
    expires_at: datetime


class Links:
    """Signed links: whoever has one may download one file, for some minutes."""

    def __init__(self, key: bytes, now: Clock) -> None:
        self._key = key
        self._now = now

    def link(self, media_id: str) -> Link:
        expires_at = (self._now() + LINK_LIFETIME).replace(microsecond=0)
        expires = int(expires_at.timestamp())
        query = urlencode({"expires": expires, "signature": self._signature(media_id, expires)})
        return Link(url=f"{DOWNLOAD_PATH}/{media_id}?{query}", expires_at=expires_at)

    def url(self, media_id: str) -> str:
        return self.link(media_id).url

    def check(self, media_id: str, expires: int, signature: str) -> None:
        """Raises `NotFound` for a link that was not given out here, else maybe `LinkExpired`."""
        good = self._signature(media_id, expires)
        if not hmac.compare_digest(good.encode(), signature.encode("utf-8", "replace")):
            raise NotFound
        if self._now() >= datetime.fromtimestamp(expires, UTC):
            raise LinkExpired

    def _signature(self, media_id: str, expires: int) -> str:
        signed = f"{media_id}\n{expires}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, signed, "sha256").hex()


COLUMNS = """
    media_id, owner, purpose, state, reason, content_type, bytes AS size, sha256, width, height,
    sealed_name, object, uploaded_at, decided_at
"""
BEGIN = """
    INSERT INTO media.file (media_id, owner, purpose, content_type, bytes, sha256, width, height,
                            sealed_name, object, fingerprint, uploaded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (media_id) DO NOTHING
"""
BEGUN = """
    SELECT object, fingerprint, answer FROM media.file
    WHERE media_id = $1 AND dropped_at IS NULL
"""
UNREFERENCED = """
    SELECT count(*) FROM media.file
    WHERE owner = $1 AND referenced_at IS NULL AND dropped_at IS NULL
"""
FINISH = """
    UPDATE media.file SET state = $2, decided_at = $3, answer = $4
    WHERE media_id = $1 AND answer IS NULL
"""
FIND = f"""
    SELECT {COLUMNS} FROM media.file WHERE media_id = ANY($1) AND dropped_at IS NULL
"""  # noqa: S608 - a constant
WAITING = f"""
    SELECT {COLUMNS} FROM media.file
    WHERE state = 'UPLOADED' AND dropped_at IS NULL AND (uploaded_at, media_id) > ($1, $2)
    ORDER BY uploaded_at, media_id LIMIT 1
"""  # noqa: S608 - a constant
DECIDE = """
    UPDATE media.file SET state = $2, reason = $3, decided_at = $4
    WHERE media_id = $1 AND state = 'UPLOADED'
"""
REFER = """
    UPDATE media.file SET referenced_at = coalesce(referenced_at, $2)
    WHERE media_id = ANY($1) AND state = 'CLEAN' AND dropped_at IS NULL
    RETURNING media_id
"""
# What says something about a person goes at once; the rest is what finds the object.
DROP = """
    UPDATE media.file SET dropped_at = $2, sealed_name = NULL, answer = NULL
    WHERE owner = $1 AND dropped_at IS NULL
"""
DROP_UNREFERENCED = """
    UPDATE media.file SET dropped_at = $2, sealed_name = NULL, answer = NULL
    WHERE referenced_at IS NULL AND uploaded_at <= $1 AND dropped_at IS NULL
"""
DROPPED = "SELECT media_id, object FROM media.file WHERE dropped_at IS NOT NULL LIMIT $1"
DELETE = "DELETE FROM media.file WHERE media_id = ANY($1) AND dropped_at IS NOT NULL"


class MediaStore:
    """The files of one service."""

    def __init__(
        self,
        *,
        db: asyncpg.Pool,
        objects: Objects,
        keys: KeyStore,
        scanner: Scanner,
        decoding: Decoding,
        links: Links,
        own_log: PostgresLog,
        now: Clock,
    ) -> None:
        self._db = db
        self._objects = objects
        self._keys = keys
        self._scanner = scanner
        self._links = links
        self._own_log = own_log
        self._now = now
        self._decoding = decoding
        self._turning = asyncio.Lock()

    async def upload(self, upload: Upload) -> UploadAnswer:
        """Keeps a file. One that cannot be scanned now stays UPLOADED.

        Raises `FileTooLarge`, `InvalidFile` (also for what the scanner rejects: then nothing is
        kept), `Unavailable` (for a HEIC that was not turned in time), `SubjectErased`,
        `LimitReached`, `IdempotencyMismatch`.
        """
        fingerprint = await asyncio.to_thread(lambda: upload.fingerprint)
        if (first := await self._answered(upload.media_id, fingerprint)) is not None:
            return first
        file = await self._examined(upload)
        verdict = await self._verdict(file.data)
        if isinstance(verdict, Rejected):
            raise InvalidFile(reason=verdict.reason)
        await self._keep(upload, file, fingerprint)
        return await self._finish(upload, file, fingerprint, is_clean=verdict is not None)

    async def _examined(self, upload: Upload) -> Examined:
        """The file as it is kept: a HEIC as the JPEG that is made of it."""
        if upload.content_type != "image/heic":
            return await asyncio.to_thread(examined, upload.data, upload.content_type)
        check_outside(upload.data, upload.content_type)
        # How many pixels it has nobody knows yet: the largest takes what half of the room is.
        async with self._turning, self._decoding.of(TOGETHER_PIXELS_MAX):
            picture = await as_jpeg(upload.data)
        return await asyncio.to_thread(examined, picture, "image/jpeg")

    async def _answered(self, media_id: str, fingerprint: bytes) -> UploadAnswer | None:
        begun = await self._db.fetchrow(BEGUN, media_id)
        if begun is None:
            return None
        if begun["fingerprint"] != fingerprint:
            raise IdempotencyMismatch
        return (
            None if begun["answer"] is None else UploadAnswer(body=begun["answer"], replayed=True)
        )

    async def _keep(self, upload: Upload, file: Examined, fingerprint: bytes) -> None:
        if await self._db.fetchval(UNREFERENCED, upload.owner) >= UNREFERENCED_MAX:
            raise LimitReached(limit=UNREFERENCED_MAX)
        key = await self._keys.key_of(upload.owner)
        name = None
        if upload.name is not None:
            name = key.seal_bytes(upload.name.encode(), _name_of(upload.media_id))
        await self._db.execute(
            BEGIN,
            upload.media_id,
            upload.owner,
            upload.purpose,
            file.content_type,
            len(file.data),
            hashlib.sha256(file.data).hexdigest(),
            file.width,
            file.height,
            name,
            token_hex(16),
            fingerprint,
            await self._instant(),
        )
        begun = await self._db.fetchrow(BEGUN, upload.media_id)
        if begun is None:
            raise ConcurrentChange  # an older file of the same request is just being deleted
        # A repeat goes on where the first attempt was cut off; two at once write the same.
        sealed = await asyncio.to_thread(key.seal_bytes, file.data, upload.media_id)
        await self._objects.put(begun["object"], sealed)

    async def _finish(
        self, upload: Upload, file: Examined, fingerprint: bytes, *, is_clean: bool
    ) -> UploadAnswer:
        state: FileState = "CLEAN" if is_clean else "UPLOADED"
        view = UploadView(
            media_id=upload.media_id,
            state=state,
            content_type=file.content_type,
            bytes=len(file.data),
            sha256=hashlib.sha256(file.data).hexdigest(),
            width=if_any(file.width),
            height=if_any(file.height),
        )
        answer = encode_json(view)
        decided_at = await self._instant() if is_clean else None
        done = await self._db.execute(FINISH, upload.media_id, state, decided_at, answer)
        if done.endswith(" 1"):
            log.info("file uploaded", media_id=upload.media_id, state=state)
            return UploadAnswer(body=answer, replayed=False)
        first = await self._answered(upload.media_id, fingerprint)
        if first is None:
            raise ConcurrentChange
        return first

    async def _verdict(self, data: bytes) -> Verdict | None:
        """None if nobody can say now."""
        try:
            return await self._scanner.scan(data)
        except ScannerUnavailable as failure:
            log.warning("scanner unavailable", failure=str(failure))
            return None

    async def info(self, media_id: str) -> MediaFile:
        """Raises `NotFound`."""
        found = await self.find([media_id])
        if media_id not in found:
            raise NotFound
        return found[media_id]

    async def name(self, file: MediaFile) -> str | None:
        """What its owner calls it; None too if that does not open. Raises `SubjectErased`."""
        if file.sealed_name is None:
            return None
        key = await self._keys.key_of(file.owner)
        try:
            return key.open_bytes(file.sealed_name, _name_of(file.media_id)).decode()
        except DoesNotOpen:
            log.error("a file's name does not open", media_id=file.media_id)  # noqa: TRY400 - its id says all
            return None

    async def content(self, file: MediaFile) -> bytes:
        """Raises `NotFound` unless it is clean, there, and as it was kept; `SubjectErased`."""
        try:
            data = await self._opened(file) if file.state == "CLEAN" else None
        except DoesNotOpen:
            log.error("a file does not open", media_id=file.media_id)  # noqa: TRY400 - its id says all
            raise NotFound from None
        if data is None:
            raise NotFound
        return data

    async def link(self, media_id: str) -> Link:
        """Raises `NotFound`, or `WrongState` unless the file is clean."""
        file = await self.info(media_id)
        if file.state != "CLEAN":
            raise WrongState(state=file.state)
        return self._links.link(media_id)

    async def find(self, media_ids: Iterable[str]) -> dict[str, MediaFile]:
        """Those of the files that there are, whosever they are, by their ids."""
        rows = await self._db.fetch(FIND, list(media_ids))
        return {row["media_id"]: MediaFile(**dict(row)) for row in rows}

    async def clean(
        self, owner: str, media_ids: Iterable[str], purpose: Purpose
    ) -> list[MediaFile]:
        """The files, in order. Raises `InvalidValue` unless each is the owner's, sent for this
        purpose, clean, and there once.
        """
        wanted = list(media_ids)
        _refuse_repeated(wanted)
        found = await self.find(wanted)
        good = {
            media_id
            for media_id, file in found.items()
            if (file.owner, file.purpose, file.state) == (owner, purpose, "CLEAN")
        }
        _refuse_others(wanted, good, f"the id of a clean file of yours, sent for {purpose}")
        return [found[media_id] for media_id in wanted]

    async def refer(self, media_ids: Iterable[str], db: Database | None = None) -> None:
        """Something needs these files from now on: they stay. Raises `InvalidValue`.

        Call it with the connection whose transaction records that something, so that there are
        both or neither: a file that is referred to for nothing would be kept for ever, and one
        that is needed and was not would be lost.
        """
        wanted = list(media_ids)
        rows = await (db or self._db).fetch(REFER, wanted, await self._instant(db))
        _refuse_others(wanted, {row["media_id"] for row in rows})

    async def delete_of(self, person: str, db: Database | None = None) -> None:
        """All files of a person. In a transaction of `db`: objects go with the next `purge`."""
        await (db or self._db).execute(DROP, person, await self._instant(db))
        if db is None:
            await self._delete_dropped()

    async def scan_waiting(self) -> int:
        """Scans what could not be scanned when it came; how many were decided. Stops at the first
        that cannot be scanned now either.
        """
        decided = 0
        last = (datetime.fromtimestamp(0, UTC), "")
        while row := await self._db.fetchrow(WAITING, *last):
            file = MediaFile(**dict(row))
            last = (file.uploaded_at, file.media_id)
            try:
                data = await self._opened(file)
            except SubjectErased:
                await self.delete_of(file.owner)  # it came while its owner was being erased
                continue
            except DoesNotOpen:
                await self._decide(file, Rejected("DOES_NOT_OPEN"))
                decided += 1
                continue
            if data is None:
                continue  # its upload is under way, or was cut off: then it will be deleted
            verdict = await self._verdict(data)
            if verdict is None:
                break
            await self._decide(file, verdict)
            decided += 1
        return decided

    async def _decide(self, file: MediaFile, verdict: Verdict) -> None:
        reason = verdict.reason if isinstance(verdict, Rejected) else None
        state: FileState = "CLEAN" if reason is None else "REJECTED"
        await self._db.execute(DECIDE, file.media_id, state, reason, await self._instant())
        if state == "REJECTED":
            await self._objects.delete([file.object])
        log.info("file scanned", media_id=file.media_id, state=state, reason=reason)

    async def purge(self) -> None:
        """Deletes what nothing refers to for a day, and what was dropped before."""
        now = await self._instant()
        await self._db.execute(DROP_UNREFERENCED, now - UNREFERENCED_LIFETIME, now)
        await self._delete_dropped()

    async def _instant(self, db: Database | None = None) -> datetime:
        """By whichever process a file came, and whichever deletes it: they go by one clock."""
        return await (self._own_log.within(db) if db else self._own_log).instant(self._now)

    async def _delete_dropped(self) -> None:
        while rows := await self._db.fetch(DROPPED, BATCH_MAX):
            await self._objects.delete(row["object"] for row in rows)
            await self._db.execute(DELETE, [row["media_id"] for row in rows])

    async def _opened(self, file: MediaFile) -> bytes | None:
        sealed = await self._objects.get(file.object)
        if sealed is None:
            return None
        key = await self._keys.key_of(file.owner)
        return await asyncio.to_thread(key.open_bytes, sealed, file.media_id)


def _name_of(media_id: str) -> str:
    """What the sealed name of a file is bound to."""
    return f"{media_id}/name"


def _refuse_repeated(wanted: Sequence[str]) -> None:
    if len(set(wanted)) < len(wanted):
        raise InvalidValue(errors=[FieldError(field="media", bound="each one once")])


def _refuse_others(
    wanted: Sequence[str], good: set[str], bound: str = "the id of a clean file of yours"
) -> None:
    wrong = [
        FieldError(field=f"media[{n}]", bound=bound)
        for n, media_id in enumerate(wanted)
        if media_id not in good
    ]
    if wrong:
        raise InvalidValue(errors=wrong)
