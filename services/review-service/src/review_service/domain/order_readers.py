"""An event of an order in, whether somebody who may read the order may know of it out.

The table is closed: an event that is not in it is nobody's to read, and a test says so. All that
is in it is everybody's: what an order shows and its version are those of the whole history. The
first event that is not needs a reading of orders, as evaluations have theirs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)
from shared_runtime.decider import Actor

type Reads = Callable[[Any, Actor], bool]


def everybody(_: OrderEvent, __: Actor) -> bool:
    """Its parties, staff and those who tell of it: to all others the order is not there."""
    return True


ORDER_READERS: Mapping[type[OrderEvent], Reads] = {
    OrderPlaced: everybody,
    OrderPaid: everybody,
    OrderShipped: everybody,
    OrderDelivered: everybody,
    OrderCompleted: everybody,
    OrderCancelled: everybody,
    OrderReopened: everybody,
    OrderDelayAttributed: everybody,
}


def may_know(event: OrderEvent, actor: Actor) -> bool:
    return ORDER_READERS[type(event)](event, actor)
