"""Readers of one log that share what one of them has read."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import pytest
from shared_runtime.delivery import Delivery
from shared_runtime.tail import KEPT_SECONDS, Heads, Tail

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


def test_each_reader_is_told_of_all_that_there_is_and_then_of_what_has_moved() -> None:
    tail = Tail()
    first = tail.moved()
    tail.heads = {HERE: (1, b"1"), THERE: (1, b"1")}
    assert first == {HERE, THERE}
    first.clear()
    second = tail.moved()
    tail.heads = {HERE: (2, b"2"), THERE: (1, b"1")}
    assert (first, second) == ({HERE}, {HERE, THERE})
    first.clear()
    tail.heads = {HERE: (2, b"2"), THERE: (1, b"another")}  # it was rewritten
    assert first == {THERE}
    tail.heads = {}  # somebody begins anew: all of it is looked at again
    tail.heads = {HERE: (2, b"2")}
    assert first == {HERE, THERE}


def test_what_grew_least_lately_goes_first() -> None:
    tail = of(*(told(n) for n in range(1, 6)), kept_max=6)
    tail.keep([told(1, THERE), told(2, THERE)])
    assert tail.after(HERE, 4, 9) == []
    assert positions(tail.after(THERE, 0, 9)) == [1, 2]
    tail.keep(told(n, THERE) for n in range(3, 12))
    assert positions(tail.after(THERE, 5, 9)) == [6, 7, 8, 9, 10, 11]
    assert tail.after(THERE, 4, 9) == []


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    """An order of three hundred lines is as large as a hundred usual ones."""
    tail = Tail(kept_bytes_max=100)
    tail.keep(told(n, what=bytes(30)) for n in range(1, 7))
    assert positions(tail.after(HERE, 3, 9)) == [4, 5, 6]
    assert tail.after(HERE, 2, 9) == []
    tail.keep([told(1, THERE, bytes(30))])
    assert tail.after(HERE, 3, 9) == []
    assert positions(tail.after(THERE, 0, 9)) == [1]
    tail.keep([told(2, THERE, bytes(500)), told(3, THERE, bytes(500))])
    assert positions(tail.after(THERE, 2, 9)) == [3]
    tail.keep(told(n, THERE, bytes(30)) for n in range(4, 6))
    assert positions(tail.after(THERE, 3, 9)) == [4, 5]


def test_what_was_read_a_while_ago_is_not_kept_though_there_is_room() -> None:
    """A log that grows slowly would fill it with what nobody comes for any more."""
    now = 0.0
    tail = Tail(kept_bytes_max=100, now=lambda: now)
    tail.keep([told(1, what=bytes(30)), told(1, THERE)])
    now += KEPT_SECONDS
    tail.keep([told(2, what=bytes(30))])
    assert positions(tail.after(HERE, 0, 9)) == [1, 2]
    now += KEPT_SECONDS - 1
    tail.keep([told(3, what=bytes(30))])
    assert positions(tail.after(HERE, 0, 9)) == [1, 2, 3]
    now += 1
    tail.keep([told(4, what=bytes(30))])
    assert tail.after(HERE, 1, 9) == []
    assert positions(tail.after(HERE, 2, 9)) == [3, 4]
    assert tail.after(THERE, 0, 9) == []
    tail.keep([told(5, what=bytes(30)), told(2, THERE)])  # there is room for it again
    assert positions(tail.after(HERE, 2, 9)) == [3, 4, 5]
    assert positions(tail.after(THERE, 1, 9)) == [2]


@pytest.mark.parametrize(("bytes_max", "found"), [(90, 3), (89, 2), (30, 1), (1, 1)])
def test_who_takes_it_takes_so_many_bytes_or_one_event(bytes_max: int, found: int) -> None:
    tail = of(*(told(n, what=bytes(30)) for n in range(1, 6)))
    assert len(tail.after(HERE, 0, 9, bytes_max)) == found


def answering(*heads: Heads) -> tuple[list[Heads], Callable[[], Awaitable[Heads]]]:
    """What is still to be answered, and whom to ask."""
    left = list(heads)

    async def ask() -> Heads:
        await asyncio.sleep(0)
        return left.pop(0)

    return left, ask


def end(position: int, chain_hash: bytes | None = None) -> Heads:
    return {HERE: (position, chain_hash or told(position).chain_hash or b"")}


async def test_all_who_wait_share_one_look_at_where_the_log_ends() -> None:
    tail = Tail(idle_seconds=0)
    left, ask = answering(end(1), end(2))
    await asyncio.gather(*(tail.look(ask) for _ in range(5)))
    assert (tail.heads, left) == (end(1), [end(2)])
    await tail.look(ask)
    assert (tail.heads, left) == (end(2), [])


async def test_a_look_that_fails_fails_for_all_who_wait_and_the_next_one_is_made() -> None:
    tail = Tail(idle_seconds=0)

    async def fail() -> Heads:
        raise OSError

    outcomes = await asyncio.gather(*(tail.look(fail) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [OSError] * 3
    _, ask = answering(end(1))
    await tail.look(ask)
    assert tail.heads == end(1)


async def test_who_gives_up_waiting_leaves_the_look_to_the_others() -> None:
    tail = Tail(idle_seconds=0)
    _, ask = answering(end(1))
    impatient, patient = (asyncio.create_task(tail.look(ask)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert tail.heads == end(1)


@pytest.mark.parametrize(
    ("ends", "found"),
    [(end(4), [3, 4]), (end(5), [3, 4]), (end(3), []), (end(4, bytes(32)), [])],
)
async def test_a_log_that_was_rewritten_is_read_again(ends: Heads, found: list[int]) -> None:
    tail = Tail(idle_seconds=0)
    tail.keep([told(3), told(4)])
    _, ask = answering({**ends, THERE: (7, bytes(32))})
    await tail.look(ask)
    assert positions(tail.after(HERE, 2, 9)) == found
