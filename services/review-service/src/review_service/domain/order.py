"""An order: what has happened to it in, where it stands out.

    PLACED -> PAID -> SHIPPED -> DELIVERED -> COMPLETED -> (reopened) -> SHIPPED
    each of the first four -> CANCELLED

Steps arrive more than once and long after the fact. A step told again with the same content
changes nothing; told differently, it is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.parties import Account, parties_of, require_party
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
from shared_runtime.decider import AlreadySubmitted, NotAParty, TimeGoesBack
from shared_runtime.rule import NO_WINDOW, Guard, Rule, Window

from review_service.domain.known import Known, Sender

type Stage = Literal["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED"]
type Status = Literal["NONE"] | Stage


class Unplaced(Struct, frozen=True):
    @property
    def status(self) -> Status:
        return "NONE"


class Placed(Struct, frozen=True, kw_only=True):
    """Every step that was told stays known, also one that a reopening has undone."""

    stage: Stage
    placed: OrderPlaced
    last_at: datetime
    deliver_by: datetime | None
    paid: OrderPaid | None = None
    shipped: OrderShipped | None = None
    deliveries: tuple[OrderDelivered, ...] = ()
    delivered: OrderDelivered | None = None
    completions: tuple[OrderCompleted, ...] = ()
    reopenings: tuple[OrderReopened, ...] = ()
    cancelled: OrderCancelled | None = None
    delay: OrderDelayAttributed | None = None

    @property
    def status(self) -> Status:
        return self.stage

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.placed.buyer_id, seller_id=self.placed.seller_id)


type Order = Unplaced | Placed


def evolve(  # noqa: PLR0911 - one arm for each event
    order: Order, event: OrderEvent
) -> Order:
    if isinstance(event, OrderPlaced):
        return Placed(
            stage="PLACED", placed=event, last_at=event.placed_at, deliver_by=event.deliver_by
        )
    assert isinstance(order, Placed)
    match event:
        case OrderPaid():
            return replace(order, stage="PAID", paid=event, last_at=event.paid_at)
        case OrderShipped():
            return replace(
                order,
                stage="SHIPPED",
                shipped=event,
                last_at=event.shipped_at,
                deliver_by=event.deliver_by or order.deliver_by,
            )
        case OrderDelivered():
            return replace(
                order,
                stage="DELIVERED",
                deliveries=(*order.deliveries, event),
                delivered=event,
                last_at=event.delivered_at,
            )
        case OrderCompleted():
            return replace(
                order,
                stage="COMPLETED",
                completions=(*order.completions, event),
                last_at=event.completed_at,
            )
        case OrderCancelled():
            return replace(order, stage="CANCELLED", cancelled=event, last_at=event.cancelled_at)
        case OrderReopened():
            # A carrier takes the delivery back; a payment that bounced leaves the goods there.
            stands = event.reason == "PAYMENT_REVERSED"
            return replace(
                order,
                stage="SHIPPED",
                reopenings=(*order.reopenings, event),
                delivered=order.delivered if stands else None,
                last_at=event.reopened_at,
            )
        case OrderDelayAttributed():
            return replace(order, delay=event)


# --- What every step of its life asks


class Ids(TypedDict):
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str


def ids(order: Placed) -> Ids:
    """What every event about the order says."""
    placed = order.placed
    return Ids(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        policy_version=placed.policy_version,
    )


def placed_one(order: Order) -> Placed:
    """The order of a step: its stages are those of one that was placed."""
    assert isinstance(order, Placed)
    return order


def is_late(at: datetime, promised: datetime | None) -> bool:
    return promised is not None and at > promised


def told_again(order: Placed, known: OrderEvent | None, told: OrderEvent) -> bool:
    """Whether a step was told before. Told differently, it is refused."""
    if known is None or known == told:
        return known is not None
    raise AlreadySubmitted(existing_id=order.placed.order_id)


def in_its_turn(order: Order, _: object, by: Sender) -> None:
    if isinstance(order, Placed) and by.now < order.last_at:
        raise TimeGoesBack(last_at=order.last_at)


IN_ITS_TURN = Guard[Order, object, Known](in_its_turn, TimeGoesBack)


def by_its_buyer(order: Order, _: object, by: Sender) -> None:
    """the buyer of the order"""
    if isinstance(order, Placed):
        require_party(by.actor, order.parties)


ITS_BUYER = Guard[Order, object, Known](by_its_buyer, NotAParty)
"""Of all buyers, that of this order."""


@dataclass(frozen=True)
class OrderRule[C: Struct](Rule[Order, Order, Status, C, Known, OrderEvent]):
    """A command to an order. It is offered from the instant of the step before."""

    stands: Guard[Order, C, Known] | None = IN_ITS_TURN

    def find(self, state: Order, said: C, by: Sender) -> Order:  # noqa: ARG002
        return state

    def matters(self, state: Order, by: Sender) -> Iterable[Order]:  # noqa: ARG002
        return [state]

    def window_of(self, matter: Order, said: C, by: Sender) -> Window:  # noqa: ARG002
        if isinstance(matter, Placed) and matter.stage in self.states:
            return Window(earliest=matter.last_at)
        return NO_WINDOW
