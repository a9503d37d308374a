"""What a running stack says about itself in `stack.json`, for the commands that talk to it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from local_stack.databases import Database
from local_stack.errors import StackError

LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Where everything of a stack is."""

    pid: int
    urls: dict[str, str]
    worker_urls: dict[str, str]
    kafka: str
    postgres_url: str
    databases: dict[str, Database]
    issuer: str
    audience: str
    issuer_key: str
    jwks: str
    clock_file: str
    logs: str
    key_databases: dict[str, Database] = field(default_factory=dict[str, Database])
    kek_file: str = ""
    metrics_urls: dict[str, str] = field(default_factory=dict[str, str])
    sandbox_url: str = ""


def stack_folder() -> Path:
    """`AFTERSALES_STACK`, or `.stack` where the command is given."""
    return Path(os.environ.get("AFTERSALES_STACK") or ".stack").absolute()


def save(folder: Path, description: Description) -> None:
    """Readers see the old file or the new one; it holds passwords, so it is the owner's alone."""
    unfinished = folder / ".stack.json"
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(description)))
    unfinished.rename(folder / "stack.json")


def remove(folder: Path) -> None:
    (folder / "stack.json").unlink(missing_ok=True)


def running(folder: Path | None = None) -> Description:
    """The stack that runs in a folder. Raises `StackError` when none does."""
    folder = folder or stack_folder()
    file = folder / "stack.json"
    if not file.exists() or not _is_held(folder):
        raise StackError(
            f"no stack is running in {folder}: `make run` starts one, and "
            "`aftersales stack exec -- COMMAND` one for the time of a command"
        )
    return msgspec.json.decode(file.read_bytes(), type=Description)


@contextlib.contextmanager
def locked(folder: Path, patience_seconds: float) -> Generator[int]:
    """One stack in a folder at a time; yields the descriptor that holds the lock.

    It is passed to every process of the stack, so the lock is free only when the last of them is
    gone: a stack that was killed is waited for, not started into.
    """
    deadline = time.monotonic() + patience_seconds
    with (folder / "lock").open("a") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline or _starter_lives(folder):
                raise StackError(
                    f"another stack is running in {folder}: stop it (Ctrl-C where it was "
                    "started), or give this one another folder with AFTERSALES_STACK"
                )
            time.sleep(LOOK_SECONDS)
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _starter_lives(folder: Path) -> bool:
    """Whether whoever started the stack still runs: then there is nothing to wait for."""
    try:
        told = msgspec.json.decode((folder / "stack.json").read_bytes(), type=Description)
        os.kill(told.pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # another user's
    return True


def _is_held(folder: Path) -> bool:
    try:
        with (folder / "lock").open("r") as file:
            return not _try_lock(file.fileno())
    except FileNotFoundError:
        return False
