"""Where `now` comes from: the machine's clock, or one that a developer moves ahead."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared_runtime.settings import Settings

type Clock = Callable[[], datetime]
type SharedClock = Callable[[], Awaitable[datetime]]
"""What rows are dated by that other processes go by: the database's, see `PostgresLog.instant`."""


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def offset_clock(file: Path) -> Clock:
    """The machine's time plus the seconds that the file holds (no file: none).

    The file is read each time: whoever has moved the time finds all processes there, at once.
    """
    return lambda: system_clock() + _offset(file)


def clock_of(settings: Settings) -> Clock:
    """The clock that the settings ask for."""
    return offset_clock(settings.clock_file) if settings.clock_file else system_clock


def _offset(file: Path) -> timedelta:
    try:
        return timedelta(seconds=float(file.read_text()))
    except FileNotFoundError:
        return timedelta(0)
