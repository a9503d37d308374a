"""Answers that nobody reads are no more than a process has room for."""

import asyncio
from collections.abc import Sequence

import pytest
from shared_runtime.connections import Unread


class Line(asyncio.Transport):
    """A connection on which so much waits to be read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.is_cut_off = False

    def get_write_buffer_size(self) -> int:
        return self.size

    def abort(self) -> None:
        self.is_cut_off = True


@pytest.mark.parametrize(
    ("waiting", "cut_off"),
    [
        ((("B1", 3), ("B1", 3)), []),
        ((("B1", 3), ("B1", 3), ("B1", 1)), [0]),
        ((("B1", 7),), []),  # alone it is what it is
        ((("B1", 4), ("B2", 6)), []),
        ((("B1", 4), ("B2", 3), ("B2", 3), ("B3", 1)), [1]),
        ((("", 5), ("", 5)), []),  # by links
        ((("B1", 2), ("", 5), ("", 4)), [1]),
    ],
)
def test_the_first_of_who_has_too_much_is_cut_off(
    waiting: Sequence[tuple[str, int]], cut_off: Sequence[int]
) -> None:
    unread = Unread(all_max=10, of_one_max=6)
    lines = [Line(size) for _, size in waiting]
    for (account, _), line in zip(waiting, lines, strict=True):
        unread.waits(line, account)
    assert [n for n, line in enumerate(lines) if line.is_cut_off] == cut_off


def test_what_was_read_does_not_count() -> None:
    unread = Unread(all_max=10, of_one_max=6)
    first, second = Line(6), Line(6)
    unread.waits(first, "B1")
    unread.is_read(first)
    unread.waits(second, "B1")
    assert not first.is_cut_off
