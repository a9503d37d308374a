"""An order that a shop places."""

import time
from typing import Any

PRICE = {"amount": 1000, "currency": "EUR"}


def a_minute_ago() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))


def new_order(order_id: str, *, seller_id: str, buyer_id: str, placed_at: str) -> dict[str, Any]:
    """The body of `POST /v1/orders`: one mug."""
    return {
        "order_id": order_id,
        "seller_id": seller_id,
        "buyer_id": buyer_id,
        "marketplace_id": "bench",
        "country": "FR",
        "currency": "EUR",
        "placed_at": placed_at,
        "lines": [
            {"line_id": "1", "sku": "mug", "category": "home", "quantity": 1, "unit_price": PRICE}
        ],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": PRICE,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }
