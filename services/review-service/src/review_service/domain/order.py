"""An order: commands of its marketplace and its buyer in, facts about its life out.

    PLACED -> PAID -> SHIPPED -> DELIVERED -> COMPLETED -> (reopened) -> SHIPPED
    each of the first four -> CANCELLED

Steps arrive more than once and long after the fact. A step told again with the same content
changes nothing; told differently, it is refused.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace
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
from shared_runtime.decider import (
    AlreadySubmitted,
    Decider,
    Role,
    TimeGoesBack,
    WrongState,
)

from review_service.domain.commands import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    OrderCommand,
    PlaceOrder,
    ReopenOrder,
)
from review_service.domain.guards import Shape, require_party, require_role, utc
from review_service.domain.order_shape import check_placed
from review_service.domain.policy import Policies

type Stage = Literal["PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED"]


class Unplaced(Struct, frozen=True):
    pass


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


type Order = Unplaced | Placed
type OrderStep = (
    MarkPaid
    | MarkShipped
    | MarkDelivered
    | CompleteOrder
    | CancelOrder
    | ReopenOrder
    | AttributeDelay
)


class Row(Struct, frozen=True):
    """Who may send a command, and from which stages."""

    roles: tuple[Role, ...]
    stages: tuple[Stage, ...]


ROWS: Mapping[type[PlaceOrder | OrderStep], Row] = {
    PlaceOrder: Row(("SYSTEM",), ()),
    MarkPaid: Row(("SYSTEM",), ("PLACED",)),
    MarkShipped: Row(("SYSTEM",), ("PAID",)),
    MarkDelivered: Row(("SYSTEM",), ("SHIPPED",)),
    CompleteOrder: Row(("BUYER", "SYSTEM"), ("SHIPPED", "DELIVERED")),
    CancelOrder: Row(("SYSTEM",), ("PLACED", "PAID", "SHIPPED", "DELIVERED")),
    ReopenOrder: Row(("SYSTEM",), ("COMPLETED",)),
    AttributeDelay: Row(("SYSTEM", "MODERATOR"), ("SHIPPED", "DELIVERED", "COMPLETED")),
}


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


def decide(  # noqa: PLR0911 - one arm for each command
    order: Order, command: OrderCommand, policies: Policies
) -> list[OrderEvent]:
    match command:
        case PlaceOrder():
            return place(order, command, policies)
        case MarkPaid():
            return mark_paid(order, command)
        case MarkShipped():
            return mark_shipped(order, command)
        case MarkDelivered():
            return mark_delivered(order, command, policies)
        case CompleteOrder():
            return complete(order, command)
        case CancelOrder():
            return cancel(order, command)
        case ReopenOrder():
            return reopen(order, command)
        case AttributeDelay():
            return attribute_delay(order, command)


def place(order: Order, command: PlaceOrder, policies: Policies) -> list[OrderEvent]:
    check_placed(command)
    require_role(command, ROWS[PlaceOrder].roles)
    if isinstance(order, Unplaced):
        return [placed_by(command, policies.in_force(command.now).version)]
    if same_order(order.placed, placed_by(command, order.placed.policy_version)):
        return []
    raise AlreadySubmitted(existing_id=order.placed.order_id)


def same_order(one: OrderPlaced, other: OrderPlaced) -> bool:
    """Not to say whether the buyer was informed is to say that he was."""
    informed = one.withdrawal_informed is not False
    return informed == (other.withdrawal_informed is not False) and one == replace(
        other, withdrawal_informed=one.withdrawal_informed
    )


def mark_paid(order: Order, command: MarkPaid) -> list[OrderEvent]:
    shape = Shape()
    shape.id("payment_ref", command.payment_ref)
    known, at = admit(order, command, shape)
    paid = OrderPaid(**ids(known), paid_at=at, payment_ref=command.payment_ref)
    if known.paid:
        return told_again(known, known.paid == paid)
    require_stage(known, command)
    return [paid]


def mark_shipped(order: Order, command: MarkShipped) -> list[OrderEvent]:
    shape = Shape()
    shape.instant("deliver_by", command.deliver_by)
    if command.tracking_id is not None:
        shape.id("tracking_id", command.tracking_id)
    known, at = admit(order, command, shape)
    shipped = OrderShipped(
        **ids(known),
        shipped_at=at,
        deliver_by=utc(command.deliver_by) if command.deliver_by else None,
        late_dispatch=is_late(at, known.placed.dispatch_by),
        tracking_id=command.tracking_id,
    )
    if known.shipped:
        return told_again(known, known.shipped == shipped)
    require_stage(known, command)
    return [shipped]


def mark_delivered(order: Order, command: MarkDelivered, policies: Policies) -> list[OrderEvent]:
    known, at = admit(order, command, Shape())
    delivered = OrderDelivered(
        **ids(known),
        delivered_at=at,
        late=is_late(at, known.deliver_by),
        signed=command.signed,
        auto_complete_at=at + policies.of(known.placed.policy_version).order_auto_complete,
    )
    if delivered in known.deliveries:
        return []
    if known.delivered and known.stage != "SHIPPED":
        return told_again(known, same=False)
    require_stage(known, command)
    return [delivered]


def complete(order: Order, command: CompleteOrder) -> list[OrderEvent]:
    if command.actor.acts_as == "SYSTEM" and not command.by_feed:
        return complete_by_itself(order, command)
    known, at = admit(order, command, Shape())
    if command.actor.acts_as == "SYSTEM":
        if any(told.completed_at == at for told in known.completions):
            return []
        if known.stage == "COMPLETED":
            return told_again(known, same=False)
    require_stage(known, command)
    by_feed = command.actor.acts_as == "SYSTEM"
    return [completed(known, at, "FEED" if by_feed else "BUYER_CONFIRMED")]


def complete_by_itself(order: Order, command: CompleteOrder) -> list[OrderEvent]:
    """The timer's question: too early, too late or in dispute is no news."""
    shape = Shape()
    shape.instant("now", command.now)
    shape.check()
    if isinstance(order, Unplaced) or order.stage != "DELIVERED" or command.open_disputes:
        return []
    assert order.delivered
    if command.now < order.delivered.auto_complete_at:
        return []
    return [completed(order, utc(command.now), "AUTOMATIC")]


def cancel(order: Order, command: CancelOrder) -> list[OrderEvent]:
    shape = Shape()
    shape.id("reason", command.reason)
    known, at = admit(order, command, shape)
    cancelled = OrderCancelled(**ids(known), cancelled_at=at, by=command.by, reason=command.reason)
    if known.cancelled:
        return told_again(known, known.cancelled == cancelled)
    require_stage(known, command)
    return [cancelled]


def reopen(order: Order, command: ReopenOrder) -> list[OrderEvent]:
    known, at = admit(order, command, Shape())
    if any((told.reopened_at, told.reason) == (at, command.reason) for told in known.reopenings):
        return []
    require_stage(known, command)
    return [
        OrderReopened(
            **ids(known),
            reopened_at=at,
            completion_no=len(known.completions),
            reason=command.reason,
        )
    ]


def attribute_delay(order: Order, command: AttributeDelay) -> list[OrderEvent]:
    shape = Shape()
    shape.id("incident_id", command.incident_id)
    # An incident is fanned out to every order that it may have touched, once or more often.
    if command.actor.acts_as == "SYSTEM" and not awaits_cause(order):
        shape.check()
        return []
    known, _ = admit(order, command, shape)
    delay = OrderDelayAttributed(
        **ids(known), incident_id=command.incident_id, liable=command.liable
    )
    if known.delay:
        return told_again(known, known.delay == delay)
    require_stage(known, command)
    return [delay]


def awaits_cause(order: Order) -> bool:
    """On its way or arrived, and no delay attributed yet."""
    if isinstance(order, Unplaced) or order.delay:
        return False
    return order.stage in ROWS[AttributeDelay].stages


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


def placed_by(command: PlaceOrder, policy_version: str) -> OrderPlaced:
    return OrderPlaced(
        order_id=command.order_id,
        seller_id=command.seller_id,
        buyer_id=command.buyer_id,
        policy_version=policy_version,
        marketplace_id=command.marketplace_id,
        country=command.country,
        currency=command.currency,
        placed_at=utc(command.placed_at),
        lines=list(command.lines),
        order_discount_minor=command.order_discount_minor,
        shipping_minor=command.shipping_minor,
        total_minor=command.total_minor,
        total_ref_minor=command.total_ref_minor,
        dispatch_by=utc(command.dispatch_by) if command.dispatch_by else None,
        deliver_by=utc(command.deliver_by) if command.deliver_by else None,
        buyer_registered_at=(
            utc(command.buyer_registered_at) if command.buyer_registered_at else None
        ),
        withdrawal_right=command.withdrawal_right,
        withdrawal_informed=command.withdrawal_informed,
    )


def completed(
    order: Placed, at: datetime, how: Literal["BUYER_CONFIRMED", "AUTOMATIC", "FEED"]
) -> OrderCompleted:
    # Without a delivery the completion serves as one.
    late = order.delivered.late if order.delivered else is_late(at, order.deliver_by)
    return OrderCompleted(
        **ids(order),
        completed_at=at,
        completion_no=len(order.completions) + 1,
        how=how,
        total_ref_minor=order.placed.total_ref_minor,
        late=late,
    )


def is_late(at: datetime, promised: datetime | None) -> bool:
    return promised is not None and at > promised


def admit(order: Order, command: OrderStep, shape: Shape) -> tuple[Placed, datetime]:
    """The order and the step's instant, if it is well-formed and its sender may take it at all."""
    shape.instant("now", command.now)
    shape.check()
    if isinstance(order, Unplaced):
        require_role(command, ROWS[type(command)].roles)
        raise WrongState(state="NONE", allowed_actions=allowed_from(order, command))
    require_role(command, ROWS[type(command)].roles)
    require_party(command.actor, buyer_id=order.placed.buyer_id, seller_id=order.placed.seller_id)
    return order, utc(command.now)


def told_again(order: Placed, same: bool) -> list[OrderEvent]:
    """Nothing, for a step that was told before; told differently it is refused."""
    if same:
        return []
    raise AlreadySubmitted(existing_id=order.placed.order_id)


def require_stage(order: Placed, command: OrderStep) -> None:
    """The order is where the step can be taken from, and got there before it."""
    if order.stage not in ROWS[type(command)].stages:
        raise WrongState(state=order.stage, allowed_actions=allowed_from(order, command))
    if command.now < order.last_at:
        raise TimeGoesBack(last_at=order.last_at)


def allowed_from(order: Order, command: OrderStep) -> list[str]:
    """What the sender could do instead."""
    stage = None if isinstance(order, Unplaced) else order.stage
    return [
        kind.__name__
        for kind, row in ROWS.items()
        if command.actor.acts_as in row.roles
        and (stage in row.stages or (stage is None and kind is PlaceOrder))
    ]


def orders(policies: Policies) -> Decider[Order, OrderCommand, OrderEvent]:
    return Decider(initial=Unplaced(), decide=partial(decide, policies=policies), evolve=evolve)
