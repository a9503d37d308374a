"""An MP4 or WebM in, the same video without its notes out.

A file of either kind is a row of parts that each say how long they are. They are followed to the
file's end: what is mistyped or cut off does not come out there. Notes (titles, places, whatever
programs add) are blanked where they stand, because other parts point at places in the file.
The pictures themselves are not decoded, and a video's duration is not looked at.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from shared_runtime.media_types import PARTS_MAX, InvalidFile

# What phones, browsers and converters write. Pictures (HEIC, AVIF) and QuickTime have others.
MP4_BRANDS = frozenset(
    {b"isom", b"mp41", b"mp42", b"avc1", b"dash", b"MSNV", b"M4V ", b"M4VH", b"M4VP"}
    | {b"iso%d" % n for n in range(2, 10)}
)
MP4_KEPT = frozenset(
    {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"pdin", b"prft"}
)
MP4_NOTES = frozenset({b"udta", b"meta", b"uuid", b"free", b"skip"})
MP4_DATED = frozenset({b"mvhd", b"tkhd", b"mdhd"})
"""These begin with version and flags, then when they were made and last changed."""
MP4_FOLDERS = frozenset({b"moov", b"trak", b"mdia"})

EBML_HEADER, EBML_DOCTYPE = 0x1A45DFA3, 0x4282
SEGMENT, TRACKS, CLUSTER = 0x18538067, 0x1654AE6B, 0x1F43B675
TRACK, TRACK_TYPE, VIDEO_TRACK = 0xAE, 0x83, 1
SEEK_HEAD, INFO, CUES, CRC_32 = 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0xBF
TITLE, DATE = 0x7BA9, 0x4461
CHAPTERS, TAGS, ATTACHMENTS, VOID = 0x1043A770, 0x1254C367, 0x1941A469, 0xEC
WEBM_NOTES = frozenset({CHAPTERS, TAGS, ATTACHMENTS, VOID})
WEBM_INFO_NOTES = frozenset({TITLE, DATE, VOID})
# Timestamp, SimpleBlock, BlockGroup, Position, PrevSize: a live recording's clusters have no end.
IN_CLUSTERS = frozenset({0xE7, 0xA3, 0xA0, 0xA7, 0xAB})
WEBM_PARTS = WEBM_NOTES | IN_CLUSTERS | {SEEK_HEAD, INFO, TRACKS, CLUSTER, CUES, CRC_32}
ID_LENGTH_MAX = 4
SIZE_LENGTH_MAX = 8
ONE_BYTE_SIZE_MAX = 126


class Box(NamedTuple):
    """A box or an element. `begin`, `body`, `end` are places in the file."""

    kind: bytes
    begin: int
    body: int
    end: int


def video_mp4(data: bytes) -> bytes:
    """Raises `InvalidFile`."""
    clean = bytearray(data)
    seen: set[bytes] = set()
    has_pictures = False
    for depth, box in _boxes(data, 0, len(data)):
        if depth == 0:
            if not seen and not _is_video_brand(data, box):
                raise InvalidFile(reason="TYPE_DIFFERS")
            seen.add(box.kind)
        if box.kind in MP4_NOTES or (depth == 0 and box.kind not in MP4_KEPT):
            clean[box.begin + 4 : box.begin + 8] = b"free"
            clean[box.body : box.end] = bytes(box.end - box.body)
        if box.kind in MP4_DATED:
            dates = min(8 if data[box.body] == 0 else 16, box.end - box.body - 4)
            clean[box.body + 4 : box.body + 4 + dates] = bytes(dates)
        if box.kind == b"hdlr":
            has_pictures |= data[box.body + 8 : box.body + 12] == b"vide"
    if not {b"moov"} < seen & {b"moov", b"mdat", b"moof"}:
        raise InvalidFile(reason="TRUNCATED")
    if not has_pictures:
        raise InvalidFile(reason="TYPE_DIFFERS")
    return bytes(clean)


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[int, Box]]:
    """The boxes of a file and, one level deeper each, of its folders."""
    open_ends = [end]
    place = begin
    for _ in range(PARTS_MAX):
        while open_ends and place == open_ends[-1]:
            open_ends.pop()
        if not open_ends:
            return
        depth = len(open_ends) - 1
        box = _box(data, place, open_ends[-1], whole_file=depth == 0)
        yield depth, box
        if box.kind in MP4_FOLDERS:
            open_ends.append(box.end)
            place = box.body
        else:
            place = box.end
    raise InvalidFile(reason="DAMAGED")


def _box(data: bytes, place: int, limit: int, *, whole_file: bool) -> Box:
    size, kind, body = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8], 8
    if size == 1:
        size, body = int.from_bytes(data[place + 8 : place + 16]), 16
    elif size == 0 and whole_file:
        size = limit - place
    if size < body:
        raise InvalidFile(reason="DAMAGED")
    if place + size > limit:
        raise InvalidFile(reason="TRAILING_DATA" if not _is_box(kind) else "TRUNCATED")
    return Box(kind, place, place + body, place + size)


def _is_box(kind: bytes) -> bool:
    return kind in MP4_KEPT or kind in MP4_NOTES


def _is_video_brand(data: bytes, box: Box) -> bool:
    return box.kind == b"ftyp" and data[box.body : box.body + 4] in MP4_BRANDS


def video_webm(data: bytes) -> bytes:
    """Raises `InvalidFile`."""
    clean = bytearray(data)
    kind, header = _element(data, 0, len(data))
    if kind != EBML_HEADER or not _has(data, header, EBML_DOCTYPE, b"webm"):
        raise InvalidFile(reason="TYPE_DIFFERS")
    kind, segment = _element(data, header.end, len(data))
    if kind != SEGMENT:
        raise InvalidFile(reason="DAMAGED")
    if segment.end < len(data):
        raise InvalidFile(reason="TRAILING_DATA")
    has_pictures, has_clusters = False, False
    for kind, part in _elements(data, segment):
        if kind not in WEBM_PARTS:
            raise InvalidFile(reason="TRAILING_DATA")
        notes = [part] if kind in WEBM_NOTES else _info_notes(data, part) if kind == INFO else []
        for note in notes:
            clean[note.begin : note.end] = _void(note.end - note.begin)
        has_pictures |= kind == TRACKS and _has_video(data, part)
        has_clusters |= kind == CLUSTER
    if not has_clusters:
        raise InvalidFile(reason="TRUNCATED")
    if not has_pictures:
        raise InvalidFile(reason="TYPE_DIFFERS")
    return bytes(clean)


def _info_notes(data: bytes, info: Box) -> list[Box]:
    return [part for kind, part in _elements(data, info) if kind in WEBM_INFO_NOTES]


def _has_video(data: bytes, tracks: Box) -> bool:
    return any(
        kind == TRACK and _has(data, track, TRACK_TYPE, bytes([VIDEO_TRACK]))
        for kind, track in _elements(data, tracks)
    )


def _has(data: bytes, of: Box, wanted: int, value: bytes) -> bool:
    return any(
        kind == wanted and data[part.body : part.end].rstrip(b"\x00") == value
        for kind, part in _elements(data, of)
    )


def _elements(data: bytes, of: Box) -> Iterator[tuple[int, Box]]:
    """The elements of one, in turn."""
    place = of.body
    for _ in range(PARTS_MAX):
        if place == of.end:
            return
        kind, part = _element(data, place, of.end)
        yield kind, part
        place = part.end
    raise InvalidFile(reason="DAMAGED")


def _element(data: bytes, place: int, limit: int) -> tuple[int, Box]:
    id_length = _length_at(data, place)
    size_length = _length_at(data, place + id_length)
    body = place + id_length + size_length
    if body > limit:
        raise InvalidFile(reason="TRUNCATED")
    if id_length > ID_LENGTH_MAX or size_length > SIZE_LENGTH_MAX:
        raise InvalidFile(reason="TRAILING_DATA")
    kind = int.from_bytes(data[place : place + id_length])
    unknown = (1 << 7 * size_length) - 1  # all bits are set
    size = int.from_bytes(data[place + id_length : body]) & unknown
    end = body + size
    if size == unknown and kind in (SEGMENT, CLUSTER):
        # What is recorded live tells no sizes. Then a cluster's parts come as if they were ours.
        end = limit if kind == SEGMENT else body
    if end > limit:
        raise InvalidFile(reason="TRUNCATED")
    return kind, Box(data[place : place + id_length], place, body, end)


def _length_at(data: bytes, place: int) -> int:
    """How many bytes a number has: the zero bits that it begins with, and one."""
    first = int.from_bytes(data[place : place + 1])
    return 9 - first.bit_length()


def _void(length: int) -> bytes:
    """An element of this length, two or more, that says nothing."""
    if length - 2 <= ONE_BYTE_SIZE_MAX:
        return bytes([VOID, 0x80 | length - 2]).ljust(length, b"\x00")
    return (bytes([VOID]) + struct.pack(">Q", 1 << 56 | length - 9)).ljust(length, b"\x00")
