"""A record of a log on its way to whoever reads it: what is taken, from where, by whom."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Any, Protocol, Self
from uuid import UUID

import asyncpg
from aiokafka.errors import KafkaError
from msgspec import Struct
from shared_events.envelope import (
    RECORDED_TIME_LENGTH,
    RECORDED_TIME_OFFSET,
    Envelope,
    Recorded,
    decode_address,
    decode_envelope,
    recorded_of,
)
from shared_events.registry import NAMES, UnknownEventType

NO_CHAIN = bytes(32)
RECORDED_TIME = slice(RECORDED_TIME_OFFSET, RECORDED_TIME_OFFSET + RECORDED_TIME_LENGTH)

type Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
type Place = tuple[str, int]
"""Topic and partition."""
PLACE_OF = attrgetter("topic", "partition")
"""The place of a delivery, for grouping: `Delivery.place` without a call for each."""


class TakenOver(Exception):  # noqa: N818 - a race that was lost
    """Another worker has moved the cursor: forget the batch and read the cursors again."""


class Unreadable(Exception):  # noqa: N818 - a state of the source
    """What lies next in a partition cannot be decompressed here, or is damaged."""

    def __init__(self, place: Place, fault: Exception) -> None:
        super().__init__(f"{type(fault).__name__}: {fault}")
        self.place = place


class Rewritten(Exception):  # noqa: N818 - a state of the source
    """A partition no longer holds what was read of it: it was made anew, or lost its tail."""

    def __init__(self, place: Place, told: str) -> None:
        super().__init__(told)
        self.place = place


# What the world does to us: tried again for as long as it lasts. Anything else is the event's
# own fault (or this release's), and its key is parked.
WORLD_FAILURES = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement on a connection that the server is just ending
    # What PostgreSQL says of itself, by the classes of its SQLSTATEs.
    asyncpg.PostgresConnectionError,  # 08
    asyncpg.ReadOnlySQLTransactionError,  # 25: it has become a replica
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InvalidSQLStatementNameError,  # 26: a pooler has given us another session
    asyncpg.InvalidAuthorizationSpecificationError,  # 28
    asyncpg.TransactionRollbackError,  # 40
    asyncpg.InsufficientResourcesError,  # 53
    asyncpg.ObjectNotInPrerequisiteStateError,  # 55: among them, a lock that is not to be had
    asyncpg.OperatorInterventionError,  # 57
    asyncpg.PostgresSystemError,  # 58: its disk
    asyncpg.InternalServerError,  # XX: a damaged page
    # It is not as this release knows it: on its way to another one, or without its grants.
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidCachedStatementError,  # a view has changed: the next attempt sees it
)


class Epoch(Struct, frozen=True, kw_only=True):
    """Which history of a log it is: a new one begins when a log goes on from a backup.

    `id` rises with time. Up to the position `since` it is the history that was before.
    """

    id: UUID
    since: int = 0

    @classmethod
    @lru_cache(maxsize=1024)  # each of many records says the same
    def parse(cls, header: bytes) -> Self:
        """As Kafka carries it. Raises ValueError."""
        epoch, _, since = header.decode().partition("/")
        return cls(id=UUID(epoch), since=int(since))

    def header(self) -> bytes:
        return f"{self.id}/{self.since}".encode()


# Structs, not dataclasses: both are made for every event, and these are made five times as fast.
class Cursor(Struct, frozen=True, kw_only=True):
    """The last position that has been applied, the chain hash up to it (in a topic of others, the
    hash of that record), and the newest epoch that was read, where one is told.
    """

    position: int = 0
    chain_hash: bytes = NO_CHAIN
    epoch: UUID | None = None


class Delivery(Struct, kw_only=True):
    """A record of a log. `chain_hash` is absent in a topic that is not one of our logs: there,
    the position is the offset + 1 and may skip numbers, and `taken_at` says when Kafka took it.
    `name`: of the event's type, where the record says it beside the body, which then is decoded
    for those alone who handle that type.

    Several readers of one process share it: what is worked out of the body stays with it.
    """

    topic: str
    partition: int
    position: int
    body: bytes
    chain_hash: bytes | None
    record_key: str | None = None
    epoch: Epoch | None = None
    taken_at: datetime | None = None
    name: str = ""
    _continues: bytes | None = None
    _envelope: Envelope | None = None
    _recorded: Recorded[Any] | None = None

    @property
    def place(self) -> Place:
        return self.topic, self.partition

    @property
    def leaf(self) -> bytes:
        """The hash of the body, as the chain takes it in."""
        return sha256(b"\x00" + self.body).digest()

    @property
    def told_at(self) -> datetime | None:
        """When it was recorded, or taken by Kafka; None if neither is said."""
        if self.taken_at is not None:
            return self.taken_at
        try:
            return datetime.fromisoformat(self.body[RECORDED_TIME].decode())
        except ValueError:
            return None

    def continues(self, chain_hash: bytes) -> bool:
        """Whether it is the next of a chain that has come to this hash."""
        if self._continues == chain_hash:  # another reader has seen to it
            return True
        if sha256(chain_hash + self.leaf).digest() != self.chain_hash:
            return False
        self._continues = chain_hash
        return True

    def recorded(self, names: frozenset[str]) -> Recorded[Any] | None:
        """The event, if its type has one of these names; the data of others is not looked at.

        Raises msgspec.DecodeError or `UnknownEventType`.
        """
        if not self.has_name_of(names):
            return None
        if self._recorded is None:
            self._recorded = recorded_of(self.envelope(), self.topic, self.partition, self.position)
        return self._recorded

    def has_name_of(self, names: frozenset[str]) -> bool:
        """Whether the event's type has one of these names.

        Raises msgspec.DecodeError, and `UnknownEventType` for a name that this release does not
        have at all: a newer one may do something with it.
        """
        if not self.name:
            self.envelope()
        if self.name in names:
            return True
        if self.name not in NAMES:
            raise UnknownEventType(self.envelope().type)
        return False

    def envelope(self) -> Envelope:
        """The event's attributes. Raises msgspec.DecodeError."""
        if self._envelope is None:
            self._envelope = decode_envelope(self.body)
            self.name = self._envelope.type.partition(".")[0]
        return self._envelope

    @property
    def key(self) -> str:
        """The account that the record belongs to. An envelope that cannot be read shares one."""
        if self.record_key is not None:
            return self.record_key
        try:
            return decode_address(self.body).partitionkey
        except ValueError:
            return ""


class Source(Protocol):
    """Where deliveries come from: the service's own log, or Kafka."""

    async def places(self) -> frozenset[Place]:
        """The partitions that may come beyond the `PARTITIONS` of every topic."""
        ...

    async def take(
        self, cursors: Mapping[Place, Cursor], held: frozenset[Place] = frozenset()
    ) -> list[Delivery]:
        """The next records of each place, in order; empty after a short wait without any.

        `held`: places that are not read for now. They wait where they are. Raises `Unreadable`
        for a place whose next record cannot be read, and `Rewritten` for one that ends before its
        cursor; go on with a `rewind`.
        """
        ...

    async def rewind(self, cursors: Mapping[Place, Cursor]) -> None:
        """Goes on right behind these cursors; the record at a cursor may come once more."""
        ...

    async def search(self, place: Place, cursor: Cursor) -> bool:
        """Goes on where a place continues from a cursor, wherever in the source that is; whether it
        was found. For a place where a `rewind` has come upon a later record.
        """
        ...

    async def fetch(self, place: Place, positions: Sequence[int]) -> list[Delivery]:
        """The records at these positions (ascending), for the retry of parked ones."""
        ...


type Apply = Callable[[Sequence[Delivery], Connection], Awaitable[None]]
type Before = Callable[[Sequence[Delivery]], Awaitable[Mapping[Place, Exception]]]
type PassesOver = Callable[[Sequence[Delivery], asyncpg.Pool], Awaitable[bool]]


class Compared(Struct, frozen=True, kw_only=True):
    """What comparing a log with its copy has found: where to go back to, what must not go on; what
    has not answered, and so is not compared yet.
    """

    back: Mapping[Place, Cursor]
    broken: Mapping[Place, str]
    silent: frozenset[Place] = frozenset()


type Compare = Callable[[asyncpg.Pool, Mapping[Place, Cursor]], Awaitable[Compared]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One build of a projection's tables, in a schema of its own. Only the live one is read."""

    projection: str
    version: int
    number: int
    live: bool

    @property
    def schema(self) -> str:
        return f"{self.projection}_g{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A name for the cursors, what it reads, and what it does with a batch in a transaction.

    `before`: what it does with the batch outside of the database, before the transaction, so that
    nothing is locked meanwhile; it answers the places that it failed on. After a crash it is done
    again.
    `passes_over`: says before the transaction whether nothing would come of the batch in it.
    (Who handles some types alone need not be asked about others.)
    `compare`: looks at its cursors before it goes on behind them, and now and then.
    `parks`: an event that cannot be applied sets its key aside (False: its partition waits).
    `tables`: for a projection, the schema that it writes to.
    """

    name: str
    topics: tuple[str, ...]
    apply: Apply
    before: Before | None = None
    passes_over: PassesOver | None = None
    compare: Compare | None = None
    parks: bool = True
    tables: Generation | None = None


async def nothing(deliveries: Sequence[Delivery], db: Connection) -> None:
    """What a subscription applies that has done all of it before the transaction."""


ENTER = """
    SELECT set_config('search_path', $1, true) FROM es.projection
    WHERE name = $2 AND generation = $3 AND version = $4 FOR SHARE
"""


async def enter_tables(db: Connection, tables: Generation | None) -> None:
    """Makes the projection's tables the ones that unqualified names mean, in this transaction.

    Raises `TakenOver` if the tables were live and another generation has been switched to, or if
    they are of another version. The shared lock holds off a switch until this transaction ends.
    """
    if tables is None:
        return
    if not tables.live:
        await db.execute("SELECT set_config('search_path', $1, true)", tables.schema)
        return
    this = (tables.schema, tables.projection, tables.number, tables.version)
    if await db.fetchval(ENTER, *this) is None:
        raise TakenOver
