"""Bulk lines of a file in, all of them sent, and what became of them told."""

import gzip
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import typer

from shared_cli import bulk, reach
from shared_cli.bulk import Refusal, Taken
from shared_cli.terminal import out, progress

STANDARD_INPUT = Path("-")
TOLD_MAX = 10
"""So many refusals are told at the terminal; `--refused` keeps all."""


class Unreadable(Exception):  # noqa: N818 - the name says what was met
    """The file cannot be read to its end."""


@dataclass(slots=True)
class Refusals:
    """How many lines something of was refused, and the first reasons. `at_once`: all of them are
    told, each as it comes.
    """

    at_once: bool = False
    told: list[str] = field(default_factory=list[str])
    lines: int = 0

    def count(self, why: str) -> None:
        self.lines += 1
        if self.at_once:
            out.print(f"  {why}", markup=False)
        elif len(self.told) < TOLD_MAX:
            self.told.append(why)


def opened(file: Path) -> BinaryIO:
    """For reading; what ends in .gz as it was before. Raises OSError."""
    if file == STANDARD_INPUT:
        return sys.stdin.buffer
    return cast("BinaryIO", gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")


def kept_in(refused: Path | None, file: Path) -> Path | None:
    """Where refusals are kept: not where they are read from. Raises typer.BadParameter."""
    if refused is not None and refused.resolve() == file.resolve():
        raise typer.BadParameter("another file than the one that is read", param_hint="--refused")
    return refused


async def send(lines: Iterable[bytes], url: str | None, refusal: Refusal) -> Taken:
    """Sends them as they are drawn. `url`: of review-service, if not the running stack's. Raises
    StackError, and whatever `lines` raises.
    """
    review_url = url or reach.service_url("review")
    async with bulk.client(reach.bearer("IMPORTER")) as web:
        with reach.reaching("review-service"):
            await web.get(f"{review_url}/livez")
        return await bulk.send(web, review_url, lines, progress(), refusal)


def tell(
    taken: Taken, refusals: Refusals, *, as_json: bool, kept: Path | None, what: str = "lines"
) -> None:
    """Prints what became of all. Raises typer.Exit where something was refused."""
    if as_json:
        typer.echo(msgspec.json.encode(_as_json(taken, refusals)))
    else:
        _print_taken(taken)
        tell_refusals(refusals, kept, what)
    if refusals.lines:
        raise typer.Exit(1)


def tell_refusals(refusals: Refusals, kept: Path | None, what: str) -> None:
    for each in refusals.told:
        out.print(f"  {each}", markup=False)
    if refusals.lines > len(refusals.told) and not refusals.at_once:
        out.print(f"  and {refusals.lines - len(refusals.told):,} more", markup=False)
    if refusals.lines and kept is not None:
        out.print(f"The {refusals.lines:,} {what} with refusals are in {kept}.", markup=False)


def _as_json(taken: Taken, refusals: Refusals) -> dict[str, Any]:
    outcomes = ("accepted", "unchanged", "refused")
    return {
        "lines": taken.lines,
        "orders": {outcome: taken.orders[outcome] for outcome in outcomes},
        "orders_refused": dict(taken.orders_refused),
        "reviews": {outcome: taken.reviews[outcome] for outcome in outcomes},
        "reviews_refused": dict(taken.reviews_refused),
        "reviews_of_refused_orders": taken.unjudged,
        "parts": {outcome: taken.parts[outcome] for outcome in outcomes},
        "parts_refused": dict(taken.parts_refused),
        "events": taken.events,
        "tokens": [f"{place}:{position}" for place, position in sorted(taken.tokens.items())],
        "lines_with_refusals": refusals.lines,
    }


def _print_taken(taken: Taken) -> None:
    for what, outcomes, rules in (
        ("orders", taken.orders, taken.orders_refused),
        ("reviews", taken.reviews, taken.reviews_refused),
        ("parts of reviews", taken.parts, taken.parts_refused),
    ):
        if what == "parts of reviews" and not outcomes:
            continue
        why = ", ".join(f"{count:,} {rule}" for rule, count in sorted(rules.items()))
        out.print(
            f"{outcomes.total():,} {what}: {outcomes['accepted']:,} accepted, "
            f"{outcomes['unchanged']:,} there already, {outcomes['refused']:,} refused"
            + (f" ({why})" if why else ""),
            markup=False,
        )
    if taken.unjudged:
        out.print(f"{taken.unjudged:,} reviews of orders that were refused", markup=False)
