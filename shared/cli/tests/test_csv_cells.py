"""No cell that we write is a formula, and each tells what was written."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shared_cli.csv_cells import FORMULA, armed, as_csv, defused


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_a_text(formula: str) -> None:
    assert defused(formula) == f"'{formula}"


@pytest.mark.parametrize("text", ["", "a=1", "1", "'quoted'", " =1"])
def test_what_it_would_not_run_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


@given(st.text())
@example("'=1")
@example("''")
def test_each_cell_tells_what_was_written(text: str) -> None:
    assert not defused(text).startswith(FORMULA)
    assert armed(defused(text)) == text


def test_rows_are_written_for_every_reader_of_csv() -> None:
    written = as_csv([["a", "b"], ['=cmd|"x"', 5], [True, None], ["two\nlines", ","]])
    assert list(csv.reader(io.StringIO(written.decode(), newline=""))) == [
        ["a", "b"],
        ['\'=cmd|"x"', "5"],
        ["true", ""],
        ["two\nlines", ","],
    ]
