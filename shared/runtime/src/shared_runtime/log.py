"""Commands in, recorded events out.

A command reads one stream, a pure function decides, and the events are appended in one short
transaction. Reactions, timers and bulk intake do the same for many streams at once.
"""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct, structs
from prometheus_client import Counter
from shared_events.envelope import (
    RECORDED_TIME_OFFSET,
    Recorded,
    decode_recorded,
    encode_envelope,
)
from shared_events.partition import partition_of
from shared_events.registry import UnknownEventType, key_of, tag_of, topic_of

from shared_runtime.bells import Bells
from shared_runtime.decider import Command, Decider, PolicyUnknown, Refused, TimeGoesBack
from shared_runtime.ids import derived_id
from shared_runtime.sealing import seal_event
from shared_runtime.skew import READ_CLOCK, ClockSkewed

ATTEMPTS_MAX = 3
HISTORIES_BYTES_MAX = 20 * 1024 * 1024
"""Of bodies, read at once to decide on them: two thousand cases of ten events. A batch that needs
more is tried again in smaller ones; one stream that is larger is read no more."""
SQL_TIME_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

type Database = asyncpg.Pool | asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""A pool runs each statement in a transaction of its own; a connection in the one it is in."""


class VersionConflict(Exception):  # noqa: N818 - a race that was lost, not an error
    """Another writer was first on the stream: decide again on the new history."""


class AlreadyRecorded(VersionConflict):
    """An event of the same cause is in the log: whoever decides again finds it in the history."""


class AlreadyAnswered(Exception):  # noqa: N818 - a race that was lost, not an error
    """A request with this id has been answered meanwhile: give its answer."""


class TooMuchHistory(TimeoutError):  # noqa: N818 - it is met as what takes too long: by fewer
    """Streams with more in them than is read at once. The message tells one of them."""


class StreamsUnreadable(OSError):  # noqa: N818 - a state of a rolling deployment
    """Streams have events of types that this release does not know, or have begun with a policy
    that it does not have: a newer one may answer.

    `types`: the first unknown type of each of them, or the policy, by its name.
    """

    def __init__(self, types: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{stream}: {event}" for stream, event in types.items()))
        self.types = types


@dataclass(kw_only=True, eq=False)
class StaleVersion(Refused):
    """The object changed since you read it."""

    expected: int
    actual: int


class Ask[C](Struct, frozen=True, kw_only=True):
    """A command for a stream, and what caused it.

    `cause` is a UUID: of the command itself (a person's) or of the event that it reacts to. The
    ids of the events that come of it are derived from it, so a cause cannot be recorded twice. A
    cause that asks several things of one stream names the `purpose` of each.
    `expected` is the version that the client saw (If-Match). `states_time`: the command tells
    when something happened (a feed, an import) rather than what the clock says now.
    """

    stream: str
    command: C
    cause: str
    correlation: str
    purpose: str = ""
    expected: int | None = None
    states_time: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled[S, E]:
    """What came of an `Ask`: the stream's version, state and events after it, and what was appended
    of these.
    """

    version: int
    state: S
    events: Sequence[E]
    recorded: list[Recorded[E]]

    @property
    def token(self) -> str | None:
        """The Consistency-Token of the last event: `<topic>/<partition>:<position>`."""
        if not self.recorded:
            return None
        last = self.recorded[-1]
        return f"{last.topic}/{last.partition}:{last.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to keep with the events, for the request that comes twice. `of`: the id of the
    last event that came of it; None: the last of all.
    """

    request_id: UUID
    fingerprint: bytes
    status: int
    etag: str | None
    body: bytes
    of: str | None = None


class Planned(Struct, frozen=True, kw_only=True):
    """An event that has been decided and is not yet appended."""

    event: Struct
    event_id: str
    stream: str
    version: int
    time: datetime
    actor: str
    correlation: str
    cause: str
    traceparent: str | None = None


class Log(Protocol):
    """Where streams are read from and appended to: PostgreSQL, or memory in fast tests."""

    async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
        """The histories of the streams, in order; absent streams are left out.

        Raises `StreamsUnreadable`, naming each of those that this release cannot read, and
        `TooMuchHistory`.
        """
        ...

    async def recorded(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the ids that events of the log have."""
        ...

    async def append(
        self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
    ) -> list[Recorded[Any]]:
        """Appends all or nothing, with answers to keep. Raises `VersionConflict`,
        `AlreadyAnswered`, `ClockSkewed`.
        """
        ...

    def session(self) -> AbstractAsyncContextManager["Log"]:
        """The same log for a read and the append that follows it, on one connection."""
        ...

    def transaction(self) -> AbstractAsyncContextManager["Log"]:
        """The same log in one transaction, with whatever else its database is told in it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderLock[K, A, C]:
    """What a command may not be decided without, and what may not change until its events are
    there. Of many commands at once: `lock` takes their locks, in one order, no wider than what they
    ask for; then `read` gives each what it has to know. `about`: what that needs of this one.
    """

    lock: Callable[[Sequence[K], Database], Awaitable[None]]
    key: K
    read: "Callable[[Decisions, Sequence[tuple[A, C]]], Awaitable[Sequence[C]]]"
    about: A


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsoWrite[A]:
    """Writes what has to be there with the events of commands, in the transaction that appends
    them: of each of many `about`, and what came of it. It is called when something came of a
    command; a refusal takes back what it has written.
    """

    write: Callable[[Log, Sequence[tuple[A, Sequence[Planned]]]], Awaitable[None]]
    about: A


log = structlog.get_logger()
refused_total = Counter(
    "aftersales_too_much_history", "Reads of streams that have more in them than is read at once"
)

type AnyUnderLock[C] = UnderLock[Any, Any, C]
type AnyAlsoWrite = AlsoWrite[Any]

LOST_RACES: dict[str | None, type[Exception]] = {
    "event_stream_id_stream_version_key": VersionConflict,
    "event_event_id_key": AlreadyRecorded,
    "reply_pkey": AlreadyAnswered,
}
"""What it means that one of these keys is taken. Any other would be a broken log."""
# With what was read before it, up to one beyond what may be: that tells that there is more.
READ = """
    SELECT topic, partition, position, stream_id, body FROM (
        SELECT topic, partition, position, stream_id, stream_version, body,
               sum(octet_length(body)) OVER (
                   ORDER BY stream_id, stream_version ROWS UNBOUNDED PRECEDING) AS bytes
        FROM es.event WHERE stream_id = ANY($1::text[])
    ) AS counted WHERE bytes - octet_length(body) <= $2 ORDER BY stream_id, stream_version
"""
READ_ONE = """
    SELECT topic, partition, position, stream_id, body FROM (
        SELECT topic, partition, position, stream_id, stream_version, body,
               sum(octet_length(body)) OVER (
                   ORDER BY stream_version ROWS UNBOUNDED PRECEDING) AS bytes
        FROM es.event WHERE stream_id = $1
    ) AS counted WHERE bytes - octet_length(body) <= $2 ORDER BY stream_version
"""
"""For an array PostgreSQL makes a new plan each time, which takes longer than to read a stream."""
RECORDED = "SELECT event_id FROM es.event WHERE event_id = ANY(string_to_array($1, ',')::uuid[])"
APPEND = """
    SELECT positions, recorded FROM es.append(
        $1, string_to_array($2, ','), string_to_array($3, ',')::int[],
        string_to_array($4, ',')::uuid[], $5::text[], string_to_array($6, ',')::int[],
        string_to_array($7, ','), $8::bytea[],
        $9, $10, $11, $12, $13, $14, $15, $16)
"""
APPEND_ONE = """
    SELECT place, recorded FROM es.append_one(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""
APPEND_TOGETHER = """
    SELECT positions, recorded FROM es.append_together(
        $1, string_to_array($2, ','), string_to_array($3, ',')::int[],
        string_to_array($4, ',')::uuid[], $5::text[], string_to_array($6, ',')::int[],
        string_to_array($7, ','), $8::bytea[],
        $9, $10, string_to_array($11, ',')::uuid[], $12::bytea[], string_to_array($13, ',')::int[],
        $14::text[], $15::bytea[], string_to_array($16, ',')::uuid[], $17)
"""
SKEWED = "ES001"
"""The SQLSTATE of an append whose clock is not to be trusted."""


class PostgresLog:
    """The log of one service. Given a pool it commits each append; given a connection it joins
    the transaction of that connection (append last: it locks the heads until the commit).

    `topic_of` names the topic of a stream: under another name in tests that share a broker.
    `skew_max`: how far `now` may be from the database's clock; None takes any, of a machine where
    time is moved by hand. `bells`: what rings when it grows, of this process if not said.
    """

    def __init__(
        self,
        db: Database,
        *,
        source: str,
        now: Callable[[], datetime],
        topic_of: Callable[[str], str] = topic_of,
        skew_max: timedelta | None = None,
        bells: Bells | None = None,
    ) -> None:
        self._db = db
        self.bells = bells or Bells(db if isinstance(db, asyncpg.Pool) else None)
        self._source = source
        self._now = now
        self._topic_of = topic_of
        self._skew_max = skew_max

    @property
    def db(self) -> Database:
        """Where it is kept."""
        return self._db

    @property
    def takes_any_clock(self) -> bool:
        """Whether time is moved by hand here."""
        return self._skew_max is None

    def within(self, db: Database) -> "PostgresLog":
        """The same log, in the transaction of a connection."""
        return type(self)(
            db,
            source=self._source,
            now=self._now,
            topic_of=self._topic_of,
            skew_max=self._skew_max,
            bells=self.bells,
        )

    async def instant(self, now: Callable[[], datetime]) -> datetime:
        """What deadlines are compared with: the database's clock, so that no process's own brings
        them forward; `now` where any clock is taken.
        """
        if self.takes_any_clock:
            return now()
        told: datetime = await self._db.fetchval(READ_CLOCK)
        return told

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["PostgresLog"]:
        if not isinstance(self._db, asyncpg.Pool):
            yield self
            return
        # Acquired once, not for each statement: a tenth of what a command costs.
        async with self._db.acquire() as db:
            yield self.within(db)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["PostgresLog"]:
        async with self.session() as session:
            db = session.db
            assert not isinstance(db, asyncpg.Pool)
            async with db.transaction():
                yield session

    async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
        histories: dict[str, list[Recorded[Any]]] = {}
        unknown: dict[str, str] = {}
        if len(streams) == 1:
            rows = await self._db.fetch(READ_ONE, streams[0], HISTORIES_BYTES_MAX)
        else:
            rows = await self._db.fetch(READ, streams, HISTORIES_BYTES_MAX)
        if sum(len(row["body"]) for row in rows) > HISTORIES_BYTES_MAX:
            refused_total.inc()
            log.warning("too much history", streams=len(streams), first=streams[0])
            raise TooMuchHistory(f"{len(streams)} streams from {streams[0]}")
        for topic, partition, position, stream, body in rows:
            try:
                recorded = decode_recorded(topic, partition, position, body)
            except UnknownEventType as event:
                unknown.setdefault(stream, str(event))
                continue
            histories.setdefault(stream, []).append(recorded)
        if unknown:
            raise StreamsUnreadable(unknown)
        return histories

    async def recorded(self, event_ids: Sequence[str]) -> set[str]:
        if not event_ids:
            return set()
        rows = await self._db.fetch(RECORDED, ",".join(event_ids))
        return {str(event_id) for (event_id,) in rows}

    async def append(
        self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
    ) -> list[Recorded[Any]]:
        if not planned:
            return []
        now = self._now()
        topics = [self._topic_of(item.stream) for item in planned]
        partitions = [partition_of(key_of(item.event)) for item in planned]
        columns = (
            topics,
            partitions,
            [item.event_id for item in planned],
            [item.stream for item in planned],
            [item.version for item in planned],
            [tag_of(item.event) for item in planned],
            [self._encode(item, now) for item in planned],
        )
        try:
            places = await self._store(now, columns, replies)
        except asyncpg.UniqueViolationError as taken:
            if lost := LOST_RACES.get(taken.constraint_name):
                raise lost from taken
            raise
        except asyncpg.PostgresError as refused:
            if refused.sqlstate == SKEWED:
                raise ClockSkewed(str(refused)) from refused
            raise
        self.bells.tell()
        return [
            _recorded(item, topic, partition, position, recorded_at)
            for item, topic, partition, (position, recorded_at) in zip(
                planned, topics, partitions, places, strict=True
            )
        ]

    async def _store(
        self, now: datetime, columns: Sequence[Sequence[Any]], replies: Sequence[Reply]
    ) -> list[tuple[int, datetime]]:
        """Where the events have come to stand, and when they were recorded."""
        form = (RECORDED_TIME_OFFSET, SQL_TIME_FORMAT)
        last = columns[2][-1]
        if len(replies) <= 1 and all(reply.of in (None, last) for reply in replies):
            kept = (*_kept(*replies), self._skew_max)
            if len(columns[0]) == 1:
                told = (column[0] for column in columns)
                row = await self._db.fetchrow(APPEND_ONE, now, *told, *form, *kept)
                assert row is not None
                return [(row["place"], row["recorded"])]
            row = await self._db.fetchrow(APPEND, now, *_arrays(columns), *form, *kept)
        else:
            ids, fingerprints, statuses, etags, bodies = zip(*map(_kept, replies), strict=True)
            row = await self._db.fetchrow(
                APPEND_TOGETHER,
                now,
                *_arrays(columns),
                *form,
                ",".join(map(str, ids)),
                fingerprints,
                ",".join(map(str, statuses)),
                etags,
                bodies,
                ",".join(reply.of or last for reply in replies),
                self._skew_max,
            )
        assert row is not None
        return list(zip(row["positions"], row["recorded"], strict=True))

    def _encode(self, item: Planned, now: datetime) -> bytes:
        return encode_envelope(
            item.event,
            event_id=item.event_id,
            source=self._source,
            stream=item.stream,
            version=item.version,
            time=item.time,
            recorded_at=now,
            actor=item.actor,
            correlation_id=item.correlation,
            causation_id=item.cause,
            traceparent=item.traceparent,
        )


def _arrays(columns: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    topics, partitions, event_ids, streams, versions, types, bodies = columns
    return (
        # Joined: asyncpg asks every element of an array whether it is an array itself.
        ",".join(topics),
        ",".join(map(str, partitions)),
        ",".join(event_ids),
        streams,
        ",".join(map(str, versions)),
        ",".join(types),
        bodies,
    )


def _kept(reply: Reply | None = None) -> tuple[Any, ...]:
    if reply is None:
        return (None,) * 5
    return reply.request_id, reply.fingerprint, reply.status, reply.etag, reply.body


def _recorded(
    item: Planned, topic: str, partition: int, position: int, recorded_at: datetime
) -> Recorded[Any]:
    return Recorded(
        topic=topic,
        partition=partition,
        position=position,
        event_id=item.event_id,
        stream=item.stream,
        version=item.version,
        type=tag_of(item.event),
        time=item.time,
        recorded_at=recorded_at,
        key=key_of(item.event),
        actor=item.actor,
        correlation_id=item.correlation,
        causation_id=item.cause,
        traceparent=item.traceparent,
        event=item.event,
    )


@dataclass(slots=True)
class _Stream:
    state: Any
    version: int = 0
    last: datetime | None = None


@dataclass(slots=True)
class Decisions:
    """Decides command after command on streams that were read once; appends all with one call.

    Each command sees what the ones before it left. Read every stream before deciding on it.
    """

    log: Log
    planned: list[Planned] = field(default_factory=list[Planned])
    _histories: dict[str, list[Recorded[Any]]] = field(
        default_factory=dict[str, list[Recorded[Any]]]
    )
    _streams: dict[str, _Stream] = field(default_factory=dict[str, _Stream])
    _known: set[str] = field(default_factory=set[str])
    _unreadable: dict[str, str] = field(default_factory=dict[str, str])

    async def read(self, streams: Iterable[str]) -> None:
        """Fetches the histories of streams that are not here yet, in one round trip.

        One that this release cannot read is told of when somebody asks for it: whoever asks for
        the others alone goes on.
        """
        if not (wanted := sorted(set(streams) - self._known)):
            return
        try:
            found = await self.log.read(wanted)
        except StreamsUnreadable as some:
            self._unreadable.update(some.types)
            found = await self.log.read([name for name in wanted if name not in some.types])
        self._histories.update(found)
        self._known.update(wanted)

    async def unanswered[C](self, asks: Iterable[Ask[C]]) -> list[Ask[C]]:
        """The asks whose causes nothing has come of, with their streams read.

        Nothing can come of the others any more. To see that takes a look at one index, not at
        their streams: most have been answered in the transaction that recorded their causes.
        """
        first = {event_id_of(ask): ask for ask in asks}
        answered = await self.log.recorded([*first])
        left = [ask for event_id, ask in first.items() if event_id not in answered]
        await self.read(ask.stream for ask in left)
        return left

    def history(self, stream: str) -> Sequence[Recorded[Any]]:
        """What had been recorded of a stream when it was read. Raises `StreamsUnreadable`."""
        self._check_readable(stream)
        return self._histories.get(stream, ())

    def events(self, stream: str) -> list[Any]:
        """What has happened on a stream, with what has been decided here."""
        past = [recorded.event for recorded in self.history(stream)]
        return past + [each.event for each in self.planned if each.stream == stream]

    @contextmanager
    def all_or_nothing(self, streams: Sequence[str]) -> Generator[None]:
        """Undoes all that was decided inside, on these streams, when a refusal comes out of it, or
        a stream that cannot be read.
        """
        planned = len(self.planned)
        before = {name: copy(known) for name in streams if (known := self._streams.get(name))}
        try:
            yield
        except (Refused, StreamsUnreadable):
            del self.planned[planned:]
            for name in streams:
                self._streams.pop(name, None)
            self._streams.update(before)
            raise

    def state[S, C: Command, E: Struct](self, decider: Decider[S, C, E], stream: str) -> S:
        """The state of a stream, with what has been decided here."""
        return cast("S", self._stream(decider, stream).state)

    def version(self, stream: str) -> int:
        """The version of a stream that has been folded here, with what has been decided here."""
        return self._streams[stream].version

    def decide[S, C: Command, E: Struct](self, decider: Decider[S, C, E], ask: Ask[C]) -> list[E]:
        """The events that come of a command, sealed: states, rows and answers never hold a text.

        Raises `Refused`; a refusal changes nothing. Raises `StreamsUnreadable`.
        """
        stream = self._stream(decider, ask.stream)
        if ask.expected is not None and ask.expected != stream.version:
            raise StaleVersion(expected=ask.expected, actual=stream.version)
        command = _in_time(ask, stream.last)
        try:
            events = decider.decide(stream.state, command)
        except PolicyUnknown as unknown:
            if unknown.policy_version not in self._policies_of(ask.stream):
                raise  # whoever asks has named it
            raise StreamsUnreadable({ask.stream: unknown.policy_version}) from unknown
        if events and stream.last is not None and command.now < stream.last:
            raise TimeGoesBack(last_at=stream.last)
        actor = str(command.actor) if events else ""
        sealed: list[E] = []
        for n, decided in enumerate(events):
            event_id = event_id_of(ask, n)
            event = seal_event(decided, event_id)
            sealed.append(event)
            stream.version += 1
            stream.state = decider.evolve(stream.state, event)
            stream.last = command.now
            self.planned.append(
                Planned(
                    event=event,
                    event_id=event_id,
                    stream=ask.stream,
                    version=stream.version,
                    time=command.now,
                    actor=actor,
                    correlation=ask.correlation,
                    cause=ask.cause,
                    traceparent=ask.traceparent,
                )
            )
        return sealed

    async def append(self, replies: Sequence[Reply] = ()) -> list[Recorded[Any]]:
        """Appends all that was decided: the last statement of a transaction."""
        return await self.log.append(self.planned, replies)

    def _check_readable(self, stream: str) -> None:
        if unknown := self._unreadable.get(stream):
            raise StreamsUnreadable({stream: unknown})

    def _policies_of(self, stream: str) -> set[str]:
        """The versions that its events tell, as it begins with one."""
        return {getattr(event, "policy_version", "") for event in self.events(stream)} - {""}

    def _stream[S, C: Command, E: Struct](self, decider: Decider[S, C, E], name: str) -> _Stream:
        if name not in self._streams:
            assert name in self._known, f"{name} was not read"
            self._check_readable(name)
            history = self._histories.get(name, [])
            self._streams[name] = _Stream(
                state=decider.fold(recorded.event for recorded in history),
                version=len(history),
                last=history[-1].time if history else None,
            )
        return self._streams[name]


def event_id_of(ask: Ask[Any], number: int = 0) -> str:
    """The id of an event that comes of an ask: the same whenever it is asked."""
    of = f"{ask.stream}/{ask.purpose}" if ask.purpose else ask.stream
    return derived_id(ask.cause, f"{of}/{number}")


def _in_time[C: Command](ask: Ask[C], last: datetime | None) -> C:
    """`now` is never before the stream's last event: a clock's reading is lifted to it, a stated
    instant stays as it is (and is refused if anything comes of it).
    """
    if last is None or ask.command.now >= last or ask.states_time:
        return ask.command
    return ask.command.at(last)


async def handle[S, C: Command, E: Struct](
    log: Log,
    decider: Decider[S, C, E],
    ask: Ask[C],
    *,
    reply: Callable[[Handled[S, E]], Reply] | None = None,
    under_lock: AnyUnderLock[C] | None = None,
    also_write: AnyAlsoWrite | None = None,
    version_of: Callable[[Sequence[E]], int] = len,
) -> Handled[S, E]:
    """Decides one command and appends what comes of it, with the answer to keep.

    `version_of` tells the version that the sender has seen of the stream's events, if he does not
    see all of them: to lose a race against one that is hidden from him makes nothing stale.

    Raises `Refused`, `AlreadyAnswered`, or `VersionConflict` after `ATTEMPTS_MAX` lost races.
    """
    alone = under_lock is None and also_write is None

    async def once() -> Handled[S, E]:
        async with log.session() if alone else log.transaction() as session:
            decisions = await decided(session, decider, ask, version_of, under_lock)
            outcome = outcome_of(decisions, decider, ask.stream)
            if also_write and decisions.planned:
                await also_write.write(session, [(also_write.about, decisions.planned)])
            kept = [reply(outcome)] if reply and decisions.planned else []
            outcome.recorded.extend(await decisions.append(kept))
            return outcome

    # A request that was recorded has been answered: to decide it again is for nothing.
    return await decided_again(once, final=AlreadyRecorded if reply else ())


async def decided_again[T](
    once: Callable[[], Awaitable[T]],
    most: int = ATTEMPTS_MAX,
    final: type[VersionConflict] | tuple[()] = (),
) -> T:
    """What comes of it; where it loses a race it is done again, on what is there by then.

    Raises `VersionConflict` after `most` lost races, or at one that is `final`.
    """
    for _ in range(most - 1):
        try:
            return await once()
        except VersionConflict as lost:
            if isinstance(lost, final):
                raise
    return await once()


async def decided[S, C: Command, E: Struct](
    log: Log,
    decider: Decider[S, C, E],
    ask: Ask[C],
    version_of: Callable[[Sequence[E]], int] = len,
    under_lock: AnyUnderLock[C] | None = None,
) -> Decisions:
    """One command, decided on its stream. Raises `Refused`."""
    decisions = Decisions(log)
    if under_lock and (db := database_of(log)):
        await under_lock.lock([under_lock.key], db)
    await decisions.read([ask.stream])
    if under_lock:
        (command,) = await under_lock.read(decisions, [(under_lock.about, ask.command)])
        ask = structs.replace(ask, command=command)
    decide_as_seen(decisions, decider, ask, version_of)
    return decisions


def decide_as_seen[S, C: Command, E: Struct](
    decisions: Decisions,
    decider: Decider[S, C, E],
    ask: Ask[C],
    version_of: Callable[[Sequence[E]], int],
) -> None:
    """A command on a stream that was read, whose sender sees of it what `version_of` counts. Raises
    `Refused`.
    """
    if ask.expected is not None:
        actual = version_of(decisions.events(ask.stream))
        if ask.expected != actual:
            raise StaleVersion(expected=ask.expected, actual=actual)
    decisions.decide(decider, structs.replace(ask, expected=None))


def outcome_of[S, C: Command, E: Struct](
    decisions: Decisions, decider: Decider[S, C, E], stream: str
) -> Handled[S, E]:
    """What a stream is by what was decided here; yet to be recorded."""
    return Handled(
        state=decisions.state(decider, stream),
        version=decisions.version(stream),
        events=decisions.events(stream),
        recorded=[],
    )


async def handle_many[S, C: Command, E: Struct](
    log: Log, decider: Decider[S, C, E], asks: Sequence[Ask[C]]
) -> list[int | Refused]:
    """Decides every command in order on what the one before left; appends all with one call.

    For each: its stream's new version, or the rule that refused it.
    """
    decisions = Decisions(log)
    await decisions.read(ask.stream for ask in asks)
    answers: list[int | Refused] = []
    for ask in asks:
        try:
            decisions.decide(decider, ask)
            answers.append(decisions.version(ask.stream))
        except Refused as refused:
            answers.append(refused)
    await decisions.append()
    return answers


def database_of(log: Log) -> Database | None:
    """Where other tables are beside a log; one in memory has none."""
    return log.db if isinstance(log, PostgresLog) else None


async def read_stream(log: Log, stream: str) -> list[Recorded[Any]]:
    """The history of one stream; empty if it does not exist."""
    histories: Mapping[str, list[Recorded[Any]]] = await log.read([stream])
    return histories.get(stream, [])
