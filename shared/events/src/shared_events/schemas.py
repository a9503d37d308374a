"""Event types in, JSON Schemas out: one file for each, of the event's `data`.

They are what a writer keeps to; a reader ignores fields that it does not know. The schema of a
version only grows: one that would no longer allow what the file in the repository allows is not
written, because events of the old shape are in logs for ever.
"""

from collections.abc import Iterator
from operator import gt, lt
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared_events.registry import TYPE_OF

type Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TIGHTER = {
    "minimum": gt,
    "minLength": gt,
    "minItems": gt,
    "maximum": lt,
    "maxLength": lt,
    "maxItems": lt,
}
SAME = ("type", "format", "pattern")


def schema(event_type: type[Struct]) -> Schema:
    """The JSON Schema of an event."""
    return {"$schema": DIALECT, **msgspec.json.schema(event_type)}


def schema_files() -> dict[str, bytes]:
    """The text of every schema's file, by the file's name."""
    return {
        f"{tag}.json": msgspec.json.format(msgspec.json.encode(schema(event_type)), indent=2)
        + b"\n"
        for tag, event_type in TYPE_OF.items()
    }


def write_schemas(folder: Path) -> tuple[list[str], list[str]]:
    """Writes the files that differ from what is there: their names, and what was not written.

    The schema of a version that has been replaced stays: nothing makes it any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    refused: list[str] = []
    for name, text in schema_files().items():
        file = folder / name
        old = file.read_bytes() if file.exists() else text
        if losses := [f"{name}: {loss}" for loss in narrowed(_whole(old), _whole(text))]:
            refused.extend(losses)
        elif old != text or not file.exists():
            file.write_bytes(text)
            written.append(name)
    return written, refused


def narrowed(old: Schema, new: Schema) -> list[str]:
    """What the old schema allows or tells and the new one does not, in words."""
    return list(_narrowed(old, new, old.get("$defs", {}), new.get("$defs", {}), "$"))


def _whole(text: bytes) -> Schema:
    return msgspec.json.decode(text, type=dict[str, Any])


def _narrowed(
    old: Schema, new: Schema, olds: dict[str, Schema], news: dict[str, Schema], at: str
) -> Iterator[str]:
    old, new = _resolved(old, olds), _resolved(new, news)
    if "anyOf" in old or "anyOf" in new:
        # Optional fields are unions with null, which an event never has: compare the rest.
        yield from _narrowed(_present(old), _present(new), olds, news, at)
        return
    yield from (f"{at} {loss}" for loss in _tightened(old, new))
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{at}.{name} must be there now"
    for name, value in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _narrowed(value, new["properties"][name], olds, news, f"{at}.{name}")
        else:
            yield f"{at}.{name} is gone"
    if "items" in old and "items" in new:
        yield from _narrowed(old["items"], new["items"], olds, news, f"{at}[]")


def _tightened(old: Schema, new: Schema) -> Iterator[str]:
    if lost := set(old.get("enum", ())) - set(new.get("enum", ())):
        yield f"no longer allows {', '.join(sorted(lost))}"
    for bound, tighter in TIGHTER.items():
        if bound in new and (bound not in old or tighter(new[bound], old[bound])):
            yield f"has a tighter {bound}"
    for keyword in SAME:
        if old.get(keyword) != new.get(keyword):
            yield f"has another {keyword}"


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        return definitions[schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _present(schema: Schema) -> Schema:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    return kinds[0] if kinds else schema
