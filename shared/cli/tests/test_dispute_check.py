"""Vectors of disputes agree with what the rules decide, or every difference is told."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from shared_cli.dispute_vectors import check_file
from shared_cli.main import app
from typer.testing import CliRunner

POLICY = {"policy_version": "vector", "dispute.answer_days": 4, "dispute.messages_max": 1}
BUYER = {"role": "BUYER", "id": "B1"}
SELLER = {"role": "SELLER", "id": "S1"}
OPENING: dict[str, Any] = {
    "command": {
        "type": "OpenDispute",
        "now": "2025-03-05T08:00:00Z",
        "actor": BUYER,
        "reason": "DAMAGED",
        "proposal_id": "p1",
        "order": {
            "state": "DELIVERED",
            "paid_at": "2025-02-19T08:00:00Z",
            "delivered_at": "2025-03-01T08:00:00Z",
        },
        "units": [{"unit": "L1/1", "open_in": None, "ended_by": None, "withdrawn": 0}],
        "ledger": {
            "units": {"L1/1": 5399},
            "left": ["L1/1"],
            "shipping_minor": 0,
            "order_minor": 5399,
        },
        "open_disputes": 0,
        "withdrawn_disputes": 0,
        "outcome": "REFUND_FULL",
        "lines": [{"line_id": "L1", "quantity": 1}],
    },
    "events": [
        {
            "type": "DisputeOpened",
            "outcome": "REFUND_FULL",
            "held_minor": 5399,
            "answer_due": "2025-03-09T08:00:00Z",
        }
    ],
    "stage": "NEGOTIATING",
}
MESSAGE: dict[str, Any] = {
    "command": {
        "type": "AddDisputeMessage",
        "now": "2025-03-05T09:00:00Z",
        "actor": BUYER,
        "message_id": "m1",
    },
    "events": [{"type": "DisputeMessageAdded", "by_role": "BUYER"}],
}
ONE_TOO_MANY = {
    "command": MESSAGE["command"] | {"message_id": "m2"},
    "refusal": {"name": "limit-reached", "limit": 1},
}
CASES: dict[str, Any] = {
    "policy": POLICY,
    "cases": [{"name": "a few words", "steps": [OPENING, MESSAGE, ONE_TOO_MANY]}],
}
TABLE: dict[str, Any] = {
    "policy": POLICY,
    "actors": {"BUYER": "B1", "SELLER": "S1", "SYSTEM": "dispute"},
    "states": {"open": {"commands": [OPENING["command"]], "try_at": "2025-03-05T09:00:00Z"}},
    "rows": [
        [
            "open",
            "RejectProposal",
            {"BUYER": "wrong-state", "SELLER": ["ProposalRejected"], "SYSTEM": "?"},
        ]
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


def changed(what: Callable[[list[dict[str, Any]]], object]) -> dict[str, Any]:
    """The case with other expectations."""
    case = deepcopy(CASES)
    what(case["cases"][0]["steps"])
    return case


def test_a_case_and_a_table_agree(put: Put) -> None:
    done = runner.invoke(app, ["dispute", "check", str(put(CASES)), str(put(TABLE))])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert check_file(put(TABLE)).values == 2  # what is left open is not compared


def test_every_difference_is_told_with_its_place(put: Put) -> None:
    wrong = put(
        changed(
            lambda steps: (
                steps[0]["events"][0].update(held_minor=1, amount_minor=7),
                steps[2]["refusal"].update(limit=2),
            )
        )
    )
    done = runner.invoke(app, ["dispute", "check", str(wrong)])
    assert done.exit_code == 1
    opening = f"{wrong.name}: a few words, step 1 OpenDispute, event 1 DisputeOpened"
    assert done.stdout.replace("\n", " ").split(f"{wrong.name}: ")[1:] == [
        f"{opening}.amount_minor: expected 7, computed null ".removeprefix(f"{wrong.name}: "),
        f"{opening}.held_minor: expected 1, computed 5399 ".removeprefix(f"{wrong.name}: "),
        "a few words, step 3 AddDisputeMessage.limit: expected 2, computed 1 ",
    ]


def test_another_answer_is_a_difference(put: Put) -> None:
    (difference,) = check_file(put(changed(lambda steps: steps[2].pop("refusal")))).differences
    assert (difference.expected, difference.computed) == ([], "limit-reached")
    (other,) = check_file(put(changed(lambda steps: steps[1].update(events=[])))).differences
    assert (other.expected, other.computed) == ([], ["DisputeMessageAdded"])
    table = deepcopy(TABLE)
    table["rows"][0][2]["SELLER"] = "window-closed"
    (third,) = check_file(put(table)).differences
    assert third.where == "open, RejectProposal by SELLER"


def test_what_should_be_absent_is_a_difference_where_it_is_there(put: Put) -> None:
    asked = changed(
        lambda steps: steps[0]["command"].update(outcome="REFUND_PARTIAL", amount_minor=100)
    )
    names = [each.where.rpartition(".")[2] for each in check_file(put(asked)).differences]
    assert names == ["amount_minor", "held_minor", "outcome"]


BROKEN: list[dict[str, Any]] = [
    {},
    {"cases": []},
    CASES | {"policy": POLICY | {"dispute.answer_days": 99}},
    CASES | {"policy": {"dispute.karma": 1}},
    {"policy": POLICY, "cases": [{"name": "x", "steps": [{"command": {"type": "Jump"}}]}]},
    TABLE | {"states": {"open": {"commands": [MESSAGE["command"]], "try_at": "x"}}},
    TABLE | {"actors": {}},
]


@pytest.mark.parametrize("content", BROKEN)
def test_what_is_no_vector_file_is_said_to_be_none(put: Put, content: object) -> None:
    done = runner.invoke(app, ["dispute", "check", str(put(content))])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
