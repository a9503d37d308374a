"""Connections in, requests out, as uvicorn makes them; but none that is held open for nothing.

uvicorn waits for ever for the end of a head, for a body that is announced and that nobody reads any
more, and for a client to read what it is answered. Whoever opens connections and says little on
each, or reads nothing, would have them all.
"""

import asyncio
import math
from collections import Counter
from typing import Any, override

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared_runtime.auth import CALLER

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

UNREAD_BYTES_MAX = 32 * 1024 * 1024
"""Of all answers of a process that wait to be read."""
UNREAD_BYTES_OF_ONE_MAX = 8 * 1024 * 1024
"""Of those, one account's."""

log = structlog.get_logger()


class Unread:
    """The connections of a process on which answers wait to be read. When these are too much, of
    one account or of all, the one that has waited for longest is cut off, of all whose most is:
    whoever asks for much and reads nothing loses the first that he has asked for.
    """

    def __init__(
        self, all_max: int = UNREAD_BYTES_MAX, of_one_max: int = UNREAD_BYTES_OF_ONE_MAX
    ) -> None:
        self._all_max = all_max
        self._of_one_max = of_one_max
        self._waiting: dict[asyncio.Transport, str] = {}  # the longest first

    def waits(self, transport: asyncio.Transport, account: str) -> None:
        """More was written there than its client has read. Who has no account has a link, or reads
        what anybody may: these have no share, but count with all.
        """
        self._waiting.setdefault(transport, account)
        while (longest := self._too_much(account)) not in {None, transport}:
            assert longest is not None
            log.info("too much is unread", unread_bytes=longest.get_write_buffer_size())
            self.is_read(longest)
            longest.abort()

    def is_read(self, transport: asyncio.Transport) -> None:
        """Or gone."""
        self._waiting.pop(transport, None)

    def _too_much(self, account: str) -> asyncio.Transport | None:
        sizes = Counter[str]()
        for each, whose in self._waiting.items():
            sizes[whose] += each.get_write_buffer_size()
        if account and sizes[account] > self._of_one_max:
            most = account
        elif sizes.total() > self._all_max:
            most = max(sizes, key=sizes.__getitem__)
        else:
            return None
        return next(each for each, whose in self._waiting.items() if whose == most)


_unread = Unread()


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection on which nothing becomes complete."""

    head_seconds = HEAD_SECONDS_MAX
    unread_answers = _unread
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
        self.unread_answers.is_read(self.transport)
        super().connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        caller = self.scope.get(CALLER) if self.scope else None
        self.unread_answers.waits(self.transport, getattr(caller, "sub", ""))

    @override
    def resume_writing(self) -> None:
        self._unread = math.inf
        self.unread_answers.is_read(self.transport)
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
