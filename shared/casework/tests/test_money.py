"""What is left of an order's money, folded from the events of its ledger."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from shared_casework.money import MONEY_EVENTS, Money, MoneyEvent, evolve, money_of
from shared_casework.order_facts import OrderFacts
from shared_events.registry import TYPE_OF
from shared_events.returns import (
    OutsideRefundRecorded,
    PaidUnit,
    RefundedUnit,
    RefundFailed,
    RefundIssued,
    RefundLedgerOpened,
    RefundRequested,
    ReplacedUnit,
    UnitsReplaced,
)
from shared_events.samples import sample

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "refunds"
FILES = [path for path in sorted(FOLDER.glob("*.json")) if not path.name.startswith("11-")]

ORDER = {"order_id": "O-1", "seller_id": "S-1", "buyer_id": "B-1", "policy_version": "ae-2025-1"}
needs_vectors = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/refunds"
)
OPENED = RefundLedgerOpened(
    **ORDER,
    units=[PaidUnit(unit="1/1", paid_minor=1060), PaidUnit(unit="1/2", paid_minor=1061)],
    currency="EUR",
    shipping_minor=490,
    total_minor=2611,
    total_ref_minor=2611,
)


def refund(refund_id: str, unit: str, amount_minor: int, **more: object) -> RefundRequested:
    known = sample(RefundRequested)
    assert isinstance(known, RefundRequested)
    one = structs.replace(
        known,
        **ORDER,
        refund_id=refund_id,
        source="RETURN",
        reissues=None,
        outside_id=None,
        units=[RefundedUnit(unit=unit, amount_minor=amount_minor)],
        shipping_minor=0,
        goodwill_minor=0,
        difference_minor=None,
    )
    return structs.replace(one, **more)


def failed(refund_id: str, *, final: bool) -> RefundFailed:
    known = sample(RefundFailed)
    assert isinstance(known, RefundFailed)
    return structs.replace(known, **ORDER, refund_id=refund_id, final=final)


def issued(refund_id: str) -> RefundIssued:
    known = sample(RefundIssued)
    assert isinstance(known, RefundIssued)
    return structs.replace(known, **ORDER, refund_id=refund_id)


def money_after(*events: MoneyEvent) -> Money:
    money = evolve(None, OPENED)
    for event in events:
        money = evolve(money, event)
    return money


def test_money_that_was_asked_for_is_not_left_until_it_has_failed_for_good() -> None:
    asked = refund("R1", "1/1", 1060)
    assert money_after(asked).remaining.units["1/1"] == 0
    assert money_after(asked, failed("R1", final=False)).remaining.units["1/1"] == 0
    assert money_after(asked, failed("R1", final=True)).remaining.units["1/1"] == 1060


def test_of_a_refund_and_the_one_in_its_place_the_larger_counts() -> None:
    both = (
        refund("R1", "1/1", 1060),
        failed("R1", final=True),
        refund("R2", "1/1", 900, reissues="R1"),
        issued("R2"),
    )
    assert money_after(*both).remaining.units["1/1"] == 160
    assert money_after(*both, issued("R1")).remaining.units["1/1"] == 0
    assert money_after(*both, issued("R1")).remaining.order_minor == 2611 - 1060


def outside(outside_id: str, amount_minor: int, *units: str) -> OutsideRefundRecorded:
    """Money of a bank, all of it for the first of these units."""
    known = sample(OutsideRefundRecorded)
    assert isinstance(known, OutsideRefundRecorded)
    shared = [RefundedUnit(unit=unit, amount_minor=amount_minor) for unit in units[:1]]
    told = {"outside_id": outside_id, "units": shared or None, "total_minor": amount_minor}
    return structs.replace(known, **ORDER, **told)


def test_what_a_unit_has_got_twice_takes_nothing_from_the_others() -> None:
    money = money_after(refund("R1", "1/1", 1060), issued("R1"), outside("X1", 1060, "1/1"))
    assert money.remaining.units == {"1/1": 0, "1/2": 1061}
    assert money.remaining.order_minor == 1061 + 490
    assert money.overpaid_minor == 1060


def test_only_what_is_out_is_overpaid() -> None:
    asked = refund("R1", "1/1", 1060)
    of_no_unit = outside("X1", 2611)
    assert money_after(asked, of_no_unit).overpaid_minor == 0
    assert money_after(asked, of_no_unit, issued("R1")).overpaid_minor == 1060
    again = (asked, failed("R1", final=True), refund("R2", "1/1", 1060, reissues="R1"))
    assert money_after(*again, issued("R1")).overpaid_minor == 0
    assert money_after(*again, issued("R1"), issued("R2")).overpaid_minor == 1060


def test_a_difference_is_of_no_ceiling_but_is_not_paid_twice() -> None:
    first = refund("R1", "1/1", 0, difference_minor=150)
    second = refund("R2", "1/1", 0, difference_minor=150, reissues="R1")
    once = money_after(first, failed("R1", final=True), second, issued("R2"))
    assert (once.remaining.order_minor, once.overpaid_minor) == (2611, 0)
    assert evolve(once, issued("R1")).overpaid_minor == 150


def test_shipping_may_be_given_with_the_last_units_alone() -> None:
    assert money_after().remaining.ceiling_minor(["1/1"]) == 1060
    assert money_after().remaining.ceiling_minor(["1/1", "1/2"]) == 2121 + 490
    assert money_after(refund("R1", "1/1", 1000)).remaining.ceiling_minor(["1/2"]) == 1061 + 490


def order(discount_minor: int) -> OrderFacts:
    """Three pieces at 59.99, shipping 4.90."""
    line = {"line_id": "1", "quantity": 3, "unit_price_minor": 5999, "line_discount_minor": 0}
    total = 3 * 5999 + 490 - discount_minor
    money = {"shipping_minor": 490, "order_discount_minor": discount_minor}
    totals = {"total_minor": total, "total_ref_minor": total}
    return placed(ORDER | {"currency": "EUR", "lines": [line]} | money | totals)


def test_a_discount_is_spread_to_the_last_cent() -> None:
    money = money_of(order(1799))
    assert [each.paid_minor for each in money.units] == [5399, 5399, 5400]
    assert money.shipping_minor == 490


def test_a_discount_above_the_goods_lessens_shipping() -> None:
    money = money_of(order(3 * 5999 + 90))
    assert [each.paid_minor for each in money.units] == [0, 0, 0]
    assert (money.shipping_minor, money.remaining.order_minor) == (400, 400)


def test_goodwill_is_of_no_unit_but_of_the_order() -> None:
    money = money_after(refund("R1", "1/1", 0, source="GOODWILL", goodwill_minor=2000))
    assert [money.remaining.units["1/1"], money.remaining.order_minor] == [1060, 611]
    assert money.remaining.ceiling_minor(["1/1"]) == 611


def test_a_replacement_has_what_was_left_of_its_original() -> None:
    pair = ReplacedUnit(old_unit="1/1", new_unit="1/1.r1", moved_minor=1060, added_minor=40)
    money = money_after(UnitsReplaced(**ORDER, currency="EUR", pairs=[pair]))
    assert [each.unit for each in money.units] == ["1/1", "1/1.r1", "1/2"]
    assert [money.remaining.units[unit] for unit in ("1/1", "1/1.r1")] == [0, 1100]
    assert money.remaining.left == {"1/1.r1", "1/2"}


def money_events(told: list[dict[str, Any]]) -> Iterator[MoneyEvent]:
    """Those of a step that move money. What a vector does not show is as in the samples."""
    for fields in told:
        event_type = TYPE_OF[f"{fields['type']}.v1"]
        if event_type in MONEY_EVENTS:
            known = msgspec.to_builtins(sample(event_type))
            required = {
                field.name: known[field.name]
                for field in msgspec.structs.fields(event_type)
                if field.required
            }
            shown = {name: value for name, value in fields.items() if name != "type"}
            whole = required | shown | {"type": f"{fields['type']}.v1"}
            event: Any = msgspec.convert(whole, event_type)
            yield event


def left(money: Money) -> dict[str, Any]:
    remaining = money.remaining
    return {
        "units": remaining.units,
        "shipping_minor": remaining.shipping_minor,
        "order_minor": remaining.order_minor,
    }


def placed(told: dict[str, Any]) -> OrderFacts:
    """An order as a vector has it."""
    return msgspec.convert(
        {
            "marketplace_id": "example",
            "country": "DE",
            "stage": "PAID",
            "withdrawal_right": True,
            "withdrawal_informed": True,
            "placed_at": "2025-02-20T10:00:00Z",
        }
        | told
        | {"lines": [{"sku": "sku-1", "category": "shoes"} | line for line in told["lines"]]},
        OrderFacts,
    )


@needs_vectors
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_paid_for_each_piece_follows_from_the_order(path: Path) -> None:
    for case in msgspec.json.decode(path.read_bytes())["cases"]:
        told_so = next(step["events"] for step in case["steps"] if step.get("events"))
        opened = next(money_events(told_so))
        told = structs.replace(evolve(None, opened), order_id=case["order"]["order_id"])
        assert money_of(placed(case["order"])) == told, case["name"]


@needs_vectors
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_after_every_event_as_much_is_left_as_the_ledger_says(path: Path) -> None:
    for case in msgspec.json.decode(path.read_bytes())["cases"]:
        money: Money | None = None
        for number, step in enumerate(case["steps"]):
            for event in money_events(step.get("events", [])):
                money = evolve(money, event)
            if money is not None and "left" in step:
                assert left(money) == step["left"], (case["name"], number)
        assert money is not None
        for asked in case["at_end"]["ceilings"]:
            assert money.remaining.ceiling_minor(asked["units"]) == asked["ceiling_minor"], case[
                "name"
            ]
