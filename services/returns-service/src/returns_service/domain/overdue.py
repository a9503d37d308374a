"""A refund that the buyer has waited for too long in, a fact for the public figures out."""

from datetime import datetime

from shared_casework.overdue import NoteOverdue, OverdueRule, Pending, note_overdue
from shared_events.common import MatterFact
from shared_events.returns import RefundEvent

from returns_service.domain.known import Known
from returns_service.domain.ledger_state import Ledger, LedgerState, Unopened


def owed(ledger: Ledger) -> dict[str, datetime]:
    """By when each refund is owed that has not been paid, nor another one asked in its place."""
    return {
        refund_id: refund.overdue_at
        for refund_id, refund in ledger.refunds.items()
        if refund.is_owed
    }


def pending(state: LedgerState, said: NoteOverdue) -> Pending | None:
    if isinstance(state, Unopened) or said.what != "REFUND":
        return None
    if (due_at := owed(state).get(said.ref_id)) is None:
        return None
    return Pending(about=MatterFact(**state.ids), due_at=due_at, noted=state.overdue)


NOTE_OVERDUE: OverdueRule[LedgerState, Known, RefundEvent] = note_overdue(pending)
