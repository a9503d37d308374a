"""Own events in, deliveries to the endpoints of those who may know of them out; and what is sent.

Who may know of an event is asked of the service's own table of readers, of the history as it stood
then: what an event brings to light is told with it, as its own event. It is asked again when the
event is sent, of the history as it stands by then: what has been taken from view meanwhile is not
sent. Sealed text never is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.registry import FAMILIES, name_of
from shared_events.sealed import sealed_fields

from shared_runtime.clock import Clock
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.delivery import Delivery as LogRecord
from shared_runtime.log import Database, PostgresLog
from shared_runtime.problems import encode_json
from shared_runtime.webhooks import PING, Endpoint, Notification, Taken, listening, tell

NAME = "webhooks"

type Reads = Callable[[str, Sequence[Recorded[Any]], Actor], Sequence[Recorded[Any]]]
"""A stream's name, its history and somebody who reads it in, what of it he may know out: as the
page of the history shows it.
"""


class Happened(Struct, frozen=True, kw_only=True):
    """An event, as the page of its history shows it, but for what people wrote. `data`: its own
    fields; texts and files, which are sealed, are read from the page. `order_id`: of events of one.
    """

    id: str
    time: datetime
    actor: str
    stream: str
    order_id: str | None
    data: dict[str, Any]


class Message(Struct, frozen=True, kw_only=True):
    """What is sent. `data` is null in a ping."""

    type: str
    timestamp: datetime
    data: Happened | None


def types_of(topics: Sequence[str]) -> list[str]:
    """The names of the events that there are in these topics."""
    return sorted(
        {name_of(event) for family in FAMILIES if family.topic in topics for event in family.events}
    )


def on_events(
    topics: tuple[str, ...], own_log: PostgresLog, reads: Reads, now: Clock
) -> Subscription:
    """Leaves a delivery for each event that a subscriber comes to know of."""
    names = frozenset(types_of(topics))

    async def concerned(records: Sequence[LogRecord], db: Database) -> list[Endpoint]:
        return await listening([*{record.key for record in records}], db)

    async def concerns_nobody(records: Sequence[LogRecord], db: Database) -> bool:
        return not await concerned(records, db)

    async def apply(records: Sequence[LogRecord], db: Connection) -> None:
        endpoints = await concerned(records, db)
        if not endpoints:
            return
        sellers = {each.seller_id for each in endpoints if not each.is_machine}
        has_machines = any(each.is_machine for each in endpoints)
        batch = [
            recorded
            for record in records
            if has_machines or record.key in sellers
            if (recorded := record.recorded(names))
        ]
        log = own_log.within(db)
        histories = await log.read(sorted({recorded.stream for recorded in batch}))
        told = [
            each
            for recorded in batch
            for each in news(recorded, histories[recorded.stream], endpoints, reads)
        ]
        await tell(told, await log.instant(now), db)

    return Subscription(name=NAME, topics=topics, apply=apply, passes_over=concerns_nobody)


def news(
    recorded: Recorded[Any],
    history: Sequence[Recorded[Any]],
    endpoints: Sequence[Endpoint],
    reads: Reads,
) -> list[Notification]:
    """What each of them comes to know by an event: this one, if he may, and others that he may know
    of from it on.
    """
    told: list[Notification] = []
    known: dict[Actor, list[Recorded[Any]]] = {}
    for endpoint in endpoints:
        if not endpoint.listens_to(recorded):
            continue
        reader = endpoint.reader
        if reader not in known:
            known[reader] = brought_to_light(recorded, history, reader, reads)
        told += [
            Notification(
                endpoint_id=endpoint.endpoint_id,
                stream=each.stream,
                version=each.version,
                event_id=each.event_id,
                type=each.type,
                order_id=getattr(each.event, "order_id", None),
            )
            for each in known[reader]
            if endpoint.wants(each.type)
        ]
    return told


def brought_to_light(
    recorded: Recorded[Any], history: Sequence[Recorded[Any]], reader: Actor, reads: Reads
) -> list[Recorded[Any]]:
    """What he may know of with this event, and could not before."""
    stream = recorded.stream
    upto = [each for each in history if each.version <= recorded.version]
    before = {each.version for each in reads(stream, upto[:-1], reader)}
    return [each for each in reads(stream, upto, reader) if each.version not in before]


def message_of(taken: Taken, history: Sequence[Recorded[Any]], reads: Reads) -> bytes | None:
    """What is sent; None if its reader may not know of it any more."""
    if taken.stream_id is None:
        return encode_json(Message(type=PING, timestamp=taken.created_at, data=None))
    for each in reads(taken.stream_id, history, taken.endpoint.reader):
        if each.version == taken.version:
            return encode_json(message(each))
    return None


def message(recorded: Recorded[Any]) -> Message:
    """An event as its reader may know it."""
    event: Struct = recorded.event
    sealed = sealed_fields(type(event))
    data: dict[str, Any] = msgspec.to_builtins(event)
    return Message(
        type=recorded.type,
        timestamp=recorded.time,
        data=Happened(
            id=recorded.event_id,
            time=recorded.time,
            actor=recorded.actor,
            stream=recorded.stream,
            order_id=getattr(event, "order_id", None),
            data={name: value for name, value in data.items() if name not in sealed},
        ),
    )
