"""A decision or a remedy that is late in, a fact for the public figures out."""

from datetime import datetime

from shared_casework.overdue import NoteOverdue, OverdueRule, Pending, note_overdue
from shared_events.common import MatterFact, Overdue
from shared_events.dispute import DisputeEvent

from dispute_service.domain.dispute_state import Dispute, DisputeState, Unopened
from dispute_service.domain.known import Known

type Owed = tuple[Overdue, str, datetime]
"""What is owed, the id of it, and by when."""


def owed(dispute: Dispute) -> Owed | None:
    """What somebody other than the parties has to do next; None while they wait for a party."""
    if dispute.status == "EXECUTING" and dispute.remedy:
        return "EXECUTION", dispute.remedy.remedy_id, dispute.remedy.execute_by
    if dispute.question or dispute.decide_by is None:
        return None
    if dispute.status == "REVIEW":
        return "DISPUTE_DECISION", dispute.dispute_id, dispute.decide_by
    if dispute.status == "APPEAL":
        *_, last = dispute.appeals.values()
        return "DISPUTE_APPEAL", last.appeal_id, dispute.decide_by
    return None


def pending(state: DisputeState, said: NoteOverdue) -> Pending | None:
    if isinstance(state, Unopened) or (due := owed(state)) is None:
        return None
    what, ref_id, due_at = due
    if (said.what, said.ref_id) != (what, ref_id):
        return None
    return Pending(about=MatterFact(**state.ids), due_at=due_at, noted=state.overdue)


NOTE_OVERDUE: OverdueRule[DisputeState, Known, DisputeEvent] = note_overdue(pending)
