"""A decision about a review in, the statement of reasons for whom it goes against out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework import reasons
from shared_casework.reasons import LegalGround, Reasoned, Source
from shared_casework.values import utc
from shared_events.common import MatterFact, StatementOfReasonsIssued, Visibility
from shared_events.fields import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Id, Party
from shared_events.review import Ground, Part, Restriction
from shared_runtime.shape import ONCE, Words

from review_service.domain.known import Sender, policy_of
from review_service.domain.subject import Subject

APPEAL = "AppealModeration"

type RuleIds = Annotated[tuple[Id, ...], Meta(max_length=20), ONCE]
type FactsText = Annotated[str | None, Words(TEXT_LENGTH_MAX, sealed_for="RECIPIENT")]
"""What of it goes against the recipient, sealed for him."""
type Explanation = Annotated[str | None, Words(NOTE_LENGTH_MAX, sealed_for=None)]
"""In plain words."""
type Measures = Annotated[tuple[Restriction, ...], Meta(min_length=1, max_length=4), ONCE]


class Recipient(Struct, frozen=True, kw_only=True):
    role: Party
    id: str


class Ruling(Struct, frozen=True, kw_only=True):
    """What was decided, as the public database of statements has it."""

    visibility: Visibility
    ground: Ground
    source_type: Source
    automated_detection: bool
    appealable: bool = False

    @property
    def legal_ground(self) -> LegalGround:
        return "ILLEGAL_CONTENT" if self.ground == "ILLEGAL" else "INCOMPATIBLE_CONTENT"


def writer_of(subject: Subject, part: Part | None) -> Recipient:
    side = subject.writer_of(part)
    return Recipient(role=side, id=subject.account_of(side))


def statement(
    subject: Subject, said: Reasoned, by: Sender, recipient: Recipient, ruling: Ruling
) -> StatementOfReasonsIssued:
    review = subject.ids
    assert said.facts
    assert said.explanation
    matter = f"{review['order_id']}/{review['review_id']}"
    return reasons.statement(
        MatterFact(**review),
        reasons.Ruling(
            decision_id=reasons.decision_id(matter, type(said).__name__, by.now),
            decided_at=by.now,
            subject_kind="REVIEW",
            subject_id=review["review_id"],
            visibility=ruling.visibility,
            ground=ruling.legal_ground,
            rule_ids=said.rule_ids,
            explanation=said.explanation,
            source_type=ruling.source_type,
            automated_detection=ruling.automated_detection,
            appeal_until=appeal_until(subject, by) if ruling.appealable else None,
            appeal_command=APPEAL,
        ),
        reasons.Recipient(role=recipient.role, id=recipient.id, facts=said.facts),
    )


def appeal_until(subject: Subject, by: Sender) -> datetime:
    return utc(by.now) + policy_of(subject.sheet, by).review_moderation_appeal


def visibility_of(measures: Iterable[Restriction]) -> Visibility:
    """The gravest of the measures, in the words of the public database."""
    taken = set(measures)
    if taken & {"HIDE_REVIEW", "HIDE_REPLY", "HIDE_FOLLOW_UP"}:
        return "CONTENT_REMOVED"
    return "CONTENT_DEMOTED" if taken == {"EXCLUDE_SCORE"} else "CONTENT_DISABLED"
