"""Two ways to do the same work in, the ratio of their rates out.

Both are run in turn, round by round, on the same servers: what the machine does besides slows
both. The ratio is the median of the rounds' ratios, the rates are medians too.
"""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ROUNDS = 5
WARM_UP_ROUNDS = 1

type Work = Callable[[int], Awaitable[int]]
"""Does the work of a round (its number tells one from the other) and says how many items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`ours` against `raw`, and the least ratio that is promised. `before` makes what a round
    needs; it is not timed.
    """

    name: str
    against: str
    unit: str
    at_least: float
    ours: Work
    raw: Work
    before: Callable[[int], Awaitable[None]] | None = None
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Rates in items a second."""

    name: str
    against: str
    unit: str
    at_least: float
    ours: float
    raw: float
    ratio: float
    lowest: float
    highest: float

    @property
    def holds(self) -> bool:
        return self.ratio >= self.at_least


async def compare(comparison: Comparison) -> Ratio:
    """Runs both sides in turn. The side that goes first changes with every round."""
    ours: list[float] = []
    raw: list[float] = []
    sides = [(comparison.ours, ours), (comparison.raw, raw)]
    for number in range(WARM_UP_ROUNDS + comparison.rounds):
        if comparison.before is not None:
            await comparison.before(number)
        for work, rates in sides if number % 2 else reversed(sides):
            rates.append(await rate(work, number))
    ours, raw = ours[WARM_UP_ROUNDS:], raw[WARM_UP_ROUNDS:]
    ratios = [a / b for a, b in zip(ours, raw, strict=True)]
    return Ratio(
        name=comparison.name,
        against=comparison.against,
        unit=comparison.unit,
        at_least=comparison.at_least,
        ours=statistics.median(ours),
        raw=statistics.median(raw),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


async def rate(work: Work, number: int) -> float:
    """Items a second, wall clock."""
    gc.collect()
    began = time.perf_counter()
    count = await work(number)
    return count / (time.perf_counter() - began)
