"""The feed `marketplace.orders` in, its AsyncAPI document out.

`python -m review_service.feed_document` prints it. It is beside those of our own topics, made of
the types that the feed is read with. What the schema says is what a shop keeps to; of the
attributes besides `type` and `data` we read none.
"""

import sys
from copy import deepcopy
from typing import Any

from shared_events.asyncapi import BINDING, CONTENT_TYPE, channel, framed, written
from shared_events.partition import PARTITIONS

from review_service.api.bulk import line_schema
from review_service.api.examples import LINE
from review_service.bulk.feed import ORDER, TOPIC

type DocumentPart = dict[str, Any]

KEPT_MS = 7 * 24 * 60 * 60 * 1000
"""Once it was read, our logs are the truth."""
STEPS = {
    "placed": (),
    "paid": ("paid",),
    "shipped": ("paid", "shipped"),
    "delivered": ("paid", "shipped", "delivered"),
    "completed": ("paid", "shipped", "delivered", "completed"),
    "cancelled": ("paid", "cancelled"),
}
"""The examples: how far the order has come, with the steps that it has reached by then."""
CANCELLED = {"at": "2026-01-10T18:00:00Z", "by": "BUYER", "reason": "changed-mind"}
MESSAGE = "Order"

DESCRIPTION = f"""\
What a shop announces of its orders, instead of sending it to `POST /v1/orders` or
`/v1/orders/bulk` of review-service: CloudEvents 1.0, structured JSON, one for each piece of news.

- `data` is a line of `POST /v1/orders/bulk`: the order as it was placed, and the instants of the
  steps that it has reached. News is told by the same line with more steps; told again, it is
  nothing new.
- An order's lines have to stay in their order: its seller is the key. Any partition of the
  {PARTITIONS} will do.
- Events of other types are passed over. A line that makes no sense is counted
  (`aftersales_feed_refused_total`), told in the worker's log with its place, and passed over.
- What is told of persons is not sealed here, so the topic is kept for a week. Where it is kept
  longer than the keys of persons are in backups, what somebody wrote is not taken.
"""


def document() -> DocumentPart:
    return framed(
        TOPIC,
        DESCRIPTION,
        channel(TOPIC, "Written by the shop, read by review-service.", [MESSAGE], KEPT_MS),
        {
            f"read {TOPIC}": {
                "action": "receive",
                "summary": "What the shop has announced, by review-service's worker.",
                "channel": {"$ref": f"#/channels/{TOPIC}"},
                "messages": [{"$ref": f"#/channels/{TOPIC}/messages/{MESSAGE}"}],
            }
        },
        {"messages": {MESSAGE: _message()}, "schemas": {"Line": line_schema()}},
    )


def _message() -> DocumentPart:
    told = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "The event's own, by the shop."},
        "source": {"type": "string", "minLength": 1, "description": "Who announces it."},
        "type": {"const": ORDER},
        "data": {"$ref": "#/components/schemas/Line"},
    }
    return {
        "name": ORDER,
        "title": ORDER,
        "summary": "An order, and how far it has come.",
        "contentType": CONTENT_TYPE,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The order's seller."},
                "bindingVersion": BINDING,
            }
        },
        "payload": {"type": "object", "required": [*told], "properties": told},
        "examples": [
            *({"name": name, "payload": _event(name, steps)} for name, steps in STEPS.items()),
            {"name": "reviewed", "payload": _event("reviewed", (*STEPS["completed"], "reviews"))},
        ],
    }


def _event(name: str, steps: tuple[str, ...]) -> DocumentPart:
    line = deepcopy(LINE) | {"cancelled": CANCELLED}
    return {
        "specversion": "1.0",
        "id": f"{line['order']['order_id']}-{name}",
        "source": "/my-shop",
        "type": ORDER,
        "data": {part: line[part] for part in ("order", *steps)},
    }


def text() -> str:
    return written(document())


if __name__ == "__main__":
    sys.stdout.write(f"{text()}\n")
