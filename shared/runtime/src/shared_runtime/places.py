"""Who wants one of few places in, one of them when it is his turn out: nobody has them all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from shared_runtime.problems import Unavailable


class Places:
    """Only so many at once, and fewer of one person: nobody takes all of them.

    `patience_seconds`: how long somebody waits for one; None for as long as it takes, 0 not at all.
    """

    def __init__(self, count: int, of_one: int, patience_seconds: float | None = None) -> None:
        self._free = asyncio.Semaphore(count)
        self._of_one = of_one
        self._patience_seconds = patience_seconds
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, person: str) -> AsyncGenerator[None]:
        """Raises `Unavailable` when none becomes free in time."""
        share = self._shares.setdefault(person, asyncio.Semaphore(self._of_one))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    # His own first: whoever waits for that does not stand in the others' way.
                    await held.enter_async_context(share)
                    await held.enter_async_context(self._free)
            except TimeoutError as failure:
                raise Unavailable from failure
            yield
