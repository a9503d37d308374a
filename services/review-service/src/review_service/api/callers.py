"""Who is calling and the order that it is about in, who he is to that order out.

A party is a party first, whatever other roles he has. To everybody else but staff and the feeds
the order is not there.
"""

from shared_casework.callers import FEEDS, PARTIES, feed_actor, party
from shared_runtime.auth import Caller
from shared_runtime.decider import Actor, NotFound, Role
from shared_runtime.history import STAFF_ROLES
from shared_runtime.log import Log, read_stream

from review_service.domain.order import Order, Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.streams import order_stream

EVERYBODY: tuple[Role, ...] = (*PARTIES, *STAFF_ROLES, *FEEDS, "PRIVACY", "STOREFRONT")


async def read_order(log: Log, order_id: str) -> Order:
    """The order as its stream tells; not placed if there is none."""
    history = await read_stream(log, order_stream(order_id))
    return ORDERS.fold(recorded.event for recorded in history)


def existing(order: Order) -> Placed:
    """Raises `NotFound` where there is none."""
    if isinstance(order, Placed):
        return order
    raise NotFound


def reader(caller: Caller, order: Order) -> Actor:
    """Who reads: a party, a feed or staff. Raises `NotFound` for anybody else."""
    known = existing(order)
    actor = party(caller, known.parties) or feed_actor(caller)
    if actor is None and caller.roles.isdisjoint(STAFF_ROLES):
        raise NotFound
    return actor or caller.actor(*STAFF_ROLES)
