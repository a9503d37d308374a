"""How a ledger stands in, its deadlines and what each of them asks for out.

A timer only sends its command: it may fire late, twice, or after its cause has gone.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct
from shared_casework.overdue import NoteOverdue

from returns_service.domain.failing import RetryRefund
from returns_service.domain.ledger_state import Ledger, LedgerState, Unopened
from returns_service.domain.overdue import owed

type Name = Literal["REFUND_RETRY", "REFUND_DUE"]


class Deadline(NamedTuple):
    """An instant at which something is asked for by itself, about one refund."""

    name: Name
    refund_id: str
    due: datetime


def ledger_deadlines(state: LedgerState) -> list[Deadline]:
    """All that are set. A refund that was told as overdue is not told again."""
    if isinstance(state, Unopened):
        return []
    return [*retries(state), *limits(state)]


def retries(ledger: Ledger) -> list[Deadline]:
    return [
        Deadline("REFUND_RETRY", refund_id, refund.failure.retry_at)
        for refund_id, refund in ledger.refunds.items()
        if refund.status == "FAILED" and refund.failure and refund.failure.retry_at
    ]


def limits(ledger: Ledger) -> list[Deadline]:
    return [
        Deadline("REFUND_DUE", refund_id, due)
        for refund_id, due in owed(ledger).items()
        if ("REFUND", refund_id, due) not in ledger.overdue
    ]


def asked_of_ledger(name: str, refund_id: str, due: datetime) -> Struct:
    """The command of a passed deadline."""
    if name == "REFUND_RETRY":
        return RetryRefund(refund_id=refund_id)
    return NoteOverdue(what="REFUND", ref_id=refund_id, due_at=due)
