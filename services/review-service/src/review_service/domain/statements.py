"""A decision about a review in, the statement of reasons for whom it goes against out."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from shared_casework import reasons
from shared_casework.reasons import LegalGround, Source
from shared_events.common import MatterFact, StatementOfReasonsIssued, Visibility
from shared_events.fields import Party
from shared_events.review import Ground, Restriction

from review_service.domain.commands import DecideModerationAppeal, RestrictReview
from review_service.domain.guards import Shape
from review_service.domain.subject import Subject

EXPLANATION_LENGTH_MAX = 2000
APPEAL = "AppealModeration"


class Recipient(Struct, frozen=True, kw_only=True):
    role: Party
    id: str


class Ruling(Struct, frozen=True, kw_only=True):
    """What was decided, as the public database of statements has it."""

    visibility: Visibility
    ground: Ground
    source_type: Source
    automated_detection: bool
    appeal_until: datetime | None = None

    @property
    def legal_ground(self) -> LegalGround:
        return "ILLEGAL_CONTENT" if self.ground == "ILLEGAL" else "INCOMPATIBLE_CONTENT"


def author_of(subject: Subject) -> Recipient:
    return Recipient(role=subject.side, id=subject.author_id)


def statement(
    subject: Subject,
    command: RestrictReview | DecideModerationAppeal,
    recipient: Recipient,
    ruling: Ruling,
) -> StatementOfReasonsIssued:
    review = subject.ids
    matter = f"{review['order_id']}/{review['review_id']}"
    return reasons.statement(
        MatterFact(**review),
        reasons.Ruling(
            decision_id=reasons.decision_id(matter, type(command).__name__, command.now),
            decided_at=command.now,
            subject_kind="REVIEW",
            subject_id=review["review_id"],
            visibility=ruling.visibility,
            ground=ruling.legal_ground,
            rule_ids=command.rule_ids,
            explanation=command.explanation,
            source_type=ruling.source_type,
            automated_detection=ruling.automated_detection,
            appeal_until=ruling.appeal_until,
            appeal_command=APPEAL,
        ),
        reasons.Recipient(role=recipient.role, id=recipient.id, facts=command.facts_text),
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
    reasons.require_reasons(
        rule_ids=command.rule_ids, facts=command.facts_text, explanation=command.explanation
    )
