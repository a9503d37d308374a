"""Where `now` comes from: the machine's clock, or one that a developer moves ahead."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared_runtime.settings import Settings

OFFSET_FRESH_SECONDS = 0.05

type Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def offset_clock(file: Path) -> Clock:
    """The machine's time plus the seconds that the file holds (no file: none).

    The file is looked at again when the last look is `OFFSET_FRESH_SECONDS` old, so that all
    processes of a stack follow it together.
    """
    offset = timedelta(0)
    looked_at = float("-inf")

    def now() -> datetime:
        nonlocal offset, looked_at
        if (tick := time.monotonic()) - looked_at >= OFFSET_FRESH_SECONDS:
            offset = _offset(file)
            looked_at = tick
        return system_clock() + offset

    return now


def clock_of(settings: Settings) -> Clock:
    """The clock that the settings ask for."""
    return offset_clock(settings.clock_file) if settings.clock_file else system_clock


def _offset(file: Path) -> timedelta:
    try:
        return timedelta(seconds=float(file.read_text()))
    except FileNotFoundError:
        return timedelta(0)
