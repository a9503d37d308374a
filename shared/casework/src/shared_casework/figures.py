"""Counts in, the whole numbers that are published of them out."""


def milli(part: int, whole: int) -> int | None:
    """Per thousand, rounded half up; None of nothing."""
    return None if whole == 0 else half_up(1000 * part, whole)


def half_up(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
