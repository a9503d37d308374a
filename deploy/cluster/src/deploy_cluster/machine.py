"""What of a machine a node of Kubernetes could change in, what is left of one out.

    before = seen(root)
    …
    left_behind(before, seen(root))     nothing: all is as it was

Rules, links, mounts, control groups and the kernel's settings, each as lines of text.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GROUP = "aftersales-cluster"
"""The control group that is above all of the node's, in every hierarchy."""
WEIGHTS = {"cpu.shares": "16384", "cpu.weight": "1600"}
"""Of its processor time, by the names of both versions: that of sixteen processes. As it is made, a
group weighs as much as one, and all pods together would wait for whatever else runs here."""
SYSCTL = Path("/proc/sys")
UNSTEADY = re.compile(r"kernel/ns_last_pid|kernel/random/|/flush$|vm/stat_refresh")
"""Settings that are none: they change by themselves, or are commands."""
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.1

type Seen = Mapping[str, frozenset[str]]


def seen(root: Path | None) -> Seen:
    """How it is now. `root`: a Debian that has the program which tells rules; without, none are."""
    return {
        "rule": frozenset(_told("chroot", root, "nft", "list", "ruleset") if root else ()),
        "link": frozenset(path.name for path in Path("/sys/class/net").iterdir()),
        "mount": frozenset(line.split()[1] for line in _lines(Path("/proc/mounts"))),
        "control group": frozenset(_groups()),
        "setting": frozenset(_settings()),
    }


def left_behind(before: Seen, after: Seen) -> list[str]:
    """What there is that was not there, and what is gone; a changed setting is both."""
    return [
        f"{what} {how}: {each}"
        for what in before
        for how, these in (
            ("is new", after[what] - before[what]),
            ("is gone", before[what] - after[what]),
        )
        for each in sorted(these)
    ]


def hierarchies() -> list[Path]:
    """Where control groups are: one place, or with their first version one for each controller."""
    mounts = (line.split() for line in _lines(Path("/proc/mounts")))
    return [Path(place) for _, place, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


def make_groups() -> None:
    """The node's own in every hierarchy."""
    for hierarchy in hierarchies():
        group = hierarchy / GROUP
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # of the first version: empty ones take nobody
            if (hierarchy / name).exists() and (group / name).exists():
                (group / name).write_text((hierarchy / name).read_text())
        for name, weight in WEIGHTS.items():
            if (group / name).exists():
                (group / name).write_text(weight)


def remove_groups() -> None:
    """Takes them away, as soon as nobody is in them any more."""
    until_gone([hierarchy / GROUP for hierarchy in hierarchies()], _remove_folders)


def until_gone(paths: Sequence[Path], remove: Callable[[Path], object]) -> None:
    """Removes them again and again, but not for ever: whoever uses them is on his way out."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and (there := [path for path in paths if path.exists()]):
        for path in there:
            remove(path)
        time.sleep(LOOK_SECONDS)


def _remove_folders(top: Path) -> None:
    for folder, _, _ in top.walk(top_down=False):
        with suppress(OSError):  # somebody is in it
            folder.rmdir()


def _groups() -> Iterator[str]:
    """Those at the top, and all below the node's and those that we are in: what begins and ends in
    the others meanwhile is somebody else's.
    """
    paths = (line.split(":", 2)[2].strip("/") for line in _lines(Path("/proc/self/cgroup")))
    tops = {GROUP, *filter(None, paths)}
    for hierarchy in hierarchies():
        yield from (str(folder) for folder in hierarchy.iterdir() if folder.is_dir())
        for top in tops:
            yield from (str(folder) for folder, _, _ in (hierarchy / top).walk())


def _settings() -> Iterator[str]:
    for folder, _, names in SYSCTL.walk():
        for path in (folder / name for name in names):
            name = str(path.relative_to(SYSCTL))
            if path.stat().st_mode & 0o200 and not UNSTEADY.search(name):
                with suppress(OSError, UnicodeDecodeError):  # not to be read
                    yield f"{name} = {path.read_text().strip()}"


def _told(*command: str | Path) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.splitlines()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
