"""What the bytes of an event look like, and what is made of them."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from shared_events.envelope import (
    RECORDED_TIME_LENGTH,
    RECORDED_TIME_OFFSET,
    Recorded,
    decode_envelope,
    decode_recorded,
    decode_wanted,
    encode_envelope,
)
from shared_events.orders import OrderPaid
from shared_events.registry import UnknownEventType
from shared_events.reputation import AccountOpened

NOW = datetime(2026, 3, 2, 9, 30, 0, 120_000, tzinfo=UTC)
RECORDED = datetime(2026, 3, 2, 9, 30, 5, tzinfo=UTC)  # a whole second: no decimals by nature
COMMAND = "01956f2e-7800-7000-8000-0000000000c0"
EVENT = "01956f2e-7c00-7000-8000-000000000001"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

paid = OrderPaid(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    paid_at=NOW,
    payment_ref="P1",
)
buyer_opened = AccountOpened(
    account_kind="BUYER", buyer_id="B1", policy_version="ae-2025-1", opened_at=NOW, balance=100
)


def encode(event: msgspec.Struct = paid, **changes: Any) -> bytes:  # noqa: ANN401 - any argument
    arguments: dict[str, Any] = {
        "event_id": EVENT,
        "source": "/review-service",
        "stream": "order-O1",
        "version": 2,
        "time": NOW,
        "recorded_at": RECORDED,
        "actor": "system:feed",
        "correlation_id": "O1",
        "causation_id": COMMAND,
    }
    return encode_envelope(event, **(arguments | changes))


def read(body: bytes) -> Recorded[Any]:
    return decode_recorded("orders.events", 18, 7, body)


def test_an_envelope_has_these_attributes_in_this_order() -> None:
    assert json.loads(encode(traceparent=TRACE)) == {
        "specversion": "1.0",
        "recordedtime": "2026-03-02T09:30:05.000000Z",
        "id": EVENT,
        "source": "/review-service",
        "type": "OrderPaid.v1",
        "subject": "order-O1",
        "streamversion": 2,
        "time": "2026-03-02T09:30:00.120000Z",
        "partitionkey": "S1",
        "actor": "system:feed",
        "correlationid": "O1",
        "causationid": COMMAND,
        "traceparent": TRACE,
        "data": {
            "type": "OrderPaid.v1",
            "order_id": "O1",
            "seller_id": "S1",
            "buyer_id": "B1",
            "policy_version": "ae-2025-1",
            "paid_at": "2026-03-02T09:30:00.120000Z",
            "payment_ref": "P1",
        },
    }
    assert list(json.loads(encode(traceparent=TRACE))) == [
        *("specversion", "recordedtime", "id", "source", "type", "subject", "streamversion"),
        *("time", "partitionkey", "actor", "correlationid", "causationid", "traceparent", "data"),
    ]


def test_the_names_of_attributes_are_those_that_cloudevents_allows() -> None:
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in json.loads(encode()))


def test_an_event_without_a_trace_has_no_traceparent() -> None:
    assert "traceparent" not in json.loads(encode())
    assert decode_envelope(encode()).traceparent is None


def test_the_key_of_a_buyer_account_is_the_buyer() -> None:
    assert json.loads(encode(buyer_opened))["partitionkey"] == "B1"


def test_what_is_read_is_what_was_written() -> None:
    assert read(encode()) == Recorded(
        topic="orders.events",
        partition=18,
        position=7,
        event_id=EVENT,
        stream="order-O1",
        version=2,
        type="OrderPaid.v1",
        time=NOW,
        recorded_at=RECORDED,
        key="S1",
        actor="system:feed",
        correlation_id="O1",
        causation_id=COMMAND,
        event=paid,
    )


def test_the_same_event_has_the_same_bytes() -> None:
    again = OrderPaid(
        payment_ref="P1",
        paid_at=NOW,
        policy_version="ae-2025-1",
        buyer_id="B1",
        seller_id="S1",
        order_id="O1",
    )
    assert encode(again) == encode(paid)


def test_instants_of_any_zone_are_written_in_utc() -> None:
    sao_paulo = timezone(timedelta(hours=-3))
    there = msgspec.structs.replace(paid, paid_at=NOW.astimezone(sao_paulo))
    moved = encode(
        there, time=NOW.astimezone(sao_paulo), recorded_at=RECORDED.astimezone(sao_paulo)
    )
    assert moved == encode()


def test_an_instant_without_a_zone_is_nobodys_instant() -> None:
    with pytest.raises(AssertionError):
        encode(time=NOW.replace(tzinfo=None))
    with pytest.raises(AssertionError):
        encode(recorded_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    "later",
    [
        datetime(2026, 3, 2, 9, 30, 5, 1, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
    ],
)
def test_a_later_recordedtime_can_be_put_in_place_without_parsing(later: datetime) -> None:
    body = encode()
    start, end = RECORDED_TIME_OFFSET, RECORDED_TIME_OFFSET + RECORDED_TIME_LENGTH
    assert body[start:end] == b"2026-03-02T09:30:05.000000Z"

    text = later.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    put = body[:start] + text + body[end:]

    assert put == encode(recorded_at=later)
    assert read(put) == msgspec.structs.replace(read(body), recorded_at=later)


def test_attributes_that_nobody_knows_yet_are_ignored() -> None:
    body = encode()
    extended = body.replace(b',"data":', b',"dataschema":"/x","sampledrate":{"a":[1]},"data":')
    assert extended != body
    assert read(extended) == read(body)


def test_fields_that_nobody_knows_yet_are_ignored() -> None:
    body = encode()
    extended = body.replace(b'"payment_ref":"P1"', b'"payment_ref":"P1","paid_with":["CARD",{}]')
    assert extended != body
    assert read(extended) == read(body)


def test_who_wants_other_types_gets_nothing_and_never_looks_at_the_data() -> None:
    broken = encode().replace(b'"payment_ref":"P1"', b'"payment_ref":17')
    wanted = frozenset({"OrderShipped"})
    assert decode_wanted(wanted, "orders.events", 18, 7, broken) is None


def test_who_wants_a_type_gets_the_event() -> None:
    wanted = frozenset({"OrderShipped", "OrderPaid"})
    assert decode_wanted(wanted, "orders.events", 18, 7, encode()) == read(encode())


def test_an_event_type_of_a_later_release_is_unknown() -> None:
    body = encode().replace(b"OrderPaid.v1", b"OrderPaid.v9")
    with pytest.raises(UnknownEventType, match=r"OrderPaid\.v9"):
        read(body)
    assert decode_envelope(body).type == "OrderPaid.v9"


NESTED = b"[" * 100_000 + b"]" * 100_000
BODY = encode()
MALFORMED = {
    "nothing": b"",
    "no JSON": b"\x00\x01\x02",
    "another JSON": b"[1, 2]",
    "half of it": BODY[: len(BODY) // 2],
    "something after it": BODY + b"{}",
    "no UTF-8": BODY.replace(b'"system:feed"', b'"\xff\xfe"'),
    "no UTF-8 inside": BODY.replace(b'"payment_ref":"P1"', b'"payment_ref":"\xff"'),
    "half a character": BODY.replace(b'"system:feed"', b'"\\ud800"'),
    "nested too deeply": BODY.replace(b"{", b'{"x":' + NESTED + b",", 1),
    "nested too deeply inside": BODY.replace(b'"P1"', b'"P1","x":' + NESTED),
    "another version of CloudEvents": BODY.replace(b'"1.0"', b'"0.3"'),
    "no stream": BODY.replace(b'"subject"', b'"object"'),
    "no data": BODY.replace(b'"data"', b'"date"'),
    "a version in words": BODY.replace(b":2,", b':"two",'),
    "a time without a zone": BODY.replace(b'120000Z","part', b'120000","part'),
    "recorded at no time": BODY.replace(b"2026-03-02T09:30:05", b"2026-13-02T09:30:05"),
    "recorded in no zone": BODY.replace(b"05.000000Z", b"05.000000"),
    "two types": BODY.replace(b"OrderPaid.v1", b"OrderShipped.v1", 1),
    "a field missing": BODY.replace(b',"payment_ref":"P1"', b""),
    "a field of another type": BODY.replace(b'"payment_ref":"P1"', b'"payment_ref":1'),
    "a field out of bounds": BODY.replace(b'"payment_ref":"P1"', b'"payment_ref":""'),
}


@pytest.mark.parametrize("broken", MALFORMED)
def test_bytes_that_are_no_event_are_refused_by_one_error(broken: str) -> None:
    assert MALFORMED[broken] != BODY
    with pytest.raises(msgspec.DecodeError):
        read(MALFORMED[broken])
