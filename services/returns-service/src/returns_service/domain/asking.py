"""What has happened elsewhere in, what it asks of an order's ledger out.

A machine asks once for each cause: the id of the refund follows from it.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace
from shared_events.dispute import Outcome, RemedyOrdered
from shared_events.returns import RefundEvent, RefundNotDue, RefundRequested, RemedyAlreadyMet

from returns_service.domain.ledger_fold import evolve
from returns_service.domain.ledger_state import Ledger, LedgerState, Refund, Unopened
from returns_service.domain.requesting import AskedUnit, RequestRefund
from returns_service.domain.streams import again_id_of, anew_id_of

type RequestsById = Mapping[str, RequestRefund]
"""What machines have asked for, by the ids of the refunds."""

IN_MONEY: tuple[Outcome, ...] = ("REFUND_FULL", "REFUND_PARTIAL")
"""The remedies for which no goods go anywhere."""
STOPPED = "STOPPED"
"""The code of a refund that the gateway has not paid because it was asked not to."""


def named(units: Sequence[str]) -> tuple[AskedUnit, ...]:
    return tuple(AskedUnit(unit=unit) for unit in units)


# --- By a dispute, or the end of an order


def of_remedy(ordered: RemedyOrdered, refund_id: str) -> RequestRefund:
    """The money that a dispute has ordered; of a part of it, the amount."""
    units = [unit for line in ordered.lines for unit in line.units.split(",")]
    return RequestRefund(
        refund_id=refund_id,
        source="DISPUTE",
        source_id=ordered.remedy_id,
        remedy_id=ordered.remedy_id,
        units=named(units),
        currency=ordered.currency,
        amount_minor=ordered.amount_minor,
        seller_at_fault=ordered.seller_at_fault,
        outcome=ordered.outcome,
        liable=ordered.liable,
    )


def of_cancellation(ledger: Ledger, refund_id: str) -> RequestRefund:
    """All that is left of the order, shipping too."""
    return RequestRefund(
        refund_id=refund_id,
        source="CANCELLATION",
        source_id=ledger.ids["order_id"],
        units=named([each.unit for each in ledger.money.units if not each.replaced]),
    )


# --- Again, when what others gave was taken back


def after_undoing(
    events: Sequence[RefundEvent], outside_id: str, asked: RequestsById
) -> list[RequestRefund]:
    """What was not due because of money that was undone, and by how much refunds were clipped that
    were asked for while it stood. What was asked again already, when other money was undone, is
    asked by that request.
    """
    ledger = folded(events)
    if isinstance(ledger, Unopened):
        return []
    unmet = [
        (refund_id, said)
        for refund_id, said in unmet_by(ledger, events, outside_id, asked)
        if not is_asked_again(ledger, refund_id)
    ]
    return [
        replace(
            said,
            refund_id=again_id_of(refund_id, outside_id),
            outside_id=outside_id,
            reissues=None,
        )
        for refund_id, said in unmet
    ]


def unmet_by(
    ledger: Ledger, events: Sequence[RefundEvent], outside_id: str, asked: RequestsById
) -> list[tuple[str, RequestRefund]]:
    unmet: list[tuple[str, RequestRefund]] = []
    for event in while_it_stood(events, outside_id):
        match event:
            case RefundNotDue(refund_id=refund_id) | RemedyAlreadyMet(refund_id=str(refund_id)):
                first = ledger.first_of(event.reissues) if event.reissues else refund_id
                said = asked.get(refund_id) or asked.get(first)
                if said and outside_id in event.refund_ids:
                    unmet.append((refund_id, of_units(said, event.units)))
            case RefundRequested(refund_id=refund_id, clipped_from_minor=int(whole)):
                if said := asked.get(ledger.first_of(refund_id)):
                    unmet.append((refund_id, rest_of(said, event, whole)))
            case _:
                pass
    return unmet


def while_it_stood(events: Sequence[RefundEvent], outside_id: str) -> list[RefundEvent]:
    """What has happened between the record of money and its being undone."""
    named = [n for n, each in enumerate(events) if getattr(each, "outside_id", None) == outside_id]
    recorded, *others = named
    undone = next((n for n in others if not isinstance(events[n], RefundRequested)), len(events))
    return [*events[recorded + 1 : undone]]


def of_units(said: RequestRefund, units: Sequence[str]) -> RequestRefund:
    return replace(said, units=tuple(each for each in said.units if each.unit in units))


def rest_of(said: RequestRefund, clipped: RefundRequested, whole_minor: int) -> RequestRefund:
    """What a refund was less than what had been asked for."""
    kept = of_units(said, [each.unit for each in clipped.units])
    return replace(
        kept,
        currency=clipped.currency,
        amount_minor=whole_minor - clipped.total_minor,
        label_cost_minor=0,
        difference_minor=0,
    )


def is_asked_again(ledger: Ledger, refund_id: str) -> bool:
    return any(ledger.has_answered(again_id_of(refund_id, each)) for each in ledger.outside)


# --- Anew, when the gateway has stopped it


def after_stopping(
    ledger: LedgerState, refund_id: str, asked: RequestsById
) -> RequestRefund | None:
    """The same question, with less left to give. What a person gave of his own accord is not asked
    for again: the desk decides on it. Nor is what was asked anew in vain.
    """
    if isinstance(ledger, Unopened) or not was_stopped(ledger.refunds[refund_id]):
        return None
    if is_in_vain(ledger, refund_id):
        return None
    said = asked.get(ledger.first_of(refund_id))
    return said and replace(said, refund_id=anew_id_of(refund_id), reissues=refund_id)


def is_in_vain(ledger: Ledger, refund_id: str) -> bool:
    """Whether as much as this was stopped before it: then it is not for want of room. A provider
    that stops refunds by itself would be asked for ever.
    """
    before = ledger.before(refund_id)[:1]
    total_minor = ledger.refunds[refund_id].total_minor
    return any(was_stopped(each) and each.total_minor == total_minor for each in before)


def was_stopped(refund: Refund) -> bool:
    failure = refund.failure
    return refund.status == "FAILED_FINAL" and failure is not None and failure.code == STOPPED


def folded(events: Sequence[RefundEvent]) -> LedgerState:
    state: LedgerState = Unopened()
    for event in events:
        state = evolve(state, event)
    return state
