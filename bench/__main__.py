"""`make bench`: the promises of speed as a table of ratios, all measured in this one run."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

import uvloop
from local_stack.servers import Servers, ephemeral_servers

from bench import (
    appending,
    closings,
    deadlines,
    importing,
    journey,
    peer,
    projecting,
    rebuilding,
    relaying,
    replaying,
    resting,
    returning,
    scoring,
    serving,
)
from bench.measure import Comparison, Ratio, compare
from bench.world import World, world


class Timed(Protocol):
    """What a measurement of a whole stack has found; `holds` is None where there was none."""

    @property
    def holds(self) -> bool | None: ...
    def line(self) -> str: ...


type Row = Callable[[World], Awaitable[Comparison]]

ROWS: dict[str, Row] = {
    "commands": appending.commands,
    "command-alone": appending.alone,
    "batches": appending.batches,
    "relay": relaying.relay,
    "projection": projecting.project,
    "replay": replaying.replay,
    "peer-append": peer.append,
    "peer-projection": peer.project,
}

# Of a whole stack, in seconds.
TIMED: dict[str, Callable[[], Timed]] = {
    "http": serving.measure,
    "journey": journey.measure,
    "at-rest": resting.measure,
    "import": importing.measure,
    "closings": closings.measure,
    "deadlines": deadlines.measure,
    "returns": returning.measure,
    "rebuild": rebuilding.measure,
    "score-reads": scoring.measure_reads,
    "score-explanations": scoring.measure_explanations,
    "score-ranking": scoring.measure_ranking,
    "score-what-if": scoring.measure_trial,
}


async def run(servers: Servers, names: list[str]) -> list[Ratio]:
    ratios: list[Ratio] = []
    for name in names:
        async with world(servers, name.replace("-", "_")) as made:
            ratios.append(await compare(await ROWS[name](made)))
        print(line(ratios[-1]), flush=True)
    return ratios


def line(ratio: Ratio) -> str:
    verdict = "holds" if ratio.holds else "MISSED"
    return (
        f"{ratio.name:44} {ratio.ours:12,.0f} {ratio.unit:11} {ratio.ratio:8.2f} "
        f"(>= {ratio.at_least:g}, {ratio.lowest:.2f}..{ratio.highest:.2f}) {verdict}\n"
        f"  against {ratio.against}: {ratio.raw:,.0f} {ratio.unit}"
    )


def measured(names: list[str]) -> list[Ratio]:
    if not names:
        return []
    with (
        ephemeral_servers(say=lambda what: print(what, file=sys.stderr)) as servers,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(run(servers, names))


def main() -> None:
    every = [*ROWS, *TIMED]
    names = sys.argv[1:] or every
    if unknown := set(names) - set(every):
        sys.exit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    ratios = measured([name for name in names if name in ROWS])
    hold = all(ratio.holds for ratio in ratios)
    not_there: list[str] = []
    for name in (name for name in names if name in TIMED):
        took = TIMED[name]()
        print(took.line())
        if took.holds is None:
            not_there.append(name)
        hold = hold and took.holds is not False
    if not_there:
        print(f"not measured: {', '.join(not_there)}")
    sys.exit(0 if hold else 1)


if __name__ == "__main__":
    main()
