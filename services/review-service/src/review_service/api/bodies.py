"""What clients send about orders, as far as their commands do not say it themselves."""

from typing import Annotated

import msgspec
from pydantic import ConfigDict, Field
from shared_events.fields import LINES_MAX, QUANTITY_MAX
from shared_runtime.decider import InvalidValue
from shared_runtime.fields import Body, Country, Currency, IdStr, Instant, Money

from review_service.api import examples
from review_service.told_order import ToldOrder, foreign_currencies


class OrderLineBody(Body):
    """A quantity of one product. The discount is for the whole line."""

    line_id: IdStr
    sku: IdStr
    category: IdStr
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
    unit_price: Money
    line_discount: Money | None = None


class OrderBody(Body):
    """An order as it was placed: the total is the lines less discounts plus shipping.

    All money is in the order's currency, but `total_ref`: the total in USD.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ORDER]})

    order_id: IdStr
    seller_id: IdStr
    buyer_id: IdStr
    marketplace_id: IdStr
    country: Country
    currency: Currency
    placed_at: Instant
    lines: Annotated[list[OrderLineBody], Field(min_length=1, max_length=LINES_MAX)]
    order_discount: Money | None = None
    shipping: Money
    total: Money
    total_ref: Money
    dispatch_by: Instant | None = None
    deliver_by: Instant | None = None
    buyer_registered_at: Instant | None = None
    withdrawal_right: bool
    withdrawal_informed: Annotated[
        bool | None, Field(description="Was the buyer told of that right? Absent: he was.")
    ] = None

    def told(self) -> ToldOrder:
        """The same as a line of the bulk door has it. Raises `InvalidValue`."""
        told = msgspec.convert(self, ToldOrder, from_attributes=True)
        if errors := list(foreign_currencies(told)):
            raise InvalidValue(errors=errors)
        return told
