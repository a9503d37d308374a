"""How evenly cells are loaded that own ranges of partitions, where sellers are as unequal as they
are; and what the largest seller leaves of a partition. A simulation: nothing is measured.

python -m bench.cells

The sales of the seller of rank r go with r^-s (Zipf); s = 1 is the usual finding for the sizes of
firms (Axtell, Science 293, 2001), 0.8 is a market of many middling ones.
"""

from collections.abc import Sequence
from itertools import accumulate
from statistics import median

from shared_events.partition import PARTITIONS, partition_of

SELLERS = 100_000
EXPONENTS = (0.8, 1.0)
CELLS = (1, 2, 4, 8, 16, 32, 64)
MARKETS = 25


def shares_of_sellers(exponent: float) -> list[float]:
    sizes = [rank**-exponent for rank in range(1, SELLERS + 1)]
    total = sum(sizes)
    return [size / total for size in sizes]


def shares_of_partitions(sellers: Sequence[float], market: int) -> list[float]:
    """Of all events, by partition, as the code deals sellers out by their ids."""
    shares = [0.0] * PARTITIONS
    for number, share in enumerate(sellers):
        shares[partition_of(f"S-{market}-{number}")] += share
    return shares


def even(partitions: Sequence[float], cells: int) -> float:
    """The load of the busiest cell, of ranges of equally many partitions."""
    width = len(partitions) // cells
    return max(sum(partitions[first : first + width]) for first in range(0, len(partitions), width))


def fitted(partitions: Sequence[float], cells: int) -> float:
    """The same, if ranges begin and end where that makes the busiest cell's load least."""
    low, high = max(partitions), 1.0
    for _ in range(40):
        bound = (low + high) / 2
        low, high = (low, bound) if needed(partitions, bound) <= cells else (bound, high)
    return high


def needed(partitions: Sequence[float], bound: float) -> int:
    """How many ranges there are if none may have more than the bound."""
    cells, held = 1, 0.0
    for share in partitions:
        if held + share > bound:
            cells, held = cells + 1, 0.0
        held += share
    return cells


def gained(busiest: Sequence[float]) -> str:
    return f"{1 / median(busiest):8.1f}"


def main() -> None:
    for exponent in EXPONENTS:
        sellers = shares_of_sellers(exponent)
        markets = [shares_of_partitions(sellers, market) for market in range(MARKETS)]
        tenth = [*accumulate(sellers)][SELLERS // 10 - 1]
        print(
            f"{SELLERS:,} sellers, exponent {exponent}: the largest has {sellers[0]:.1%} of all, a "
            f"tenth of them {tenth:.0%}; the busiest partition has {median(map(max, markets)):.1%}"
        )
        print("  cells            " + "".join(f"{cells:8}" for cells in CELLS))
        for name, busiest in (("even ranges", even), ("fitted ranges", fitted)):
            told = [gained([busiest(each, cells) for each in markets]) for cells in CELLS]
            print(f"  {name:17}" + "".join(told))


if __name__ == "__main__":
    main()
