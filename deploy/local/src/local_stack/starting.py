"""A service's package and command in, its running process out: forked where that can be done.

    with starter(logs, keep_open) as start:
        process = start("review-api", "review_service", "api", log=…, env=…)

On Linux from the nursery, which is at its imports as soon as the context is entered; elsewhere a
Python of its own for each. Either way a process ends when this one does.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Protocol

import msgspec

from local_stack import processes
from local_stack.databases import SERVICES
from local_stack.errors import StackError
from local_stack.nursery import Begin, Begun, Ended, Kill, Report, Request, Stop
from local_stack.processes import Process

CAN_FORK = sys.platform == "linux"  # where a fork can be tied to its parent
GRACE_SECONDS = 10.0
NURSERY_GRACE_SECONDS = GRACE_SECONDS + 5  # it waits for its children
KILLED = 137
MODULES = (
    *(f"{name}_service" for name in SERVICES),
    "local_stack.sandboxes",
    "uvicorn.protocols.http.httptools_impl",  # uvicorn loads them when it serves
    "uvicorn.lifespan.on",
)
MIGRATING = ("shared_runtime.migrate",)
"""Half a second that only a new database needs."""

REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


class Start(Protocol):
    """Starts what `python -m package command` runs."""

    def __call__(
        self, name: str, package: str, command: str, *, log: Path, env: Mapping[str, str]
    ) -> Process: ...


def inherited() -> dict[str, str]:
    """Of our own environment, what a service gets: nothing of this project's; caches are kept."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("AFTERSALES_") and key != "PYTHONDONTWRITEBYTECODE"
    }


@contextlib.contextmanager
def starter(
    logs: Path, keep_open: Sequence[int] = (), *, modules: Sequence[str] = MODULES
) -> Generator[Start]:
    """What starts processes; those that still run at the end are stopped."""
    if not CAN_FORK:
        yield partial(_start_alone, keep_open)
        return
    nursery = Nursery(logs / "nursery.log", keep_open, modules)
    try:
        yield nursery.start
    finally:
        nursery.close()


def _start_alone(
    keep_open: Sequence[int],
    name: str,
    package: str,
    command: str,
    *,
    log: Path,
    env: Mapping[str, str],
) -> Process:
    return processes.start(
        name,
        [sys.executable, "-m", package, command],
        log=log,
        env=env,
        grace_seconds=GRACE_SECONDS,
        keep_open=keep_open,
    )


class Nursery:
    """The process that forks the others, and what it has reported. Any thread may use it."""

    def __init__(self, log: Path, keep_open: Sequence[int], modules: Sequence[str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self.process = processes.start(
                "the nursery",
                [sys.executable, "-m", "local_stack.nursery", *modules],
                log=log,
                env=inherited(),
                grace_seconds=NURSERY_GRACE_SECONDS,
                keep_open=keep_open,
                stdin=theirs.fileno(),
            )
        self._ids = count(1)
        self._sending = Lock()
        self._changed = Condition()
        self._pids: dict[int, int] = {}
        self._codes: dict[int, int] = {}
        self._gone = False
        self._listener = Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()

    def start(
        self, name: str, package: str, command: str, *, log: Path, env: Mapping[str, str]
    ) -> "Forked":
        """Returns when the process is there. Raises `StackError` when the nursery is gone."""
        wanted = Begin(
            id=next(self._ids),
            package=package,
            command=command,
            log=str(log.absolute()),
            env=dict(env),
            grace_seconds=GRACE_SECONDS,
        )
        self.ask(wanted)
        with self._changed:
            self._changed.wait_for(lambda: wanted.id in self._pids or self._gone)
            if wanted.id not in self._pids:
                raise StackError(
                    f"{self.process.name} ended before {name} was started; see {self.process.log}\n"
                    f"{self.process.tail()}"
                )
            return Forked(name, log, self._pids[wanted.id], wanted.id, self)

    def ask(self, request: Request) -> None:
        """Lines are sent whole. A nursery that is gone has taken its children with it."""
        with self._sending, contextlib.suppress(OSError):
            self._channel.sendall(msgspec.json.encode(request) + b"\n")

    def code(self, child: int) -> int | None:
        """How a child ended; None while it runs."""
        with self._changed:
            return self._code(child)

    def wait(self, child: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._code(child) is not None)
            code = self._code(child)
        assert code is not None
        return code

    def close(self) -> None:
        """It stops the children that still run, and ends."""
        with contextlib.suppress(OSError):  # it is gone
            self._channel.shutdown(socket.SHUT_RDWR)
        self.process.stop()
        self._listener.join()
        self._channel.close()

    def _code(self, child: int) -> int | None:
        return self._codes.get(child, KILLED if self._gone else None)

    def _listen(self) -> None:
        with self._channel.makefile("rb") as lines, contextlib.suppress(ConnectionError):
            for line in lines:
                self._note(REPORTS.decode(line))
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _note(self, report: Report) -> None:
        with self._changed:
            match report:
                case Begun(id=child, pid=pid):
                    self._pids[child] = pid
                case Ended(id=child, code=code):
                    self._codes[child] = code
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Forked:
    """A process that the nursery has forked; it ends when this one does."""

    name: str
    log: Path
    pid: int
    id: int
    nursery: Nursery

    def running(self) -> bool:
        return self.nursery.code(self.id) is None

    def stop(self) -> None:
        """Asks it to stop and waits; the nursery kills what takes longer than its grace."""
        self.nursery.ask(Stop(id=self.id))
        self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self.nursery.ask(Kill(id=self.id))
        self.wait()

    def freeze(self) -> None:
        """SIGSTOP: it is there, and does nothing. To itself, since it may have no group yet."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> int:
        return self.nursery.wait(self.id)

    def tail(self) -> str:
        """The last lines that it wrote."""
        return processes.tail(self.log)
