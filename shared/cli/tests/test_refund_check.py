"""Vectors of refunds agree with what the ledger decides, or every difference is told."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from shared_cli.main import app
from shared_cli.refund_vectors import check_file
from typer.testing import CliRunner

SYSTEM = {"role": "SYSTEM", "id": "returns"}
OPENING: dict[str, Any] = {
    "command": {"type": "OpenLedger", "now": "2025-03-01T10:00:00Z", "actor": SYSTEM},
    "events": [
        {"type": "RefundLedgerOpened", "units": [{"unit": "L1/1", "paid_minor": 5399}]},
    ],
    "left": {"units": {"L1/1": 5399}, "shipping_minor": 0, "order_minor": 5399},
}
ASKED: dict[str, Any] = {
    "command": {
        "type": "RequestRefund",
        "now": "2025-03-01T10:01:00Z",
        "actor": SYSTEM,
        "refund_id": "R1",
        "source": "RETURN",
        "source_id": "RT1",
        "units": [{"unit": "L1/1", "standing": "ACCEPTED"}],
    },
    "events": [
        {
            "type": "RefundRequested",
            "units": [{"unit": "L1/1", "amount_minor": 5399}],
            "overdue_at": "2025-03-11T10:01:00Z",
        }
    ],
    "left": {"units": {"L1/1": 0}, "shipping_minor": 0, "order_minor": 0},
}
NOTHING_LEFT: dict[str, Any] = {
    "command": {
        "type": "RequestRefund",
        "now": "2025-03-01T10:02:00Z",
        "actor": {"role": "SELLER", "id": "S1"},
        "refund_id": "G1",
        "source": "GOODWILL",
        "goodwill_minor": 1,
    },
    "refusal": {"name": "already-refunded", "refund_ids": ["R1"]},
}
CASE: dict[str, Any] = {
    "name": "one piece",
    "order": {
        "order_id": "O1",
        "seller_id": "S1",
        "buyer_id": "B1",
        "currency": "EUR",
        "lines": [
            {"line_id": "L1", "quantity": 1, "unit_price_minor": 5399, "line_discount_minor": 0}
        ],
        "order_discount_minor": 0,
        "shipping_minor": 0,
        "total_minor": 5399,
        "total_ref_minor": 5399,
    },
    "steps": [OPENING, ASKED, NOTHING_LEFT],
    "at_end": {
        "refunds": {"R1": "REQUESTED"},
        "settled_minor": 0,
        "outside_minor": 0,
        "overpaid_minor": 0,
        "ceilings": [{"units": ["L1/1"], "ceiling_minor": 0}],
    },
}
FILE: dict[str, Any] = {"policy": {"refund.legal_seconds": 864000}, "cases": [CASE]}

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
    done = runner.invoke(app, ["refund", "check", str(put(FILE))])
    assert (done.exit_code, done.stdout) == (0, "")


def test_every_difference_is_told_with_its_place(put: Put) -> None:
    def wrong(case: dict[str, Any]) -> None:
        case["steps"][1]["events"][0]["units"][0]["amount_minor"] = 1
        case["steps"][1]["left"]["order_minor"] = 2
        case["steps"][2]["refusal"]["refund_ids"] = []
        case["at_end"]["overpaid_minor"] = 3

    path = put(changed(wrong))
    assert runner.invoke(app, ["refund", "check", str(path)]).exit_code == 1
    step = "one piece, step 2 RequestRefund"
    assert differences(path) == [
        (f"{step}, event 1 RefundRequested.units", {"L1/1": 1}, {"L1/1": 5399}),
        (f"{step}, left.order_minor", 2, 0),
        ("one piece, step 3 RequestRefund.refund_ids", [], ["R1"]),
        ("one piece, at the end, overpaid_minor", 3, 0),
    ]


def test_what_should_be_absent_is_a_difference_where_it_is_there(put: Put) -> None:
    asked = changed(
        lambda case: case["steps"][1]["command"].update(source="OFFER", amount_minor=6000)
    )
    ((where, expected, computed),) = differences(put(asked))
    assert where.endswith("RefundRequested.clipped_from_minor")
    assert (expected, computed) == (None, 6000)


def test_another_answer_is_a_difference(put: Put) -> None:
    answered = changed(lambda case: case["steps"][2].pop("refusal"))
    assert differences(put(answered)) == [
        ("one piece, step 3 RequestRefund", [], "already-refunded")
    ]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"rows": []},
        FILE | {"policy": {"refund.legal_seconds": 0}},
        FILE | {"policy": {"refund.karma": 1}},
        changed(lambda case: case["steps"][0]["command"].update(type="Jump")),
    ],
)
def test_what_is_no_vector_file_is_said_to_be_none(put: Put, content: object) -> None:
    done = runner.invoke(app, ["refund", "check", str(put(content))])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
