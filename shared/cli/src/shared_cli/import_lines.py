"""A file of lines in, orders and reviews in the platform out, and the lines that were refused."""

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import typer

from shared_cli import import_file
from shared_cli.bulk_line import Answer
from shared_cli.import_file import Refusals, Unreadable


def command(file: Path, *, refused: Path | None, url: str | None, as_json: bool) -> None:
    """Raises typer.BadParameter, typer.Exit, or StackError."""
    refusals = Refusals()
    try:
        with ExitStack() as stack:
            source = stack.enter_context(import_file.opened(file))
            left = import_file.kept_in(refused, file)
            kept = stack.enter_context(left.open("wb")) if left else None

            def refusal(line: bytes, answer: Answer) -> None:
                if kept is not None:
                    kept.write(line)
                refusals.count(f"{answer.order_id or 'a line without an order'}: {answer.why}")

            taken = asyncio.run(import_file.send(_lines(source, file), url, refusal))
    except (OSError, Unreadable) as failure:
        raise typer.BadParameter(str(failure), param_hint="FILE") from failure
    import_file.tell(taken, refusals, as_json=as_json, kept=refused)


def _lines(source: BinaryIO, file: Path) -> Iterator[bytes]:
    """Each with its end, empty ones left out."""
    number = 0
    try:
        for line in source:
            number += 1
            if told := line.strip():
                yield told + b"\n"
    except (OSError, EOFError, zlib.error) as failure:
        raise Unreadable(f"{file}, after line {number}: {failure}") from failure
