"""Bytes that somebody sends in, whether they are a file that we keep out.

First its form, which costs little: type, size, parts, end (`examined`). Then a `Scanner`, which
may cost more and may be away: the usual one decodes pictures, ClamAV looks for malware.
"""

import asyncio
import re
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

from PIL import Image

from shared_runtime.media_images import JPEG_START, PNG_START, still_jpeg, still_png, still_webp
from shared_runtime.media_types import (
    PIXELS_MAX,
    ContentType,
    FileTooLarge,
    InvalidFile,
    Reason,
    SentType,
    Still,
    bytes_max,
)
from shared_runtime.media_videos import video_mp4, video_webm

DECODING_MAX = 2
"""Pictures decoded at once in a process."""
TOGETHER_PIXELS_MAX = PIXELS_MAX // DECODING_MAX
"""What has more than these is decoded alone: one of 40 megapixels takes up to 650 MB."""
FORMATS: dict[SentType, str] = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
}
HEIC_BRANDS = frozenset({b"heic", b"heix", b"mif1"})
# What readers look for near the beginning of a file to take it for a page, a script or a document.
MARKUP_BYTES = 1024
MARKUP = re.compile(
    rb"<!doctype|<html|<head|<body|<script|<iframe|<svg|<\?php|%PDF-|#!/", re.IGNORECASE
)
# A ZIP is read from its end: this record, with a comment that reaches to the end of the file.
ZIP_END = b"PK\x05\x06"
ZIP_END_LENGTH = 22
ZIP_COMMENT_MAX = 0xFFFF
CLAMD_SECONDS_MAX = 60.0
CLAMD_CHUNK_BYTES = 64 * 1024
CLAMD_REPLY_BYTES_MAX = 4 * 1024


class ScannerUnavailable(Exception):  # noqa: N818 - a state of the world
    """Nobody can say now whether the file is clean."""


@dataclass(frozen=True, slots=True)
class Clean:
    """The file may be shown."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The file must not be shown."""

    reason: Reason


type Verdict = Clean | Rejected


class Scanner(Protocol):
    """Says whether a file may be shown."""

    async def scan(self, data: bytes) -> Verdict:
        """Raises `ScannerUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A file as it is kept. Videos are not measured."""

    data: bytes
    content_type: ContentType
    width: int | None = None
    height: int | None = None


def examined(data: bytes, said: ContentType) -> Examined:
    """The file without its notes. Raises `FileTooLarge` or `InvalidFile`. Decodes nothing."""
    check_outside(data, said)
    match said:
        case "image/jpeg":
            return _still(said, still_jpeg(data))
        case "image/png":
            return _still(said, still_png(data))
        case "image/webp":
            return _still(said, still_webp(data))
        case "video/mp4":
            return Examined(data=video_mp4(data), content_type=said)
        case "video/webm":
            return Examined(data=video_webm(data), content_type=said)


def _still(said: ContentType, still: Still) -> Examined:
    return Examined(data=still.data, content_type=said, width=still.width, height=still.height)


def check_outside(data: bytes, said: SentType) -> None:
    """Whether it may be of that type. Raises `FileTooLarge` or `InvalidFile`."""
    if len(data) > (limit := bytes_max(said)):
        raise FileTooLarge(limit_bytes=limit)
    if not data:
        raise InvalidFile(reason="EMPTY")
    if sniffed(data) != said:
        raise InvalidFile(reason="TYPE_DIFFERS")
    if MARKUP.search(data, 0, MARKUP_BYTES):
        raise InvalidFile(reason="MARKUP")
    if _ends_as_zip(data):
        raise InvalidFile(reason="TRAILING_DATA")


def sniffed(data: bytes) -> SentType | None:
    """What the first bytes say; None if that is nothing we take."""
    if data.startswith(JPEG_START + b"\xff"):
        return "image/jpeg"
    if data.startswith(PNG_START):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "image/heic" if data[8:12] in HEIC_BRANDS else "video/mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm"
    return None


def _ends_as_zip(data: bytes) -> bool:
    place = data.rfind(ZIP_END, max(0, len(data) - ZIP_END_LENGTH - ZIP_COMMENT_MAX))
    if place < 0 or place + ZIP_END_LENGTH > len(data):
        return False
    begin = place + ZIP_END_LENGTH
    return begin + int.from_bytes(data[begin - 2 : begin], "little") == len(data)


class Decoding:
    """The memory that a process has for pictures: so many at once, or a large one alone."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(DECODING_MAX)
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def of(self, pixels: int) -> AsyncGenerator[None]:
        """Room for a picture of so many."""
        if pixels <= TOGETHER_PIXELS_MAX:
            async with self._places:
                yield
            return
        # Two that had a place each would wait for one another.
        async with self._alone:
            held = 0
            try:
                for _ in range(DECODING_MAX):
                    await self._places.acquire()
                    held += 1
                yield
            finally:
                for _ in range(held):
                    self._places.release()


class DecodingScanner:
    """Decodes pictures whole: what breaks a decoder off is refused. Videos pass as they are."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    async def scan(self, data: bytes) -> Verdict:
        content_type = sniffed(data)
        if content_type is None:
            return Rejected("TYPE_DIFFERS")
        if content_type not in FORMATS:
            return Clean()
        image_format = FORMATS[content_type]
        async with self._decoding.of(await asyncio.to_thread(_pixels, data, image_format)):
            return await asyncio.to_thread(_decode, data, image_format)


def _pixels(data: bytes, image_format: str) -> int:
    """What its header announces; 0 of what cannot be opened."""
    try:
        with Image.open(BytesIO(data), formats=[image_format]) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - decoding it says what is wrong
        return 0


def _decode(data: bytes, image_format: str) -> Verdict:
    try:
        with Image.open(BytesIO(data), formats=[image_format]) as image:
            # Opening reads the header alone. Here it is another reader's word against ours.
            if image.width * image.height > PIXELS_MAX:
                return Rejected("TOO_MANY_PIXELS")
            image.load()
    except Image.DecompressionBombError:
        return Rejected("TOO_MANY_PIXELS")
    except MemoryError as failure:
        raise ScannerUnavailable from failure
    except Exception:  # noqa: BLE001 - decoders fail in as many ways as files can be damaged
        return Rejected("DAMAGED")
    return Clean()


class ClamdScanner:
    """Asks a ClamAV daemon over TCP: INSTREAM, the bytes in chunks, one line as the answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def scan(self, data: bytes) -> Verdict:
        try:
            async with asyncio.timeout(CLAMD_SECONDS_MAX):
                reply = await self._ask(data)
        except (OSError, EOFError, asyncio.LimitOverrunError) as failure:
            raise ScannerUnavailable(type(failure).__name__) from failure
        if reply.endswith(b" FOUND"):
            return Rejected("MALWARE")
        if reply != b"stream: OK":
            # Its limits, its signatures being loaded, whatever else: that is no verdict.
            raise ScannerUnavailable(reply.decode("ascii", "replace"))
        return Clean()

    async def _ask(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(
            self._host, self._port, limit=CLAMD_REPLY_BYTES_MAX
        )
        try:
            writer.write(b"zINSTREAM\x00")
            for begin in range(0, len(data), CLAMD_CHUNK_BYTES):
                chunk = data[begin : begin + CLAMD_CHUNK_BYTES]
                writer.write(struct.pack(">I", len(chunk)) + chunk)
                await writer.drain()
            writer.write(struct.pack(">I", 0))
            return (await reader.readuntil(b"\x00")).rstrip(b"\x00")
        finally:
            writer.transport.abort()


class InTurn:
    """Several scanners: clean is what all of them call clean."""

    def __init__(self, scanners: Sequence[Scanner]) -> None:
        self._scanners = scanners

    async def scan(self, data: bytes) -> Verdict:
        for scanner in self._scanners:
            if isinstance(verdict := await scanner.scan(data), Rejected):
                return verdict
        return Clean()


def scanner_at(clamd: str | None, decoding: Decoding) -> Scanner:
    """The decoding one, and behind it the daemon at `host:port` if there is one."""
    if clamd is None:
        return DecodingScanner(decoding)
    host, _, port = clamd.rpartition(":")
    return InTurn((DecodingScanner(decoding), ClamdScanner(host, int(port))))
