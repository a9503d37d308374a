"""Whatever is sent as a photo or a video: what is kept is that and no more, or it is refused."""

import asyncio
import io
import resource
import struct
import zipfile
import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shared_runtime.media_images import only_orientation, orientation_of
from shared_runtime.media_types import (
    CONTENT_TYPES,
    IMAGE_BYTES_MAX,
    PIXELS_MAX,
    SCANS_MAX,
    VIDEO_BYTES_MAX,
    ContentType,
    FileTooLarge,
    InvalidFile,
    Reason,
    UnsupportedFile,
    said_type,
)
from shared_runtime.scanning import (
    TOGETHER_PIXELS_MAX,
    Clean,
    Decoding,
    DecodingScanner,
    Rejected,
    examined,
    sniffed,
)

PATIENCE_SECONDS = 10.0
SECRET = b"52.5200 13.4050 of Berta"
HTML = b"<html><script>alert(document.cookie)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("payload.js", "alert(1)")
    return made.getvalue()


def photo(image_format: str, **options: object) -> bytes:
    """A photo as a phone makes it: taken sideways, with what the phone knows of where and who."""
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    picture = Image.effect_noise((48, 32), 40).convert("RGB")
    picture.save(made, image_format, exif=exif, **options)
    return made.getvalue()


def chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(kind + payload)
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def mp4(brand: bytes = b"isom", handler: bytes = b"vide") -> bytes:
    dated = bytes(4) + SECRET[:8] + bytes(80)
    place = box(b"udta", box(b"\xa9xyz", SECRET))
    track = box(b"mdia", box(b"mdhd", dated) + box(b"hdlr", bytes(8) + handler + bytes(13)))
    movie = box(b"mvhd", dated) + box(b"trak", track + place) + place
    return (
        box(b"ftyp", brand + bytes(4) + b"mp41")
        + box(b"free", SECRET)
        + box(b"moov", movie)
        + box(b"mdat", b"pictures" * 9)
    )


def element(kind: int, payload: bytes, *, endless: bool = False) -> bytes:
    name = kind.to_bytes((kind.bit_length() + 7) // 8)
    size = (1 << 56) - 1 if endless else len(payload)
    return name + (1 << 56 | size).to_bytes(8) + payload


def webm(doctype: bytes = b"webm", track_type: int = 1, *, live: bool = False) -> bytes:
    clusters = element(
        0x1F43B675, element(0xE7, b"\x00") + element(0xA3, b"pictures"), endless=live
    )
    parts = (
        element(0x1549A966, element(0x7BA9, SECRET) + element(0x2AD7B1, b"\x0f\x42\x40")),
        element(0x1654AE6B, element(0xAE, element(0x83, bytes([track_type])))),
        clusters * 2,
        b"" if live else element(0x1254C367, element(0x7373, SECRET)),
    )
    return element(0x1A45DFA3, element(0x4282, doctype)) + element(
        0x18538067, b"".join(parts), endless=live
    )


JPEG = photo("JPEG", comment=SECRET)
SAMPLES: dict[str, tuple[ContentType, bytes]] = {
    "jpeg": ("image/jpeg", JPEG),
    "progressive jpeg": ("image/jpeg", photo("JPEG", progressive=True)),
    "png": ("image/png", photo("PNG")),
    "webp": ("image/webp", photo("WEBP", xmp=SECRET)),
    "lossless webp": ("image/webp", photo("WEBP", lossless=True)),
    "mp4": ("video/mp4", mp4()),
    "webm": ("video/webm", webm()),
    "live webm": ("video/webm", webm(live=True)),
}
FORMATS: dict[str, ContentType] = {"PNG": "image/png", "WEBP": "image/webp"}
each_sample = pytest.mark.parametrize(("said", "data"), SAMPLES.values(), ids=SAMPLES)


def reason(data: bytes, said: ContentType) -> Reason:
    with pytest.raises(InvalidFile) as refused:
        examined(data, said)
    return refused.value.reason


@each_sample
async def test_a_good_file_is_kept_without_where_when_and_by_whom(
    said: ContentType, data: bytes
) -> None:
    file = examined(data, said)
    assert sniffed(data) == file.content_type == said
    assert SECRET in data
    assert SECRET not in file.data
    assert SECRET[:8] not in file.data
    assert await DecodingScanner(Decoding()).scan(file.data) == Clean()
    assert examined(file.data, said) == file


@pytest.mark.parametrize("sample", ["jpeg", "progressive jpeg", "png", "lossless webp"])
def test_a_picture_keeps_its_pixels_and_which_way_is_up(sample: str) -> None:
    said, data = SAMPLES[sample]
    file = examined(data, said)
    with Image.open(io.BytesIO(data)) as sent, Image.open(io.BytesIO(file.data)) as kept:
        assert kept.tobytes() == sent.tobytes()
        assert (file.width, file.height) == kept.size == (48, 32)
        assert dict(kept.getexif()) == {0x0112: 6}


def test_a_picture_keeps_its_colours() -> None:
    picture = Image.new("RGBA", (8, 8), (1, 2, 3, 4))
    for image_format, said in FORMATS.items():
        made = io.BytesIO()
        picture.save(made, image_format, icc_profile=b"a profile", lossless=True)
        with Image.open(io.BytesIO(examined(made.getvalue(), said).data)) as kept:
            assert kept.info["icc_profile"] == b"a profile"
            assert kept.mode == "RGBA"
            assert kept.getpixel((0, 0)) == (1, 2, 3, 4)


@pytest.mark.parametrize("sample", sorted(SAMPLES.keys() - {"live webm"}))
def test_a_file_that_was_cut_off_is_refused(sample: str) -> None:
    """But for a live recording, which is whole wherever it ends between two of its parts."""
    said, data = SAMPLES[sample]
    for length in range(12, len(data), max(1, len(data) // 200)):
        assert reason(data[:length], said) in ("TRUNCATED", "DAMAGED", "TRAILING_DATA")


@each_sample
@pytest.mark.parametrize("tail", [archive(), HTML, b"alert(1)", b"\x01" * 40], ids=range(4))
def test_a_file_with_another_behind_it_is_refused(
    said: ContentType, data: bytes, tail: bytes
) -> None:
    assert reason(data + tail, said) in ("TRAILING_DATA", "TRUNCATED", "MARKUP")


def test_a_zip_inside_of_the_last_part_is_found_from_the_end() -> None:
    assert reason(mp4() + box(b"mdat", archive()), "video/mp4") == "TRAILING_DATA"


@pytest.mark.parametrize(
    "tail", [b"\x00" * 100, JPEG, b"\x00\x00" + JPEG, mp4(), SECRET + b"SEFT"], ids=range(5)
)
def test_what_a_camera_adds_behind_a_photo_is_cut_off(tail: bytes) -> None:
    assert examined(JPEG + tail, "image/jpeg") == examined(JPEG, "image/jpeg")


@pytest.mark.parametrize("markup", [HTML, SVG, b"<!DOCTYPE html>", b"%PDF-1.7", b"<?php x ?>"])
def test_a_photo_that_begins_like_a_page_is_refused(markup: bytes) -> None:
    assert reason(JPEG[:2] + segment(0xFE, markup) + JPEG[2:], "image/jpeg") == "MARKUP"
    early = b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"Comment\x00" + markup)
    assert reason(early + png_of(1, 1, b"\x00\x00")[8:], "image/png") == "MARKUP"


def test_a_segment_that_is_a_script_as_well_is_left_out() -> None:
    script = segment(0xE0, b"*/=alert(1);/*".ljust(0x2F2A - 2, b"x"))
    kept = examined(JPEG[:2] + script + JPEG[2:], "image/jpeg").data
    assert kept == examined(JPEG, "image/jpeg").data


@pytest.mark.parametrize("other", CONTENT_TYPES)
@each_sample
def test_a_file_is_what_it_says(said: ContentType, data: bytes, other: ContentType) -> None:
    if other != said:
        assert reason(data, other) == "TYPE_DIFFERS"


@pytest.mark.parametrize(
    "data", [SVG, HTML, b"GIF89a\x01\x00\x01\x00", b"%PDF-1.7", b"x", JPEG[1:]]
)
def test_other_types_are_not_taken_whatever_they_say(data: bytes) -> None:
    for said in CONTENT_TYPES:
        assert reason(data, said) == "TYPE_DIFFERS"
    assert reason(b"", "image/png") == "EMPTY"


@pytest.mark.parametrize(
    "said", [None, "", "image/svg+xml", "image/gif", "text/html", "application/pdf", "image/*"]
)
def test_other_types_are_not_even_said(said: str | None) -> None:
    with pytest.raises(UnsupportedFile):
        said_type(said)


def test_a_type_is_said_as_http_has_it() -> None:
    assert said_type("Image/JPEG; charset=binary") == "image/jpeg"


def test_videos_are_of_the_brands_that_browsers_play_and_have_pictures() -> None:
    for brand in (b"heic", b"avif", b"qt  ", b"M4A ", b"crx "):
        assert reason(mp4(brand), "video/mp4") == "TYPE_DIFFERS"
    assert reason(mp4(handler=b"soun"), "video/mp4") == "TYPE_DIFFERS"
    assert reason(webm(b"matroska"), "video/webm") == "TYPE_DIFFERS"
    assert reason(webm(track_type=2), "video/webm") == "TYPE_DIFFERS"


def test_a_size_in_bytes_is_allowed_up_to_its_limit() -> None:
    """Padding behind a photo is cut off; behind a video it is a part without content."""
    whole = JPEG.ljust(IMAGE_BYTES_MAX, b"\x00")
    assert examined(whole, "image/jpeg") == examined(JPEG, "image/jpeg")
    with pytest.raises(FileTooLarge) as refused:
        examined(whole + b"\x00", "image/jpeg")
    assert refused.value.limit_bytes == IMAGE_BYTES_MAX
    video = mp4() + box(b"free", bytes(VIDEO_BYTES_MAX - len(mp4()) - 8))
    assert len(examined(video, "video/mp4").data) == VIDEO_BYTES_MAX
    with pytest.raises(FileTooLarge):
        examined(video + b"\x00", "video/mp4")


@pytest.mark.parametrize("size", [(PIXELS_MAX, 1), (8000, 5000)])
async def test_a_picture_has_up_to_forty_megapixels(size: tuple[int, int]) -> None:
    width, height = size
    row = zlib.compressobj()
    pixels = b"".join(row.compress(bytes(width + 1)) for _ in range(height)) + row.flush()
    whole = png_of(width, height).replace(
        chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", pixels)
    )
    assert await DecodingScanner(Decoding()).scan(examined(whole, "image/png").data) == Clean()
    for wider, higher in ((1, 0), (0, 1)):
        assert reason(png_of(width + wider, height + higher), "image/png") == "TOO_MANY_PIXELS"


def with_size(data: bytes, said: ContentType, width: int, height: int) -> bytes:
    """A picture whose header announces another size than its pixels have."""
    if said == "image/jpeg":
        place = next(n for n in range(len(data)) if data[n : n + 2] in (b"\xff\xc0", b"\xff\xc2"))
        return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    place = data.index(b"VP8X") + 12
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return data[:place] + canvas + data[place + 6 :]


@pytest.mark.parametrize("sample", ["jpeg", "progressive jpeg", "webp", "lossless webp"])
async def test_an_announced_size_counts_before_anything_is_decoded(sample: str) -> None:
    said, data = SAMPLES[sample]
    assert reason(with_size(data, said, 8001, 5000), said) == "TOO_MANY_PIXELS"
    announced = examined(with_size(data, said, 8000, 5000), said)
    assert (announced.width, announced.height) == (8000, 5000)


def memory_peak() -> int:
    """The most that this process has ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def test_a_decompression_bomb_is_refused_without_being_decompressed() -> None:
    pixels = zlib.compressobj()
    bomb = b"".join(pixels.compress(bytes(10**6)) for _ in range(300)) + pixels.flush()
    honest = png_of(15_000, 20_000).replace(
        chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", bomb)
    )
    lying = png_of(1, 1).replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", bomb))
    before = memory_peak()
    assert reason(honest, "image/png") == "TOO_MANY_PIXELS"
    assert await DecodingScanner(Decoding()).scan(honest) == Rejected("TOO_MANY_PIXELS")
    await DecodingScanner(Decoding()).scan(examined(lying, "image/png").data)
    assert memory_peak() - before < 100


def test_a_jpeg_that_goes_over_its_pixels_again_and_again_is_refused() -> None:
    start = JPEG.index(b"\xff\xda")
    scan = JPEG[start:-2]
    most = JPEG[:start] + scan * SCANS_MAX + JPEG[-2:]
    assert examined(most, "image/jpeg").width == 48
    assert reason(JPEG[:start] + scan * (SCANS_MAX + 1) + JPEG[-2:], "image/jpeg") == "DAMAGED"


async def test_damaged_pixels_are_found_by_decoding_them() -> None:
    good = png_of(40, 40, bytes(41 * 40))
    assert await DecodingScanner(Decoding()).scan(examined(good, "image/png").data) == Clean()
    place = good.index(b"IDAT") + 8
    no_pixels = good[:place] + b"\xff" * 4 + good[place + 4 :]
    assert await DecodingScanner(Decoding()).scan(
        examined(no_pixels, "image/png").data
    ) == Rejected("DAMAGED")
    said, data = SAMPLES["lossless webp"]
    place = data.index(b"VP8L") + 30
    broken = data[:place] + bytes(200) + data[place + 200 :]
    assert await DecodingScanner(Decoding()).scan(examined(broken, said).data) == Rejected(
        "DAMAGED"
    )
    assert await DecodingScanner(Decoding()).scan(HTML) == Rejected("TYPE_DIFFERS")


async def fits(decoding: Decoding, pixels: int) -> bool:
    """Whether there is room at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0), decoding.of(pixels):
            return True
    return False


async def test_two_pictures_are_decoded_at_once_or_a_large_one_alone() -> None:
    decoding = Decoding()
    small, large = TOGETHER_PIXELS_MAX, TOGETHER_PIXELS_MAX + 1
    async with decoding.of(small):
        assert [await fits(decoding, each) for each in (large, small)] == [False, True]
        async with decoding.of(small):
            assert not await fits(decoding, small)
    async with decoding.of(large):
        assert [await fits(decoding, each) for each in (large, small)] == [False, False]
    assert await fits(decoding, large)


async def test_two_large_pictures_do_not_wait_for_one_another() -> None:
    decoding = Decoding()
    done: list[int] = []

    async def decode(number: int) -> None:
        async with decoding.of(PIXELS_MAX):
            done.append(number)

    async with decoding.of(1):
        waiting = [asyncio.create_task(decode(number)) for number in range(3)]
        await asyncio.sleep(0)  # each has asked for its place
        assert done == []
    await asyncio.wait(waiting, timeout=PATIENCE_SECONDS)
    assert done == [0, 1, 2]


def test_pictures_that_move_are_refused() -> None:
    frames = [Image.new("RGB", (8, 8), (n, n, n)) for n in (0, 99, 255)]
    for image_format, said in FORMATS.items():
        made = io.BytesIO()
        frames[0].save(made, image_format, save_all=True, append_images=frames[1:])
        assert reason(made.getvalue(), said) == "ANIMATED"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_which_way_is_up_is_read_in_either_byte_order(orientation: int) -> None:
    assert orientation_of(only_orientation(orientation)) == orientation
    little = b"II*\x00" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, orientation, 0)
    assert orientation_of(little) == orientation


@pytest.mark.parametrize("exif", [b"", b"MM\x00*", b"II*\x00\xff\xff\xff\xff", only_orientation(9)])
def test_what_is_no_orientation_is_upright(exif: bytes) -> None:
    assert orientation_of(exif) == 1


@given(st.sampled_from(sorted(SAMPLES)), st.data())
async def test_no_change_of_bytes_makes_us_fail(sample: str, drawn: st.DataObject) -> None:
    """Changed anywhere, a file is refused, or kept as one that passes again."""
    said, data = SAMPLES[sample]
    changed = bytearray(data)
    places = st.integers(0, len(data) - 1)
    for place in drawn.draw(st.lists(places, min_size=1, max_size=4)):
        changed[place] = drawn.draw(st.integers(0, 255))
    cuts = sorted({0, *drawn.draw(st.lists(places, max_size=2)), len(data)})
    pieces = [bytes(changed[begin:end]) for begin, end in pairwise(cuts)]
    try:
        file = examined(b"".join(drawn.draw(st.permutations(pieces))), said)
    except InvalidFile:
        return
    assert isinstance(await DecodingScanner(Decoding()).scan(file.data), Clean | Rejected)
    assert sniffed(file.data) == said
