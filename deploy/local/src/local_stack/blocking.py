"""A coroutine in, its result out, for callers that do not run a loop, and for those that do."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Waits for it in a thread of its own, so the caller may be inside a loop (and blocks it)."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
