"""The life of an order: every command that it knows, in the order of its life."""

from typing import Any

from shared_events.orders import OrderEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from review_service.domain.completion import (
    ATTRIBUTE_DELAY,
    CANCEL_ORDER,
    COMPLETE_ORDER,
    REOPEN_ORDER,
)
from review_service.domain.fulfilment import MARK_DELIVERED, MARK_PAID, MARK_SHIPPED
from review_service.domain.known import Known
from review_service.domain.order import Order, Unplaced, evolve
from review_service.domain.placing import PLACE_ORDER

ORDER_RULES = Rules[Order, Known, OrderEvent](
    PLACE_ORDER,
    MARK_PAID,
    MARK_SHIPPED,
    MARK_DELIVERED,
    COMPLETE_ORDER,
    CANCEL_ORDER,
    REOPEN_ORDER,
    ATTRIBUTE_DELAY,
)

type OrderCommand = Sent[Any, Known]

ORDERS = Decider[Order, OrderCommand, OrderEvent](
    initial=Unplaced(), decide=ORDER_RULES.decide, evolve=evolve
)
