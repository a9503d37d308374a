"""A ledger in, the refunds under way that it has no room for any more out.

Money that others have given back, or a word that came late, may leave no room for what was asked of
the gateway before. It is asked to stop that; its answer is ConfirmRefund, where it had paid
already, or FailRefund, REFUSED with the code STOPPED.
"""

from collections.abc import Sequence

from shared_casework.money import Given, Money

from returns_service.domain.ledger_state import Ledger, LedgerState, RefundStatus, Unopened

UNDER_WAY: tuple[RefundStatus, ...] = ("REQUESTED", "FAILED")
"""The gateway may yet pay it."""


def to_stop(state: LedgerState) -> list[str]:
    """In the order in which they were asked for: what was asked first has the room that there is.
    A part of the room is none: the rest is asked for anew.
    """
    if isinstance(state, Unopened):
        return []
    money = state.money
    out = [each for each in money.given if each.out]
    stopped: list[str] = []
    for given in money.given:
        if not is_under_way(state, given):
            continue
        if fits(money, out, given):
            out = [*out, given]
        else:
            stopped.append(given.given_id)
    return stopped


def is_under_way(ledger: Ledger, given: Given) -> bool:
    refund = ledger.refunds.get(given.given_id)
    return refund is not None and refund.status in UNDER_WAY


def fits(money: Money, before: Sequence[Given], given: Given) -> bool:
    """Whether it can be given besides what is out, and what is to be. What it stands in the place
    of, or what stands in its place, is not given as well.
    """
    if any(given in chain and len(chain) > 1 for chain in money.chains([*before, given])):
        return False
    parts = money.parts([*before, given])
    paid = {each.unit: each.paid_minor for each in money.units}
    of_units = (each.unit for each in given.units if each.amount_minor > 0)
    return (
        all(parts.units[unit] <= paid[unit] for unit in of_units)
        and (given.shipping_minor == 0 or parts.shipping_minor <= money.shipping_minor)
        and money.within(parts).total_minor <= money.total_minor
    )
