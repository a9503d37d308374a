"""Values that no bound of their types can judge."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from shared_casework.values import refuse, require_currency, utc
from shared_runtime.decider import InvalidValue


def test_a_value_is_refused_with_its_field_and_what_it_should_have_been() -> None:
    (error,) = refuse("units", "pieces of the order").errors
    assert (error.field, error.bound) == ("units", "pieces of the order")


def test_money_is_in_the_currency_of_the_order() -> None:
    require_currency("EUR", "EUR")
    require_currency(None, "EUR")
    with pytest.raises(InvalidValue):
        require_currency("GBP", "EUR")


def test_an_instant_is_told_in_utc() -> None:
    east = timezone(timedelta(hours=3))
    told = utc(datetime(2025, 3, 1, 12, tzinfo=east))
    assert (told, told.tzinfo) == (datetime(2025, 3, 1, 9, tzinfo=UTC), UTC)
