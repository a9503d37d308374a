"""An order as it was placed in, what is wrong with it out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared_events.fields import LINES_MAX, QUANTITY_MAX
from shared_events.orders import OrderLine

from review_service.domain.commands import PlaceOrder
from review_service.domain.guards import Shape, is_aware


def check_placed(command: PlaceOrder) -> None:
    """Raises `InvalidValue` with every field that is out of range.

    Sums are looked at only if the amounts that go into them are sound.
    """
    shape = Shape()
    check_ids(shape, command)
    check_instants(shape, command)
    check_amounts(shape, command)
    check_lines(shape, command.lines)
    shape.check()
    check_sums(shape, command)
    shape.check()


def check_ids(shape: Shape, command: PlaceOrder) -> None:
    shape.id("order_id", command.order_id)
    shape.id("seller_id", command.seller_id)
    shape.id("buyer_id", command.buyer_id)
    shape.require(command.buyer_id != command.seller_id, "buyer_id", "not the seller's")
    shape.id("marketplace_id", command.marketplace_id)
    shape.country("country", command.country)
    shape.currency("currency", command.currency)


def check_instants(shape: Shape, command: PlaceOrder) -> None:
    instants: Mapping[str, datetime | None] = {
        "now": command.now,
        "placed_at": command.placed_at,
        "dispatch_by": command.dispatch_by,
        "deliver_by": command.deliver_by,
        "buyer_registered_at": command.buyer_registered_at,
    }
    for field, value in instants.items():
        shape.instant(field, value)
    if is_aware(command.placed_at) and is_aware(command.now):
        shape.require(command.placed_at <= command.now, "placed_at", "not after now")


def check_amounts(shape: Shape, command: PlaceOrder) -> None:
    shape.minor("order_discount_minor", command.order_discount_minor)
    shape.minor("shipping_minor", command.shipping_minor)
    shape.minor("total_minor", command.total_minor)
    shape.minor("total_ref_minor", command.total_ref_minor)


def check_lines(shape: Shape, lines: Sequence[OrderLine]) -> None:
    shape.require(1 <= len(lines) <= LINES_MAX, "lines", f"1..{LINES_MAX}")
    distinct = {line.line_id for line in lines}
    shape.require(len(distinct) == len(lines), "lines", "each line_id once")
    for number, line in enumerate(lines[:LINES_MAX]):
        at = f"lines[{number}]"
        shape.id(f"{at}.line_id", line.line_id)
        shape.id(f"{at}.sku", line.sku)
        shape.id(f"{at}.category", line.category)
        shape.require(1 <= line.quantity <= QUANTITY_MAX, f"{at}.quantity", f"1..{QUANTITY_MAX}")
        shape.minor(f"{at}.unit_price_minor", line.unit_price_minor)
        shape.minor(f"{at}.line_discount_minor", line.line_discount_minor)
        gross = line.quantity * line.unit_price_minor
        shape.require(
            line.line_discount_minor <= gross,
            f"{at}.line_discount_minor",
            "not more than the line costs",
        )


def check_sums(shape: Shape, command: PlaceOrder) -> None:
    """Nobody is paid for buying: what is taken off is not more than what there is to pay."""
    due = command.shipping_minor + sum(
        line.quantity * line.unit_price_minor - line.line_discount_minor for line in command.lines
    )
    if command.order_discount_minor > due:
        bound = f"not more than the lines and the shipping cost, {due}"
        shape.require(False, "order_discount_minor", bound)
        return
    total = due - command.order_discount_minor
    bound = f"the lines less discounts plus shipping, {total}"
    shape.require(command.total_minor == total, "total_minor", bound)
