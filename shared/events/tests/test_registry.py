"""Which events there are, whom they belong to, and what becomes of old ones."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from msgspec import Struct, inspect
from msgspec.structs import asdict, fields, replace
from shared_events import dispute, orders, reputation, returns, review, score_policies
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.envelope import decode_recorded, decode_wanted
from shared_events.orders import OrderLine, OrderPaid, OrderPlaced
from shared_events.registry import (
    FAMILIES,
    TYPE_OF,
    UPCASTERS,
    UnknownEventType,
    Upcaster,
    decode_data,
    encode_data,
    key_of,
    name_of,
    tag_of,
    topic_of,
    upcast,
)
from shared_events.reputation import AccountOpened, CaseDismissed, LevelChanged
from shared_events.samples import sample, sample_envelope

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

placed = OrderPlaced(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    marketplace_id="M1",
    country="DE",
    currency="EUR",
    placed_at=NOW,
    lines=[OrderLine(line_id="1", sku="SKU", category="C", quantity=1, unit_price_minor=1000)],
    order_discount_minor=0,
    shipping_minor=0,
    total_minor=1000,
    total_ref_minor=1080,
    withdrawal_right=True,
)
paid = OrderPaid(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    paid_at=NOW,
    payment_ref="P1",
)
seller_opened = AccountOpened(
    account_kind="SELLER", seller_id="S1", policy_version="ae-2025-1", opened_at=NOW, balance=100
)
buyer_opened = AccountOpened(
    account_kind="BUYER", buyer_id="B1", policy_version="ae-2025-1", opened_at=NOW, balance=100
)
EVENT_TYPES = pytest.mark.parametrize("event_type", TYPE_OF.values(), ids=list(TYPE_OF))


def with_values(event: Struct, **values: object) -> Struct:
    """The event with values that its type does not allow."""
    return replace(event, **values)


# --- what there is ------------------------------------------------------------------------------


def test_every_struct_with_a_tag_is_registered_once_and_the_common_ones_where_they_may_be() -> None:
    tagged = [
        member
        for module in (orders, review, dispute, returns, reputation, score_policies)
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Struct)
        and member.__struct_config__.tag is not None
    ]
    assert set(tagged) == set(TYPE_OF.values())
    often = Counter(event for family in FAMILIES for event in family.events)
    assert {event for event, times in often.items() if times > 1} <= {
        DecisionOverdue,
        StatementOfReasonsIssued,
    }


@EVENT_TYPES
def test_a_tag_is_the_name_of_the_class_and_a_version(event_type: type[Struct]) -> None:
    tag = cast("str", event_type.__struct_config__.tag)
    assert re.fullmatch(rf"{event_type.__name__}\.v[1-9][0-9]*", tag)
    assert name_of(event_type) == event_type.__name__
    assert tag_of(sample(event_type)) == tag


def test_an_event_goes_to_the_topic_of_its_stream() -> None:
    assert topic_of("order-O1") == orders.TOPIC
    assert topic_of("evaluation-order-1") == review.TOPIC
    assert topic_of("refunds-O1") == returns.TOPIC
    assert {topic_of(stream) for family in FAMILIES for stream in family.streams} == {
        f"{module}.events" for module in ("orders", "review", "dispute", "returns", "reputation")
    }


@EVENT_TYPES
def test_what_is_optional_is_absent_unless_it_is_said(event_type: type[Struct]) -> None:
    # A default that means something could never be changed: old events rely on it.
    discount = ("line_discount_minor", 0)
    for field in fields(event_type):
        assert field.required or (field.name, field.default) == (field.name, None)
    assert [(f.name, f.default) for f in fields(OrderLine) if not f.required] == [discount]


@EVENT_TYPES
def test_a_record_in_a_list_is_flat_and_has_no_instants(event_type: type[Struct]) -> None:
    # Writing looks for instants that are not in UTC among the event's own fields only.
    kind = inspect.type_info(event_type)
    assert isinstance(kind, inspect.StructType)
    lists = [field.type for field in kind.fields if isinstance(field.type, inspect.ListType)]
    records = [each.item_type for each in lists if isinstance(each.item_type, inspect.StructType)]
    plain = (inspect.StrType, inspect.IntType, inspect.LiteralType)
    assert all(isinstance(field.type, plain) for record in records for field in record.fields)


# --- whose it is --------------------------------------------------------------------------------


def test_an_order_belongs_to_its_seller() -> None:
    assert key_of(placed) == "S1"


def test_an_account_belongs_to_itself() -> None:
    assert key_of(seller_opened) == "S1"
    assert key_of(buyer_opened) == "B1"


def test_a_case_belongs_to_the_account_of_the_accused() -> None:
    dismissed = CaseDismissed(
        account_kind="BUYER",
        buyer_id="B1",
        policy_version="ae-2025-1",
        case_id="C1",
        reason="UNFOUNDED",
    )
    assert key_of(dismissed) == "B1"


@pytest.mark.parametrize(
    "ids",
    [
        {"account_kind": "SELLER", "buyer_id": "B1"},
        {"account_kind": "BUYER", "seller_id": "S1"},
        {"account_kind": "BUYER", "seller_id": "S1", "buyer_id": "B1"},
        {"account_kind": "SELLER"},
        {"account_kind": "BUYER"},
    ],
)
def test_an_account_has_the_id_of_its_kind_and_no_other(ids: dict[str, Any]) -> None:
    others: dict[str, Any] = {"policy_version": "ae-2025-1", "opened_at": NOW, "balance": 100}
    with pytest.raises(ValueError, match="has the id of its kind"):
        AccountOpened(**ids, **others)
    data = msgspec.json.encode({"type": "AccountOpened.v1", **ids, **others})
    with pytest.raises(msgspec.ValidationError, match="has the id of its kind"):
        decode_data("AccountOpened.v1", data)


# --- strict writers -----------------------------------------------------------------------------


def test_a_field_that_is_missing_or_unknown_cannot_be_written() -> None:
    build = cast("Callable[..., OrderPaid]", OrderPaid)
    given = asdict(paid)
    with pytest.raises(TypeError, match="paid_with"):
        build(**given, paid_with="CARD")
    given.pop("payment_ref")
    with pytest.raises(TypeError, match="payment_ref"):
        build(**given)


def test_a_record_with_a_field_too_many_or_too_few_cannot_be_written() -> None:
    line = asdict(placed.lines[0])
    with pytest.raises(msgspec.ValidationError, match="read as it was written"):
        encode_data(with_values(placed, lines=[line | {"colour": "red"}]))
    line.pop("sku")
    with pytest.raises(msgspec.ValidationError, match="missing required field `sku`"):
        encode_data(with_values(placed, lines=[line]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_id", ""),
        ("order_id", "x" * 65),
        ("order_id", 17),
        ("order_id", None),
        ("currency", "eur"),
        ("currency", "EURO"),
        ("currency", "EUR\n"),
        ("country", "DEU"),
        ("country", "D\n"),
        ("total_minor", -1),
        ("total_minor", 10.5),
        ("total_minor", True),
        ("withdrawal_right", "yes"),
        ("withdrawal_right", 1),
        ("placed_at", NOW.replace(tzinfo=None)),
        ("placed_at", "2026-03-02"),
        ("lines", []),
        ("lines", placed.lines * 501),
        ("lines", tuple(placed.lines)),
    ],
)
def test_a_value_out_of_bounds_cannot_be_written(field: str, value: object) -> None:
    encode_data(placed)
    with pytest.raises(msgspec.ValidationError):
        encode_data(with_values(placed, **{field: value}))


@pytest.mark.parametrize("length", [1, 64])
def test_an_id_has_1_to_64_characters(length: int) -> None:
    encode_data(with_values(placed, order_id="x" * length))


def test_an_order_has_1_to_500_lines() -> None:
    encode_data(with_values(placed, lines=placed.lines * 500))


def test_a_word_that_is_not_in_the_list_cannot_be_written() -> None:
    changed = LevelChanged(
        account_kind="SELLER",
        seller_id="S1",
        policy_version="ae-2025-1",
        from_="NORMAL",
        to="REDUCED",
        public_level="NORMAL",
        balance=70,
    )
    assert b'"from":"NORMAL","to":"REDUCED"' in encode_data(changed)
    with pytest.raises(msgspec.ValidationError):
        encode_data(with_values(changed, to="BANNED"))


def test_what_is_absent_is_not_written() -> None:
    assert b"null" not in encode_data(placed)
    assert b"dispatch_by" not in encode_data(placed)


# --- old versions -------------------------------------------------------------------------------
# A worked example. Suppose that before its release, OrderPaid had another shape, version 0: the
# instant was in seconds, and there was no payment reference but the one of the order.


def paid_v0_to_v1(values: dict[str, Any]) -> dict[str, Any]:
    seconds = values.pop("paid")
    paid_at = datetime.fromtimestamp(seconds, UTC).isoformat()
    return values | {"paid_at": paid_at, "payment_ref": f"order:{values['order_id']}"}


OLD = {"OrderPaid.v0": paid_v0_to_v1}
old_paid = {
    "type": "OrderPaid.v0",
    "order_id": "O1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "ae-2025-1",
    "paid": int(NOW.timestamp()),
}
paid_since = replace(paid, payment_ref="order:O1")


def old_envelope() -> bytes:
    envelope = msgspec.json.decode(sample_envelope(OrderPaid))
    return msgspec.json.encode(envelope | {"type": "OrderPaid.v0", "data": old_paid})


def test_a_replaced_version_is_read_as_the_newest() -> None:
    assert decode_data("OrderPaid.v0", msgspec.json.encode(old_paid), OLD) == paid_since


def test_readers_of_the_log_meet_only_the_newest_version() -> None:
    read = decode_recorded("orders.events", 1, 1, old_envelope(), upcasters=OLD)
    assert read.event == paid_since
    assert read.type == "OrderPaid.v0"  # as it was recorded

    wanted = decode_wanted(
        frozenset({"OrderPaid"}), "orders.events", 1, 1, old_envelope(), upcasters=OLD
    )
    assert wanted == read


def test_a_version_is_carried_on_step_by_step() -> None:
    steps: dict[str, Upcaster] = {
        "Thing.v1": lambda values: {"names": [values["name"]]},
        "Thing.v2": lambda values: values | {"count": len(values["names"])},
    }
    newest = {"type": "Thing.v3", "names": ["a"], "count": 1}
    assert upcast("Thing.v1", {"type": "Thing.v1", "name": "a"}, steps) == ("Thing.v3", newest)
    assert upcast("Thing.v2", {"type": "Thing.v2", "names": ["a"]}, steps) == ("Thing.v3", newest)
    assert upcast("Thing.v3", newest, steps) == ("Thing.v3", newest)


def test_an_upcaster_that_makes_no_valid_event_is_found_out() -> None:
    with pytest.raises(msgspec.ValidationError, match="paid_at"):
        decode_data("OrderPaid.v0", msgspec.json.encode(old_paid), {"OrderPaid.v0": dict})


@pytest.mark.parametrize("tag", ["OrderPaid.v0", "OrderPaid.v2", "OrderPaid", "NobodysEvent.v1"])
def test_a_version_without_a_schema_or_an_upcaster_is_unknown(tag: str) -> None:
    with pytest.raises(UnknownEventType):
        decode_data(tag, b"{}")


def test_an_upcaster_that_leads_nowhere_is_found_out() -> None:
    with pytest.raises(UnknownEventType, match=r"Thing\.v2"):
        decode_data("Thing.v1", b"{}", {"Thing.v1": dict})


def test_every_upcaster_leads_to_a_version_that_has_a_schema() -> None:
    for tag in UPCASTERS:
        assert tag not in TYPE_OF
        name, _, version = tag.rpartition(".v")
        later = {f"{name}.v{int(version) + 1}"}
        assert later & (TYPE_OF.keys() | UPCASTERS.keys())
