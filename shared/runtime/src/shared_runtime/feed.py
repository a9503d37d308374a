"""A topic and a position in, what the log of its service has from there on out.

Kafka distributes, and may forget: what a topic does not have any more is asked of the service that
has recorded it, where its address is configured.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Struct

from shared_runtime.delivery import Delivery, Epoch, Place

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS_MAX = 10.0
ANSWER_BYTES_MAX = 32 * 1024 * 1024
"""A page is a thirtieth of that, unless one event alone is larger."""


class LoggedEvent(Struct, frozen=True, kw_only=True):
    """`body`: the CloudEvent as it was recorded; its UTF-8 bytes are what was hashed.
    `chain_hash`: the hex of SHA-256(chain hash of the position before, SHA-256(0x00, body)), which
    begins with 32 zero bytes.
    """

    position: int
    chain_hash: str
    body: str


class LogPage(Struct, frozen=True, kw_only=True):
    """`head`: how far the partition goes. The next page begins behind the last of `events`; there
    are none beyond the end.
    """

    topic: str
    partition: int
    epoch: str
    epoch_from: int
    head: int
    events: list[LoggedEvent]


class SourceUnreachable(OSError):  # noqa: N818 - a state of the world
    """The service that has recorded a topic does not give what it has. The message says why."""


class LogFeed:
    """Reads the logs of other services. `urls`: where the API is of the service that writes a
    topic, by topic. `token_file`: what proves who is asking, read for each request: whoever makes
    it may renew it.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        token_file: Path,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self._urls = urls
        self._token_file = token_file
        self._transport = transport

    def has(self, topic: str) -> bool:
        return topic in self._urls

    async def after(self, place: Place, position: int) -> list[Delivery]:
        """The next events behind a position: a page of them; none at the end of the log.

        Raises `SourceUnreachable`.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                told = await self._ask(place, position + 1)
            page = msgspec.json.decode(told, type=LogPage)
            epoch = Epoch(id=UUID(page.epoch), since=page.epoch_from)
            return [
                Delivery(
                    topic=place[0],
                    partition=place[1],
                    position=event.position,
                    body=event.body.encode(),
                    chain_hash=bytes.fromhex(event.chain_hash),
                    epoch=epoch,
                )
                for event in page.events
            ]
        except (OSError, TimeoutError, ValueError) as failure:
            raise SourceUnreachable(f"{type(failure).__name__}: {failure}") from failure

    async def _ask(self, place: Place, first: int) -> bytes:
        """The answer's body. Raises OSError, and ValueError for what is no page."""
        import httpx  # noqa: PLC0415 - a tenth of a worker's start, and most never ask

        topic, partition = place
        token = self._token_file.read_text().strip()
        url = f"{self._urls[topic].rstrip('/')}/v1/log/{quote(topic, safe='')}/{partition}"
        body = bytearray()
        asked = {"from": first}
        # Near by, to be compressed costs more time than the line does.
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        try:
            # A client for each: this is asked once in a long while.
            async with (
                httpx.AsyncClient(transport=self._transport, timeout=ANSWER_SECONDS_MAX) as web,
                web.stream("GET", url, params=asked, headers=headers) as answer,
            ):
                if answer.status_code != HTTPStatus.OK:
                    raise ValueError(f"{url} answers {answer.status_code}")
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX:
                        raise ValueError(f"{url} answers more than {ANSWER_BYTES_MAX} bytes")
        except httpx.HTTPError as failure:
            raise OSError(f"{url}: {type(failure).__name__}: {failure}") from failure
        return bytes(body)
