"""What measurements share: waiting for others, and how long the slow ones took."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import asyncpg

LOOK_SECONDS = 0.2


async def until(db: asyncpg.Connection, counted: str, wanted: int, *values: object) -> None:
    """Other processes are at work, and nothing tells when they have done it."""
    while await db.fetchval(counted, *values) < wanted:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


@dataclass(frozen=True, slots=True)
class Line:
    """A connection that is kept, for requests that are known beforehand to the last byte.

    Who measures how many a service takes is in its way as little as he can be: a client that can do
    everything takes as much of the processor for a request as the service does.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, url: str) -> Self:
        to = urlsplit(url)
        return cls(*await asyncio.open_connection(to.hostname, to.port))

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        return await self._ask("POST", path, headers, body)

    async def get(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        return await self._ask("GET", path, headers, b"")

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        told = {"host": "bench", "content-length": str(len(body)), **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, _, rest = head.partition("\r\n")
        answered = dict(line.split(": ", 1) for line in rest.split("\r\n") if line)
        length = int(answered["content-length"])
        return int(status.split()[1]), await self.reader.readexactly(length)

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()
