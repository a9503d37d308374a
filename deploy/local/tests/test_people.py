"""Others are waited for as long as they get on."""

from functools import partial

import pytest
from local_stack import people
from local_stack.people import until


def test_who_gets_on_is_waited_for_and_who_does_not_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(people, "LOOK_SECONDS", 0.0)
    come = iter([1, 2, 5, 5, 6])
    with pytest.raises(AssertionError, match="not within 0 s: all is read"):
        until(lambda: False, "all is read", come=partial(next, come))
    assert next(come) == 6
    looks = iter([False, False, True])
    until(partial(next, looks), "all is read", come=partial(next, iter([1, 2, 3])))


def test_who_does_not_say_how_far_he_is_has_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(AssertionError, match="not within 0 s: it is there"):
        until(lambda: False, "it is there")
