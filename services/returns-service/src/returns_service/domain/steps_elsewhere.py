"""What orders, disputes and the ledger tell in, what is done about it in returns out."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace
from shared_events.dispute import RemedyOrdered
from shared_events.returns import RefundIssued, RefundNotDue, RemedyAlreadyMet

from returns_service.domain.asking import IN_MONEY, named, of_remedy
from returns_service.domain.ending import CloseReturn
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.known import PieceFacts
from returns_service.domain.remedy_returns import AttachRemedy, OpenRemedyReturn
from returns_service.domain.return_state import Return
from returns_service.domain.steps import Step, ToLedger, ToReturn
from returns_service.domain.streams import step_id_of
from returns_service.domain.withdrawing import AskForGoods

type Answer = RefundIssued | RefundNotDue | RemedyAlreadyMet
"""What the ledger says of money that was asked of it."""


def of_shipping(returns: Iterable[Return]) -> list[Step]:
    """An order was shipped, though its buyer has withdrawn."""
    return [ToReturn(each.return_id, AskForGoods()) for each in withdrawn_unshipped(returns)]


def of_cancellation(returns: Iterable[Return]) -> list[Step]:
    """An order was cancelled: what was withdrawn from and never shipped will not be."""
    return [ToReturn(each.return_id, AcceptByDefault()) for each in withdrawn_unshipped(returns)]


def withdrawn_unshipped(returns: Iterable[Return]) -> list[Return]:
    return [each for each in returns if each.confirmed and not each.goods_back and not each.closed]


def of_answer(event: Answer, returns: Iterable[Return]) -> list[Step]:
    """The ledger has answered: a return of which nothing more is to come ends. `returns`: those of
    the order.
    """
    if isinstance(event, RemedyAlreadyMet):
        about = {event.remedy_id}
    else:
        about = {event.source_id, *([event.remedy_id] if event.remedy_id else [])}
    return [
        ToReturn(each.return_id, CloseReturn())
        for each in returns
        if not each.closed
        and (each.return_id in about or any(told.remedy_id in about for told in each.remedies))
    ]


# --- A remedy


def of_remedy_ordered(
    event_id: str,
    ordered: RemedyOrdered,
    pieces: Sequence[PieceFacts],
    returns: Mapping[str, Return],
) -> list[Step]:
    """`pieces`: of the order; `returns`: those that have some of them, by their ids. Money is given
    at once where only money was ordered, and for pieces that are back, or lost and covered: nothing
    more is to come of them. What is on its way stays there.
    """
    units = [unit for line in ordered.lines for unit in line.units.split(",")]
    if ordered.outcome in IN_MONEY:
        return [ToLedger(of_remedy(ordered, step_id_of(event_id, "refund")))]
    holder = {each.unit: each.in_return for each in pieces}
    free = [unit for unit in units if holder.get(unit) is None]
    held: dict[str, list[str]] = {}
    done: list[str] = []
    for unit in units:
        if (return_id := holder.get(unit)) is None:
            continue
        if is_under_way(returns.get(return_id), unit):
            held.setdefault(return_id, []).append(unit)
        else:
            done.append(unit)
    steps: list[Step] = [
        ToReturn(return_id, attach(ordered, its_units)) for return_id, its_units in held.items()
    ]
    if free:
        said = opening(event_id, ordered, free)
        steps.append(ToReturn(said.return_id, said))
    if done:
        asked = of_remedy(ordered, step_id_of(event_id, "refund"))
        steps.append(ToLedger(replace(asked, units=named(done), amount_minor=None)))
    return steps


def is_under_way(matter: Return | None, unit: str) -> bool:
    """Whether a return is still to bring this piece back."""
    if matter is None or matter.closed:
        return False
    piece = matter.pieces[unit]
    return not piece.is_out and piece.acceptance != "ACCEPTED"


def attach(ordered: RemedyOrdered, units: Sequence[str]) -> AttachRemedy:
    return AttachRemedy(
        remedy_id=ordered.remedy_id,
        units=tuple(units),
        reason=ordered.reason,
        liable=ordered.liable,
        seller_at_fault=ordered.seller_at_fault,
    )


def opening(event_id: str, ordered: RemedyOrdered, units: Sequence[str]) -> OpenRemedyReturn:
    outcome = ordered.outcome
    assert outcome in ("RETURN_AND_REFUND", "EXCHANGE", "REPLACEMENT_NO_RETURN")
    return OpenRemedyReturn(
        return_id=step_id_of(event_id, "return"),
        remedy_id=ordered.remedy_id,
        outcome=outcome,
        units=tuple(units),
        reason=ordered.reason,
        replacement_sku=ordered.replacement_sku,
        liable=ordered.liable,
        seller_at_fault=ordered.seller_at_fault,
    )
