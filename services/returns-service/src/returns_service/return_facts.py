"""Rows about one order in; its pieces, and what a decision about one of its returns needs, out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from shared_casework.order_facts import OrderFacts
from shared_events.envelope import Recorded
from shared_runtime.log import Database

from returns_service.dispute_rows import DisputeRow
from returns_service.domain.known import (
    ContestEnd,
    DeclinedRequest,
    GivenBack,
    PieceFacts,
    RefundFacts,
)
from returns_service.domain.return_readers import folded
from returns_service.domain.return_state import Return
from returns_service.ledger_rows import Answer, LedgerRow
from returns_service.return_rows import ReturnRow, SentInstead

type History = Sequence[Recorded[Any]]


def pieces_of(
    order: OrderFacts,
    returns: Sequence[ReturnRow],
    disputes: Sequence[DisputeRow],
    ledger: LedgerRow | None,
    now: datetime,
) -> tuple[PieceFacts, ...]:
    """The pieces of an order as they are now, in the order of its lines. `returns`: in the order
    in which they began.
    """
    replaced = {sent.old_unit: sent for each in returns for sent in each.sent}
    paid = {each.unit: each.paid_minor for each in ledger.money.units} if ledger else {}
    pieces: list[PieceFacts] = []
    for line in order.lines:
        for number in range(1, line.quantity + 1):
            unit, by = last_of(f"{line.line_id}/{number}", replaced)
            declined, again = declined_of(unit, returns)
            pieces.append(
                PieceFacts(
                    unit=unit,
                    paid_minor=paid.get(unit, 0),
                    sku=by.sku if by else None,
                    in_return=in_return(unit, returns, now)
                    or kept_waiting(unit, returns, disputes),
                    in_dispute=in_dispute(unit, disputes),
                    in_contest=in_contest(unit, returns, disputes),
                    declined=declined,
                    asked_again=again,
                    kept_by=kept_by(unit, returns, disputes),
                    came_unasked=any(unit in each.unasked for each in returns),
                    delivered_at=by.delivered_at if by else None,
                )
            )
    return tuple(pieces)


def last_of(unit: str, replaced: Mapping[str, SentInstead]) -> tuple[str, SentInstead | None]:
    """The piece that is in the place of this one now, and how it came there."""
    by: SentInstead | None = None
    while unit in replaced:
        by = replaced[unit]
        unit = by.new_unit
    return unit, by


def in_return(unit: str, returns: Iterable[ReturnRow], now: datetime) -> str | None:
    return next(
        (
            each.return_id
            for each in returns
            for held in each.held
            if held.unit == unit and held.is_held(now)
        ),
        None,
    )


def kept_waiting(
    unit: str, returns: Iterable[ReturnRow], disputes: Sequence[DisputeRow]
) -> str | None:
    """The return whose goods of it are still to be sent back, after a contest in vain."""
    remedied = {each.return_id for each in disputes if unit in each.remedied}
    waiting = (each.return_id for each in returns if unit in each.to_send_back)
    return next((each for each in waiting if each not in remedied), None)


def in_dispute(unit: str, disputes: Iterable[DisputeRow]) -> str | None:
    return next((each.dispute_id for each in disputes if each.is_open and unit in each.units), None)


def in_contest(
    unit: str, returns: Iterable[ReturnRow], disputes: Iterable[DisputeRow]
) -> str | None:
    """The return whose contest of it has not become a dispute yet."""
    opened = {each.return_id for each in disputes if unit in each.units}
    waiting = (each for each in returns if unit in each.contested)
    return next((each.return_id for each in waiting if each.return_id not in opened), None)


def declined_of(unit: str, returns: Iterable[ReturnRow]) -> tuple[DeclinedRequest | None, bool]:
    """The request for it that was declined first, and whether another one came after."""
    asking = iter([each for each in returns if unit in each.asked])
    for each in asking:
        if unit in each.declined:
            return DeclinedRequest(each.kind, each.reason), next(asking, None) is not None
    return None, False


def kept_by(unit: str, returns: Iterable[ReturnRow], disputes: Iterable[DisputeRow]) -> str | None:
    by_return = (kept.by for each in returns for kept in each.kept if kept.unit == unit)
    by_dispute = (each.dispute_id for each in disputes if unit in each.kept)
    return next(by_return, None) or next(by_dispute, None)


# --- One return


def refunds_of(ledger: LedgerRow | None, history: History) -> RefundFacts:
    """What the ledger has told of what this return, or a remedy that it carries out, asks for."""
    state = folded([recorded.event for recorded in history])
    if ledger is None or not isinstance(state, Return):
        return RefundFacts()
    own = [each for each in ledger.answers if is_of(state, each)]
    told = [each for each in own if each.is_told]
    return RefundFacts(
        answered=frozenset(
            unit for each in told if each.source != "EXCHANGE_DIFFERENCE" for unit in each.units
        ),
        given=tuple(
            GivenBack(units=each.units, shipping_minor=each.shipping_minor)
            for each in own
            if each.counts and each.source != "EXCHANGE_DIFFERENCE"
        ),
        total_minor=sum(each.total_minor for each in told if each.counts),
    )


def is_of(matter: Return, answer: Answer) -> bool:
    if answer.source_id == matter.return_id:
        return True
    carries_out = any(each.remedy_id == answer.remedy_id for each in matter.remedies)
    return carries_out and not matter.pieces.keys().isdisjoint(answer.units)


def contests_of(disputes: Iterable[DisputeRow], return_id: str) -> Mapping[str, ContestEnd]:
    """By contested piece, what became of it, where that is known."""
    return {
        unit: ContestEnd(closed_at=each.closed_at, remedied=unit in each.remedied)
        for each in disputes
        if return_id and each.return_id == return_id and each.closed_at
        for unit in each.units
    }


CONTESTS = """
    SELECT row_to_json(told)::text FROM facts.dispute AS told
    WHERE return_id = ANY($1::text[]) AND closed_at IS NOT NULL
"""
decode_dispute = msgspec.json.Decoder(DisputeRow).decode


async def read_contests(
    return_ids: Collection[str], db: Database
) -> Mapping[str, Mapping[str, ContestEnd]]:
    """By return, what became of its contested pieces."""
    if not return_ids:
        return {}
    rows = [decode_dispute(row) for (row,) in await db.fetch(CONTESTS, [*return_ids])]
    return {return_id: contests_of(rows, return_id) for return_id in return_ids}


def file_digest(history: History) -> str:
    """Of all photos and files of a return, in the order of its stream."""
    whole = sha256()
    for recorded in history:
        for digest in digests_in(recorded.event):
            whole.update(f"{recorded.event_id} {digest}\n".encode())
    return whole.hexdigest()


def digests_in(event: object) -> list[str]:
    return [
        *(getattr(event, "media_sha256", None) or ()),
        *(getattr(event, "photos_sha256", None) or ()),
    ]
