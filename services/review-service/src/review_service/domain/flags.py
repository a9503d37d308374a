"""A reader's complaint in, an open flag that somebody has to decide out."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.fields import NOTE_LENGTH_MAX, Id
from shared_events.review import EvaluationEvent, FlagReason, Part, ReviewFlagged
from shared_events.sealed import same_text
from shared_runtime.decider import (
    AlreadySubmitted,
    FieldError,
    InvalidValue,
    RateLimited,
    WrongState,
)
from shared_runtime.rule import Guard
from shared_runtime.shape import Made, Words

from review_service.domain.known import Sender, policy_of
from review_service.domain.subject import PERSON, ReviewRule, Subject, flagger_of, sender_of

DAY = timedelta(days=1)


class FlagReview(Struct, frozen=True, kw_only=True):
    """What is wrong with a review, or with its reply or follow-up alone."""

    review_id: Id
    flag_id: Annotated[Id, Made("flag")]
    part: Part | None = None
    reason: FlagReason
    text: Annotated[str | None, Words(NOTE_LENGTH_MAX)] = None


def flag_review(subject: Subject, said: FlagReview, by: Sender) -> list[EvaluationEvent]:
    """Any reader's, party or not; the same `review_flag_sla` whatever the stars are. One open flag
    of each on a review or part, `review_flags_per_day_max` of each a day.
    """
    sender = sender_of(by.actor)
    for flag_id, other in subject.review.flags_of(said.part).items():
        if flagger_of(other) == sender:
            raise AlreadySubmitted(existing_id=flag_id)
    policy = policy_of(subject.sheet, by)
    recent = sorted(at for at in by.known.flagged_today_at if at > by.now - DAY)
    if len(recent) >= policy.review_flags_per_day_max:
        raise RateLimited(retry_at=utc(recent[-policy.review_flags_per_day_max]) + DAY)
    role, account_id = sender
    return [
        ReviewFlagged(
            **subject.ids,
            flag_id=said.flag_id,
            flagger_role=role,
            flagger_id=account_id,
            part=said.part,
            reason=said.reason,
            text=said.text,
            decide_by=utc(by.now) + policy.review_flag_sla,
        )
    ]


def is_flagged(subject: Subject, said: FlagReview, by: Sender) -> bool:
    if (known := subject.review.flags.get(said.flag_id)) is None:
        return False
    raised = known.raised
    one = (flagger_of(raised), raised.reason, raised.part)
    same = one == (sender_of(by.actor), said.reason, said.part)
    if same and same_text(raised.text, said.text):
        return True
    bound = "not that of another flag"
    raise InvalidValue(errors=[FieldError(field="flag_id", bound=bound)])


def to_be_read(subject: Subject, said: FlagReview, _: Sender) -> None:
    """VISIBLE; of a part, that it is shown"""
    shown = subject.is_shown(said.part) if said.part else subject.status == "VISIBLE"
    if not shown:
        raise WrongState(state=subject.status)


def whole_and_parts(subject: Subject, _: Sender) -> Sequence[FlagReview]:
    parts = [part for part in PARTS if subject.is_shown(part)]
    return [replace(FLAG, part=part) for part in (None, *parts)]


PARTS: tuple[Part, ...] = ("REPLY", "FOLLOW_UP")
FLAG = FlagReview(
    review_id="R-1", flag_id="F-1", reason="PERSONAL_DATA", text="It names my street."
)
FLAG_REVIEW = ReviewRule(
    FlagReview,
    flag_review,
    roles=("BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM"),
    barred=PERSON,
    repeated=is_flagged,
    stands=Guard(to_be_read, WrongState),
    refuses=(AlreadySubmitted, RateLimited),
    events=(ReviewFlagged,),
    example=FLAG,
    tries=whole_and_parts,
)
