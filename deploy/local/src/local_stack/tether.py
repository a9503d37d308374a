"""A command in, the same command that ends with its parent out, however the parent ends.

    python tether.py [--user nobody] [--signal INT] [--grace 10] [--remove DIR] -- COMMAND ...

The parent holds the other end of this program's standard input. When the parent is gone (also by
SIGKILL) the pipe closes, and the command is asked to stop, then killed. The command in turn is
killed with this program, on Linux. Standard library alone and no package around it: it starts in
a few milliseconds, also under `python -I -S`.
"""

import argparse
import ctypes
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 1.0  # how often the parent's id is looked at, should the pipe have been inherited


def main(arguments: Sequence[str]) -> int:
    asked = _parse(arguments)
    parent = os.getppid()
    wakes = _wake_on_signals()
    child = _start(asked.command, asked.user, asked.stdin)
    asked_to_stop = parent_gone = False
    kill_at = float("inf")
    while child.poll() is None:
        watched = [wakes] if asked_to_stop else [wakes, 0]
        readable, _, _ = select.select(watched, [], [], LOOK_SECONDS)
        signals = os.read(wakes, 64) if wakes in readable else b""
        # The pipe closes a moment before the parent's id changes.
        parent_gone |= os.getppid() != parent or (0 in readable and not os.read(0, 64))
        told = any(number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for number in signals)
        if (parent_gone or told) and not asked_to_stop:
            asked_to_stop = True
            kill_at = time.monotonic() + asked.grace
            child.send_signal(getattr(signal, f"SIG{asked.signal}"))
        if time.monotonic() > kill_at:
            child.kill()
    if asked.remove and (parent_gone or os.getppid() != parent):
        shutil.rmtree(asked.remove, ignore_errors=True)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tether")
    parser.add_argument("--user", help="run the command as this user")
    parser.add_argument("--signal", default="TERM", help="what asks the command to stop")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds until it is killed")
    parser.add_argument(
        "--remove", help="a folder to remove at the end when the parent is gone and cannot"
    )
    parser.add_argument("--stdin", type=int, help="the descriptor that the command reads from")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _wake_on_signals() -> int:
    """Signals become readable bytes: nothing happens between two steps of the loop."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, _noted)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def _noted(_number: int, _frame: FrameType | None) -> None:
    pass


def _start(command: list[str], user: str | None, stdin: int | None) -> subprocess.Popen[bytes]:
    account = pwd.getpwnam(user) if user else None
    own_id = os.getpid()

    def before_exec() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        # After the change of user, which clears it. It is bound to the thread that forks: this
        # program has only one.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != own_id:
                os.kill(os.getpid(), signal.SIGKILL)

    started = subprocess.Popen(  # noqa: S603 - runs what it is given: that is its purpose
        command,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        preexec_fn=before_exec,  # noqa: PLW1509 - single-threaded
    )
    if stdin is not None:
        os.close(stdin)  # it is the command's alone: its end is seen at the other end
    return started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
