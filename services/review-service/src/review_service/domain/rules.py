"""The evaluation of one completed order: every command that it knows, in the order of its life.

Neither side sees the other's review before both are in or the time is over. A pause stops the
closing clock alone: both sides may still write. Once revealed, reviews are replied to, flagged,
judged by people, and weighed anew with each change.
"""

from typing import Any

from shared_events.review import EvaluationEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from review_service.domain.appeals import APPEAL_MODERATION, DECIDE_MODERATION_APPEAL
from review_service.domain.attribution import REATTRIBUTE_DIMENSION
from review_service.domain.closing_clock import OPEN_EVALUATION, PAUSE_EVALUATION, RESUME_EVALUATION
from review_service.domain.codes import REWEIGH_REVIEW
from review_service.domain.double_blind import (
    AMEND_REVIEW,
    CLOSE_EVALUATION,
    SUBMIT_REVIEW,
    VOID_EVALUATION,
)
from review_service.domain.evaluation_state import Evaluation, Unopened, evolve
from review_service.domain.flags import FLAG_REVIEW
from review_service.domain.holding import HOLD_REVIEW, RELEASE_REVIEW
from review_service.domain.known import Known
from review_service.domain.moderation import KEEP_REVIEW, RESTRICT_REVIEW
from review_service.domain.overdue import NOTE_OVERDUE
from review_service.domain.replies import APPEND_FOLLOW_UP, EDIT_REPLY, PUBLISH_REPLY
from review_service.domain.revision import GRANT_REVISION, REQUEST_REVISION, REVISE_REVIEW
from review_service.domain.screening import LIFT_CAMPAIGN_WEIGHT, RECORD_SCREENING
from review_service.domain.withdrawal import WITHDRAW_REVIEW

RULES = Rules[Evaluation, Known, EvaluationEvent](
    OPEN_EVALUATION,
    PAUSE_EVALUATION,
    RESUME_EVALUATION,
    CLOSE_EVALUATION,
    VOID_EVALUATION,
    SUBMIT_REVIEW,
    AMEND_REVIEW,
    WITHDRAW_REVIEW,
    PUBLISH_REPLY,
    EDIT_REPLY,
    APPEND_FOLLOW_UP,
    GRANT_REVISION,
    REQUEST_REVISION,
    REVISE_REVIEW,
    FLAG_REVIEW,
    RECORD_SCREENING,
    LIFT_CAMPAIGN_WEIGHT,
    HOLD_REVIEW,
    RELEASE_REVIEW,
    KEEP_REVIEW,
    RESTRICT_REVIEW,
    APPEAL_MODERATION,
    DECIDE_MODERATION_APPEAL,
    REATTRIBUTE_DIMENSION,
    REWEIGH_REVIEW,
    NOTE_OVERDUE,
)

type EvaluationCommand = Sent[Any, Known]

EVALUATIONS = Decider[Evaluation, EvaluationCommand, EvaluationEvent](
    initial=Unopened(), decide=RULES.decide, evolve=evolve
)
