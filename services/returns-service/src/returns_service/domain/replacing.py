"""Pieces that were sent in the place of others in, the money that moves with them out."""

from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.money import shares
from shared_casework.values import refuse, require_currency
from shared_events.fields import Currency, Holds, Id, Unit
from shared_events.returns import RefundEvent, ReplacedUnit, UnitsReplaced
from shared_runtime.decider import WrongState

from returns_service.domain.known import Sender
from returns_service.domain.ledger_state import Ledger
from returns_service.domain.matter import Book, LedgerRule
from returns_service.domain.units import is_replacement_in, next_of


class Pair(Struct, frozen=True, kw_only=True):
    old_unit: Unit
    new_unit: Unit


def each_piece_once(pairs: tuple[Pair, ...]) -> bool:
    named = [unit for pair in pairs for unit in (pair.old_unit, pair.new_unit)]
    return len(set(named)) == len(named)


def each_the_next(pairs: tuple[Pair, ...]) -> bool:
    return all(pair.new_unit == next_of(pair.old_unit) for pair in pairs)


class ReplaceUnits(Struct, frozen=True, kw_only=True):
    """`difference_minor`: above 0 the buyer has paid it, below it was given back before."""

    return_id: Id
    pairs: Annotated[
        tuple[Pair, ...],
        Meta(min_length=1),
        Holds(each_piece_once, "each piece once"),
        Holds(each_the_next, "a piece and the next in its place"),
    ]
    difference_minor: int
    currency: Currency


def replace_units(book: Book, said: ReplaceUnits, _: Sender) -> list[RefundEvent]:
    """What is left of the old piece goes over to the new one, and a difference that was paid, in
    proportion to that. Where nothing is left of any, it is spread equally.
    """
    ledger = book.open_ledger
    require_currency(said.currency, ledger.currency)
    new = pairs_to_replace(ledger, said)
    if not new:
        return []
    left = ledger.remaining.units
    moved = [left[pair.old_unit] for pair in new]
    weights = moved if sum(moved) else [1] * len(moved)
    added = shares(max(0, said.difference_minor), weights)
    return [
        UnitsReplaced(
            **ledger.ids,
            currency=ledger.currency,
            pairs=[
                ReplacedUnit(
                    old_unit=pair.old_unit,
                    new_unit=pair.new_unit,
                    moved_minor=amount,
                    added_minor=more,
                )
                for pair, amount, more in zip(new, moved, added, strict=True)
            ],
        )
    ]


def pairs_to_replace(ledger: Ledger, said: ReplaceUnits) -> list[Pair]:
    """Those not replaced yet. Raises `InvalidValue` for a piece that is
    not the order's, and `WrongState` for one that waits itself for its original to come back.
    """
    known = ledger.remaining.units
    new = [pair for pair in said.pairs if pair.new_unit not in known]
    for pair in new:
        if pair.old_unit in known:
            continue
        if is_replacement_in(pair.old_unit, known):
            raise WrongState(state="OPEN")
        raise refuse("pairs", "pieces of the order")
    return new


REPLACE_UNITS = LedgerRule(
    ReplaceUnits,
    replace_units,
    roles=("SYSTEM",),
    states=("OPEN",),
    events=(UnitsReplaced,),
    example=ReplaceUnits(
        return_id="RT-1",
        pairs=(Pair(old_unit="1/1", new_unit="1/1.r1"),),
        difference_minor=0,
        currency="EUR",
    ),
)
