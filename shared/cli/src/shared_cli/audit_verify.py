"""Logs and topics in, the first difference of every partition out.

The log of a service is checked against itself (positions, leaves, chain, heads, and that the
columns say what the hashed bytes say, and sealed texts that they are where they were written),
then Kafka against the log, record by record.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from local_stack.errors import StackError
from msgspec import DecodeError
from shared_events.envelope import decode_envelope
from shared_events.partition import partition_of
from shared_events.registry import UnknownEventType, decode_data
from shared_events.sealed import SCHEME
from shared_runtime.delivery import NO_CHAIN, Connection, Place
from shared_runtime.sealing import misplaced

from shared_cli import reach
from shared_cli.kafka_history import History, history, position_told

ROWS_MAX = 2_000
RELAY_SECONDS = 30.0
RELAY_LOOK_SECONDS = 0.1
TOLD_EVERY = 50_000
SEALED = f'"{SCHEME}.'.encode()

HEADS = "SELECT topic, partition, position, chain_hash FROM es.head ORDER BY topic, partition"
PLACES = "SELECT DISTINCT topic, partition FROM es.event"
RELAYED = "SELECT topic, partition, position FROM es.cursor WHERE subscription = 'relay'"
COLUMNS = """
    position, event_id::text, stream_id, stream_version, type, recorded_at, body, leaf_hash,
    chain_hash
"""
NEXT = f"""
    SELECT {COLUMNS} FROM es.event WHERE topic = $1 AND partition = $2 AND position > $3
    ORDER BY position LIMIT $4
"""  # noqa: S608 - a constant of this file
AT = f"""
    SELECT {COLUMNS} FROM es.event WHERE topic = $1 AND partition = $2 AND position = ANY($3)
"""  # noqa: S608 - a constant of this file

type Say = Callable[[str], None]
type Fault = tuple[int, str]
"""A position and what is wrong there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where something is not as it must be, and what."""

    side: str
    topic: str
    partition: int
    position: int
    what: str

    def __str__(self) -> str:
        return f"{self.side}: {self.topic}/{self.partition}:{self.position} {self.what}"


@dataclass(slots=True, kw_only=True)
class Verified:
    """What was looked at, and the first difference of each partition, the database's first."""

    events: int = 0
    records: int = 0
    duplicates: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])

    def add_fault(self, side: str, place: Place, fault: Fault) -> None:
        topic, partition = place
        position, what = fault
        self.differences.append(
            Difference(side=side, topic=topic, partition=partition, position=position, what=what)
        )


class Row(NamedTuple):
    """An event as the log has it: `COLUMNS`."""

    position: int
    event_id: str
    stream_id: str
    stream_version: int
    type: str
    recorded_at: datetime
    body: bytes
    leaf_hash: bytes
    chain_hash: bytes


@dataclass(slots=True)
class Chain:
    """How far a partition has been followed, and its hash up to there."""

    partition: int
    position: int = 0
    chain_hash: bytes = NO_CHAIN

    def follow(self, row: Row) -> Fault | None:
        """Goes on to the next row; a position and what is wrong there, if it does not fit."""
        expected = self.position + 1
        if row.position != expected:
            return expected, f"is missing, {row.position} comes next"
        leaf = sha256(b"\x00" + row.body).digest()
        if leaf != row.leaf_hash:
            return expected, f"leaf_hash is {row.leaf_hash.hex()}, its body's is {leaf.hex()}"
        chain_hash = sha256(self.chain_hash + leaf).digest()
        if chain_hash != row.chain_hash:
            return expected, f"chain_hash does not continue the one of {self.position}"
        if unlike := columns_unlike_body(row, self.partition) or sealed_elsewhere(row.body):
            return expected, unlike
        self.position, self.chain_hash = expected, chain_hash
        return None

    def end(self, head_position: int, head_hash: bytes) -> Fault | None:
        """What is wrong at the end, where the head must agree."""
        if self.position < head_position:
            return self.position + 1, f"is missing, the head is at {head_position}"
        if self.position > head_position:
            return head_position + 1, f"lies after the head, which is at {head_position}"
        if self.chain_hash != head_hash:
            return self.position, f"the head's chain_hash is {head_hash.hex()}"
        return None


def columns_unlike_body(row: Row, partition: int) -> str | None:
    """The column that says something else than the hashed bytes, if one does."""
    try:
        told = decode_envelope(row.body)
    except DecodeError as failure:
        return f"its body is no event: {failure}"
    columns: Sequence[tuple[str, object, object]] = (
        ("event_id", row.event_id, told.id),
        ("stream_id", row.stream_id, told.subject),
        ("stream_version", row.stream_version, told.streamversion),
        ("type", row.type, told.type),
        ("recorded_at", row.recorded_at, datetime.fromisoformat(told.recordedtime)),
        ("partition", partition, partition_of(told.partitionkey)),
    )
    return next(
        (f"{name} is {has}, its body says {says}" for name, has, says in columns if has != says),
        None,
    )


def sealed_elsewhere(body: bytes) -> str | None:
    """The field whose sealed text was written for another event or field, if one was.

    Only events that hold a sealed text are looked into.
    """
    if SEALED not in body:
        return None
    told = decode_envelope(body)
    with suppress(UnknownEventType, DecodeError):
        if path := misplaced(decode_data(told.type, told.data), told.id):
            return f"{path} has a text that was sealed for another place"
    return None


@dataclass(slots=True)
class Copy:
    """How far a Kafka partition has been followed along the log.

    `ahead`: how far it has been, past what is `missed`: a relay that was told to send it again has
    done so later. Then the `early` records are repeats.
    """

    position: int = 0
    duplicates: int = 0
    early: int = 0
    ahead: int = 0
    missed: Fault | None = None

    def follow(self, record: ConsumerRecord, rows: Mapping[int, Row]) -> Fault | None:
        """Goes on to a record; a position and what is wrong there, if it is no faithful copy.

        `rows` holds the row of the record's position, if the log has one.
        """
        position, following = position_told(record), self.position + 1
        at = f"(offset {record.offset})"
        if position is None:
            return self.gap or (following, f"{at} has no position")
        if position > following:
            self.missed = self.gap or (following, f"is missing, {position} comes next {at}")
            self.ahead = max(self.ahead, position)
            self.early += 1
        if (row := rows.get(position)) is None:
            return self.gap or (position, f"{at} is not in the log")
        if unlike := record_unlike_row(record, row):
            return self.gap or (position, f"{at} {unlike}")
        self.duplicates += position < following
        if position == following:
            self.position = position
        return None

    @property
    def gap(self) -> Fault | None:
        """What is missed before something that is there."""
        return self.missed if self.ahead > self.position else None

    def end(self, relayed: int) -> Fault | None:
        """What is wrong at the end, where all must be that the relay has sent."""
        if self.gap:
            return self.gap
        self.duplicates += self.early
        if self.position >= relayed:
            return None
        return self.position + 1, f"is missing at the end, the relay is at {relayed}"


def record_unlike_row(record: ConsumerRecord, row: Row) -> str | None:
    """The part of a record that is not what the log has, if one is not."""
    headers: dict[str, bytes | None] = dict(record.headers)
    parts: Sequence[tuple[str, bytes | None, bytes]] = (
        ("value", record.value, row.body),
        ("key", record.key, key_of(row, record)),
        ("header type", headers.get("type"), row.type.encode()),
        ("header chainhash", headers.get("chainhash"), row.chain_hash.hex().encode()),
        ("header position", headers.get("position"), b"%d" % row.position),
        ("header content-type", headers.get("content-type"), b"application/cloudevents+json"),
    )
    for name, has, log_has in parts:
        if has != log_has:
            return f"{name} {first_unlike(has or b'', log_has)}"
    return None


def key_of(row: Row, record: ConsumerRecord) -> bytes:
    """The key that a record of the event has; of an event that cannot be read, the one it has."""
    try:
        return decode_envelope(row.body).partitionkey.encode()
    except DecodeError:
        return record.key or b""


def first_unlike(has: bytes, log_has: bytes) -> str:
    """The first byte in which two values differ."""
    common = min(len(has), len(log_has))
    at = next((n for n in range(common) if has[n] != log_has[n]), common)
    return f"differs from the log's from byte {at} on: {has[at : at + 24]!r}"


async def verify(databases: Mapping[str, str], bootstrap: str, say: Say) -> Verified:
    """Checks the log of every service and its copy in Kafka. Raises StackError."""
    verified = Verified()
    for service, url in databases.items():
        async with reach.connected(service, url) as db:
            await verify_service(service, db, bootstrap, verified, say)
    return verified


async def verify_service(
    service: str, db: Connection, bootstrap: str, verified: Verified, say: Say
) -> None:
    """Checks one service's log and topics. Raises StackError when its relay stands still."""
    relayed = await _wait_for_relay(service, db)
    topics = sorted({topic for topic, _ in relayed})
    # In this order, all that is in Kafka must be in the log, and all that was relayed in Kafka.
    with reach.reaching("Kafka", KafkaError):
        async with (
            history(bootstrap, topics) as kafka,
            db.transaction(isolation="repeatable_read", readonly=True),
        ):
            await _verify_log(service, db, verified, say)
            say(f"{service}: {kafka.records:,} records in Kafka")
            await _verify_copy(db, kafka, relayed, verified, say)


async def _wait_for_relay(service: str, db: Connection) -> dict[Place, int]:
    """How far the log had come when asked, by place; it is all in Kafka."""
    heads: dict[Place, int] = {
        (topic, partition): position for topic, partition, position, _ in await db.fetch(HEADS)
    }
    deadline = time.monotonic() + RELAY_SECONDS
    while True:
        relayed = {(topic, partition): at for topic, partition, at in await db.fetch(RELAYED)}
        behind = sum(position > relayed.get(place, 0) for place, position in heads.items())
        if not behind:
            return heads
        if time.monotonic() > deadline:
            raise StackError(
                f"{service}: {behind} partitions are not in Kafka yet, and the relay stands still: "
                "does the worker run?"
            )
        await asyncio.sleep(RELAY_LOOK_SECONDS)


async def _verify_log(service: str, db: Connection, verified: Verified, say: Say) -> None:
    heads: dict[Place, tuple[int, bytes]] = {
        (topic, partition): (position, chain_hash)
        for topic, partition, position, chain_hash in await db.fetch(HEADS)
    }
    for topic, partition in await db.fetch(PLACES):
        heads.setdefault((topic, partition), (0, NO_CHAIN))
    for place, (position, chain_hash) in sorted(heads.items()):
        chain = Chain(partition=place[1])
        fault = await _follow(db, place, chain) or chain.end(position, chain_hash)
        verified.events += chain.position
        if fault is not None:
            verified.add_fault("database", place, fault)
    say(f"{service}: the log has {sum(position for position, _ in heads.values()):,} events")


async def _follow(db: Connection, place: Place, chain: Chain) -> Fault | None:
    while rows := await db.fetch(NEXT, *place, chain.position, ROWS_MAX):
        for row in rows:
            if fault := chain.follow(Row(*row)):
                return fault
    return None


async def _verify_copy(
    db: Connection, kafka: History, relayed: Mapping[Place, int], verified: Verified, say: Say
) -> None:
    copies = {place: Copy() for place in relayed}
    wrong: set[Place] = set()
    told = 0
    async for (topic, partition), records in kafka.batches():
        place = (topic, partition)
        verified.records += len(records)
        if place in wrong:
            continue
        if fault := await _follow_copy(db, place, copies[place], records):
            wrong.add(place)
            verified.add_fault("Kafka", place, fault)
        if verified.records // TOLD_EVERY > told:
            told = verified.records // TOLD_EVERY
            say(f"{verified.records:,} records compared")
    for place, position in sorted(relayed.items()):
        copy = copies[place]
        if place not in wrong and (fault := copy.end(position)):
            verified.add_fault("Kafka", place, fault)
        verified.duplicates += copy.duplicates


async def _follow_copy(
    db: Connection, place: Place, copy: Copy, records: Sequence[ConsumerRecord]
) -> Fault | None:
    positions = {position_told(record) for record in records} - {None}
    rows = {row["position"]: Row(*row) for row in await db.fetch(AT, *place, positions)}
    return next((fault for record in records if (fault := copy.follow(record, rows))), None)
