"""What is asked for and what is left in, what is given of it out: integers, in minor units.

The label's cost is taken first, then it is clipped to what is left; both take from what was asked,
and what they leave is spread over the units in proportion to what each would otherwise get.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import LedgerFacts, shares
from shared_events.returns import RefundedUnit

MILLI = 1000


class WantedAmounts(Struct, frozen=True, kw_only=True):
    """`of_units`: what each would get if nothing were taken off, in the order of the ledger; they
    are asked for together. `label_cost_minor`: what of it is still to be deducted.
    """

    of_units: Mapping[str, int]
    units_minor: int
    shipping_minor: int = 0
    goodwill_minor: int = 0
    difference_minor: int = 0
    label_cost_minor: int = 0


class Amounts(Struct, frozen=True, kw_only=True):
    """What a refund gives, and `label_cost_minor`, by which it is less. `clipped_from_minor`: what
    was asked after that, if it is more. `difference_minor` is of no ceiling.
    """

    units: list[RefundedUnit]
    shipping_minor: int
    goodwill_minor: int
    difference_minor: int
    label_cost_minor: int
    clipped_from_minor: int | None

    @property
    def total_minor(self) -> int:
        of_units = sum(each.amount_minor for each in self.units)
        return of_units + self.shipping_minor + self.goodwill_minor + self.difference_minor


def after_deduction(remaining_minor: int, deduction_milli: int) -> int:
    return remaining_minor - remaining_minor * deduction_milli // MILLI


def given_of(asked: WantedAmounts, remaining: LedgerFacts) -> Amounts:
    label = min(asked.label_cost_minor, asked.units_minor + asked.shipping_minor)
    of_label = min(label, asked.units_minor)
    units = asked.units_minor - of_label
    shipping = asked.shipping_minor - (label - of_label)
    wanted = units + shipping + asked.goodwill_minor + asked.difference_minor

    units = min(units, sum(asked.of_units.values()))
    shipping = min(shipping, remaining.shipping_minor)
    beyond = max(0, units + shipping + asked.goodwill_minor - remaining.order_minor)
    of_shipping = min(beyond, shipping)
    of_goods = min(beyond - of_shipping, units)
    spread = shares(units - of_goods, list(asked.of_units.values()))
    given = Amounts(
        units=[
            RefundedUnit(unit=unit, amount_minor=amount)
            for unit, amount in zip(asked.of_units, spread, strict=True)
        ],
        shipping_minor=shipping - of_shipping,
        goodwill_minor=asked.goodwill_minor - (beyond - of_shipping - of_goods),
        difference_minor=asked.difference_minor,
        label_cost_minor=label,
        clipped_from_minor=None,
    )
    return given if given.total_minor == wanted else replace(given, clipped_from_minor=wanted)
