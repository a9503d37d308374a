"""What a soak says of sizes: what is flat, and what grows."""

import pytest

from bench.soak import GROWN_BYTES, Course, Soaked

MIB = 1024.0**2


@pytest.mark.parametrize(
    ("sizes", "grows"),
    [
        ([1, 50, 200, 200, 200, 201, 199, 203, 200], False),  # it has come to what it needs
        ([200, 210, 200, 205, 215, 200, 210, 205, 200], False),
        ([100, 200, 300, 400, 500, 600, 700, 800, 900], True),
        ([200, 200, 200, 200, 200, 200, 300, 300, 300], True),
    ],
)
def test_what_is_larger_at_the_end_than_in_the_middle_grows(
    sizes: list[float], grows: bool
) -> None:
    soaked = Soaked()
    for size in sizes:
        soaked.add({"memory": size * MIB})
        soaked.per_event.sizes.append(size)
    assert soaked.courses["memory"].grows() is grows
    assert ("memory" in soaked.growing()) is grows
    assert (
        Course("x", GROWN_BYTES, [size * MIB for size in sizes])
        .line()
        .endswith("GROWS" if grows else "flat")
    )


def test_a_small_table_may_grow_by_some_pages() -> None:
    few = GROWN_BYTES / 4
    assert not Course("x", GROWN_BYTES, [0, 0, 0, few, few, few, 3 * few, 3 * few, 3 * few]).grows()


def test_bytes_of_an_event_have_no_slack() -> None:
    soaked = Soaked()
    soaked.per_event.sizes.extend([900] * 6 + [1_100] * 3)
    assert soaked.growing() == ["bytes of an event"]
