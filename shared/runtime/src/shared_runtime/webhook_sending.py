"""Deliveries that are due in, requests to strangers' endpoints out, and what came of them recorded.

A request cannot be in a transaction. So a delivery is taken for a minute, sent, and recorded; who
dies on the way has it taken by somebody else after that, under the same id. It is sent once at
least, and again when nobody could say whether it had been.
"""

import asyncio
from collections import Counter as Counted
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from standardwebhooks import Webhook

from shared_runtime.bells import IDLE_SECONDS_MAX, Doze
from shared_runtime.clock import Clock, system_clock
from shared_runtime.decider import SubjectErased
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.log import read_stream
from shared_runtime.pausing import pause
from shared_runtime.reach import NotReached, Reach
from shared_runtime.webhook_events import Reads, message_of
from shared_runtime.webhooks import (
    FAULT,
    PURGE_MAX,
    Attempt,
    Endpoint,
    Taken,
    Webhooks,
    holder_of,
    secret_of,
)
from shared_runtime.worker import Task

if TYPE_CHECKING:
    from shared_runtime.outside import Outside

AT_ONCE_MAX = 32
OF_ONE_MAX = 4
"""Of these, an account's: a slow receiver is waited for by its own deliveries."""
IDLE_SECONDS = 0.25
PAUSE_SECONDS = 1.0
PURGE_SECONDS = 60.0

log = structlog.get_logger()
attempts_total = Counter(
    "aftersales_webhook_attempts", "Attempts to deliver a webhook", ["outcome"]
)
switched_off_total = Counter(
    "aftersales_webhook_switched_off", "Endpoints that were given up, as nothing was taken there"
)


def headers_of(delivery_id: str, body: bytes, secrets: list[str], now: Clock) -> dict[str, str]:
    """Those of Standard Webhooks, signed with each of the secrets."""
    at = now()
    signatures = [Webhook(each).sign(delivery_id, at, body.decode()) for each in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "aftersales-webhooks",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@dataclass(slots=True)
class Sending:
    """The loop that sends: each worker has one, and they share what is due.

    `signed_at`: the clock of signatures, which is the machine's as that of tokens.
    """

    webhooks: Webhooks
    reads: Reads
    outside: "Outside"
    at_once: int = AT_ONCE_MAX
    of_one: int = OF_ONE_MAX
    signed_at: Clock = system_clock
    _under_way: dict[asyncio.Task[None], Taken] = field(
        default_factory=dict[asyncio.Task[None], Taken]
    )

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`. What is under way then is tried again by whoever comes next."""
        doze = self.webhooks.own_log.bells.applied.doze(IDLE_SECONDS, IDLE_SECONDS_MAX)
        try:
            while not stop.is_set():
                try:
                    await self._turn(doze, stop)
                except WORLD_FAILURES as failure:
                    log.warning("webhooks wait", failure=type(failure).__name__)
                    await pause(stop, PAUSE_SECONDS)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            self._under_way.clear()

    async def turn(self) -> int:
        """Takes what is due and sends all of it; how many there were."""
        await self._take()
        sent = len(self._under_way)
        if self._under_way:
            await asyncio.wait(self._under_way)
        self._drop_done()
        return sent

    async def _turn(self, doze: Doze, stop: asyncio.Event) -> None:
        await self._take()
        if not self._under_way:
            await doze.pause(stop)
            return
        doze.busy()
        # Not for ever: what has become due meanwhile is not to wait for one slow answer.
        await asyncio.wait(
            self._under_way, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        self._drop_done()

    async def _take(self) -> None:
        if (room := self.at_once - len(self._under_way)) <= 0:
            return
        busy = Counted(taken.endpoint.account for taken in self._under_way.values())
        for taken in await self.webhooks.take(busy, of_one=self.of_one, most=room):
            self._under_way[asyncio.create_task(self._deliver(taken))] = taken

    def _drop_done(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            task.result()

    async def _deliver(self, taken: Taken) -> None:
        try:
            await self._sent(taken)
        except WORLD_FAILURES as failure:
            # Ours, not the receiver's: it is tried again when nobody has it any more.
            log.warning("webhook waits", failure=type(failure).__name__)

    async def _sent(self, taken: Taken) -> None:
        began = perf_counter()
        try:
            outcome = await self._outcome(taken)
        except WORLD_FAILURES:
            raise
        except Exception:
            log.exception("webhook failed", delivery=taken.delivery_id)
            outcome = FAULT
        if outcome is None:
            await self.webhooks.withdraw(taken)
            return
        attempt = Attempt(
            at=await self.webhooks.instant(),
            outcome=outcome,
            milliseconds=round((perf_counter() - began) * 1000),
        )
        attempts_total.labels(outcome).inc()
        told = await self.webhooks.record(taken, attempt)
        if told is not None and told.off:
            switched_off_total.inc()
            log.warning("webhook endpoint switched off", endpoint=taken.endpoint.endpoint_id)

    async def _outcome(self, taken: Taken) -> str | None:
        """What was answered, or met in the place of an answer; None if there is nothing to send."""
        stream = taken.stream_id
        history = await read_stream(self.webhooks.own_log, stream) if stream else []
        body = message_of(taken, history, self.reads)
        secrets = await self._secrets(taken.endpoint)
        if body is None or not secrets:
            return None
        headers = headers_of(taken.delivery_id, body, secrets, self.signed_at)
        try:
            return f"HTTP_{await self.outside.post(taken.endpoint.url, body, headers)}"
        except NotReached as why:
            return why.code

    async def _secrets(self, endpoint: Endpoint) -> list[str]:
        """Those that sign now; none of an endpoint that was deleted."""
        numbers = endpoint.signs_with(await self.webhooks.instant())
        with suppress(SubjectErased):
            key = await self.webhooks.keys.key_of(holder_of(endpoint.endpoint_id))
            return [secret_of(key, number) for number in numbers]
        return []


async def send_webhooks(open_sending: Callable[[], Sending], stop: asyncio.Event) -> None:
    """What a worker runs."""
    await open_sending().run(stop)


async def purge_webhooks(webhooks: Webhooks, stop: asyncio.Event) -> None:
    """Now and then forgets what is old."""
    while not stop.is_set():
        try:
            await forget_webhooks(webhooks, stop)
        except WORLD_FAILURES as failure:
            log.warning("webhooks not forgotten", failure=type(failure).__name__)
        await pause(stop, PURGE_SECONDS)


async def forget_webhooks(webhooks: Webhooks, stop: asyncio.Event) -> None:
    """All that is old enough, batch by batch: as fast as it comes at least."""
    while not stop.is_set() and await webhooks.purge() == PURGE_MAX:
        pass


def webhook_tasks(webhooks: Webhooks, reads: Reads, *, local: bool) -> tuple[Task, ...]:
    """What a worker does beside. `local`: on a developer's machine."""

    def sending() -> Sending:
        from shared_runtime.outside import Outside  # noqa: PLC0415 - a tenth of a worker's start

        return Sending(webhooks=webhooks, reads=reads, outside=Outside(Reach(local=local)))

    return partial(send_webhooks, sending), partial(purge_webhooks, webhooks)
