"""Vectors of accounts and cases agree with what is decided of them, or every difference is told."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from shared_cli.main import app
from shared_cli.points_vectors import check_file
from typer.testing import CliRunner

SYSTEM = {"role": "SYSTEM", "id": "reputation"}
NOW = "2025-01-10T00:00:00Z"
OPENING: dict[str, Any] = {
    "command": {"type": "OpenAccount", "now": NOW, "actor": SYSTEM},
    "events": [{"type": "AccountOpened", "opened_at": NOW, "balance": 100}],
}
PENALTY: dict[str, Any] = {
    "command": {
        "type": "ApplyPenalty",
        "now": NOW,
        "actor": SYSTEM,
        "penalty_id": "P1",
        "case_id": "C1",
        "rule": "UNANSWERED_DISPUTE",
        "points": 2,
        "severity": "MINOR",
    },
    "events": [
        {"type": "PenaltyApplied", "points": 2, "severity": "MINOR", "balance_after": 98},
        {"type": "MeasureApplied", "measure": "WARNING", "starts_at": NOW},
        {"type": "StatementOfReasonsIssued", "recipient_role": "SELLER", "recipient_id": "S1"},
    ],
    "state": {"balance": 98, "status": "ACTIVE", "measures": ["WARNING"]},
}
TOO_MUCH: dict[str, Any] = {
    "command": {
        "type": "GrantProtection",
        "now": NOW,
        "actor": {"role": "SENIOR", "id": "S1"},
        "until": "2025-02-10T00:00:00Z",
        "reason": "FLOOD",
    },
    "refusal": {"name": "conflict-of-interest", "ground": "PARTY"},
}
CASE: dict[str, Any] = {
    "name": "one penalty",
    "stream": "account",
    "account_kind": "SELLER",
    "account_id": "S1",
    "steps": [OPENING, PENALTY, TOO_MUCH],
    "as_of": [
        {"at": NOW, "balance": 98, "active_points": 2, "level": "NORMAL", "measures": ["WARNING"]}
    ],
}
FILE: dict[str, Any] = {
    "policy": {"credit.levels": [80, 60, 40], "credit.term_days": {"MINOR": 90}},
    "cases": [CASE],
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


def changed(what: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The file with other expectations."""
    file = deepcopy(FILE)
    what(file["cases"][0])
    return file


def differences(path: Path) -> list[tuple[str, object, object]]:
    return [(each.where, each.expected, each.computed) for each in check_file(path).differences]


def test_a_case_agrees(put: Put) -> None:
    done = runner.invoke(app, ["points", "check", str(put(FILE))])
    assert (done.exit_code, done.stdout) == (0, "")


def test_every_difference_is_told_with_its_place(put: Put) -> None:
    def wrong(case: dict[str, Any]) -> None:
        case["steps"][1]["events"][0]["balance_after"] = 1
        case["steps"][1]["state"]["status"] = "NOTICE"
        case["steps"][2]["refusal"]["ground"] = "ORGANISATION"
        case["as_of"][0]["level"] = "REDUCED"

    path = put(changed(wrong))
    assert runner.invoke(app, ["points", "check", str(path)]).exit_code == 1
    step = "one penalty, step 2 ApplyPenalty"
    assert differences(path) == [
        (f"{step}, event 1 PenaltyApplied.balance_after", 1, 98),
        (f"{step}, state.status", "NOTICE", "ACTIVE"),
        ("one penalty, step 3 GrantProtection.ground", "ORGANISATION", "PARTY"),
        (f"one penalty, as of {NOW}, level", "REDUCED", "NORMAL"),
    ]


def test_a_measure_or_a_statement_too_few_is_a_difference(put: Put) -> None:
    fewer = changed(lambda case: case["steps"][1].update(events=PENALTY["events"][:1]))
    assert [where.rpartition(", ")[2] for where, _, _ in differences(put(fewer))] == [
        "measures",
        "statements",
    ]


def test_another_answer_is_a_difference(put: Put) -> None:
    answered = changed(lambda case: case["steps"][2].pop("refusal"))
    assert differences(put(answered)) == [
        ("one penalty, step 3 GrantProtection", [], "conflict-of-interest")
    ]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"rows": []},
        FILE | {"policy": {"credit.levels": [60, 80, 40]}},
        FILE | {"policy": {"credit.karma": 1}},
        changed(lambda case: case["steps"][0]["command"].update(type="Jump")),
    ],
)
def test_what_is_no_vector_file_is_said_to_be_none(put: Put, content: object) -> None:
    done = runner.invoke(app, ["points", "check", str(put(content))])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
