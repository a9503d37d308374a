"""Values in, cells of a CSV file out that no spreadsheet takes for a formula; and back.

A cell that begins like a formula is run by whoever opens the file in a spreadsheet, and what people
write comes from anybody: such a cell is given an apostrophe, by which spreadsheets know a text.
"""

import csv
import io
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of one."""
APOSTROPHE = "'"

type Cell = str | int | bool | None


def as_csv(rows: Iterable[Iterable[Cell]]) -> bytes:
    """Lines of RFC 4180 in UTF-8."""
    written = io.StringIO()
    csv.writer(written).writerows([shown(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def shown(cell: Cell) -> str | int | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return defused(cell) if isinstance(cell, str) else cell


def defused(text: str) -> str:
    """Also one that looks like it already: what was written can be told again."""
    return APOSTROPHE + text if text.lstrip(APOSTROPHE).startswith(FORMULA) else text


def armed(cell: str) -> str:
    """What was written, of a cell that was defused."""
    is_defused = cell.startswith(APOSTROPHE) and cell.lstrip(APOSTROPHE).startswith(FORMULA)
    return cell.removeprefix(APOSTROPHE) if is_defused else cell
