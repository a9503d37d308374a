"""What of single facts a reader may see, at both sides of every edge."""

from collections.abc import Callable

import pytest
from reputation_service.domain.explain import Group, explain_counted
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.readers import listed_max
from reputation_service.references import References

DAY = 20_454


@pytest.mark.parametrize(
    ("events", "concealed", "listed"),
    [
        (5, 0, 9),  # nothing is concealed: as many as were asked for
        (5, 1, 0),
        (6, 1, 1),
        (9, 1, 4),
        (15, 1, 9),
        (10, 5, 5),
        (10, 6, 4),  # all of them are in the sum
        (6, 6, 0),
    ],
)
def test_a_fact_that_is_not_shown_is_in_a_sum_of_five(
    events: int, concealed: int, listed: int
) -> None:
    assert listed_max(events, concealed, 9, "HOLDER") == listed
    assert listed_max(events, concealed, 9, "PUBLIC") == listed
    assert listed_max(events, concealed, 9, "STAFF") == 9


def test_concealed_reviews_are_counted_once_and_apart_from_what_counts_less() -> None:
    def group(dimension: str, weight: int, *, concealed: bool, events: int) -> Group:
        return Group(dimension, DAY // 7, weight, 4, True, concealed, False, events)

    explained = explain_counted(
        [
            group(dimension, weight, concealed=concealed, events=events)
            for dimension in ("quality", "logistics", "service")
            for weight, concealed, events in (
                *((0, True, 3), (250, True, 2), (1000, True, 1)),
                *((0, False, 7), (250, False, 6), (1000, False, 5)),
            )
        ],
        DAY,
        DEFAULT,
    )
    assert explained.under_review == 3 + 2 + 1
    assert explained.less == {True: 3 * 7, False: 3 * 6}
    assert explained.less_concealed == {True: 3 * 3, False: 3 * 2}


type Name = Callable[[References], str]


def test_a_name_depends_on_the_key_the_reader_the_seller_and_the_entity() -> None:
    names: list[Name] = [
        lambda made: made.of("PUBLIC/B1", "S1", "r1"),
        lambda made: made.of("PUBLIC/B1", "S1", "r2"),
        lambda made: made.of("PUBLIC/B1", "S2", "r1"),
        lambda made: made.of("PUBLIC/B2", "S1", "r1"),
        # The same characters, divided otherwise.
        lambda made: made.of("PUBLIC/B1S", "1", "r1"),
        lambda made: made.of("PUBLIC/B1", "S1r", "1"),
    ]
    keys = [References(b"one"), References(b"other")]
    made = {name(key) for key in keys for name in names}
    assert len(made) == len(names) * len(keys)
    assert {len(name) for name in made} == {22}
    assert made == {name(key) for key in keys for name in names}
