"""A transport of httpx that asks again where that is safe, and where it may help.

Safe is what changes nothing, and what has an Idempotency-Key: with it the services do a thing once,
however often it is asked for. It may help where nobody has answered, and after 429, 502, 503 and
504: then it waits as long as `Retry-After` says, or longer each time.
"""

from typing import Any
from uuid import uuid4

import httpx
from httpx_retries import Retry, RetryTransport

SAFE = frozenset({"GET", "HEAD"})
METHODS = (*SAFE, "POST", "PUT", "DELETE")
FIRST_SECONDS = 0.2


def new_key() -> str:
    """An Idempotency-Key. Make one for each thing that is to be done and keep it with that, so that
    a program that was stopped can ask again.
    """
    return str(uuid4())


def patient(*, retries: int = 4, seconds_max: float = 30.0) -> dict[str, Any]:
    """The `httpx_args` of a client that asks again, `retries` times at most, and waits
    `seconds_max` at most before each.
    """
    return {"transport": Patience(retries=retries, seconds_max=seconds_max)}


class Patience(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """For `httpx.Client` and `httpx.AsyncClient` alike. What was answered last is the answer."""

    def __init__(self, *, retries: int, seconds_max: float) -> None:
        again = Retry(
            total=retries,
            allowed_methods=METHODS,
            backoff_factor=FIRST_SECONDS,
            max_backoff_wait=seconds_max,
        )
        self._again = RetryTransport(retry=again)
        self._once = RetryTransport(retry=Retry(total=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not is_safe(request):
            return self._once.handle_request(request)
        request.read()  # a file can be read once, and has to be sent as often as it takes
        return self._again.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not is_safe(request):
            return await self._once.handle_async_request(request)
        await request.aread()
        return await self._again.handle_async_request(request)

    def close(self) -> None:
        self._again.close()
        self._once.close()

    async def aclose(self) -> None:
        await self._again.aclose()
        await self._once.aclose()


def is_safe(request: httpx.Request) -> bool:
    return request.method in SAFE or "Idempotency-Key" in request.headers
