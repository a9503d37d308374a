"""A file of lines in, orders and reviews in the platform out, and the lines that were refused."""

import asyncio
import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import typer

from shared_cli import bulk, reach
from shared_cli.bulk import Taken
from shared_cli.bulk_line import Answer
from shared_cli.terminal import out, progress

STANDARD_INPUT = Path("-")
TOLD_MAX = 10
"""So many refusals are told at the terminal; `--refused` keeps all."""


class Unreadable(Exception):  # noqa: N818 - the name says what was met
    """The file cannot be read to its end."""


@dataclass(slots=True)
class Refused:
    """The lines of which something was refused: kept in a file, the first ones told."""

    kept: BinaryIO | None
    told: list[str] = field(default_factory=list[str])
    lines: int = 0

    def take(self, line: bytes, answer: Answer) -> None:
        self.lines += 1
        if self.kept is not None:
            self.kept.write(line)
        if len(self.told) < TOLD_MAX:
            why = "; ".join(dict.fromkeys(map(str, answer.problems)))  # an order's are its reviews'
            self.told.append(f"{answer.order_id or 'a line without an order'}: {why}")


def command(file: Path, *, refused: Path | None, url: str | None, as_json: bool) -> None:
    """Raises typer.BadParameter, typer.Exit, or StackError."""
    try:
        with ExitStack() as opened:
            source = opened.enter_context(_open(file))
            kept = opened.enter_context(refused.open("wb")) if refused else None
            review_url = url or reach.service_url("review")
            taken, left = asyncio.run(_import(_lines(source, file), review_url, Refused(kept)))
    except (OSError, Unreadable) as failure:
        raise typer.BadParameter(str(failure), param_hint="FILE") from failure
    if as_json:
        typer.echo(msgspec.json.encode(_as_json(taken, left)))
    else:
        _print(taken, left, refused)
    if left.lines:
        raise typer.Exit(1)


def _open(file: Path) -> BinaryIO:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer
    return cast("BinaryIO", gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")


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


async def _import(
    lines: Iterator[bytes], review_url: str, refused: Refused
) -> tuple[Taken, Refused]:
    async with bulk.client(reach.bearer("IMPORTER")) as web:
        with reach.reaching("review-service"):
            await web.get(f"{review_url}/livez")
        taken = await bulk.send(web, review_url, lines, progress(), refused.take)
    return taken, refused


def _as_json(taken: Taken, refused: Refused) -> dict[str, Any]:
    outcomes = ("accepted", "unchanged", "refused")
    return {
        "lines": taken.lines,
        "orders": {outcome: taken.orders[outcome] for outcome in outcomes},
        "orders_refused": dict(taken.orders_refused),
        "reviews": {outcome: taken.reviews[outcome] for outcome in outcomes},
        "reviews_refused": dict(taken.reviews_refused),
        "reviews_of_refused_orders": taken.unjudged,
        "events": taken.events,
        "tokens": [f"{place}:{position}" for place, position in sorted(taken.tokens.items())],
        "lines_with_refusals": refused.lines,
    }


def _print(taken: Taken, refused: Refused, kept: Path | None) -> None:
    for what, outcomes, rules in (
        ("orders", taken.orders, taken.orders_refused),
        ("reviews", taken.reviews, taken.reviews_refused),
    ):
        why = ", ".join(f"{count:,} {rule}" for rule, count in sorted(rules.items()))
        out.print(
            f"{outcomes.total():,} {what}: {outcomes['accepted']:,} accepted, "
            f"{outcomes['unchanged']:,} there already, {outcomes['refused']:,} refused"
            + (f" ({why})" if why else ""),
            markup=False,
        )
    if taken.unjudged:
        out.print(f"{taken.unjudged:,} reviews of orders that were refused", markup=False)
    for each in refused.told:
        out.print(f"  {each}", markup=False)
    if refused.lines > len(refused.told):
        out.print(f"  and {refused.lines - len(refused.told):,} more", markup=False)
    if refused.lines and kept is not None:
        out.print(f"The {refused.lines:,} lines with refusals are in {kept}.", markup=False)
