"""A made-up shop that is told by webhook: what it was sent in, what it is told to answer out.

    with receiving() as shop:
        …                                  # an endpoint of `shop.url`
        (told,) = shop.wait_for(1)

A server of its own in a thread, over TLS where it is given a certificate.
"""

import json
import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WAIT_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came; the names of `headers` are small."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass(slots=True)
class Receiver:
    """`status`, `headers`, `content`: what it answers, after `seconds` or when `released`."""

    url: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content: bytes = b""
    seconds: float = 0.0
    received: list[Received] = field(default_factory=list[Received])
    released: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, request: Received) -> None:
        with self.came:
            self.received.append(request)
            self.came.notify_all()
        if self.seconds:
            self.released.wait(self.seconds)

    def wait_for(self, count: int) -> list[Received]:
        """All that came, as soon as they are so many. Raises AssertionError."""
        with self.came:
            came = self.came.wait_for(lambda: len(self.received) >= count, WAIT_SECONDS_MAX)
            assert came, f"{len(self.received)} of {count} came: {self.types}"
            return [*self.received]

    @property
    def types(self) -> list[str]:
        """Of what was told, without versions."""
        return [each.told["type"].partition(".")[0] for each in self.received]


@contextmanager
def receiving(
    *, host: str = "127.0.0.1", certificate: tuple[Path, Path] | None = None
) -> Generator[Receiver]:
    """`host`: by what name it says that it is reached. `certificate`: with its key, as files."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            receiver.take(Received(path=self.path, headers=headers, body=body))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the server has it
            """Whoever has started it looks at what came."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A sender that goes away is none of its business."""

    with Server(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        receiver = Receiver(url=f"{scheme}://{host}:{server.server_port}/told")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.released.set()
            server.shutdown()
            thread.join()
