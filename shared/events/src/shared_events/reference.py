"""Event types and their examples in, the reference in Markdown out."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, inspect

from shared_events.envelope import decode_envelope
from shared_events.registry import FAMILIES, Family

ATTRIBUTES = {
    "specversion": "`1.0`",
    "recordedtime": "when it was written to the log, always with six decimals",
    "id": "the event's own UUID",
    "source": "the service: `/review-service`",
    "type": "name and version of the schema: `ReviewSubmitted.v1`",
    "subject": "the stream",
    "streamversion": "the event's number in its stream, from 1",
    "time": "when it happened in the business",
    "partitionkey": "the account of the fact: a seller, or a buyer's own; else `policies`",
    "actor": "who did it: `buyer:B-42`, `system:timer`",
    "correlationid": "the order; the account or case where there is none",
    "causationid": "the UUID of the command or event that caused it",
    "traceparent": "the W3C trace, if there is one",
    "data": "the event, with its `type` again",
}
"""Of the envelope, and what they mean."""

EVENTS = """\
Every fact that a service records is one of these events. It is published whole, on the topic
named here, and stays readable for ever: fields may be added, never changed or removed.

- The JSON Schema of each is in `shared/events/schemas`, a sample as the log has it in
  `shared/events/corpus`.
- Readers ignore fields that they do not know.
- Amounts of money (`..._minor`) are in minor units of the event's `currency`; those named
  `..._ref_minor` are in the reference currency of the policy.
- Instants are RFC 3339 in UTC. A deadline is the first instant at which it is too late.
- An event about an account or a case has the id of its `account_kind`, and not the other one.
- What a person wrote, and the files with it, are in the events sealed with that person's key:
  `s1.<key id>.<digest>.<event id>.<path>.<ciphertext>`.
- An example has every optional field, but for those that contradict another one.
"""
RECORD = """\
CloudEvents 1.0, structured JSON. The Kafka record's value is these bytes, as they were recorded;
its key is `partitionkey`. The partition is `crc32(partitionkey) mod 64`.
"""
INTRODUCTION = f"""\
# Events

*Generated from `shared/events` by `python -m shared_events`; do not edit.*

{EVENTS}
## Envelope

{RECORD}
| attribute | meaning |
|---|---|
"""


def reference(corpus: Path) -> str:
    """The whole page. The examples are those of the corpus."""
    attributes = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in ATTRIBUTES.items())
    parts = [f"{INTRODUCTION}{attributes}", _whole(next(iter(FAMILIES[0].events)), corpus)]
    topic = ""
    for family in FAMILIES:
        if family.topic != topic:
            topic = family.topic
            parts.append(f"## {topic}\n")
        parts.extend(_family(family, corpus))
    return "\n".join(parts)


def write_reference(file: Path, corpus: Path) -> list[str]:
    """Writes the page if it differs from what is there; its name, if so."""
    text = reference(corpus)
    if file.exists() and file.read_text() == text:
        return []
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return [file.name]


def _whole(event_type: type[Struct], corpus: Path) -> str:
    """An example with its envelope."""
    return _block(_body(event_type, corpus))


def _family(family: Family, corpus: Path) -> Iterable[str]:
    kinds = [_kind(event_type) for event_type in family.events]
    shared = _shared(kinds)
    streams = " or ".join(f"`{stream}`" for stream in family.streams)
    yield f"### {family.union.__name__}\n"
    yield f"Streams {streams}. Every event here has\n"
    yield _table({name: field for name, field in _rows(kinds[0]).items() if name in shared})
    for event_type, kind in zip(family.events, kinds, strict=True):
        yield f"#### {kind.tag}\n"
        if event_type.__doc__:
            yield f"{_paragraphs(event_type.__doc__)}\n"
        own = {name: field for name, field in _rows(kind).items() if name not in shared}
        if own:
            yield _table(own)
        yield _block(decode_envelope(_body(event_type, corpus)).data)


def _kind(event_type: type[Struct]) -> inspect.StructType:
    kind = inspect.type_info(event_type)
    assert isinstance(kind, inspect.StructType)
    return kind


def _shared(kinds: list[inspect.StructType]) -> set[str]:
    """The fields that all the events of a family have."""
    names = [{field.encode_name for field in kind.fields} for kind in kinds]
    return {name for name in names[0] if all(name in others for others in names)}


def _rows(kind: inspect.StructType, within: str = "") -> dict[str, tuple[str, bool]]:
    """Name, type in words and whether it must be there, of every field and of those inside."""
    rows: dict[str, tuple[str, bool]] = {}
    for field in kind.fields:
        name = f"{within}{field.encode_name}"
        rows[name] = _words(field.type), field.required
        if isinstance(field.type, inspect.ListType):
            item = field.type.item_type
            if isinstance(item, inspect.StructType):
                rows |= _rows(item, within=f"{name}[].")
    return rows


def _table(rows: Mapping[str, tuple[str, bool]]) -> str:
    lines = [
        f"| `{name}` | {words} | {'' if required else 'optional'} |"
        for name, (words, required) in rows.items()
    ]
    return "\n".join(["| field | type | |", "|---|---|---|", *lines, ""])


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=kinds):
            return " or ".join(_words(k) for k in kinds if not isinstance(k, inspect.NoneType))
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return f"list of {_words(item)}{_range(least, most, ' items')}"
        case inspect.StructType():
            return "records"
        case _:
            return _scalar(kind)


def _scalar(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType(ge=least, le=most):
            return f"integer{_range(least, most)}"
        case inspect.StrType(pattern=str(pattern)):
            return f"text `{pattern}`"
        case inspect.StrType(min_length=least, max_length=most):
            return f"text{_range(least, most, ' characters')}"
        case inspect.DateTimeType():
            return "instant"
        case _:
            assert isinstance(kind, inspect.BoolType), f"no words for {kind}"
            return "true or false"


def _range(least: int | None, most: int | None, unit: str = "") -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f", {least} or more{unit}"
    return f", {least or 0} to {most}{unit}"


def _paragraphs(doc: str) -> str:
    """A docstring without the indentation of the code."""
    return "\n".join(line.strip() for line in doc.strip().splitlines())


def _body(event_type: type[Struct], corpus: Path) -> bytes:
    return (corpus / f"{event_type.__struct_config__.tag}.json").read_bytes()


def _block(data: bytes | msgspec.Raw) -> str:
    return f"```json\n{msgspec.json.format(bytes(data), indent=2).decode()}\n```\n"
