"""A revealed review and the facts of its order in, how much it counts and why out.

Codes that give zero come first, then caps, then the floor; within each, the order of the table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared_events.review import WeightCode, WeightReason

from review_service.domain.commands import BuyerReview, Content, OrderFacts
from review_service.domain.policy import ReviewPolicy

WEIGHT_FULL_MILLI = 1000
FULL = WeightReason(code="FULL", effect_milli=WEIGHT_FULL_MILLI)

type Effect = Callable[[BuyerReview, OrderFacts, ReviewPolicy], int | None]
"""The effect of a code in milli, or None where it does not apply."""
type Table = Sequence[tuple[WeightCode, Effect]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    weight_milli: int
    reasons: list[WeightReason]


def incentivized(review: BuyerReview, _: OrderFacts, __: ReviewPolicy) -> int | None:
    return None if review.incentive == "NONE" else 0


def low_value(_: BuyerReview, facts: OrderFacts, policy: ReviewPolicy) -> int | None:
    return 0 if facts.total_ref_minor < policy.review_min_value_ref_minor else None


def new_account(_: BuyerReview, facts: OrderFacts, policy: ReviewPolicy) -> int | None:
    if facts.buyer_registered_at is None:
        return None
    age = facts.placed_at - facts.buyer_registered_at
    return policy.review_new_account_cap_milli if age < policy.review_new_account_age else None


ZERO_CODES: Table = (("INCENTIVIZED", incentivized), ("LOW_VALUE", low_value))
CAPS: Table = (("NEW_ACCOUNT", new_account),)


def weigh(content: Content, facts: OrderFacts, policy: ReviewPolicy) -> Weight:
    """The weight, 0 or between the policy's floor and 1000, with every code that applies.

    A cap beside a zero is named too: should the zero go away, the cap is what remains.
    """
    if not isinstance(content, BuyerReview):  # these codes judge reviews of sellers alone
        return Weight(weight_milli=WEIGHT_FULL_MILLI, reasons=[FULL])

    def applying(table: Table) -> list[WeightReason]:
        return [
            WeightReason(code=code, effect_milli=effect)
            for code, judge in table
            if (effect := judge(content, facts, policy)) is not None
        ]

    zeros, caps = applying(ZERO_CODES), applying(CAPS)
    capped = min([WEIGHT_FULL_MILLI, *(cap.effect_milli for cap in caps)])
    return Weight(
        weight_milli=0 if zeros else max(capped, policy.review_weight_floor_milli),
        reasons=[*zeros, *caps] or [FULL],
    )
