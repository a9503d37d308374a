"""Connections in, requests out, as uvicorn makes them; but none that is held open for nothing.

uvicorn waits for ever for the end of a head, for a body that is announced and that nobody reads any
more, and for a client to read what it is answered. Whoever opens connections and says little on
each, or reads nothing, would have them all. And it has no bound for how many there are, for the
lines of a head (a line of three bytes takes a hundred), or for requests that are sent before the
one before them is answered.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast, override

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared_runtime.auth import CALLER
from shared_runtime.crowd import At, Crowd
from shared_runtime.telemetry import UNOBSERVED

HEAD_SECONDS_MAX = 10.0
"""From the opening of a connection, or the first byte of a next request, to the end of its head;
and from an answer to the end of a body that it did not wait for."""
HEAD_BYTES_MAX = 64 * 1024
"""Of a head; with the body, if it is sent before there was an answer to an earlier request."""
HEAD_LINES_MAX = 100
"""As many as gateways let through."""
AHEAD_MAX = 4
"""Requests that wait on a connection until an earlier one is answered."""
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

TOO_LARGE = "The head of the request is too large."
CROWDED = "crowded"
"""In the scope of a request that there is no room for."""
CONNECTION_BYTES_MAX = 512 * 1024
"""Of one: heads with what they become, a body of which nobody has taken anything (64 KiB, and what
is read of a line at once, 250), as much of an answer before `Unread` counts it (64)."""

log = structlog.get_logger()


class _TooMuch(Exception):  # noqa: N818 - what it is
    """Ends the reading of a request."""


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

    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._crowd = crowd
        self._awaited: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._asked_bytes = 0
        self._body_bytes = 0
        self._answered: Mapping[str, Any] | None = None  # not the last that has come
        self._looks: asyncio.TimerHandle | None = None
        self._unread = math.inf

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await()
        self._look_again()
        self._crowd.opens(self, self.loop.time())

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leaves(self)
        self._await_no_more()
        if self._looks is not None:
            self._looks.cancel()
        self.unread_answers.is_read(self.transport)
        super().connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        caller = self._answered.get(CALLER) if self._answered else None
        self.unread_answers.waits(self.transport, getattr(caller, "sub", ""))
        self._come_on()

    @override
    def resume_writing(self) -> None:
        self._unread = math.inf
        self.unread_answers.is_read(self.transport)
        super().resume_writing()
        self._come_on()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._come_on()  # not of each head: most come whole
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self.send_400_response(TOO_LARGE)

    @override
    def send_400_response(self, msg: str) -> None:
        super().send_400_response(TOO_LARGE if self._asked_bytes > HEAD_BYTES_MAX else msg)

    @override
    def on_message_begin(self) -> None:
        if len(self.pipeline) >= AHEAD_MAX:
            raise _TooMuch
        super().on_message_begin()
        self._in_head, self._head_bytes, self._asked_bytes = True, 0, 0
        self._await()

    @override
    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._takes(len(url))

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > HEAD_LINES_MAX:
            raise _TooMuch
        self._takes(len(name) + len(value))

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        self._await_no_more()
        super().on_headers_complete()
        if self.pipeline:
            return
        self._come_on()
        is_heard = self.scope["path"] in UNOBSERVED
        if not (is_heard or self._crowd.has_room(self, len(self.tasks), self.loop.time())):
            cast("Scope", self.scope)[CROWDED] = True

    @override
    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.pipeline:
            self._takes(len(body))
            return
        self._body_bytes += len(body)
        if self._body_bytes >= READ_BYTES_MIN:
            self._body_bytes = 0
            self._crowd.goes_on(self, self.loop.time())

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._await_no_more()
        self._come_on()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._await()
        self._come_on()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cast("Scope", cycle.scope)
        super()._start_asgi_task(cycle, self._once_read(app) if self.flow.write_paused else app)

    def _once_read(self, app: ASGIApp) -> Any:  # noqa: ANN401 - uvicorn has its own types
        """Whoever has not read what he was answered is not worked for: a next answer would be where
        nobody counts it.
        """

        async def once_read(scope: Scope, receive: Receive, send: Send) -> None:
            await self.flow.drain()
            if not self.transport.is_closing():
                await app(scope, receive, send)

        return once_read

    def let_go(self) -> None:
        """Closes it for another one."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _takes(self, count: int) -> None:
        self._asked_bytes += count
        if self._asked_bytes > HEAD_BYTES_MAX:
            raise _TooMuch

    def _come_on(self) -> None:
        if not self.transport.is_closing():
            self._crowd.is_at(self, self._is_at(), self.loop.time())

    def _is_at(self) -> At:
        if self.flow.write_paused:
            return At.UNDER_WAY
        if self.pipeline:
            return At.WORK
        if self.cycle and not self.cycle.response_complete:
            return At.UNDER_WAY if self.cycle.more_body else At.WORK
        return At.REST if self.cycle and not self._in_head else At.HEAD

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
