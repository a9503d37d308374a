"""A decision that should have been taken by now in, a fact for the public figures out."""

from shared_events.common import DecisionOverdue
from shared_events.review import EvaluationEvent, ReviewWithdrawn

from review_service.domain.commands import NoteOverdue
from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.guards import Shape, require_role, utc
from review_service.domain.policy import Policies
from review_service.domain.review_state import Written
from review_service.domain.roles import ROLES
from review_service.domain.subject import Subject


def note_overdue(state: Evaluation, command: NoteOverdue, _: Policies) -> list[EvaluationEvent]:
    """Once for each deadline. No party loses anything by it."""
    shape = Shape()
    shape.instant("now", command.now)
    shape.id("ref_id", command.ref_id)
    shape.instant("due_at", command.due_at)
    shape.check()
    require_role(command, ROLES[NoteOverdue])
    if isinstance(state, Unopened):
        return []
    noted = (command.what, command.ref_id, utc(command.due_at)) in state.sheet.overdue
    if noted or command.now < command.due_at:
        return []
    return [
        DecisionOverdue(
            **Subject(state=state, side=side, review=review).ids,
            what=command.what,
            ref_id=command.ref_id,
            due_at=utc(command.due_at),
        )
        for side, review in state.sheet.reviews.items()
        if is_undecided(review, command)
    ]


def is_undecided(review: Written, command: NoteOverdue) -> bool:
    if command.what == "FLAG":
        flag = review.open_flags.get(command.ref_id)
        withdrawn = isinstance(review.standing, ReviewWithdrawn)
        return flag is not None and flag.decide_by == command.due_at and not withdrawn
    appeal = review.appeals.get(command.ref_id)
    return (
        appeal is not None and appeal.decided is None and appeal.lodged.decide_by == command.due_at
    )
