"""The events of an order's ledger in, what is still to be given of its money out.

All amounts are integers in minor units of the order's currency. The ceilings: no unit gives back
more than was paid for it, shipping no more than itself, and all together no more than the order.
Money counts from its request on, unless it failed for good or came back; of a refund and those that
reissue it the largest counts, so that an excess goes away with what has bounced. A ceiling is never
used up by more than itself: what one unit has got beyond its own takes nothing from the others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """What was paid for a unit, less what has moved to the one in its place. `returned`: a refund
    of goods has named it, whatever became of that refund; nothing more is to come for it.
    """

    unit: str
    paid_minor: int
    moved_minor: int = 0
    returned: bool = False
    replaced: bool = False

    @property
    def done(self) -> bool:
        """No refund of goods is to come for it, although something may be left."""
        return self.returned or self.replaced


class Given(Struct, frozen=True, kw_only=True):
    """Money on its way to the buyer, or out: of units, of shipping, and of neither (`other_minor`,
    which counts in the order alone). `difference_minor`, paid for a replacement that did not come,
    counts in no ceiling, but is not to be given twice. `counts` is false once it failed for good or
    came back; `out` is true from the word on that it has been paid.
    """

    given_id: str
    units: list[RefundedUnit]
    shipping_minor: int
    other_minor: int
    difference_minor: int = 0
    reissues: str | None = None
    counts: bool = True
    out: bool = False

    @property
    def total_minor(self) -> int:
        return (
            sum(each.amount_minor for each in self.units) + self.shipping_minor + self.other_minor
        )


class Parts(Struct, frozen=True, kw_only=True):
    """An amount of money by what it is of: each unit, shipping, and neither."""

    units: dict[str, int]
    shipping_minor: int
    other_minor: int

    @property
    def total_minor(self) -> int:
        return sum(self.units.values()) + self.shipping_minor + self.other_minor


class LedgerFacts(Struct, frozen=True, kw_only=True):
    """What of an order can still be given back, in minor units of its currency.

    `units`: of each. `left`: those that no refund has done with; the last of them brings the
    shipping along. `order_minor`: of all together, which may be less.
    """

    units: Mapping[str, int]
    left: frozenset[str]
    shipping_minor: int
    order_minor: int

    def ceiling_minor(self, units: Iterable[str]) -> int:
        """The most that may be given for these units."""
        named = set(units)
        whole = sum(self.units.get(unit, 0) for unit in named)
        if self.left <= named:
            whole += self.shipping_minor
        return min(whole, self.order_minor)


class Money(Struct, frozen=True, kw_only=True):
    """One order's. Units are in the order of its lines, a replacement in its original's place."""

    order_id: str
    currency: str
    units: list[UnitMoney]
    shipping_minor: int
    total_minor: int
    given: list[Given] = []

    @property
    def remaining(self) -> LedgerFacts:
        """Computed anew at every call: keep it where it is asked for more than once."""
        asked = self.parts(each for each in self.given if each.counts)
        units = {
            each.unit: max(0, each.paid_minor - asked.units.get(each.unit, 0))
            for each in self.units
        }
        left = (each.unit for each in self.units if not each.done and units[each.unit])
        return LedgerFacts(
            units=units,
            left=frozenset(left),
            shipping_minor=max(0, self.shipping_minor - asked.shipping_minor),
            order_minor=max(0, self.total_minor - self.within(asked).total_minor),
        )

    @property
    def overpaid_minor(self) -> int:
        """What is out beyond the ceilings, or twice for one refund."""
        out = [each for each in self.given if each.out]
        due = min(self.total_minor, self.within(self.parts(out)).total_minor)
        differences = sum(each.difference_minor for each in out)
        once = sum(max(each.difference_minor for each in chain) for chain in self.chains(out))
        return sum(each.total_minor for each in out) - due + differences - once

    def parts(self, given: Iterable[Given]) -> Parts:
        """Of a refund and those that reissue it the largest of each part."""
        chains = self.chains(given)
        units: Counter[str] = Counter()
        for chain in chains:
            units.update(largest_of_units(chain))
        return Parts(
            units=units,
            shipping_minor=sum(max(each.shipping_minor for each in chain) for chain in chains),
            other_minor=sum(max(each.other_minor for each in chain) for chain in chains),
        )

    def chains(self, given: Iterable[Given]) -> list[list[Given]]:
        """Each refund with those that reissue it."""
        by_id = {each.given_id: each for each in self.given}
        found: dict[str, list[Given]] = {}
        for each in given:
            found.setdefault(first_of(each, by_id), []).append(each)
        return [*found.values()]

    def within(self, parts: Parts) -> Parts:
        """What of it uses up the order: no unit more than was paid for it, nor shipping."""
        return Parts(
            units={
                each.unit: min(each.paid_minor, parts.units.get(each.unit, 0))
                for each in self.units
            },
            shipping_minor=min(self.shipping_minor, parts.shipping_minor),
            other_minor=parts.other_minor,
        )


def first_of(given: Given, by_id: Mapping[str, Given]) -> str:
    """The refund that the one given takes the place of, or itself."""
    while given.reissues is not None:
        given = by_id[given.reissues]
    return given.given_id


def largest_of_units(chain: Iterable[Given]) -> dict[str, int]:
    largest: dict[str, int] = {}
    for given in chain:
        for each in given.units:
            largest[each.unit] = max(largest.get(each.unit, 0), each.amount_minor)
    return largest


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
            return after_word(money, given_id, paid=True)
        case RefundFailed(refund_id=given_id, final=True) | RefundBounced(refund_id=given_id):
            return after_word(money, given_id, paid=False)
        case RefundFailed():
            return money
        case OutsideRefundRecorded():
            return recorded(money, event)
        case OutsideRefundUndone(outside_id=given_id):
            return after_word(money, given_id, paid=False)
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
    given = Given(
        given_id=event.refund_id,
        units=event.units,
        shipping_minor=event.shipping_minor,
        other_minor=event.goodwill_minor,
        difference_minor=event.difference_minor or 0,
        reissues=event.reissues,
    )
    named = {each.unit for each in event.units} if event.source in ENDS_A_UNIT else set[str]()
    units = [replace(each, returned=True) if each.unit in named else each for each in money.units]
    return replace(money, units=units, given=[*money.given, given])


def after_word(money: Money, given_id: str, *, paid: bool) -> Money:
    """After somebody's word that it has been paid, or never was, or has come back."""
    given = [
        replace(each, counts=paid, out=paid) if each.given_id == given_id else each
        for each in money.given
    ]
    return replace(money, given=given)


def recorded(money: Money, event: OutsideRefundRecorded) -> Money:
    units = event.units or []
    given = Given(
        given_id=event.outside_id,
        units=units,
        shipping_minor=0,
        other_minor=event.total_minor - sum(each.amount_minor for each in units),
        out=True,
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
    old = replace(
        each,
        paid_minor=each.paid_minor - pair.moved_minor,
        moved_minor=each.moved_minor + pair.moved_minor,
        replaced=True,
    )
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
