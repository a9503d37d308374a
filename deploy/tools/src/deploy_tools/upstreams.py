"""Names and ports in, servers that tell their name and what they were asked out: for tests.

They stand where the services would: what comes through a gateway, and what to whom, is seen there.
"""

import asyncio
import json
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

SLOW_SECONDS = 60.0
"""How long a server takes over what is asked of /…/slow: longer than anybody waits."""
STOPPING_SECONDS_MAX = 20.0


class Upstream:
    """An ASGI application that tells its name, what it was asked and how much it was sent."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, more = 0, True
        while more:
            message = await receive()
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
        if scope["path"].endswith("/slow"):
            await asyncio.sleep(SLOW_SECONDS)
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        told = {
            "service": self._name,
            "method": scope["method"],
            "path": scope["raw_path"].decode(),
            "bytes": received,
            "headers": sent,
        }
        headers = [(b"content-type", b"application/json")]
        # What a service says of itself is its own word: the gateway is to leave it alone.
        status = int(sent.get("answer-with", "200"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Upstreams:
    """Servers of this process, in a thread of their own."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._loop = asyncio.new_event_loop()
        self._servers: dict[str, tuple[uvicorn.Server, asyncio.Task[None]]] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        thread = Thread(target=self._loop.run_forever)
        thread.start()
        try:
            for name in self.ports:
                self._do(self._start(name))
            yield
        finally:
            for name in self.ports:
                self._do(self._stop(name))
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    @contextmanager
    def down(self, name: str) -> Generator[None]:
        """Nobody listens there."""
        self._do(self._stop(name))
        try:
            yield
        finally:
            self._do(self._start(name))

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout=20)

    async def _start(self, name: str) -> None:
        config = uvicorn.Config(
            Upstream(name),
            port=self.ports[name],
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        self._servers[name] = server, asyncio.create_task(server.main_loop())

    async def _stop(self, name: str) -> None:
        server, turning = self._servers.pop(name)
        server.should_exit = True
        await turning
        await server.shutdown()
