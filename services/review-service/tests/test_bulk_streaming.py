"""An upload of any size, by a client that is slow, gone or cut off: real sockets."""

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from local_stack import issuer
from review_service.api.bulk import BATCH_LINES_MAX, NDJSON, PATH
from review_service.api.examples import LINE, line_of
from shared_runtime.connections import PatientProtocol
from shared_runtime.http import serve
from shared_runtime.testing import ManualClock
from structlog.testing import capture_logs

HOST = "127.0.0.1"
EVENTS_OF_A_LINE = 11
PADDING = b" " * 500
LINES = 10_000
GROWTH_BYTES_MAX = 4 * 1024 * 1024


def line(order_id: str) -> bytes:
    told = deepcopy(LINE)
    told["order"]["order_id"] = order_id
    return line_of(told).encode()


class Upload:
    """A client that sends and reads when the test says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def begin(self, token: str) -> None:
        head = [
            f"POST {PATH} HTTP/1.1",
            f"Host: {HOST}",
            f"Authorization: Bearer {token}",
            f"Content-Type: {NDJSON}",
            "Transfer-Encoding: chunked",
        ]
        self._writer.write("\r\n".join([*head, "", ""]).encode())
        await self._writer.drain()

    async def send(self, body: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def head(self) -> str:
        return (await self._reader.readuntil(b"\r\n\r\n")).decode()

    async def part(self) -> bytes:
        """The next chunk of the answer; empty at its end."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def answers(self) -> list[dict[str, Any]]:
        """All that is left of the answer."""
        told = b""
        while part := await self.part():
            told += part
        return [json.loads(each) for each in told.splitlines()]

    def vanish(self) -> None:
        """Without a word: the connection is reset."""
        self._writer.transport.abort()


@pytest.fixture
async def port(api: FastAPI, clock: ManualClock) -> AsyncGenerator[int]:
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    with socket.socket() as free:
        free.bind((HOST, 0))
        number: int = free.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(api, host=HOST, port=number, stop=stop))
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=5)) as client:
        assert (await client.get(f"http://{HOST}:{number}/livez")).is_success
    yield number
    stop.set()
    await serving


@asynccontextmanager
async def uploading(
    port: int, keys: Path, *, socket_bytes: int | None = None
) -> AsyncGenerator[Upload]:
    connection = socket.socket()
    if socket_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, socket_bytes)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, socket_bytes)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (HOST, port))
    reader, writer = await asyncio.open_connection(sock=connection)
    upload = Upload(reader, writer)
    await upload.begin(issuer.mint(keys, sub="olist", roles=["IMPORTER"]))
    yield upload
    writer.close()


async def recorded(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM es.event")
    return count


async def test_a_line_is_answered_while_the_upload_goes_on(port: int, keys: Path) -> None:
    async with uploading(port, keys) as upload:
        for n in range(3):
            text = line(f"O{n}")
            await upload.send(text[:100])
            await upload.send(text[100:])
            if n == 0:
                head = await upload.head()
                assert head.startswith("HTTP/1.1 200 ")
                assert f"content-type: {NDJSON}" in head
            answer = json.loads(await upload.part())
            assert (answer["line"], answer["order"]) == (n + 1, "accepted")
        await upload.end()
        (summary,) = await upload.answers()
        assert summary["summary"]["lines"] == 3


async def test_an_upload_that_is_cut_off_has_done_its_whole_lines(
    port: int, keys: Path, pool: asyncpg.Pool
) -> None:
    text = b"".join(line(f"O{n}") for n in range(5))
    async with uploading(port, keys) as upload:
        await upload.send(text[:-40])
        await upload.head()
        assert (await upload.part()).count(b'"order":"accepted"') == 4
        upload.vanish()
    assert await recorded(pool) == 4 * EVENTS_OF_A_LINE
    async with uploading(port, keys) as again:
        await again.send(text)
        await again.end()
        await again.head()
        *answers, summary = await again.answers()
    assert [answer["order"] for answer in answers] == ["unchanged"] * 4 + ["accepted"]
    assert summary["summary"]["events"] == EVENTS_OF_A_LINE


async def test_a_client_that_is_gone_is_forgotten(
    port: int, keys: Path, pool: asyncpg.Pool
) -> None:
    """What was answered is recorded, the rest goes nowhere, and the next one is served."""
    async with uploading(port, keys) as upload:
        await upload.send(line("O0"))
        await upload.head()
        await upload.part()
        await upload.send(b"".join(line(f"O{n}") for n in range(1, BATCH_LINES_MAX)))
        upload.vanish()
    async with uploading(port, keys) as other:
        await other.send(line("other"))
        await other.end()
        await other.head()
        answer, _ = await other.answers()
        assert answer["order"] == "accepted"
    assert await recorded(pool) >= 2 * EVENTS_OF_A_LINE


async def test_memory_does_not_grow_with_the_upload(
    port: int, keys: Path, pool: asyncpg.Pool
) -> None:
    """Most lines are refused at sight, so that the test is quick; others when they are decided."""
    at_sight = line("O").replace(b'"quantity":2', b'"quantity":"2"').strip() + PADDING + b"\n"
    decided = line("O").replace(b'"amount":10680', b'"amount":10681')

    async def send(upload: Upload) -> None:
        for n in range(0, LINES, 100):
            await upload.send(line(f"O{n}") + 24 * decided + 75 * at_sight)
        await upload.end()

    tracemalloc.start()
    try:
        async with uploading(port, keys) as upload, asyncio.TaskGroup() as sending:
            sending.create_task(send(upload))
            await upload.head()
            before, last = tracemalloc.get_traced_memory()[0], b""
            while part := await upload.part():
                last = part
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    summary = json.loads(last.splitlines()[-1])["summary"]
    taken = LINES // 100
    assert summary["lines"] == LINES
    assert summary["orders"] == {"accepted": taken, "unchanged": 0, "refused": 99 * taken}
    assert await recorded(pool) == summary["events"] == taken * EVENTS_OF_A_LINE
    assert peak - before < GROWTH_BYTES_MAX < LINES * len(decided)


async def test_who_does_not_read_is_made_to_wait_and_loses_nothing(port: int, keys: Path) -> None:
    """A line that is none is refused with about as much: the answers pile up."""
    lines = 30_000
    text = b"x" * 199 + b"\n"

    async def send(upload: Upload) -> None:
        for _ in range(0, lines, 1000):
            await upload.send(text * 1000)
        await upload.end()

    async with (
        uploading(port, keys, socket_bytes=16 * 1024) as upload,
        asyncio.TaskGroup() as sending,
    ):
        sent = sending.create_task(send(upload))
        await asyncio.wait({sent}, timeout=1)
        assert not sent.done()
        await upload.head()
        answered = 0
        while part := await upload.part():
            answered += part.count(b"\n")
        assert answered == lines + 1


async def test_a_client_that_sends_and_never_reads_is_cut_off(
    port: int, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its upload stands still, because its answers do; and is forgotten."""
    monkeypatch.setattr(PatientProtocol, "unread_seconds", 0.2)

    async def send(upload: Upload) -> None:
        while True:
            await upload.send(b"no line\n" * 10_000)

    with capture_logs() as logged:
        async with uploading(port, keys, socket_bytes=4096) as upload, asyncio.timeout(30):
            with pytest.raises(ConnectionError):
                await send(upload)
            while "request" not in {each["event"] for each in logged}:  # noqa: ASYNC110 - its end
                await asyncio.sleep(0.01)
    told = [each["event"] for each in logged]
    assert told.index("client does not read") < told.index("client went away")
