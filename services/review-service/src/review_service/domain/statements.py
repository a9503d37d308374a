"""A decision about a review in, the statement of reasons for whom it goes against out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from msgspec import Struct
from shared_events.common import StatementOfReasonsIssued, Visibility
from shared_events.fields import Party
from shared_events.review import Ground, Restriction
from shared_runtime.decider import ReasonsMissing

from review_service.domain.commands import DecideModerationAppeal, RestrictReview
from review_service.domain.guards import Shape, utc
from review_service.domain.subject import Subject

DECISIONS = UUID("a4a3c1f0-6f0b-5d55-9a39-1c2f7d0e8b46")
"""The namespace of the decisions about reviews."""
EXPLANATION_LENGTH_MAX = 2000
APPEAL = "AppealModeration"


class Recipient(Struct, frozen=True, kw_only=True):
    role: Party
    id: str


class Ruling(Struct, frozen=True, kw_only=True):
    """What was decided, as the public database of statements has it."""

    visibility: Visibility
    ground: Ground
    source_type: Literal["NOTICE", "OWN_INITIATIVE", "COMPLAINT"]
    automated_detection: bool
    appeal_until: datetime | None = None


def author_of(subject: Subject) -> Recipient:
    return Recipient(role=subject.side, id=subject.author_id)


def statement(
    subject: Subject,
    command: RestrictReview | DecideModerationAppeal,
    recipient: Recipient,
    ruling: Ruling,
) -> StatementOfReasonsIssued:
    review = subject.ids
    # A decision is told from all others by the review, its kind and its instant.
    decision = f"{review['order_id']}/{review['review_id']}/{type(command).__name__}"
    decision_id = uuid5(DECISIONS, f"{decision}/{utc(command.now).isoformat()}")
    return StatementOfReasonsIssued(
        **review,
        sor_id=str(uuid5(decision_id, recipient.id)),
        subject_kind="REVIEW",
        subject_id=review["review_id"],
        recipient_role=recipient.role,
        recipient_id=recipient.id,
        decision_visibility=ruling.visibility,
        decision_ground="ILLEGAL_CONTENT" if ruling.ground == "ILLEGAL" else "INCOMPATIBLE_CONTENT",
        rule_ids=[*command.rule_ids],
        explanation=command.explanation,
        facts=command.facts_text,
        source_type=ruling.source_type,
        automated_detection=ruling.automated_detection,
        automated_decision="NOT",
        application_date=utc(command.now),
        appeal_until=ruling.appeal_until,
        appeal_command=APPEAL if ruling.appeal_until else None,
    )


def visibility_of(measures: Iterable[Restriction]) -> Visibility:
    """The gravest of the measures, in the words of the public database."""
    taken = set(measures)
    if "HIDE_REVIEW" in taken:
        return "CONTENT_REMOVED"
    return "CONTENT_DEMOTED" if taken == {"EXCLUDE_SCORE"} else "CONTENT_DISABLED"


def reasons_shape(command: RestrictReview | DecideModerationAppeal) -> Shape:
    shape = Shape()
    shape.ids("rule_ids", command.rule_ids)
    fits = len(command.explanation) <= EXPLANATION_LENGTH_MAX
    shape.require(fits, "explanation", f"0..{EXPLANATION_LENGTH_MAX} characters")
    shape.require(bool(command.measures), "measures", "at least one")
    once = len(set(command.measures)) == len(command.measures)
    shape.require(once, "measures", "each one once")
    return shape


def require_reasons(command: RestrictReview | DecideModerationAppeal) -> None:
    given = {
        "rule_ids": command.rule_ids,
        "facts": command.facts_text,
        "explanation": command.explanation,
    }
    if missing := [name for name, reason in given.items() if not reason]:
        raise ReasonsMissing(missing=missing)
