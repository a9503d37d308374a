"""Names of pieces in, whether one is to take the place of another out.

A replacement of `1/2` is `1/2.r1`, its own replacement `1/2.r2`.
"""

from collections.abc import Container

MARK = ".r"


def next_of(unit: str) -> str:
    """The name of the piece that takes the place of this one."""
    line, _, piece = unit.rpartition("/")
    number, mark, generation = piece.partition(MARK)
    return f"{line}/{number}{MARK}{int(generation) + 1 if mark else 1}"


def original_of(unit: str) -> str:
    """The piece of the order that it is, or that it is in the place of."""
    line, _, piece = unit.rpartition("/")
    return f"{line}/{piece.partition(MARK)[0]}"


def is_replacement_in(unit: str, known: Container[str]) -> bool:
    """Whether it stands in the place of a piece that is known, after however many others."""
    _, mark, generation = unit.rpartition("/")[2].partition(MARK)
    return bool(mark) and generation.isdigit() and original_of(unit) in known
