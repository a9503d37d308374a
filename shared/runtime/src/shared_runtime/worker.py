"""A service's subscriptions, timers and relay in, one running worker out.

Each loop fails alone: it is told, counted and begun again, while the others go on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from shared_runtime.brokers import Bootstrap
from shared_runtime.delivery import Apply, Source, Subscription
from shared_runtime.feed import LogFeed
from shared_runtime.log import PostgresLog
from shared_runtime.ownership import Ownership, is_open
from shared_runtime.parking import Retries
from shared_runtime.pausing import pause
from shared_runtime.projections import Projection, live_subscription
from shared_runtime.recovery import nothing_beside
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.timers import Fire, Timers
from shared_runtime.watching import watch

TAKE_LEASE = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
STALLED_AFTER_SECONDS = 60.0
FAILED_PAUSE_SECONDS = 0.5
FAILED_PAUSE_SECONDS_MAX = 30.0  # well below what makes a loop stalled
STEADY_SECONDS = 60.0

log = structlog.get_logger()
failures_total = Counter(
    "aftersales_loop_failures", "Loops of a worker that failed and were begun again", ["loop"]
)
lease_held = Gauge(
    "aftersales_lease_held",
    "1 in the worker that does what one alone does; 0 in the others.",
    ["subscription"],
)

type Task = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


async def keep_running(name: str, run: Task, stop: asyncio.Event) -> None:
    """Runs a loop until `stop`. One that fails is begun again after a pause, which grows while it
    keeps failing. (A library that has cancelled what it is waited for has not cancelled the loop.)
    """
    clock = asyncio.get_running_loop().time
    seconds = FAILED_PAUSE_SECONDS
    while not stop.is_set():
        began_at = clock()
        try:
            await run(stop)
        except (Exception, asyncio.CancelledError) as failure:
            if isinstance(failure, asyncio.CancelledError) and _is_cancelled():
                raise
            log.exception("loop failed", loop=name)
            failures_total.labels(name).inc()
            if clock() - began_at >= STEADY_SECONDS:
                seconds = FAILED_PAUSE_SECONDS
            await pause(stop, seconds)
            seconds = min(2 * seconds, FAILED_PAUSE_SECONDS_MAX)
        else:
            return


def _is_cancelled() -> bool:
    """Whether somebody has asked this task itself to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _name_of(task: Task) -> str:
    function = task.func if isinstance(task, partial) else task
    return str(getattr(function, "__qualname__", function))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a service's worker does besides relaying its own topics.

    `feeds` read topics of others' making (CloudEvents of any producer): no chain, no gaps.
    `tasks` run beside, until the event they are given is set. `beside`: writes what is kept of
    events in the transactions that record them, and is not read from the log again: for events that
    come back after a restore.
    """

    own_topics: tuple[str, ...]
    on_own_log: Sequence[Subscription] = ()
    on_kafka: Sequence[Subscription] = ()
    feeds: Sequence[Subscription] = ()
    own_projections: Sequence[Projection] = ()
    kafka_projections: Sequence[Projection] = ()
    fire: Fire | None = None
    tasks: Sequence[Task] = ()
    beside: Apply = nothing_beside


class SessionLocks:
    """What one worker at a time does; session locks of PostgreSQL, all of a worker's on one
    connection. They end with their session, so a killed worker's are free at once.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._session: asyncpg.pool.PoolConnectionProxy | None = None
        self._held: set[str] = set()
        self._one_at_a_time = asyncio.Lock()  # a connection does one thing at once

    async def hold(self, name: str) -> bool:
        """Whether this worker has the lease, which it takes if it is free. Raises the world's
        failures.
        """
        if name in self._held and is_open(self._session):
            return True
        async with self._one_at_a_time:
            session = await self._open()
            if name not in self._held and await session.fetchval(TAKE_LEASE, f"lease {name}"):
                self._held.add(name)
            lease_held.labels(name).set(name in self._held)
            return name in self._held

    async def release(self) -> None:
        """Gives all of them up."""
        session, self._session = self._session, None
        for name in self._held:
            lease_held.labels(name).set(0)
        self._held.clear()
        if session is not None:
            with suppress(asyncpg.InterfaceError):  # it was lost, and its locks with it
                session.terminate()
            await self._pool.release(session)

    async def _open(self) -> asyncpg.pool.PoolConnectionProxy:
        if self._session is None or not is_open(self._session):
            await self.release()
            self._session = await self._pool.acquire()
        return self._session


@dataclass(slots=True)
class Worker:
    """Runs a workload until stopped."""

    service: str
    pool: asyncpg.Pool
    kafka: Bootstrap
    own_log: PostgresLog
    now: Callable[[], datetime]
    workload: Workload
    feed: LogFeed | None = None
    runners: list[Runner] = field(default_factory=list[Runner])
    timers: Timers | None = None
    retries: Retries = field(default_factory=Retries)

    async def run(self, stop: asyncio.Event) -> None:
        """Relays, projects, reacts and fires timers until `stop`; closes what it opened."""
        ownership = Ownership(self.pool, self.own_log.bells)
        relay = Relay(self.kafka, ownership.is_sure)
        own, on_kafka = self._own(relay, ownership), self._on_kafka()
        loops = self._loops(own, on_kafka)
        try:
            async with asyncio.TaskGroup() as group:
                for name, loop in [("ownership", ownership.run), *loops]:
                    group.create_task(keep_running(name, loop, stop))
                await stop.wait()
                self.own_log.bells.grown.ring()  # nobody waits for the end of a pause
        finally:
            await relay.close()
            for _, consumer in on_kafka:
                await consumer.close()

    def is_alive(self) -> bool:
        """Whether every loop has turned lately: what /livez says. One that fails and is begun
        again does turn; its failures are in the metric.
        """
        loop_time = asyncio.get_running_loop().time()
        turned = [runner.turned_at for runner in self.runners]
        if self.timers is not None:
            turned.append(self.timers.turned_at)
        return all(at == 0 or loop_time - at < STALLED_AFTER_SECONDS for at in turned)

    def _loops(
        self, own: Sequence[Runner], on_kafka: Sequence[tuple[Runner, KafkaLog]]
    ) -> list[tuple[str, Task]]:
        runners = [*own, *(runner for runner, _ in on_kafka)]
        loops: list[tuple[str, Task]] = [(each.subscription.name, each.run) for each in runners]
        if self.workload.fire is not None:
            self.timers = Timers(
                pool=self.pool, own_log=self.own_log, fire=self.workload.fire, now=self.now
            )
            loops.append(("deadlines", self.timers.run))
        heard = [(runner, source.silent_seconds) for runner, source in on_kafka]
        watching = partial(watch, self.pool, self.own_log, self.now, heard)
        tasks: Sequence[Task] = (watching, *self.workload.tasks)
        return loops + [(_name_of(task), task) for task in tasks]

    def _own(self, relay: Relay, ownership: Ownership) -> list[Runner]:
        topics = self.workload.own_topics
        tail = Tail(grown=self.own_log.bells.grown)
        runners = [
            self._runner(subscription, OwnLog(self.pool, subscription.topics, tail=tail))
            for subscription in (relay_subscription(relay, topics), *self.workload.on_own_log)
        ] + [
            self._projecting(projection, OwnLog(self.pool, projection.topics, tail=tail))
            for projection in self.workload.own_projections
        ]
        for runner in runners:
            runner.ownership = ownership
        return runners

    def _on_kafka(self) -> list[tuple[Runner, KafkaLog]]:
        started: list[tuple[Runner, KafkaLog]] = []
        for subscription in self.workload.on_kafka:
            source = self._kafka_log(subscription.name, subscription.topics)
            started.append((self._runner(subscription, source), source))
        for subscription in self.workload.feeds:
            source = self._kafka_log(subscription.name, subscription.topics, foreign=True)
            started.append((self._runner(subscription, source), source))
        for projection in self.workload.kafka_projections:
            source = self._kafka_log(projection.name, projection.topics)
            started.append((self._projecting(projection, source), source))
        return started

    def _kafka_log(self, name: str, topics: tuple[str, ...], *, foreign: bool = False) -> KafkaLog:
        group, feed = f"{self.service}.{name}", None if foreign else self.feed
        return KafkaLog(self.kafka, group, topics, foreign=foreign, feed=feed)

    def _runner(
        self,
        subscription: Subscription,
        source: Source,
        resolve: Callable[[], Awaitable[Subscription]] | None = None,
    ) -> Runner:
        runner = Runner(
            subscription=subscription,
            source=source,
            pool=self.pool,
            resolve=resolve,
            applied=self.own_log.bells.applied,
            retries=self.retries,
            puts_off=True,
        )
        self.runners.append(runner)
        return runner

    def _projecting(self, projection: Projection, source: Source) -> Runner:
        placeholder = Subscription(
            name=projection.name, topics=projection.topics, apply=_never_applied
        )
        return self._runner(placeholder, source, partial(live_subscription, self.pool, projection))


async def _never_applied(*_: object) -> None:
    raise AssertionError("a projection's live generation is resolved before the first turn")
