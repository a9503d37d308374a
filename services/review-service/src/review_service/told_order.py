"""An order as a marketplace tells it in, the command that places it out.

Money comes with its currency, amount by amount; the command has one currency and minor units.
"""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct
from shared_events.fields import LINES_MAX, MINOR_MAX, Instant
from shared_events.orders import OrderLine
from shared_runtime.decider import FieldError

from review_service.domain.placing import PlaceOrder

REFERENCE_CURRENCY = "USD"


class ToldPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all that is told: exact types, no unknown fields."""


class ToldMoney(ToldPart, frozen=True, kw_only=True):
    """An amount in minor units of its currency."""

    amount: Annotated[int, Meta(ge=0, le=MINOR_MAX)]
    currency: str


class ToldProduct(ToldPart, frozen=True, kw_only=True):
    """A line of the order. The discount is for the whole line."""

    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: ToldMoney
    line_discount: ToldMoney | None = None


class ToldOrder(ToldPart, frozen=True, kw_only=True):
    """The order as it was placed. `total_ref` is the total in the policies' reference currency.

    `withdrawal_informed`: was the buyer told of his right of withdrawal; absent, he was.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: Instant
    lines: Annotated[list[ToldProduct], Meta(min_length=1, max_length=LINES_MAX)]
    order_discount: ToldMoney | None = None
    shipping: ToldMoney
    total: ToldMoney
    total_ref: ToldMoney
    dispatch_by: Instant | None = None
    deliver_by: Instant | None = None
    buyer_registered_at: Instant | None = None
    withdrawal_right: bool
    withdrawal_informed: bool | None = None


def place_order(order: ToldOrder) -> PlaceOrder:
    """The command. It is asked when the marketplace says that the order was placed."""
    discount = order.order_discount
    return PlaceOrder(
        order_id=order.order_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        marketplace_id=order.marketplace_id,
        country=order.country,
        currency=order.currency,
        placed_at=order.placed_at,
        lines=tuple(order_line(line) for line in order.lines),
        order_discount_minor=discount.amount if discount else 0,
        shipping_minor=order.shipping.amount,
        total_minor=order.total.amount,
        total_ref_minor=order.total_ref.amount,
        dispatch_by=order.dispatch_by,
        deliver_by=order.deliver_by,
        buyer_registered_at=order.buyer_registered_at,
        withdrawal_right=order.withdrawal_right,
        withdrawal_informed=order.withdrawal_informed,
    )


def order_line(told: ToldProduct) -> OrderLine:
    return OrderLine(
        line_id=told.line_id,
        sku=told.sku,
        category=told.category,
        quantity=told.quantity,
        unit_price_minor=told.unit_price.amount,
        line_discount_minor=told.line_discount.amount if told.line_discount else 0,
    )


def foreign_currencies(order: ToldOrder, prefix: str = "") -> Iterator[FieldError]:
    """All money is in the order's currency, but for the reference amount."""
    for name, money in amounts(order):
        if money.currency != order.currency:
            yield FieldError(field=f"{prefix}{name}.currency", bound="the order's currency")
    if order.total_ref.currency != REFERENCE_CURRENCY:
        yield FieldError(field=f"{prefix}total_ref.currency", bound=REFERENCE_CURRENCY)


def amounts(order: ToldOrder) -> Iterator[tuple[str, ToldMoney]]:
    yield "shipping", order.shipping
    yield "total", order.total
    if order.order_discount:
        yield "order_discount", order.order_discount
    for number, line in enumerate(order.lines):
        yield f"lines[{number}].unit_price", line.unit_price
        if line.line_discount:
            yield f"lines[{number}].line_discount", line.line_discount


def told_error(error: FieldError, prefix: str = "") -> FieldError:
    """In the words of whoever sent it: `total_minor` -> `total.amount`."""
    field = "at" if error.field == "now" else error.field
    if field.endswith("_minor"):
        field = f"{field.removesuffix('_minor')}.amount"
    return FieldError(field=f"{prefix}{field}", bound=error.bound)
