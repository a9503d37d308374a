"""Those who come while a batch is under way go together, and nobody is harmed by the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from shared_runtime.decider import NotFound
from shared_runtime.together import LANE_MIN, Claim, Together

BAD = "bad"
ODD = "odd"
AWAY = "away"


@dataclass(slots=True)
class Work:
    """Answers each with its name in capitals; a batch waits for `door`. `BAD` breaks its batch,
    `ODD` is refused, `AWAY` finds the world away.
    """

    door: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[str]] = field(default_factory=list[list[str]])

    async def __call__(self, members: Sequence[str]) -> list[str | Exception]:
        self.batches.append([*members])
        await self.door.wait()
        if AWAY in members:
            raise ConnectionError
        if BAD in members:
            raise ValueError(BAD)
        return [NotFound() if member == ODD else member.upper() for member in members]


@pytest.fixture
def work() -> Work:
    return Work()


async def asked(together: Together[str, str], *members: str) -> list[asyncio.Task[str]]:
    """They ask, one after the other, and wait."""
    tasks: list[asyncio.Task[str]] = []
    for member in members:
        tasks.append(asyncio.create_task(together.ask(member)))
        await turns()
    return tasks


async def turns() -> None:
    """Lets all go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def answers(work: Work, tasks: Sequence[asyncio.Task[str]]) -> list[str | BaseException]:
    work.door.set()
    async with asyncio.timeout(5):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_comes_alone_goes_at_once_and_those_who_come_meanwhile_go_together(
    work: Work,
) -> None:
    tasks = await asked(Together("test", work), "a", "b", "c")
    assert work.batches == [["a"]]
    assert await answers(work, tasks) == ["A", "B", "C"]
    assert work.batches == [["a"], ["b", "c"]]


async def test_a_batch_has_so_many_at_most(work: Work) -> None:
    tasks = await asked(Together("test", work, most=2), *"abcdef")
    assert await answers(work, tasks) == [*"ABCDEF"]
    assert work.batches == [["a"], ["b", "c"], ["d", "e"], ["f"]]


async def test_a_refusal_touches_nobody_else(work: Work) -> None:
    tasks = await asked(Together("test", work), "a", "b", ODD, "c")
    told = await answers(work, tasks)
    assert [*map(type, told)] == [str, str, NotFound, str]
    assert work.batches == [["a"], ["b", ODD, "c"]]


async def test_who_breaks_a_batch_breaks_it_for_himself_alone(work: Work) -> None:
    tasks = await asked(Together("test", work), "a", "b", BAD, "c")
    told = await answers(work, tasks)
    assert [*map(type, told)] == [str, str, ValueError, str]
    assert work.batches == [["a"], ["b", BAD, "c"], ["b"], [BAD], ["c"]]


async def test_a_world_that_is_away_is_away_for_all_and_is_not_asked_for_each(work: Work) -> None:
    together = Together("test", work)
    tasks = await asked(together, "a", "b", AWAY, "c")
    told = await answers(work, tasks)
    assert [*map(type, told)] == [str, ConnectionError, ConnectionError, ConnectionError]
    assert work.batches == [["a"], ["b", AWAY, "c"]]
    assert await together.ask("d") == "D"


async def test_who_goes_away_takes_nobodys_answer_with_him(work: Work) -> None:
    together = Together("test", work)
    first, under_way = await asked(together, "a", "b")
    first.cancel()
    (waits, stays) = await asked(together, "c", "d")
    waits.cancel()
    await turns()
    told = await answers(work, [under_way, stays])
    assert told == ["B", "D"]
    assert work.batches == [["a"], ["b", "d"]]
    assert first.cancelled()
    assert waits.cancelled()


async def test_those_who_are_to_see_each_other_do_not_go_together(work: Work) -> None:
    """Nor does anybody overtake one who waits for that."""
    together = Together("test", work, claim=lambda member: Claim(own=frozenset({member[0]})))
    tasks = await asked(together, "x", "a1", "b1", "a2", "a3", "b2", "c1")
    assert [len(str(each)) for each in await answers(work, tasks)] == [1, 2, 2, 2, 2, 2, 2]
    assert work.batches == [["x"], ["a1", "b1", "c1"], ["a2", "b2"], ["a3"]]


async def test_those_who_share_go_together_but_not_with_one_whose_own_it_is(work: Work) -> None:
    def claim(member: str) -> Claim:
        about = frozenset({member[0].lower()})
        return Claim(own=about) if member[0].isupper() else Claim(shared=about)

    tasks = await asked(Together("test", work, claim=claim), "x", "a1", "a2", "A3", "a4", "b1")
    await answers(work, tasks)
    assert work.batches == [["x"], ["a1", "a2", "b1"], ["A3"], ["a4"]]


async def test_it_goes_on_after_nobody_has_come_for_a_while(work: Work) -> None:
    together = Together("test", work)
    work.door.set()
    for member in "abc":
        assert await together.ask(member) == member.upper()
    assert work.batches == [["a"], ["b"], ["c"]]


async def test_enough_who_wait_go_beside_those_under_way_in_a_lane_of_their_own(work: Work) -> None:
    together = Together("test", work, lanes=2)
    tasks = await asked(together, "x", *"abcdefg")
    assert len(tasks) == LANE_MIN
    assert work.batches == [["x"]]  # those who wait are one fewer
    tasks += await asked(together, "h")
    assert work.batches == [["x"], [*"abcdefgh"]]
    tasks += await asked(together, *"ijklmnop")
    assert len(work.batches) == 2
    assert await answers(work, tasks) == [*"XABCDEFGHIJKLMNOP"]


async def test_a_lane_leaves_the_others_their_share(work: Work) -> None:
    tasks = await asked(Together("test", work, lanes=2), *(str(n) for n in range(32)))
    assert [*map(len, work.batches)] == [1, 8]
    await answers(work, tasks)
    assert [*map(len, work.batches)] == [1, 8, 16, 7]


async def test_i2_who_is_about_what_is_under_way_waits_though_a_lane_is_free(
    work: Work,
) -> None:
    """Also what those of one batch may share."""

    def claim(member: str) -> Claim:
        return Claim(shared=frozenset({member[0]}))

    together = Together("test", work, claim=claim, lanes=2)
    others = [f"b{n}" for n in range(LANE_MIN - 1)]
    tasks = await asked(together, "a1", "a2", *others)
    assert work.batches == [["a1"], others]
    await answers(work, tasks)
    assert work.batches == [["a1"], others, ["a2"]]
