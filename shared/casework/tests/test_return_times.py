"""How long goods may be under way back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from shared_casework.return_times import ReturnTimes

DAY = timedelta(days=1)
times = ReturnTimes(version="any")


def test_they_are_back_once_all_three_are_over() -> None:
    assert times.return_back_in == (10 + 45 + 5) * DAY
    assert replace(times, return_ship_by=11 * DAY).return_back_in == 61 * DAY


def test_a_policy_that_has_them_keeps_their_bounds() -> None:
    with pytest.raises(ValueError, match="return_receive"):
        replace(times, return_receive=11 * DAY)
