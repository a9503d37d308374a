"""A dispute and the ledger of its order in, what each outcome would give back now out."""

from dataclasses import dataclass
from typing import get_args

from shared_casework.money import LedgerFacts
from shared_events.dispute import Outcome
from shared_runtime.fields import Money

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.terms import REPLACES, SHIPS_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCeiling:
    """The most that may be given for the disputed pieces of a line, with no shipping."""

    line_id: str
    units: dict[str, Money]
    ceiling: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleOutcome:
    """What would be refunded of it at least and at most, for all that is disputed. Where goods go
    back, what inspection leaves of it. `is_possible`: it can be decided here.
    """

    outcome: Outcome
    is_possible: bool
    refund_least: Money
    refund_most: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesView:
    """`ceiling`: of all that is disputed. It has the shipping in it if nothing else is left of the
    order, and is never more than is left of that.
    """

    dispute_id: str
    ceiling: Money
    lines: list[LineCeiling]
    outcomes: list[PossibleOutcome]


def outcomes_view(dispute: Dispute, ledger: LedgerFacts) -> OutcomesView:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=dispute.currency)

    ceiling = ledger.ceiling_minor(dispute.units(dispute.lines))
    lines: list[LineCeiling] = []
    for line in dispute.opened.lines:
        units = {unit: ledger.units.get(unit, 0) for unit in line.units.split(",")}
        whole = min(sum(units.values()), ledger.order_minor)
        each = {unit: money(amount) for unit, amount in units.items()}
        lines.append(LineCeiling(line_id=line.line_id, units=each, ceiling=money(whole)))
    outcomes: list[PossibleOutcome] = []
    for outcome in get_args(Outcome.__value__):
        least, most = refund_of(outcome, ceiling)
        outcomes.append(
            PossibleOutcome(
                outcome=outcome,
                is_possible=least <= most and not (dispute.goods_away and outcome in SHIPS_BACK),
                refund_least=money(least),
                refund_most=money(max(most, 0)),
            )
        )
    return OutcomesView(
        dispute_id=dispute.dispute_id, ceiling=money(ceiling), lines=lines, outcomes=outcomes
    )


def refund_of(outcome: Outcome, ceiling_minor: int) -> tuple[int, int]:
    """At least and at most. A part is less than the whole: of 1 there is none."""
    if outcome == "REJECTED" or outcome in REPLACES:
        return 0, 0
    if outcome == "REFUND_PARTIAL":
        return 1, ceiling_minor - 1
    if outcome == "RETURN_AND_REFUND":
        return 0, ceiling_minor
    return ceiling_minor, ceiling_minor
