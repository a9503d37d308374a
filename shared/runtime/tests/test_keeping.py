"""For how long a topic keeps what is in it, by its configuration."""

import pytest
from shared_runtime.keeping import DAY_MS, kept_at_most

WEEK = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "segment.ms": str(DAY_MS),
}


@pytest.mark.parametrize(
    ("other", "days"),
    [
        ({}, 8),
        ({"segment.ms": str(7 * DAY_MS)}, 14),
        ({"cleanup.policy": "compact,delete"}, 8),
        ({"cleanup.policy": "compact"}, None),
        ({"retention.ms": "-1"}, None),
    ],
)
def test_a_record_is_there_until_the_youngest_of_its_file_is_old_enough(
    other: dict[str, str], days: int | None
) -> None:
    assert kept_at_most(WEEK | other) == (days and days * DAY_MS)
