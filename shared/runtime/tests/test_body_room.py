"""There is room for bodies that come, and nobody keeps it by sending slowly."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from shared_runtime.body_room import BodyRoom, Coming


@pytest.fixture
def room() -> BodyRoom:
    return BodyRoom(all_max=10, of_one_max=6)


@pytest.fixture
async def here() -> AsyncExitStack:
    return AsyncExitStack()


def comes(here: AsyncExitStack, room: BodyRoom, account: str, count: int) -> Coming:
    coming = here.enter_context(room.one(account))
    room.add(coming, count)
    return coming


async def test_as_much_as_there_is_room_for_comes_in(room: BodyRoom, here: AsyncExitStack) -> None:
    bodies = [comes(here, room, account, 5) for account in ("B1", "B2")]
    assert not any(each.is_given_up for each in bodies)


async def test_beyond_it_the_longest_of_who_has_most_gives_way(
    room: BodyRoom, here: AsyncExitStack
) -> None:
    least, first, second = (
        comes(here, room, account, count) for account, count in (("B1", 4), ("B2", 3), ("B2", 3))
    )
    last = comes(here, room, "B3", 1)
    assert [each.is_given_up for each in (least, first, second, last)] == [
        *(False, True),
        *(False, False),
    ]


async def test_of_one_account_there_is_less_and_its_own_gives_way(
    room: BodyRoom, here: AsyncExitStack
) -> None:
    first, second = comes(here, room, "B1", 3), comes(here, room, "B1", 3)
    assert not first.is_given_up
    room.add(second, 1)
    assert (first.is_given_up, second.is_given_up) == (True, False)


async def test_what_is_whole_stays_and_the_next_one_gives_way(
    room: BodyRoom, here: AsyncExitStack
) -> None:
    whole = comes(here, room, "B1", 6)
    whole.is_whole = True
    late = comes(here, room, "B1", 1)
    assert (whole.is_given_up, late.is_given_up) == (False, True)
    room.leave(whole)  # it is answered
    assert not comes(here, room, "B1", 6).is_given_up


async def test_who_waits_for_more_of_what_is_given_up_waits_no_longer(
    room: BodyRoom, here: AsyncExitStack
) -> None:
    slow = comes(here, room, "B1", 6)

    async def wait() -> None:
        async with asyncio.timeout(60) as slow.patience:
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    comes(here, room, "B1", 6)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 5)
