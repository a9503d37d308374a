"""Connections in, requests out, as uvicorn makes them; but none that is held open for nothing.

uvicorn waits for ever for the end of a head, and for a body that is announced and that nobody
reads any more. Whoever opens connections and says little on each would have them all.
"""

import asyncio
from typing import Any, override

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS_MAX = 10.0
"""From the opening of a connection, or the first byte of a next request, to the end of its head;
and from an answer to the end of a body that it did not wait for."""
HEAD_BYTES_MAX = 64 * 1024
"""Of a head that is not complete; one that arrives whole may have a little more."""
KEEP_ALIVE_SECONDS = 5
"""How long a connection without a request stays open."""


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection on which nothing becomes complete."""

    head_seconds = HEAD_SECONDS_MAX

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._awaited: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._await_no_more()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self.send_400_response("The head of the request is too large.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._await()

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        self._await_no_more()
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._await_no_more()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._await()

    def _await(self) -> None:
        if self._awaited is None:
            self._awaited = self.loop.call_later(self.head_seconds, self._give_up)

    def _await_no_more(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _give_up(self) -> None:
        self._awaited = None
        self.transport.close()
