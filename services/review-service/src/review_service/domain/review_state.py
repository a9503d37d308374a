"""What is known of one side's review; facts about it in, what is known then out.

    SUBMITTED -> VISIBLE <-> HELD      VISIBLE, HELD -> RESTRICTED <-> VISIBLE      any -> WITHDRAWN

SUBMITTED and VISIBLE are the same here: the reveal, which is of both sides, makes the difference.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.review import (
    Carriage,
    DimensionReattributed,
    Flagger,
    FollowUpAppended,
    Ground,
    ModerationAppealDecided,
    ModerationAppealed,
    ReplyEdited,
    ReplyPublished,
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

from review_service.domain.commands import BuyerReview, Content, SellerReview


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
    """The review was restricted."""

    raised: ReviewFlagged


type Flag = OpenFlag | DismissedFlag | FollowedFlag
type Contested = ReviewRestricted | DismissedFlag
"""The decision that an appeal is against."""


class Appeal(Struct, frozen=True, kw_only=True):
    lodged: ModerationAppealed
    against: Contested
    decided: ModerationAppealDecided | None = None


class Written(Struct, frozen=True, kw_only=True):
    """One side's review. `submitted` is as it first came, by which a repeat is recognised.

    `weighted` is its last weight: none before the reveal. `unproven`: its campaign came to nothing.
    `deciders` are all who have kept or restricted it or decided an appeal. `screened` is the
    screening that the weight goes by. `carriage` is whose account the star for the delivery is
    on; `carriages` are the causes that moved it, and where to.
    """

    review_id: str
    submitted: Content
    content: Content
    version: int = 1
    standing: Standing = Clear()
    weighted: ReviewWeighted | None = None
    reply: Reply | None = None
    follow_up: FollowUpAppended | None = None
    granted: RevisionGranted | None = None
    requested: bool = False
    revised: ReviewRevised | None = None
    flags: Mapping[str, Flag] = {}
    held_for: frozenset[Ground] = frozenset()
    deciders: frozenset[str] = frozenset()
    appeals: Mapping[str, Appeal] = {}
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


def submitted(event: ReviewSubmitted, before: Written | None) -> Written:
    """`before`: what its author took back before the reveal. What was found of that, and who has
    decided about it, is not shaken off by writing once more.
    """
    content = content_of(event)
    review = Written(review_id=event.review_id, submitted=content, content=content)
    if before is None:
        return review
    return replace(
        review,
        held_for=before.held_for,
        deciders=before.deciders,
        screened=before.screened,
        last_screening=before.last_screening,
        campaign_until=before.campaign_until,
    )


def evolve_review(review: Written, event: ReviewFact) -> Written:
    """What is known after a fact about a review that is there."""
    return CHANGES[type(event)](review, event)


def amended(review: Written, event: ReviewAmended) -> Written:
    return replace(review, content=content_of(event), version=event.version)


def weighted(review: Written, event: ReviewWeighted) -> Written:
    unproven = any(reason.code == "CAMPAIGN_UNPROVEN" for reason in event.reasons)
    return replace(review, weighted=event, unproven=review.unproven or unproven)


def replied(review: Written, event: ReplyPublished) -> Written:
    return replace(review, reply=Reply(published=event))


def reply_edited(review: Written, event: ReplyEdited) -> Written:
    assert review.reply
    return replace(review, reply=replace(review.reply, edited=event))


def followed_up(review: Written, event: FollowUpAppended) -> Written:
    return replace(review, follow_up=event)


def granted(review: Written, event: RevisionGranted) -> Written:
    return replace(review, granted=event)


def requested(review: Written, _: RevisionRequested) -> Written:
    return replace(review, requested=True)


def revised(review: Written, event: ReviewRevised) -> Written:
    assert isinstance(review.content, BuyerReview)
    content = replace(
        review.content,
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        text=event.text or review.content.text,
    )
    return replace(review, content=content, revised=event)


def withdrawn(review: Written, event: ReviewWithdrawn) -> Written:
    return replace(review, standing=event)


def flagged(review: Written, event: ReviewFlagged) -> Written:
    return replace(review, flags={**review.flags, event.flag_id: OpenFlag(event)})


def screened(review: Written, event: ReviewScreened) -> Written:
    # A campaign that came to nothing has no say any more, however often it is seen again.
    over = review.unproven and event.campaign
    return replace(
        review,
        screened=review.screened if over else event,
        last_screening=event,
        campaign_until=review.campaign_until or event.campaign_until,
    )


def held(review: Written, event: ReviewHeld) -> Written:
    return replace(review, standing=event, held_for=review.held_for | {event.ground})


def released(review: Written, _: ReviewReleased) -> Written:
    return replace(review, standing=Clear())


def kept(review: Written, event: ReviewKept) -> Written:
    flags = {
        flag_id: DismissedFlag(flag.raised, event) if flag_id in event.flag_ids else flag
        for flag_id, flag in review.flags.items()
    }
    return replace(review, flags=flags, deciders=review.deciders | {event.decided_by})


def restricted(review: Written, event: ReviewRestricted) -> Written:
    flags = {
        flag_id: FollowedFlag(flag.raised) if isinstance(flag, OpenFlag) else flag
        for flag_id, flag in review.flags.items()
    }
    deciders = review.deciders | {event.decided_by}
    return replace(review, standing=event, flags=flags, deciders=deciders)


def restored(review: Written, _: ReviewRestored) -> Written:
    return replace(review, standing=Clear())


def appealed(review: Written, event: ModerationAppealed) -> Written:
    against: Contested
    if event.against == "RESTRICTED":
        assert isinstance(review.standing, ReviewRestricted)
        against = review.standing
    else:
        against = dismissed_flags(review, event.appellant_role, event.appellant_id)[-1]
    appeal = Appeal(lodged=event, against=against)
    return replace(review, appeals={**review.appeals, event.appeal_id: appeal})


def appeal_decided(review: Written, event: ModerationAppealDecided) -> Written:
    decided = replace(review.appeals[event.appeal_id], decided=event)
    return replace(
        review,
        appeals={**review.appeals, event.appeal_id: decided},
        deciders=review.deciders | {event.decided_by},
    )


def reattributed(review: Written, event: DimensionReattributed) -> Written:
    carriages = review.carriages | {(event.cause_id, event.to)}
    return replace(review, carriage=event.to, carriages=carriages)


CHANGES: Mapping[type[ReviewFact], Callable[[Written, Any], Written]] = {
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
    review: Written, flagger_role: Flagger | None, flagger_id: str
) -> list[DismissedFlag]:
    """Those of one flagger, the last one last. Without a role, of whoever has the id."""
    return [
        flag
        for flag in review.flags.values()
        if isinstance(flag, DismissedFlag)
        and flag.raised.flagger_id == flagger_id
        and flagger_role in (None, flag.raised.flagger_role)
    ]


def content_of(event: ReviewSubmitted | ReviewAmended) -> Content:
    if event.side == "SELLER":
        assert event.rating is not None
        return SellerReview(rating=event.rating, text=event.text)
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return BuyerReview(
        quality=event.quality,
        logistics=event.logistics,
        service=event.service,
        incentive=event.incentive,
        text=event.text,
        media=tuple(event.media or ()),
        media_sha256=tuple(event.media_sha256 or ()),
    )
