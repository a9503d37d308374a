"""A request to an address that a stranger has given in, the status of the answer out.

The name is looked up here, each address that it has is looked at, and the connection goes to one
that was looked at: a name that means another address a moment later gains nothing. TLS and Host are
of the name. A redirection is an answer like any other, and is not followed.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from typing import cast

import httpcore

from shared_runtime.reach import NotReached, Reach

ANSWER_SECONDS_MAX = 15.0
"""From the first look at a name to the last byte of the answer."""
ANSWER_BYTES_MAX = 16 * 1024
"""Of an answer so much is read, and nothing of it kept."""
CONNECT_SECONDS_MAX = 4.0
ADDRESSES_MAX = 3
"""So many addresses of a name are tried, each so long."""
LOOKUPS_MAX = 16

type Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port in, all addresses of the name out. Raises OSError."""


class Lookups:
    """Names looked up by the system, in threads of their own: one that hangs takes none of
    anybody else's.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, "lookup")

    async def __call__(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to an address that it has looked at, in the place of a name."""

    def __init__(self, reach: Reach, lookup: Lookup) -> None:
        self._reach = reach
        self._lookup = lookup
        # Its type is that of what stands for it where anyio is missing.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = [ip_address(each) for each in await self._lookup(host, port)]
        except (OSError, ValueError) as failure:
            raise NotReached("NAME_UNKNOWN") from failure
        # All of them: a name that means a place inside is not gone to by another address of it.
        if not found or not all(map(self._reach.may_go_to, found)):
            raise NotReached("ADDRESS_REFUSED")
        for address in found[:ADDRESSES_MAX]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(
                    str(address), port, CONNECT_SECONDS_MAX, local_address, socket_options
                )
        raise NotReached("NO_ANSWER")


class Outside:
    """Sends to addresses that strangers have given, each over a connection of its own.

    `trusted`: the authorities whose certificates are taken, else the system's.
    """

    def __init__(
        self,
        reach: Reach,
        lookup: Lookup | None = None,
        *,
        trusted: ssl.SSLContext | None = None,
        seconds: float = ANSWER_SECONDS_MAX,
    ) -> None:
        self._backend = _Checked(reach, lookup or Lookups())
        self._trusted = trusted or ssl.create_default_context()
        self._seconds = seconds

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that was answered. Raises `NotReached`."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                # Kept for nobody: the next time, the name is looked up again.
                httpcore.AsyncConnectionPool(
                    ssl_context=self._trusted,
                    max_connections=1,
                    max_keepalive_connections=0,
                    network_backend=self._backend,
                ) as connections,
                connections.stream(
                    "POST", url, headers=[*headers.items()], content=body
                ) as answered,
            ):
                await _read_some(answered)
                return answered.status
        except TimeoutError as failure:
            raise NotReached("TOO_SLOW") from failure
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            raise NotReached("NO_ANSWER") from failure


async def _read_some(answered: httpcore.Response) -> None:
    """What is longer is cut off."""
    taken = 0
    async for part in answered.aiter_stream():
        taken += len(part)
        if taken > ANSWER_BYTES_MAX:
            return
