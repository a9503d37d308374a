"""A topic in, its AsyncAPI document out: what is read there, made from the types themselves.

One document for each topic, under docs/reference/asyncapi: the events of its streams as
CloudEvents, the record around them with its key and headers, partitions, and the example of each
event that the corpus keeps. What the schemas say is what a writer keeps to; readers ignore what
they do not know.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared_events.envelope import Envelope
from shared_events.partition import PARTITIONS
from shared_events.reference import ATTRIBUTES, EVENTS, RECORD
from shared_events.registry import FAMILIES, Family, name_of

type DocumentPart = dict[str, Any]

VERSION = "3.1.0"
"""Of AsyncAPI."""
BINDING = "0.5.0"
"""Of the Kafka binding."""
CONTENT_TYPE = "application/cloudevents+json"
CLOUD_EVENT = "CloudEvent"
SCHEMAS = "#/components/schemas"
FOR_EVER = -1
NULL = {"type": "null"}
TOPICS = tuple(dict.fromkeys(family.topic for family in FAMILIES))

HEADERS: DocumentPart = {
    "type": "object",
    "required": ["content-type", "type", "position", "chainhash"],
    "properties": {
        "content-type": {"type": "string", "description": "How the value is written."},
        "type": {"type": "string", "description": "That of the event, to be chosen by unread."},
        "position": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "In the log of its partition, from 1 without a gap. A record that comes "
            "twice has the same.",
        },
        "chainhash": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 over the hash before it in the partition and this value.",
        },
        "epoch": {"type": "string", "description": "Of the log, once it was recovered."},
    },
}


def document(topic: str, corpus: Path) -> DocumentPart:
    """Of one topic. The examples are those of the corpus."""
    families = [family for family in FAMILIES if family.topic == topic]
    types = [event for family in families for event in family.events]
    _, schemas = msgspec.json.schema_components(types, ref_template=f"{SCHEMAS}/{{name}}")
    messages = {name_of(event): _message(event, corpus) for event in types}
    return framed(
        topic,
        f"{EVENTS}\n{RECORD}",
        _channel(topic, families, messages),
        {
            f"announce {topic}": {
                "action": "send",
                "summary": "What the service has recorded, in the order of its log.",
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in messages],
            }
        },
        {
            "messages": messages,
            "messageTraits": {CLOUD_EVENT: _cloud_event()},
            "schemas": {CLOUD_EVENT: _envelope(), **{n: _plain(s) for n, s in schemas.items()}},
        },
    )


def framed(
    topic: str,
    description: str,
    of_topic: DocumentPart,
    operations: DocumentPart,
    components: DocumentPart,
) -> DocumentPart:
    """The document of a topic, ours or a feed's: what all say alike around what is its own."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": topic,
            "version": "1",
            "description": description,
            "license": {
                "name": "Apache License 2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
            "tags": [{"name": "events"}],
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{broker}",
                "protocol": "kafka",
                "description": "Whatever the services are told in AFTERSALES_KAFKA.",
                "variables": {"broker": {"default": "kafka:9092", "description": "Host and port."}},
            }
        },
        "channels": {topic: of_topic},
        "operations": operations,
        "components": components,
    }


def text(topic: str, corpus: Path) -> str:
    return written(document(topic, corpus))


def written(told: DocumentPart) -> str:
    """A document as it lies in its file, but for the end of its last line."""
    return msgspec.json.format(msgspec.json.encode(told), indent=1).decode()


def write_documents(folder: Path, corpus: Path) -> list[str]:
    """Writes the documents that differ from what is there; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for topic in TOPICS:
        file, told = folder / f"{topic}.json", f"{text(topic, corpus)}\n"
        if not file.exists() or file.read_text() != told:
            file.write_text(told)
            written.append(file.name)
    return written


def _channel(topic: str, families: Iterable[Family], messages: Iterable[str]) -> DocumentPart:
    streams = ", ".join(f"`{stream}`" for family in families for stream in family.streams)
    description = (
        f"Streams {streams}. Each is in one partition, in its order: `crc32(key) mod {PARTITIONS}`."
    )
    return channel(topic, description, messages, FOR_EVER)


def channel(topic: str, description: str, messages: Iterable[str], kept_ms: int) -> DocumentPart:
    """The topic itself. `kept_ms`: how long a record is, in milliseconds; `FOR_EVER`."""
    return {
        "address": topic,
        "title": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": kept_ms},
                "bindingVersion": BINDING,
            }
        },
    }


def _message(event_type: type[Struct], corpus: Path) -> DocumentPart:
    tag = event_type.__struct_config__.tag
    data = {"$ref": f"{SCHEMAS}/{event_type.__name__}"}
    of_type = {"type": "object", "properties": {"type": {"const": tag}, "data": data}}
    example: DocumentPart = msgspec.json.decode(
        (corpus / f"{tag}.json").read_bytes(), type=dict[str, Any]
    )
    return {
        "name": tag,
        "title": tag,
        "summary": " ".join((event_type.__doc__ or f"{name_of(event_type)}.").split()),
        "traits": [{"$ref": f"#/components/messageTraits/{CLOUD_EVENT}"}],
        "payload": {"allOf": [{"$ref": f"{SCHEMAS}/{CLOUD_EVENT}"}, of_type]},
        "examples": [{"name": tag, "payload": example}],
    }


def _cloud_event() -> DocumentPart:
    """What all messages have: the record that they are in."""
    return {
        "contentType": CONTENT_TYPE,
        "headers": HEADERS,
        "correlationId": {
            "location": "$message.payload#/correlationid",
            "description": ATTRIBUTES["correlationid"],
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": ATTRIBUTES["partitionkey"]},
                "bindingVersion": BINDING,
            }
        },
    }


def _envelope() -> DocumentPart:
    """The attributes of CloudEvents, and ours besides, each with what it means."""
    _, schemas = msgspec.json.schema_components([Envelope])
    told = _plain(schemas["Envelope"])
    for name, part in told["properties"].items():
        part["description"] = ATTRIBUTES[name]
    return told


def _plain(schema: DocumentPart) -> DocumentPart:
    """Without the null of optional fields, which are left out where there is nothing."""
    return {
        **schema,
        "properties": {name: _present(each) for name, each in schema["properties"].items()},
    }


def _present(schema: DocumentPart) -> DocumentPart:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != NULL]
    rest = {name: each for name, each in schema.items() if name not in ("anyOf", "default")}
    return {**rest, **kinds[0]} if len(kinds) == 1 else schema
