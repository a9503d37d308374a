"""Forked or on its own, a process runs the same, stops the same, and ends with its parent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from local_stack import starting
from local_stack.errors import StackError
from local_stack.processes import Process
from local_stack.services import Service
from local_stack.starting import MIGRATING, MODULES, Start, inherited, starter

type Started = Callable[[str], Process]

LINUX = sys.platform == "linux"
ONLY_LINUX = pytest.mark.skipif(not LINUX, reason="elsewhere nothing is forked")
SAMPLE = """
import json, os, signal, sys, time
match sys.argv[1:]:
    case ["told"]:
        handlers = [signal.getsignal(number).name for number in (signal.SIGTERM, signal.SIGCHLD)]
        told = {"env": dict(os.environ), "session": os.getsid(0) == os.getpid(),
                "stdin": sys.stdin.read(), "main": sys.argv[0], "handlers": handlers,
                "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
                "files": sorted(int(name) for name in os.listdir("/dev/fd"))[:-1]}
        print(json.dumps(told), flush=True)
        print("last words", file=sys.stderr)
        sys.exit(3)
    case ["broken"]:
        raise OSError("no space left")
    case ["refused"]:
        sys.exit("not like this")
    case ["done"]:
        pass
    case ["deaf"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        time.sleep(600)
    case _:
        print(os.getpid(), flush=True)
        time.sleep(600)
"""
PARENT = """
import sys, time
from pathlib import Path
from local_stack.starting import inherited, starter
folder = Path(sys.argv[1])
with starter(folder, modules=()) as start:
    for name in ("sleep", "deaf"):
        start(name, "sample", name, log=folder / f"{name}.log", env=inherited())
    print("started", flush=True)
    time.sleep(600)
"""


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "has not come true in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """A zombie is gone: it only waits for someone to ask how it ended."""
    state = subprocess.run(  # noqa: S603 - our own question
        ["ps", "-o", "stat=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return not state or state.startswith("Z")


def pid_in(log: Path) -> int:
    """What a process that goes on says when it is there."""
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text().split()[-1])


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package that does as it is told."""
    package = tmp_path / "sample"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SAMPLE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture(params=[pytest.param(True, marks=ONLY_LINUX, id="forked"), False])
def start(
    sample: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Generator[Start]:
    """Both ways to start a process."""
    monkeypatch.setattr(starting, "CAN_FORK", request.param)
    with starter(sample, modules=()) as ready:
        yield ready


@pytest.fixture
def started(start: Start, sample: Path) -> Started:
    """Starts the sample with a command; the log has its name."""

    def by_command(command: str) -> Process:
        return start(command, "sample", command, log=sample / f"{command}.log", env=inherited())

    return by_command


def test_it_has_an_environment_a_session_and_a_log_of_its_own(start: Start, sample: Path) -> None:
    log = sample / "told.log"
    log.write_text("an earlier start's\n")
    env = {"PYTHONPATH": str(sample), "AFTERSALES_PORT": "8101", "LC_ALL": "C.UTF-8"}
    process = start("told", "sample", "told", log=log, env=env)
    assert process.wait() == 3
    assert not process.running()
    earlier, said, words = log.read_text().splitlines()
    told: dict[str, Any] = json.loads(said)
    assert (earlier, words) == ("an earlier start's", "last words")
    assert process.tail() == log.read_text().strip()
    assert told["env"] == env
    assert told["main"] == str(sample / "sample" / "__main__.py")
    assert told["handlers"] == ["SIG_DFL", "SIG_DFL"]
    assert (told["stdin"], told["blocked"], told["files"]) == ("", 0, [0, 1, 2])


@ONLY_LINUX
def test_a_fork_has_a_session_of_its_own(sample: Path) -> None:
    with starter(sample, modules=()) as start:
        start("told", "sample", "told", log=sample / "told.log", env=inherited()).wait()
    assert '"session": true' in (sample / "told.log").read_text()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("done", 0, ""),
        ("broken", 1, "OSError: no space left"),
        ("refused", 1, "not like this"),
    ],
)
def test_its_exit_code_and_last_words_are_those_of_python_itself(
    started: Started, command: str, code: int, words: str
) -> None:
    process = started(command)
    assert process.wait() == code
    assert process.tail().rpartition("\n")[2] == words


def test_it_is_asked_to_stop_and_waited_for(started: Started, sample: Path) -> None:
    process = started("sleep")
    pid = pid_in(sample / "sleep.log")
    assert process.running()
    process.stop()
    assert is_gone(pid)
    assert process.wait() == 128 + signal.SIGTERM
    process.stop()  # again: nothing is left to do


def test_it_can_be_stopped_before_it_has_begun(started: Started) -> None:
    started("sleep").stop()


def test_it_is_killed_when_it_will_not_stop(
    sample: Path, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    monkeypatch.setattr(starting, "GRACE_SECONDS", 0.3)
    process = started("deaf")
    pid = pid_in(sample / "deaf.log")
    process.stop()
    assert is_gone(pid)
    assert process.wait() == 128 + signal.SIGKILL


def test_it_can_be_killed_and_started_again(started: Started, sample: Path) -> None:
    first = started("deaf")
    killed = pid_in(sample / "deaf.log")
    first.kill()
    eventually(lambda: is_gone(killed))
    assert not first.running()
    second = started("deaf")
    eventually(lambda: pid_in(sample / "deaf.log") != killed)
    assert second.running()
    assert not first.running()
    second.kill()


def test_one_that_ends_by_itself_is_noticed(start: Start, sample: Path) -> None:
    service = Service(
        name="review-worker",
        package="sample",
        command="sleep",
        port=1,
        log=sample / "sleep.log",
        env=inherited(),
        starter=start,
    )
    assert not service.running()
    service.start()
    pid = pid_in(service.log)
    assert service.running()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not service.running())
    service.stop()  # nothing is left to do


@pytest.mark.parametrize("can_fork", [pytest.param(True, marks=ONLY_LINUX), False])
def test_nothing_is_left_when_the_parent_is_killed(
    sample: Path, monkeypatch: pytest.MonkeyPatch, *, can_fork: bool
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    lines = f"from local_stack import starting; starting.CAN_FORK = {can_fork}\n"
    lines += "starting.GRACE_SECONDS = 0.3\n" + PARENT
    parent = subprocess.Popen([sys.executable, "-c", lines, sample], stdout=subprocess.PIPE)  # noqa: S603
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    pids = [pid_in(sample / f"{name}.log") for name in ("sleep", "deaf")]
    pids += [parent_of(pid) for pid in pids] if LINUX else []
    parent.kill()
    parent.communicate()
    eventually(lambda: all(is_gone(pid) for pid in pids))


def test_those_that_still_run_are_stopped_at_the_end(sample: Path) -> None:
    if not LINUX:
        pytest.skip("elsewhere whoever starts a process stops it")
    with starter(sample, modules=()) as start:
        start("sleep", "sample", "sleep", log=sample / "sleep.log", env=inherited())
        pid = pid_in(sample / "sleep.log")
    assert is_gone(pid)


@ONLY_LINUX
def test_a_nursery_that_is_killed_takes_its_children_with_it(sample: Path) -> None:
    with starter(sample, modules=()) as start:
        process = start("deaf", "sample", "deaf", log=sample / "deaf.log", env=inherited())
        pid = pid_in(sample / "deaf.log")
        os.kill(parent_of(pid), signal.SIGKILL)
        assert process.wait() == 128 + signal.SIGKILL
        eventually(lambda: is_gone(pid))
        process.stop()
        with pytest.raises(StackError, match="the nursery ended before late was started"):
            start("late", "sample", "sleep", log=sample / "late.log", env=inherited())


@ONLY_LINUX
def test_an_import_that_fails_is_told(sample: Path) -> None:
    with (
        starter(sample, modules=("no_such_module",)) as start,
        pytest.raises(StackError, match="No module named 'no_such_module'"),
    ):
        start("sleep", "sample", "sleep", log=sample / "sleep.log", env=inherited())


@ONLY_LINUX
def test_what_is_imported_starts_no_thread_and_opens_nothing(sample: Path) -> None:
    """A fork would inherit half of it."""
    with starter(sample, modules=(*MODULES, *MIGRATING)) as start:
        start("sleep", "sample", "sleep", log=sample / "sleep.log", env=inherited())
        child = pid_in(sample / "sleep.log")
        nursery = Path(f"/proc/{parent_of(child)}")
        files = sorted(int(entry.name) for entry in (nursery / "fd").iterdir())
        assert len(list((nursery / "task").iterdir())) == 1
        assert files == [0, 1, 2, *files[3:6]]  # its socket, and the pipe that wakes it
        assert len(list(Path(f"/proc/{child}/fd").iterdir())) == 3
