"""Refunds against a provider that misbehaves, on a whole stack; and a day reconciled by hand."""

import json
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from local_stack import companies
from local_stack.people import now
from local_stack.services import Stack
from shared_cli.main import app
from shared_cli.refund_torture import Figures, Torture, WantedTorture, lines_of
from typer.testing import CliRunner

GOOD = Figures(refunds=2, seed=1, settled=2, asked_minor=5, paid_minor=5, issued_minor=5)


def test_i19_no_refund_is_paid_twice_and_all_are_settled(stack: Stack) -> None:
    wanted = WantedTorture(refunds=80, seed=3, kill_every=2)
    figures = Torture(stack, wanted, say=lambda _: None).run()
    assert figures.is_good, lines_of(figures)
    assert (figures.settled, figures.doubles, figures.unclear) == (80, 0, 0)
    assert figures.kills >= 1
    assert figures.met["TIME_OUT_BEFORE"] > 0
    assert figures.met["TIME_OUT_AFTER"] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"settled": 1},
        {"doubles": 1},
        {"unpaid": 1},
        {"different": 1},
        {"overpaid": 1},
        {"unclear": 1},
        {"paid_minor": 6},
        {"issued_minor": 4},
    ],
)
def test_what_is_wrong_is_seen(wrong: dict[str, int]) -> None:
    assert GOOD.is_good
    for name, value in wrong.items():
        figures = Figures(refunds=2, seed=1, settled=2, asked_minor=5, paid_minor=5, issued_minor=5)
        setattr(figures, name, value)
        assert not figures.is_good


def test_a_day_is_reconciled_at_the_terminal(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_STACK", str(stack.folder))
    day = now(stack).date()
    name = f"t-{uuid4().hex[:10]}"
    httpx.post(
        f"{stack.description.sandbox_url}/payments/v1/refunds",
        json={"reference": name, "order_ref": name, "amount_minor": 100, "currency": "EUR"},
        headers={"Authorization": f"Bearer {companies.KEY}", "Idempotency-Key": name},
    ).raise_for_status()
    told = CliRunner().invoke(app, ["refund", "reconcile", "--day", str(day), "--json"])
    assert told.exit_code == 1, told.output
    unknown = [each["refund_id"] for each in json.loads(told.stdout)["only_theirs"]]
    assert name in unknown
    read = CliRunner().invoke(app, ["refund", "reconcile", "--day", str(day)])
    assert f"only_theirs  {name} of {name}: 100 EUR, there PAID, here not" in read.stdout
    wrong = [str(day + timedelta(days=2)), "yesterday"]
    for each in wrong:
        assert CliRunner().invoke(app, ["refund", "reconcile", "--day", each]).exit_code == 2
