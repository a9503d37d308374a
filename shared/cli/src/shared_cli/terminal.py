"""What the commands share at the terminal: telling progress, telling failure, reading durations."""

import re
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any, override

import typer
from local_stack.errors import StackError
from rich.console import Console
from typer.core import TyperGroup

UNAVAILABLE = 3  # exit code: what the command needs does not answer
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


class Commands(TyperGroup):
    """Commands whose expected failures are a message and an exit code, never a traceback."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StackError as failure:
            err.print(str(failure), markup=False)
            raise typer.Exit(UNAVAILABLE) from failure


def progress() -> Callable[[str], None]:
    """Says what is being done, and how long it has taken until then."""
    began = time.monotonic()

    def say(what: str) -> None:
        err.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {what}")

    return say


def duration(text: str) -> timedelta:
    """`15d`, `36h`, `1d12h`, `90s` as a span of time."""
    parts = re.findall(r"(\d+)([dhms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is no duration: 15d, 36h, 1d12h, 90s")
    return sum((timedelta(**{UNITS[unit]: int(n)}) for n, unit in parts), timedelta())


def stop_on_signals() -> None:
    """SIGTERM and a closed terminal end a command in order, like Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
