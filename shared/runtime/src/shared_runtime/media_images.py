"""A JPEG, PNG or WebP in, the same picture without anything else out.

What is kept is what a picture is made of: its pixels, as they are compressed already, its colours
and which way is up. Names, places, times, comments, previews and whatever programs add are left
out: a photo's EXIF says where its author lives. Nothing is decoded here.
"""

import re
import struct
from collections.abc import Iterator
from zlib import crc32

from shared_runtime.media_types import PARTS_MAX, SCANS_MAX, InvalidFile, Still, check_pixels

UPRIGHT = 1
ORIENTATION_MAX = 8
ORIENTATION_TAG = 0x0112
SHORT = 3
BYTE_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}

JPEG_START = b"\xff\xd8"
JPEG_END, JPEG_SCAN = 0xD9, 0xDA
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
JPEG_APP0, JPEG_APP1, JPEG_APP2, JPEG_APP14 = 0xE0, 0xE1, 0xE2, 0xEE
JFIF, EXIF, ICC, ADOBE = b"JFIF\x00", b"Exif\x00\x00", b"ICC_PROFILE\x00", b"Adobe"
JFIF_LENGTH = 12  # what follows is a preview
ADOBE_LENGTH = 12
# In compressed pixels a byte 0xFF is followed by 0x00, or is one of the restart markers.
SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_LENGTH = 13
PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"bKGD", b"pHYs", b"sBIT"}
    | {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI"}
)
PNG_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})

WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ICCP"})
WEBP_ANIMATION = frozenset({b"ANIM", b"ANMF"})
WEBP_EXTENDED_LENGTH = 10
WEBP_FRAME_LENGTH = 10
WEBP_LOSSLESS_LENGTH = 5
WEBP_HAS_PROFILE_OR_ALPHA, WEBP_HAS_EXIF, WEBP_ANIMATED = 0x30, 0x08, 0x02
WEBP_SIZE_MASK = 0x3FFF


def still_jpeg(data: bytes) -> Still:
    """Raises `InvalidFile`. What cameras put behind the end of a JPEG is cut off."""
    head, orientation, size, scans = b"", UPRIGHT, (0, 0), 0
    kept: list[bytes] = []
    end = 0
    for marker, payload, scan, after in _jpeg_parts(data):
        end = after
        if marker == JPEG_APP0 and payload.startswith(JFIF):
            head = _segment(marker, payload[:JFIF_LENGTH].ljust(JFIF_LENGTH, b"\x00") + b"\x00\x00")
        elif marker == JPEG_APP1 and payload.startswith(EXIF):
            orientation = orientation_of(payload[len(EXIF) :])
        elif marker == JPEG_APP14 and payload.startswith(ADOBE):
            kept.append(_segment(marker, payload[:ADOBE_LENGTH]))
        elif (marker == JPEG_APP2 and payload.startswith(ICC)) or marker in JPEG_TABLES:
            kept.append(_segment(marker, payload))
        elif marker in JPEG_FRAMES:
            size = _jpeg_size(payload)
            kept.append(_segment(marker, payload))
        elif marker == JPEG_SCAN:
            scans += 1
            kept += (_segment(marker, payload), scan)
    if not 0 < scans <= SCANS_MAX:
        raise InvalidFile(reason="DAMAGED")
    check_pixels(*size)
    if not _is_companion(data[end:]):
        raise InvalidFile(reason="TRAILING_DATA")
    upright = orientation == UPRIGHT
    exif = b"" if upright else _segment(JPEG_APP1, EXIF + only_orientation(orientation))
    return Still(b"".join((JPEG_START, head, exif, *kept, b"\xff\xd9")), *size)


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Marker, payload, the compressed pixels of a scan, and where the next part begins."""
    place = len(JPEG_START)
    for _ in range(PARTS_MAX):
        while data[place : place + 2] == b"\xff\xff":
            place += 1
        if len(data) < place + 2:
            raise InvalidFile(reason="TRUNCATED")
        if data[place] != 0xFF:  # noqa: PLR2004 - what every marker begins with
            raise InvalidFile(reason="DAMAGED")
        marker = data[place + 1]
        if marker == JPEG_END:
            yield marker, b"", b"", place + 2
            return
        payload = _jpeg_payload(data, place + 2)
        place += 4 + len(payload)
        scan = b""
        if marker == JPEG_SCAN:
            found = SCAN_END.search(data, place)
            if found is None:
                raise InvalidFile(reason="TRUNCATED")
            scan, place = data[place : found.start()], found.start()
        yield marker, payload, scan, place
    raise InvalidFile(reason="DAMAGED")


def _jpeg_payload(data: bytes, place: int) -> bytes:
    length = int.from_bytes(data[place : place + 2])
    if len(data) < place + max(length, 2):
        raise InvalidFile(reason="TRUNCATED")
    if length < 2:  # noqa: PLR2004 - it counts itself
        raise InvalidFile(reason="DAMAGED")
    return data[place + 2 : place + length]


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    check_pixels(width, height)
    return width, height


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _is_companion(tail: bytes) -> bool:
    """What phones put behind a picture: padding, a second picture of light or depth, the moment
    around it as a video, notes of Samsung's. Anything else makes the file two files.
    """
    tail = tail.strip(b"\x00")
    return (
        not tail
        or tail.startswith(b"\xff\xd8\xff")
        or tail.endswith(b"SEFT")
        or b"ftyp" in tail[1:8]
    )


def still_png(data: bytes) -> Still:
    """Raises `InvalidFile`."""
    kept = [PNG_START]
    size, exif, end = (0, 0), b"", 0
    for kind, payload, after in _png_parts(data):
        end = after
        if (len(kept) == 1) != (kind == b"IHDR") or (kind == b"IHDR" and not _is_header(payload)):
            raise InvalidFile(reason="DAMAGED")
        if kind == b"IHDR":
            size = int.from_bytes(payload[:4]), int.from_bytes(payload[4:8])
            check_pixels(*size)
        if kind in PNG_ANIMATION:
            raise InvalidFile(reason="ANIMATED")
        if kind == b"eXIf":
            exif = _png_orientation(payload)
        if kind == b"IDAT" and exif:
            kept.append(exif)
            exif = b""
        if kind in PNG_KEPT:
            kept.append(data[after - len(payload) - 12 : after])
    if data[end:]:
        raise InvalidFile(reason="TRAILING_DATA")
    return Still(b"".join(kept), *size)


def _png_parts(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, payload, and where the next part begins."""
    place = len(PNG_START)
    for _ in range(PARTS_MAX):
        length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        after = place + length + 12
        if len(data) < after:
            raise InvalidFile(reason="TRUNCATED")
        yield kind, data[place + 8 : place + 8 + length], after
        if kind == b"IEND":
            if length:
                raise InvalidFile(reason="TRAILING_DATA")
            return
        place = after
    raise InvalidFile(reason="DAMAGED")


def _is_header(payload: bytes) -> bool:
    return len(payload) == PNG_HEADER_LENGTH


def _png_orientation(exif: bytes) -> bytes:
    if (orientation := orientation_of(exif)) == UPRIGHT:
        return b""
    chunk = b"eXIf" + only_orientation(orientation)
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", crc32(chunk))


def still_webp(data: bytes) -> Still:
    """Raises `InvalidFile`."""
    kept: list[bytes] = []
    flags, size, orientation = None, (0, 0), UPRIGHT
    for kind, payload in _webp_parts(data):
        if kind in WEBP_ANIMATION:
            raise InvalidFile(reason="ANIMATED")
        if kind == b"VP8X":
            flags = int.from_bytes(payload[:1])
        if kind == b"EXIF":
            orientation = orientation_of(payload.removeprefix(EXIF))
        if (announced := _webp_size(kind, payload)) is not None:
            check_pixels(*announced)
            size = announced if size == (0, 0) else size
        if kind in WEBP_KEPT:
            kept.append(_chunk(kind, payload))
    if flags is not None:
        if flags & WEBP_ANIMATED:
            raise InvalidFile(reason="ANIMATED")
        flags &= WEBP_HAS_PROFILE_OR_ALPHA
        if orientation != UPRIGHT:
            flags |= WEBP_HAS_EXIF
            kept.append(_chunk(b"EXIF", only_orientation(orientation)))
        kept.insert(0, _chunk(b"VP8X", struct.pack("<I", flags) + _webp_canvas(size)))
    check_pixels(*size)
    body = b"WEBP" + b"".join(kept)
    return Still(b"RIFF" + struct.pack("<I", len(body)) + body, *size)


def _webp_parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise InvalidFile(reason="TRUNCATED")
    if data[end:].strip(b"\x00"):
        raise InvalidFile(reason="TRAILING_DATA")
    place = 12
    for _ in range(PARTS_MAX):
        if place >= end:
            return
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        if place + 8 + length > end:
            raise InvalidFile(reason="DAMAGED")
        yield data[place : place + 4], data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
    raise InvalidFile(reason="DAMAGED")


def _webp_size(kind: bytes, payload: bytes) -> tuple[int, int] | None:
    """The size that a chunk announces, if it is of those that do."""
    match kind:
        case b"VP8X" if len(payload) == WEBP_EXTENDED_LENGTH:
            low, high = payload[4:7], payload[7:10]
            return int.from_bytes(low, "little") + 1, int.from_bytes(high, "little") + 1
        case b"VP8 " if len(payload) >= WEBP_FRAME_LENGTH:
            width, height = struct.unpack("<HH", payload[6:10])
            return width & WEBP_SIZE_MASK, height & WEBP_SIZE_MASK
        case b"VP8L" if len(payload) >= WEBP_LOSSLESS_LENGTH:
            bits = int.from_bytes(payload[1:5], "little")
            return (bits & WEBP_SIZE_MASK) + 1, (bits >> 14 & WEBP_SIZE_MASK) + 1
        case b"VP8X" | b"VP8 " | b"VP8L":
            raise InvalidFile(reason="DAMAGED")
        case _:
            return None


def _webp_canvas(size: tuple[int, int]) -> bytes:
    return b"".join((side - 1).to_bytes(3, "little") for side in size)


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\x00" * (len(payload) % 2)


def orientation_of(exif: bytes) -> int:
    """Which way is up, 1..8 as EXIF counts; 1 (as it is) if that is not said."""
    order = BYTE_ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for n in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * n)
            if (tag, kind) == (ORIENTATION_TAG, SHORT) and UPRIGHT <= value <= ORIENTATION_MAX:
                return int(value)
    except struct.error:
        pass  # it is left out anyway
    return UPRIGHT


def only_orientation(orientation: int) -> bytes:
    """EXIF that says which way is up, and no more."""
    entry = struct.pack(">HHIHH", ORIENTATION_TAG, SHORT, 1, orientation, 0)
    return b"MM\x00*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
