"""An order as its marketplace placed it in, the first fact of its life out."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.fields import LINES_MAX, Country, Currency, Holds, Id, Instant, Minor
from shared_events.orders import OrderEvent, OrderLine, OrderPlaced
from shared_runtime.decider import AlreadySubmitted, FieldError

from review_service.domain.known import Sender
from review_service.domain.order import Order, OrderRule, Placed


def are_named_once(lines: tuple[OrderLine, ...]) -> bool:
    return len({line.line_id for line in lines}) == len(lines)


class PlaceOrder(Struct, frozen=True, kw_only=True):
    """The total is the sum of the lines less discounts plus shipping; amounts include taxes."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    marketplace_id: Id
    country: Country
    currency: Currency
    placed_at: Instant
    lines: Annotated[
        tuple[OrderLine, ...],
        Meta(min_length=1, max_length=LINES_MAX),
        Holds(are_named_once, "each line_id once"),
    ]
    order_discount_minor: Minor
    shipping_minor: Minor
    total_minor: Minor
    total_ref_minor: Minor
    dispatch_by: Instant | None = None
    deliver_by: Instant | None = None
    buyer_registered_at: Instant | None = None
    withdrawal_right: bool
    withdrawal_informed: bool | None = None


def check_order(said: PlaceOrder, by: Sender) -> Iterator[FieldError]:
    """What is wrong with an order whose fields are sound each by itself."""
    if said.buyer_id == said.seller_id:
        yield FieldError(field="buyer_id", bound="not the seller's")
    if said.placed_at > by.now:
        yield FieldError(field="placed_at", bound="not after now")
    dear = [n for n, line in enumerate(said.lines) if line.line_discount_minor > cost_of(line)]
    for number in dear:
        field = f"lines[{number}].line_discount_minor"
        yield FieldError(field=field, bound="not more than the line costs")
    if not dear:
        yield from check_sums(said)


def check_sums(said: PlaceOrder) -> Iterator[FieldError]:
    """Nobody is paid for buying: what is taken off is not more than what there is to pay."""
    due = said.shipping_minor + sum(cost_of(line) - line.line_discount_minor for line in said.lines)
    total = due - said.order_discount_minor
    if total < 0:
        bound = f"not more than the lines and the shipping cost, {due}"
        yield FieldError(field="order_discount_minor", bound=bound)
    elif total != said.total_minor:
        bound = f"the lines less discounts plus shipping, {total}"
        yield FieldError(field="total_minor", bound=bound)


def cost_of(line: OrderLine) -> int:
    return line.quantity * line.unit_price_minor


def place(_: Order, said: PlaceOrder, by: Sender) -> list[OrderEvent]:
    """The sums are right, and seller and buyer are not one. It keeps the policy that was in force
    when it was placed. The same order again changes nothing.
    """
    return [placed_by(said, by.known.policies.in_force(by.now).version)]


def is_placed(order: Order, said: PlaceOrder, _: Sender) -> bool:
    """The same order again. Another one of that id is refused."""
    if not isinstance(order, Placed):
        return False
    if not same_order(order.placed, placed_by(said, order.placed.policy_version)):
        raise AlreadySubmitted(existing_id=order.placed.order_id)
    return True


def same_order(one: OrderPlaced, other: OrderPlaced) -> bool:
    """Not to say whether the buyer was informed is to say that he was."""
    informed = one.withdrawal_informed is not False
    return informed == (other.withdrawal_informed is not False) and one == replace(
        other, withdrawal_informed=one.withdrawal_informed
    )


def placed_by(said: PlaceOrder, policy_version: str) -> OrderPlaced:
    return OrderPlaced(
        order_id=said.order_id,
        seller_id=said.seller_id,
        buyer_id=said.buyer_id,
        policy_version=policy_version,
        marketplace_id=said.marketplace_id,
        country=said.country,
        currency=said.currency,
        placed_at=utc(said.placed_at),
        lines=list(said.lines),
        order_discount_minor=said.order_discount_minor,
        shipping_minor=said.shipping_minor,
        total_minor=said.total_minor,
        total_ref_minor=said.total_ref_minor,
        dispatch_by=utc(said.dispatch_by) if said.dispatch_by else None,
        deliver_by=utc(said.deliver_by) if said.deliver_by else None,
        buyer_registered_at=utc(said.buyer_registered_at) if said.buyer_registered_at else None,
        withdrawal_right=said.withdrawal_right,
        withdrawal_informed=said.withdrawal_informed,
    )


PLACE_ORDER = OrderRule(
    PlaceOrder,
    place,
    roles=("SYSTEM",),
    shape=check_order,
    repeated=is_placed,
    refuses=(AlreadySubmitted,),
    events=(OrderPlaced,),
    example=PlaceOrder(
        order_id="O-1001",
        seller_id="S-77",
        buyer_id="B-5",
        marketplace_id="market",
        country="BR",
        currency="BRL",
        placed_at=datetime.fromisoformat("2026-01-10T09:30:00Z"),
        lines=(
            OrderLine(
                line_id="1", sku="LAMP-4", category="home", quantity=2, unit_price_minor=4990
            ),
        ),
        order_discount_minor=0,
        shipping_minor=1200,
        total_minor=11180,
        total_ref_minor=3354,
        withdrawal_right=True,
    ),
)
