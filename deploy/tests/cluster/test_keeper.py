"""What runs in namespaces of its own is gone with whoever started it, however he went."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deploy_cluster import machine

SECONDS_MAX = 30.0
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
HOLD = """
import subprocess, sys
keeper = [sys.executable, "-m", "deploy_cluster.keeper", *sys.argv[1:]]
subprocess.Popen(keeper, stdin=subprocess.PIPE, start_new_session=True).wait()
"""
CHANGE = """
set -e
ip link add left type veth peer name right
echo 1 > /proc/sys/net/ipv4/ip_forward
mount -t tmpfs tmpfs "$1/mounted"
echo $$ > "$1/begun"
exec sleep 1000
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="namespaces are root's, and Linux's"
)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    (folder / "mounted").mkdir(parents=True)
    return folder


def groups() -> frozenset[str]:
    return machine.seen(None)["control group"]


def left(folder: Path) -> list[str]:
    """Of what CHANGE does; others are on this machine too."""
    groups = [hierarchy / machine.GROUP for hierarchy in machine.hierarchies()]
    places = [*groups, folder, Path("/sys/class/net/left")]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    return [*(str(place) for place in places if place.exists()), *mounts]


def test_groups_of_the_node_are_seen_and_those_among_others_own_are_not() -> None:
    hierarchy = machine.hierarchies()[0]
    others = hierarchy / "aftersales-test-others"
    others.mkdir()
    try:
        before = groups()
        assert str(others) in before
        (others / "theirs").mkdir()
        assert groups() == before
        machine.make_groups()
        (hierarchy / machine.GROUP / "pod").mkdir()
        assert str(hierarchy / machine.GROUP / "pod") in groups() - before
        machine.remove_groups()
        assert groups() == before
    finally:
        (others / "theirs").rmdir()
        others.rmdir()


def test_a_node_weighs_as_much_as_many_processes() -> None:
    machine.make_groups()
    try:
        groups = [hierarchy / machine.GROUP for hierarchy in machine.hierarchies()]
        weights = [
            (group / name).read_text().strip() == weight
            for group in groups
            for name, weight in machine.WEIGHTS.items()
            if (group / name).exists()
        ]
        assert weights == [True]
    finally:
        machine.remove_groups()


def test_nothing_is_left_of_what_ends_by_itself(folder: Path) -> None:
    machine.make_groups()
    command = (sys.executable, "-m", "deploy_cluster.keeper", folder, "--", "sh", "-c", "exit 7")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as keeper:  # noqa: S603
        assert keeper.wait() == 7
    assert left(folder) == []


def test_nothing_is_left_when_whoever_started_it_is_killed(folder: Path) -> None:
    machine.make_groups()
    assert len(left(folder)) > 1
    forwarded = FORWARD.read_text()
    command = (folder, "--", "sh", "-c", CHANGE, "change", folder)
    with subprocess.Popen([sys.executable, "-c", HOLD, *command]) as holder:  # noqa: S603
        try:
            until((folder / "begun").exists)
        finally:
            holder.send_signal(signal.SIGKILL)
    until(lambda: not folder.exists())
    assert left(folder) == []
    assert FORWARD.read_text() == forwarded
