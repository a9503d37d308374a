"""A server has so many connections at most: who is waited for gives way."""

import pytest
from shared_runtime.crowd import LATE_SECONDS, At, Crowd


class Line:
    """A connection."""

    def __init__(self) -> None:
        self.is_let_go = False

    def let_go(self) -> None:
        self.is_let_go = True


def crowd_of(most: int, *places: At) -> tuple[Crowd, list[Line]]:
    """One after the other they have come to these, a second apart."""
    crowd, lines = Crowd(most), [Line() for _ in places]
    for second, (line, at) in enumerate(zip(lines, places, strict=True)):
        crowd.opens(line, second)
        crowd.is_at(line, at, second)
    return crowd, lines


def gone(lines: list[Line]) -> list[int]:
    return [n for n, line in enumerate(lines) if line.is_let_go]


@pytest.mark.parametrize(
    ("places", "goes"),
    [
        ([At.HEAD, At.UNDER_WAY, At.REST, At.REST, *[At.WORK] * 4], 2),
        ([At.UNDER_WAY, At.HEAD, At.HEAD, *[At.WORK] * 5], 1),
        ([*[At.WORK] * 6, At.UNDER_WAY, At.HEAD], 7),
    ],
)
def test_who_opens_one_too_many_is_heard_and_the_idlest_goes(places: list[At], goes: int) -> None:
    crowd, lines = crowd_of(8, *places)
    assert gone(lines) == []
    newcomer = Line()
    crowd.opens(newcomer, 8)
    assert gone([*lines, newcomer]) == [goes]


def test_whom_the_server_is_at_work_for_stays() -> None:
    crowd, lines = crowd_of(8, *[At.WORK] * 8)
    newcomer = Line()
    crowd.opens(newcomer, 8)
    assert gone([*lines, newcomer]) == [8]


def test_a_connection_is_as_old_as_what_it_is_at() -> None:
    crowd, lines = crowd_of(8, *[At.REST] * 8)
    crowd.is_at(lines[0], At.REST, 8)  # it was, for longest
    crowd.is_at(lines[1], At.HEAD, 8)
    crowd.is_at(lines[1], At.REST, 8)
    crowd.opens(Line(), 9)
    crowd.opens(Line(), 9)
    assert gone(lines) == [0, 2]


def test_who_has_gone_makes_room() -> None:
    crowd, lines = crowd_of(8, *[At.REST] * 8)
    crowd.leaves(lines[3])
    crowd.opens(Line(), 9)
    assert gone(lines) == []


@pytest.mark.parametrize("requests", [7, 8])
def test_so_many_requests_are_worked_on(requests: int) -> None:
    crowd, lines = crowd_of(8, *[At.WORK] * requests)
    assert crowd.has_room(lines[-1], requests, 9) is (requests == 7)
    assert gone(lines) == []


@pytest.mark.parametrize(("waited", "gives_way"), [(LATE_SECONDS, True), (0.9, False)])
def test_who_is_late_gives_way_to_who_asks(waited: float, gives_way: bool) -> None:
    crowd, lines = crowd_of(8, *[At.WORK] * 3, At.UNDER_WAY, *[At.WORK] * 4)
    assert crowd.has_room(lines[-1], 8, 3 + waited) is gives_way
    assert gone(lines) == ([3] if gives_way else [])


def test_who_does_his_part_is_not_late() -> None:
    crowd, lines = crowd_of(8, At.UNDER_WAY, At.UNDER_WAY, *[At.WORK] * 6)
    crowd.goes_on(lines[0], 8)
    assert crowd.has_room(lines[-1], 8, 8)
    assert gone(lines) == [1]


def test_nobody_gives_way_to_himself() -> None:
    crowd, lines = crowd_of(8, At.UNDER_WAY, *[At.WORK] * 7)
    assert not crowd.has_room(lines[0], 8, 100)


@pytest.mark.parametrize(("tasks", "room"), [(8, True), (9, False)])
def test_what_was_asked_for_by_who_has_gone_counts(tasks: int, room: bool) -> None:
    crowd, lines = crowd_of(8, At.WORK)
    assert crowd.has_room(lines[0], tasks, 1) is room
