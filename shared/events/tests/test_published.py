"""What the repository keeps for readers of today and of later: samples, schemas, the reference."""

from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from shared_events.__main__ import CORPUS, REFERENCE, REPOSITORY, SCHEMAS, main
from shared_events.corpus import SUMS, add_samples, read_sums
from shared_events.envelope import decode_envelope, decode_recorded, encode_envelope
from shared_events.orders import OrderPaid, OrderPlaced, OrderShipped
from shared_events.reference import reference
from shared_events.registry import TYPE_OF, UPCASTERS, encode_data, key_of
from shared_events.samples import sample_envelope
from shared_events.schemas import narrowed, schema, schema_files, write_schemas

COMMAND = "`.venv/bin/python -m shared_events` writes what is missing or has grown"
SAMPLES = sorted(file.name for file in (REPOSITORY / CORPUS).glob("*.json"))
SUMMED = read_sums(REPOSITORY / CORPUS)


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_i16_every_event_ever_released_decodes(name: str) -> None:
    body = (REPOSITORY / CORPUS / name).read_bytes()
    assert sha256(body).hexdigest() == SUMMED[name], "a sample is never written again"

    read = decode_recorded("any", 1, 1, body)
    assert f"{read.type}.json" == name
    assert read.key == key_of(read.event)

    if read.type not in TYPE_OF:
        encode_data(read.event)  # what the upcasters make of it is an event of today
        return
    envelope = decode_envelope(body)
    assert body == encode_envelope(
        read.event,
        event_id=read.event_id,
        source=envelope.source,
        stream=read.stream,
        version=read.version,
        time=read.time,
        recorded_at=read.recorded_at,
        actor=read.actor,
        correlation_id=read.correlation_id,
        causation_id=read.causation_id,
        traceparent=envelope.traceparent,
    )


def test_every_version_of_every_event_has_a_sample() -> None:
    versions = {f"{tag}.json" for tag in TYPE_OF.keys() | UPCASTERS.keys()}
    assert set(SAMPLES) == versions, COMMAND
    assert SUMMED.keys() == versions, "no sample is ever taken away"


def test_a_sample_that_is_there_is_never_written_again(tmp_path: Path) -> None:
    assert add_samples(tmp_path, [OrderPaid]) == ["OrderPaid.v1.json"]
    assert (tmp_path / "OrderPaid.v1.json").read_bytes() == sample_envelope(OrderPaid)
    (tmp_path / "OrderPaid.v1.json").write_bytes(b"something else")
    sums = (tmp_path / SUMS).read_text()

    assert add_samples(tmp_path, [OrderPaid]) == []
    assert (tmp_path / "OrderPaid.v1.json").read_bytes() == b"something else"
    assert (tmp_path / SUMS).read_text() == sums


def test_a_sample_that_was_lost_is_not_made_up(tmp_path: Path) -> None:
    add_samples(tmp_path, [OrderPaid])
    (tmp_path / "OrderPaid.v1.json").unlink()

    assert add_samples(tmp_path, [OrderPaid, OrderShipped]) == ["OrderShipped.v1.json"]
    assert not (tmp_path / "OrderPaid.v1.json").exists()
    assert list(read_sums(tmp_path)) == ["OrderPaid.v1.json", "OrderShipped.v1.json"]


# --- schemas ------------------------------------------------------------------------------------


def test_the_schemas_are_those_of_the_code() -> None:
    kept = {file.name: file.read_bytes() for file in (REPOSITORY / SCHEMAS).iterdir()}
    replaced = {f"{tag}.json" for tag in UPCASTERS}
    current = {name: text for name, text in kept.items() if name not in replaced}
    assert current == schema_files(), COMMAND
    assert replaced <= kept.keys()


def without(path: str, old: dict[str, Any]) -> dict[str, Any]:
    """A schema without what lies at a path."""
    new = deepcopy(old)
    *way, last = path.split("/")
    at = new
    for step in way:
        at = at[step]
    del at[last]
    return new


def put(path: str, value: object, old: dict[str, Any]) -> dict[str, Any]:
    """A schema with another value at a path."""
    new = deepcopy(old)
    *way, last = path.split("/")
    at = new
    for step in way:
        at = at[step]
    at[last] = value
    return new


PLACED = schema(OrderPlaced)
ORDER = "$defs/OrderPlaced"
LINE = "$defs/OrderLine"
OPTIONAL_INSTANT = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("new", "loss"),
    [
        (without(f"{ORDER}/properties/country", PLACED), "$.country is gone"),
        (without(f"{LINE}/properties/sku", PLACED), "$.lines[].sku is gone"),
        (without(f"{ORDER}/properties/deliver_by", PLACED), "$.deliver_by is gone"),
        (
            put(f"{ORDER}/properties/type/enum", ["OrderPlaced.v2"], PLACED),
            "$.type no longer allows OrderPlaced.v1",
        ),
        (
            put(f"{ORDER}/properties/order_id/maxLength", 63, PLACED),
            "$.order_id has a tighter maxLength",
        ),
        (
            put(f"{ORDER}/properties/total_minor/minimum", 1, PLACED),
            "$.total_minor has a tighter minimum",
        ),
        (
            put(f"{ORDER}/properties/total_minor/maximum", 99, PLACED),
            "$.total_minor has a tighter maximum",
        ),
        (put(f"{ORDER}/properties/lines/maxItems", 100, PLACED), "$.lines has a tighter maxItems"),
        (
            put(f"{ORDER}/properties/country/pattern", "^DE$", PLACED),
            "$.country has another pattern",
        ),
        (
            put(f"{ORDER}/properties/placed_at", {"type": "integer"}, PLACED),
            "$.placed_at has another type",
        ),
        (
            put(f"{ORDER}/properties/deliver_by", {"type": "integer"}, PLACED),
            "$.deliver_by has another type",
        ),
        (
            put(f"{LINE}/required", ["line_id", "sku", "line_discount_minor"], PLACED),
            "$.lines[].line_discount_minor must be there now",
        ),
    ],
)
def test_a_schema_that_allows_less_than_before_is_found_out(new: dict[str, Any], loss: str) -> None:
    assert loss in narrowed(PLACED, new)


@pytest.mark.parametrize(
    "new",
    [
        PLACED,
        put(f"{ORDER}/properties/gift_wrapped_at", OPTIONAL_INSTANT, PLACED),
        put(f"{ORDER}/properties/order_id/maxLength", 65, PLACED),
        put(f"{ORDER}/properties/placed_at", OPTIONAL_INSTANT, PLACED),
        put(f"{ORDER}/required", ["type", "order_id"], PLACED),
        put(f"{ORDER}/description", "Other words.", PLACED),
        without(f"{ORDER}/properties/country/maxLength", PLACED),
    ],
)
def test_a_schema_may_grow(new: dict[str, Any]) -> None:
    assert narrowed(PLACED, new) == []


def test_a_schema_that_allows_less_is_not_written(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    wider = b'{"$ref": "#/$defs/P", "$defs": {"P": {"properties": {"once": {"type": "string"}}}}}'
    (tmp_path / "OrderPaid.v1.json").write_bytes(wider)

    written, refused = write_schemas(tmp_path)

    assert written == []
    assert "OrderPaid.v1.json: $.once is gone" in refused
    assert (tmp_path / "OrderPaid.v1.json").read_bytes() == wider


# --- the reference, and the command that writes it all ------------------------------------------


def test_the_reference_is_that_of_the_code() -> None:
    page = (REPOSITORY / REFERENCE).read_text()
    assert page == reference(REPOSITORY / CORPUS), COMMAND
    assert all(f"#### {tag}\n" in page for tag in TYPE_OF)


def test_the_command_fills_an_empty_repository_and_then_has_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared/events").mkdir(parents=True)
    assert main([str(tmp_path)]) == 0
    assert f"{CORPUS}: {len(TYPE_OF)} written" in capsys.readouterr().out

    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(": 0 written") == 4


def test_the_command_fails_when_a_schema_would_allow_less(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SCHEMAS).mkdir(parents=True)
    (tmp_path / SCHEMAS / "OrderPaid.v1.json").write_text('{"enum": ["once"]}')
    assert main([str(tmp_path)]) == 1
    assert "$ no longer allows once" in capsys.readouterr().err


def test_the_command_wants_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "not the folder of the repository" in capsys.readouterr().err
