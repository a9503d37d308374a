"""A log in, effects out: each event once, in order, whatever crashes.

One loop serves projections, reactions, timers and the relay. A turn takes a batch, drops what
is at or below the cursor, refuses gaps and forks, and then in one transaction moves the cursor
and applies the batch. Nothing of that depends on Kafka's offsets.
"""

import asyncio
from collections import Counter as Counted
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import batched, groupby, pairwise
from typing import Any, Literal

import asyncpg
import structlog
from msgspec import DecodeError, Struct
from prometheus_client import Counter, Gauge
from shared_events.envelope import Recorded
from shared_events.partition import PARTITIONS
from shared_events.registry import UnknownEventType, name_of

from shared_runtime.bells import Bell
from shared_runtime.decider import Command, Decider, PolicyUnknown, Refused
from shared_runtime.delivery import (
    NO_CHAIN,
    PLACE_OF,
    WORLD_FAILURES,
    Before,
    Compare,
    Compared,
    Connection,
    Cursor,
    Delivery,
    Place,
    Rewritten,
    Source,
    Subscription,
    TakenOver,
    Unreadable,
    enter_tables,
    nothing,
)
from shared_runtime.log import Ask, Decisions, VersionConflict
from shared_runtime.ownership import Ownership, claim, group_of
from shared_runtime.parking import (
    POISON_ATTEMPTS,
    RETRY_LOOK_SECONDS,
    Retries,
    TooManyParked,
    is_of_the_events,
    park_failing_keys,
    park_slow_key,
    retry_parked,
    set_aside,
)
from shared_runtime.pausing import pause
from shared_runtime.rows import columns
from shared_runtime.sources import BATCH_MAX
from shared_runtime.tracing import tell_applied

PAUSE_SECONDS = 0.05
PAUSE_SECONDS_MAX = 5.0
HOLD_SECONDS_MAX = 30.0
DOUBLINGS_MAX = 16
LEASE_LOOK_SECONDS = 0.5
COMPARE_SECONDS = 30.0
ASK_AGAIN_SECONDS = 1.0
"""Whether places that did not answer do by now is asked so often, beside the turns."""
PUT_OFF_SECONDS = 0.5
"""After so long at most the cursors are stored behind events of which nothing has come."""
APART_MAX = 4
"""So many places that are slow are gone on with at once: each has a connection."""
PREPARED_AT_ONCE = 100
"""Events that are decoded without a look at what else there is to do: about a millisecond's."""
AHEAD_MIN = 200  # so many new events in a batch are a sign that more are waiting
TURNS_A_SECOND = 8.0
TURNS_AT_ONCE = 4.0
"""A loop takes so many small turns at once, and then so many a second: who asks when nobody else
does is served at once, and whoever is busy with one event at a time takes as many together as have
come meanwhile. A turn costs a transaction, whatever it takes; of each order a dozen loops hear.
"""

type Why = Literal["fork", "gap", "unreadable", "parked-keys", "fault", "silent"]
REASONS: tuple[Why, ...] = ("fork", "gap", "unreadable", "parked-keys", "fault", "silent")

log = structlog.get_logger()
applied_total = Counter("aftersales_applied", "Events applied", ["subscription"])
stopped_partitions = Gauge(
    "aftersales_stopped_partitions", "Partitions that are not read on", ["subscription"]
)
held_partitions = Gauge(
    "aftersales_held_partitions", "The same by the reason that holds them", ["subscription", "why"]
)
gaps_total = Counter("aftersales_gaps", "Gaps met and read again", ["subscription"])
sent_again_total = Counter(
    "aftersales_sent_again", "Partitions of which a topic had lost what was sent", ["topic"]
)


class Gap(Exception):  # noqa: N818 - a state of the source
    """The source left out a position."""


class Forked(Exception):  # noqa: N818 - a state of the source
    """The source lost a tail that was already applied, and rewrote it."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Applies only the events whose types have these names."""

    names: frozenset[str]
    apply: Callable[[Sequence[Recorded[Any]], Connection], Awaitable[None]]

    async def __call__(self, deliveries: Sequence[Delivery], db: Connection) -> None:
        batch = [recorded for d in deliveries if (recorded := d.recorded(self.names))]
        if batch:
            await self.apply(batch, db)

    def prepare(self, deliveries: Iterable[Delivery]) -> None:
        """Decodes what it is going to apply. What cannot be decoded is met again then."""
        for delivery in deliveries:
            with suppress(DecodeError, UnknownEventType):
                delivery.recorded(self.names)

    def passes_over(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether nothing would come of any of these."""
        try:
            return not any(delivery.has_name_of(self.names) for delivery in deliveries)
        except (DecodeError, UnknownEventType):
            return False  # it is set aside as what cannot be applied


def decoded(
    handles: Iterable[type[Struct]],
    apply: Callable[[Sequence[Recorded[Any]], Connection], Awaitable[None]],
) -> Decoded:
    """Applies only the event types that are handled; the others are passed over undecoded. Types
    that only a newer release has are none of them: their keys are set aside for it.
    """
    return Decoded(frozenset(name_of(event_type) for event_type in handles), apply)


def decide_or_log[S, C: Command, E: Struct](
    decisions: Decisions, decider: Decider[S, C, E], ask: Ask[C]
) -> list[E]:
    """What a reaction or timer does with a refusal: it is the business's answer, told and kept.

    That a policy is not known here is none: it is raised, for a release that knows it decides
    otherwise. (That there was no policy yet is one.)
    """
    try:
        return decisions.decide(decider, ask)
    except Refused as refused:
        if isinstance(refused, PolicyUnknown) and refused.policy_version:
            raise
        log.warning("reaction refused", rule=refused.slug(), stream=ask.stream, cause=ask.cause)
        return []


MOVE = """
    WITH step (topic, partition, started_from, position, chain_hash, epoch, lease_epoch) AS (
        {steps}
    ), moved AS (
        UPDATE es.cursor AS cursor
        SET position = step.position, chain_hash = step.chain_hash, epoch = step.epoch
        FROM step
        WHERE cursor.subscription = $1 AND cursor.topic = step.topic
          AND cursor.partition = step.partition AND cursor.position = step.started_from
          AND cursor.lease_epoch = step.lease_epoch
        RETURNING 1
    ), parked AS (
        SELECT parked.topic, parked.partition, parked.key
        FROM es.parked_key AS parked JOIN step USING (topic, partition)
        WHERE parked.subscription = $1 FOR SHARE OF parked
    )
    SELECT (SELECT count(*) FROM moved),
           (SELECT count(*) FROM es.parked_key WHERE subscription = $1),
           (SELECT array_agg(ARRAY[topic, partition::text, key]) FROM parked)
"""
MOVE_CURSORS = MOVE.format(
    steps="SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bytea[], "
    "$7::uuid[], $8::bigint[])"
)
MOVE_ONE = MOVE.format(
    steps="SELECT $2::text, $3::int, $4::bigint, $5::bigint, $6::bytea, $7::uuid, $8::bigint"
)
"""Most turns move one. Of arrays PostgreSQL counts the elements, and makes a new plan each time."""
STEP_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Hold:
    """A partition that is not read for a while, and why; the others go on.

    A source with a gap may fill up again, parked keys may be freed: it is tried again at `until`
    (of the loop's clock), less and less often. A fork stays until somebody has decided; what is
    silent, until it has answered and is compared.
    """

    why: Why
    until: float
    times: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """What took longer than a statement may."""

    deliveries: Sequence[Delivery]


@dataclass(slots=True)
class Pace:
    """How many small turns a loop may take at once."""

    left: float = TURNS_AT_ONCE
    at: float = float("-inf")

    def rest_after(self, applied: int, at: float, plenty: int = AHEAD_MIN) -> float:
        """Seconds to rest after a turn that applied so many events and ended at `at`. It was no
        small one if they are `plenty`.
        """
        self.left = min(TURNS_AT_ONCE, self.left + TURNS_A_SECOND * (at - self.at))
        self.at = at
        if 0 < applied < plenty:
            self.left -= 1
        return max(0.0, -self.left / TURNS_A_SECOND)


@dataclass(slots=True)
class Runner:
    """Runs one subscription: `run` until stopped, or `start` and `turn` by turn in tests.

    `ownership`: of the places, it reads those that are this worker's. (What is read from Kafka,
    Kafka has shared among the workers.) `mine`: of the places of a rebuild, those of this process.
    `puts_off`: a batch of which nothing comes moves its cursors in memory alone, for a moment: most
    events are of no concern to most readers, and each would cost each of them a transaction. Who
    goes on behind the stored cursors passes over the same ones again.
    `waiting`: of each place, the first record that has been taken and is not applied.
    `applied` rings when it has applied events; `retries` is shared by the runners of a process.
    """

    subscription: Subscription
    source: Source
    pool: asyncpg.Pool
    resolve: Callable[[], Awaitable[Subscription]] | None = None
    ownership: Ownership | None = None
    mine: Callable[[Place], bool] | None = None
    applied: Bell = field(default_factory=Bell)
    retries: Retries = field(default_factory=Retries)
    puts_off: bool = False
    cursors: dict[Place, Cursor] = field(default_factory=dict[Place, Cursor])
    holds: dict[Place, Hold] = field(default_factory=dict[Place, Hold])
    batch_max: int = BATCH_MAX
    turned_at: float = 0.0
    taken_at: float = 0.0
    pace: Pace = field(default_factory=Pace)
    retried_at: float = 0.0
    compared_at: float = 0.0
    silent: frozenset[Place] = frozenset()
    asked_at: float = 0.0
    asking: asyncio.Task[None] | None = None
    slow: tuple[tuple[str, int, int], int] | None = None
    owned: Mapping[int, int] = field(default_factory=dict[int, int])
    stale: bool = False
    others: frozenset[Place] = frozenset()
    overlong: _Batch | None = None
    apart_at_once: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, APART_MAX))
    apart: dict[Place, asyncio.Task[None]] = field(
        default_factory=dict[Place, "asyncio.Task[None]"]
    )
    retrying: asyncio.Task[None] | None = None
    stored: dict[Place, Cursor] = field(default_factory=dict[Place, Cursor])
    put_off_at: float = 0.0
    parks_none: bool = False
    ahead: asyncio.Task[list[Delivery]] | None = None
    waiting: dict[Place, Delivery] = field(default_factory=dict[Place, Delivery])

    async def run(self, stop: asyncio.Event) -> None:
        """Turns until `stop`; the world's failures are waited out with a growing pause."""
        self.cursors.clear()  # begun again after a fault, it goes on behind what is stored
        try:
            await self._run(stop)
        finally:
            await self._forget_ahead()
            await self._end_apart()
            with suppress(TakenOver, VersionConflict, *WORLD_FAILURES):  # else it is read again
                await self._store_cursors()
            if self.asking is not None:
                self.asking.cancel()
                await asyncio.gather(self.asking, return_exceptions=True)
            if self.retrying is not None:
                await self.retrying

    async def _run(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            self.turned_at = asyncio.get_running_loop().time()
            try:
                if self.ownership is not None and not self.ownership.groups:
                    self.cursors.clear()  # whoever has them now moves them
                    await pause(stop, LEASE_LOOK_SECONDS)
                    continue
                if not self.cursors or failures or self._is_to_start():
                    await self.start()
                # One that is as large as it may be is not small: after a batch that was too much.
                plenty = min(AHEAD_MIN, self.batch_max)
                turned = await self.turn()
                if self.stored:
                    await self._store_put_off()
                self._retry_parked()
                self._ask_silent()
                failures = 0
                at = asyncio.get_running_loop().time()
                if rest := self.pace.rest_after(turned, at, plenty):
                    await pause(stop, rest)
            except (TakenOver, VersionConflict):
                failures = 1
                await pause(stop, PAUSE_SECONDS)
            except WORLD_FAILURES as failure:
                if await self._is_set_apart():
                    continue
                failures += 1
                log.warning(
                    "subscription waits",
                    subscription=self.subscription.name,
                    failure=type(failure).__name__,
                )
                await pause(stop, _growing(failures, PAUSE_SECONDS_MAX))

    async def start(self) -> None:
        """Reads the cursors and goes on right behind them (of the live tables, if it has some)."""
        await self._forget_ahead()
        await self._end_apart()
        if self.resolve is not None:
            self.subscription = await self.resolve()
        places = await self.source.places()
        self.stale, self.owned = False, self._groups()
        self.cursors = await read_cursors(self.pool, self.subscription, places)
        if self.ownership is not None:
            await claim(self.pool, self.subscription.name, self.owned)
            self.cursors = await read_cursors(self.pool, self.subscription, places)
        self.others = self._of_others()
        self.holds.clear()
        self.waiting.clear()
        self.stored.clear()
        self.parks_none = False
        if self.subscription.compare is not None:
            await self._compare(self.subscription.compare)
        self._tell_held()
        await self.source.rewind(self.cursors)

    def _is_to_start(self) -> bool:
        """Whether places have come or gone, the cursors may be others, or it is time to compare."""
        due = self.turned_at - self.compared_at >= COMPARE_SECONDS
        is_to_compare = self.subscription.compare is not None and due
        return is_to_compare or self.stale or self._groups() != self.owned

    def _groups(self) -> Mapping[int, int]:
        return self.ownership.groups if self.ownership else {}

    def _of_others(self) -> frozenset[Place]:
        """The places that other workers read."""
        if self.mine is not None:
            return frozenset(place for place in self.cursors if not self.mine(place))
        if self.ownership is None:
            return frozenset()
        return frozenset(place for place in self.cursors if group_of(place) not in self.owned)

    async def _compare(self, compare: Compare) -> None:
        """Goes back where the other side lacks what it was given; holds where it has more, or does
        not answer. (What has not answered before is not asked here: nobody waits for it twice.)
        """
        ours = self.cursors.keys() - self.others
        self.silent &= ours
        unasked = self.silent  # one that is answering meanwhile is compared the next time
        asked = {place: self.cursors[place] for place in ours - unasked}
        compared = await compare(self.pool, asked) if asked else Compared(back={}, broken={})
        self.compared_at = asyncio.get_running_loop().time()
        self.silent |= compared.silent
        for place in self.silent | unasked:
            self._hold(place, "silent")
        for place, told in compared.broken.items():
            self._hold(place, "fork", fault=told)
        if not compared.back:
            return
        async with self.pool.acquire() as db, db.transaction():
            await self._move_cursors(db, compared.back)
        self.cursors.update(compared.back)
        for (topic, partition), cursor in compared.back.items():
            sent_again_total.labels(topic).inc()
            log.warning(
                "topic lacks what was sent", place=(topic, partition), after=cursor.position
            )

    def _ask_silent(self) -> None:
        """Asks now and then those that have not answered: beside the turns."""
        compare = self.subscription.compare
        if not self.silent or compare is None:
            return
        if self.turned_at - self.asked_at >= ASK_AGAIN_SECONDS and _is_over(self.asking):
            self.asked_at = self.turned_at
            self.asking = asyncio.create_task(self._ask(compare, self.silent))

    async def _ask(self, compare: Compare, silent: frozenset[Place]) -> None:
        cursors = {place: self.cursors[place] for place in silent & self.cursors.keys()}
        try:
            compared = await compare(self.pool, cursors)
        except WORLD_FAILURES as failure:
            log.warning(
                "places do not answer",
                subscription=self.subscription.name,
                places=len(silent),
                failure=type(failure).__name__,
            )
            return
        if answering := cursors.keys() - compared.silent:
            self.silent -= answering
            self.stale = True  # they are compared and gone on with

    async def turn(self) -> int:
        """Takes a batch and applies it; the number of events that were new and are applied."""
        read = await self._take()
        self.taken_at = asyncio.get_running_loop().time()
        fresh, reached = await self._check(read)
        if len(fresh) >= AHEAD_MIN:
            # There is plenty: the next batch is read while this one is sent or stored.
            coming = self.source.take({**self.cursors, **reached}, self.held())
            self.ahead = asyncio.create_task(self._prepared(coming))
        if self.subscription.before is not None and fresh:
            fresh = await self._do_before(self.subscription.before, fresh, reached)
        if not fresh:
            return 0
        if await self.passes_over(fresh):
            self._put_off(reached)
            applied_total.labels(self.subscription.name).inc(len(fresh))
            return len(fresh)
        try:
            applied = await self._apply(fresh, reached)
        except (TimeoutError, VersionConflict) as too_much:
            # Too much for one statement, or too long to be left alone by other writers.
            self.batch_max = max(1, min(self.batch_max, len(fresh)) // 2)
            is_alone = len(fresh) == 1 and isinstance(too_much, TimeoutError)
            if not is_alone or not self._is_slow(fresh[0]):
                if isinstance(too_much, TimeoutError):
                    self.overlong = _Batch(fresh)
                raise
            applied = await self._leave_slow(fresh[0], reached)
        self.applied.ring()
        self.batch_max = min(BATCH_MAX, 2 * self.batch_max)
        applied_total.labels(self.subscription.name).inc(applied)
        took = asyncio.get_running_loop().time() - self.taken_at
        tell_applied(self.subscription.name, fresh, took)
        return applied

    async def _prepared(self, coming: Awaitable[list[Delivery]]) -> list[Delivery]:
        """With what can be worked out before their turn: the database works on others meanwhile."""
        read, apply = await coming, self.subscription.apply
        for some in batched(read, PREPARED_AT_ONCE, strict=False):
            for before, delivery in pairwise(some):
                if before.chain_hash is not None and before.place == delivery.place:
                    delivery.continues(before.chain_hash)
            if isinstance(apply, Decoded):
                apply.prepare(some)
            await asyncio.sleep(0)
        return read

    async def _take(self) -> list[Delivery]:
        ahead, self.ahead = self.ahead, None
        # Read ahead and found empty, it may have filled meanwhile: only a look of now says that
        # there is nothing.
        try:
            read = await ahead if ahead else []
            return read or await self.source.take(self.cursors, self.held())
        except (Unreadable, Rewritten) as broken:
            why: Why = "unreadable" if isinstance(broken, Unreadable) else "fork"
            self._hold(broken.place, why, fault=str(broken))
            await self.source.rewind(self.cursors)
            return []

    async def _rewind(self, places: Mapping[Place, Cursor]) -> None:
        """Reads on from these cursors; what was read ahead of them is read again as well."""
        dropped = await self._forget_ahead()
        again = {place: self.cursors[place] for place in dropped if place in self.cursors}
        await self.source.rewind({**again, **places})

    async def _forget_ahead(self) -> set[Place]:
        """Waits for a batch that is being read ahead and drops it; the places it is from."""
        ahead, self.ahead = self.ahead, None
        if ahead is None:
            return set()
        with suppress(
            TakenOver, Unreadable, Rewritten, *WORLD_FAILURES
        ):  # whatever it was, it is met again
            return {delivery.place for delivery in await ahead}
        return set()

    def held(self) -> frozenset[Place]:
        """The partitions that are not read for now."""
        now = asyncio.get_running_loop().time()
        held = {place for place, hold in self.holds.items() if hold.until > now}
        return self.others.union(held, self.apart)

    def _retry_parked(self) -> None:
        """Looks now and then for parked keys that are to be tried again: beside the turns, which
        wait for none of them.
        """
        if self.turned_at - self.retried_at < RETRY_LOOK_SECONDS:
            return
        if _is_over(self.retrying):
            self.retried_at = self.turned_at
            self.retrying = asyncio.create_task(self.retry())

    async def retry(self) -> None:
        """Tries the parked keys that are due."""
        try:
            if await self.retries.are_due(self.subscription.name, self.pool):
                async with self.retries.at_once:
                    await retry_parked(self.subscription, self.source, self.pool)
                self.applied.ring()
        except (TakenOver, VersionConflict, *WORLD_FAILURES) as failure:
            log.warning(
                "parked keys wait",
                subscription=self.subscription.name,
                failure=type(failure).__name__,
            )

    async def _check(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[list[Delivery], dict[Place, Cursor]]:
        """What is new and continues the chain, and the cursors after it."""
        fresh: list[Delivery] = []
        reached: dict[Place, Cursor] = {}
        again: dict[Place, Cursor] = {}  # places that have to be read again from there
        first: dict[Place, Delivery] = {}
        for place, told in groupby(deliveries, PLACE_OF):
            if place in again or place in self.apart or place not in self.cursors:
                continue
            cursor = started = reached.get(place) or self.cursors[place]
            for delivery in told:
                if len(fresh) >= self.batch_max:
                    again[place] = cursor
                    break
                try:
                    after = advance(cursor, delivery)
                except (Gap, Forked) as broken:
                    self._break(delivery, cursor, broken)
                    again[place] = cursor
                    first.setdefault(place, delivery)
                    break
                if after is not None:
                    cursor = after
                    first.setdefault(place, delivery)
                    fresh.append(delivery)
            if cursor is not started:
                reached[place] = cursor
        left = {*self.holds, *self.apart}
        self.waiting = {p: told for p, told in self.waiting.items() if p in left} | first
        if again:
            await self.source.rewind(again)
        for place, cursor in again.items():
            await self._search(place, cursor)
        return fresh, reached

    async def _search(self, place: Place, cursor: Cursor) -> None:
        """Where reading again has not helped, what is missing may lie elsewhere in the source."""
        hold = self.holds.get(place)
        if hold is None or hold.why != "gap" or hold.times == 1:
            return
        if await self.source.search(place, cursor):
            self.holds[place] = replace(hold, until=0.0)

    def _break(self, delivery: Delivery, cursor: Cursor, broken: Gap | Forked) -> None:
        told = {
            "position": delivery.position,
            "reached": cursor.position,
            "continues_from": cursor.chain_hash.hex(),
            "source_has": (delivery.chain_hash or b"").hex(),
        }
        if isinstance(broken, Gap):
            gaps_total.labels(self.subscription.name).inc()
            self._hold(delivery.place, "gap", **told)
        else:
            epoch = delivery.epoch
            since = epoch and epoch.since
            self._hold(delivery.place, "fork", **told, epoch=epoch and str(epoch.id), since=since)

    def _hold(
        self,
        place: Place,
        why: Why,
        **told: object,
    ) -> None:
        before = self.holds.get(place)
        times = before.times + 1 if before else 1
        seconds = _growing(times, HOLD_SECONDS_MAX)
        if why in {"fork", "silent"}:
            seconds = float("inf")
        elif why == "gap" and times == 1:
            seconds = 0.0  # most often the source was only read from a wrong place
        until = asyncio.get_running_loop().time() + seconds
        self.holds[place] = Hold(why=why, until=until, times=times)
        self._tell_held()
        tell = log.error if seconds else log.warning
        tell(
            "partition held",
            subscription=self.subscription.name,
            topic=place[0],
            partition=place[1],
            why=why,
            seconds=seconds,
            **told,
        )

    def _tell_held(self) -> None:
        name = self.subscription.name
        stopped_partitions.labels(name).set(len(self.holds))
        reasons = Counted(hold.why for hold in self.holds.values())
        for why in REASONS:
            held_partitions.labels(name, why).set(reasons[why])

    async def passes_over(self, fresh: Sequence[Delivery]) -> bool:
        """Whether nothing comes of these. (While keys are parked, their events follow them.)"""
        apply, ask = self.subscription.apply, self.subscription.passes_over
        if not self.puts_off or not self.parks_none:
            return False
        if isinstance(apply, Decoded) and apply.passes_over(fresh):
            return True
        try:
            return ask is not None and await ask(fresh, self.pool)
        except Exception as fault:
            if not is_of_the_events(fault):
                raise
            return False  # it is met again in the transaction, and set aside

    def _put_off(self, reached: Mapping[Place, Cursor]) -> None:
        if not self.stored:
            self.put_off_at = asyncio.get_running_loop().time()
        stored = {place: self._stored(place) for place in reached}
        self._reach(reached)
        self.stored.update(stored)

    async def _store_put_off(self) -> None:
        """Stores cursors that have moved in memory alone, when it is time. Raises `TakenOver`."""
        if asyncio.get_running_loop().time() - self.put_off_at < PUT_OFF_SECONDS:
            return
        await self._store_cursors()

    async def _store_cursors(self) -> None:
        """(Whose place has been held since stays held: nothing new has been read of it.)"""
        moved = self.stored.keys() & self.cursors.keys()
        put_off = {place: self.cursors[place] for place in moved if place not in self.apart}
        if put_off:
            await self._move_cursors(self.pool, put_off)
        for place in put_off:
            self.stored.pop(place, None)
        self.put_off_at = asyncio.get_running_loop().time()

    def _stored(self, place: Place) -> Cursor:
        return self.stored.get(place) or self.cursors[place]

    def _reach(self, reached: Mapping[Place, Cursor]) -> None:
        self.cursors.update(reached)
        for place in reached:
            self.stored.pop(place, None)
            self.waiting.pop(place, None)
        if self.holds.keys() & reached.keys():
            for place in reached:
                self.holds.pop(place, None)
            self._tell_held()

    async def _do_before(
        self, before: Before, fresh: list[Delivery], reached: dict[Place, Cursor]
    ) -> list[Delivery]:
        """What is left after the places that failed outside of the database."""
        failed = await before(fresh)
        for place, fault in failed.items():
            self._hold(place, "fault", fault=f"{type(fault).__name__}: {fault}")
            del reached[place]
        if failed:
            await self._rewind({place: self.cursors[place] for place in failed})
        return [delivery for delivery in fresh if delivery.place not in failed]

    async def _apply(self, fresh: list[Delivery], reached: dict[Place, Cursor]) -> int:
        try:
            await self._transact(fresh, reached, by_key=False)
        except Exception as fault:
            if not is_of_the_events(fault):
                raise
            log.warning(
                "batch refused, applying apart",
                subscription=self.subscription.name,
                fault=type(fault).__name__,
            )
            return await self._apply_apart(fresh, reached)
        self._reach(reached)
        return len(fresh)

    async def _apply_apart(self, fresh: list[Delivery], reached: dict[Place, Cursor]) -> int:
        """Partition by partition, each in a transaction of its own, and key by key if it parks.

        What the first try did is rolled back whole: this starts from where that one started.
        """
        applied = 0
        for place, cursor in reached.items():
            deliveries = [delivery for delivery in fresh if delivery.place == place]
            try:
                await self._transact(deliveries, {place: cursor}, by_key=self.subscription.parks)
            except TooManyParked as full:
                self._hold(place, "parked-keys", fault=str(full))
            except Exception as fault:
                if not is_of_the_events(fault):
                    raise
                self._hold(place, "fault", fault=f"{type(fault).__name__}: {fault}")
            else:
                self._reach({place: cursor})
                applied += len(deliveries)
                continue
            await self._rewind({place: self.cursors[place]})
        return applied

    async def _is_set_apart(self) -> bool:
        """Whether it was a batch that took longer than a statement may. Then each of its places is
        gone on with by itself, beside the turns, so that what is slow keeps nobody else waiting.
        """
        batch, self.overlong = self.overlong, None
        if batch is None:
            return False
        self.batch_max = BATCH_MAX
        for place, deliveries in groupby(sorted(batch.deliveries, key=PLACE_OF), PLACE_OF):
            task = asyncio.create_task(self._work_apart(place, list(deliveries)))
            self.apart[place] = task
        log.warning(
            "batch takes too long, applying apart",
            subscription=self.subscription.name,
            places=len(self.apart),
        )
        await self._rewind({place: self.cursors[place] for place in self.apart})
        return True

    async def _work_apart(self, place: Place, deliveries: list[Delivery]) -> None:
        """Applies what comes next in a place in ever smaller batches, up to an event that alone
        takes too long, which is set aside. Whatever else is met is met again by a turn.
        """
        try:
            async with self.apart_at_once:
                await self._apply_slowly(deliveries)
        except (TakenOver, VersionConflict, *WORLD_FAILURES) as failure:
            log.warning(
                "place waits",
                subscription=self.subscription.name,
                place=place,
                failure=type(failure).__name__,
            )
            self.stale = True  # the cursors are read again
        finally:
            self.apart.pop(place, None)

    async def _apply_slowly(self, deliveries: list[Delivery]) -> None:
        place, size, tries = deliveries[0].place, len(deliveries), 0
        while deliveries:
            part = deliveries[:size]
            cursor: Cursor | None = self.cursors[place]
            for delivery in part:
                cursor = cursor and advance(cursor, delivery)
            if cursor is None:
                raise TakenOver
            reached = {place: cursor}
            try:
                applied = await self._apply(part, reached)
            except TimeoutError:
                tries = tries + 1 if len(part) == 1 else 0
                size = max(1, len(part) // 2)
                if tries < POISON_ATTEMPTS:
                    continue
                applied = await self._leave_slow(part[0], reached)
            self.applied.ring()
            if self.cursors[place] != cursor:
                return  # it is held
            applied_total.labels(self.subscription.name).inc(applied)
            deliveries, tries = deliveries[len(part) :], 0

    async def _end_apart(self) -> None:
        tasks = [*self.apart.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.apart.clear()

    def _is_slow(self, alone: Delivery) -> bool:
        """Whether a single event has taken too long, again and again."""
        at = (*alone.place, alone.position)
        times = self.slow[1] + 1 if self.slow and self.slow[0] == at else 1
        self.slow = (at, times)
        return times >= POISON_ATTEMPTS

    async def _leave_slow(self, alone: Delivery, reached: dict[Place, Cursor]) -> int:
        """Sets the key of an event aside that alone takes too long; if nothing is parked, its
        partition is held. The others go on.
        """
        subscription, place = self.subscription, alone.place
        if not subscription.parks:
            self._hold(place, "fault", fault="an event takes longer than a statement may")
            await self._rewind({place: self.cursors[place]})
            return 0
        try:
            async with self.pool.acquire() as db, db.transaction():
                await enter_tables(db, subscription.tables)
                parked_keys, _ = await self._move_cursors(db, reached)
                self.parks_none = False
                await park_slow_key(subscription, alone, db, parked_keys)
        except TooManyParked as full:
            self._hold(place, "parked-keys", fault=str(full))
            await self._rewind({place: self.cursors[place]})
            return 0
        self._reach(reached)
        return 1

    async def _transact(
        self, fresh: list[Delivery], reached: dict[Place, Cursor], *, by_key: bool
    ) -> None:
        subscription = self.subscription
        if subscription.apply is nothing:
            await self._move_cursors(self.pool, reached)
            return
        async with self.pool.acquire() as db, db.transaction():
            await enter_tables(db, subscription.tables)
            parked_keys, parked = await self._move_cursors(db, reached)
            rest = await set_aside(subscription, fresh, parked, db)
            self.parks_none = not parked_keys and not by_key
            if by_key:
                await park_failing_keys(subscription, rest, db, parked_keys)
            elif rest:
                await subscription.apply(rest, db)

    async def _move_cursors(
        self, db: asyncpg.Pool | Connection, reached: Mapping[Place, Cursor]
    ) -> tuple[int, set[tuple[str, int, str]]]:
        """Moves the cursors; how many keys are parked, and which of these partitions.

        Raises `TakenOver`.
        """
        # Moved before the batch is applied: of two workers, the second waits here and does no
        # work; and what the batch appends stays the last thing of the transaction.
        name, steps = self.subscription.name, [self._step(*each) for each in reached.items()]
        if len(steps) == 1:
            row = await db.fetchrow(MOVE_ONE, name, *steps[0])
        else:
            row = await db.fetchrow(MOVE_CURSORS, name, *columns(steps, STEP_WIDTH))
        assert row is not None
        moved, parked_keys, parked = row
        if moved != len(reached):
            raise TakenOver
        return parked_keys, {(topic, int(number), key) for topic, number, key in parked or ()}

    def _step(self, place: Place, cursor: Cursor) -> Sequence[object]:
        """From where to where a cursor moves, and by whose lease."""
        started_from, lease_epoch = self._stored(place).position, self.owned.get(group_of(place), 0)
        told = (started_from, cursor.position, cursor.chain_hash, cursor.epoch, lease_epoch)
        return (*place, *told)


def advance(cursor: Cursor, delivery: Delivery) -> Cursor | None:
    """The cursor after a delivery; None if that is not new. Raises `Gap` or `Forked`."""
    if delivery.chain_hash is None:
        return _advance_foreign(cursor, delivery)
    epoch, newest = delivery.epoch, cursor.epoch
    if epoch is not None and newest is not None and epoch.id != newest:
        if epoch.id > newest and cursor.position > epoch.since:
            raise Forked  # the source has gone on from before our cursor
        if epoch.id < newest and not _is_next(cursor, delivery):
            return None  # of a history that is over
    if delivery.position <= cursor.position:
        # What is below the cursor was compared when it was at the cursor.
        if delivery.position == cursor.position and delivery.chain_hash != cursor.chain_hash:
            raise Forked
        return None
    if delivery.position != cursor.position + 1:
        raise Gap
    if not delivery.continues(cursor.chain_hash):
        raise Forked
    if epoch is not None and (newest is None or epoch.id > newest):
        newest = epoch.id
    return Cursor(position=delivery.position, chain_hash=delivery.chain_hash, epoch=newest)


def _is_next(cursor: Cursor, delivery: Delivery) -> bool:
    return delivery.position == cursor.position + 1 and delivery.continues(cursor.chain_hash)


def _advance_foreign(cursor: Cursor, delivery: Delivery) -> Cursor | None:
    """In a topic of others the offset numbers the records: it may skip numbers, and has no chain.

    But nobody reads further back than to the record at the cursor: what is before it, or another
    one in its place, is of a topic that was made anew. Raises `Forked`.
    """
    if delivery.position > cursor.position:
        return Cursor(position=delivery.position, chain_hash=delivery.leaf)
    if delivery.position < cursor.position or cursor.chain_hash not in {NO_CHAIN, delivery.leaf}:
        raise Forked
    return None


def _is_over(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()


def _growing(times: int, seconds_max: float) -> float:
    return min(seconds_max, PAUSE_SECONDS * 2.0 ** min(times, DOUBLINGS_MAX))


ADD_CURSORS = """
    INSERT INTO es.cursor (subscription, topic, partition)
    SELECT $1, * FROM unnest($2::text[], $3::int[]) ON CONFLICT DO NOTHING
"""
READ_CURSORS = "SELECT * FROM es.cursor WHERE subscription = $1 AND topic = ANY($2)"


async def read_cursors(
    db: asyncpg.Pool | Connection,
    subscription: Subscription,
    places: frozenset[Place] = frozenset(),
) -> dict[Place, Cursor]:
    """The cursors of a subscription, made where they are missing."""
    topics = subscription.topics
    wanted = places | {(topic, number) for topic in topics for number in range(PARTITIONS)}
    rows = await db.fetch(READ_CURSORS, subscription.name, topics)
    if missing := sorted(wanted - {(row["topic"], row["partition"]) for row in rows}):
        topics_missing, partitions_missing = zip(*missing, strict=True)
        await db.execute(ADD_CURSORS, subscription.name, topics_missing, partitions_missing)
        rows = await db.fetch(READ_CURSORS, subscription.name, topics)
    return {
        (row["topic"], row["partition"]): Cursor(
            position=row["position"], chain_hash=row["chain_hash"], epoch=row["epoch"]
        )
        for row in rows
    }
