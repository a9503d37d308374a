"""Who asks for much in, a place for it or a refusal out: nobody takes all places."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from shared_runtime.problems import Unavailable


class Places:
    """So many in a process, so many of them for one caller."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, caller: str) -> Generator[None]:
        """Raises `Unavailable` where none is left, for him."""
        if self._taken.total() >= self._most or self._taken[caller] >= self._each:
            raise Unavailable
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
