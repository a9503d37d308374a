"""The evaluation of one completed order: commands in, facts about both sides' reviews out.

Neither side sees the other's review before both are in or the window has closed. A pause stops
the closing clock alone: both sides may still write. Once revealed, reviews are replied to, flagged,
judged by people, and weighed anew with each change.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shared_events.review import EvaluationEvent
from shared_runtime.decider import (
    AlreadySubmitted,
    Decider,
    NotYetEligible,
    WindowClosed,
    WrongState,
)

from review_service.domain import commands
from review_service.domain.appeals import appeal_moderation, decide_appeal
from review_service.domain.attribution import reattribute_dimension
from review_service.domain.closing_clock import open_evaluation, pause, resume
from review_service.domain.commands import Asked, EvaluationCommand
from review_service.domain.double_blind import amend_review, close, submit_review, void
from review_service.domain.evaluation_state import Evaluation, Unopened, evolve
from review_service.domain.flags import flag_review
from review_service.domain.holding import hold_review, release_review
from review_service.domain.moderation import keep_review, restrict_review
from review_service.domain.overdue import note_overdue
from review_service.domain.policy import Policies
from review_service.domain.replies import append_follow_up, edit_reply, publish_reply
from review_service.domain.revision import grant_revision, request_revision, revise_review
from review_service.domain.reweighing import reweigh_review
from review_service.domain.screening import lift_campaign_weight, record_screening
from review_service.domain.withdrawal import withdraw_review

type Rule = Callable[[Evaluation, Any, Policies], list[EvaluationEvent]]

RULES: Mapping[type[Asked], Rule] = {
    commands.OpenEvaluation: open_evaluation,
    commands.PauseEvaluation: pause,
    commands.ResumeEvaluation: resume,
    commands.CloseEvaluation: close,
    commands.VoidEvaluation: void,
    commands.SubmitReview: submit_review,
    commands.AmendReview: amend_review,
    commands.WithdrawReview: withdraw_review,
    commands.PublishReply: publish_reply,
    commands.EditReply: edit_reply,
    commands.AppendFollowUp: append_follow_up,
    commands.GrantRevision: grant_revision,
    commands.RequestRevision: request_revision,
    commands.ReviseReview: revise_review,
    commands.FlagReview: flag_review,
    commands.RecordScreening: record_screening,
    commands.LiftCampaignWeight: lift_campaign_weight,
    commands.HoldReview: hold_review,
    commands.ReleaseReview: release_review,
    commands.KeepReview: keep_review,
    commands.RestrictReview: restrict_review,
    commands.AppealModeration: appeal_moderation,
    commands.DecideModerationAppeal: decide_appeal,
    commands.ReattributeDimension: reattribute_dimension,
    commands.ReweighReview: reweigh_review,
    commands.NoteOverdue: note_overdue,
}
NO_LONGER_APPLIES = (WrongState, NotYetEligible, WindowClosed, AlreadySubmitted)


def decide(
    state: Evaluation, command: EvaluationCommand, policies: Policies
) -> list[EvaluationEvent]:
    """What comes too late, too early or once more from a timer or a consumer changes nothing."""
    try:
        return RULES[type(command)](state, command, policies)
    except NO_LONGER_APPLIES:
        if command.actor.acts_as == "SYSTEM":
            return []
        raise


def evaluations(policies: Policies) -> Decider[Evaluation, EvaluationCommand, EvaluationEvent]:
    return Decider(initial=Unopened(), decide=partial(decide, policies=policies), evolve=evolve)
