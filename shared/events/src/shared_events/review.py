"""Facts about evaluations: topic `review.events`, streams `evaluation-<order id>`, keyed by seller.

Stored and published for ever: add optional fields and new events, never rename. What people wrote
is sealed with their keys; `media_sha256` are the digests of the files that `media` names.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared_events.common import DecisionOverdue, Media, StatementOfReasonsIssued
from shared_events.fields import (
    Code,
    Count,
    Id,
    Instant,
    MediaDigests,
    Milli,
    Seconds,
    Stars,
)
from shared_events.sealed import Sealed

TOPIC = "review.events"

type Side = Literal["BUYER", "SELLER"]
type Incentive = Literal["NONE", "FREE_OR_DISCOUNTED", "PAYMENT", "RELATED_PARTY"]
type StarDimension = Literal["QUALITY", "LOGISTICS", "SERVICE"]
type WeightCode = Literal[
    "FULL",
    "RESTRICTED",
    "HELD",
    "WITHDRAWN",
    "INCENTIVIZED",
    "LOW_VALUE",
    "REPEAT_10D",
    "BUYER_ABUSE",
    "RATING_RIGHT_LOST",
    "FAKE_CONFIRMED",
    "NEW_ACCOUNT",
    "REPEAT_180D",
    "SUSPECT",
    "CAMPAIGN_UNPROVEN",
    "CORROBORATED",
]

type FlagReason = Literal[
    "FAKE",
    "OFFENSIVE",
    "PERSONAL_DATA",
    "OFF_TOPIC",
    "EXTORTION",
    "WRONG_ORDER",
    "ILLEGAL",
    "OTHER",
]
type Flagger = Literal["BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM"]
type Ground = FlagReason | Literal["CAMPAIGN"]
type Restriction = Literal[
    "HIDE_TEXT",
    "HIDE_MEDIA",
    "HIDE_REVIEW",
    "EXCLUDE_SCORE",
    "HIDE_REPLY",
    "HIDE_FOLLOW_UP",
]
type Part = Literal["REPLY", "FOLLOW_UP"]
"""What stands under a review and is shown or hidden by itself; where it is absent, the review."""
type Carriage = Literal["SELLER", "CARRIER", "FORCE_MAJEURE"]
"""On whose account a dimension of the delivery goes."""


class EvaluationFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an evaluation says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id


class ReviewFact(EvaluationFact, frozen=True, kw_only=True):
    """What every event about one side's review says."""

    review_id: Id
    side: Side


class EvaluationOpened(EvaluationFact, frozen=True, kw_only=True, tag="EvaluationOpened.v1"):
    """`closes_at` is the first instant at which no review is taken any more."""

    completed_at: Instant
    completion_no: Count
    opened_at: Instant
    closes_at: Instant


class EvaluationPaused(EvaluationFact, frozen=True, kw_only=True, tag="EvaluationPaused.v1"):
    """The closing clock stops with `remaining_seconds` on it, until `cap_at` at the latest."""

    cause: Literal["DISPUTE", "ORDER_REOPENED"]
    cause_id: Id
    remaining_seconds: Seconds
    cap_at: Instant


class EvaluationResumed(EvaluationFact, frozen=True, kw_only=True, tag="EvaluationResumed.v1"):
    """`closes_at` is present when the clock runs again (no cause is left)."""

    cause_id: Id | None = None
    open_causes: list[Id]
    closes_at: Instant | None = None


class EvaluationClosed(EvaluationFact, frozen=True, kw_only=True, tag="EvaluationClosed.v1"):
    """Nobody wrote, or the order was cancelled: nothing is shown or counted."""

    reason: Literal["EXPIRED", "ORDER_CANCELLED"]
    closed_at: Instant


class ReviewSubmitted(ReviewFact, frozen=True, kw_only=True, tag="ReviewSubmitted.v1"):
    """Side BUYER has the three stars, side SELLER the rating. Hidden until both are revealed."""

    submitted_at: Instant
    quality: Stars | None = None
    logistics: Stars | None = None
    service: Stars | None = None
    rating: Stars | None = None
    incentive: Incentive
    text: Sealed | None = None
    media: Media | None = None
    media_sha256: MediaDigests | None = None


class ReviewAmended(ReviewFact, frozen=True, kw_only=True, tag="ReviewAmended.v1"):
    """Replaces what was submitted; `version` 2 is the first amendment. Hidden until revealed."""

    version: Annotated[int, Meta(ge=2)]
    quality: Stars | None = None
    logistics: Stars | None = None
    service: Stars | None = None
    rating: Stars | None = None
    incentive: Incentive
    text: Sealed | None = None
    media: Media | None = None
    media_sha256: MediaDigests | None = None


class ReviewsRevealed(EvaluationFact, frozen=True, kw_only=True, tag="ReviewsRevealed.v1"):
    """`review_ids` and `sides` go together; a side that did not write is not in them."""

    trigger: Literal["BOTH_IN", "WINDOW_CLOSED"]
    revealed_at: Instant
    review_ids: Annotated[list[Id], Meta(min_length=1, max_length=2)]
    sides: Annotated[list[Side], Meta(min_length=1, max_length=2)]


class WeightReason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A code of the weight and its effect: 0, the cap or factor used, or 1000."""

    code: WeightCode
    effect_milli: Milli


class ReviewWeighted(ReviewFact, frozen=True, kw_only=True, tag="ReviewWeighted.v1"):
    """How much a revealed review counts from now on; the highest `seq` replaces the others."""

    seq: Count
    quality: Stars | None = None
    logistics: Stars | None = None
    service: Stars | None = None
    rating: Stars | None = None
    weight_milli: Milli
    reasons: Annotated[list[WeightReason], Meta(min_length=1)]
    excluded_dimensions: list[StarDimension]
    counted_at: Instant
    decided_by: Literal["RULE", "HUMAN"]
    calibration: Id | None = None


class ReplyPublished(ReviewFact, frozen=True, kw_only=True, tag="ReplyPublished.v1"):
    """The reviewed party's answer, for all to read."""

    reply_id: Id
    text: Sealed
    editable_until: Instant


class ReplyEdited(ReviewFact, frozen=True, kw_only=True, tag="ReplyEdited.v1"):
    """`version` 2 is the first edit."""

    reply_id: Id
    version: Annotated[int, Meta(ge=2)]
    text: Sealed


class FollowUpAppended(ReviewFact, frozen=True, kw_only=True, tag="FollowUpAppended.v1"):
    """The buyer's second text, without stars."""

    followup_id: Id
    text: Sealed
    media: Media | None = None
    media_sha256: MediaDigests | None = None


class RevisionGranted(ReviewFact, frozen=True, kw_only=True, tag="RevisionGranted.v1"):
    """The matter was resolved: the buyer may revise the review once, until then."""

    cause: Literal["DISPUTE", "RETURN"]
    cause_id: Id
    until: Instant


class RevisionRequested(ReviewFact, frozen=True, kw_only=True, tag="RevisionRequested.v1"):
    """The seller asked for it, in the platform's words."""

    requested_at: Instant


class ReviewRevised(ReviewFact, frozen=True, kw_only=True, tag="ReviewRevised.v1"):
    """The stars of before stay readable."""

    quality: Stars
    logistics: Stars
    service: Stars
    was_quality: Stars
    was_logistics: Stars
    was_service: Stars
    text: Sealed | None = None


class ReviewWithdrawn(ReviewFact, frozen=True, kw_only=True, tag="ReviewWithdrawn.v1"):
    """Before the reveal the side may write again; after it, this is final."""

    before_reveal: bool


class ReviewFlagged(ReviewFact, frozen=True, kw_only=True, tag="ReviewFlagged.v1"):
    """The flagger is heard again if the review is kept. A seller is named by the account."""

    flag_id: Id
    flagger_role: Flagger
    flagger_id: Id
    part: Part | None = None
    reason: FlagReason
    text: Sealed | None = None
    decide_by: Instant


class ScreeningTerm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the things that the detector looked at, and what it found."""

    name: Code
    value_milli: int


class ReviewScreened(ReviewFact, frozen=True, kw_only=True, tag="ReviewScreened.v1"):
    """A detector's result, recorded as a fact. `campaign_until` with the first campaign."""

    factor_milli: Annotated[int, Meta(ge=50, le=1000)]
    campaign: bool
    campaign_until: Instant | None = None
    terms: list[ScreeningTerm]
    calibration: Id


class ReviewHeld(ReviewFact, frozen=True, kw_only=True, tag="ReviewHeld.v1"):
    """Not shown until somebody decides, until `hold_until` at the latest."""

    ground: Ground
    hold_until: Instant


class ReviewReleased(ReviewFact, frozen=True, kw_only=True, tag="ReviewReleased.v1"):
    how: Literal["HUMAN", "HOLD_EXPIRED"]


class ReviewKept(ReviewFact, frozen=True, kw_only=True, tag="ReviewKept.v1"):
    """Closes the flags named."""

    flag_ids: list[Id]
    rule_ids: list[Id]
    decided_by: Id
    appeal_until: Instant


class ReviewRestricted(ReviewFact, frozen=True, kw_only=True, tag="ReviewRestricted.v1"):
    """Nothing is deleted before `retain_until`. A measure on a part is alone in the list."""

    ground: Ground
    rule_ids: list[Id]
    measures: Annotated[list[Restriction], Meta(min_length=1)]
    automated_detection: bool
    decided_by: Id
    appeal_until: Instant
    retain_until: Instant


class ReviewRestored(ReviewFact, frozen=True, kw_only=True, tag="ReviewRestored.v1"):
    appeal_id: Id
    part: Part | None = None


class ModerationAppealed(ReviewFact, frozen=True, kw_only=True, tag="ModerationAppealed.v1"):
    """By the author of a restricted review, or by a flagger of one that was kept.

    `appellant_role` tells a buyer from a seller with the same id; the first events did not say it.
    """

    appeal_id: Id
    appellant_id: Id
    appellant_role: Flagger | None = None
    against: Literal["RESTRICTED", "KEPT"]
    part: Part | None = None
    text: Sealed
    decide_by: Instant


class ModerationAppealDecided(
    ReviewFact, frozen=True, kw_only=True, tag="ModerationAppealDecided.v1"
):
    appeal_id: Id
    outcome: Literal["UPHELD", "REVERSED"]
    rule_ids: list[Id]
    decided_by: Id


class DimensionReattributed(ReviewFact, frozen=True, kw_only=True, tag="DimensionReattributed.v1"):
    """A star that leaves the seller's account, or comes back to it."""

    dimension: Literal["LOGISTICS"]
    from_: Carriage = field(name="from")
    to: Carriage
    cause_id: Id


type EvaluationEvent = (
    EvaluationOpened
    | EvaluationPaused
    | EvaluationResumed
    | EvaluationClosed
    | ReviewSubmitted
    | ReviewAmended
    | ReviewsRevealed
    | ReviewWeighted
    | ReplyPublished
    | ReplyEdited
    | FollowUpAppended
    | RevisionGranted
    | RevisionRequested
    | ReviewRevised
    | ReviewWithdrawn
    | ReviewFlagged
    | ReviewScreened
    | ReviewHeld
    | ReviewReleased
    | ReviewKept
    | ReviewRestricted
    | ReviewRestored
    | ModerationAppealed
    | ModerationAppealDecided
    | DimensionReattributed
    | DecisionOverdue
    | StatementOfReasonsIssued
)
