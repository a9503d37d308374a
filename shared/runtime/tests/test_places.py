"""Nobody has all places, whether they are counted one by one or in bytes."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from shared_runtime.places import Places
from shared_runtime.problems import Unavailable


async def test_as_many_are_in_as_there_are_places_and_one_more_is_not() -> None:
    places = Places(10, 10, patience_seconds=0)
    async with places.one("B1", 4), places.one("B2", 6):
        with pytest.raises(Unavailable):
            await AsyncExitStack().enter_async_context(places.one("B3"))
    async with places.one("B3", 10):
        pass


async def test_one_person_has_only_so_many_and_others_the_rest() -> None:
    places = Places(10, 6, patience_seconds=0)
    async with places.one("B1", 6):
        with pytest.raises(Unavailable):
            await AsyncExitStack().enter_async_context(places.one("B1"))
        async with places.one("B2", 4):
            pass


async def test_who_wants_many_is_not_overtaken_by_who_wants_few() -> None:
    places = Places(10, 10)
    came: list[str] = []

    async def comes(person: str, many: int) -> None:
        async with places.one(person, many):
            came.append(person)

    async with AsyncExitStack() as held:
        await held.enter_async_context(places.one("B1", 5))
        waiting = [asyncio.create_task(comes("B2", 8)), asyncio.create_task(comes("B3", 1))]
        await asyncio.wait(waiting, timeout=0.05)
        assert came == []
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert came == ["B2", "B3"]


async def test_who_gives_up_waiting_leaves_what_he_had() -> None:
    places = Places(10, 10, patience_seconds=0.05)
    async with places.one("B1", 9):
        with pytest.raises(Unavailable):
            await AsyncExitStack().enter_async_context(places.one("B2", 10))
        async with places.one("B2", 1):
            pass
