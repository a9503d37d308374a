"""Connections in, requests out, as uvicorn makes them; but none that is held open for nothing.

uvicorn waits for ever for the end of a head, for a body that is announced and that nobody reads any
more, and for a client to read what it is answered. Whoever opens connections and says little on
each, or reads nothing, would have them all.
"""

import asyncio
import math
from typing import Any, override

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS_MAX = 10.0
"""From the opening of a connection, or the first byte of a next request, to the end of its head;
and from an answer to the end of a body that it did not wait for."""
HEAD_BYTES_MAX = 64 * 1024
"""Of a head that is not complete; one that arrives whole may have a little more."""
KEEP_ALIVE_SECONDS = 5
"""How long a connection without a request stays open."""
UNREAD_SECONDS_MAX = 60.0
"""How long an answer is waited with for somebody who does not read: from the first look that finds
him at it, of which there is one in such a time. So he is cut off after twice as long at most."""
READ_BYTES_MIN = 64 * 1024
"""What he has to read in that time, if there is so much: 1 kB/s. The window of one who is slow may
open in steps that are as large."""

log = structlog.get_logger()


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection on which nothing becomes complete."""

    head_seconds = HEAD_SECONDS_MAX
    unread_seconds = UNREAD_SECONDS_MAX

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._awaited: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._looks: asyncio.TimerHandle | None = None
        self._unread = math.inf

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await()
        self._look_again()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._await_no_more()
        if self._looks is not None:
            self._looks.cancel()
        super().connection_lost(exc)

    @override
    def resume_writing(self) -> None:
        self._unread = math.inf
        super().resume_writing()

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

    def _look_again(self) -> None:
        self._looks = self.loop.call_later(self.unread_seconds, self._look)

    def _look(self) -> None:
        """While more is not written, what is left can only become less. Otherwise nobody waits:
        there is little, and the connection is closed when the answer is whole.
        """
        if not (self.flow.write_paused or self.transport.is_closing()):
            self._unread = math.inf
        elif 0 < (unread := self.transport.get_write_buffer_size()) > self._unread - READ_BYTES_MIN:
            log.info("client does not read", unread_bytes=unread)
            # Not closed: that would wait for him again. What is being answered ends by it.
            self.transport.abort()
            return
        else:
            self._unread = unread
        self._look_again()
