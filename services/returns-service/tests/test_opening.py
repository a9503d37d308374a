"""What was paid for each piece, when the ledger of an order is opened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns_service.domain.opening import OpenLedger
from returns_service.testing import (
    BUYER,
    NOW,
    ORDER_A,
    ORDER_B,
    ORDER_D,
    at,
    history,
    ledger_after,
    line,
    opened,
    order,
    played,
    say,
)
from shared_casework.order_facts import OrderFacts
from shared_events.returns import PaidUnit, RefundLedgerOpened
from shared_runtime.decider import NotFound, RoleNotAllowed


def paid(of: OrderFacts) -> list[int]:
    return [each.paid_minor for each in ledger_after(opened(of)).money.units]


def test_a_paid_order_has_a_ledger() -> None:
    units = [("1/1", 5399), ("1/2", 5399), ("1/3", 5400)]
    played(opened()).then(
        RefundLedgerOpened(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="ae-2025-1",
            units=[PaidUnit(unit=unit, paid_minor=amount) for unit, amount in units],
            currency="EUR",
            shipping_minor=0,
            total_minor=16198,
            total_ref_minor=16198,
        )
    )


def test_it_is_opened_once_however_often_the_payment_is_told() -> None:
    again = say(OpenLedger(), NOW, order=ORDER_B)
    played(again, after=history(opened())).then_nothing()


def test_it_waits_for_its_order() -> None:
    played(say(OpenLedger(), at(1), order=None)).then_refused(NotFound)


def test_nobody_opens_one_in_person() -> None:
    played(say(OpenLedger(), at(1), BUYER)).then_refused(RoleNotAllowed)


@pytest.mark.parametrize(
    ("of", "shares"),
    [
        (order(line("1", 3, 5999), discount=1800), [5399, 5399, 5399]),  # worked case 32
        (ORDER_A, [5399, 5399, 5400]),  # 33
        (ORDER_B, [1060, 1061, 678]),  # 34
        (ORDER_D, [966, 967, 967]),  # 35
        (order(line("1", 2, 12345), discount=1001, currency="KWD"), [11844, 11845]),  # G18
        (order(line("1", 1, 600), line("2", 1, 400), discount=100), [540, 360]),  # G02
        (order(line("1", 3, 1000, 100)), [966, 967, 967]),  # G03
        (order(line("1", 6, 5000), discount=3000), [4500] * 6),  # G40
        (
            order(line("1", 2, 4339), line("2", 20, 366), discount=999),  # G04
            [4068, 4068, *[344] * 3, *[343] * 17],
        ),
    ],
)
def test_discounts_are_spread_to_the_last_minor_unit(of: OrderFacts, shares: list[int]) -> None:
    assert sorted(paid(of)) == sorted(shares)
    assert sum(paid(of)) + of.shipping_minor == of.total_minor


def test_a_missing_unit_goes_to_the_largest_remainder_and_of_equal_ones_to_the_earlier() -> None:
    assert paid(ORDER_D) == [966, 967, 967]
    assert paid(order(line("1", 1, 1), line("2", 1, 2), line("3", 1, 3), discount=2)) == [1, 1, 2]


def test_a_discount_beyond_the_goods_lessens_shipping() -> None:
    ledger = ledger_after(opened(order(line("1", 1, 500), discount=590, shipping=490)))
    assert ledger.opened.units == [PaidUnit(unit="1/1", paid_minor=0)]
    assert (ledger.opened.shipping_minor, ledger.opened.total_minor) == (400, 400)


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    """Any, up to amounts of which a float would get the last digits wrong."""
    prices = st.integers(0, draw(st.sampled_from([3, 1000, 10**12])))
    lines = [
        line(str(number), draw(st.integers(1, 4)), draw(prices))
        for number in range(1, 1 + draw(st.integers(1, 4)))
    ]
    goods = sum(each.quantity * each.unit_price_minor for each in lines)
    shipping = draw(st.integers(0, 500))
    discount = draw(st.integers(0, goods + shipping))
    return order(*lines, discount=discount, shipping=shipping)


@given(orders())
def test_paid_shares_and_shipping_are_the_total(of: OrderFacts) -> None:
    told = ledger_after(opened(of)).opened
    assert sum(each.paid_minor for each in told.units) + told.shipping_minor == told.total_minor
    goods = sum(each.quantity * each.unit_price_minor for each in of.lines)
    if goods:
        discount = min(of.order_discount_minor, goods)
        prices = [each.unit_price_minor for each in of.lines for _ in range(each.quantity)]
        for unit, price in zip(told.units, prices, strict=True):
            # Less than one whole unit from the exact share, in integers.
            assert abs((price - unit.paid_minor) * goods - discount * price) < goods
