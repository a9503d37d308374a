"""What is known of one side's review; facts about it in, what is known then out.

    SUBMITTED -> VISIBLE <-> HELD      VISIBLE, HELD -> RESTRICTED <-> VISIBLE      any -> WITHDRAWN

SUBMITTED and VISIBLE are the same here: the reveal, which is of both sides, makes the difference.
A part (reply, follow-up) is hidden and shown by itself, and the review keeps where it stands.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.common import StatementOfReasonsIssued
from shared_events.review import (
    Carriage,
    DimensionReattributed,
    Flagger,
    FollowUpAppended,
    Ground,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    ReplyEdited,
    ReplyPublished,
    Restriction,
    ReviewAmended,
    ReviewFact,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewScreened,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    RevisionGranted,
    RevisionRequested,
    WeightCode,
)

from review_service.domain.content import BuyerReview, Content, content_of

HIDING: Mapping[Part, Restriction] = {"REPLY": "HIDE_REPLY", "FOLLOW_UP": "HIDE_FOLLOW_UP"}
"""The measure that hides a part alone."""


def part_of(measures: Sequence[Restriction]) -> Part | None:
    """The part that measures are about; None if they are about the review."""
    for part, measure in HIDING.items():
        if measure in measures:
            return part
    return None


class Clear(Struct, frozen=True):
    """Nothing stands against it: once revealed, everybody sees it."""


type Standing = Clear | ReviewHeld | ReviewRestricted | ReviewWithdrawn


class Reply(Struct, frozen=True, kw_only=True):
    """As it was published, by which a repeat is recognised, and as it was edited last."""

    published: ReplyPublished
    edited: ReplyEdited | None = None

    @property
    def text(self) -> str:
        return self.edited.text if self.edited else self.published.text

    @property
    def version(self) -> int:
        return self.edited.version if self.edited else 1


class OpenFlag(Struct, frozen=True):
    raised: ReviewFlagged


class DismissedFlag(Struct, frozen=True):
    """The review was kept: the flagger may appeal."""

    raised: ReviewFlagged
    kept: ReviewKept


class FollowedFlag(Struct, frozen=True):
    """What was flagged was restricted."""

    raised: ReviewFlagged


type Flag = OpenFlag | DismissedFlag | FollowedFlag


class Restricted(Struct, frozen=True):
    """A restriction, and why: the statement for whose words they are."""

    event: ReviewRestricted
    reasons: StatementOfReasonsIssued | None = None


type Contested = ReviewRestricted | DismissedFlag
"""The decision that an appeal is against."""


class Appeal(Struct, frozen=True, kw_only=True):
    """`reasons`: what whoever the decision went against was told."""

    lodged: ModerationAppealed
    against: Contested
    decided: ModerationAppealDecided | None = None
    reasons: StatementOfReasonsIssued | None = None


class Review(Struct, frozen=True, kw_only=True):
    """One side's review. `submitted` is as it first came, by which a repeat is recognised.

    `was`: what the author said before the revision. `weighted` is its last weight: none before the
    reveal. `unproven`: its campaign came to nothing. `decided`: who has kept or restricted what of
    it, or decided an appeal about that. `reasons` are those of the restriction in force, `hidden`
    are the parts that are restricted by themselves; `appeal_decided` is the appeal that was decided
    last.
    `screened` is the screening that the weight goes by. `carriage` is whose account the star for
    the delivery is on; `carriages` are the causes that moved it, and where to.
    """

    review_id: str
    submitted_at: datetime
    submitted: Content
    content: Content
    was: BuyerReview | None = None
    version: int = 1
    standing: Standing = Clear()
    reasons: StatementOfReasonsIssued | None = None
    hidden: Mapping[Part, Restricted] = {}
    weighted: ReviewWeighted | None = None
    reply: Reply | None = None
    follow_up: FollowUpAppended | None = None
    granted: RevisionGranted | None = None
    requested: RevisionRequested | None = None
    revised: ReviewRevised | None = None
    flags: Mapping[str, Flag] = {}
    held_for: frozenset[Ground] = frozenset()
    decided: frozenset[tuple[Part | None, str]] = frozenset()
    appeals: Mapping[str, Appeal] = {}
    appeal_decided: str | None = None
    screened: ReviewScreened | None = None
    last_screening: ReviewScreened | None = None
    campaign_until: datetime | None = None
    unproven: bool = False
    carriage: Carriage = "SELLER"
    carriages: frozenset[tuple[str, Carriage]] = frozenset()

    @property
    def codes(self) -> frozenset[WeightCode]:
        """Those of the last weight."""
        return frozenset(r.code for r in self.weighted.reasons) if self.weighted else frozenset()

    @property
    def open_flags(self) -> dict[str, ReviewFlagged]:
        return {
            flag_id: flag.raised
            for flag_id, flag in self.flags.items()
            if isinstance(flag, OpenFlag)
        }

    def flags_of(self, part: Part | None) -> dict[str, ReviewFlagged]:
        """The open flags of the review itself, or of one of its parts."""
        return {flag_id: flag for flag_id, flag in self.open_flags.items() if flag.part == part}

    def deciders_of(self, part: Part | None) -> frozenset[str]:
        """Who has decided about the review itself, or about one of its parts."""
        return frozenset(decider for about, decider in self.decided if about == part)

    def has(self, part: Part) -> bool:
        """Whether the part is there, and not hidden by itself."""
        there = self.reply if part == "REPLY" else self.follow_up
        return there is not None and part not in self.hidden


def submitted(event: ReviewSubmitted, before: Review | None) -> Review:
    """`before`: what its author took back before the reveal. What was found of that, and who has
    decided about it, is not shaken off by writing once more.
    """
    content = content_of(event)
    review = Review(
        review_id=event.review_id,
        submitted_at=event.submitted_at,
        submitted=content,
        content=content,
    )
    if before is None:
        return review
    return replace(
        review,
        held_for=before.held_for,
        decided=before.decided,
        screened=before.screened,
        last_screening=before.last_screening,
        campaign_until=before.campaign_until,
    )


def evolve_review(review: Review, event: ReviewFact) -> Review:
    """What is known after a fact about a review that is there."""
    return CHANGES[type(event)](review, event)


def amended(review: Review, event: ReviewAmended) -> Review:
    return replace(review, content=content_of(event), version=event.version)


def weighted(review: Review, event: ReviewWeighted) -> Review:
    unproven = any(reason.code == "CAMPAIGN_UNPROVEN" for reason in event.reasons)
    return replace(review, weighted=event, unproven=review.unproven or unproven)


def replied(review: Review, event: ReplyPublished) -> Review:
    return replace(review, reply=Reply(published=event))


def reply_edited(review: Review, event: ReplyEdited) -> Review:
    assert review.reply
    return replace(review, reply=replace(review.reply, edited=event))


def followed_up(review: Review, event: FollowUpAppended) -> Review:
    return replace(review, follow_up=event)


def granted(review: Review, event: RevisionGranted) -> Review:
    return replace(review, granted=event)


def requested(review: Review, event: RevisionRequested) -> Review:
    return replace(review, requested=event)


def revised(review: Review, event: ReviewRevised) -> Review:
    assert isinstance(review.content, BuyerReview)
    content = replace(
        review.content,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        text=event.text or review.content.text,
    )
    return replace(review, content=content, was=review.content, revised=event)


def withdrawn(review: Review, event: ReviewWithdrawn) -> Review:
    return replace(review, standing=event)


def flagged(review: Review, event: ReviewFlagged) -> Review:
    return replace(review, flags={**review.flags, event.flag_id: OpenFlag(event)})


def screened(review: Review, event: ReviewScreened) -> Review:
    # A campaign that came to nothing has no say any more, however often it is seen again.
    over = review.unproven and event.campaign
    return replace(
        review,
        screened=review.screened if over else event,
        last_screening=event,
        campaign_until=review.campaign_until or event.campaign_until,
    )


def held(review: Review, event: ReviewHeld) -> Review:
    return replace(review, standing=event, held_for=review.held_for | {event.ground})


def released(review: Review, _: ReviewReleased) -> Review:
    return replace(review, standing=Clear())


def kept(review: Review, event: ReviewKept) -> Review:
    """It is about whatever its flags are about; without one, about the review that was held."""
    parts = {review.flags[flag_id].raised.part for flag_id in event.flag_ids} or {None}
    flags = {
        flag_id: DismissedFlag(flag.raised, event) if flag_id in event.flag_ids else flag
        for flag_id, flag in review.flags.items()
    }
    return replace(
        review,
        flags=flags,
        decided=review.decided | {(part, event.decided_by) for part in parts},
    )


def restricted(review: Review, event: ReviewRestricted) -> Review:
    """It answers the open flags of what it is about."""
    part = part_of(event.measures)
    flags = {
        flag_id: FollowedFlag(flag.raised) if flag_id in review.flags_of(part) else flag
        for flag_id, flag in review.flags.items()
    }
    decided = replace(review, flags=flags, decided=review.decided | {(part, event.decided_by)})
    if part is None:
        return replace(decided, standing=event, reasons=None)
    return replace(decided, hidden={**review.hidden, part: Restricted(event)})


def restored(review: Review, event: ReviewRestored) -> Review:
    if event.part is None:
        return replace(review, standing=Clear())
    hidden = {part: each for part, each in review.hidden.items() if part != event.part}
    return replace(review, hidden=hidden)


def appealed(review: Review, event: ModerationAppealed) -> Review:
    against: Contested
    if event.against == "RESTRICTED":
        against = restriction_of(review, event.part)
    else:
        against = dismissed_flags(review, event.appellant_role, event.appellant_id, event.part)[-1]
    appeal = Appeal(lodged=event, against=against)
    return replace(review, appeals={**review.appeals, event.appeal_id: appeal})


def restriction_of(review: Review, part: Part | None) -> ReviewRestricted:
    """The one in force on a review that is restricted, or on a part that is hidden."""
    if part is not None:
        return review.hidden[part].event
    assert isinstance(review.standing, ReviewRestricted)
    return review.standing


def appeal_decided(review: Review, event: ModerationAppealDecided) -> Review:
    appeal = review.appeals[event.appeal_id]
    return replace(
        review,
        appeals={**review.appeals, event.appeal_id: replace(appeal, decided=event)},
        appeal_decided=event.appeal_id,
        decided=review.decided | {(appeal.lodged.part, event.decided_by)},
    )


def explained(review: Review, statement: StatementOfReasonsIssued) -> Review:
    """It is of the commit that it ends: of the restriction that has no reasons yet, and of the
    appeal that was decided there.
    """
    if isinstance(review.standing, ReviewRestricted) and review.reasons is None:
        review = replace(review, reasons=statement)
    hidden = {
        part: each if each.reasons else Restricted(each.event, statement)
        for part, each in review.hidden.items()
    }
    review = replace(review, hidden=hidden)
    if statement.source_type != "COMPLAINT" or review.appeal_decided is None:
        return review
    appeal = replace(review.appeals[review.appeal_decided], reasons=statement)
    return replace(review, appeals={**review.appeals, review.appeal_decided: appeal})


def reattributed(review: Review, event: DimensionReattributed) -> Review:
    carriages = review.carriages | {(event.cause_id, event.to)}
    return replace(review, carriage=event.to, carriages=carriages)


CHANGES: Mapping[type[ReviewFact], Callable[[Review, Any], Review]] = {
    ReviewAmended: amended,
    ReviewWeighted: weighted,
    ReplyPublished: replied,
    ReplyEdited: reply_edited,
    FollowUpAppended: followed_up,
    RevisionGranted: granted,
    RevisionRequested: requested,
    ReviewRevised: revised,
    ReviewWithdrawn: withdrawn,
    ReviewFlagged: flagged,
    ReviewScreened: screened,
    ReviewHeld: held,
    ReviewReleased: released,
    ReviewKept: kept,
    ReviewRestricted: restricted,
    ReviewRestored: restored,
    ModerationAppealed: appealed,
    ModerationAppealDecided: appeal_decided,
    DimensionReattributed: reattributed,
}


def dismissed_flags(
    review: Review, flagger_role: Flagger | None, flagger_id: str, part: Part | None = None
) -> list[DismissedFlag]:
    """Those of one flagger about the review or a part of it, the last one last. Without a role, of
    whoever has the id.
    """
    return [
        flag
        for flag in review.flags.values()
        if isinstance(flag, DismissedFlag)
        and (flag.raised.flagger_id, flag.raised.part) == (flagger_id, part)
        and flagger_role in (None, flag.raised.flagger_role)
    ]
