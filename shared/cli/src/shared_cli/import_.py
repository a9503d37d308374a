"""Files in, orders and reviews in the platform out; of Olist's tables, every row accounted for."""

import asyncio
import csv
import gzip
import time
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO, override

import msgspec
import typer
from typer import Argument, Option, Typer
from typer.core import TyperGroup

from shared_cli import bulk, bulk_line, import_csv, import_lines, import_report, olist, reach
from shared_cli.bulk import Taken
from shared_cli.olist import CsvRow, RowAccount
from shared_cli.terminal import out, progress

SUFFIXES = tuple(infix + suffix for infix in ("", "_dataset") for suffix in (".csv.gz", ".csv"))
COLUMNS = {
    "orders": ("order_id", "customer_id", "order_status", *olist.STEPS, olist.PROMISED),
    "order_items": (
        *("order_id", "order_item_id", "product_id", "seller_id"),
        *("shipping_limit_date", "price", "freight_value"),
    ),
    "order_reviews": ("review_id", "order_id", "review_score", "review_answer_timestamp"),
    "customers": ("customer_id", "customer_unique_id"),
    "products": ("product_id", "product_category_name"),
}
CELL_LENGTH_MAX = 1024 * 1024

FILE = "FILE"


class OfFiles(TyperGroup):
    """What is the name of no command is the name of a file."""

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        named = args if args[0] in self.commands else [FILE, *args]
        return super().resolve_command(ctx, named)


app = Typer(cls=OfFiles, no_args_is_help=True, help="Bring a marketplace's history in.")


@app.callback()
def import_() -> None:
    """Bring a marketplace's history in."""


@app.command("olist")
def olist_command(
    folder: Annotated[Path, Argument(metavar="DIR", help="Where the Olist tables are (CSV, gz).")],
    *,
    url: Annotated[str | None, Option(help="review-service, if not the running stack's.")] = None,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Import the Olist data set: orders with their reviews, and what became of every row.

    Orders come in in the state they reached; the service's rules decide about each of them, and
    rows that they refuse are counted by rule. Doing it again changes nothing.

    Exit code 0 when all rows were judged, 2 when DIR does not hold Olist's tables, 3 when a
    service does not answer.
    """
    try:
        tables = _tables(folder)
        review_url = url or reach.service_url("review")
        done = asyncio.run(_import(tables, review_url, reach.service_url("reputation")))
    except NotOlist as failure:
        raise typer.BadParameter(str(failure), param_hint="DIR") from failure
    if as_json:
        typer.echo(msgspec.json.encode(done.as_json()))
    else:
        _print(done)


@app.command(FILE)
def file_command(
    file: Annotated[
        Path, Argument(metavar="FILE", help="Lines of bulk intake (NDJSON, gz); - for the input.")
    ],
    *,
    refused: Annotated[
        Path | None, Option(metavar="LEFT", help="Keep the lines that were refused here.")
    ] = None,
    url: Annotated[str | None, Option(help="review-service, if not the running stack's.")] = None,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Import orders with their reviews: a line for each, as `POST /v1/orders/bulk` takes them.

    What is refused costs nothing else: mend the lines that `--refused` keeps, and import those.
    Doing it again changes nothing.

    Exit code 0 when all was taken, 1 when something was refused, 2 when FILE cannot be read, 3
    when review-service does not answer.
    """
    import_lines.command(file, refused=refused, url=url, as_json=as_json)


@app.command("csv")
def csv_command(
    file: Annotated[Path, Argument(metavar="FILE", help="Rows (CSV, gz); - for the input.")],
    *,
    mapping: Annotated[
        Path, Option(metavar="MAP.toml", help="Which columns are what: see docs/importing.md.")
    ],
    refused: Annotated[
        Path | None,
        Option(metavar="LEFT", help="Keep the rows that were refused here, and why (CSV)."),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show the first lines and all refusals; send nothing.")
    ] = False,
    url: Annotated[str | None, Option(help="review-service, if not the running stack's.")] = None,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Import reviews as another platform exports them, by a file that says which columns are what.

    Rows that are refused cost nothing else: mend those that `--refused` keeps, and import them with
    the same mapping. Doing it again changes nothing.

    Exit code 0 when all was taken, 1 when something was refused, 2 when FILE or MAP.toml cannot be
    read, 3 when review-service does not answer.
    """
    import_csv.command(
        file, mapping=mapping, refused=refused, dry_run=dry_run, url=url, as_json=as_json
    )


class NotOlist(Exception):  # noqa: N818 - the name says what was met
    """The folder does not hold Olist's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, what became of it, and how long it took from the first byte sent."""

    read: RowAccount
    taken: Taken
    sending_seconds: float
    final_seconds: float
    ranked_seconds: float

    @property
    def orders_a_second(self) -> float:
        return self.taken.lines / self.sending_seconds

    def as_json(self) -> dict[str, Any]:
        seconds = {
            "sending": round(self.sending_seconds, 3),
            "until_last_score_final": round(self.final_seconds, 3),
            "until_all_sellers_ranked": round(self.ranked_seconds, 3),
        }
        rate = round(self.orders_a_second)
        return import_report.as_json(self.read, self.taken) | {
            "seconds": seconds,
            "orders_a_second": rate,
        }


class Table:
    """The rows of a CSV file; `line` is where it is being read."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.path = path
        self.line = 1
        with self.reading(), self._open() as file:
            header = csv.DictReader(file).fieldnames or ()
        if missing := [name for name in columns if name not in header]:
            raise NotOlist(f"{path}: no column {', '.join(missing)}")

    def __iter__(self) -> Iterator[CsvRow]:
        with self._open() as file:
            reader = csv.DictReader(file, restval="")
            for row in reader:
                self.line = reader.line_num
                yield row

    @contextmanager
    def reading(self) -> Generator[None]:
        """What cannot be read is told with its place. Raises `NotOlist`."""
        try:
            yield
        except (OSError, EOFError, zlib.error, csv.Error, ValueError) as failure:
            raise NotOlist(f"{self.path}, line {self.line}: {failure}") from failure

    def _open(self) -> TextIO:
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")


def _tables(folder: Path) -> dict[str, Table]:
    """All of them are looked at before anything is sent."""
    csv.field_size_limit(CELL_LENGTH_MAX)
    return {name: Table(_file(folder, name), columns) for name, columns in COLUMNS.items()}


def _file(folder: Path, table: str) -> Path:
    for suffix in SUFFIXES:
        if (path := folder / f"olist_{table}{suffix}").is_file():
            return path
    raise NotOlist(f"{folder}: no olist_{table}.csv, with or without .gz")


def _joined(tables: dict[str, Table], account: RowAccount) -> olist.Tables:
    """What orders are joined with, in memory: everything but the orders themselves."""
    items, reviews = tables["order_items"], tables["order_reviews"]
    customers, products = tables["customers"], tables["products"]
    with items.reading():
        by_order = olist.items_by_order(items, account)
    with reviews.reading():
        reviewed = olist.reviews_by_order(reviews, account)
    with customers.reading():
        buyers = olist.buyers(customers)
    with products.reading():
        categories = olist.categories(products)
    return olist.Tables(items=by_order, reviews=reviewed, buyers=buyers, categories=categories)


def _lines(orders: Table, joined: olist.Tables, account: RowAccount) -> Iterator[bytes]:
    with orders.reading():
        for line in olist.lines(orders, joined, account):
            yield bulk_line.encode(line)


async def _import(tables: dict[str, Table], review_url: str, reputation_url: str) -> Imported:
    say = progress()
    account = RowAccount()
    async with bulk.client(reach.bearer("IMPORTER")) as web:
        with reach.reaching("review-service"):
            await web.get(f"{review_url}/livez")
        joined = _joined(tables, account)
        say("the tables are read; sending the orders")
        lines = _lines(tables["orders"], joined, account)
        began = time.monotonic()
        taken = await bulk.send(web, review_url, lines, say)
        sent = time.monotonic()
        say(f"{taken.lines:,} orders sent; waiting for the last score")
        with reach.reaching("reputation-service"):
            await bulk.wait_until_final(web, reputation_url, taken)
            final = time.monotonic()
            await bulk.wait_until_ranked(web, reputation_url, taken.tokens)
        ranked = time.monotonic()
    return Imported(
        read=account,
        taken=taken,
        sending_seconds=sent - began,
        final_seconds=final - began,
        ranked_seconds=ranked - began,
    )


def _print(done: Imported) -> None:
    for each in import_report.sums(done.read, done.taken):
        out.print(str(each), markup=False)
    read = done.read
    out.print(
        f"{read.instants_lifted} instants of {read.orders_lifted} orders were before their "
        f"predecessor and taken as its, {read.instants_missing} were missing and taken so too"
    )
    if done.taken.events == 0:
        out.print("Nothing has changed: all of it was there already.", style="bold")
    else:
        out.print(
            f"{done.taken.events:,} events; {done.orders_a_second:,.0f} orders/s; "
            f"{done.final_seconds:.1f} s from the first byte to the last score final, "
            f"{done.ranked_seconds:.1f} s until all sellers are ranked",
            style="bold",
        )
