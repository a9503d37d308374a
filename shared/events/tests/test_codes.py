"""Currencies and countries are those that there are, or were when the order was placed."""

import pytest
from shared_events.codes import (
    COUNTRIES,
    CURRENCIES,
    WITHDRAWN_COUNTRIES,
    WITHDRAWN_CURRENCIES,
    is_country,
    is_currency,
)


@pytest.mark.parametrize("code", ["EUR", "USD", "BRL", "JPY", "XCG", "BGN", "DEM"])
def test_a_currency_is_one_of_today_or_of_then(code: str) -> None:
    assert is_currency(code)


@pytest.mark.parametrize("code", ["", "eur", "ZZZ", "EURO", "EU", "EUR\n"])
def test_what_is_no_currency(code: str) -> None:
    assert not is_currency(code)


@pytest.mark.parametrize("code", ["DE", "BR", "GB", "AN"])
def test_a_country_is_one_of_today_or_of_then(code: str) -> None:
    assert is_country(code)


@pytest.mark.parametrize("code", ["", "de", "XX", "UK", "DEU", "DE\n"])
def test_what_is_no_country(code: str) -> None:
    assert not is_country(code)


def test_the_lists_are_whole_and_well_formed() -> None:
    assert {len(code) for code in CURRENCIES} == {3}
    assert {len(code) for code in COUNTRIES} == {2}
    assert len(CURRENCIES - WITHDRAWN_CURRENCIES) > 150
    assert len(COUNTRIES - WITHDRAWN_COUNTRIES) > 240
