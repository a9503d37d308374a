"""Everybody's commands in, whatever life of an order they make out: what laws are tried on.

A marketplace's feed tells what happens to the order O1 of the buyer B1 and the seller S1, the buyer
confirms its receipt, timers and moderators do their part.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor

from review_service.domain.completion import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    ReopenOrder,
)
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.order_rules import OrderCommand
from review_service.domain.placing import PlaceOrder
from review_service.testing import change, say

PLACED = datetime(2025, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = Actor(role="SYSTEM", id="feed")
BUYER = Actor(role="BUYER", id="B1")
MODERATOR = Actor(role="MODERATOR", id="M1")
ACTORS = (FEED, BUYER, Actor(role="SELLER", id="S1"), MODERATOR)


def told(said: Struct, actor: Actor = FEED, **known: Any) -> OrderCommand:  # noqa: ANN401
    return say(said, now=PLACED, actor=actor, **known)


place = told(
    PlaceOrder(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        marketplace_id="M1",
        country="BR",
        currency="BRL",
        placed_at=PLACED,
        lines=(OrderLine(line_id="1", sku="S", category="C", quantity=1, unit_price_minor=1000),),
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=1000,
        total_ref_minor=1000,
        deliver_by=PLACED + 6 * DAY,
        withdrawal_right=True,
    )
)
pay = told(MarkPaid(payment_ref="P1"))
ship = told(MarkShipped())
deliver = told(MarkDelivered(signed=True))
expire = told(CompleteOrder())
declare = told(CompleteOrder(by_feed=True))
confirm = told(CompleteOrder(), BUYER)
cancel = told(CancelOrder(by="BUYER", reason="R"))
reopen = told(ReopenOrder(reason="CARRIER_CORRECTION"))
delay = told(AttributeDelay(incident_id="I1", liable="CARRIER"))
TEMPLATES: list[OrderCommand] = [
    place,
    change(place, withdrawal_right=False),
    pay,
    change(pay, payment_ref="P2"),
    ship,
    deliver,
    expire,
    change(expire, open_disputes=("d1",)),
    declare,
    confirm,
    cancel,
    reopen,
    change(reopen, reason="PAYMENT_REVERSED"),
    delay,
    change(delay, incident_id="I2"),
]
LIFE: list[OrderCommand] = [place, pay, ship, deliver, declare, reopen, deliver, confirm]
BEFORE: list[list[OrderCommand]] = [
    *(LIFE[:length] for length in range(len(LIFE) + 1)),
    *([*LIFE[:length], cancel] for length in range(1, 5)),
    *([*LIFE[:length], delay] for length in range(3, 6)),
]
"""Every state that the rules tell apart."""


def in_time(steps: Iterable[tuple[OrderCommand, timedelta]]) -> list[OrderCommand]:
    """Each command so much later than the one before."""
    now = PLACED
    timed: list[OrderCommand] = []
    for command, later in steps:
        now += later
        timed.append(change(command, now=now))
    return timed
