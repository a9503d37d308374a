"""Named events and commands in, a sentence about the business that holds or fails out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid5

import asyncpg
from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded, decode_recorded, encode_envelope
from shared_events.partition import partition_of
from shared_events.registry import FAMILIES, encode_data, key_of, tag_of, topic_of

from shared_runtime.database import open_pool
from shared_runtime.decider import Actor, Command, Decider, Refused, SubjectErased
from shared_runtime.delivery import Connection, Cursor, Delivery, Place
from shared_runtime.keys import Kek, Keks, PostgresKeyStore, migrate_keys, new_key
from shared_runtime.log import (
    AlreadyAnswered,
    AlreadyRecorded,
    Planned,
    Reply,
    VersionConflict,
)
from shared_runtime.sealing import KEY_BYTES, PersonKey
from shared_runtime.webhook_events import Reads, brought_to_light

TEST_KEKS = Keks(current=Kek(id="test", secret=bytes(range(KEY_BYTES))))
TESTS = UUID("7d3a4c1e-1f5b-5f0e-8a52-0d6b3e9c7f10")
"""The namespace of ids that tests make up."""


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is told otherwise: give it where `now` is wanted."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@dataclass(frozen=True, slots=True)
class Played[S, E]:
    """What became of commands in turn: the events of all, the refusal of the last, the state."""

    state: S
    events: list[E] = field(default_factory=list[E])
    refused: Refused | None = None

    def then(self, *events: E) -> None:
        """Exactly these events, and the last command was not refused."""
        assert self.refused is None, f"refused: {self.refused}"
        assert self.events == list(events), _difference(self.events, events)

    def then_nothing(self) -> None:
        """No event and no refusal."""
        self.then()

    def then_refused(self, rule: type[Refused], **members: object) -> None:
        """The last command was refused by this rule; the members named have these values."""
        assert self.refused is not None, f"not refused: {self.events}"
        assert type(self.refused) is rule, f"refused: {self.refused}"
        told = self.refused.members()
        assert {name: told.get(name) for name in members} == members, f"refused: {self.refused}"


@dataclass(frozen=True, slots=True)
class Given[S, C: Command, E: Struct]:
    """A history that commands are about to meet."""

    decider: Decider[S, C, E]
    history: tuple[E, ...] = ()

    def when(self, *commands: C) -> Played[S, E]:
        """Plays the commands in turn. A refused one changes nothing and the next goes on."""
        return play(self.decider, commands, self.history)


@dataclass(frozen=True, slots=True)
class Scenario[S, C: Command, E: Struct]:
    """`Scenario(decider).given(*events).when(*commands).then(*events)`."""

    decider: Decider[S, C, E]

    def given(self, *events: E) -> Given[S, C, E]:
        return Given(self.decider, events)

    def when(self, *commands: C) -> Played[S, E]:
        """Nothing has happened yet."""
        return self.given().when(*commands)


def play[S, C: Command, E: Struct](
    decider: Decider[S, C, E], commands: Sequence[C], history: Sequence[E] = ()
) -> Played[S, E]:
    """Runs commands in turn on one stream. Every event must be one that the log would take."""
    state = decider.fold(history)
    events: list[E] = []
    refused: Refused | None = None
    for command in commands:
        refused = None
        try:
            decided = decider.decide(state, command)
        except Refused as refusal:
            refused = refusal
            continue
        for event in decided:
            encode_data(cast("Struct", event))
            state = decider.evolve(state, event)
        events += decided
    return Played(state=state, events=events, refused=refused)


async def see(deliveries: Sequence[Delivery], db: Connection) -> None:
    """Notes what was applied, in turn, where the tests' database has `see`."""
    columns = zip(*[(*d.place, d.position, d.key) for d in deliveries], strict=True)
    await db.execute("SELECT see($1, $2, $3, $4)", *map(list, columns))


async def seen(pool: asyncpg.Pool) -> dict[str, list[int]]:
    """The positions that were applied, by key, in the order in which they were."""
    return {row["key"]: row["positions"] for row in await pool.fetch("SELECT * FROM history")}


def counted(**counts: int) -> dict[str, list[int]]:
    """What `seen` is of so many events of each key, each applied once and in order."""
    return {seller: list(range(1, count + 1)) for seller, count in counts.items()}


def facts(
    stream: str, *events: Struct, at: datetime, after: int = 0, cause: str = ""
) -> list[Planned]:
    """Events for a log as they are, without a decider: versions `after + 1` and on of a stream.

    Their ids follow from stream, version and `cause`.
    """
    cause_id = uuid5(TESTS, cause or stream)
    return [
        Planned(
            event=event,
            event_id=str(uuid5(cause_id, f"{stream}/{version}")),
            stream=stream,
            version=version,
            time=at,
            actor="system:test",
            correlation=stream,
            cause=str(cause_id),
        )
        for version, event in enumerate(events, start=after + 1)
    ]


def as_recorded(stream: str, events: Sequence[Struct], *, at: datetime) -> list[Recorded[Any]]:
    """Events as if they had been recorded: of a stream from its beginning, and of no log."""
    return [
        Recorded(
            topic=topic_of(stream),
            partition=0,
            position=planned.version,
            event_id=planned.event_id,
            stream=stream,
            version=planned.version,
            type=tag_of(planned.event),
            time=at,
            recorded_at=at,
            key=key_of(planned.event),
            actor=planned.actor,
            correlation_id=planned.correlation,
            causation_id=planned.cause,
            event=planned.event,
        )
        for planned in facts(stream, *events, at=at)
    ]


def told_in_turn(
    history: Sequence[Recorded[Any]], reader: Actor, reads: Reads
) -> list[list[Recorded[Any]]]:
    """What a subscriber is told by each event; never what he could not have read then, nor anything
    twice, and by the end all that he reads.
    """
    told: list[list[Recorded[Any]]] = []
    for number, recorded in enumerate(history, start=1):
        told.append(brought_to_light(recorded, history, reader, reads))
        upto = history[:number]
        readable = {each.version for each in reads(recorded.stream, upto, reader)}
        assert {each.version for each in told[-1]} <= readable
        assert readable <= {each.version for step in told for each in step}
    versions = [each.version for step in told for each in step]
    assert len(versions) == len({*versions})
    return told


def stream_for(event: Struct, name: str) -> str:
    """A stream that may have such an event, told from others by `name`."""
    family = next(family for family in FAMILIES if type(event) in family.events)
    return f"{family.streams[0].partition('-')[0]}-{name}"


@dataclass(slots=True)
class InMemoryLog:
    """The log as a dict of streams: for fast tests of commands. Nothing is chained or kept.

    The contract tests of the log run on it and on PostgreSQL.
    """

    now: Callable[[], datetime]
    streams: dict[str, dict[int, Recorded[Any]]] = field(
        default_factory=dict[str, dict[int, Recorded[Any]]]
    )
    heads: dict[tuple[str, int], tuple[int, datetime]] = field(
        default_factory=dict[tuple[str, int], tuple[int, datetime]]
    )
    event_ids: set[str] = field(default_factory=set[str])
    replies: dict[UUID, Reply] = field(default_factory=dict[UUID, Reply])

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["InMemoryLog"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["InMemoryLog"]:
        yield self

    async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
        return {
            stream: [history[version] for version in sorted(history)]
            for stream in streams
            if (history := self.streams.get(stream))
        }

    async def recorded(self, event_ids: Sequence[str]) -> set[str]:
        return self.event_ids.intersection(event_ids)

    async def append(
        self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
    ) -> list[Recorded[Any]]:
        now = self.now()
        bodies = [_encoded(item, now) for item in planned]
        self._refuse_taken(planned)
        kept = {reply.request_id: reply for reply in replies} if planned else {}
        if not self.replies.keys().isdisjoint(kept):
            raise AlreadyAnswered
        self.replies |= kept
        return [self._add(item, body, now) for item, body in zip(planned, bodies, strict=True)]

    def _refuse_taken(self, planned: Sequence[Planned]) -> None:
        ids = [item.event_id for item in planned]
        places = [(item.stream, item.version) for item in planned]
        if len(set(ids)) < len(ids) or not self.event_ids.isdisjoint(ids):
            raise AlreadyRecorded
        if len(set(places)) < len(places) or any(
            version in self.streams.get(stream, {}) for stream, version in places
        ):
            raise VersionConflict

    def _add(self, item: Planned, body: bytes, now: datetime) -> Recorded[Any]:
        topic, partition = topic_of(item.stream), partition_of(key_of(item.event))
        position, newest = self.heads.get((topic, partition), (0, now))
        recorded_at = max(now, newest)
        recorded = replace(
            decode_recorded(topic, partition, position + 1, body), recorded_at=recorded_at
        )
        self.heads[topic, partition] = (position + 1, recorded_at)
        self.streams.setdefault(item.stream, {})[item.version] = recorded
        self.event_ids.add(item.event_id)
        return recorded


@dataclass(slots=True)
class InMemoryKeyStore:
    """The keys of people as a dict, None where one was destroyed: for fast tests.

    The contract tests of the key store run on it and on PostgreSQL.
    """

    people: dict[str, PersonKey | None] = field(default_factory=dict[str, PersonKey | None])
    destroyed: dict[str, datetime] = field(default_factory=dict[str, datetime])

    async def key_of(self, person: str) -> PersonKey:
        key = self.people.setdefault(person, new_key(person))
        if key is None:
            raise SubjectErased
        return key

    async def keys_of(self, persons: Iterable[str]) -> dict[str, PersonKey]:
        known = {person: self.people.setdefault(person, new_key(person)) for person in persons}
        return {person: key for person, key in known.items() if key is not None}

    async def keys(self, key_ids: Iterable[str]) -> dict[str, PersonKey]:
        wanted = set(key_ids)
        return {key.key_id: key for key in self.people.values() if key and key.key_id in wanted}

    async def destroyed_at(self, person: str) -> datetime | None:
        return self.destroyed.get(person)

    async def destroy(self, person: str) -> bool:
        if person in self.destroyed:
            return False
        self.people[person] = None
        self.destroyed[person] = datetime.now(UTC)
        return True


@asynccontextmanager
async def key_store(
    owner_url: str, app_url: str, keks: Keks = TEST_KEKS
) -> AsyncGenerator[PostgresKeyStore]:
    """The key store in a database, which is migrated: give it an empty one of its own."""
    await migrate_keys(owner_url)
    async with await open_pool(app_url) as pool:
        yield PostgresKeyStore(pool, keks)


@dataclass(slots=True)
class InMemorySource:
    """Recorded events as a source, `batch_max` at a time in the order given: not chained.

    Within a place they must be in the order of their positions, as in any log.
    """

    recorded: Sequence[Recorded[Any]]
    batch_max: int = 500

    async def places(self) -> frozenset[Place]:
        return frozenset()

    async def take(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place] = frozenset()
    ) -> list[Delivery]:
        new = [
            each
            for each in self.recorded
            if (place := (each.topic, each.partition)) in cursors
            and place not in held
            and each.position > cursors[place].position
        ]
        return [delivery_of(each) for each in new[: self.batch_max]]

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:
        """Nothing to do: each `take` goes on right behind the cursors it is given."""

    async def search(self, place: Place, cursor: Cursor) -> bool:  # noqa: ARG002 - of a `Source`
        return False

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        return [
            delivery_of(each)
            for each in self.recorded
            if (each.topic, each.partition) == place and each.position in positions
        ]


def delivery_of(recorded: Recorded[Any]) -> Delivery:
    """An event as a log hands it on."""
    body = encode_envelope(
        recorded.event,
        event_id=recorded.event_id,
        source="/test",
        stream=recorded.stream,
        version=recorded.version,
        time=recorded.time,
        recorded_at=recorded.recorded_at,
        actor=recorded.actor,
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
    )
    return Delivery(
        topic=recorded.topic,
        partition=recorded.partition,
        position=recorded.position,
        body=body,
        chain_hash=None,
    )


WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def waits_for(
    lock: Callable[[Connection], Awaitable[None]], doing: Awaitable[object], pool: asyncpg.Pool
) -> bool:
    """Whether something is done only after whoever has taken an advisory lock has let it go."""
    async with pool.acquire() as db, db.transaction():
        await lock(db)
        task = asyncio.ensure_future(doing)
        while not (waiting := await pool.fetchval(WAITING)) and not task.done():
            pass
    await task
    return bool(waiting)


LOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def comes_to_wait(doing: asyncio.Future[Any], pool: asyncpg.Pool) -> bool:
    """Whether it comes to a lock, of a row or another, that somebody has; or else ends."""
    while not doing.done():
        if await pool.fetchval(LOCKED):
            return True
    return False


NUMBER = """
    SELECT objid::bigint::bit(32)::integer FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid()
"""


type Lock[K] = Callable[[Sequence[K], Connection], Awaitable[None]]


async def take_all_at_once[K](
    lock: Lock[K], keys: Sequence[K], pool: asyncpg.Pool, *, other: Lock[K] | None = None
) -> None:
    """Two transactions take the advisory locks of all these keys, which come to them in opposite
    orders. The first has the lowest lock, and asks for all when the second waits for that one: had
    the second another by then, they would wait for each other, and PostgreSQL ends one of them.
    `other`: how the second takes them, if not as the first.
    """
    ascending = await _ascending(lock, keys, pool)
    async with asyncio.TaskGroup() as group, pool.acquire() as db, db.transaction():
        await lock(ascending[:1], db)
        second = group.create_task(_take(other or lock, ascending[::-1], pool))
        while not await pool.fetchval(WAITING):
            assert not second.done(), "it has not waited"
        await lock(ascending, db)


async def _take[K](lock: Lock[K], keys: Sequence[K], pool: asyncpg.Pool) -> None:
    async with pool.acquire() as db, db.transaction():
        await lock(keys, db)


async def _ascending[K](lock: Lock[K], keys: Sequence[K], pool: asyncpg.Pool) -> list[K]:
    """The keys in the order of their locks."""
    numbered: list[tuple[int, K]] = []
    async with pool.acquire() as db:
        for key in keys:
            async with db.transaction():
                await lock([key], db)
                numbered.append((await db.fetchval(NUMBER), key))
    return [key for _, key in sorted(numbered, key=lambda each: each[0])]


def _encoded(item: Planned, now: datetime) -> bytes:
    return encode_envelope(
        item.event,
        event_id=item.event_id,
        source="/test",
        stream=item.stream,
        version=item.version,
        time=item.time,
        recorded_at=now,
        actor=item.actor,
        correlation_id=item.correlation,
        causation_id=item.cause,
        traceparent=item.traceparent,
    )


def _difference(told: Sequence[object], wanted: Sequence[object]) -> str:
    lines = [f"  {event}" for event in told]
    return "\n".join(["events:", *lines, "instead of:", *(f"  {event}" for event in wanted)])
