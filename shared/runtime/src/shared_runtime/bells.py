"""Something new in, the loops that wait for it awake: in this process and in the others of its
service.

A loop that finds nothing to do looks less and less often, up to once in some seconds. Whoever makes
work for it rings, and it looks at once; what nobody has heard is found by its next look.

Between processes it is PostgreSQL's NOTIFY, in a statement of its own beside the transaction that
appends: those that notify are committed one after the other, whatever they write. So it may be
heard before the commit, and who is woken looks several times, soon and then ever later.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakSet

import asyncpg

from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.pausing import pause

CHANNEL = "aftersales_log"
NOTIFY = f"NOTIFY {CHANNEL}"
IDLE_SECONDS_MAX = 2.0
"""So soon it is found what nobody has heard."""
NOTIFY_SECONDS_MIN = 0.1
"""A process tells the others no more often: they look that soon again by themselves."""


class Bell:
    """Wakes those who doze by it."""

    def __init__(self) -> None:
        self._dozing: WeakSet[Doze] = WeakSet()

    def doze(self, least: float, most: float) -> "Doze":
        """Pauses that this bell ends: of `least` seconds at first, of `most` later on."""
        doze = Doze(least, most)
        self._dozing.add(doze)
        return doze

    def ring(self) -> None:
        for doze in self._dozing:
            doze.told.set()


class Doze:
    """The pauses of one loop that has found nothing to do: each twice as long as the one before,
    until its bell rings or it is `busy`.

    A loop that is woken all the time pauses for the least time nevertheless. `seconds`: the next
    pause, unless it is woken.
    """

    def __init__(self, least: float, most: float) -> None:
        self.told = asyncio.Event()
        self._least = least
        self._most = most
        self.seconds = least

    def busy(self) -> None:
        """It has found something: the next pause is the shortest."""
        self.seconds = self._least

    async def pause(self, stop: asyncio.Event | None = None, most: float = float("inf")) -> None:
        """Until it is time to look again, or until `stop`. `most`: seconds after which there is
        something to do in any case.
        """
        least = min(self._least, self.seconds)
        seconds = max(least, min(self.seconds, most))
        if stop is None:
            await asyncio.sleep(least)
        else:
            await pause(stop, least)
        if seconds > least and not self.told.is_set():
            await _first_of(seconds - least, self.told, stop)
        self.seconds = self._least if self.told.is_set() else min(2 * self.seconds, self._most)
        self.told.clear()


async def _first_of(seconds: float, told: asyncio.Event, stop: asyncio.Event | None) -> None:
    if stop is None:
        await pause(told, seconds)
        return
    waits = [asyncio.ensure_future(each.wait()) for each in (told, stop)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


@dataclass(slots=True)
class Bells:
    """Of one log, in one process. `grown`: it may have more events. `applied`: something has been
    done about some, and rows may wait for whoever works at them.

    `pool`: by which the other processes are told; without one, this process alone is.
    """

    pool: asyncpg.Pool | None = None
    grown: Bell = field(default_factory=Bell)
    applied: Bell = field(default_factory=Bell)
    _notified_at: float = float("-inf")
    _notifying: asyncio.Task[None] | None = None

    def tell(self) -> None:
        """The log grows, in all processes."""
        self.grown.ring()
        if self.pool is not None and (self._notifying is None or self._notifying.done()):
            self._notifying = asyncio.create_task(self._notify(self.pool))

    async def _notify(self, pool: asyncpg.Pool) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._notified_at + NOTIFY_SECONDS_MIN - clock()))
        self._notified_at = clock()
        with suppress(*WORLD_FAILURES):  # it is found by the next look
            await pool.execute(NOTIFY)

    async def listen(self, session: asyncpg.pool.PoolConnectionProxy) -> None:
        """Hears the other processes from now on, for as long as the session lives."""
        await session.add_listener(CHANNEL, self._heard)
        self.grown.ring()  # what was told before was not heard

    def _heard(self, *_: object) -> None:
        self.grown.ring()
