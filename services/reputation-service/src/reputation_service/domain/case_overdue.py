"""An appeal that is late in, a fact for the public figures out."""

from shared_casework.overdue import NoteOverdue, OverdueRule, Pending, note_overdue
from shared_events.common import Overdue
from shared_events.reputation import CaseEvent

from reputation_service.domain.case_state import CaseState, Unopened
from reputation_service.domain.known import Known

APPEAL: Overdue = "VIOLATION_APPEAL"


def pending(state: CaseState, said: NoteOverdue) -> Pending | None:
    if isinstance(state, Unopened) or state.status != "APPEALED" or state.appeal is None:
        return None
    if (said.what, said.ref_id) != (APPEAL, state.appeal.appeal_id):
        return None
    return Pending(about=state.about, due_at=state.appeal.decide_by, noted=state.overdue)


NOTE_OVERDUE: OverdueRule[CaseState, Known, CaseEvent] = note_overdue(pending)
