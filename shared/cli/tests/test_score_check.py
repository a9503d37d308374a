"""Vector files agree with what this release computes, or every difference is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from reputation_service.domain.policy import DEFAULT, policy_data
from shared_cli.checked import NotAVectorFile
from shared_cli.main import app
from shared_cli.vectors import check_file
from typer.testing import CliRunner

NEW_YEAR = 20_454 * 86_400_000_000
REVIEW = {
    "seller_id": "S1",
    "dimension": "quality",
    "entity_id": "r1",
    "version": 1,
    "day": 20_454,
    "weight_milli": 1000,
    "k": 4,
    "recorded_at": NEW_YEAR,
}
CASE: dict[str, Any] = {
    "name": "one five-star review",
    "policy": policy_data(DEFAULT),
    "events": [REVIEW, REVIEW],
    "queries": [
        {
            "seller_id": "S1",
            "as_of": NEW_YEAR,
            "day": 20_454,
            "expect": {
                "recent_milli": 1000,
                "rated": False,
                "dimensions": {"quality": {"n_milli": 1000, "weeks": 1}},
                "evaluations": ["UNRATED", "UNRATED"],
            },
        }
    ],
}

runner = CliRunner()
type Put = Callable[[object], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a value as a JSON file."""

    def write(value: object) -> Path:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        file.write_text(json.dumps(value))
        return file

    return write


def expecting(**changes: object) -> dict[str, Any]:
    """The case with other expectations."""
    case: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(CASE))
    case["queries"][0]["expect"] |= changes
    return case


def test_a_case_agrees(put: Put) -> None:
    checked = check_file(put(CASE))
    assert checked.differences == []
    assert checked.values == 6  # those expected, and that ledger and facts say the same
    done = runner.invoke(app, ["score", "check", str(put(CASE)), str(put(CASE))])
    assert done.exit_code == 0
    assert done.stdout == ""


def test_every_difference_is_told_with_its_place(put: Put) -> None:
    wrong = put(expecting(recent_milli=999, rated=True))
    done = runner.invoke(app, ["score", "check", str(put(CASE)), str(wrong)])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{wrong.name}: queries[0] S1.recent_milli: expected 999, computed 1000",
        f"{wrong.name}: queries[0] S1.rated: expected true, computed false",
    ]


def test_what_if_says_when_a_good_rating_may_lower_a_score(put: Put) -> None:
    case = expecting()
    case["draft"] = policy_data(DEFAULT) | {"policy_id": "cautious", "z_milli": 25_000}
    case["what_if"] = {
        "as_of": NEW_YEAR,
        "expect": {"draft_is_monotone": False, "warnings": []},
    }
    (difference,) = check_file(put(case)).differences
    assert difference.where == "what_if.warnings"
    assert "Under cautious a good rating may lower a seller's score" in str(difference.computed)


def test_numbers_and_truths_are_not_the_same(put: Put) -> None:
    assert len(check_file(put(expecting(rated=0))).differences) == 1


def test_a_name_that_is_not_computed_is_a_difference(put: Put) -> None:
    (difference,) = check_file(put(expecting(karma=1))).differences
    assert (difference.where, difference.computed) == ("queries[0] S1.karma", "not computed")


def test_the_differences_of_all_files_are_one_json_object(put: Put) -> None:
    wrong = put(expecting(recent_milli=999))
    done = runner.invoke(app, ["score", "check", "--json", str(put(CASE)), str(wrong)])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["agree"] is False
    assert [len(file["differences"]) for file in told["files"]] == [0, 1]
    assert told["files"][1]["differences"] == [
        {"where": "queries[0] S1.recent_milli", "expected": 999, "computed": 1000}
    ]


def test_tables_are_checked_number_by_number(put: Put) -> None:
    assert check_file(put({"rows": [[125, 100, 2, 4], [126, 100, 2, 3]]})).differences == []
    (difference,) = check_file(put({"rows": [[126, 100, 2, 4]]})).differences
    assert (difference.expected, difference.computed) == (4, 3)
    table = {"half_life_days": 180, "sha256": "0" * 64, "W": [4294967296, 4278459889]}
    differences = [each.where for each in check_file(put(table)).differences]
    assert "sha256" in differences
    assert "W[0]" not in differences


def test_a_case_with_two_versions_that_disagree_is_no_case(put: Put) -> None:
    contradiction = expecting()
    contradiction["events"] = [REVIEW, REVIEW | {"k": 0}]
    with pytest.raises(NotAVectorFile):
        check_file(put(contradiction))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"policy": {}, "queries": []}',
        b'{"policy": 1, "queries": 2}',
        b'{"rows": [[1, 0, 2, 4]]}',
        b'{"rows": [["x"]]}',
        b'{"half_life_days": 0, "sha256": "", "W": []}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_vector_file_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    done = runner.invoke(app, ["score", "check", str(file)])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert runner.invoke(app, ["score", "check", str(tmp_path / "absent.json")]).exit_code == 2
    assert runner.invoke(app, ["score", "check", str(tmp_path)]).exit_code == 2
