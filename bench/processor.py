"""How much of the processor the processes that this one has started have used."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def processor_seconds(but: str | None = None) -> float:
    """Of all of them, with those that have ended. `but`: not of those that are called so."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            if but is None or but not in (stat.parent / "cmdline").read_text(errors="replace"):
                ticks[int(stat.parent.name)] = sum(map(int, fields[11:15]))
    return sum(used for pid, used in ticks.items() if _is_ours(pid, parents)) / TICKS_A_SECOND


def _is_ours(pid: int, parents: Mapping[int, int]) -> bool:
    while (parent := parents.get(pid)) is not None:
        if parent == os.getpid():
            return True
        pid = parent
    return False
