"""Whatever happens to an order's money and goods together, in any order, twice, late, or broken off
in between: what goes out is never more than what came in, and everything comes to its end.

Each life follows from its seed: the number in the name of the test that fails.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from returns_service.domain.ledger_state import Ledger
from returns_service.domain.streams import return_stream
from returns_service.testing.order_machine import Machine
from returns_service.wishes import STOCK
from shared_events.envelope import Recorded
from shared_events.returns import (
    AdvanceUnrecovered,
    DifferencePaid,
    ExchangeShipped,
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundIssued,
    RefundLedgerOpened,
    RefundOverpaid,
    RefundRequested,
    UnitsAccepted,
    UnitsReplaced,
)

RUNS = 1_000
"""A life has some sixty steps, and an end that takes as many."""
FOUND = (1035, 2045)
"""Lives besides those in which something once went wrong."""


class Accountant:
    """Counts from the events alone what came in and what went out."""

    def __init__(self) -> None:
        self.came_in = self.named = 0
        self.out: Counter[str] = Counter()

    def hears(self, told: Sequence[Recorded[Any]]) -> None:
        for recorded in told:
            self.counts(recorded.event)
        assert self.out.total() <= self.came_in + self.named, "more went out than came in"

    def counts(self, event: object) -> None:
        match event:
            case RefundLedgerOpened(total_minor=total):
                self.came_in = total
            case UnitsReplaced(pairs=pairs):
                self.came_in += sum(pair.added_minor for pair in pairs)
            case RefundIssued(refund_id=given_id, total_minor=total):
                # A difference was paid besides, and is of no ceiling.
                self.out[given_id] = total - (event.difference_minor or 0)
            case OutsideRefundRecorded(outside_id=given_id, total_minor=total):
                self.out[given_id] = total
            case RefundBounced(refund_id=given_id) | OutsideRefundUndone(outside_id=given_id):
                del self.out[given_id]
            case RefundOverpaid(amount_minor=amount):
                self.named += amount
            case _:
                pass


# --- At every step


def no_refund_leaves_the_provider_twice(machine: Machine) -> None:
    paid: Counter[str] = Counter()
    for each in machine.provider.book:
        paid[each.told.reference] += each.times_paid
    assert all(times <= 1 for times in paid.values()), f"paid twice: {paid}"


def sums_are_exact(machine: Machine) -> None:
    ledger = machine.world.ledger
    assert ledger
    for refund in ledger.refunds.values():
        told = refund.requested
        parts = sum(each.amount_minor for each in told.units) + told.shipping_minor
        assert told.total_minor == parts + told.goodwill_minor + (told.difference_minor or 0)
    left = ledger.remaining
    assert min([*left.units.values(), left.shipping_minor, left.order_minor]) >= 0
    for each in machine.provider.book:
        assert each.told.amount_minor == ledger.refunds[each.told.reference].total_minor


def no_piece_is_in_two_open_returns(machine: Machine) -> None:
    """Rejected ones, and those that were lost, are let go before their return ends."""
    held = Counter(
        piece.unit
        for matter in machine.world.returns.values()
        if matter.closed is None
        for piece in matter.live
        if piece.acceptance != "REJECTED" and (piece.where != "LOST" or piece.covered)
    )
    assert all(times == 1 for times in held.values()), f"in two returns: {held}"


# --- At the end


def what_the_provider_has_paid_is_what_the_ledger_knows(machine: Machine) -> None:
    ledger = machine.world.ledger
    assert ledger
    paid = {each.told.reference for each in machine.provider.book if each.told.status == "PAID"}
    known = {
        refund_id
        for refund_id, each in ledger.refunds.items()
        if each.status == "SETTLED" and each.total_minor
    }
    assert paid == known


def every_refund_is_settled(machine: Machine) -> None:
    """Issued; or failed for good, and paid by the one in its place; or not due any more, as whoever
    tried to give it again has heard.
    """
    ledger = machine.world.ledger
    assert isinstance(ledger, Ledger)
    owed = {refund_id: each.status for refund_id, each in ledger.refunds.items() if each.is_owed}
    assert not owed, f"still owed: {owed}"


def every_return_is_closed(machine: Machine) -> None:
    still = {
        return_id: matter.status
        for return_id, matter in machine.world.returns.items()
        if matter.closed is None
    }
    assert not still, f"not closed: {still}"


def no_piece_is_refunded_and_exchanged(machine: Machine) -> None:
    """What another one was sent for has no money of its own left: that went over with it."""
    ledger = machine.world.ledger
    assert ledger
    sent = {
        unit
        for history in machine.world.streams.values()
        for recorded in history
        if isinstance(recorded.event, ExchangeShipped)
        for unit in recorded.event.units
    }
    whole = {
        each.unit
        for refund in ledger.refunds.values()
        if refund.status == "SETTLED" and is_for_goods(refund.requested)
        for each in refund.requested.units
        if each.amount_minor
    }
    assert not sent & whole, f"refunded and exchanged: {sent & whole}"


def is_for_goods(asked: RefundRequested) -> bool:
    return asked.source in ("RETURN", "WITHDRAWAL", "EXCHANGE_FALLBACK")


def the_stock_keeps_what_was_sent_and_nothing_for_nobody(machine: Machine) -> None:
    stock = machine.world.ports[STOCK]
    sent = Counter(
        each.reservations[new.reservation].reservation_id
        for each in machine.world.returns.values()
        for piece in each.pieces.values()
        if (new := piece.replacement) and new.shipped_at
    )
    assert {key: many for key, many in stock.held.items() if many} == sent


def what_was_paid_for_a_replacement_is_sent_or_back(machine: Machine) -> None:
    events = [recorded.event for history in machine.world.streams.values() for recorded in history]
    paid = sum(each.difference_minor for each in events if isinstance(each, DifferencePaid))
    sent = sum(
        max(0, each.difference_minor) for each in events if isinstance(each, ExchangeShipped)
    )
    ledger = machine.world.ledger
    assert ledger
    chains = ledger.money.chains(each for each in ledger.money.given if each.out)
    back = sum(max(each.difference_minor for each in chain) for chain in chains)
    assert paid == sent + back


def the_platform_bears_what_is_not_recovered(machine: Machine) -> None:
    """And nothing else of what was the seller's: goods may have come after all."""
    ledger = machine.world.ledger
    assert ledger
    lost = {
        (return_id, unit)
        for return_id in machine.world.rows
        for unit in never_recovered(machine.world.events(return_stream(return_id)))
    }
    for refund in ledger.refunds.values():
        asked = refund.requested
        if asked.source == "RETURN" and asked.borne_by == "SELLER" and not refund.reissued_by:
            units = {each.unit for each in asked.units if each.amount_minor}
            gone = {unit for unit in units if (asked.source_id, unit) in lost}
            assert {unit for unit in refund.absorbed.units if unit in units} == gone


def never_recovered(events: Sequence[object]) -> set[str]:
    lost: set[str] = set()
    for event in events:
        if isinstance(event, AdvanceUnrecovered) and event.confirmed:
            lost.update(event.units)
        if isinstance(event, UnitsAccepted):
            lost.difference_update(each.unit for each in event.units)
    return lost


ALWAYS = (
    no_refund_leaves_the_provider_twice,
    sums_are_exact,
    no_piece_is_in_two_open_returns,
)
AT_THE_END = (
    what_the_provider_has_paid_is_what_the_ledger_knows,
    every_refund_is_settled,
    every_return_is_closed,
    no_piece_is_refunded_and_exchanged,
    the_platform_bears_what_is_not_recovered,
    the_stock_keeps_what_was_sent_and_nothing_for_nobody,
    what_was_paid_for_a_replacement_is_sent_or_back,
)


@pytest.mark.parametrize("seed", sorted({*range(RUNS), *FOUND}))
def test_an_order_ends_settled_and_its_returns_closed(seed: int) -> None:
    machine = Machine(seed=seed)
    machine.world.watch = Accountant().hears

    def check() -> None:
        for law in ALWAYS:
            law(machine)

    try:
        machine.lives(check)
        for law in AT_THE_END:
            law(machine)
    except Exception as fault:
        fault.add_note("\n".join([f"of seed {seed}:", *machine.told]))
        raise
