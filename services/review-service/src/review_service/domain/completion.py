"""How an order ends: completed, cancelled, or reopened; and whose a delay of it was."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import Code, Id
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderEvent,
    OrderReopened,
)
from shared_runtime.decider import AlreadySubmitted, Role

from review_service.domain.known import Sender
from review_service.domain.order import (
    ITS_BUYER,
    Order,
    OrderRule,
    Placed,
    Stage,
    ids,
    is_late,
    placed_one,
    told_again,
)


class CompleteOrder(Struct, frozen=True, kw_only=True):
    """The buyer confirms the receipt, or a feed declares that it is complete."""

    # What SYSTEM does not say by a feed is the timer's.
    by_feed: bool = False


def complete(order: Order, said: CompleteOrder, by: Sender) -> list[OrderEvent]:
    """The BUYER confirms the receipt, a feed declares it; by itself an order completes at
    `auto_complete_at`, unless there is a dispute. Its evaluation opens.
    """
    how: Literal["BUYER_CONFIRMED", "AUTOMATIC", "FEED"] = "BUYER_CONFIRMED"
    if by.actor.acts_as == "SYSTEM":
        how = "FEED" if said.by_feed else "AUTOMATIC"
    known, at = placed_one(order), utc(by.now)
    # Without a delivery the completion serves as one.
    late = known.delivered.late if known.delivered else is_late(at, known.deliver_by)
    return [
        OrderCompleted(
            **ids(known),
            completed_at=at,
            completion_no=len(known.completions) + 1,
            how=how,
            total_ref_minor=known.placed.total_ref_minor,
            late=late,
        )
    ]


def is_complete(order: Order, said: CompleteOrder, by: Sender) -> bool:
    """A feed has told of it before. The timer has nothing to do before the time, or too late, or
    while there is a dispute.
    """
    if by.actor.acts_as != "SYSTEM":
        return False
    if not said.by_feed:
        return not completes_by_itself(order, by)
    if not isinstance(order, Placed):
        return False
    if any(told.completed_at == by.now for told in order.completions):
        return True
    if order.stage == "COMPLETED":
        raise AlreadySubmitted(existing_id=order.placed.order_id)
    return False


def completes_by_itself(order: Order, by: Sender) -> bool:
    if not isinstance(order, Placed) or order.stage != "DELIVERED" or by.known.open_disputes:
        return False
    assert order.delivered
    return by.now >= order.delivered.auto_complete_at


def completions_to_try(_: Order, by: Sender) -> Sequence[CompleteOrder]:
    return [CompleteOrder(by_feed=by.actor.acts_as == "SYSTEM")]


COMPLETE_ORDER = OrderRule(
    CompleteOrder,
    complete,
    roles=("BUYER", "SYSTEM"),
    party=ITS_BUYER,
    repeated=is_complete,
    states=("SHIPPED", "DELIVERED"),
    refuses=(AlreadySubmitted,),
    events=(OrderCompleted,),
    example=CompleteOrder(),
    tries=completions_to_try,
)


class CancelOrder(Struct, frozen=True, kw_only=True):
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: Code


def cancel(order: Order, said: CancelOrder, by: Sender) -> list[OrderEvent]:
    """Its evaluation, if it was open, ends: nothing that was written is shown or counted."""
    return [cancelled(placed_one(order), said, by)]


def is_cancelled(order: Order, said: CancelOrder, by: Sender) -> bool:
    return isinstance(order, Placed) and told_again(
        order, order.cancelled, cancelled(order, said, by)
    )


def cancelled(order: Placed, said: CancelOrder, by: Sender) -> OrderCancelled:
    return OrderCancelled(**ids(order), cancelled_at=utc(by.now), by=said.by, reason=said.reason)


CANCEL_ORDER = OrderRule(
    CancelOrder,
    cancel,
    roles=("SYSTEM",),
    repeated=is_cancelled,
    states=("PLACED", "PAID", "SHIPPED", "DELIVERED"),
    refuses=(AlreadySubmitted,),
    events=(OrderCancelled,),
    example=CancelOrder(by="SELLER", reason="OUT_OF_STOCK"),
)


class ReopenOrder(Struct, frozen=True, kw_only=True):
    reason: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"]


def reopen(order: Order, said: ReopenOrder, by: Sender) -> list[OrderEvent]:
    """The carrier or the payment corrects what was told. The next completion has a number more."""
    known = placed_one(order)
    return [
        OrderReopened(
            **ids(known),
            reopened_at=utc(by.now),
            completion_no=len(known.completions),
            reason=said.reason,
        )
    ]


def was_reopened(order: Order, said: ReopenOrder, by: Sender) -> bool:
    return isinstance(order, Placed) and any(
        (told.reopened_at, told.reason) == (by.now, said.reason) for told in order.reopenings
    )


REOPEN_ORDER = OrderRule(
    ReopenOrder,
    reopen,
    roles=("SYSTEM",),
    repeated=was_reopened,
    states=("COMPLETED",),
    events=(OrderReopened,),
    example=ReopenOrder(reason="CARRIER_CORRECTION"),
)


class AttributeDelay(Struct, frozen=True, kw_only=True):
    """Its delay is the carrier's or nobody's, and not the seller's."""

    incident_id: Id
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


LATE_ONES: tuple[Stage, ...] = ("SHIPPED", "DELIVERED", "COMPLETED")
MAY_ATTRIBUTE: tuple[Role, ...] = ("SYSTEM", "MODERATOR")


def attribute_delay(order: Order, said: AttributeDelay, _: Sender) -> list[OrderEvent]:
    """One to an order. An incident is fanned out to every order that it may have touched: those
    that it has not are left as they are.
    """
    return [attributed(placed_one(order), said)]


def needs_no_cause(order: Order, said: AttributeDelay, by: Sender) -> bool:
    """An incident is fanned out to every order that it may have touched, once or more often."""
    if by.actor.acts_as == "SYSTEM" and not awaits_cause(order):
        return True
    return isinstance(order, Placed) and told_again(order, order.delay, attributed(order, said))


def awaits_cause(order: Order) -> bool:
    """On its way or arrived, and no delay attributed yet."""
    return isinstance(order, Placed) and not order.delay and order.stage in LATE_ONES


def attributed(order: Placed, said: AttributeDelay) -> OrderDelayAttributed:
    return OrderDelayAttributed(**ids(order), incident_id=said.incident_id, liable=said.liable)


ATTRIBUTE_DELAY = OrderRule(
    AttributeDelay,
    attribute_delay,
    roles=MAY_ATTRIBUTE,
    repeated=needs_no_cause,
    states=LATE_ONES,
    refuses=(AlreadySubmitted,),
    events=(OrderDelayAttributed,),
    example=AttributeDelay(incident_id="STORM-12", liable="FORCE_MAJEURE"),
)
