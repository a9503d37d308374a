"""Stories that take days in; all of them lived side by side, by one moving clock, out.

A story is a generator. What it gives is what it waits for: that some time goes by, or that
something holds. Time moves on only while nobody waits for anything else, and no further than to
the next instant that somebody waits for: nothing that is due is slept over.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from local_stack.people import PATIENCE_SECONDS, pause_after


class Until(NamedTuple):
    """`shown`: what there is instead, for whoever has waited in vain."""

    holds: Callable[[], bool]
    shown: Callable[[], object]


type Story = Generator[timedelta | Until]


@dataclass(slots=True)
class Life:
    """A story, what it waits for, and since when (by this machine's own clock)."""

    story: Story
    wait: timedelta | Until
    since: float

    def goes_on(self) -> bool:
        """Whether it could. Raises what the story raises, and `StopIteration` at its end."""
        if isinstance(self.wait, timedelta):
            if self.wait > timedelta(0):
                return False
            self.wait = next(self.story)
        elif self.wait.holds():
            self.wait = next(self.story)
        elif time.monotonic() - self.since > PATIENCE_SECONDS:
            raise AssertionError(f"not within {PATIENCE_SECONDS:.0f} s: {self.wait.shown()}")
        else:
            return False
        self.since = time.monotonic()
        return True


def live(stories: Mapping[str, Story], move: Callable[[timedelta], object]) -> dict[str, Exception]:
    """Until all have ended; what went wrong, by the names of those that ended so. `move` moves the
    clock of the stack by so much.
    """
    wrong: dict[str, Exception] = {}
    lives = {name: Life(story, timedelta(0), time.monotonic()) for name, story in stories.items()}
    while lives:
        began = time.monotonic()
        moved = list(_steps(lives, wrong))
        spans = [each.wait for each in lives.values() if isinstance(each.wait, timedelta)]
        if any(moved) or not lives:
            continue
        if len(spans) < len(lives):
            pause_after(time.monotonic() - began)
            continue
        span = min(spans)
        move(span)
        for each in lives.values():
            assert isinstance(each.wait, timedelta)
            each.wait -= span
    return wrong


def _steps(lives: dict[str, Life], wrong: dict[str, Exception]) -> Iterator[bool]:
    """One look at each; those that have ended leave."""
    for name, life in [*lives.items()]:
        try:
            yield life.goes_on()
        except StopIteration:
            del lives[name]
            yield True
        except Exception as failure:  # noqa: BLE001 - the others go on
            wrong[name] = failure
            del lives[name]
            yield True
