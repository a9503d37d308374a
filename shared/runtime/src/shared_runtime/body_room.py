"""Bodies that are coming in, as many as a process has room for; who is slow gives way.

A body counts with what has come of it, until its request is answered. When that becomes too much,
of one account or of all, the one of it that has been coming for longest is given up: so whoever
sends little by little holds nothing that others need, and keeps none of his own from coming.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

COMING_BYTES_MAX = 8 * 1024 * 1024
"""Thirty-two of the largest, some thousands of usual ones."""
COMING_BYTES_OF_ONE_MAX = 2 * 1024 * 1024
"""Of those, one account's. Who shows no token is one account with all who show none."""


@dataclass(slots=True, eq=False)
class Coming:
    """What has come of a body. `patience`: of whoever waits for more of it, while he does."""

    account: str
    size: int = 0
    is_whole: bool = False
    is_given_up: bool = False
    patience: asyncio.Timeout | None = None


class BodyRoom:
    """What a process has for bodies."""

    def __init__(
        self, all_max: int = COMING_BYTES_MAX, of_one_max: int = COMING_BYTES_OF_ONE_MAX
    ) -> None:
        self._all_max = all_max
        self._of_one_max = of_one_max
        self._bodies: dict[Coming, None] = {}  # the one that has been coming for longest is first
        self._sizes: Counter[str] = Counter()

    @contextmanager
    def one(self, account: str) -> Generator[Coming]:
        """For a body that is about to come."""
        coming = Coming(account)
        self._bodies[coming] = None
        try:
            yield coming
        finally:
            self.leave(coming)

    def add(self, coming: Coming, count: int) -> None:
        """So many bytes have come. Gives up what there is no room for, maybe this one."""
        if coming not in self._bodies:
            return
        coming.size += count
        self._sizes[coming.account] += count
        while not coming.is_given_up and (whose := self._who_has_too_much(coming)) is not None:
            given_up = self._longest(whose) or coming
            given_up.is_given_up = True
            if given_up.patience is not None:
                given_up.patience.reschedule(asyncio.get_running_loop().time())
            self.leave(given_up)

    def leave(self, coming: Coming) -> None:
        """It is in nobody's hands any more."""
        if coming not in self._bodies:
            return
        del self._bodies[coming]
        self._sizes[coming.account] -= coming.size
        if not self._sizes[coming.account]:
            del self._sizes[coming.account]

    def _who_has_too_much(self, coming: Coming) -> str | None:
        if self._sizes[coming.account] > self._of_one_max:
            return coming.account
        if self._sizes.total() > self._all_max:
            return max(self._sizes, key=self._sizes.__getitem__)
        return None

    def _longest(self, account: str) -> Coming | None:
        """One that is whole is being worked on."""
        return next(
            (each for each in self._bodies if each.account == account and not each.is_whole), None
        )
