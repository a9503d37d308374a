"""What may be asked of an order and of its evaluation. `now` is part of the question."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared_events.orders import OrderLine
from shared_events.review import Incentive
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerReview:
    """What a buyer says of the seller."""

    quality: int
    logistics: int
    service: int
    incentive: Incentive = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerReview:
    """What a seller says of the buyer."""

    rating: int


type Content = BuyerReview | SellerReview


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """What the weight of a buyer's review needs of the order."""

    total_ref_minor: int
    placed_at: datetime
    buyer_registered_at: datetime | None = None


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
class SubmitReview(Asked):
    """`rating_right_lost` is the measure in force on the author, if there is one."""

    review_id: str
    content: Content
    facts: OrderFacts
    rating_right_lost: Measure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendReview(Asked):
    """Replaces the whole of what the author submitted."""

    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseEvaluation(Asked):
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidEvaluation(Asked):
    """The order was cancelled."""


type EvaluationCommand = (
    OpenEvaluation
    | PauseEvaluation
    | ResumeEvaluation
    | SubmitReview
    | AmendReview
    | CloseEvaluation
    | VoidEvaluation
)
