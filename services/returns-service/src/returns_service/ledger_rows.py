"""What the ledgers of orders tell in; the money of each, and what was asked of it, out."""

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import MONEY_EVENTS, Money, MoneyEvent, evolve
from shared_events.returns import (
    RefundBounced,
    RefundFailed,
    RefundIssued,
    RefundNotDue,
    RefundRequested,
    RefundSource,
    RemedyAlreadyMet,
)
from shared_runtime.rows import Rows


class Answer(Struct, frozen=True, kw_only=True):
    """A refund that was asked for, or the word that there is none. `units`: what is given of each.
    `counts`: it has not failed for good, nor come back; `is_told`: the ledger owes nothing more.
    """

    refund_id: str
    source: RefundSource
    source_id: str
    remedy_id: str | None = None
    units: dict[str, int]
    shipping_minor: int = 0
    total_minor: int = 0
    advance: bool = False
    counts: bool = True
    is_told: bool = False


class LedgerRow(Struct, frozen=True, kw_only=True):
    order_id: str
    money: Money
    answers: list[Answer] = []


type LedgerTold = MoneyEvent | RefundNotDue | RemedyAlreadyMet
LEDGER_EVENTS: tuple[type[LedgerTold], ...] = (*MONEY_EVENTS, RefundNotDue, RemedyAlreadyMet)
LEDGERS = Rows(table="facts.ledger", key="order_id", row=LedgerRow)


def ledger_row(row: LedgerRow | None, event: LedgerTold) -> LedgerRow:
    if isinstance(event, MONEY_EVENTS):
        money = evolve(row.money if row else None, event)
        row = LedgerRow(order_id=event.order_id, money=money, answers=row.answers if row else [])
    assert row is not None  # a ledger begins with its opening, and comes in order
    return replace(row, answers=answers_after(row.answers, event))


def answers_after(answers: list[Answer], event: LedgerTold) -> list[Answer]:
    match event:
        case RefundRequested():
            return [*answers, asked(event)]
        case RefundIssued(refund_id=refund_id):
            return changed(answers, refund_id, is_told=True, counts=True)
        case RefundFailed(refund_id=refund_id, final=True) | RefundBounced(refund_id=refund_id):
            return changed(answers, refund_id, counts=False)
        case RefundNotDue():
            return [
                *answers,
                Answer(
                    refund_id=event.refund_id,
                    source=event.source,
                    source_id=event.source_id,
                    remedy_id=event.remedy_id,
                    units=dict.fromkeys(event.units, 0),
                    is_told=True,
                ),
            ]
        case RemedyAlreadyMet():
            return [
                *answers,
                Answer(
                    refund_id=event.refund_id or "",
                    source="DISPUTE",
                    source_id=event.remedy_id,
                    remedy_id=event.remedy_id,
                    units=dict.fromkeys(event.units, 0),
                    is_told=True,
                ),
            ]
        case _:
            return answers


def asked(event: RefundRequested) -> Answer:
    return Answer(
        refund_id=event.refund_id,
        source=event.source,
        source_id=event.source_id,
        remedy_id=event.remedy_id,
        units={each.unit: each.amount_minor for each in event.units},
        shipping_minor=event.shipping_minor,
        total_minor=event.total_minor,
        advance=event.advance,
    )


def changed(answers: list[Answer], refund_id: str, **to: bool) -> list[Answer]:
    return [replace(each, **to) if each.refund_id == refund_id else each for each in answers]
