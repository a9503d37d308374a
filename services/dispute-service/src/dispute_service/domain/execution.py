"""What returns-service tells about a remedy in, whether and how it was done out.

A piece that a return has is done with that return, or with what is sent in its place; any other one
is done once money was given for it, or nothing was due any more.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace
from shared_events.dispute import Executed, RemedyOrdered
from shared_events.returns import Resolution

from dispute_service.domain.remedies import ConfirmExecution

FIRST: tuple[Executed, ...] = (
    "REFUNDED",
    "EXCHANGED",
    "REPLACED",
    "ALREADY_MET",
    "RETURN_REJECTED",
    "NOT_RETURNED",
)
"""Of several parts that were done in several ways, the first of these is told."""
OF_RETURN: Mapping[Resolution, Executed] = {
    "REFUNDED": "REFUNDED",
    "KEPT": "REFUNDED",
    "EXCHANGED": "EXCHANGED",
    "REPLACED": "REPLACED",
    "REJECTED": "RETURN_REJECTED",
    "CONTESTED": "RETURN_REJECTED",
    "DECLINED": "RETURN_REJECTED",
    "LOST": "RETURN_REJECTED",
    "MIXED": "RETURN_REJECTED",
    "EXPIRED": "NOT_RETURNED",
    "CANCELLED": "NOT_RETURNED",
}


class TakenIn(Struct, frozen=True, kw_only=True):
    """A return has these pieces: `own`, because the remedy asks for it; else it had them before."""

    return_id: str
    units: tuple[str, ...]
    own: bool


class Paid(Struct, frozen=True, kw_only=True):
    """Money was given for the remedy. `source_id`: of the return or the remedy that asked."""

    refund_id: str
    source_id: str
    units: tuple[str, ...]
    amount_minor: int


class NotDue(Struct, frozen=True, kw_only=True):
    """Nothing is due for these pieces: it was given before, or what they replaced is still out."""

    units: tuple[str, ...]


class SentInstead(Struct, frozen=True, kw_only=True):
    """Others were sent in the place of these. `kept`: the buyer has those too."""

    units: tuple[str, ...]
    kept: bool


class ReturnEnded(Struct, frozen=True, kw_only=True):
    """`refunded_minor`: what this return has given."""

    return_id: str
    resolution: Resolution
    refunded_minor: int


type Word = TakenIn | Paid | NotDue | SentInstead | ReturnEnded


class Execution(Struct, frozen=True, kw_only=True):
    """How far a remedy is. `returns`: the pieces that each has, `own` those that it asked for;
    `paid`: what each refund gave and what had asked for it; `returned`: what each return gave.
    """

    remedy_id: str
    units: frozenset[str]
    done: frozenset[str] = frozenset()
    parts: frozenset[Executed] = frozenset()
    returns: dict[str, tuple[str, ...]] = {}
    own: frozenset[str] = frozenset()
    paid: dict[str, tuple[str, int]] = {}
    returned: dict[str, int] = {}

    @property
    def amount_minor(self) -> int:
        """A return of its own tells at its end what it gave; all else is told refund by refund."""
        others = sum(amount for source, amount in self.paid.values() if source not in self.own)
        return others + sum(self.returned.get(return_id, 0) for return_id in self.own)

    @property
    def in_returns(self) -> frozenset[str]:
        return frozenset(unit for units in self.returns.values() for unit in units)


def begun(remedy: RemedyOrdered) -> Execution:
    units = frozenset(unit for line in remedy.lines for unit in line.units.split(","))
    return Execution(remedy_id=remedy.remedy_id, units=units)


def after(execution: Execution, word: Word) -> Execution:
    """The same word twice changes nothing."""
    match word:
        case TakenIn(return_id=return_id, units=units):
            own = execution.own | ({return_id} if word.own else frozenset[str]())
            return replace(execution, returns=execution.returns | {return_id: units}, own=own)
        case Paid(refund_id=refund_id, source_id=source_id, amount_minor=amount):
            paid = execution.paid | {refund_id: (source_id, amount)}
            free = [unit for unit in word.units if unit not in execution.in_returns]
            return part(replace(execution, paid=paid), "REFUNDED", free)
        case NotDue():
            free = [unit for unit in word.units if unit not in execution.in_returns]
            result: Executed = "REFUNDED" if execution.paid else "ALREADY_MET"
            return part(execution, result, free)
        case SentInstead():
            return part(execution, "REPLACED" if word.kept else "EXCHANGED", word.units)
        case ReturnEnded(return_id=return_id, refunded_minor=refunded):
            result = "REFUNDED" if refunded else OF_RETURN[word.resolution]
            returned = execution.returned | {return_id: refunded}
            units = execution.returns.get(return_id, ())
            return part(replace(execution, returned=returned), result, units)


def part(execution: Execution, result: Executed, units: Iterable[str]) -> Execution:
    new = execution.units.intersection(units) - execution.done
    if not new:
        return execution
    return replace(execution, done=execution.done | new, parts=execution.parts | {result})


def confirmation(execution: Execution) -> ConfirmExecution | None:
    """What closes the dispute, once every piece of the remedy is done."""
    if execution.done != execution.units:
        return None
    return ConfirmExecution(
        remedy_id=execution.remedy_id,
        result=next(each for each in FIRST if each in execution.parts),
        amount_minor=execution.amount_minor,
    )
