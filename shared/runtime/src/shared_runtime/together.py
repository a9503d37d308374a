"""What is asked one by one in, what was done about it together out.

While a batch is under way those who come are gathered, and go together when it has ended. There is
no timer: who comes alone goes at once. So that under load a transaction is of many, and nobody
waits for others to come. With two lanes one batch is decided while the database works on another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass

import asyncpg
from prometheus_client import Histogram

from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.log import StreamsUnreadable, TooMuchHistory

TOGETHER_MAX = 64
LANE_MIN = 8
"""So many have to wait for a further lane: fewer would only make transactions small."""

together = Histogram(
    "aftersales_together_requests",
    "Of how many a batch is",
    ["what"],
    buckets=(1, 2, 4, 8, 16, 32, 64),
)

type Batch[M, A] = Callable[[Sequence[M]], Awaitable[Sequence[A | Exception]]]
"""Does what its members ask, in their order, and answers each: also with what it is refused by.
What it raises is of all of it, and nothing was done.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a member is about. `own`: what no other of its batch may be about."""

    own: frozenset[Hashable] = frozenset()
    shared: frozenset[Hashable] = frozenset()


NOTHING = Claim()
OF_SOME = (
    TooMuchHistory,  # all of them together, or one of them
    StreamsUnreadable,  # one that this release cannot read keeps nobody else from being read
    asyncpg.TransactionRollbackError,  # they were in somebody's way, and he in theirs
    asyncpg.LockNotAvailableError,  # one of them has to wait
)
"""Failures of the world that are not those of all."""


@dataclass(slots=True, eq=False)
class _Waiting[M, A]:
    member: M
    claim: Claim
    answer: asyncio.Future[A]


class Together[M, A]:
    """As many batches at a time as it has `lanes`, of `most` members at most.

    `claim` tells what a member is about: those who are to see what it has done go with a later
    batch, and not before that one has ended. When a batch raises, each of its members is done by
    itself (by `alone`, else as a batch of one), while the next ones go on: one of them harms nobody
    else, and nobody waits for him. But a failure of the world is that of all. Who goes away before
    his turn is passed over; later, he takes nobody's answer with him.
    """

    def __init__(
        self,
        what: str,
        batch: Batch[M, A],
        *,
        claim: Callable[[M], Claim] = lambda _: NOTHING,
        alone: Callable[[M], Awaitable[A]] | None = None,
        most: int = TOGETHER_MAX,
        lanes: int = 1,
    ) -> None:
        self._batch = batch
        self._claim = claim
        self._alone = alone
        self._most = most
        self._lanes = lanes
        self._sizes = together.labels(what)
        self._waiting: list[_Waiting[M, A]] = []
        self._going: dict[asyncio.Task[None], list[_Waiting[M, A]]] = {}
        self._by_themselves: set[asyncio.Task[None]] = set()

    async def ask(self, member: M) -> A:
        """Its answer. Raises what it is refused by."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(member, self._claim(member), answer))
        if not self._going or self._is_for_a_further_lane():
            # In a context of its own: it logs for all of them, not for the one who came first.
            self._going[asyncio.create_task(self._go(), context=Context())] = []
        return await answer

    def _is_for_a_further_lane(self) -> bool:
        return len(self._going) < self._lanes and len(self._waiting) >= LANE_MIN

    async def _go(self) -> None:
        lane = asyncio.current_task()
        assert lane is not None
        try:
            while some := self._next():
                self._sizes.observe(len(some))
                self._going[lane] = some
                await self._answer(some)
                self._going[lane] = []
        finally:
            del self._going[lane]

    def _next(self) -> list[_Waiting[M, A]]:
        """The first that wait, and those behind them that may go along: a lane's share of all."""
        under_way = [each.claim for some in self._going.values() for each in some]
        share = -(-(len(under_way) + len(self._waiting)) // self._lanes)
        most = min(max(share, LANE_MIN), self._most)
        taken: list[_Waiting[M, A]] = []
        left: list[_Waiting[M, A]] = []
        owned = {of for claim in under_way for of in claim.own | claim.shared}
        there = set(owned)
        for each in self._waiting:
            if each.answer.done():
                continue  # he has gone away
            claim = each.claim
            is_free = there.isdisjoint(claim.own) and owned.isdisjoint(claim.shared)
            if len(taken) < most and is_free:
                taken.append(each)
            else:
                left.append(each)
            # Also of who waits on: nobody overtakes him.
            owned |= claim.own
            there |= claim.own | claim.shared
        self._waiting = left
        return taken

    async def _answer(self, some: Sequence[_Waiting[M, A]]) -> None:
        try:
            answers = await self._batch([each.member for each in some])
        except Exception as failure:  # noqa: BLE001 - it is told to those whose it is
            is_told = len(some) == 1 and self._alone is None
            for each in some:
                if is_told or _is_of_all(failure):
                    _tell(each, failure)
                elif not each.answer.done():
                    self._do_alone(each)
            return
        except BaseException:
            for each in some:
                each.answer.cancel()
            raise
        for each, answer in zip(some, answers, strict=True):
            _tell(each, answer)

    def _do_alone(self, each: _Waiting[M, A]) -> None:
        task = asyncio.create_task(self._answer_alone(each), context=Context())
        self._by_themselves.add(task)
        task.add_done_callback(self._by_themselves.discard)

    async def _answer_alone(self, each: _Waiting[M, A]) -> None:
        if self._alone is None:
            await self._answer([each])
            return
        try:
            answer: A | Exception = await self._alone(each.member)
        except Exception as failure:  # noqa: BLE001 - it is his
            answer = failure
        _tell(each, answer)


def _is_of_all(failure: Exception) -> bool:
    """The world is away, whoever asks."""
    return isinstance(failure, WORLD_FAILURES) and not isinstance(failure, OF_SOME)


def _tell[M, A](waiting: _Waiting[M, A], answer: A | Exception) -> None:
    if waiting.answer.done():
        return  # he has gone away
    if isinstance(answer, Exception):
        waiting.answer.set_exception(answer)
    else:
        waiting.answer.set_result(answer)
