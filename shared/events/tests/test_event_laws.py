"""What holds for every event, whatever is in it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, inspect
from msgspec.structs import fields, replace
from shared_events.common import MatterFact
from shared_events.envelope import decode_recorded, encode_envelope
from shared_events.registry import TYPE_OF, decode_data, encode_data, key_of, tag_of
from shared_events.reputation import AccountFact

FROM, UNTIL = datetime(1990, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
UNICODE = st.characters(exclude_categories=["Cs"])
LENGTH_MAX = 80  # longer texts are not more telling
PLAIN: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.NoneType: st.none(),
    inspect.BoolType: st.booleans(),
    inspect.DateTimeType: st.datetimes(FROM, UNTIL, timezones=st.just(UTC)),
}
EVENT_TYPES = pytest.mark.parametrize("event_type", TYPE_OF.values(), ids=list(TYPE_OF))


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Anything that the type allows."""
    match kind:
        case inspect.StructType():
            return structs(kind.cls)
        case inspect.UnionType(types=kinds):
            return st.one_of([values_of(each) for each in kinds])
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return st.lists(values_of(item), min_size=least or 0, max_size=min(most or 3, 3))
        case _:
            return scalars(kind)


def scalars(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.LiteralType(values=words):
            return st.sampled_from(words)
        case inspect.IntType(ge=least, le=most):
            return st.integers(
                -(2**53) if least is None else least, 2**53 if most is None else most
            )
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern.removesuffix("$"), fullmatch=True)
        case inspect.StrType(min_length=least, max_length=most):
            longest = min(most or LENGTH_MAX, LENGTH_MAX)
            return st.text(UNICODE, min_size=least or 0, max_size=longest)
        case _:
            return PLAIN[type(kind)]


def structs(struct: type[Struct]) -> st.SearchStrategy[Struct]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    by_name = {field.name: values_of(field.type) for field in kind.fields}
    if issubclass(struct, AccountFact | MatterFact):
        buyer = by_name | {"account_kind": st.just("BUYER"), "seller_id": st.none()}
        seller = by_name | {"account_kind": st.just("SELLER"), "buyer_id": st.none()}
        ids = values_of(inspect.type_info(str)).filter(bool)
        return st.one_of(
            st.builds(struct, **(buyer | {"buyer_id": ids})),
            st.builds(struct, **(seller | {"seller_id": ids})),
        )
    return st.builds(struct, **by_name)


def moved(event: Struct, zone: timezone) -> Struct:
    """The same event, its instants told by the clocks of a zone."""
    instants = {
        field.name: at.astimezone(zone)
        for field in fields(event)
        if isinstance(at := getattr(event, field.name), datetime)
    }
    return replace(event, **instants)


@EVENT_TYPES
@settings(max_examples=15)
@given(data=st.data(), zone=ZONES)
def test_every_event_is_read_as_it_was_written(
    event_type: type[Struct], data: st.DataObject, zone: timezone
) -> None:
    event = data.draw(structs(event_type))
    tag, written = tag_of(event), encode_data(event)

    assert decode_data(tag, written) == event
    assert encode_data(decode_data(tag, written)) == written
    assert encode_data(moved(event, zone)) == written

    of_later = msgspec.json.decode(written) | {"of_a_later_release": [{"a": None}]}
    assert decode_data(tag, msgspec.json.encode(of_later)) == event


@settings(max_examples=200)
@given(
    event=st.sampled_from(list(TYPE_OF.values())).flatmap(structs),
    time=st.datetimes(FROM, UNTIL, timezones=ZONES),
    recorded_at=st.datetimes(FROM, UNTIL, timezones=ZONES),
    text=st.text(UNICODE, max_size=LENGTH_MAX),
    trace=st.none() | st.text(UNICODE, max_size=LENGTH_MAX),
)
def test_every_envelope_is_read_as_it_was_written(
    event: Struct, time: datetime, recorded_at: datetime, text: str, trace: str | None
) -> None:
    body = encode_envelope(
        event,
        event_id=text,
        source=text,
        stream=text,
        version=3,
        time=time,
        recorded_at=recorded_at,
        actor=text,
        correlation_id=text,
        causation_id=text,
        traceparent=trace,
    )
    read = decode_recorded("topic", 1, 2, body)
    assert read.event == event
    assert (read.time, read.recorded_at) == (time, recorded_at)
    assert (read.key, read.type) == (key_of(event), tag_of(event))
    assert {read.stream, read.event_id, read.actor, read.correlation_id} == {text}
