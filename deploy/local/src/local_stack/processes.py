"""A command in, a running process that ends with us out; its output in a file."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local_stack.errors import PortInUse, StackError

TETHER = Path(__file__).with_name("tether.py")
LOOK_SECONDS = 0.05
TAIL_LINES = 15
# Below the ports that systems hand out for outgoing connections: one that is free now is still
# free when a server is stopped and started again on it.
FREE_PORTS = range(20_000, 32_000)
FREE_PORT_TRIES = 200
_given: set[int] = set()


class Process(Protocol):
    """What can be done with a process that was started, whichever way."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    def running(self) -> bool: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def wait(self) -> int: ...
    def tail(self) -> str: ...


@dataclass(slots=True)
class Tethered:
    """A process that ends when this one does."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """Asks it to stop and waits; the tether kills what takes longer than its grace."""
        if self.running():
            self.process.terminate()
        self.wait()

    def kill(self) -> None:
        """SIGKILL, to the process and its tether at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def wait(self) -> int:
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    def tail(self) -> str:
        """The last lines that it wrote."""
        return tail(self.log)


def tail(log: Path) -> str:
    """The last lines of a log, if there are any."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: str = "TERM",
    grace_seconds: float = 10.0,
    remove_orphaned: Path | None = None,
    keep_open: Sequence[int] = (),
    stdin: int | None = None,
) -> Tethered:
    """Starts a command whose life is tied to this process.

    `keep_open`: descriptors that its tether keeps. `stdin`: one that becomes the command's.
    """
    tether: list[str | Path] = [sys.executable, "-I", "-S", TETHER]
    tether += ["--signal", stop_signal, "--grace", str(grace_seconds)]
    tether += ["--user", user] if user else []
    tether += ["--remove", remove_orphaned] if remove_orphaned else []
    tether += [] if stdin is None else ["--stdin", str(stdin)]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the stack's own commands
            [*tether, "--", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            start_new_session=True,  # Ctrl-C is for the one who orders the shutdown
            pass_fds=[*keep_open, *([] if stdin is None else [stdin])],
        )
    return Tethered(name=name, log=log, process=process)


def run(command: Sequence[str | Path], *, what: str, log: Path, user: str | None = None) -> None:
    """Runs a tethered command to its end; a failure is told with its last lines."""
    process = start(what, command, log=log, user=user)
    if code := process.wait():
        raise StackError(f"{what} failed with code {code}; see {log}\n{process.tail()}")


def wait_until(
    is_ready: Callable[[], bool], process: Process, *, seconds: float, ready: str
) -> None:
    """Waits for a process to be `ready`; says what it wrote when it ends or is too slow."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if not process.running():
            raise StackError(f"{process.name} ended; see {process.log}\n{process.tail()}")
        if time.monotonic() > deadline:
            raise StackError(
                f"{process.name} is not {ready} after {seconds:.0f} s; see {process.log}\n"
                f"{process.tail()}"
            )
        time.sleep(LOOK_SECONDS)


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def take_port(port: int, purpose: str, setting: str) -> int:
    """The port asked for, or a free one for 0. Raises `PortInUse`."""
    if port == 0:
        return free_port()
    if not _can_bind(port):
        raise PortInUse(
            f"port {port}, wanted for {purpose}, is in use by another process. Stop that process "
            f"(`ss -ltnp 'sport = :{port}'` names it), or choose another port with {setting}."
        )
    return port


def free_port() -> int:
    """One that nobody listens at, and that this process has not given before: whoever got it may
    be yet to bind it.
    """
    for _ in range(FREE_PORT_TRIES):
        port = secrets.choice(FREE_PORTS)  # tests seed what `random` gives
        if port not in _given and _can_bind(port):
            _given.add(port)
            return port
    raise PortInUse(f"no free port found between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
