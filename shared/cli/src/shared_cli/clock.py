"""A duration in, the time of the running stack moved by it. Time goes forwards only."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from local_stack import description
from typer import Argument, Typer

from shared_cli.terminal import duration

app = Typer(no_args_is_help=True, help="The time of the running stack.")


@app.command()
def advance(by: Annotated[str, Argument(help="How far: 15d, 36h, 1d12h, 90s.")]) -> None:
    """Move the stack's time ahead; deadlines that pass by it fire."""
    _tell(move(Path(description.running().clock_file), duration(by)))


@app.command()
def show() -> None:
    """Print the stack's time, and how far it is ahead."""
    _tell(offset(Path(description.running().clock_file)))


def move(file: Path, by: timedelta) -> timedelta:
    """Moves a stack's time ahead; how far it is ahead then."""
    moved = offset(file) + by
    unfinished = file.with_suffix(".new")
    unfinished.write_text(f"{moved.total_seconds():.0f}\n")
    unfinished.rename(file)  # readers see the old offset or the new one
    return moved


def offset(file: Path) -> timedelta:
    """How far a stack's time is ahead of this machine's."""
    return timedelta(seconds=int(file.read_text()) if file.exists() else 0)


def _tell(ahead: timedelta) -> None:
    now = datetime.now(UTC) + ahead
    typer.echo(f"{now:%Y-%m-%dT%H:%M:%SZ} ({ahead} ahead)")
