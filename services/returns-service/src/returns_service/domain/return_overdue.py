"""A label that the buyer has waited for too long in, a fact for the public figures out."""

from shared_casework.overdue import NoteOverdue, OverdueRule, Pending, note_overdue
from shared_events.common import MatterFact
from shared_events.returns import ReturnEvent

from returns_service.domain.known import Known
from returns_service.domain.return_state import Return, ReturnState, Unbegun


def owes_label(matter: Return) -> bool:
    """Whether the buyer can't send his goods for want of one that he does not pay."""
    return matter.status == "AUTHORIZED" and matter.is_unsent and matter.label is None


def pending(state: ReturnState, said: NoteOverdue) -> Pending | None:
    if isinstance(state, Unbegun) or (said.what, said.ref_id) != ("LABEL", state.return_id):
        return None
    if state.label_due is None or not owes_label(state):
        return None
    return Pending(about=MatterFact(**state.ids), due_at=state.label_due, noted=state.overdue)


NOTE_RETURN_OVERDUE: OverdueRule[ReturnState, Known, ReturnEvent] = note_overdue(pending)
