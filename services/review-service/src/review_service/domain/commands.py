"""What may be asked of an order and of its evaluation. `now` is part of the question."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """When it is asked, and by whom. For a step of an order's life, `now` is when it happened."""

    now: datetime
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder(Asked):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPaid(Asked):
    payment_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkShipped(Asked):
    deliver_by: datetime | None = None
    tracking_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDelivered(Asked):
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteOrder(Asked):
    """By the buyer, by a feed that declares completion, or by the timer (SYSTEM, not `by_feed`)."""

    by_feed: bool = False
    open_disputes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder(Asked):
    by: Literal["BUYER", "SELLER", "PLATFORM"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenOrder(Asked):
    reason: Literal["CARRIER_CORRECTION", "PAYMENT_REVERSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeDelay(Asked):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerReview:
    """What a buyer says of the seller. `media` and `media_sha256` go together."""

    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"
    text: str | None = None
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerReview:
    """What a seller says of the buyer."""

    rating: int
    text: str | None = None


type Content = BuyerReview | SellerReview


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReview:
    """An earlier review by the same buyer of the same seller that counts (weight over 0)."""

    sign: Literal["GOOD", "NEUTRAL", "BAD"]
    counted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure on the author's account: the right to rate is lost."""

    measure_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEvaluation(Asked):
    order_id: str
    seller_id: str
    buyer_id: str
    completed_at: datetime
    completion_no: int
    open_disputes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseEvaluation(Asked):
    cause: Literal["DISPUTE", "ORDER_REOPENED"]
    cause_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeEvaluation(Asked):
    """Without `cause_id` the longest pause is over, and every cause with it."""

    cause_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseEvaluation(Asked):
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidEvaluation(Asked):
    """The order was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPerson(Asked):
    """Sent by a person. `erased`: by one whose erasure has been recorded."""

    erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitReview(ByPerson):
    """`rating_right_lost` is the measure in force on the author, if there is one."""

    review_id: str
    content: Content
    facts: OrderFacts
    rating_right_lost: Measure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendReview(ByPerson):
    """Replaces the whole of what the author submitted."""

    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutReview(Asked):
    """The review that a command is about, by its id: of either side."""

    review_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPersonAboutReview(ByPerson):
    review_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawReview(ByPersonAboutReview):
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReply(ByPersonAboutReview):
    reply_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditReply(ByPersonAboutReview):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendFollowUp(ByPersonAboutReview):
    followup_id: str
    text: str
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRevision(Asked):
    """The buyer's review, whose matter the seller has made good."""

    cause: Literal["DISPUTE", "RETURN"]
    cause_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRevision(ByPersonAboutReview):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseReview(ByPersonAboutReview):
    quality: int
    logistics: int
    service: int
    text: str | None = None
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagReview(ByPersonAboutReview):
    """`flagged_today_at`: when the sender's account has flagged any review in the last 24 h."""

    flag_id: str
    reason: FlagReason
    text: str | None = None
    flagged_today_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordScreening(AboutReview):
    factor_milli: int
    campaign: bool
    terms: tuple[ScreeningTerm, ...]
    calibration: str
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftCampaignWeight(AboutReview):
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReview(AboutReview):
    ground: Ground
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReview(AboutReview):
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepReview(AboutReview):
    """`party_orgs` are the organisations of the parties and flaggers, none of which may decide."""

    flag_ids: tuple[str, ...]
    rule_ids: tuple[str, ...]
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictReview(AboutReview):
    """`facts_text` is sealed for the author, who is told; `explanation` is in plain words."""

    ground: Ground
    rule_ids: tuple[str, ...]
    facts_text: str
    explanation: str
    measures: tuple[Restriction, ...]
    automated_detection: bool
    party_orgs: frozenset[str] = frozenset()
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealModeration(ByPersonAboutReview):
    appeal_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideModerationAppeal(AboutReview):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReattributeDimension(Asked):
    """On whose account the LOGISTICS star of the buyer's review goes from now on."""

    dimension: Literal["LOGISTICS"] = "LOGISTICS"
    to: Carriage
    cause_id: str
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReweighReview(AboutReview):
    """Codes that follow from other streams. `facts` are as they are after the change."""

    add: tuple[WeightCode, ...] = ()
    remove: tuple[WeightCode, ...] = ()
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOverdue(Asked):
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
