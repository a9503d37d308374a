"""A decision that should have been taken by now in, a fact for the public figures out."""

from datetime import datetime

from shared_casework import overdue
from shared_casework.overdue import OverdueRule, Pending
from shared_events.common import MatterFact
from shared_events.review import EvaluationEvent, ReviewWithdrawn
from shared_runtime.rule import By, Sent
from shared_runtime.rules import Rules

from review_service.domain.commands import NoteOverdue
from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.policy import Policies
from review_service.domain.review_state import Written
from review_service.domain.subject import Subject


def pending(state: Evaluation, said: overdue.NoteOverdue) -> Pending | None:
    """The flag or the appeal, of either side's review, that somebody still has to decide."""
    if isinstance(state, Unopened):
        return None
    for side, review in state.sheet.reviews.items():
        if due_at := due_at_of(review, said):
            about = MatterFact(**Subject(state=state, side=side, review=review).ids)
            return Pending(about=about, due_at=due_at, noted=state.sheet.overdue)
    return None


def due_at_of(review: Written, said: overdue.NoteOverdue) -> datetime | None:
    if said.what == "FLAG":
        flag = review.open_flags.get(said.ref_id)
        withdrawn = isinstance(review.standing, ReviewWithdrawn)
        return flag.decide_by if flag and not withdrawn else None
    appeal = review.appeals.get(said.ref_id)
    undecided = appeal and appeal.decided is None
    return appeal.lodged.decide_by if appeal and undecided else None


NOTE_OVERDUE: OverdueRule[Evaluation, None, EvaluationEvent] = overdue.note_overdue(pending)
RULES = Rules[Evaluation, None, EvaluationEvent](NOTE_OVERDUE)


def note_overdue(state: Evaluation, command: NoteOverdue, _: Policies) -> list[EvaluationEvent]:
    """Once for each deadline. No party loses anything by it."""
    said = overdue.NoteOverdue(what=command.what, ref_id=command.ref_id, due_at=command.due_at)
    return RULES.decide(state, Sent(said, By(actor=command.actor, now=command.now, known=None)))
