"""A history is read page by page; who has missed something of it is told to start again."""

from datetime import UTC, datetime

import pytest
from shared_events.envelope import Recorded
from shared_runtime.decider import InvalidValue
from shared_runtime.history import EventPage, event_page
from shared_runtime.reading import Cursors

AT = datetime(2026, 1, 15, tzinfo=UTC)
CURSORS = Cursors(b"a key of the tests")


def history(*names: str) -> list[Recorded[str]]:
    return [
        Recorded(
            topic="t",
            partition=0,
            position=number,
            event_id=name,
            stream="s",
            version=number,
            type="",
            time=AT,
            recorded_at=AT,
            key="k",
            actor="system:test",
            correlation_id="c",
            causation_id="c",
            event=name,
        )
        for number, name in enumerate(names, 1)
    ]


def page(events: list[Recorded[str]], limit: int = 2, cursor: str | None = None) -> EventPage:
    return event_page(events, "events of S1", limit, cursor, CURSORS)


def names(told: EventPage) -> list[str]:
    return [event.id for event in told.items]


def test_pages_have_every_event_once() -> None:
    for length in range(6):
        events = history(*"abcde"[:length])
        told = first = page(events)
        found = names(first)
        while told.next_cursor:
            told = page(events, cursor=told.next_cursor)
            found += names(told)
        assert found == [*"abcde"[:length]]


def test_what_happens_meanwhile_is_on_the_pages_that_follow() -> None:
    first = page(history(*"abc"))
    assert names(page(history(*"abcd"), cursor=first.next_cursor)) == ["c", "d"]


@pytest.mark.parametrize("now", ["xabc", "axbc"])
def test_who_has_missed_what_came_to_light_before_is_told_to_start_again(now: str) -> None:
    first = page(history(*"abc"))
    with pytest.raises(InvalidValue) as refused:
        page(history(*now), cursor=first.next_cursor)
    assert [error.field for error in refused.value.errors] == ["cursor"]


def test_what_comes_to_light_behind_is_no_reason_to_start_again() -> None:
    first = page(history(*"abc"))
    assert names(page(history(*"abxc"), cursor=first.next_cursor)) == ["x", "c"]


def test_a_cursor_may_be_used_by_somebody_who_knows_less() -> None:
    first = page(history(*"abcd"), limit=3)
    with pytest.raises(InvalidValue):
        page(history("a"), cursor=first.next_cursor)
