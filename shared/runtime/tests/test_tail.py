"""Readers of one log that share what one of them has read."""

from hashlib import sha256

import pytest
from shared_runtime.delivery import Delivery
from shared_runtime.tail import Tail

HERE, THERE = ("orders.events", 1), ("orders.events", 2)


def told(position: int, place: tuple[str, int] = HERE, what: bytes = b"{}") -> Delivery:
    topic, partition = place
    return Delivery(
        topic=topic,
        partition=partition,
        position=position,
        body=what,
        chain_hash=sha256(what + bytes([position])).digest(),
    )


def positions(deliveries: list[Delivery]) -> list[int]:
    return [delivery.position for delivery in deliveries]


def of(*read: Delivery, kept_max: int = 8) -> Tail:
    tail = Tail(kept_max)
    tail.keep(read)
    return tail


def test_who_comes_after_finds_what_was_read() -> None:
    tail = of(told(3), told(4), told(5))
    assert positions(tail.after(HERE, 2, 9)) == [3, 4, 5]
    assert positions(tail.after(HERE, 3, 1)) == [4]


@pytest.mark.parametrize("position", [0, 1, 5, 6])
def test_who_is_before_or_beyond_it_finds_nothing(position: int) -> None:
    tail = of(told(3), told(4), told(5))
    assert tail.after(HERE, position, 9) == []
    assert tail.after(THERE, 3, 9) == []


def test_a_place_grows_and_never_has_a_gap() -> None:
    tail = of(told(3))
    tail.keep([told(4), told(1, THERE)])
    assert positions(tail.after(HERE, 2, 9)) == [3, 4]
    assert positions(tail.after(THERE, 0, 9)) == [1]
    tail.keep([told(1), told(2)])  # of a reader far behind
    assert positions(tail.after(HERE, 2, 9)) == [3, 4]
    tail.keep([told(9)])
    assert tail.after(HERE, 2, 9) == []
    assert positions(tail.after(HERE, 8, 9)) == [9]


def test_what_grew_least_lately_goes_first() -> None:
    tail = of(*(told(n) for n in range(1, 6)), kept_max=6)
    tail.keep([told(1, THERE), told(2, THERE)])
    assert tail.after(HERE, 4, 9) == []
    assert positions(tail.after(THERE, 0, 9)) == [1, 2]
    tail.keep(told(n, THERE) for n in range(3, 12))
    assert positions(tail.after(THERE, 5, 9)) == [6, 7, 8, 9, 10, 11]
    assert tail.after(THERE, 4, 9) == []


def test_a_log_that_was_rewritten_is_read_again() -> None:
    tail = of(told(3), told(4))
    tail.forget_rewritten([(*HERE, 4, told(4).chain_hash or b""), (*THERE, 7, bytes(32))])
    assert positions(tail.after(HERE, 2, 9)) == [3, 4]
    for position, chain_hash in ((3, told(3).chain_hash or b""), (4, bytes(32))):
        again = of(told(3), told(4))
        again.forget_rewritten([(*HERE, position, chain_hash)])
        assert again.after(HERE, 2, 9) == []
