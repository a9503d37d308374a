"""A coroutine in, its result out, for callers that do not run a loop, and for those that do."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class Loop:
    """A loop in a thread of its own: what is opened in it stays open until it is left. One caller
    at a time, who may be inside another loop (and blocks it).
    """

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        return self

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._runner.run, work).result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._thread:
            self._thread.submit(self._runner.close).result()


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Waits for it in a thread of its own, so the caller may be inside a loop (and blocks it)."""
    with Loop() as loop:
        return loop.run(work)
