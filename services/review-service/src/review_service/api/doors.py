"""What is asked of evaluations and reviews over HTTP: every path and the rule behind it."""

from shared_runtime.doors import Door, doors_api
from shared_runtime.routers import Router

from review_service.api import answers
from review_service.api.evaluations import Evaluations
from review_service.api.places import ReviewPlace, ToEvaluation, ToReview
from review_service.domain.appeals import (
    APPEAL_MODERATION,
    DECIDE_MODERATION_APPEAL,
    AppealModeration,
)
from review_service.domain.double_blind import AMEND_REVIEW, SUBMIT_REVIEW
from review_service.domain.flags import FLAG_REVIEW, FlagReview
from review_service.domain.holding import HOLD_REVIEW, RELEASE_REVIEW
from review_service.domain.moderation import KEEP_REVIEW, RESTRICT_REVIEW
from review_service.domain.readers import Reading
from review_service.domain.replies import APPEND_FOLLOW_UP, EDIT_REPLY, PUBLISH_REPLY
from review_service.domain.revision import REQUEST_REVISION, REVISE_REVIEW
from review_service.domain.screening import RECORD_SCREENING
from review_service.domain.withdrawal import WITHDRAW_REVIEW
from review_service.views import AppealView, FlagView, appeal_of, flag_of

REVIEWS = "/v1/orders/{order_id}/evaluation/reviews"
REVIEW = "/v1/reviews/{ref}"


def flag(at: ReviewPlace, said: FlagReview, reading: Reading) -> FlagView | None:
    return flag_of(reading, at.subject.side, said.flag_id, at.evaluations.refs.of)


def appeal(at: ReviewPlace, said: AppealModeration, reading: Reading) -> AppealView | None:
    return appeal_of(reading, at.subject.side, said.appeal_id)


OF_PARTIES = (
    Door(
        REVIEWS,
        SUBMIT_REVIEW,
        "Write your review",
        description="For the parties of the order, an IMPORTER on behalf of one of them. It is "
        "hidden until both have written or the window closes.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/amendments",
        AMEND_REVIEW,
        "Amend your review",
        description="For its author, until the reveal. It replaces all of it, files too.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/withdrawal",
        WITHDRAW_REVIEW,
        "Withdraw your review",
        description="For its author. Before the reveal you may write another one; after it, this "
        "is final.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/reply",
        PUBLISH_REPLY,
        "Reply to the other side's review",
        description="For the reviewed party, once, for some weeks from the reveal.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/reply/edits",
        EDIT_REPLY,
        "Edit your reply",
        description="For its author, for two days from its publication.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/follow-up",
        APPEND_FOLLOW_UP,
        "Add to your review after some time",
        description="Once, within half a year from the reveal. It has no stars.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/revision-request",
        REQUEST_REVISION,
        "Ask the buyer to revise the review",
        description="Once, after you have made the matter good. The words are the platform's.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEWS}/{{review_id}}/revision",
        REVISE_REVIEW,
        "Revise your review",
        description="Once, after the seller has made the matter good. What was written before "
        "stays readable.",
        shows=answers.EVALUATION_COMMAND,
    ),
)
OF_READERS_AND_STAFF = (
    Door(
        f"{REVIEW}/flags",
        FLAG_REVIEW,
        "Report a review",
        description="Party or not. Every flag is decided in the same time, whatever stars the "
        "review has. With `part` it is about the reply or the follow-up alone.",
        shows=answers.FLAG_COMMAND,
        view=flag,
    ),
    Door(
        f"{REVIEW}/appeals",
        APPEAL_MODERATION,
        "Appeal a decision about a review",
        description="For the author of a restricted review, reply or follow-up, and whoever "
        "flagged one that was kept; once for each decision.",
        shows=answers.APPEAL_COMMAND,
        view=appeal,
    ),
    Door(
        f"{REVIEW}/screenings",
        RECORD_SCREENING,
        "Record what a detector found",
        description="What it makes of the weight is lifted by facts of the order, and for a "
        "campaign that is not proven, after two weeks.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEW}/holds",
        HOLD_REVIEW,
        "Hold a review back for now",
        description="Once on each ground; for three days at most. Negativity alone is no ground.",
        shows=answers.EVALUATION_COMMAND,
    ),
    Door(
        f"{REVIEW}/releases",
        RELEASE_REVIEW,
        "Show a held review again",
        description="It would be shown by itself when the hold ends.",
        shows=answers.EVALUATION_COMMAND,
        versioned=True,
    ),
    Door(
        f"{REVIEW}/keeps",
        KEEP_REVIEW,
        "Decide that a review stays",
        description="It closes the flags named; each flagger may appeal.",
        shows=answers.EVALUATION_COMMAND,
        versioned=True,
    ),
    Door(
        f"{REVIEW}/restrictions",
        RESTRICT_REVIEW,
        "Restrict a review, with reasons",
        description="Whoever wrote it gets the statement of reasons and may appeal. Nothing is "
        "deleted. HIDE_REPLY or HIDE_FOLLOW_UP, alone, hide that part, and the review stays.",
        shows=answers.EVALUATION_COMMAND,
        versioned=True,
    ),
    Door(
        f"{REVIEW}/appeals/{{appeal_id}}/decision",
        DECIDE_MODERATION_APPEAL,
        "Decide an appeal",
        description="Not for who decided first. There is no further appeal inside the platform.",
        shows=answers.EVALUATION_COMMAND,
        versioned=True,
    ),
)


def evaluation_doors(evaluations: Evaluations) -> list[Router]:
    return [
        doors_api(OF_PARTIES, ToEvaluation(evaluations), tag="evaluations"),
        doors_api(OF_READERS_AND_STAFF, ToReview(evaluations), tag="moderation"),
    ]
