"""Who wants one of few places in, one of them when it is his turn out: nobody has them all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from shared_runtime.problems import Unavailable


class Places:
    """Only so many at once, and fewer of one person: nobody takes all of them. What is counted may
    be bytes: then one takes `many`.

    `patience_seconds`: how long somebody waits for one; None for as long as it takes, 0 not at all.
    """

    def __init__(self, count: int, of_one: int, patience_seconds: float | None = None) -> None:
        self._all = _Free(count)
        self._of_one = of_one
        self._patience_seconds = patience_seconds
        self._shares: WeakValueDictionary[str, _Free] = WeakValueDictionary()

    def are_wanted_of(self, person: str) -> bool:
        """Whether somebody waits for what this person may have."""
        share = self._shares.get(person)
        return self._all.is_wanted or (share is not None and share.is_wanted)

    @asynccontextmanager
    async def one(self, person: str, many: int = 1) -> AsyncGenerator[None]:
        """Raises `Unavailable` when none becomes free in time."""
        share = self._shares.setdefault(person, _Free(self._of_one))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    # His own first: whoever waits for that does not stand in the others' way.
                    for each in (share, self._all):
                        await each.take(many)
                        held.callback(each.give, many)
            except TimeoutError as failure:
                raise Unavailable from failure
            yield


class _Free:
    """What is left. Who came first is first, also if he wants many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._turn = asyncio.Lock()
        self._given = asyncio.Event()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for some."""
        return self._turn.locked()

    async def take(self, many: int) -> None:
        async with self._turn:
            while self._count < many:
                self._given.clear()
                await self._given.wait()
            self._count -= many

    def give(self, many: int) -> None:
        self._count += many
        self._given.set()
