"""An event in, the bytes that are stored, hashed, sent and archived out; and back.

CloudEvents 1.0, structured JSON, encoded once. `recordedtime` is the second attribute and has a
fixed width, so that the log can put a later instant in its place without parsing (the log never
lets `recordedtime` fall within a partition).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from shared_events.fields import Instant
from shared_events.registry import (
    UNREADABLE,
    UPCASTERS,
    Upcaster,
    decode_data,
    encode_data,
    key_of,
    tag_of,
)

RECORDED_TIME_OFFSET = len(b'{"specversion":"1.0","recordedtime":"')
RECORDED_TIME_LENGTH = len("2026-01-01T00:00:00.000000Z")


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of an event; `data` is the event itself with its `type` tag."""

    specversion: Literal["1.0"]
    recordedtime: str
    id: str
    source: str
    type: str
    subject: str
    streamversion: int
    time: Instant
    partitionkey: str
    actor: str
    correlationid: str
    causationid: str
    traceparent: str | None = None
    data: Raw


class Address(Struct, frozen=True, kw_only=True):
    """What a carrier of an event needs to know of it; the rest is not looked at."""

    recordedtime: str
    type: str
    partitionkey: str


class Recorded[E](Struct, frozen=True, kw_only=True):
    """An event as the log has it: the fact, and where and when it was recorded."""

    topic: str
    partition: int
    position: int
    event_id: str
    stream: str
    version: int
    type: str
    time: datetime
    recorded_at: datetime
    key: str
    actor: str
    correlation_id: str
    causation_id: str
    traceparent: str | None = None
    event: E


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode
_decode_address = msgspec.json.Decoder(Address).decode


def encode_envelope(
    event: Struct,
    *,
    event_id: str,
    source: str,
    stream: str,
    version: int,
    time: datetime,
    recorded_at: datetime,
    actor: str,
    correlation_id: str,
    causation_id: str,
    traceparent: str | None = None,
) -> bytes:
    """The bytes of an event. Instants must be aware; they are written in UTC.

    Raises msgspec.ValidationError if the event breaks its own schema: writers are strict.
    """
    assert time.tzinfo is not None  # `astimezone` would take it for the time of this machine
    return _encode(
        Envelope(
            specversion="1.0",
            recordedtime=_fixed_width(recorded_at),
            id=event_id,
            source=source,
            type=tag_of(event),
            subject=stream,
            streamversion=version,
            time=time.astimezone(UTC),
            partitionkey=key_of(event),
            actor=actor,
            correlationid=correlation_id,
            causationid=causation_id,
            traceparent=traceparent,
            data=Raw(encode_data(event)),
        )
    )


# One append records all its events at one instant, and formatting one is what takes longest.
@lru_cache(maxsize=64)
def _fixed_width(at: datetime) -> str:
    assert at.tzinfo is not None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def decode_envelope(body: bytes) -> Envelope:
    """The attributes, with `data` still encoded. Raises msgspec.DecodeError on anything else."""
    try:
        return _decode(body)
    except UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from error


def decode_address(body: bytes) -> Address:
    """When, what and whose. Raises msgspec.DecodeError on anything else."""
    return _decode_address(body)


def decode_recorded(
    topic: str,
    partition: int,
    position: int,
    body: bytes,
    *,
    upcasters: Mapping[str, Upcaster] = UPCASTERS,
) -> Recorded[Any]:
    """The event of a log record, brought to the newest version of its type.

    Raises msgspec.DecodeError if the bytes are no envelope or the data breaks the schema, and
    `UnknownEventType` if this release does not know the type.
    """
    return recorded_of(decode_envelope(body), topic, partition, position, upcasters)


def decode_wanted(
    names: frozenset[str],
    topic: str,
    partition: int,
    position: int,
    body: bytes,
    *,
    upcasters: Mapping[str, Upcaster] = UPCASTERS,
) -> Recorded[Any] | None:
    """The same for the types of these names; None for others, whose data is not looked at."""
    envelope = decode_envelope(body)
    if envelope.type.partition(".")[0] not in names:
        return None
    return recorded_of(envelope, topic, partition, position, upcasters)


def recorded_of(
    envelope: Envelope,
    topic: str,
    partition: int,
    position: int,
    upcasters: Mapping[str, Upcaster] = UPCASTERS,
) -> Recorded[Any]:
    """`decode_recorded` with the attributes at hand."""
    return Recorded(
        topic=topic,
        partition=partition,
        position=position,
        event_id=envelope.id,
        stream=envelope.subject,
        version=envelope.streamversion,
        type=envelope.type,
        time=envelope.time,
        recorded_at=_instant(envelope.recordedtime),
        key=envelope.partitionkey,
        actor=envelope.actor,
        correlation_id=envelope.correlationid,
        causation_id=envelope.causationid,
        traceparent=envelope.traceparent,
        event=decode_data(envelope.type, envelope.data, upcasters),
    )


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise msgspec.ValidationError(f"Expected an instant - at `$.recordedtime`: {text!r}")
    return at
