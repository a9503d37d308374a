"""A file that cannot be read as it should is named with its place; nothing of it is sent then."""

import csv
import gzip
from pathlib import Path

import pytest
from shared_cli.import_file import TOLD_MAX
from shared_cli.main import app
from typer.testing import CliRunner, Result

MAPPING = """
[order]
order_id = "id"
seller_id = { value = "s-1" }
buyer_id = "buyer"
marketplace_id = { value = "market" }
country = { value = "DE" }
currency = { value = "EUR" }
placed_at = "day"
[item]
sku = { value = "LAMP-4" }
[life]
completed = "day"
[[review]]
at = "day"
quality = "stars"
logistics = "stars"
service = "stars"
text = "text"
"""
HEADER = "id,buyer,day,stars,text"
GOOD = "o-1,b-1,2026-01-10,5,Bright"


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "map.toml"
    file.write_text(MAPPING)
    return file


def rows(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def rehearse(file: Path, mapping: Path, *more: str, code: int = 0) -> Result:
    command = ["import", "csv", str(file), "--mapping", str(mapping), "--dry-run", *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == code, result.output
    return result


def test_a_dry_run_shows_the_first_orders_and_sends_nothing(tmp_path: Path, mapping: Path) -> None:
    lines = [GOOD.replace("o-1", f"o-{n}") for n in range(5)]
    shown = rehearse(rows(tmp_path, HEADER, *lines), mapping).stdout
    assert [f'"order_id":"o-{n}"' in shown for n in range(5)] == [True] * 3 + [False] * 2
    assert "row 2:\n" in shown
    assert "5 orders would be sent, 0 are refused here" in shown


def test_a_dry_run_tells_all_refusals_by_their_rows_as_a_spreadsheet_counts(
    tmp_path: Path, mapping: Path
) -> None:
    wrong = [GOOD.replace("5", "6")] * (TOLD_MAX + 2)
    file = rows(tmp_path, HEADER, GOOD, "", 'o-2,b-1,2026-01-10,5,"two\nlines"', *wrong)
    told = rehearse(file, mapping, code=1).stdout
    for number in range(5, 5 + len(wrong)):
        assert f"row {number}: review[0].logistics: '6' is not on the scale 1..5" in told
    assert f"2 orders would be sent, {len(wrong)} are refused here" in told


def test_refused_rows_are_kept_as_they_came_with_what_is_wrong(
    tmp_path: Path, mapping: Path
) -> None:
    left = tmp_path / "left.csv"
    file = rows(tmp_path, HEADER, GOOD, "o-2,b-1,never,5,Bright", "o-3,b-1,2026-01-10,5,a,b")
    rehearse(file, mapping, "--refused", str(left), code=1)
    with left.open(newline="", encoding="utf-8-sig") as kept:
        never, over = csv.DictReader(kept)
    assert (never["id"], never["day"], never["refused_row"]) == ("o-2", "never", "3")
    assert "order.placed_at: 'never' is no date of the form ISO" in never["refused_why"]
    assert over["refused_why"] == "row 4 has more cells than the header"
    mended = rows(tmp_path, *left.read_text(encoding="utf-8-sig").splitlines())
    mended.write_text(mended.read_text().replace("never", "2026-01-10"))
    assert "2 orders would be sent, 0 are" in rehearse(mended, mapping).stdout


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("id,buyer,stars,text", GOOD), "no column day; there are id, buyer, stars, text"),
        ((f"{HEADER},id", GOOD), "more than one column id"),
        ((HEADER, GOOD, 'o-2,b-1,2026-01-10,5,"Bright" indeed'), "after row 2"),
        ((), "no column id, buyer, day, stars, text"),
    ],
)
def test_a_file_that_does_not_fit_its_mapping_is_not_begun(
    tmp_path: Path, mapping: Path, lines: tuple[str, ...], why: str
) -> None:
    output = rehearse(rows(tmp_path, *lines), mapping, code=2).output
    assert why in " ".join(output.replace("│", " ").split())


def test_a_file_in_another_encoding_is_named_with_its_place(tmp_path: Path, mapping: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(f"{HEADER}\n{GOOD}ü".encode("latin-1"))
    assert "can't decode" in rehearse(file, mapping, code=2).output
    mapping.write_text(MAPPING + '[file]\nencoding = "latin-1"\n')
    assert "Brightü" in rehearse(file, mapping).stdout


def test_a_packed_file_is_read_and_a_cut_one_named(tmp_path: Path, mapping: Path) -> None:
    packed = gzip.compress(f"{HEADER}\n{GOOD}\n".encode())
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(packed)
    assert "1 orders would be sent" in rehearse(file, mapping).stdout
    file.write_bytes(packed[:-9])
    assert "Compressed file ended" in rehearse(file, mapping, code=2).output


def test_a_mapping_that_cannot_be_followed_is_named(tmp_path: Path, mapping: Path) -> None:
    file = rows(tmp_path, HEADER, GOOD)
    mapping.write_text("colour = 'red'")
    assert "--mapping" in rehearse(file, mapping, code=2).output
    assert "No such file" in rehearse(file, tmp_path / "none.toml", code=2).output


def test_refusals_are_not_written_over_what_is_read(tmp_path: Path, mapping: Path) -> None:
    file = rows(tmp_path, HEADER, GOOD)
    assert "--refused" in rehearse(file, mapping, "--refused", str(file), code=2).output
    assert file.read_text().endswith(GOOD)


def test_what_names_no_command_is_a_file() -> None:
    result = CliRunner().invoke(app, ["import", "nothing.ndjson"])
    assert (result.exit_code, "No such file" in result.output) == (2, True)
