"""What one reader of the own log has read in, the same for the next one out.

A worker's projections, reactions and timers read the same log, each at its own pace but mostly
close behind one another. What the first has fetched and decoded is kept for a while.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from shared_runtime.delivery import Delivery, Place

KEPT_MAX = 8_000
PLACE_OF = attrgetter("place")


class Tail:
    """The last deliveries of each place, without gaps. `reading` is held while more are fetched,
    so that those who come meanwhile find them here.
    """

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self.reading = asyncio.Lock()
        self._kept_max = kept_max
        self._kept: dict[Place, list[Delivery]] = {}  # the place that grew last is the last one

    def after(self, place: Place, position: int, most: int) -> list[Delivery]:
        """The next deliveries behind a position, as far as they are here."""
        kept = self._kept.get(place)
        if not kept or not kept[0].position - 1 <= position < kept[-1].position:
            return []
        first = position + 1 - kept[0].position
        return kept[first : first + most]

    def keep(self, read: Iterable[Delivery]) -> None:
        """Takes in what continues a place, or is ahead of it. What lies behind is not kept: its
        reader is far behind the others.
        """
        for place, deliveries in groupby(read, PLACE_OF):
            self._keep(place, list(deliveries))
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._kept_max:
            del self._kept[next(iter(self._kept))]

    def _keep(self, place: Place, read: list[Delivery]) -> None:
        kept = self._kept.get(place, [])
        if kept and read[0].position <= kept[-1].position:
            return
        if kept and read[0].position > kept[-1].position + 1:
            kept = []
        self._kept.pop(place, None)
        self._kept[place] = (kept + read)[-self._kept_max :]

    def forget_rewritten(self, heads: Sequence[tuple[str, int, int, bytes]]) -> None:
        """Drops the places that end, by topic, partition, position and chain hash, otherwise than
        what is kept of them: a log that was restored from a backup.
        """
        for topic, partition, position, chain_hash in heads:
            kept = self._kept.get((topic, partition))
            if not kept or position > kept[-1].position:
                continue
            at = position - kept[0].position
            if position < kept[-1].position or (at >= 0 and kept[at].chain_hash != chain_hash):
                del self._kept[topic, partition]
