"""What a problem says besides its rule."""

from datetime import UTC, datetime, timedelta

import pytest
from shared_runtime.decider import RateLimited, Refused
from shared_runtime.problems import NotYetVisible, Unavailable, problem
from shared_runtime.testing import ManualClock

NOW = datetime(2026, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("refused", "seconds"),
    [
        (RateLimited(retry_at=NOW + timedelta(seconds=86_399)), "86399"),
        (RateLimited(retry_at=NOW + timedelta(seconds=86_399, microseconds=1)), "86400"),
        (RateLimited(retry_at=NOW), "1"),
        (RateLimited(retry_at=NOW - timedelta(days=1)), "1"),
        (NotYetVisible(), "1"),
        (Unavailable(), "1"),
    ],
)
def test_who_waits_as_long_as_he_is_told_is_not_too_early(refused: Refused, seconds: str) -> None:
    assert problem(refused, now=ManualClock(NOW)).headers["Retry-After"] == seconds
