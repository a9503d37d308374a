"""What is started ends with its parent, however the parent ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from local_stack import processes
from local_stack.errors import PortInUse, StackError

PARENT = """
import sys, time
from pathlib import Path
from local_stack import processes
folder = Path(sys.argv[1])
started = processes.start(
    "sleeper", ["sh", "-c", f"echo $$ > {folder}/pid; exec sleep 600"],
    log=folder / "log", remove_orphaned=folder / "data")
print(started.process.pid, flush=True)
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "has not come true in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """A zombie is gone: it only waits for someone to ask how it ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or while it was read
        return True
    return state == "Z"


def read_pid(file: Path) -> int:
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def start_sleeper(folder: Path) -> tuple[processes.Tethered, int]:
    script = f"echo $$ > {folder}/pid; exec sleep 600"
    started = processes.start("sleeper", ["sh", "-c", script], log=folder / "log")
    return started, read_pid(folder / "pid")


def test_a_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE)  # noqa: S603
    assert parent.stdout is not None
    tether = int(parent.stdout.readline())
    child = read_pid(tmp_path / "pid")
    parent.kill()
    parent.communicate()
    eventually(lambda: is_gone(child) and is_gone(tether))
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own tether is Linux's")
def test_a_process_ends_when_its_tether_is_killed(tmp_path: Path) -> None:
    started, child = start_sleeper(tmp_path)
    os.kill(started.process.pid, signal.SIGKILL)
    started.wait()
    eventually(lambda: is_gone(child))


def test_a_process_is_asked_to_stop_and_waited_for(tmp_path: Path) -> None:
    started, child = start_sleeper(tmp_path)
    started.stop()
    assert is_gone(child)


def test_a_process_that_will_not_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 600; done"
    stubborn = processes.start(
        "stubborn", ["sh", "-c", script], log=tmp_path / "log", grace_seconds=0.1
    )
    child = read_pid(tmp_path / "pid")
    stubborn.stop()
    assert is_gone(child)


def test_a_failure_is_told_with_the_last_words(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"setting up failed with code 3(.|\n)*no space left"):
        processes.run(
            ["sh", "-c", "echo no space left >&2; exit 3"], what="setting up", log=tmp_path / "log"
        )


def test_a_port_in_use_is_told_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port}, wanted for Kafka(.|\n)*THE_SETTING"):
            processes.take_port(port, "Kafka", "THE_SETTING")


def test_no_port_is_given_twice_before_anybody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "FREE_PORTS", range(29_000, 29_008))
    first = processes.free_port()
    assert first not in {processes.free_port() for _ in range(3)}
