"""The events of an order's ledger in, what is still to be given of its money out.

All amounts are integers in minor units of the order's currency. The ceilings: no unit gives back
more than was paid for it, shipping no more than itself, and all together no more than the order.
Money counts from its request on, unless it failed for good or came back; of a refund and those that
reissue it the largest counts, so that an excess goes away with what has bounced.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events.returns import (
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundedUnit,
    RefundFailed,
    RefundIssued,
    RefundLedgerOpened,
    RefundRequested,
    RefundSource,
    ReplacedUnit,
    UnitsReplaced,
)

from shared_casework.order_facts import OrderFacts

ENDS_A_UNIT: tuple[RefundSource, ...] = ("RETURN", "WITHDRAWAL", "EXCHANGE_FALLBACK")
"""Of what these name nothing more is asked, whatever becomes of the refund."""


class UnitMoney(Struct, frozen=True, kw_only=True):
    """What was paid for a unit, less what has moved to the one in its place. `done`: no refund of
    goods is to come for it, although something may be left.
    """

    unit: str
    paid_minor: int
    done: bool = False


class Given(Struct, frozen=True, kw_only=True):
    """Money on its way to the buyer, or out: of units, of shipping, and in all. What is of neither
    counts in the order alone; `counts` is false once it failed for good, or came back.
    """

    given_id: str
    units: list[RefundedUnit]
    shipping_minor: int
    order_minor: int
    reissues: str | None = None
    counts: bool = True


class Money(Struct, frozen=True, kw_only=True):
    """One order's. Units are in the order of its lines, a replacement in its original's place."""

    order_id: str
    currency: str
    units: list[UnitMoney]
    shipping_minor: int
    total_minor: int
    given: list[Given] = []

    def left_of(self, unit: str) -> int:
        """What is still to be given for a unit; 0 of one that the ledger does not know."""
        paid = next((each.paid_minor for each in self.units if each.unit == unit), 0)
        return max(0, paid - self._counted(lambda given: of_unit(given, unit)))

    @property
    def left_of_shipping(self) -> int:
        return max(0, self.shipping_minor - self._counted(lambda given: given.shipping_minor))

    @property
    def left_of_order(self) -> int:
        return max(0, self.total_minor - self._counted(lambda given: given.order_minor))

    @property
    def units_left(self) -> list[str]:
        """Those with which shipping may still be due."""
        return [each.unit for each in self.units if not each.done and self.left_of(each.unit) > 0]

    def ceiling(self, units: Collection[str]) -> int:
        """What may be given for these units: shipping comes with the last ones."""
        of_units = sum(self.left_of(unit) for unit in units)
        are_last = set(self.units_left) <= set(units)
        return min(of_units + (self.left_of_shipping if are_last else 0), self.left_of_order)

    def _counted(self, amount: Callable[[Given], int]) -> int:
        largest: dict[str, int] = {}
        for given in self.given:
            if given.counts:
                first = self._first_of(given)
                largest[first] = max(largest.get(first, 0), amount(given))
        return sum(largest.values())

    def _first_of(self, given: Given) -> str:
        """The refund that the one given takes the place of, or itself."""
        while given.reissues is not None:
            given = next(each for each in self.given if each.given_id == given.reissues)
        return given.given_id


type MoneyEvent = (
    RefundLedgerOpened
    | RefundRequested
    | RefundIssued
    | RefundFailed
    | RefundBounced
    | OutsideRefundRecorded
    | OutsideRefundUndone
    | UnitsReplaced
)
MONEY_EVENTS: tuple[type[MoneyEvent], ...] = get_args(MoneyEvent.__value__)


def of_unit(given: Given, unit: str) -> int:
    return sum(each.amount_minor for each in given.units if each.unit == unit)


def evolve(  # noqa: PLR0911 - one arm for each event
    money: Money | None, event: MoneyEvent
) -> Money:
    if isinstance(event, RefundLedgerOpened):
        return opened(event)
    assert money is not None  # a ledger begins with its opening, and comes in order
    match event:
        case RefundRequested():
            return requested(money, event)
        case RefundIssued(refund_id=given_id):
            return counting(money, given_id, counts=True)
        case RefundFailed(refund_id=given_id, final=True) | RefundBounced(refund_id=given_id):
            return counting(money, given_id, counts=False)
        case RefundFailed():
            return money
        case OutsideRefundRecorded():
            return recorded(money, event)
        case OutsideRefundUndone(outside_id=given_id):
            return counting(money, given_id, counts=False)
        case UnitsReplaced():
            return replaced(money, event)


def opened(event: RefundLedgerOpened) -> Money:
    return Money(
        order_id=event.order_id,
        currency=event.currency,
        units=[UnitMoney(unit=each.unit, paid_minor=each.paid_minor) for each in event.units],
        shipping_minor=event.shipping_minor,
        total_minor=event.total_minor,
    )


def requested(money: Money, event: RefundRequested) -> Money:
    of_units = sum(each.amount_minor for each in event.units)
    given = Given(
        given_id=event.refund_id,
        units=event.units,
        shipping_minor=event.shipping_minor,
        order_minor=of_units + event.shipping_minor + event.goodwill_minor,
        reissues=event.reissues,
    )
    named = {each.unit for each in event.units} if event.source in ENDS_A_UNIT else set[str]()
    return replace(money, units=ended(money.units, named), given=[*money.given, given])


def ended(units: Iterable[UnitMoney], named: Collection[str]) -> list[UnitMoney]:
    return [replace(each, done=each.done or each.unit in named) for each in units]


def counting(money: Money, given_id: str, *, counts: bool) -> Money:
    given = [
        replace(each, counts=counts) if each.given_id == given_id else each for each in money.given
    ]
    return replace(money, given=given)


def recorded(money: Money, event: OutsideRefundRecorded) -> Money:
    given = Given(
        given_id=event.outside_id,
        units=event.units or [],
        shipping_minor=0,
        order_minor=event.total_minor,
    )
    return replace(money, given=[*money.given, given])


def replaced(money: Money, event: UnitsReplaced) -> Money:
    units = money.units
    for pair in event.pairs:
        units = [after for each in units for after in in_place(each, pair)]
    added = sum(pair.added_minor for pair in event.pairs)
    return replace(money, units=units, total_minor=money.total_minor + added)


def in_place(each: UnitMoney, pair: ReplacedUnit) -> list[UnitMoney]:
    """The unit as it is, or if it is the one that was replaced, with the new one behind it."""
    if each.unit != pair.old_unit:
        return [each]
    old = replace(each, paid_minor=each.paid_minor - pair.moved_minor, done=True)
    new = UnitMoney(unit=pair.new_unit, paid_minor=pair.moved_minor + pair.added_minor)
    return [old, new]


# --- Before a ledger has told anything


def money_of(order: OrderFacts) -> Money:
    """What was paid for each unit after all discounts, largest remainder; nothing is given back
    yet. What of the order's discount exceeds the goods lessens shipping: units and shipping are the
    total, exactly.
    """
    gross = [
        (f"{line.line_id}/{number}", line.unit_price_minor - share)
        for line in order.lines
        for number, share in enumerate(
            shares(line.line_discount_minor, [line.unit_price_minor] * line.quantity), 1
        )
    ]
    goods = sum(amount for _, amount in gross)
    of_goods = min(order.order_discount_minor, goods)
    discounts = shares(of_goods, [amount for _, amount in gross])
    return Money(
        order_id=order.order_id,
        currency=order.currency,
        units=[
            UnitMoney(unit=unit, paid_minor=amount - discount)
            for (unit, amount), discount in zip(gross, discounts, strict=True)
        ],
        shipping_minor=order.shipping_minor - (order.order_discount_minor - of_goods),
        total_minor=order.total_minor,
    )


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount in whole parts in proportion to weights: the units that are missing after rounding
    down go one each to the largest remainders, of equal ones to the earlier.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda each: -(amount * weights[each] % whole))
    for each in by_remainder[: amount - sum(parts)]:
        parts[each] += 1
    return parts
