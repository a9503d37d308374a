"""What a file may be: its type, its limits, and every way to be told no."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from shared_runtime.decider import Refused
from shared_runtime.problems import UnsupportedMediaType

MIB = 1024 * 1024
IMAGE_BYTES_MAX = 10 * MIB
VIDEO_BYTES_MAX = 50 * MIB
PIXELS_MAX = 40_000_000
PARTS_MAX = 100_000
"""Segments, chunks, boxes or elements of one file: each costs a step of ours."""
SCANS_MAX = 100
"""Of one JPEG. Each goes over all of its pixels: a small file of many would take hours."""

type ContentType = Literal["image/jpeg", "image/png", "image/webp", "video/mp4", "video/webm"]
type Heic = Literal["image/heic"]
type SentType = ContentType | Heic
"""What a client may send. A HEIC is kept as a JPEG."""
type Reason = Literal[
    "EMPTY",
    "TYPE_DIFFERS",
    "TRUNCATED",
    "TRAILING_DATA",
    "MARKUP",
    "TOO_MANY_PIXELS",
    "ANIMATED",
    "DAMAGED",
    "MALWARE",
    "DOES_NOT_OPEN",
]

CONTENT_TYPES: tuple[ContentType, ...] = get_args(ContentType.__value__)
SENT_TYPES: tuple[SentType, ...] = (*CONTENT_TYPES, "image/heic")
EXTENSIONS: dict[ContentType, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
}


class UnsupportedFile(UnsupportedMediaType):
    """Photos (JPEG, PNG, WebP, HEIC) and short videos (MP4, WebM) only."""

    @classmethod
    def slug(cls) -> str:
        return UnsupportedMediaType.slug()

    def members(self) -> dict[str, object]:
        return {"taken": list(SENT_TYPES)}


@dataclass(kw_only=True, eq=False)
class FileTooLarge(Refused):
    """The file is larger than its type may be."""

    limit_bytes: int


@dataclass(kw_only=True, eq=False)
class InvalidFile(Refused):
    """The file is not what it says, is damaged, or holds something else as well."""

    reason: Reason = field(metadata={"values": get_args(Reason.__value__)})


class LinkExpired(Refused):
    """The link was good for some minutes. Ask for a new one."""


class Still(NamedTuple):
    """An image as it is kept: without metadata, without anything behind its end."""

    data: bytes
    width: int
    height: int


def said_type(header: str | None) -> SentType:
    """The type that a client gives his file. Raises `UnsupportedFile`."""
    said = (header or "").partition(";")[0].strip().lower()
    for known in SENT_TYPES:
        if said == known:
            return known
    raise UnsupportedFile


def bytes_max(content_type: SentType) -> int:
    return IMAGE_BYTES_MAX if content_type.startswith("image/") else VIDEO_BYTES_MAX


def check_pixels(width: int, height: int) -> None:
    """Before anything is decoded: the size that a header announces is what decoding would cost."""
    if width * height > PIXELS_MAX:
        raise InvalidFile(reason="TOO_MANY_PIXELS")
    if width * height == 0:
        raise InvalidFile(reason="DAMAGED")
