"""Pieces that are to be replaced in, what the stock has of them out; and what it keeps for none of
them back.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_runtime.decider import Actor
from shared_runtime.errands import Errand, Errands
from shared_runtime.log import Decisions

from returns_service.connectors.hearing import (
    Found,
    PortAnswer,
    Teller,
    again,
    asked_about_returns,
    decide,
)
from returns_service.domain.known import Known, line_of
from returns_service.domain.reserving import ReserveReplacement
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Return
from returns_service.domain.return_timers import reserves_for
from returns_service.ports.line import NotNow, Refused, Unknown
from returns_service.ports.opened import with_line
from returns_service.ports.stock import AskedPieces, OutOfStock, Released, Reserved, StockPort
from returns_service.wishes import RELEASE, STOCK

SHOP = Actor(role="SYSTEM", id="stock")


class StockWord(Struct, frozen=True, kw_only=True):
    """What the stock has said of these pieces, of this article."""

    units: tuple[str, ...]
    sku: str
    word: Reserved | OutOfStock | Refused | NotNow | Unknown


type ReplacementWord = StockWord | Released | Refused | Unknown


async def word_for(errand: Errand, found: Found, port: StockPort) -> ReplacementWord | None:
    """None: there is nothing to ask, as the return stands. What may have been kept by an earlier
    try and is wanted no more is given back.
    """
    units = () if errand.task == RELEASE else tuple(wanting(found.matter, errand.task.split(",")))
    if not units:
        if errand.task != RELEASE and errand.tries == 1:
            return None
        kept = len(found.matter.kept_by(errand.key))
        return await port.release(errand.key, kept=kept)
    assert found.known.order
    sku = wanted_sku(found.matter, units[0], found.known)
    asked = AskedPieces(
        reservation_id=errand.key,
        sku=sku,
        quantity=len(units),
        currency=found.known.order.currency,
    )
    word = await port.reserve(asked, sent_before=errand.tries > 1)
    return StockWord(units=units, sku=sku, word=word)


def wanting(matter: Return, named: list[str]) -> list[str]:
    """Those that another one is to come for, and none is reserved yet."""
    return [piece.unit for piece in matter.named(named) if reserves_for(matter, piece)]


def wanted_sku(matter: Return, unit: str, known: Known) -> str:
    """What was asked for, else the same once more."""
    if matter.requested and (asked := matter.requested.replacement_sku):
        return asked
    piece, order = known.piece(unit), known.order
    if piece and piece.sku:
        return piece.sku
    assert order
    return next(line.sku for line in order.lines if line.line_id == line_of(unit))


def difference_of(word: StockWord, price_minor: int, known: Known) -> int:
    """What all of them cost more now than was paid for these, or less."""
    paid = sum(known.remaining.get(unit, 0) for unit in word.units)
    return price_minor * len(word.units) - paid


def tell(
    decisions: Decisions, errand: Errand, told: PortAnswer[ReplacementWord], now: datetime
) -> datetime | None:
    """That there is none is a word too; silence becomes one by its deadline. What is kept for
    pieces that want none by now is given back the next time.
    """
    said = told.answer
    if isinstance(said, Unknown):
        return again(errand, now)
    if not isinstance(said, StockWord):
        return None
    if isinstance(said.word, Unknown | NotNow):
        return again(errand, now)
    stock, difference = 0, 0
    if isinstance(said.word, Reserved):
        stock = len(said.units)
        difference = difference_of(said, said.word.price_minor, told.found.known)
    command = ReserveReplacement(
        units=said.units,
        sku=said.sku,
        stock=stock,
        difference_minor=difference,
        reservation_id=errand.key if stock else None,
    )
    decide(decisions, errand, command, told, Teller(actor=SHOP, now=now))
    matter = decisions.state(RETURNS, errand.stream)
    assert isinstance(matter, Return)
    return now if len(matter.kept_by(errand.key)) < stock else None


async def ask_for_stock(
    open_port: Callable[[], StockPort],
    at_once: int,
    known: dict[str, Any],
    stop: asyncio.Event,
) -> None:
    """What the worker runs: with a line to the stock that lives as long as it does."""
    await with_line(open_port, lambda port: replacements(port, at_once, known), stop)


def replacements(
    port: StockPort, at_once: int, known: dict[str, Any]
) -> Errands[PortAnswer[ReplacementWord]]:
    return asked_about_returns(
        STOCK, port, word_for=word_for, tell=tell, at_once=at_once, known=known
    )
