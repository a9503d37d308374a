"""What other services tell of returns, money and people in, rows of it out.

Every row of a table of facts is the fold of one stream, so that no two workers write the same one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import MONEY_EVENTS, Money, evolve
from shared_casework.people import Erased, InForce, erased, in_force, person_of, told_of
from shared_events.envelope import Recorded
from shared_events.reputation import Measure, SubjectErased
from shared_events.returns import (
    ExchangeDelivered,
    ExchangeShipped,
    GoodsWaived,
    OfferAccepted,
    RemedyAttached,
    ReturnAuthorized,
    ReturnCancelled,
    ReturnClosed,
    ReturnContested,
    ReturnDeclined,
    ReturnExpired,
    ReturnKind,
    ReturnRequested,
    UnitsRevived,
    UnitsSentBack,
    WithdrawalConfirmed,
)
from shared_runtime.delivery import Connection
from shared_runtime.rows import Rows, of_kind

MANUAL_ONLY: Measure = "MANUAL_ONLY"
"""A person decides what such a buyer claims."""


class Replacement(Struct, frozen=True, kw_only=True):
    """A piece that takes the place of another, under way or there. `assumed`: nobody told."""

    old_unit: str
    new_unit: str
    shipped_at: datetime
    delivered_at: datetime | None = None
    assumed: bool = False


class GoodsReturn(Struct, frozen=True, kw_only=True):
    """One return. `held`: the units that it has, until it lets them go or is closed; `remedies`:
    what it carries out.
    """

    return_id: str
    order_id: str
    kind: ReturnKind
    held: list[str]
    remedies: list[str] = []
    replacements: list[Replacement] = []


type LettingGo = (
    ReturnCancelled
    | ReturnDeclined
    | ReturnExpired
    | OfferAccepted
    | ReturnContested
    | UnitsSentBack
    | GoodsWaived
)
type ReturnTold = (
    ReturnRequested
    | WithdrawalConfirmed
    | RemedyAttached
    | ReturnAuthorized
    | UnitsRevived
    | ExchangeShipped
    | ExchangeDelivered
    | ReturnClosed
    | LettingGo
)
LETTING_GO: tuple[type[Struct], ...] = get_args(LettingGo.__value__)
RETURN_EVENTS: tuple[type[Struct], ...] = (
    ReturnRequested,
    WithdrawalConfirmed,
    RemedyAttached,
    ReturnAuthorized,
    UnitsRevived,
    ExchangeShipped,
    ExchangeDelivered,
    ReturnClosed,
    *LETTING_GO,
)


def goods_return(row: GoodsReturn | None, event: ReturnTold) -> GoodsReturn | None:
    match event:
        case ReturnRequested():
            return requested(event)
        case WithdrawalConfirmed():
            return GoodsReturn(
                return_id=event.return_id,
                order_id=event.order_id,
                kind="WITHDRAWAL",
                held=event.units,
            )
        case _:
            # A withdrawal that is given up before its second step never had any units.
            return row and told(row, event)


def requested(event: ReturnRequested) -> GoodsReturn:
    return GoodsReturn(
        return_id=event.return_id,
        order_id=event.order_id,
        kind=event.kind,
        held=event.units,
        remedies=[event.remedy_id] if event.remedy_id else [],
    )


def told(  # noqa: PLR0911 - one arm for each event
    row: GoodsReturn, event: ReturnTold
) -> GoodsReturn:
    match event:
        case RemedyAttached():
            return replace(row, remedies=[*row.remedies, event.remedy_id])
        case ReturnAuthorized():
            return replace(row, kind=event.kind)
        case UnitsRevived():
            return replace(row, held=[*row.held, *event.units])
        case ExchangeShipped():
            return replace(row, replacements=[*row.replacements, *shipped(event)])
        case ExchangeDelivered():
            return replace(row, replacements=[delivered(each, event) for each in row.replacements])
        case ReturnClosed():
            return replace(row, held=[])
        case _:
            assert isinstance(event, LETTING_GO)
            return replace(row, held=[unit for unit in row.held if unit not in event.units])


def shipped(event: ExchangeShipped) -> list[Replacement]:
    return [
        Replacement(
            old_unit=old,
            new_unit=new,
            shipped_at=event.shipped_at,
        )
        for old, new in zip(event.units, event.new_units, strict=True)
    ]


def delivered(replacement: Replacement, event: ExchangeDelivered) -> Replacement:
    if replacement.new_unit not in event.new_units:
        return replacement
    at, assumed = event.delivered_at, event.assumed is True
    return replace(replacement, delivered_at=at, assumed=assumed)


RETURNS = Rows(table="facts.goods_return", key="return_id", row=GoodsReturn)
MONEY = Rows(table="facts.money", key="order_id", row=Money)
MANUAL = Rows(table="facts.manual_only", key="measure_id", row=InForce)
ERASED = Rows(table="facts.erased", key="person", row=Erased)


async def write_facts(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """Brings events of the other services to the rows that they are about."""
    if of := of_kind(batch, *RETURN_EVENTS):
        await RETURNS.fold(of, db, key_of=lambda event: event.return_id, evolve=goods_return)
    if of := of_kind(batch, *MONEY_EVENTS):
        await MONEY.fold(of, db, key_of=lambda event: event.order_id, evolve=evolve)
    if of := of_kind(batch, SubjectErased):
        await ERASED.fold(of, db, key_of=person_of, evolve=erased)
    if of := [*told_of(MANUAL_ONLY, batch)]:
        await MANUAL.fold(of, db, key_of=lambda event: event.measure_id, evolve=in_force)
