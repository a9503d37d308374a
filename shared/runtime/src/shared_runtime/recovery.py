"""A log that was restored from a backup in, what its topic still has of it out.

A backup is older than the database was: the events after it are in Kafka, byte for byte, and other
services have acted on them. They are taken back before anything else is recorded, with the rows
that were written in the transactions that recorded them. Where something
was recorded meanwhile, there are two histories: that is told, and decided by somebody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import Struct
from shared_events.envelope import decode_envelope

from shared_runtime.brokers import Bootstrap
from shared_runtime.delivery import Apply, Connection, Delivery, Place, Subscription, TakenOver
from shared_runtime.lineage import TopicEnd, ends_of
from shared_runtime.rows import columns
from shared_runtime.sources import KafkaLog
from shared_runtime.subscription import Runner, read_cursors

BEGIN_AT_HEADS = """
    INSERT INTO es.cursor (subscription, topic, partition, position, chain_hash)
    SELECT $1, topic, partition, position, chain_hash FROM es.head WHERE topic = ANY($2)
"""
TAKE_IN = """
    INSERT INTO es.event (topic, partition, position, event_id, stream_id, stream_version, type,
                          recorded_at, body, leaf_hash, chain_hash)
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::uuid[], $5::text[], $6::int[],
                         $7::text[], $8::timestamptz[], $9::bytea[], $10::bytea[], $11::bytea[])
"""
APPENDING = "SELECT set_config('es.appending', $1, true)"
MOVE_HEAD = """
    UPDATE es.head SET position = $4, chain_hash = $5, recorded_at = $6
    WHERE topic = $1 AND partition = $2 AND position = $3
"""
NEW_EPOCH = """
    WITH new AS (SELECT uuidv7() AS epoch)
    UPDATE es.head AS head
    SET epoch = new.epoch, epoch_from = coalesce(
        (SELECT common FROM unnest($2::text[], $3::int[], $4::bigint[])
             AS parted (topic, partition, common)
         WHERE parted.topic = head.topic AND parted.partition = head.partition), head.position)
    FROM new WHERE head.topic = ANY($1)
"""
HASH_AT = "SELECT chain_hash FROM es.event WHERE topic = $1 AND partition = $2 AND position = $3"
FORGET = "DELETE FROM es.cursor WHERE subscription = $1"


async def nothing_beside(_: Sequence[Delivery], __: Connection) -> None:
    """Of a service that keeps nothing of events in the transactions that record them."""


class Recovered(Struct, frozen=True, kw_only=True):
    """How many events were taken back. `parted`: where log and topic have gone on apart, and the
    last position that they have in common.
    """

    events: int
    parted: Mapping[Place, int]


async def recover(
    owner: asyncpg.Pool,
    bootstrap: Bootstrap,
    topics: Sequence[str],
    *,
    group: str = "recovery",
    beside: Apply = nothing_beside,
) -> Recovered:
    """Takes back what the topics have and the log has not, and begins a new epoch. `group`: what
    Kafka knows the reader by begins with it. `beside`: writes what a service keeps of events in the
    transactions that record them.

    With the owner's rights, while nothing else writes to the log: raises `TakenOver` if something
    does, and the world's failures. Done once more, it only begins one more epoch.
    """
    name = f"recovery/{uuid4().hex}"
    subscription = Subscription(
        name=name, topics=tuple(topics), apply=partial(_take_in, beside), parks=False
    )
    source = KafkaLog(bootstrap, f"{group}-{uuid4().hex}", tuple(topics))
    await owner.execute(BEGIN_AT_HEADS, name, topics)
    try:
        began = await read_cursors(owner, subscription)
        ends = await ends_of(bootstrap, [*began])
        runner = Runner(subscription=subscription, source=source, pool=owner)
        await _read_up_to(runner, ends)
        reached = await read_cursors(owner, subscription)
        parted = {
            place: await _last_in_common(owner, source, place, end.position)
            for place, end in ends.items()
            if end.last is not None and await _differs(owner, end.last)
        }
        common = [(*place, position) for place, position in parted.items()]
        await owner.execute(NEW_EPOCH, topics, *columns(common, 3))
        events = sum(reached[place].position - began[place].position for place in began)
        return Recovered(events=events, parted=parted)
    finally:
        await owner.execute(FORGET, name)
        await source.close()


async def _read_up_to(runner: Runner, ends: Mapping[Place, TopicEnd]) -> None:
    """Turns until each place has come to its end, or is held: it goes on apart from the log."""
    await runner.start()
    while any(
        runner.cursors[place].position < end.position and place not in runner.held()
        for place, end in ends.items()
    ):
        try:
            await runner.turn()
        except TakenOver:  # Kafka has assigned the partitions
            await runner.start()


async def _take_in(beside: Apply, deliveries: Sequence[Delivery], db: Connection) -> None:
    """Stores events as they were stored: their chain has been compared with the log's."""
    rows: list[Sequence[Any]] = []
    last: dict[Place, Delivery] = {}
    first: dict[Place, Delivery] = {}
    for told in deliveries:
        envelope = decode_envelope(told.body)
        first.setdefault(told.place, told)
        last[told.place] = told
        rows.append(
            (
                *told.place,
                told.position,
                envelope.id,
                envelope.subject,
                envelope.streamversion,
                envelope.type,
                datetime.fromisoformat(envelope.recordedtime),
                told.body,
                told.leaf,
                told.chain_hash,
            )
        )
    await db.execute(APPENDING, "yes")
    await db.execute(TAKE_IN, *columns(rows, 11))
    await db.execute(APPENDING, "")
    for place, end in last.items():
        at = datetime.fromisoformat(decode_envelope(end.body).recordedtime)
        before = first[place].position - 1
        moved = await db.execute(MOVE_HEAD, *place, before, end.position, end.chain_hash, at)
        if moved != "UPDATE 1":
            raise TakenOver  # something else has been recorded
    await beside(deliveries, db)


async def _differs(db: asyncpg.Pool, told: Delivery) -> bool:
    return bool(await db.fetchval(HASH_AT, *told.place, told.position) != told.chain_hash)


async def _last_in_common(db: asyncpg.Pool, source: KafkaLog, place: Place, end: int) -> int:
    """The last position up to which log and topic are one history. What is not in the topic any
    more is older, and taken for common.
    """
    common, differs = 0, end
    while differs - common > 1:
        middle = (common + differs) // 2
        told = await source.fetch(place, [middle])
        if told and await _differs(db, told[0]):
            differs = middle
        else:
            common = middle
    return common
