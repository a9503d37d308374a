"""A moderator's decision in; a review, or a part of it, kept or restricted, with reasons, out."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace
from shared_casework.parties import accounts_of
from shared_casework.reasons import REASONS
from shared_casework.values import utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Id
from shared_events.review import (
    EvaluationEvent,
    Ground,
    Part,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
    ReviewWeighted,
)
from shared_runtime.decider import ConflictOfInterest, FieldError, InvalidValue, WrongState
from shared_runtime.rule import Guard
from shared_runtime.shape import ONCE

from review_service.domain.known import Sender, policy_of
from review_service.domain.review_state import HIDING, Clear, DismissedFlag, part_of
from review_service.domain.statements import (
    Explanation,
    FactsText,
    Measures,
    RuleIds,
    Ruling,
    appeal_until,
    statement,
    visibility_of,
    writer_of,
)
from review_service.domain.subject import (
    ReviewRule,
    Subject,
    claimant,
    claimants_of,
    flagger_of,
    impartial,
)

PART_ALONE = "a part of a review is restricted alone"


class KeepReview(Struct, frozen=True, kw_only=True):
    """The flags that it answers, and the rules that the review does not break."""

    review_id: Id
    flag_ids: Annotated[tuple[Id, ...], Meta(max_length=100), ONCE]
    rule_ids: RuleIds


class RestrictReview(Struct, frozen=True, kw_only=True):
    """`explanation` and `facts` go to whoever wrote it, `facts` sealed for him."""

    review_id: Id
    ground: Ground
    rule_ids: RuleIds
    facts: FactsText = None
    explanation: Explanation = None
    measures: Measures
    automated_detection: bool = False


def keep_review(subject: Subject, said: KeepReview, by: Sender) -> list[EvaluationEvent]:
    """Closes the flags named, which must be open, and ends a hold, unless they are of a part alone.
    Each flagger may appeal, for `review_moderation_appeal`.
    """
    review = subject.review
    for number, flag_id in enumerate(said.flag_ids):
        if flag_id not in review.open_flags:
            field = f"flag_ids[{number}]"
            raise InvalidValue(errors=[FieldError(field=field, bound="an open flag of it")])
    releases = isinstance(review.standing, ReviewHeld) and not of_parts_alone(subject, said)
    if not (said.flag_ids or releases):
        return []
    kept = ReviewKept(
        **subject.ids,
        flag_ids=[*said.flag_ids],
        rule_ids=[*said.rule_ids],
        decided_by=by.actor.id,
        appeal_until=appeal_until(subject, by),
    )
    return [kept, *([ReviewReleased(**subject.ids, how="HUMAN")] if releases else [])]


def of_parts_alone(subject: Subject, said: KeepReview) -> bool:
    """Whether all the flags named are of parts, and there is one."""
    flags = subject.review.flags
    parts = [flags[flag_id].raised.part for flag_id in said.flag_ids if flag_id in flags]
    return bool(parts) and all(parts)


def kept_by_outsider(subject: Subject, said: KeepReview, by: Sender) -> None:
    """nobody with a stake in it, nor who raised one of the flags"""
    flags = subject.review.flags
    named = (flags[flag_id].raised for flag_id in said.flag_ids if flag_id in flags)
    impartial(subject, by, claimants_of(named))


def is_kept_so(subject: Subject, said: KeepReview, by: Sender) -> bool:
    """Whether this very decision has been taken."""
    return any(
        isinstance(flag, DismissedFlag)
        and (flag.kept.flag_ids, flag.kept.rule_ids, flag.kept.decided_by)
        == ([*said.flag_ids], [*said.rule_ids], by.actor.id)
        for flag in subject.review.flags.values()
    )


def keepable(subject: Subject, said: KeepReview, _: Sender) -> None:
    """VISIBLE, HELD; flags of parts alone also of a RESTRICTED one"""
    may = (
        ("VISIBLE", "HELD", "RESTRICTED") if of_parts_alone(subject, said) else ("VISIBLE", "HELD")
    )
    if subject.status not in may:
        raise WrongState(state=subject.status)


def open_for(subject: Subject, by: Sender) -> Sequence[KeepReview]:
    """All that he may answer."""
    flags = subject.review.open_flags
    own = accounts_of(by.actor)
    others = [each for each, flag in flags.items() if own.isdisjoint(claimant(*flagger_of(flag)))]
    held = isinstance(subject.review.standing, ReviewHeld)
    named = tuple(others if others or held else flags)
    return [KeepReview(review_id=subject.review.review_id, flag_ids=named, rule_ids=("R-3",))]


KEEP_REVIEW = ReviewRule(
    KeepReview,
    keep_review,
    roles=("MODERATOR",),
    human=True,
    impartial=Guard(kept_by_outsider, ConflictOfInterest),
    repeated=is_kept_so,
    stands=Guard(keepable, WrongState),
    events=(ReviewKept, ReviewReleased, ReviewWeighted),
    example=KeepReview(review_id="R-1", flag_ids=("F-1",), rule_ids=("R-3",)),
    tries=open_for,
)


def restrict_review(subject: Subject, said: RestrictReview, by: Sender) -> list[EvaluationEvent]:
    """Nothing is deleted: it is kept, sealed, for `review_retention` at least. Who wrote it is told
    why, and may appeal for `review_moderation_appeal`. A part is restricted by itself: the review
    keeps where it stands, and its weight.
    """
    part = part_of(said.measures)
    ruling = Ruling(
        visibility=visibility_of(said.measures),
        ground=said.ground,
        source_type="NOTICE" if subject.review.flags_of(part) else "OWN_INITIATIVE",
        automated_detection=said.automated_detection,
        appealable=True,
    )
    told = statement(subject, said, by, writer_of(subject, part), ruling)
    return [restriction(subject, said, by), told]


def restriction(subject: Subject, said: RestrictReview, by: Sender) -> ReviewRestricted:
    return ReviewRestricted(
        **subject.ids,
        ground=said.ground,
        rule_ids=[*said.rule_ids],
        measures=[*said.measures],
        automated_detection=said.automated_detection,
        decided_by=by.actor.id,
        appeal_until=appeal_until(subject, by),
        retain_until=utc(by.now) + policy_of(subject.sheet, by).review_retention,
    )


def restricted_by_outsider(subject: Subject, said: RestrictReview, by: Sender) -> None:
    """nobody with a stake in it, nor who raised a flag; nor, where nothing new has
    come up, who has decided about it"""
    review, part = subject.review, part_of(said.measures)
    flags = review.flags_of(part).values()
    # Where nothing new has come up, who has decided about it has done so.
    shown = review.has(part) if part else isinstance(review.standing, Clear)
    settled = shown and not flags
    deciders = review.deciders_of(part) if settled else frozenset[str]()
    impartial(subject, by, claimants_of(flags), deciders)


def is_restricted_so(subject: Subject, said: RestrictReview, by: Sender) -> bool:
    """Whether this restriction, of whatever instant, is the one in force."""
    part = part_of(said.measures)
    hidden = subject.review.hidden.get(part) if part else None
    standing = hidden.event if hidden else subject.review.standing
    return isinstance(standing, ReviewRestricted) and decision(standing) == decision(
        restriction(subject, said, by)
    )


def decision(restricted: ReviewRestricted) -> tuple[object, ...]:
    return (
        restricted.ground,
        restricted.rule_ids,
        restricted.measures,
        restricted.automated_detection,
        restricted.decided_by,
    )


def restrictable(subject: Subject, said: RestrictReview, _: Sender) -> None:
    """SUBMITTED, VISIBLE, HELD; a part that is there: VISIBLE, HELD, RESTRICTED"""
    part = part_of(said.measures)
    may = ("VISIBLE", "HELD", "RESTRICTED") if part else ("SUBMITTED", "VISIBLE", "HELD")
    if subject.status not in may or (part and not subject.review.has(part)):
        raise WrongState(state=subject.status)


def part_alone(said: RestrictReview, _: Sender) -> Iterator[FieldError]:
    if part_of(said.measures) and len(said.measures) > 1:
        yield FieldError(field="measures", bound=PART_ALONE)


def whole_or_part(subject: Subject, _: Sender) -> Sequence[RestrictReview]:
    parts: list[Part] = [part for part in HIDING if subject.review.has(part)]
    return [RESTRICTION, *(replace(RESTRICTION, measures=(HIDING[part],)) for part in parts)]


RESTRICTION = RestrictReview(
    review_id="R-1",
    ground="PERSONAL_DATA",
    rule_ids=("R-3",),
    facts="The second sentence gives a private person's name and street.",
    explanation="Reviews may not give anybody's address. The stars still count.",
    measures=("HIDE_TEXT",),
)
RESTRICT_REVIEW = ReviewRule(
    RestrictReview,
    restrict_review,
    roles=("MODERATOR",),
    shape=part_alone,
    human=True,
    impartial=Guard(restricted_by_outsider, ConflictOfInterest),
    reasons=REASONS,
    repeated=is_restricted_so,
    stands=Guard(restrictable, WrongState),
    events=(ReviewRestricted, ReviewWeighted, StatementOfReasonsIssued),
    example=RESTRICTION,
    tries=whole_or_part,
)
