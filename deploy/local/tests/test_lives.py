"""Stories that are lived side by side: when the clock goes on, how far, and what one that fails
does to the others.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from local_stack import lives
from local_stack.lives import Story, Until, live

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Clock:
    """By which the stories say what they did when."""

    now: timedelta = timedelta(0)
    moves: list[timedelta] = field(default_factory=list[timedelta])
    done: list[tuple[str, timedelta]] = field(default_factory=list[tuple[str, timedelta]])

    def move(self, by: timedelta) -> None:
        self.moves.append(by)
        self.now += by

    def waits(self, name: str, *spans: timedelta) -> Story:
        for span in spans:
            yield span
            self.done.append((name, self.now))


def test_the_clock_goes_to_the_next_instant_that_somebody_waits_for() -> None:
    clock = Clock()
    stories = {"a": clock.waits("a", HOUR, 4 * HOUR), "b": clock.waits("b", 2 * HOUR, 3 * HOUR)}
    assert live(stories, clock.move) == {}
    assert clock.moves == [HOUR, HOUR, 3 * HOUR]
    assert clock.done == [("a", HOUR), ("b", 2 * HOUR), ("a", 5 * HOUR), ("b", 5 * HOUR)]


def test_while_somebody_waits_for_something_else_the_clock_stands_still() -> None:
    clock, looks = Clock(), [False, False, True]

    def sees() -> Story:
        yield Until(lambda: looks.pop(0), lambda: looks)
        clock.done.append(("sees", clock.now))

    assert live({"sleeps": clock.waits("sleeps", HOUR), "sees": sees()}, clock.move) == {}
    assert clock.done == [("sees", timedelta(0)), ("sleeps", HOUR)]


def test_one_that_fails_is_told_of_and_the_others_go_on() -> None:
    clock = Clock()

    def fails() -> Story:
        yield HOUR
        raise AssertionError("there is less")

    wrong = live({"fails": fails(), "goes on": clock.waits("goes on", 2 * HOUR)}, clock.move)
    assert [(name, str(failure)) for name, failure in wrong.items()] == [("fails", "there is less")]
    assert clock.done == [("goes on", 2 * HOUR)]


def test_who_waits_in_vain_says_what_there_was_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "PATIENCE_SECONDS", 0)

    def waits() -> Story:
        yield Until(lambda: False, lambda: ["ReturnRequested"])

    (failure,) = live({"waits": waits()}, Clock().move).values()
    assert str(failure) == "not within 0 s: ['ReturnRequested']"
