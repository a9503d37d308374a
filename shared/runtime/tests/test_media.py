"""Files over HTTP: kept encrypted, shown to whoever may see them, gone when nobody needs them.

PostgreSQL and the folder are real. The ClamAV daemon and the bucket are small ones of ours that
speak their protocols.
"""

import asyncio
import hashlib
import io
import socket
import struct
import threading
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from signal import SIGKILL, SIGSEGV, SIGTERM
from typing import Any, ClassVar, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import Depends, FastAPI
from local_stack import issuer
from local_stack.databases import Database
from PIL import Image
from pydantic import SecretStr
from shared_runtime import media_api, media_heic, media_turned
from shared_runtime.auth import Verifier
from shared_runtime.clock import system_clock
from shared_runtime.database import open_pool
from shared_runtime.decider import InvalidValue
from shared_runtime.http import serve, service_app
from shared_runtime.log import PostgresLog
from shared_runtime.media import (
    LINK_LIFETIME,
    LOCAL_MEDIA_KEY,
    UNREFERENCED_LIFETIME,
    UNREFERENCED_MAX,
    Links,
    MediaFile,
    MediaSettings,
    MediaStore,
    Upload,
)
from shared_runtime.media_api import (
    BODIES_BYTES_OF_ONE_MAX,
    BODIES_MAX,
    BODIES_OF_ONE_MAX,
    BYTES_PER_SECOND_MIN,
    DOWNLOADS_OF_ONE_MAX,
    NAME_LENGTH_MAX,
    PATH,
    TOLD_OF_DOWNLOAD,
    UPLOADED_BYTES_OF_ONE_MAX,
    UPLOADS_OF_ONE_MAX,
    Download,
    LinkRequired,
    Ways,
    media_router,
    media_tasks,
)
from shared_runtime.media_objects import objects_at
from shared_runtime.media_types import IMAGE_BYTES_MAX, VIDEO_BYTES_MAX
from shared_runtime.problems import Unavailable
from shared_runtime.routers import Router
from shared_runtime.scanning import (
    TOGETHER_PIXELS_MAX,
    ClamdScanner,
    Decoding,
    DecodingScanner,
    Scanner,
    scanner_at,
)
from shared_runtime.shape import Purpose
from shared_runtime.skew import SKEW_MAX
from shared_runtime.spool import Spool
from shared_runtime.telemetry import CORRELATION_HEADER
from shared_runtime.testing import InMemoryKeyStore, ManualClock
from starlette.types import Message, Receive, Scope, Send

OWNER = "buyer:B1"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def picture(
    image_format: str = "JPEG", text: str = "Berta's home", size: tuple[int, int] = (40, 30)
) -> bytes:
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = text
    Image.effect_noise(size, 40).convert("RGB").save(made, image_format, exif=exif)
    return made.getvalue()


JPEG = picture()
PNG = picture("PNG")
HEIC = Path(__file__).with_name("lamp.heic").read_bytes()
"""128 by 64, red, its upper left quarter blue; its EXIF says where Berta lives."""
SIZE = HEIC.index(b"ispe") + 8
LARGE_PNG = picture("PNG", size=(300, 200))
SLOW_BYTES = 8 * 1024
PIXELS = PNG.index(b"IDAT") + 4


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("payload.js", "alert(1)")
    return made.getvalue()


@dataclass(slots=True)
class Clamd:
    """A ClamAV daemon that is not one: it speaks INSTREAM, and knows one signature."""

    reply: bytes | None = None
    scanned: list[bytes] = field(default_factory=list[bytes])
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            assert await reader.readuntil(b"\x00") == b"zINSTREAM\x00"
            stream = b""
            while length := int.from_bytes(await reader.readexactly(4)):
                stream += await reader.readexactly(length)
            self.scanned.append(stream)
            found = b"Eicar-Test-Signature FOUND" if EICAR in stream else b"OK"
            writer.write(self.reply or b"stream: " + found + b"\x00")
            await writer.drain()
        writer.close()


@pytest.fixture
async def clamd() -> AsyncIterator[Clamd]:
    daemon = Clamd()
    await daemon.start()
    yield daemon
    await daemon.stop()


@pytest.fixture
def base(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture
async def db(base: Database) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(base.owner_url) as owner:
        await owner.execute((files("shared_runtime") / "sql" / "media.sql").read_text())
    async with await open_pool(base.app_url) as pool:
        yield pool


@dataclass(slots=True)
class Shop:
    """A service that takes files, with what is around it."""

    db: asyncpg.Pool
    clock: ManualClock
    verifier: Verifier
    folder: Path
    keys: InMemoryKeyStore = field(default_factory=InMemoryKeyStore)
    decoding: Decoding = field(default_factory=Decoding)
    scanner: Scanner = field(init=False)
    skew_max: timedelta | None = None

    def __post_init__(self) -> None:
        self.scanner = DecodingScanner(self.decoding)

    @property
    def links(self) -> Links:
        return Links(LOCAL_MEDIA_KEY.encode(), self.clock)

    @property
    def objects(self) -> Path:
        return self.folder / "media of us"

    def store(self) -> MediaStore:
        return MediaStore(
            db=self.db,
            objects=objects_at(self.objects.as_uri()),
            keys=self.keys,
            scanner=self.scanner,
            decoding=self.decoding,
            links=self.links,
            own_log=PostgresLog(self.db, source="/shop", now=self.clock, skew_max=self.skew_max),
            now=self.clock,
        )

    def kept(self) -> list[bytes]:
        return [each.read_bytes() for each in self.objects.rglob("*") if each.is_file()]

    def damage(self) -> None:
        """Changes the last byte of every object."""
        for each in [each for each in self.objects.rglob("*") if each.is_file()]:
            kept = each.read_bytes()
            each.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))

    def app(self) -> FastAPI:

        async def ready() -> None: ...

        return service_app(
            title="shop",
            version="1",
            routers=[media_router(self.store(), self.links)],
            verifier=self.verifier,
            ready=ready,
            streamed=frozenset({PATH}),
        )

    def client(self, sub: str = "B1", *roles: str, app: FastAPI | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app or self.app())
        token = issuer.mint(self.folder, sub=sub, roles=list(roles or ("BUYER",)))
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://shop",
            headers={"Authorization": f"Bearer {token}"},
        )


@pytest.fixture
def shop(
    db: asyncpg.Pool,
    clock: ManualClock,
    verifier: Verifier,
    tmp_path: Path,
) -> Shop:
    return Shop(db=db, clock=clock, verifier=verifier, folder=tmp_path)


@pytest.fixture
async def buyer(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with shop.client() as client:
        yield client


async def send(
    client: httpx.AsyncClient,
    data: bytes | AsyncIterator[bytes] = JPEG,
    said: str | None = "image/jpeg",
    *,
    key: str | None = None,
    query: str = "purpose=REVIEW",
    **headers: str,
) -> httpx.Response:
    typed = {} if said is None else {"Content-Type": said}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        f"{PATH}?{query}",
        content=data,
        headers={"Idempotency-Key": key or str(uuid4()), **typed, **named},
    )


async def sent(client: httpx.AsyncClient, data: bytes = JPEG, said: str = "image/jpeg") -> str:
    answered = await send(client, data, said)
    assert answered.status_code == 201
    return str(answered.json()["media_id"])


async def link_to(client: httpx.AsyncClient, media_id: str) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid4())}
    return await client.post(f"{PATH}/{media_id}/links", headers=headers)


def told(answered: httpx.Response) -> tuple[int, str, Any]:
    assert answered.headers["Content-Type"] == "application/problem+json"
    problem = answered.json()
    return answered.status_code, problem["type"].removeprefix("/problems/"), problem.get("reason")


def refusal(answered: httpx.Response) -> tuple[int, str]:
    return told(answered)[:2]


async def test_a_photo_is_taken_and_downloaded_by_a_link(buyer: httpx.AsyncClient) -> None:
    taken = await send(buyer, File_Name=quote("Größe.jpg"))
    assert taken.status_code == 201
    file = taken.json()
    assert file["state"] == "CLEAN"
    assert (file["content_type"], file["width"], file["height"]) == ("image/jpeg", 40, 30)
    info = (await buyer.get(f"{PATH}/{file['media_id']}")).json()
    assert file.items() <= info.items()
    assert (info["purpose"], info["name"]) == ("REVIEW", "Größe.jpg")
    assert info["uploaded_at"] == "2026-01-15T12:00:00Z"
    link = (await link_to(buyer, file["media_id"])).json()
    del buyer.headers["Authorization"]
    got = await buyer.get(link["url"])
    assert got.status_code == 200
    assert b"Berta" in JPEG
    assert b"Berta" not in got.content
    assert len(got.content) == file["bytes"] == int(got.headers["Content-Length"])
    assert hashlib.sha256(got.content).hexdigest() == file["sha256"]
    for name, value in {
        "Content-Type": "image/jpeg",
        "Content-Disposition": f'attachment; filename="{file["media_id"]}.jpg"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }.items():
        assert got.headers[name] == value
    of_all = {CORRELATION_HEADER.lower(), "content-type", "content-length"}
    assert {*got.headers} == {name.lower() for name in TOLD_OF_DOWNLOAD} | of_all


async def test_what_is_kept_is_encrypted_under_a_name_that_says_nothing(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = (await send(buyer, query="purpose=REVIEW&name=secret.jpg")).json()["media_id"]
    (kept,) = shop.kept()
    assert b"JFIF" in JPEG
    assert b"JFIF" not in kept
    names = [each.name for each in shop.objects.rglob("*")]
    assert not any("B1" in name or media_id in name for name in names)
    row = await shop.db.fetchrow("SELECT * FROM media.file")
    assert row is not None
    assert "secret" not in str(dict(row))
    assert (await buyer.get(f"{PATH}/{media_id}")).json()["name"] == "secret.jpg"


@pytest.mark.parametrize(
    ("said", "data"),
    [("image/png", PNG), ("image/webp", picture("WEBP"))],
)
async def test_other_pictures_are_taken_too(
    buyer: httpx.AsyncClient, said: str, data: bytes
) -> None:
    answered = await send(buyer, data, said, query="purpose=EVIDENCE")
    assert (answered.status_code, answered.json()["content_type"]) == (201, said)


async def test_a_heic_is_kept_as_the_jpeg_that_is_made_of_it(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    key = str(uuid4())
    answered = await send(buyer, HEIC, "image/heic", key=key)
    assert answered.status_code == 201, answered.text
    file = answered.json()
    assert (file["content_type"], file["width"], file["height"]) == ("image/jpeg", 128, 64)
    assert (await send(buyer, HEIC, "image/heic", key=key)).json() == file
    assert refusal(await send(buyer, HEIC, "image/jpeg", key=key)) == (422, "idempotency-mismatch")
    link = (await link_to(buyer, file["media_id"])).json()
    got = await buyer.get(link["url"])
    assert got.headers["Content-Type"] == "image/jpeg"
    assert hashlib.sha256(got.content).hexdigest() == file["sha256"]
    assert b"Berta" in HEIC
    assert b"Berta" not in got.content
    with Image.open(io.BytesIO(got.content), formats=["JPEG"]) as kept:
        corners = [kept.getpixel(place) for place in ((8, 8), (120, 8), (8, 56))]
    blue, *red = ([round(part / 255) for part in cast("tuple[int, ...]", each)] for each in corners)
    assert (blue, red) == ([0, 0, 1], [[1, 0, 0]] * 2)
    assert len(shop.kept()) == 1


@pytest.mark.parametrize("signal", [SIGKILL, SIGTERM])
async def test_a_heic_whose_turning_others_have_ended_may_be_sent_again(
    buyer: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, signal: int
) -> None:
    program = shop.folder / "ended.py"
    program.write_text(f"import os; os.kill(os.getpid(), {signal:d})")
    with monkeypatch.context() as patched:
        patched.setattr(media_heic, "PROGRAM", program)
        ended = await send(buyer, HEIC, "image/heic", key="k1")
    assert refusal(ended) == (503, "unavailable")
    assert shop.kept() == []
    assert (await send(buyer, HEIC, "image/heic", key="k1")).status_code == 201


async def test_a_heic_that_is_not_turned_in_time_may_be_sent_again(
    buyer: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(media_heic, "SECONDS_MAX", 0.0)
        late = await send(buyer, HEIC, "image/heic", key="k1")
    assert refusal(late) == (503, "unavailable")
    assert shop.kept() == []
    assert (await send(buyer, HEIC, "image/heic", key="k1")).status_code == 201


@pytest.mark.parametrize(
    "ending",
    [
        "media_turned.limit(cpu_seconds_max=1)\nwhile True:\n    pass",
        f"media_turned.limit()\nbytearray({media_turned.MEMORY_BYTES_MAX})",
        f"os.kill(os.getpid(), {SIGSEGV:d})",
    ],
)
async def test_a_heic_that_wants_more_than_its_limits_or_breaks_the_decoder_is_damaged(
    buyer: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    program = shop.folder / "broken.py"
    program.write_text(f"import os\nfrom shared_runtime import media_turned\n{ending}\n")
    monkeypatch.setattr(media_heic, "PROGRAM", program)
    refused = await send(buyer, HEIC, "image/heic")
    assert told(refused) == (422, "invalid-file", "DAMAGED")


class Rooms(Decoding):
    """Writes down for how many pixels there had to be room."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    @asynccontextmanager
    async def of(self, pixels: int) -> AsyncGenerator[None]:
        self.asked.append(pixels)
        async with super().of(pixels):
            yield


async def test_room_is_made_for_the_pixels_of_a_picture_and_for_any_heic(shop: Shop) -> None:
    shop.decoding = rooms = Rooms()
    shop.scanner = DecodingScanner(rooms)
    async with shop.client("B1", "BUYER") as buyer:
        assert (await send(buyer, LARGE_PNG, "image/png")).status_code == 201
        assert rooms.asked == [300 * 200]
        assert (await send(buyer, HEIC, "image/heic")).status_code == 201
    assert rooms.asked[1:] == [TOGETHER_PIXELS_MAX, 128 * 64]


@pytest.mark.parametrize(
    ("data", "said", "reason"),
    [
        (b"", "image/jpeg", "EMPTY"),
        (HEIC, "image/jpeg", "TYPE_DIFFERS"),
        (HEIC, "video/mp4", "TYPE_DIFFERS"),
        (JPEG, "image/heic", "TYPE_DIFFERS"),
        (HEIC[:300], "image/heic", "DAMAGED"),
        (HEIC[:32] + bytes(600), "image/heic", "DAMAGED"),
        (HEIC + archive(), "image/heic", "TRAILING_DATA"),
        (
            HEIC[:SIZE] + struct.pack(">II", 8001, 5000) + HEIC[SIZE + 8 :],
            "image/heic",
            "TOO_MANY_PIXELS",
        ),
        (PNG, "image/jpeg", "TYPE_DIFFERS"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", "TYPE_DIFFERS"),
        (JPEG[:-300], "image/jpeg", "TRUNCATED"),
        (JPEG + archive(), "image/jpeg", "TRAILING_DATA"),
        (PNG + b"<html><script>alert(1)</script>", "image/png", "TRAILING_DATA"),
        (PNG[:16] + struct.pack(">II", 8201, 5000) + PNG[24:], "image/png", "TOO_MANY_PIXELS"),
        (PNG.replace(PNG[PIXELS : PIXELS + 9], b"\xff" * 9), "image/png", "DAMAGED"),
    ],
)
async def test_what_is_no_file_is_refused_by_name_and_leaves_nothing(
    buyer: httpx.AsyncClient, shop: Shop, data: bytes, said: str, reason: str
) -> None:
    assert told(await send(buyer, data, said)) == (422, "invalid-file", reason)
    assert shop.kept() == []
    assert await shop.db.fetchval("SELECT count(*) FROM media.file") == 0


@pytest.mark.parametrize(
    "said", [None, "image/svg+xml", "image/gif", "image/avif", "text/html", "a/b"]
)
async def test_other_types_are_refused(buyer: httpx.AsyncClient, said: str | None) -> None:
    answered = await send(buyer, b"<svg/>", said)
    assert refusal(answered) == (415, "unsupported-media-type")
    assert {"image/webp", "image/heic"} <= {*answered.json()["taken"]}


@pytest.mark.parametrize("limit", [IMAGE_BYTES_MAX, VIDEO_BYTES_MAX])
async def test_a_byte_too_many_is_refused_announced_or_not(
    buyer: httpx.AsyncClient, limit: int
) -> None:
    said = "image/jpeg" if limit == IMAGE_BYTES_MAX else "video/mp4"
    parts = [JPEG, bytes(limit - len(JPEG))]

    async def chunks(*last: bytes) -> AsyncIterator[bytes]:
        for part in (*parts, *last):
            yield part

    for body in (b"".join(parts) + b"\x00", chunks(b"\x00")):
        answered = await send(buyer, body, said)
        assert refusal(answered) == (413, "file-too-large")
        assert answered.json()["limit_bytes"] == limit
    answered = await send(buyer, chunks(), said)
    assert answered.status_code == 201 or told(answered)[2] == "TYPE_DIFFERS"


async def test_the_same_request_again_gets_the_same_answer(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    first = await send(buyer, key="k1")
    again = await send(buyer, key="k1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert len(shop.kept()) == 1
    for other in (
        await send(buyer, PNG, "image/png", key="k1"),
        await send(buyer, key="k1", query="purpose=EVIDENCE"),
        await send(buyer, key="k1", File_Name="other.jpg"),
    ):
        assert refusal(other) == (422, "idempotency-mismatch")


async def test_i10_racing_requests_keep_one_file(buyer: httpx.AsyncClient, shop: Shop) -> None:
    answers = await asyncio.gather(*(send(buyer, key="k1") for _ in range(2 * BODIES_MAX)))
    assert {answered.status_code for answered in answers} == {201}
    assert len({answered.content for answered in answers}) == 1
    assert len(shop.kept()) == 1


async def test_i10_a_request_that_was_cut_off_is_taken_up_by_its_repeat(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    await send(buyer, key="k1")
    await shop.db.execute("UPDATE media.file SET answer = NULL, state = 'UPLOADED'")
    for each in shop.objects.rglob("*"):
        each.unlink()
    assert await shop.store().scan_waiting() == 0
    again = await send(buyer, key="k1")
    assert (again.status_code, again.json()["state"]) == (201, "CLEAN")
    assert "Idempotent-Replayed" not in again.headers
    assert len(shop.kept()) == 1


async def test_a_post_needs_a_key_a_purpose_and_a_role(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    headers = {"Content-Type": "image/jpeg"}
    missing = await buyer.post(f"{PATH}?purpose=REVIEW", content=JPEG, headers=headers)
    assert refusal(missing) == (400, "idempotency-key-missing")
    for query in ("", "purpose=FUN"):
        assert refusal(await send(buyer, query=query)) == (422, "invalid-value")
    async with shop.client("M1", "MODERATOR") as moderator:
        assert refusal(await send(moderator)) == (403, "role-not-allowed")


async def test_a_name_is_one_line_and_has_a_length(buyer: httpx.AsyncClient) -> None:
    longest = quote("ü" * NAME_LENGTH_MAX)
    for good in (longest, quote("👩\u200d🔧 à\u00a0l\u2019œuvre \U0001fae9.jpg")):
        assert (await send(buyer, File_Name=good)).status_code == 201
    for wrong in (longest + "x", "a%0Ab", "", "%00", quote("gpj.\u202eexe"), quote("\u2800")):
        assert refusal(await send(buyer, File_Name=wrong)) == (422, "invalid-value")


async def test_a_file_is_seen_by_its_owner_and_staff_alone(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = await sent(buyer)
    for role in ("MODERATOR", "AGENT", "SENIOR", "ANALYST", "AUDITOR"):
        async with shop.client("X1", role) as staff:
            assert (await staff.get(f"{PATH}/{media_id}")).status_code == 200
            assert (await link_to(staff, media_id)).status_code == 201
    for other in (("B2", "BUYER"), ("B1", "SELLER")):
        async with shop.client(*other) as client:
            assert refusal(await client.get(f"{PATH}/{media_id}")) == (404, "not-found")
            assert refusal(await link_to(client, media_id)) == (404, "not-found")
    assert refusal(await buyer.get(f"{PATH}/{uuid4()}")) == (404, "not-found")


async def test_who_buys_and_sells_says_as_which_he_sends(shop: Shop) -> None:
    async with shop.client("B1", "BUYER", "SELLER") as both:
        for query, owner in (("", "buyer:B1"), ("&role=SELLER", "seller:B1")):
            answered = await send(both, query=f"purpose=REVIEW{query}")
            media_id = answered.json()["media_id"]
            assert [
                each.owner for each in await shop.store().clean(owner, [media_id], "REVIEW")
            ] == [owner]
            assert (await both.get(f"{PATH}/{media_id}")).status_code == 200
    async with shop.client("B1", "BUYER") as buyer:
        refused = await send(buyer, query="purpose=REVIEW&role=SELLER")
        assert refusal(refused) == (403, "role-not-allowed")


async def test_a_link_is_good_for_five_minutes(buyer: httpx.AsyncClient, shop: Shop) -> None:
    link = (await link_to(buyer, await sent(buyer))).json()
    assert link["expires_at"] == "2026-01-15T12:05:00Z"
    shop.clock.advance(LINK_LIFETIME - timedelta(microseconds=1))
    assert (await buyer.get(link["url"])).status_code == 200
    shop.clock.advance(timedelta(microseconds=1))
    assert refusal(await buyer.get(link["url"])) == (410, "link-expired")


async def test_a_link_is_for_one_file_and_cannot_be_altered(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    one, other = await sent(buyer), await sent(buyer)
    url: str = (await link_to(buyer, one)).json()["url"]
    query: str = urlsplit(url).query
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    forged = Links(b"another key", shop.clock).url(one)
    for wrong in (
        f"/media/{other}?{query}",
        f"/media/{one}?expires={int(expires) + 60}&signature={signature}",
        f"/media/{one}?expires={expires}&signature={flipped}",
        f"/media/{one}?expires={expires}&signature=",
        f"/media/{one}?expires={expires}&signature=%C3%BC",
        forged,
        shop.links.url(str(uuid4())),
    ):
        assert refusal(await buyer.get(wrong)) == (404, "not-found")
    for wrong in (f"/media/{one}", f"/media/{one}?expires=x&signature={signature}"):
        assert refusal(await buyer.get(wrong)) == (422, "invalid-value")
    assert (await buyer.get(url)).status_code == 200


async def test_only_clean_files_of_ones_own_can_be_used(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    store = shop.store()
    one, two = await sent(buyer), await sent(buyer, PNG, "image/png")
    files = await store.clean(OWNER, [two, one], "REVIEW")
    assert [(file.media_id, file.content_type) for file in files] == [
        (two, "image/png"),
        (one, "image/jpeg"),
    ]
    assert await store.clean(OWNER, [], "REVIEW") == []
    await shop.db.execute("UPDATE media.file SET state = 'UPLOADED' WHERE media_id = $1", two)
    cases: list[tuple[str, list[str], Purpose, list[str]]] = [
        (OWNER, [one, two], "REVIEW", ["media[1]"]),
        (OWNER, [str(uuid4()), one], "REVIEW", ["media[0]"]),
        ("seller:S1", [one, two], "REVIEW", ["media[0]", "media[1]"]),
        (OWNER, [one], "EVIDENCE", ["media[0]"]),
        (OWNER, [one, one], "REVIEW", ["media"]),
    ]
    for owner, wanted, purpose, wrong in cases:
        with pytest.raises(InvalidValue) as refused:
            await store.clean(owner, wanted, purpose)
        assert [error.field for error in refused.value.errors] == wrong
    with pytest.raises(InvalidValue):
        await store.refer([two])
    assert refusal(await link_to(buyer, two)) == (409, "wrong-state")
    assert refusal(await buyer.get(shop.links.url(two))) == (404, "not-found")


async def test_what_nothing_refers_to_is_gone_after_a_day(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    store = shop.store()
    needed, other = await sent(buyer), await sent(buyer)
    await store.refer([needed])
    shop.clock.advance(UNREFERENCED_LIFETIME - timedelta(microseconds=1))
    await store.purge()
    assert (await buyer.get(f"{PATH}/{other}")).status_code == 200
    shop.clock.advance(timedelta(microseconds=1))
    await store.purge()
    assert refusal(await buyer.get(f"{PATH}/{other}")) == (404, "not-found")
    assert (await buyer.get(f"{PATH}/{needed}")).status_code == 200
    assert len(shop.kept()) == 1
    assert await shop.db.fetchval("SELECT count(*) FROM media.file") == 1
    with pytest.raises(InvalidValue):
        await store.refer([needed, other])


async def test_a_worker_whose_clock_is_days_ahead_deletes_nothing_of_today(
    shop: Shop,
) -> None:
    shop.clock.at, shop.skew_max = system_clock() + 3 * UNREFERENCED_LIFETIME, SKEW_MAX
    store = shop.store()
    upload = Upload(
        media_id=str(uuid4()),
        owner=OWNER,
        purpose="REVIEW",
        content_type="image/jpeg",
        data=JPEG,
        name=None,
    )
    await store.upload(upload)
    await store.purge()
    (file,) = await store.clean(OWNER, [upload.media_id], "REVIEW")
    assert abs(file.uploaded_at - system_clock()) < timedelta(hours=1)
    assert len(shop.kept()) == 1


async def test_a_file_is_referred_to_in_the_transaction_that_needs_it(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = await sent(buyer)
    with suppress(ZeroDivisionError):
        async with shop.db.acquire() as connection, connection.transaction():
            await shop.store().refer([media_id], connection)
            raise ZeroDivisionError
    assert await shop.db.fetchval("SELECT referenced_at FROM media.file") is None


async def test_one_has_only_so_many_files_that_nothing_refers_to(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    for _ in range(UNREFERENCED_MAX - 1):
        await sent(buyer)
    last = await sent(buyer)
    refused = await send(buyer)
    assert (refusal(refused), refused.json()["limit"]) == ((409, "limit-reached"), UNREFERENCED_MAX)
    async with shop.client("B2") as other:
        await sent(other)
    await shop.store().refer([last])
    await sent(buyer)


async def test_erasure_deletes_a_persons_files_and_rows(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    store = shop.store()
    one, two = await sent(buyer), await sent(buyer)
    await store.refer([one])
    async with shop.client("B2") as other:
        theirs = await sent(other)
        url = shop.links.url(one)
        await shop.keys.destroy(OWNER)
        assert refusal(await buyer.get(url)) == (410, "subject-erased")
        for _ in range(2):
            await store.delete_of(OWNER)
        assert len(shop.kept()) == 1
        rows = await shop.db.fetch("SELECT media_id FROM media.file")
        assert [row["media_id"] for row in rows] == [theirs]
        assert (await other.get(shop.links.url(theirs))).status_code == 200
    for media_id in (one, two):
        assert refusal(await buyer.get(f"{PATH}/{media_id}")) == (404, "not-found")
    assert refusal(await buyer.get(url)) == (404, "not-found")
    assert refusal(await send(buyer)) == (410, "subject-erased")
    assert len(shop.kept()) == 1


async def test_erasure_in_a_transaction_hides_at_once_and_deletes_with_the_next_purge(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = (await send(buyer, File_Name="me.jpg")).json()["media_id"]
    store = shop.store()
    async with shop.db.acquire() as connection, connection.transaction():
        await store.delete_of(OWNER, connection)
        assert (await buyer.get(f"{PATH}/{media_id}")).status_code == 200
    assert refusal(await buyer.get(f"{PATH}/{media_id}")) == (404, "not-found")
    assert await shop.db.fetchval("SELECT sealed_name FROM media.file") is None
    await store.purge()
    assert shop.kept() == []
    assert await shop.db.fetchval("SELECT count(*) FROM media.file") == 0


async def test_clamav_is_asked_and_what_it_finds_is_refused(shop: Shop, clamd: Clamd) -> None:
    shop.scanner = scanner_at(f"127.0.0.1:{clamd.port}", shop.decoding)
    async with shop.client() as buyer:
        await sent(buyer)
        assert len(clamd.scanned) == 1
        assert hashlib.sha256(clamd.scanned[0]).hexdigest() == await shop.db.fetchval(
            "SELECT sha256 FROM media.file"
        )
        clamd.reply = b"stream: Win.Test.EICAR_HDB-1 FOUND\x00"
        refused = await send(buyer)
        assert told(refused) == (422, "invalid-file", "MALWARE")
        assert told(await send(buyer, JPEG[:-9]))[2] == "TRUNCATED"
    assert len(clamd.scanned) == 2
    assert len(shop.kept()) == 1


async def test_clamav_gets_a_large_file_in_chunks(clamd: Clamd) -> None:
    data = bytes(range(256)) * 4096 + EICAR
    verdict = await ClamdScanner("127.0.0.1", clamd.port).scan(data)
    assert clamd.scanned == [data]
    assert str(verdict) == "Rejected(reason='MALWARE')"


@pytest.mark.parametrize(
    "reply", [None, b"INSTREAM size limit exceeded. ERROR\x00", b"what?\x00", b"x" * 9000]
)
async def test_while_nobody_can_scan_a_file_waits_and_is_then_decided(
    shop: Shop, clamd: Clamd, reply: bytes | None
) -> None:
    shop.scanner = scanner_at(f"127.0.0.1:{clamd.port}", shop.decoding)
    store = shop.store()
    if reply is None:
        await clamd.stop()
    clamd.reply = reply
    async with shop.client() as buyer:
        good = await send(buyer, key="k1")
        bad = await sent(buyer)
        assert good.json()["state"] == "UPLOADED"
        assert refusal(await link_to(buyer, bad)) == (409, "wrong-state")
        assert await store.scan_waiting() == 0
        clamd.reply = None
        if reply is None:
            await clamd.start()
        await shop.db.execute(
            "UPDATE media.file SET uploaded_at = uploaded_at + interval '1 s' WHERE media_id = $1",
            bad,
        )
        assert len(shop.kept()) == 2
        first = good.json()["media_id"]
        assert await store.scan_waiting() == 2
        assert (await buyer.get(f"{PATH}/{first}")).json()["state"] == "CLEAN"
        assert (await send(buyer, key="k1")).content == good.content
        await shop.db.execute("UPDATE media.file SET state = 'UPLOADED' WHERE media_id = $1", bad)
        clamd.reply = b"stream: Found.It FOUND\x00"
        assert await store.scan_waiting() == 1
        rejected = (await buyer.get(f"{PATH}/{bad}")).json()
        assert (rejected["state"], rejected["reason"]) == ("REJECTED", "MALWARE")
        assert refusal(await link_to(buyer, bad)) == (409, "wrong-state")
        assert len(shop.kept()) == 1


async def test_a_worker_scans_and_purges_until_it_is_told_to_end(shop: Shop, clamd: Clamd) -> None:
    shop.scanner = ClamdScanner("127.0.0.1", clamd.port)
    await clamd.stop()
    async with shop.client() as buyer:
        media_id = await sent(buyer)
        await clamd.start()
        stop = asyncio.Event()
        tasks = [asyncio.create_task(task(stop)) for task in media_tasks(shop.store())]
        async with asyncio.timeout(10):
            while (await buyer.get(f"{PATH}/{media_id}")).json()["state"] != "CLEAN":
                pass
        stop.set()
        await asyncio.gather(*tasks)


async def test_a_file_that_was_damaged_in_the_storage_is_rejected_and_holds_up_no_other(
    shop: Shop, clamd: Clamd
) -> None:
    shop.scanner = scanner_at(f"127.0.0.1:{clamd.port}", shop.decoding)
    await clamd.stop()
    async with shop.client() as buyer:
        damaged = await sent(buyer)
        shop.damage()
        shop.clock.advance(timedelta(seconds=1))
        sound = await sent(buyer)
        await clamd.start()
        assert await shop.store().scan_waiting() == 2
        told = (await buyer.get(f"{PATH}/{damaged}")).json()
        assert (told["state"], told["reason"]) == ("REJECTED", "DOES_NOT_OPEN")
        assert (await buyer.get(f"{PATH}/{sound}")).json()["state"] == "CLEAN"
        assert len(shop.kept()) == 1


async def test_a_file_that_was_damaged_since_it_was_scanned_is_not_there(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = (await send(buyer, File_Name="me.jpg")).json()["media_id"]
    shop.damage()
    assert refusal(await buyer.get(shop.links.url(media_id))) == (404, "not-found")
    await shop.db.execute("UPDATE media.file SET sealed_name = 'altered'")
    assert "name" not in (await buyer.get(f"{PATH}/{media_id}")).json()


async def test_a_file_that_came_while_its_owner_was_erased_is_dropped(
    shop: Shop, clamd: Clamd
) -> None:
    shop.scanner = scanner_at(f"127.0.0.1:{clamd.port}", shop.decoding)
    await clamd.stop()
    async with shop.client() as buyer:
        await sent(buyer)
    await clamd.start()
    await shop.keys.destroy(OWNER)
    assert await shop.store().scan_waiting() == 0
    assert shop.kept() == []


# --- Slow lines


async def stuck() -> AsyncIterator[bytes]:
    """A body of which no more comes."""
    yield JPEG[:100]
    await asyncio.Event().wait()


@asynccontextmanager
async def sending_nothing_more(*clients: httpx.AsyncClient) -> AsyncGenerator[None]:
    """An upload of each, which never comes to its end."""
    begun = asyncio.Semaphore(0)

    async def body() -> AsyncIterator[bytes]:
        begun.release()
        async for part in stuck():
            yield part

    sending = [asyncio.create_task(send(client, body())) for client in clients]
    async with asyncio.timeout(20):  # who is not let in begins nothing
        for _ in sending:
            await begun.acquire()
    yield
    for each in sending:
        each.cancel()
    await asyncio.wait(sending)


async def test_one_who_sends_slowly_takes_no_place_of_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    app = shop.app()
    async with shop.client("B1", app=app) as slow, shop.client("B2", app=app) as other:
        async with sending_nothing_more(*[slow] * UPLOADS_OF_ONE_MAX):
            assert refusal(await send(slow)) == (503, "unavailable")
            for _ in range(BODIES_MAX + 1):
                assert (await send(other)).status_code == 201
        assert (await send(slow)).status_code == 201


async def test_many_who_send_slowly_keep_nothing_in_memory_that_others_need(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(media_api, "LINES_MAX", BODIES_MAX + 2)
    app = shop.app()
    async with AsyncExitStack() as opened:
        slow = [
            await opened.enter_async_context(shop.client(f"B{n}", app=app))
            for n in range(2, BODIES_MAX + 4)
        ]
        buyer = await opened.enter_async_context(shop.client(app=app))
        async with sending_nothing_more(*slow[1:]):
            assert (await send(buyer)).status_code == 201
            async with sending_nothing_more(slow[0]):
                assert refusal(await send(buyer)) == (503, "unavailable")


async def test_who_announces_more_than_is_left_on_disk_waits_and_others_do_not(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(media_api, "SPOOLED_BYTES_MAX", IMAGE_BYTES_MAX + len(JPEG))
    app = shop.app()
    async with (
        shop.client("B1", app=app) as slow,
        shop.client("B2", app=app) as other,
        sending_nothing_more(slow),  # how much, it does not say: it may be the most
    ):
        assert (await send(other)).status_code == 201
        assert refusal(await send(other, JPEG + b"\x00")) == (503, "unavailable")


async def test_one_who_announces_all_that_one_may_have_on_disk_leaves_the_rest_to_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(media_api, "UPLOADED_BYTES_OF_ONE_MAX", IMAGE_BYTES_MAX)
    app = shop.app()
    async with shop.client("B1", app=app) as slow, shop.client("B2", app=app) as other:
        async with sending_nothing_more(slow):
            assert refusal(await send(slow)) == (503, "unavailable")
            assert (await send(other)).status_code == 201
        assert (await send(slow)).status_code == 201


@pytest.mark.parametrize(
    ("files", "size"),
    [(BODIES_OF_ONE_MAX, 1), (1, BODIES_BYTES_OF_ONE_MAX)],
    ids=["files", "bytes"],
)
async def test_one_has_so_many_files_in_memory_and_so_much_of_it_and_no_more(
    monkeypatch: pytest.MonkeyPatch, files: int, size: int
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.05)
    ways = Ways(UPLOADS_OF_ONE_MAX, UPLOADED_BYTES_OF_ONE_MAX)
    async with AsyncExitStack() as held:
        for _ in range(files):
            await held.enter_async_context(ways.body("B1", size))
        with pytest.raises(Unavailable):
            await held.enter_async_context(ways.body("B1", 1))
        await held.enter_async_context(ways.body("B2", 1))
    async with ways.body("B1", size):
        pass


async def test_a_file_that_finds_no_room_in_memory_is_not_taken(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(media_api, "BODIES_BYTES_MAX", len(JPEG))
    async with shop.client() as buyer:
        assert (await send(buyer)).status_code == 201
        assert refusal(await send(buyer, LARGE_PNG, "image/png")) == (503, "unavailable")


async def test_who_sends_more_slowly_than_a_line_may_be_is_given_up(
    buyer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "GRACE_SECONDS", 0.5)
    assert refusal(await send(buyer, stuck())) == (503, "unavailable")

    async def slowly() -> AsyncIterator[bytes]:
        """Longer than the grace, but at a rate that will do."""
        for begin in range(0, len(LARGE_PNG), SLOW_BYTES):
            yield LARGE_PNG[begin : begin + SLOW_BYTES]
            await asyncio.sleep(SLOW_BYTES / BYTES_PER_SECOND_MIN / 2)

    assert len(LARGE_PNG) / BYTES_PER_SECOND_MIN / 2 > 1
    assert (await send(buyer, slowly(), "image/png")).status_code == 201


class Reader:
    """Whoever downloads by a link and reads no more than the head of the answer."""

    def __init__(self, app: FastAPI, url: str) -> None:
        split = urlsplit(url)
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": split.path,
            "raw_path": split.path.encode(),
            "query_string": split.query.encode(),
            "headers": [],
        }
        self._reads = asyncio.Event()
        self.status = 0
        self.begun = asyncio.Event()
        self.task = asyncio.create_task(app(self._scope, self._nothing, self._answered))

    async def _nothing(self) -> Message:
        return await asyncio.Future()

    async def _answered(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self.begun.set()
            await self._reads.wait()


async def test_who_does_not_read_takes_no_place_of_others_and_is_cut_off(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_api, "PATIENCE_SECONDS", 0.2)
    app = shop.app()
    async with shop.client(app=app) as buyer, shop.client("B2", app=app) as other:
        url, others = shop.links.url(await sent(buyer)), shop.links.url(await sent(other))
        readers = [Reader(app, url) for _ in range(DOWNLOADS_OF_ONE_MAX)]
        for reader in readers:
            await reader.begun.wait()
        assert DOWNLOADS_OF_ONE_MAX > BODIES_MAX
        assert refusal(await buyer.get(url)) == (503, "unavailable")
        assert (await buyer.get(others)).status_code == 200
        for reader in readers:
            reader.task.cancel()
        await asyncio.wait([reader.task for reader in readers])
        monkeypatch.setattr(media_api, "GRACE_SECONDS", 0.2)
        late = Reader(app, url)
        with pytest.raises(TimeoutError):  # the server cuts the line: half an answer is out
            await asyncio.wait_for(late.task, 10)
        assert late.status == 200
        assert (await buyer.get(url)).status_code == 200


async def test_a_socket_that_is_not_read_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel takes in by itself counts as read: so the file is a large one."""
    monkeypatch.setattr(media_api, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(media_api, "BYTES_PER_SECOND_MIN", VIDEO_BYTES_MAX)
    monkeypatch.setattr(media_api, "LINES_MAX", 1)
    ways = Ways(1, VIDEO_BYTES_MAX)
    content = bytes(VIDEO_BYTES_MAX)

    async def loaded() -> bytes:
        return content

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        file = MediaFile(
            media_id="M1",
            owner=OWNER,
            purpose="REVIEW",
            state="CLEAN",
            reason=None,
            content_type="video/mp4",
            size=len(content),
            sha256="",
            width=None,
            height=None,
            sealed_name=None,
            object="",
            uploaded_at=datetime(2026, 1, 15, tzinfo=UTC),
            decided_at=None,
        )
        await Download(ways, file, loaded)(scope, receive, send)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=port, stop=stop))
    retries = httpx.AsyncHTTPTransport(retries=5)
    async with httpx.AsyncClient(
        transport=retries, base_url=f"http://127.0.0.1:{port}", timeout=20
    ) as client:
        assert len((await client.get("/")).content) == VIDEO_BYTES_MAX
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        await reader.readuntil(b"\r\n")
        assert len((await client.get("/")).content) == VIDEO_BYTES_MAX
        with suppress(ConnectionError):
            assert len(await reader.read()) < VIDEO_BYTES_MAX
        writer.close()
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_what_waits_on_disk_is_whole_and_cannot_be_read_there() -> None:
    data = bytes(range(256)) * 8192
    with Spool() as spool:
        for begin in range(0, len(data), 50_000):
            await spool.write(data[begin : begin + 50_000])
        assert spool.size == len(data)
        spool.file.seek(0)
        kept = spool.file.read()
        assert len(kept) == len(data)
        assert bytes(range(64)) not in kept
        await spool.rewind()
        read = b""
        while part := await spool.read(70_000):
            read += part
        assert read == data


async def test_while_the_storage_is_away_nothing_is_taken(
    buyer: httpx.AsyncClient, shop: Shop
) -> None:
    media_id = await sent(buyer)
    aside = shop.folder / "aside"
    shop.objects.rename(aside)
    shop.objects.write_text("not a folder")
    assert refusal(await send(buyer, key="k1")) == (503, "unavailable")
    shop.objects.unlink()
    aside.rename(shop.objects)
    assert (await send(buyer, key="k1")).json()["state"] == "CLEAN"
    assert (await buyer.get(shop.links.url(media_id))).status_code == 200


class Bucket(BaseHTTPRequestHandler):
    """A service like S3 that is not one: it keeps what it is sent, whoever asks."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        assert "Credential=us/" in self.headers["Authorization"]
        self.kept[self.path] = self._body()
        self._answer(200, b"")

    def do_GET(self) -> None:
        found = self.kept.get(self.path)
        self._answer(404 if found is None else 200, found or b"")

    def do_POST(self) -> None:
        """DeleteObjects, of one."""
        key = self._body().partition(b"<Key>")[2].partition(b"</Key>")[0]
        self.kept.pop(f"/files/{key.decode()}", None)
        told = b"<DeleteResult><Deleted><Key>%b</Key></Deleted></DeleteResult>" % key
        self._answer(200, told)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 15 Jan 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def test_files_can_be_kept_in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "REGION": "eu-central-1",
        "ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    told = settings(media_access_key_id="us", media_secret_access_key=SecretStr("hidden"))
    assert told.media_access is not None
    assert "hidden" not in f"{told!r} {told.media_access!r}"
    objects = objects_at("s3://files/of-us", told.media_access)
    large = bytes(VIDEO_BYTES_MAX)
    await objects.put("one", large)
    assert Bucket.kept == {"/files/of-us/one": large}
    assert await objects.get("one") == large
    assert await objects.get("two") is None
    await objects.delete(["one", "two"])
    assert Bucket.kept == {}
    server.shutdown()
    server.server_close()


async def test_every_refusal_is_in_the_openapi_document(buyer: httpx.AsyncClient) -> None:
    paths = (await buyer.get("/openapi.json")).json()["paths"]
    upload = paths[PATH]["post"]
    assert set(upload["requestBody"]["content"]) >= {"image/jpeg", "video/webm"}
    examples = {
        slug: example["value"]
        for response in upload["responses"].values()
        for slug, example in response["content"]
        .get("application/problem+json", {"examples": {}})["examples"]
        .items()
    }
    assert {"file-too-large", "invalid-file", "limit-reached", "subject-erased"} <= set(examples)
    assert "WebP" in examples["unsupported-media-type"]["detail"]
    download = paths["/media/{media_id}"]["get"]
    assert {"404", "410", "422"} <= set(download["responses"])
    assert {each["name"] for each in download["parameters"]} == {
        "media_id",
        "expires",
        "signature",
    }


def test_a_route_with_a_signature_is_outside_of_what_needs_a_token(shop: Shop) -> None:
    router = Router("/v1/x", dependencies=[Depends(LinkRequired(shop.links))])

    @router.get("/{media_id}")
    async def both(media_id: str) -> str:
        return media_id

    async def ready() -> None: ...

    verifier = Verifier("file:///none", issuer="i", audience="a", now=system_clock)
    with pytest.raises(ValueError, match="token"):
        service_app(title="x", version="1", routers=[router], verifier=verifier, ready=ready)


def settings(**told: object) -> MediaSettings:
    known = {
        "database_url": "postgres://app@db/review",
        "kafka": "broker:9092",
        "jwks_url": "https://issuer.example/jwks",
        "issuer": "https://issuer.example",
        "cursor_key": "k" * 32,
        "token_key": "t" * 32,
        "media_url": "s3://files",
        "media_key": "m" * 32,
    }
    return MediaSettings(**{**known, **told})  # type: ignore[arg-type]


def test_links_are_signed_by_a_key_of_their_own() -> None:
    assert settings().media_secret == b"m" * 32
    assert "m" * 32 not in repr(settings())
    local = settings(env="local", media_key=None, media_url="memory:///")
    assert local.media_secret == LOCAL_MEDIA_KEY.encode()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("media_key", None, "AFTERSALES_MEDIA_KEY"),
        ("media_key", "m" * 31, "AFTERSALES_MEDIA_KEY"),
        ("media_key", "", "AFTERSALES_MEDIA_KEY"),
        ("media_url", "memory:///", "AFTERSALES_MEDIA_URL"),
        ("media_url", "http://files", "AFTERSALES_MEDIA_URL"),
        ("clamd", "no port", "clamd"),
        ("media_access_key_id", "us", "AFTERSALES_MEDIA_SECRET_ACCESS_KEY"),
    ],
)
def test_unsafe_settings_are_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**{name: value})
