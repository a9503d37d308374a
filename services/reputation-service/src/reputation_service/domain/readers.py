"""Who reads an explanation in, which of the facts behind a score he may see singly out.

Everybody sees the sums. Of a review that is held, hidden or withdrawn nobody but staff sees
anything: it is counted, and what it adds is in the sum of all facts that are not listed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from reputation_service.domain.explain import (
    Alike,
    DimensionShares,
    Explained,
    Group,
    Printed,
    alike_in,
)
from reputation_service.domain.facts import K_MAX
from reputation_service.domain.observations import MINOR_MILLI
from reputation_service.domain.policy import DISPUTE

type Reader = Literal["STAFF", "HOLDER", "PUBLIC"]
"""HOLDER: whose account it is, the seller or the buyer that the score is of."""

CONCEALING = ("HELD", "WITHDRAWN")
"""Reasons of a weight that say of themselves that the review is not shown."""
SUMMED_MIN = 5
"""So many facts are in a sum at least that one of them may not be told from."""


class Candidates(NamedTuple):
    """Facts of a dimension that are alike, and how they are printed: some of them are listed, or
    tell by their place which of those that tie are printed one higher.
    """

    dimension: str
    week: int
    weight_milli: int
    k: int
    floor_micro: int
    tie: int
    raised: int

    @property
    def is_like_orders(self) -> bool:
        """Whether orders without a dispute may be among them."""
        return (self.dimension, self.weight_milli, self.k) == (DISPUTE, MINOR_MILLI, K_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How many facts of each dimension are listed, and which they can be."""

    most: Mapping[str, int]
    candidates: Sequence[Candidates]


def sees_concealed(reader: Reader) -> bool:
    return reader == "STAFF"


def sees_orders(reader: Reader) -> bool:
    """Whether each order without a dispute is listed: nothing but its id tells it apart."""
    return reader != "PUBLIC"


def listing(explained: Explained, reader: Reader, largest: int) -> Listing:
    """The facts with the largest shares, at most so many of each dimension."""
    weighing: dict[str, list[Group]] = {name: [] for name in explained.dimensions}
    for group in explained.groups:
        if group.weight_milli:
            weighing[group.dimension].append(group)
    most: dict[str, int] = {}
    candidates: list[Candidates] = []
    for name, found in explained.dimensions.items():
        concealed = sum(group.events for group in weighing[name] if group.concealed)
        most[name] = listed_max(found.events, concealed, largest, reader)
        shown = _count(group for group in weighing[name] if _is_shown(group, reader))
        candidates += [
            Candidates(name, *said, printed.floor_micro, printed.tie, printed.raised)
            for said, printed in _largest(found, shown, most[name])
        ]
    return Listing(most=most, candidates=candidates)


def listed_max(events: int, concealed: int, largest: int, reader: Reader) -> int:
    """How many of a dimension's facts with weight are listed. Of one that is not shown nobody
    learns more than a sum of five tells: smaller shares join it until it has so many.
    """
    if concealed == 0 or sees_concealed(reader):
        return largest
    return max(0, min(largest, events - max(SUMMED_MIN, concealed)))


def _is_shown(group: Group, reader: Reader) -> bool:
    concealed = group.concealed and not sees_concealed(reader)
    return not concealed and (sees_orders(reader) or not group.of_order)


def _count(groups: Iterable[Group]) -> Counter[Alike]:
    counts: Counter[Alike] = Counter()
    for group in groups:
        counts[alike_in(group)] += group.events
    return counts


def _largest(
    found: DimensionShares, shown: Mapping[Alike, int], most: int
) -> Iterable[tuple[Alike, Printed]]:
    """Those among which the `most` largest shares are, and those that tie with them."""
    if most == 0:
        return []
    at_least = {said: min(_sizes(found.printed[said])) for said in shown}
    enough = _size_of_the_last(at_least, shown, most)
    ties = {found.printed[said].tie for said in shown if max(_sizes(found.printed[said])) >= enough}
    return [(said, printed) for said, printed in found.printed.items() if printed.tie in ties]


def _size_of_the_last(sizes: Mapping[Alike, int], counts: Mapping[Alike, int], most: int) -> int:
    """A size that so many facts reach; 0 if there are not so many."""
    counted = 0
    for said in sorted(counts, key=sizes.__getitem__, reverse=True):
        counted += counts[said]
        if counted >= most:
            return sizes[said]
    return 0


def _sizes(printed: Printed) -> tuple[int, int]:
    """How large the share is as it is printed: one of these."""
    return abs(printed.floor_micro), abs(printed.floor_micro + 1)
