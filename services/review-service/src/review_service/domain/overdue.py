"""A decision that should have been taken by now in, a fact for the public figures out."""

from datetime import datetime

from shared_casework.overdue import NoteOverdue, OverdueRule, Pending, note_overdue
from shared_events.common import MatterFact
from shared_events.review import EvaluationEvent, ReviewWithdrawn

from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.known import Known
from review_service.domain.review_state import Review
from review_service.domain.subject import Subject


def pending(state: Evaluation, said: NoteOverdue) -> Pending | None:
    """The flag or the appeal, of either side's review, that somebody still has to decide."""
    if isinstance(state, Unopened):
        return None
    for side, review in state.sheet.reviews.items():
        if due_at := due_at_of(review, said):
            about = MatterFact(**Subject(state=state, side=side, review=review).ids)
            return Pending(about=about, due_at=due_at, noted=state.sheet.overdue)
    return None


def due_at_of(review: Review, said: NoteOverdue) -> datetime | None:
    if said.what == "FLAG":
        flag = review.open_flags.get(said.ref_id)
        withdrawn = isinstance(review.standing, ReviewWithdrawn)
        return flag.decide_by if flag and not withdrawn else None
    appeal = review.appeals.get(said.ref_id)
    undecided = appeal and appeal.decided is None
    return appeal.lodged.decide_by if appeal and undecided else None


NOTE_OVERDUE: OverdueRule[Evaluation, Known, EvaluationEvent] = note_overdue(pending)
