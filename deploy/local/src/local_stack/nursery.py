"""Requests in, processes of the services out: forks of this one, which has their imports behind it.

    python -m local_stack.nursery MODULE ...

Imports are most of a process's start, and nearly the same for all of them: here they are done
once. Each process that is asked for is a fork that runs what `python -m PACKAGE COMMAND` runs, in
a session, with an environment and with a log of its own.

Requests and reports are lines of JSON on one socket, which is this program's standard input. When
its other end is gone, or on SIGTERM, the children are asked to stop, then killed. However this
program ends, the kernel kills them with it (Linux alone has that).

A fork gets what is there at that moment: so no thread, loop or connection is made here.
"""

import ctypes
import gc
import importlib
import math
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import msgspec
from msgspec import Struct

from local_stack.tether import PR_SET_PDEATHSIG

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
LIBC = ctypes.CDLL(None)
FAILED = 1  # exit codes, as Python and a shell have them
INTERRUPTED = 130
SIGNALLED = 128


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """Run `python -m package command`. `id`: chosen by who asks, never used again."""

    id: int
    package: str
    command: str
    log: str
    env: dict[str, str]
    grace_seconds: float


class Stop(Struct, frozen=True, kw_only=True, tag=True):
    """Ask a child to stop; kill it after its grace."""

    id: int


class Kill(Struct, frozen=True, kw_only=True, tag=True):
    """SIGKILL for a child."""

    id: int


class Begun(Struct, frozen=True, kw_only=True, tag=True):
    """A child runs."""

    id: int
    pid: int


class Ended(Struct, frozen=True, kw_only=True, tag=True):
    """A child has ended, by itself or not. `code`: as a shell has it."""

    id: int
    code: int


type Request = Begin | Stop | Kill
type Report = Begun | Ended

REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


@dataclass(slots=True)
class Child:
    """A fork that has not been waited for yet: its process id is nobody else's."""

    id: int
    pid: int
    grace_seconds: float
    kill_at: float = math.inf


class Nursery:
    """Forks what is asked for and tells how it ended, until its other end is gone."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._wakes, self._waker = os.pipe()
        self._unread = b""
        self._children: dict[int, Child] = {}
        self._stopping = False

    def run(self) -> None:
        self._wake_on_signals()
        while self._children or not self._stopping:
            watched: list[int] = [self._wakes]
            watched += [] if self._stopping else [self._channel.fileno()]
            readable, _, _ = select.select(watched, [], [], self._patience())
            if self._wakes in readable and set(os.read(self._wakes, 64)) - {signal.SIGCHLD}:
                self._stop_all()
            if self._channel.fileno() in readable:
                self._hear()
            self._wait_for_ended()
            self._kill_the_slow()

    def _wake_on_signals(self) -> None:
        """Signals become readable bytes: nothing happens between two steps of the loop."""
        os.set_blocking(self._waker, False)
        for number in HEARD:
            signal.signal(number, _noted)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def _patience(self) -> float | None:
        first = min((child.kill_at for child in self._children.values()), default=math.inf)
        return None if first == math.inf else max(0.0, first - time.monotonic())

    def _hear(self) -> None:
        try:
            heard = self._channel.recv(65536)
        except ConnectionError:
            heard = b""
        if not heard:
            self._stop_all()
            return
        *lines, self._unread = (self._unread + heard).split(b"\n")
        for line in lines:
            self._do(REQUESTS.decode(line))

    def _do(self, request: Request) -> None:
        """What has ended in the meantime is left alone."""
        match request:
            case Begin():
                self._begin(request)
            case Stop(id=asked):
                if (child := self._children.get(asked)) is not None:
                    _ask_to_stop(child)
            case Kill(id=asked):
                if (child := self._children.get(asked)) is not None:
                    os.kill(child.pid, signal.SIGKILL)

    def _begin(self, wanted: Begin) -> None:
        own_id = os.getpid()
        # A signal to the fork waits until it has handlers of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        pid = os.fork()
        if pid == 0:
            self._become(wanted, own_id)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        self._children[wanted.id] = Child(wanted.id, pid, wanted.grace_seconds)
        self._tell(Begun(id=wanted.id, pid=pid))

    def _become(self, wanted: Begin, parent: int) -> NoReturn:
        """The fork's whole life. It never comes back into the loop, whatever happens to it."""
        code = FAILED
        try:
            _tie_to(parent)
            os.setsid()
            _open_standard_files(wanted.log)
            self._channel.close()
            self._let_go_of_signals()
            os.environ.clear()
            os.environ.update(wanted.env)
            gc.enable()
            code = run_module(wanted.package, wanted.command)
        except BaseException:  # noqa: BLE001 - this is the end of the process
            traceback.print_exc()
        finally:
            os._exit(code)

    def _let_go_of_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._wakes)
        os.close(self._waker)
        for number in HEARD:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)

    def _stop_all(self) -> None:
        self._stopping = True
        for child in self._children.values():
            _ask_to_stop(child)

    def _wait_for_ended(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self._children[child.id]
                code = os.waitstatus_to_exitcode(status)
                self._tell(Ended(id=child.id, code=code if code >= 0 else SIGNALLED - code))

    def _kill_the_slow(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if now >= child.kill_at:
                os.kill(child.pid, signal.SIGKILL)
                child.kill_at = math.inf

    def _tell(self, report: Report) -> None:
        try:
            self._channel.sendall(msgspec.json.encode(report) + b"\n")
        except ConnectionError:
            self._stop_all()


def import_whole(name: str) -> None:
    """Imports a module; of a package all that is in it, but for what is meant to be run."""
    module = importlib.import_module(name)
    for part in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        if not part.name.endswith(".__main__"):
            importlib.import_module(part.name)


def run_module(package: str, command: str) -> int:
    """Does what `python -m package command` does; its exit code. All that it wrote is out."""
    sys.argv = [package, command]
    code = 0
    try:
        runpy.run_module(package, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = _code_of(ended)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:  # noqa: BLE001 - this is the end of the process
        traceback.print_exc()
        code = FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _code_of(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    sys.stderr.write(f"{ended.code}\n")
    return FAILED


def _ask_to_stop(child: Child) -> None:
    """Once: who asks again does not prolong the grace."""
    if child.kill_at == math.inf:
        child.kill_at = time.monotonic() + child.grace_seconds
        os.kill(child.pid, signal.SIGTERM)


def _tie_to(parent: int) -> None:
    """The kernel kills this process when its parent ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _open_standard_files(log: str) -> None:
    """Nothing to read; all output at the end of the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


def _noted(_number: int, _frame: FrameType | None) -> None:
    pass


def main(modules: Sequence[str]) -> None:
    channel = socket.socket(fileno=os.dup(0))
    gc.disable()  # what it would find in the forks' memory is theirs to look for
    for module in modules:
        import_whole(module)
    gc.freeze()  # what has been imported stays: no fork looks through it, or copies it for that
    Nursery(channel).run()


if __name__ == "__main__":
    main(sys.argv[1:])
