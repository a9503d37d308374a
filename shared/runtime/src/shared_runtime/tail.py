"""What one reader of the own log has read in, the same for the next one out.

A worker's projections, reactions and timers read the same log, each at its own pace but mostly
close behind one another. What the first has fetched and decoded is kept for a while, and one look
at where the log ends serves all who wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from itertools import accumulate, groupby

from shared_runtime.bells import IDLE_SECONDS_MAX, Bell
from shared_runtime.delivery import PLACE_OF, Delivery, Place

KEPT_MAX = 16_000
KEPT_BYTES_MAX = 8 * 1024 * 1024
"""Of bodies. What is decoded of them takes some times as much."""
KEPT_SECONDS = 60.0
"""At least, and twice as long at most. Whoever is further behind is far behind all that is kept."""
BUSY_PAUSE_SECONDS = 0.005

type Heads = dict[Place, tuple[int, bytes]]
"""The last position of each place, and the chain hash there."""


class Tail:
    """The last deliveries of each place, without gaps. `reading` is held while more are fetched,
    so that those who come meanwhile find them here. `grown` rings when there may be more.
    """

    def __init__(
        self,
        kept_max: int = KEPT_MAX,
        idle_seconds: float = IDLE_SECONDS_MAX,
        kept_bytes_max: int = KEPT_BYTES_MAX,
        grown: Bell | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reading = asyncio.Lock()
        self._heads: Heads = {}
        self._moved: list[set[Place]] = []
        self._kept_max = kept_max
        self._kept_bytes_max = kept_bytes_max
        self._bytes: dict[Place, int] = {}
        self._kept: dict[Place, list[Delivery]] = {}  # the place that grew last is the last one
        self._now = now
        self._marked_at = now()
        self._marks: dict[Place, int] = {}  # how far each place had come then
        least = min(BUSY_PAUSE_SECONDS, idle_seconds)
        self._doze = (grown or Bell()).doze(least, idle_seconds)
        self._has_looked = False
        self._looking: asyncio.Task[None] | None = None

    @property
    def heads(self) -> Heads:
        """Where each place ends, as far as is known; empty before the first look."""
        return self._heads

    @heads.setter
    def heads(self, heads: Heads) -> None:
        moved = {place for place, head in heads.items() if self._heads.get(place) != head}
        for each in self._moved:
            each.update(moved)
        self._heads = heads

    def moved(self) -> set[Place]:
        """A set for one reader, who takes out of it what he has read to its end: all that there is,
        and from now on what has come to end elsewhere.
        """
        self._moved.append(moved := {*self._heads})
        return moved

    async def look(self, ask: Callable[[], Awaitable[Heads]]) -> None:
        """Asks where the log ends after a pause: a short one if it had grown when it was asked
        last, or its bell has rung. Those who want to know meanwhile wait for the same answer.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(ask))
        await asyncio.shield(self._looking)

    async def _look(self, ask: Callable[[], Awaitable[Heads]]) -> None:
        if self._has_looked:
            await self._doze.pause()
        heads = await ask()
        self._has_looked = True
        if heads != self.heads:
            self._doze.busy()
        self._forget_rewritten(heads)
        self.heads = heads

    def after(
        self, place: Place, position: int, most: int, bytes_max: int = KEPT_BYTES_MAX
    ) -> list[Delivery]:
        """The next deliveries behind a position, as far as they are here: one, however large, and
        no more than may be, of bodies.
        """
        kept = self._kept.get(place)
        if not kept or not kept[0].position - 1 <= position < kept[-1].position:
            return []
        first = position + 1 - kept[0].position
        next_ones = kept[first : first + most]
        sizes = accumulate(len(delivery.body) for delivery in next_ones)
        return next_ones[: max(1, sum(size <= bytes_max for size in sizes))]

    def keep(self, read: Iterable[Delivery]) -> None:
        """Takes in what continues a place, or is ahead of it. What lies behind is not kept: its
        reader is far behind the others.
        """
        for place, deliveries in groupby(read, PLACE_OF):
            self._keep(place, list(deliveries))
        while len(self._kept) > 1 and self._is_too_much():
            self._forget(next(iter(self._kept)))
        if self._now() - self._marked_at >= KEPT_SECONDS:
            self._forget_old()

    def _is_too_much(self) -> bool:
        events, size = sum(map(len, self._kept.values())), sum(self._bytes.values())
        return events > self._kept_max or size > self._kept_bytes_max

    def _forget(self, place: Place) -> None:
        del self._kept[place]
        del self._bytes[place]

    def _keep(self, place: Place, read: list[Delivery]) -> None:
        kept, size = self._kept.get(place, []), self._bytes.get(place, 0)
        if kept and read[0].position <= kept[-1].position:
            return
        if kept and read[0].position > kept[-1].position + 1:
            kept, size = [], 0
        kept = kept + read
        size += sum(len(delivery.body) for delivery in read)
        too_many = 0
        while len(kept) - too_many > self._kept_max or (
            size > self._kept_bytes_max and len(kept) - too_many > 1
        ):
            size -= len(kept[too_many].body)
            too_many += 1
        self._kept.pop(place, None)
        self._kept[place] = kept[too_many:]
        self._bytes[place] = size

    def _forget_old(self) -> None:
        """Drops what was here when this was done last. Else a log that grows slowly fills all that
        may be kept, by and by, with what everybody has read.
        """
        for place, mark in self._marks.items():
            kept = self._kept.get(place, [])
            old = sum(delivery.position <= mark for delivery in kept)
            if old and old == len(kept):
                self._forget(place)
            elif old:
                self._bytes[place] -= sum(len(delivery.body) for delivery in kept[:old])
                self._kept[place] = kept[old:]
        self._marks = {place: kept[-1].position for place, kept in self._kept.items()}
        self._marked_at = self._now()

    def _forget_rewritten(self, heads: Heads) -> None:
        """Drops the places that end otherwise than what is kept of them: a log that was restored
        from a backup.
        """
        for place, (position, chain_hash) in heads.items():
            kept = self._kept.get(place)
            if not kept or position > kept[-1].position:
                continue
            at = position - kept[0].position
            if position < kept[-1].position or (at >= 0 and kept[at].chain_hash != chain_hash):
                self._forget(place)
