"""An event type in, one example of it out: the same on every machine and every day.

The corpus and the reference are made of these. Every optional field is there, but for those that
contradict another one; values are chosen by the name of the field, else by its type.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct, inspect

from shared_events import dispute, reputation, review
from shared_events.envelope import encode_envelope
from shared_events.registry import FAMILIES, Family, tag_of

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES: dict[str, object] = {
    "order_id": "O-1001",
    "seller_id": "S-17",
    "buyer_id": "B-42",
    "inquiry_id": "I-11",
    "dispute_id": "D-12",
    "return_id": "R-13",
    "case_id": "C-14",
    "account_kind": "SELLER",
    "side": "BUYER",
    "sides": ["BUYER"],
    "policy_version": "ae-2025-1",
    "marketplace_id": "example",
    "country": "DE",
    "currency": "EUR",
    "category": "shoes",
    "quantity": 2,
    "unit_price_minor": 2500,
    "line_discount_minor": 100,
    "order_discount_minor": 200,
    "shipping_minor": 499,
    "total_minor": 5199,
    "total_ref_minor": 5632,
    "paid_minor": 2350,
    "difference_minor": 150,
    "moved_minor": 2350,
    "added_minor": 150,
    "label_cost_minor": 390,
    "cost_minor": 390,
    "goodwill_minor": 0,
    "balance": 88,
    "balance_after": 88,
    "points": 12,
    "severity": "SEVERE",
    "active_points": 12,
    "orders_completed": 64,
    "violations": 0,
    "points_credited": 2,
    "from": "NORMAL",
    "to": "REDUCED",
    "public_level": "REDUCED",
    "version": 2,
    "quality": 5,
    "logistics": 3,
    "service": 4,
    "was_quality": 2,
    "was_logistics": 3,
    "was_service": 2,
    "weight_milli": 1000,
    "effect_milli": 1000,
    "factor_milli": 700,
    "value_milli": 700,
    "deduction_milli": 100,
    "seller_fault_pct": 100,
    "remaining_seconds": 432000,
    "sla_seconds": 86400,
    "excluded_dimensions": ["LOGISTICS"],
    "unit": "1/1",
    "units": ["1/1", "1/2"],
    "open_causes": ["cause-1"],
    "old_unit": "1/1",
    "new_unit": "1/1.r1",
    "new_units": ["1/1.r1", "1/2.r1"],
    "rule_trace": ["D2:fail:RETURN", "D4:fail:5399<=2000", "D5:pass:5399<=20000"],
    "size_ordered": "42",
    "size_felt": "SMALL",
    "size_measured": "41",
    "evidence_event_ids": ["01956f2e-7c00-7000-8000-00000000002a"],
    "decided_by": "agent-7",
    "sku": "sku-1",
    "replacement_sku": "sku-2",
    "payment_ref": "payment-1",
    "gateway_ref": "gateway-1",
    "reason": "ADDRESS_UNKNOWN",
    "code": "GATEWAY_TIMEOUT",
    "name": "TEXT_REUSE",
    "explanation": "The text names a person and an address; rule R-3 forbids that.",
    "appeal_command": "AppealModeration",
}
# The word to take where several would do: together they tell one story.
WORDS = (
    "SELLER",
    "NONE",
    "FULL",
    "RULE",
    "RETURN",
    "STANDARD",
    "NOT_AS_DESCRIBED",
    "REFUND_PARTIAL",
    "DECIDED",
    "DECISION",
    "REFUND",
    "REFUNDED",
    "UPHELD",
    "CONVERTED",
    "WINDOW_CLOSED",
    "DELIVERED_BACK",
    "UNFOUNDED",
    "EXPIRED",
    "PHOTO",
    "RESTRICTED",
    "HIDE_TEXT",
    "OFFENSIVE",
    "EARNED_BACK",
    "PAYOUT_HOLD",
    "CASE_REVERSED",
    "USED",
)
FALSE = frozenset(
    {
        "late",
        "late_dispatch",
        "auto",
        "automatic",
        "automated_detection",
        "buyer_abuse",
        "resolved_by_seller",
        "by_default",
        "lapsed",
        "cross_shipped",
        "before_reveal",
        "already_expired",
        "forced",
        "final",
        "safety",
        "after_appeal",
        "advance",
        "unasked",
        "assumed",
    }
)
# Where the name alone would mislead.
OF_TYPE: dict[type[Struct], dict[str, object]] = {
    review.DimensionReattributed: {"from": "SELLER", "to": "CARRIER"},
    dispute.DisputedUnits: {"units": "1/1,1/2"},
    reputation.AccountOpened: {"balance": 100},
    reputation.ProtectionGranted: {"reason": "WAREHOUSE_FLOOD", "level": "REDUCED"},
    reputation.ScoreEvaluated: {
        "day": 20_454,
        "policy_id": "default-1",
        "score_micro": 72_578_533,
        "level": "GREEN",
        "public_level": "GREEN",
    },
}
# A review by the buyer has stars and no rating, a seller's account no buyer.
CONTRADICTIONS = {
    review.ReviewSubmitted: "rating",
    review.ReviewAmended: "rating",
    review.ReviewWeighted: "rating",
    reputation.AccountFact: "buyer_id",
}
SERVICE_OF = {
    "orders.events": "/review-service",
    "review.events": "/review-service",
    "dispute.events": "/dispute-service",
    "returns.events": "/returns-service",
    "reputation.events": "/reputation-service",
}


CORRELATION = ("order_id", "case_id", "seller_id", "policy_version", "policy_id")
"""What an envelope names as the story that the event belongs to: the first of these."""


def sample(event_type: type[Struct]) -> Struct:
    """An example of the event."""
    days = count()
    info = inspect.type_info(event_type)
    assert isinstance(info, inspect.StructType)
    return msgspec.convert(_record(info, days) | {"type": info.tag}, event_type)


def sample_envelope(event_type: type[Struct]) -> bytes:
    """The bytes of that example, as the log would have them."""
    event = sample(event_type)
    family = family_of(event_type)
    fields: dict[str, str] = msgspec.to_builtins(event)
    return encode_envelope(
        event,
        event_id=f"01956f2e-7c00-7000-8000-{crc32(tag_of(event).encode()):012x}",
        source=SERVICE_OF[family.topic],
        stream=re.sub(r"<(\w+)>", lambda field: fields[field[1]], family.streams[0]),
        version=3,
        time=START,
        recorded_at=START + timedelta(microseconds=5_250_000),
        actor="system:example",
        correlation_id=next(fields[name] for name in CORRELATION if name in fields),
        causation_id="01956f2e-7800-7000-8000-0000000000c0",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def family_of(event_type: type[Struct]) -> Family:
    """The family of an event type."""
    return next(family for family in FAMILIES if event_type in family.events)


def _record(info: inspect.StructType, days: Iterator[int]) -> dict[str, Any]:
    names = VALUES | OF_TYPE.get(info.cls, {})
    left_out = {name for base, name in CONTRADICTIONS.items() if issubclass(info.cls, base)}
    return {
        field.encode_name: _value(field.encode_name, field.type, names, days)
        for field in info.fields
        if field.encode_name not in left_out
    }


def _value(name: str, kind: inspect.Type, names: dict[str, object], days: Iterator[int]) -> object:
    match _present(kind):
        case inspect.LiteralType(values=words):
            named = names.get(name)
            return named if named in words else next((w for w in WORDS if w in words), words[0])
        case inspect.ListType(item_type=inspect.StructType() as record):
            return [_record(record, days)]
        case _ if name in names:
            return names[name]
        case inspect.ListType(item_type=item):
            return [_value(name.removesuffix("s"), item, names, days)]
        case other:
            return _scalar(name, other, days)


def _present(kind: inspect.Type) -> inspect.Type:
    """The type of an optional field that is there."""
    if isinstance(kind, inspect.UnionType):
        return next(each for each in kind.types if not isinstance(each, inspect.NoneType))
    return kind


def _scalar(name: str, kind: inspect.Type, days: Iterator[int]) -> object:
    match kind:
        case inspect.DateTimeType():
            return START + timedelta(days=next(days))
        case inspect.BoolType():
            return name not in FALSE
        case inspect.IntType(ge=least):
            amount = 1500 if name.endswith("_minor") else 5400 if name.endswith("_seconds") else 1
            return max(amount, least or 0)
        case inspect.StrType(pattern=None):
            return f"{name.removesuffix('_id')}-1"
        case inspect.StrType(pattern=pattern) if pattern and pattern.startswith("^s1"):
            return f"s1.a2V5.ZGlnZXN0.01956f2e-7c00-7000-8000-00000000002a.{name}.Y2lwaGVydGV4dA"
        case _:
            assert name.endswith("sha256"), f"no example of {name}"
            return sha256(name.encode()).hexdigest()
