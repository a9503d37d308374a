"""What may be asked of an order and of its evaluation. `now` is part of the question."""

from datetime import datetime
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace
from shared_events.orders import OrderLine
from shared_events.review import (
    Carriage,
    FlagReason,
    Ground,
    Incentive,
    Restriction,
    ScreeningTerm,
    Side,
    WeightCode,
)
from shared_runtime.decider import Actor


class Asked(Struct, frozen=True, kw_only=True):
    """When it is asked, and by whom. For a step of an order's life, `now` is when it happened."""

    now: datetime
    actor: Actor

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


class PlaceOrder(Asked, frozen=True, kw_only=True):
    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    order_discount_minor: int
    shipping_minor: int
    total_minor: int
    total_ref_minor: int
    dispatch_by: datetime | None = None
    deliver_by: datetime | None = None
    buyer_registered_at: datetime | None = None
    withdrawal_right: bool


class MarkPaid(Asked, frozen=True, kw_only=True):
    payment_ref: str


class MarkShipped(Asked, frozen=True, kw_only=True):
    deliver_by: datetime | None = None
    tracking_id: str | None = None


class MarkDelivered(Asked, frozen=True, kw_only=True):
    signed: bool


class CompleteOrder(Asked, frozen=True, kw_only=True):
    """By the buyer, by a feed that declares completion, or by the timer (SYSTEM, not `by_feed`)."""

    by_feed: bool = False
    open_disputes: tuple[str, ...] = ()


class CancelOrder(Asked, frozen=True, kw_only=True):
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: str


class ReopenOrder(Asked, frozen=True, kw_only=True):
    reason: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"]


class AttributeDelay(Asked, frozen=True, kw_only=True):
    incident_id: str
    liable: Literal["CARRIER", "FORCE_MAJEURE"]


type OrderCommand = (
    PlaceOrder
    | MarkPaid
    | MarkShipped
    | MarkDelivered
    | CompleteOrder
    | CancelOrder
    | ReopenOrder
    | AttributeDelay
)


# Texts and media ids come sealed: the domain compares them and reads none of them.


class BuyerReview(Struct, frozen=True, kw_only=True):
    """What a buyer says of the seller. `media` and `media_sha256` go together."""

    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"
    text: str | None = None
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


class SellerReview(Struct, frozen=True, kw_only=True):
    """What a seller says of the buyer."""

    rating: int
    text: str | None = None


type Content = BuyerReview | SellerReview


class PairReview(Struct, frozen=True, kw_only=True):
    """An earlier review by the same buyer of the same seller that counts (weight over 0)."""

    sign: Literal["GOOD", "NEUTRAL", "BAD"]
    counted_at: datetime


class OrderFacts(Struct, frozen=True, kw_only=True):
    """What the weights of an order's reviews need to know besides the reviews.

    `late`: it was delivered late. `corroborated`: goods came back, money was given back, or a
    dispute ended against the seller. `buyer_abuse`: a dispute ended so. `rating_right_lost`: the
    sides whose author has lost it. `fake_confirmed`: the ids of reviews that a confirmed violation
    names; `open_cases`: of those that an open case names. `pair`: in the last `repeat_span`.
    """

    total_ref_minor: int
    placed_at: datetime
    buyer_registered_at: datetime | None = None
    late: bool = False
    corroborated: bool = False
    buyer_abuse: bool = False
    rating_right_lost: frozenset[Side] = frozenset()
    fake_confirmed: frozenset[str] = frozenset()
    open_cases: frozenset[str] = frozenset()
    pair: tuple[PairReview, ...] = ()


class Measure(Struct, frozen=True, kw_only=True):
    """A measure on the author's account: the right to rate is lost."""

    measure_id: str
    until: datetime | None = None


class OpenEvaluation(Asked, frozen=True, kw_only=True):
    order_id: str
    seller_id: str
    buyer_id: str
    completed_at: datetime
    completion_no: int
    open_disputes: tuple[str, ...] = ()


class PauseEvaluation(Asked, frozen=True, kw_only=True):
    cause: Literal["DISPUTE", "ORDER_REOPENED"]
    cause_id: str


class ResumeEvaluation(Asked, frozen=True, kw_only=True):
    """Without `cause_id` the longest pause is over, and every cause with it."""

    cause_id: str | None = None


class CloseEvaluation(Asked, frozen=True, kw_only=True):
    facts: OrderFacts


class VoidEvaluation(Asked, frozen=True, kw_only=True):
    """The order was cancelled."""


class ByPerson(Asked, frozen=True, kw_only=True):
    """Sent by a person. `erased`: by one whose erasure has been recorded."""

    erased: bool = False


class SubmitReview(ByPerson, frozen=True, kw_only=True):
    """`rating_right_lost` is the measure in force on the author, if there is one."""

    review_id: str
    content: Content
    facts: OrderFacts
    rating_right_lost: Measure | None = None


class AmendReview(ByPerson, frozen=True, kw_only=True):
    """Replaces the whole of what the author submitted."""

    content: Content


class AboutReview(Asked, frozen=True, kw_only=True):
    """The review that a command is about, by its id: of either side."""

    review_id: str


class ByPersonAboutReview(ByPerson, frozen=True, kw_only=True):
    review_id: str


class WithdrawReview(ByPersonAboutReview, frozen=True, kw_only=True):
    facts: OrderFacts


class PublishReply(ByPersonAboutReview, frozen=True, kw_only=True):
    reply_id: str
    text: str


class EditReply(ByPersonAboutReview, frozen=True, kw_only=True):
    text: str


class AppendFollowUp(ByPersonAboutReview, frozen=True, kw_only=True):
    followup_id: str
    text: str
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


class GrantRevision(Asked, frozen=True, kw_only=True):
    """The buyer's review, whose matter the seller has made good."""

    cause: Literal["DISPUTE", "RETURN"]
    cause_id: str


class RequestRevision(ByPersonAboutReview, frozen=True, kw_only=True):
    pass


class ReviseReview(ByPersonAboutReview, frozen=True, kw_only=True):
    quality: int
    logistics: int
    service: int
    text: str | None = None
    facts: OrderFacts


class FlagReview(ByPersonAboutReview, frozen=True, kw_only=True):
    """`flagged_today_at`: when the sender's account has flagged any review in the last 24 h."""

    flag_id: str
    reason: FlagReason
    text: str | None = None
    flagged_today_at: tuple[datetime, ...] = ()


class RecordScreening(AboutReview, frozen=True, kw_only=True):
    factor_milli: int
    campaign: bool
    terms: tuple[ScreeningTerm, ...]
    calibration: str
    facts: OrderFacts


class LiftCampaignWeight(AboutReview, frozen=True, kw_only=True):
    facts: OrderFacts


class HoldReview(AboutReview, frozen=True, kw_only=True):
    ground: Ground
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


class ReleaseReview(AboutReview, frozen=True, kw_only=True):
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


class KeepReview(AboutReview, frozen=True, kw_only=True):
    """`party_orgs` are the organisations of the parties and flaggers, none of which may decide."""

    flag_ids: tuple[str, ...]
    rule_ids: tuple[str, ...]
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


class RestrictReview(AboutReview, frozen=True, kw_only=True):
    """`facts_text` is sealed for the author, who is told; `explanation` is in plain words."""

    ground: Ground
    rule_ids: tuple[str, ...]
    facts_text: str
    explanation: str
    measures: tuple[Restriction, ...]
    automated_detection: bool
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


class AppealModeration(ByPersonAboutReview, frozen=True, kw_only=True):
    appeal_id: str
    text: str


class DecideModerationAppeal(AboutReview, frozen=True, kw_only=True):
    """`facts_text` is sealed for whoever the outcome goes against.

    `measures` are those of the restriction that a flagger's appeal leads to if REVERSED.
    """

    appeal_id: str
    outcome: Literal["UPHELD", "REVERSED"]
    rule_ids: tuple[str, ...]
    facts_text: str
    explanation: str
    measures: tuple[Restriction, ...] = ("HIDE_REVIEW", "EXCLUDE_SCORE")
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


class ReattributeDimension(Asked, frozen=True, kw_only=True):
    """On whose account the LOGISTICS star of the buyer's review goes from now on."""

    dimension: Literal["LOGISTICS"] = "LOGISTICS"
    to: Carriage
    cause_id: str
    facts: OrderFacts


class ReweighReview(AboutReview, frozen=True, kw_only=True):
    """Codes that follow from other streams. `facts` are as they are after the change."""

    add: tuple[WeightCode, ...] = ()
    remove: tuple[WeightCode, ...] = ()
    facts: OrderFacts


class NoteOverdue(Asked, frozen=True, kw_only=True):
    """A flag or an appeal that should have been decided by `due_at`."""

    what: Literal["FLAG", "MODERATION_APPEAL"]
    ref_id: str
    due_at: datetime


type EvaluationCommand = (
    OpenEvaluation
    | PauseEvaluation
    | ResumeEvaluation
    | CloseEvaluation
    | VoidEvaluation
    | SubmitReview
    | AmendReview
    | WithdrawReview
    | PublishReply
    | EditReply
    | AppendFollowUp
    | GrantRevision
    | RequestRevision
    | ReviseReview
    | FlagReview
    | RecordScreening
    | LiftCampaignWeight
    | HoldReview
    | ReleaseReview
    | KeepReview
    | RestrictReview
    | AppealModeration
    | DecideModerationAppeal
    | ReattributeDimension
    | ReweighReview
    | NoteOverdue
)
