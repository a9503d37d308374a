"""Who is calling and the order that it is about in, who he is to that order out.

A party is a party first, whatever other roles he has. To everybody else but staff and the feeds
the order is not there.
"""

from datetime import datetime

from shared_casework.parties import is_party
from shared_runtime.auth import Caller
from shared_runtime.decider import Actor, FieldError, InvalidValue, NotFound, Role
from shared_runtime.history import STAFF_ROLES
from shared_runtime.log import Log, read_stream

from review_service.domain.order import Order, Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.streams import order_stream
from review_service.told_order import AHEAD_MAX

FEEDS: tuple[Role, ...] = ("SYSTEM", "IMPORTER")
PARTIES: tuple[Role, ...] = ("BUYER", "SELLER")
EVERYBODY: tuple[Role, ...] = (*PARTIES, *STAFF_ROLES, *FEEDS, "PRIVACY")


async def read_order(log: Log, order_id: str) -> Order:
    """The order as its stream tells; not placed if there is none."""
    history = await read_stream(log, order_stream(order_id))
    return ORDERS.fold(recorded.event for recorded in history)


def existing(order: Order) -> Placed:
    """Raises `NotFound` where there is none."""
    if isinstance(order, Placed):
        return order
    raise NotFound


def feed_actor(caller: Caller) -> Actor | None:
    """A connector, or an importer who speaks for one; None if the caller is neither."""
    if "SYSTEM" in caller.roles:
        return caller.actor("SYSTEM")
    if "IMPORTER" in caller.roles:
        return caller.actor("IMPORTER", on_behalf_of="SYSTEM")
    return None


def party(caller: Caller, order: Placed) -> Actor | None:
    """The buyer or the seller of this order; None if the caller is neither."""
    for role in PARTIES:
        if role in caller.roles and is_party(actor := caller.actor(role), order.parties):
            return actor
    return None


def reader(caller: Caller, order: Order) -> Actor:
    """Who reads: a party, a feed or staff. Raises `NotFound` for anybody else."""
    known = existing(order)
    actor = party(caller, known) or feed_actor(caller)
    if actor is None and caller.roles.isdisjoint(STAFF_ROLES):
        raise NotFound
    return actor or caller.actor(*STAFF_ROLES)


def stated(at: datetime | None, now: datetime, *, may_state: bool, field: str = "at") -> datetime:
    """When it happened: as a feed or an importer says, else now."""
    if at is None:
        return now
    if not may_state:
        raise InvalidValue(errors=[FieldError(field=field, bound="a feed or an importer says it")])
    if at > now + AHEAD_MAX:
        raise InvalidValue(errors=[FieldError(field=field, bound="not after now")])
    return at
