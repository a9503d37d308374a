"""Samples of a soak in, what grows out.

The first third is not judged: all comes to what it needs, and what is kept for thirty days has not
gone yet. Of the other two, by the kind of what is looked at:

memory        lines through both and through the last (of the slopes between any two samples the
              middle one) do not both go up by more than `MEMORY_DRIFT` in two thirds
come and go   neither the most nor the least of the last third is above that of the middle one by
              more than is chance (of bytes the most: a file keeps what it has); and of marks that
              somebody is to take away, none is left at one instant of the last third at least
with events   in the last third as much comes as in the middle one, of a thousand events or in a
              minute: of what comes two weeks later there is more where events have become fewer
else          lines like those of memory are level
left behind   what has a term is not there for much longer than that: one row that is forgotten
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

MIB = 1024.0**2
DAY = 24 * 3600
MEMORY_DRIFT = 4 * MIB
"""In twenty minutes, of a process of 30 to 95 MiB. An API keeps the last 4,096 tokens that it has
looked at, and is shown a thousand new ones in that time: some 2 KiB each.
"""
NOISE = 0.15
"""How much more may be there at once: a third has twenty samples."""
NOISE_ROWS = 20
NOISE_BYTES = 128 * 1024
"""Sixteen pages: what vacuum sets free is used later."""
MORE = 0.3
"""Of what comes with a thousand events. What grew with their square would come to two thirds."""
PER = 1000
LEVEL_ROWS = 1
LATE_SECONDS = 90
LATE_STEPS = 2
"""What has had its time goes within a minute, and the clock goes on in steps."""
MARKS = frozenset({"es.parked_event", "es.parked_key", "facts.reweighing", "ranking.changed"})
"""What is to be done: somebody takes it away at once."""
COME_AND_GO = MARKS | {
    "es.reply",
    "es.timer",
    "facts.open_matter",
    "facts.waiting_contest",
    "facts.waiting_remedy",
    "media.file",
    "ports.errand",
    "reviewable_orders.reviewable_orders",
    "webhook.attempt",
    "webhook.delivery",
    "work.lease",
}
WITH_EVENTS = re.compile(
    r"es\.event|keys\.person_key|ports\.reconciliation|ranking\.seller"
    r"|(votes|facts|\w+_g\d+)\.\w+"
)
"""The log, what is built from it or known from other logs, and a row of each day."""
GENERATION = re.compile(r"_g\d+(?=\.)")


class Size(Struct, frozen=True, array_like=True):
    """Of a table; `bytes` with its indexes, and with what is free in its files."""

    rows: int
    bytes: int


class Sample(Struct, frozen=True, kw_only=True):
    """How large all is at an instant. `memory`: bytes of each process. `tables`: by their database
    and name. `clock`: by how many seconds it is ahead. `late`: for how many, by that clock, the
    oldest row of a table has been there for longer than it is kept.
    """

    seconds: float
    turns: int
    events: int
    memory: dict[str, float]
    tables: dict[str, Size]
    clock: float = 0.0
    late: dict[str, float] = {}


def keep(sample: Sample, file: Path) -> None:
    """As a line more."""
    with file.open("ab") as lines:
        lines.write(msgspec.json.encode(sample) + b"\n")


def kept(file: Path) -> Sequence[Sample]:
    return [msgspec.json.decode(line, type=Sample) for line in file.read_bytes().splitlines()]


@dataclass(frozen=True, slots=True)
class Judged:
    """`grows`: in which way, if it does."""

    name: str
    unit: str
    sizes: Sequence[float]
    grows: str = ""

    def line(self) -> str:
        by = MIB if self.unit == "MiB" else 1
        first, middle, last = (
            self.sizes[0] / by,
            median(_middle(self.sizes)) / by,
            median(_last(self.sizes)) / by,
        )
        shown = " ".join(f"{each:10,.1f}" for each in (first, middle, last, max(self.sizes) / by))
        return f"{self.name:50} {self.unit:4} {shown}  {self.grows or 'flat'}"


HEADING = f"{'':50} {'':4} {'first':>10} {'middle':>10} {'last':>10} {'most':>10}"


def judged(samples: Sequence[Sample]) -> Sequence[Judged]:
    """Of each process its memory, of each table its rows and its bytes."""
    found = [
        Judged(name, "MiB", sizes, drifts(sizes, MEMORY_DRIFT))
        for name, sizes in _by_name([sample.memory for sample in samples]).items()
    ]
    for name, sizes in _by_name([sample.tables for sample in samples]).items():
        rows, in_bytes = [each.rows for each in sizes], [float(each.bytes) for each in sizes]
        judge_rows, judge_bytes = _judges(name.rpartition(" ")[2], samples)
        found.append(Judged(name, "rows", rows, judge_rows(rows)))
        found.append(Judged(name, "MiB", in_bytes, judge_bytes(in_bytes)))
    allowed = late_allowed(samples)
    for name in sorted({name for sample in samples for name in sample.late}):
        late = [sample.late.get(name, 0.0) / DAY for sample in samples]
        found.append(Judged(name, "late", late, stays_behind(late, allowed / DAY)))
    new = samples[-1].tables.keys() - samples[0].tables.keys()
    return [*found, *(Judged(name, "rows", [0], "is new") for name in sorted(new))]


type Judge = Callable[[Sequence[float]], str]


def _judges(table: str, samples: Sequence[Sample]) -> tuple[Judge, Judge]:
    """Of its rows and of its bytes."""
    if GENERATION.sub("", table) in COME_AND_GO:
        is_mark = table in MARKS
        return (
            lambda rows: comes_and_stays(rows, NOISE_ROWS) or stays(rows) * is_mark,
            lambda sizes: comes_and_stays(sizes, NOISE_BYTES, least=False),
        )
    if WITH_EVENTS.fullmatch(table):
        return (
            lambda rows: outgrows(rows, samples, NOISE_ROWS),
            lambda sizes: outgrows(sizes, samples, NOISE_BYTES),
        )
    return (lambda rows: drifts(rows, LEVEL_ROWS), lambda sizes: drifts(sizes, NOISE_BYTES))


def drifts(sizes: Sequence[float], allowed: float) -> str:
    """Whether lines through the last two thirds and through the last one go up faster than by so
    much in two thirds. One sample that is far off moves them by nothing; and what takes a step and
    is level then does not go on growing.
    """
    two_thirds = sizes[len(sizes) // 3 :]
    more = min(_slope(two_thirds), _slope(_last(sizes))) * (len(two_thirds) - 1)
    return f"goes up by {more:,.0f}" if more > allowed else ""


def _slope(sizes: Sequence[float]) -> float:
    """From one sample to the next."""
    return median((sizes[b] - sizes[a]) / (b - a) for a, b in combinations(range(len(sizes)), 2))


def comes_and_stays(sizes: Sequence[float], slack: float, *, least: bool = True) -> str:
    """Whether there is more in the last third than in the middle one: at most, or at `least`."""
    for what, of in (("most", max), ("least", min))[: 1 + least]:
        before, then = of(_middle(sizes)), of(_last(sizes))
        if then > before * (1 + NOISE) + slack:
            return f"its {what} was {before:,.0f}, and is {then:,.0f}"
    return ""


def stays(rows: Sequence[float]) -> str:
    """Whether there always is something."""
    least = min(_last(rows))
    return f"never fewer than {least:,.0f}" if least else ""


def late_allowed(samples: Sequence[Sample]) -> float:
    """What the clock goes on by in the time that it takes to forget what is old, and two steps."""
    passed = samples[-1].clock - samples[0].clock
    took = samples[-1].seconds - samples[0].seconds
    return passed * (LATE_SECONDS / took + LATE_STEPS / (len(samples) - 1))


def stays_behind(days: Sequence[float], allowed: float) -> str:
    """Whether there is a row whose time was over long ago."""
    latest = max(days[len(days) // 3 :])
    return f"kept {latest:,.1f} days too long" if latest > allowed else ""


def outgrows(sizes: Sequence[float], samples: Sequence[Sample], slack: float) -> str:
    """Whether more comes with as many events, and in as much time too."""
    first, then = len(sizes) // 3, 2 * len(sizes) // 3
    came, comes = sizes[then] - sizes[first], sizes[-1] - sizes[then]

    def is_more(of: Sequence[float]) -> bool:
        share = (of[-1] - of[then]) / max(1, of[then] - of[first])
        return comes > came * share * (1 + MORE) + slack

    events = [sample.events for sample in samples]
    if not (is_more(events) and is_more([sample.seconds for sample in samples])):
        return ""
    per = [
        PER * size / max(1, of)
        for size, of in ((came, events[then] - events[first]), (comes, events[-1] - events[then]))
    ]
    return f"{per[0]:,.0f} a thousand events, then {per[1]:,.0f}"


def _middle(sizes: Sequence[float]) -> Sequence[float]:
    return sizes[len(sizes) // 3 : 2 * len(sizes) // 3]


def _last(sizes: Sequence[float]) -> Sequence[float]:
    return sizes[2 * len(sizes) // 3 :]


def _by_name[T](samples: Sequence[Mapping[str, T]]) -> dict[str, Sequence[T]]:
    """What is there in all of them: a table that is built meanwhile is another one."""
    names = [name for name in samples[0] if all(name in sample for sample in samples)]
    return {name: [sample[name] for sample in samples] for name in names}
