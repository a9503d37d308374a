"""Accounts that ask through the gateway while something happens in, what they were answered out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

PAUSE_SECONDS = 0.06
"""Between two requests of an account: below the lowest limit that the gateway has for one."""
ANSWER_SECONDS_MAX = 20.0
BEFORE_SECONDS = 2.0
"""Asked for so long before anything happens, and afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What an account sends, again and again: a command only if it may come twice."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


@dataclass(slots=True)
class Answers:
    """By status, or by the failure that came in the place of one.

    `refused`: a closed door. `late`: a machine that has too much to do, told apart from that.
    """

    counted: Counter[str] = field(default_factory=Counter[str])
    refusals: list[str] = field(default_factory=list[str])
    """When and how, for whoever asks why."""

    @property
    def answered(self) -> int:
        return self.counted[str(HTTPStatus.OK.value)]

    @property
    def late(self) -> int:
        return sum(self.counted[each] for each in LATE)

    @property
    def refused(self) -> int:
        return self.counted.total() - self.answered - self.late

    def take(self, told: str, besides: str) -> None:
        """An answer or a failure, and what else is to be known of it."""
        self.counted[told] += 1
        if told not in (str(HTTPStatus.OK.value), *LATE):
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.refusals.append(f"{at} {told} {besides}")

    def __str__(self) -> str:
        told = f"{self.counted.total():,} requests, {self.refused} refused, {self.late} late"
        return f"{told}: {dict(sorted(self.counted.items()))}"


LATE = (str(HTTPStatus.GATEWAY_TIMEOUT.value), "ReadTimeout", "ConnectTimeout", "PoolTimeout")


def asked_while(accounts: Sequence[Probe], step: Callable[[], None]) -> Answers:
    """Each account sends what is its own until the step is done."""
    return asyncio.run(_asked_while(accounts, step))


async def _asked_while(accounts: Sequence[Probe], step: Callable[[], None]) -> Answers:
    answers, over = Answers(), asyncio.Event()
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX) as web:

        async def ask(asked: Probe) -> None:
            while not over.is_set():
                try:
                    answer = await web.request(
                        asked.method, asked.url, headers=asked.headers, content=asked.content
                    )
                except httpx.TransportError as failure:
                    answers.take(type(failure).__name__, str(failure))
                else:
                    answers.take(str(answer.status_code), f"{dict(answer.headers)} {answer.text}")
                await asyncio.sleep(PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            for each in accounts:
                group.create_task(ask(each))
            try:
                await asyncio.sleep(BEFORE_SECONDS)
                await asyncio.to_thread(step)
                await asyncio.sleep(BEFORE_SECONDS)
            finally:
                over.set()
    return answers
