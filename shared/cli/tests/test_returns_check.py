"""Vectors of requests for returns agree with the service's tables, or every difference is told."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from shared_cli.main import app
from shared_cli.returns_vectors import check_file
from typer.testing import CliRunner

ROW: dict[str, Any] = {
    "request": {
        "origin": "BUYER",
        "kind": "CLAIM",
        "reason": "MISSING_PARTS",
        "value_ref_minor": 5399,
        "measures": ["WARNING"],
        "fast_returns_on_order": 0,
        "exposure_ref_minor": 0,
        "days_since_rejected_advance": None,
        "photo": True,
        "sizes": False,
        "wants": "REFUND",
        "asked_minor": 1000,
        "paid_minor": 5399,
    },
    "expect": {
        "matched": "D3",
        "authorized": False,
        "review_by": "SELLER",
        "answer_days": 5,
        "seller_silent": {"kind": "CLAIM", "amount_minor": 1000},
    },
}
FILE: dict[str, Any] = {"policy": {"return.seller_answer_days": 5}, "rows": [ROW]}

runner = CliRunner()


def put(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(content))
    return file


def test_a_file_agrees(tmp_path: Path) -> None:
    done = runner.invoke(app, ["returns", "check", str(put(tmp_path, FILE))])
    assert (done.exit_code, done.stdout) == (0, "")


def test_every_difference_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = deepcopy(FILE)
    wrong["rows"][0]["expect"] |= {"matched": "D6", "lane": "FAST"}
    path = put(tmp_path, wrong)
    assert runner.invoke(app, ["returns", "check", str(path)]).exit_code == 1
    row = "row 1 CLAIM MISSING_PARTS"
    told = [(each.where, each.expected, each.computed) for each in check_file(path).differences]
    assert told == [(f"{row}.lane", "FAST", None), (f"{row}.matched", "D6", "D3")]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"cases": []},
        FILE | {"policy": {"return.seller_answer_days": 0}},
        FILE | {"policy": {"return.karma": 1}},
        FILE | {"rows": [{"request": {"kind": "GIFT"}, "expect": {}}]},
    ],
)
def test_what_is_no_vector_file_is_said_to_be_none(tmp_path: Path, content: object) -> None:
    done = runner.invoke(app, ["returns", "check", str(put(tmp_path, content))])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
