"""A CSV file and its mapping in, orders and reviews in the platform out, and the rows that were
refused, to be mended and brought again.

However long the file is, what is in memory are the rows of the requests under way.
"""

import asyncio
import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import typer

from shared_cli import bulk_line, csv_cells, csv_lines, csv_mapping, import_file
from shared_cli.bulk_line import Answer
from shared_cli.csv_lines import Row, Unmapped
from shared_cli.csv_mapping import Mapping, Unusable
from shared_cli.import_file import Refusals, Unreadable
from shared_cli.terminal import out

CELL_LENGTH_MAX = 1024 * 1024
OVER = ""
"""Where the cells of a row go that stand under no header."""
WHERE, WHY = "refused_row", "refused_why"
"""The columns that the file of refused rows has besides; passed over when it comes back."""
SHOWN = 3


class MadeOfRows(bytes):
    """A bulk line that knows its rows."""

    rows: Sequence[Row]

    @classmethod
    def of(cls, line: bytes, rows: Sequence[Row]) -> "MadeOfRows":
        made = cls(line)
        made.rows = rows
        return made


class Table:
    """The rows of an opened file. Raises `Unreadable`, also where the mapping names a column that
    there is not.
    """

    def __init__(self, file: TextIO, path: Path, mapping: Mapping) -> None:
        self._path = path
        self._number = 0
        csv.field_size_limit(CELL_LENGTH_MAX)
        self._reader = csv.reader(
            file, delimiter=mapping.file.delimiter, quotechar=mapping.file.quote, strict=True
        )
        columns = next(self._records(), list[str]())
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise Unreadable(f"{path}: more than one column {', '.join(twice)}")
        if missing := [name for name in mapping.columns if name not in columns]:
            known = ", ".join(columns)
            raise Unreadable(f"{path}: no column {', '.join(missing)}; there are {known}")
        self._columns = columns
        self._read = csv_cells.armed if mapping.file.defused else str
        self.header = [name for name in columns if name not in (WHERE, WHY)]

    def __iter__(self) -> Iterator[Row]:
        for cells in self._records():
            told = dict(zip(self._columns, map(self._read, cells), strict=False))
            if over := cells[len(self._columns) :]:
                told[OVER] = " ".join(over)
            yield Row(self._number, told)

    def _records(self) -> Iterator[list[str]]:
        """Those that are not empty; all are counted."""
        while True:
            try:
                record = next(self._reader, None)
            except (OSError, EOFError, zlib.error, csv.Error, ValueError) as failure:
                raise Unreadable(f"{self._path}, after row {self._number}: {failure}") from failure
            if record is None:
                return
            self._number += 1
            if record:
                yield record


class RefusedRows:
    """The rows of which something was refused, as they came and with what is wrong beside."""

    def __init__(
        self, file: TextIO | None, header: Sequence[str], mapping: Mapping, *, at_once: bool
    ) -> None:
        self.refusals = Refusals(at_once=at_once)
        self._shown = csv_cells.defused if mapping.file.defused else str
        self._writer = None
        if file is not None:
            self._writer = csv.DictWriter(
                file,
                [*header, WHERE, WHY],
                extrasaction="ignore",
                delimiter=mapping.file.delimiter,
                quotechar=mapping.file.quote,
            )
            self._writer.writeheader()

    def take(self, rows: Sequence[Row], why: str) -> None:
        self.refusals.count(f"{named(rows)}: {why}")
        if self._writer is not None:
            for row in rows:
                cells = {name: self._shown(cell) for name, cell in row.cells.items()}
                self._writer.writerow({**cells, WHERE: row.number, WHY: why})

    def take_answer(self, line: bytes, answer: Answer) -> None:
        assert isinstance(line, MadeOfRows)
        self.take(line.rows, answer.why)


def command(
    file: Path,
    *,
    mapping: Path,
    refused: Path | None,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Raises typer.BadParameter, typer.Exit, or StackError."""
    try:
        read = csv_mapping.read_mapping(mapping)
    except (OSError, Unusable) as failure:
        raise typer.BadParameter(str(failure), param_hint="--mapping") from failure
    try:
        with ExitStack() as stack:
            source = stack.enter_context(import_file.opened(file))
            text = io.TextIOWrapper(source, encoding=read.file.encoding, newline="")
            table = Table(text, file, read)
            left = import_file.kept_in(refused, file)
            kept = stack.enter_context(_new(left, read)) if left else None
            rows = RefusedRows(kept, table.header, read, at_once=dry_run)
            lines = _lines(table, read, rows)
            if dry_run:
                _rehearse(lines, rows.refusals, refused)
                return
            taken = asyncio.run(import_file.send(lines, url, rows.take_answer))
    except (OSError, Unreadable) as failure:
        raise typer.BadParameter(str(failure), param_hint="FILE") from failure
    import_file.tell(taken, rows.refusals, as_json=as_json, kept=refused, what="orders")


def named(rows: Sequence[Row]) -> str:
    first, last = rows[0].number, rows[-1].number
    return f"row {first}" if first == last else f"rows {first} to {last}"


def _new(file: Path, mapping: Mapping) -> TextIO:
    return file.open("w", encoding=mapping.file.encoding, newline="")


def _lines(table: Table, mapping: Mapping, refused: RefusedRows) -> Iterator[MadeOfRows]:
    for rows in csv_lines.orders_of(table, mapping):
        if over := [row for row in rows if row.cells.get(OVER)]:
            refused.take(rows, f"{named(over)} has more cells than the header")
            continue
        try:
            line = csv_lines.line_of(rows, mapping)
        except Unmapped as unmapped:
            refused.take(rows, str(unmapped))
        else:
            yield MadeOfRows.of(bulk_line.encode(line), rows)


def _rehearse(lines: Iterator[MadeOfRows], refusals: Refusals, kept: Path | None) -> None:
    """Shows the first lines; what is refused for its cells is told, and nothing is sent."""
    count = 0
    for line in lines:
        count += 1
        if count <= SHOWN:
            out.print(f"{named(line.rows)}:", style="bold")
            out.print(line.decode().rstrip(), markup=False)
    out.print(f"{count:,} orders would be sent, {refusals.lines:,} are refused here")
    import_file.tell_refusals(refusals, kept, "orders")
    if refusals.lines:
        raise typer.Exit(1)
