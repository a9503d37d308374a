"""The evaluation of one completed order: commands in, facts about both sides' reviews out.

Neither side sees the other's review before both are in or the window has closed. A pause stops
the closing clock alone: both sides may still write.
"""

from functools import partial

from shared_events.review import EvaluationEvent
from shared_runtime.decider import Decider

from review_service.domain.closing_clock import open_evaluation, pause, resume
from review_service.domain.commands import (
    AmendReview,
    CloseEvaluation,
    EvaluationCommand,
    OpenEvaluation,
    PauseEvaluation,
    ResumeEvaluation,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.double_blind import amend_review, close, submit_review, void
from review_service.domain.evaluation_state import Evaluation, Unopened, evolve
from review_service.domain.policy import Policies


def decide(  # noqa: PLR0911 - one arm for each command
    state: Evaluation, command: EvaluationCommand, policies: Policies
) -> list[EvaluationEvent]:
    match command:
        case OpenEvaluation():
            return open_evaluation(state, command, policies)
        case PauseEvaluation():
            return pause(state, command, policies)
        case ResumeEvaluation():
            return resume(state, command, policies)
        case SubmitReview():
            return submit_review(state, command, policies)
        case AmendReview():
            return amend_review(state, command)
        case CloseEvaluation():
            return close(state, command, policies)
        case VoidEvaluation():
            return void(state, command)


def evaluations(policies: Policies) -> Decider[Evaluation, EvaluationCommand, EvaluationEvent]:
    return Decider(initial=Unopened(), decide=partial(decide, policies=policies), evolve=evolve)
