"""What the OpenAPI page shows: an order of two pieces, and what becomes of it."""

from typing import Any

import msgspec

ORDER: dict[str, Any] = {
    "order_id": "O-1001",
    "seller_id": "S-77",
    "buyer_id": "B-5",
    "marketplace_id": "market",
    "country": "BR",
    "currency": "BRL",
    "placed_at": "2026-01-10T09:30:00Z",
    "lines": [
        {
            "line_id": "1",
            "sku": "LAMP-4",
            "category": "home",
            "quantity": 2,
            "unit_price": {"amount": 4990, "currency": "BRL"},
            "line_discount": {"amount": 500, "currency": "BRL"},
        }
    ],
    "order_discount": {"amount": 0, "currency": "BRL"},
    "shipping": {"amount": 1200, "currency": "BRL"},
    "total": {"amount": 10680, "currency": "BRL"},
    "total_ref": {"amount": 3204, "currency": "USD"},
    "dispatch_by": "2026-01-12T00:00:00Z",
    "deliver_by": "2026-01-20T00:00:00Z",
    "withdrawal_right": True,
}
REF = "b3f1a27c90d64e58812f7d3ac6045e9b"
"""Of a review of it: made by a key, so none that follows from the order's id."""
LINE: dict[str, Any] = {
    "order": ORDER,
    "paid": {"at": "2026-01-10T09:31:00Z", "payment_ref": "P-1"},
    "shipped": {"at": "2026-01-11T08:00:00Z", "tracking_id": "BR123"},
    "delivered": {"at": "2026-01-15T14:00:00Z", "signed": True},
    "completed": {"at": "2026-01-15T18:00:00Z"},
    "reviews": [
        {
            "by": "BUYER",
            "at": "2026-01-16T10:00:00Z",
            "quality": 5,
            "logistics": 4,
            "service": 5,
            "incentive": "NONE",
        },
        {"by": "SELLER", "at": "2026-01-17T10:00:00Z", "rating": 5},
    ],
}

RESTRICTION: dict[str, Any] = {
    "ground": "PERSONAL_DATA",
    "rule_ids": ["R-3"],
    "facts": "The second sentence gives a private person's name and street.",
    "explanation": "Reviews may not give anybody's address. The stars still count.",
    "measures": ["HIDE_TEXT"],
    "automated_detection": False,
}
ANSWERS = """\
{"line":1,"order_id":"O-1001","order":"accepted","reviews":[{"by":"BUYER","outcome":"accepted"}]}
{"line":2,"order_id":null,"order":"refused","problem":{"type":"/problems/malformed-line",\
"title":"Malformed line","status":400,"detail":"The line is not JSON."},"reviews":[]}
{"summary":{"lines":2,"orders":{"accepted":1,"unchanged":0,"refused":1},\
"reviews":{"accepted":1,"unchanged":0,"refused":0},\
"parts":{"accepted":0,"unchanged":0,"refused":0},"events":8},\
"tokens":["orders.events/12:5","review.events/12:3"]}
"""


def line_of(value: object) -> str:
    """A value as a line of NDJSON."""
    return msgspec.json.encode(value).decode() + "\n"
