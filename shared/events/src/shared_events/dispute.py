"""Facts about inquiries and disputes: topic `dispute.events`, keyed by seller.

Streams `inquiry-<inquiry id>` and `dispute-<dispute id>`.
Stored and published for ever: add optional fields and new events, never rename. Free text and
media are sealed fields and come with sealing: until then the schemas take none.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared_events.fields import (
    Count,
    Currency,
    Id,
    Instant,
    Minor,
    Party,
    Percent,
    Quantity,
    Seconds,
    Sha256,
)

TOPIC = "dispute.events"

type InquiryTopic = Literal["DELIVERY", "PRODUCT", "RETURN", "PAYMENT", "OTHER"]
type DisputeReason = Literal[
    "NOT_RECEIVED",
    "NOT_AS_DESCRIBED",
    "DAMAGED",
    "WRONG_ITEM",
    "MISSING_PARTS",
    "COUNTERFEIT",
    "SIZE_MISFIT",
    "SELLER_REFUSED_RETURN",
]
type Outcome = Literal[
    "REFUND_FULL",
    "REFUND_PARTIAL",
    "RETURN_AND_REFUND",
    "EXCHANGE",
    "REPLACEMENT_NO_RETURN",
    "REJECTED",
]
type EvidenceKind = Literal[
    "PHOTO",
    "VIDEO",
    "TRACKING",
    "RECEIPT",
    "COMMUNICATION",
    "LISTING_SNAPSHOT",
    "MEASUREMENT",
    "EXPERT",
    "OTHER",
]
type Liable = Literal["SELLER", "BUYER", "CARRIER", "PLATFORM", "NONE"]
type Stage = Literal[
    "NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW", "DECIDED", "APPEAL", "EXECUTING"
]
type CommaJoinedUnits = Annotated[str, Meta(min_length=3, max_length=81_000)]
"""Units of one line joined by commas: a record inside a list is flat."""


class InquiryFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an inquiry says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id
    inquiry_id: Id


class DisputeFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about a dispute says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id
    dispute_id: Id


class DisputedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many pieces of a line."""

    line_id: Id
    quantity: Quantity


class DisputedUnits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many pieces of a line, and which."""

    line_id: Id
    quantity: Quantity
    units: CommaJoinedUnits


class TermsFact(DisputeFact, frozen=True, kw_only=True):
    """What an event about a remedy for some lines says; `amount_minor` with REFUND_PARTIAL."""

    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    lines: list[DisputedLine]


class DecisionFact(TermsFact, frozen=True, kw_only=True):
    """What an adjudicator's decision says."""

    replacement_sku: Id | None = None
    liable: Liable
    seller_fault_pct: Percent
    buyer_abuse: bool
    rule_ids: list[Id]
    evidence_ids: list[Id]
    decided_by: Id


class InquiryOpened(InquiryFact, frozen=True, kw_only=True, tag="InquiryOpened.v1"):
    topic: InquiryTopic
    line_ids: list[Id]
    opened_at: Instant
    answer_due: Instant
    idle_at: Instant


class InquiryAnswered(InquiryFact, frozen=True, kw_only=True, tag="InquiryAnswered.v1"):
    """The seller's first answer."""

    answered_at: Instant
    response_seconds: Seconds
    within_sla: bool
    idle_at: Instant


class InquiryMessageAdded(InquiryFact, frozen=True, kw_only=True, tag="InquiryMessageAdded.v1"):
    """`auto`: an automatic text, which is no answer."""

    message_id: Id
    by_role: Party
    auto: bool
    idle_at: Instant


class InquiryOverdue(InquiryFact, frozen=True, kw_only=True, tag="InquiryOverdue.v1"):
    answer_due: Instant


class InquiryClosed(InquiryFact, frozen=True, kw_only=True, tag="InquiryClosed.v1"):
    """`response_seconds` is present if the seller answered, however late."""

    reason: Literal["RESOLVED", "IDLE", "CONVERTED"]
    dispute_id: Id | None = None
    answered: bool
    response_seconds: Seconds | None = None
    within_sla: bool
    sla_seconds: Annotated[int, Meta(ge=1)]
    closed_at: Instant


class DisputeOpened(DisputeFact, frozen=True, kw_only=True, tag="DisputeOpened.v1"):
    """The buyer's first proposal with it; asks to hold `held_minor` of the seller's payout."""

    inquiry_id: Id | None = None
    return_id: Id | None = None
    reason: DisputeReason
    lines: Annotated[list[DisputedUnits], Meta(min_length=1)]
    proposal_id: Id
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    replacement_sku: Id | None = None
    ceiling_minor: Minor
    held_minor: Minor
    opened_at: Instant
    answer_due: Instant
    auto_escalate_at: Instant
    buyer_may_escalate_at: Instant
    seller_may_escalate_at: Instant


class ProposalMade(TermsFact, frozen=True, kw_only=True, tag="ProposalMade.v1"):
    """Replaces the party's proposal. `answer_due` is present when it is armed again."""

    proposal_id: Id
    by_role: Party
    replacement_sku: Id | None = None
    answer_due: Instant | None = None


class ProposalAccepted(DisputeFact, frozen=True, kw_only=True, tag="ProposalAccepted.v1"):
    proposal_id: Id
    by_role: Party


class ProposalRejected(DisputeFact, frozen=True, kw_only=True, tag="ProposalRejected.v1"):
    proposal_id: Id
    by_role: Party


class BlindOfferMade(DisputeFact, frozen=True, kw_only=True, tag="BlindOfferMade.v1"):
    """The least a buyer accepts, the most a seller offers. The other party is never shown it."""

    by_role: Party
    offer_no: Count
    currency: Currency
    amount_minor: Minor


class DisputeSettled(TermsFact, frozen=True, kw_only=True, tag="DisputeSettled.v1"):
    """Both parties hold equal proposals."""

    how: Literal["MATCHED", "ACCEPTED", "BLIND_OVERLAP"]
    replacement_sku: Id | None = None
    settled_at: Instant


class DefaultJudgementGiven(TermsFact, frozen=True, kw_only=True, tag="DefaultJudgementGiven.v1"):
    """The buyer's last proposal, in terms that a silent seller need not ship for."""

    proposal_id: Id
    answer_due: Instant


class DisputeEscalated(DisputeFact, frozen=True, kw_only=True, tag="DisputeEscalated.v1"):
    by_role: Literal["BUYER", "SELLER", "SYSTEM"]
    evidence_due: Instant


class EvidenceLodged(DisputeFact, frozen=True, kw_only=True, tag="EvidenceLodged.v1"):
    """Visible to its author only, until it is disclosed."""

    evidence_id: Id
    by_role: Party
    kind: EvidenceKind
    sha256: Sha256
    captured_at: Instant | None = None


class EvidenceRemoved(DisputeFact, frozen=True, kw_only=True, tag="EvidenceRemoved.v1"):
    evidence_id: Id


class EvidenceExtended(DisputeFact, frozen=True, kw_only=True, tag="EvidenceExtended.v1"):
    by_role: Party
    evidence_due: Instant


class EvidenceSubmitted(DisputeFact, frozen=True, kw_only=True, tag="EvidenceSubmitted.v1"):
    """`auto`: submitted for its author when the time was over; `late`: after disclosure."""

    by_role: Party
    evidence_ids: list[Id]
    late: bool
    auto: bool


class EvidenceDisclosed(DisputeFact, frozen=True, kw_only=True, tag="EvidenceDisclosed.v1"):
    evidence_ids: list[Id]
    rebuttal_due: Instant


class RebuttalSubmitted(DisputeFact, frozen=True, kw_only=True, tag="RebuttalSubmitted.v1"):
    by_role: Party
    evidence_ids: list[Id]


class AdjudicationStarted(DisputeFact, frozen=True, kw_only=True, tag="AdjudicationStarted.v1"):
    decide_by: Instant


class AdjudicatorAssigned(DisputeFact, frozen=True, kw_only=True, tag="AdjudicatorAssigned.v1"):
    adjudicator_id: Id
    level: Literal["AGENT", "SENIOR"]
    decide_by: Instant


class InfoRequested(DisputeFact, frozen=True, kw_only=True, tag="InfoRequested.v1"):
    """The decision clock stops with `remaining_seconds` on it."""

    of_role: Party
    info_due: Instant
    remaining_seconds: Seconds


class InfoProvided(DisputeFact, frozen=True, kw_only=True, tag="InfoProvided.v1"):
    evidence_ids: list[Id]
    decide_by: Instant


class InfoLapsed(DisputeFact, frozen=True, kw_only=True, tag="InfoLapsed.v1"):
    decide_by: Instant


class DisputeDecided(DecisionFact, frozen=True, kw_only=True, tag="DisputeDecided.v1"):
    """Nothing is executed before it is final."""

    appeal_until: Instant


class AppealWaived(DisputeFact, frozen=True, kw_only=True, tag="AppealWaived.v1"):
    by_role: Party


class DisputeAppealed(DisputeFact, frozen=True, kw_only=True, tag="DisputeAppealed.v1"):
    appeal_id: Id
    by_role: Party
    ground: Literal["NEW_EVIDENCE", "PROCEDURE", "MANIFEST_ERROR"]
    evidence_ids: list[Id]
    decide_by: Instant


class DisputeAppealDecided(DecisionFact, frozen=True, kw_only=True, tag="DisputeAppealDecided.v1"):
    """Answers all appeals together; the decision that stands is repeated whole."""

    appeal_ids: Annotated[list[Id], Meta(min_length=1)]
    result: Literal["UPHELD", "REVERSED", "MODIFIED"]


class DisputeFinalized(DisputeFact, frozen=True, kw_only=True, tag="DisputeFinalized.v1"):
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    liable: Liable
    buyer_abuse: bool
    after_appeal: bool


class RemedyOrdered(DisputeFact, frozen=True, kw_only=True, tag="RemedyOrdered.v1"):
    """What returns-service has to do, by `execute_by`."""

    remedy_id: Id
    basis: Literal["SETTLEMENT", "DEFAULT", "DECISION"]
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    lines: Annotated[list[DisputedUnits], Meta(min_length=1)]
    replacement_sku: Id | None = None
    seller_at_fault: bool
    execute_by: Instant


class DisputeWithdrawn(DisputeFact, frozen=True, kw_only=True, tag="DisputeWithdrawn.v1"):
    stage: Literal["NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW"]


class DisputeClosed(DisputeFact, frozen=True, kw_only=True, tag="DisputeClosed.v1"):
    """The end of every dispute. `first_response_seconds` is absent if the seller never acted."""

    how: Literal["WITHDRAWN", "SETTLED", "DEFAULT", "DECIDED"]
    outcome: Outcome | None = None
    result: Literal[
        "REFUNDED",
        "EXCHANGED",
        "REPLACED",
        "ALREADY_MET",
        "NOT_RETURNED",
        "RETURN_REJECTED",
        "NO_REMEDY",
        "WITHDRAWN",
    ]
    currency: Currency
    refunded_minor: Minor
    liable: Liable
    resolved_by_seller: bool
    buyer_abuse: bool
    seller_fault_pct: Percent
    stage_reached: Stage
    first_response_seconds: Seconds | None = None
    opened_at: Instant
    closed_at: Instant
    held_released_minor: Minor


type InquiryEvent = (
    InquiryOpened | InquiryAnswered | InquiryMessageAdded | InquiryOverdue | InquiryClosed
)
type DisputeEvent = (
    DisputeOpened
    | ProposalMade
    | ProposalAccepted
    | ProposalRejected
    | BlindOfferMade
    | DisputeSettled
    | DefaultJudgementGiven
    | DisputeEscalated
    | EvidenceLodged
    | EvidenceRemoved
    | EvidenceExtended
    | EvidenceSubmitted
    | EvidenceDisclosed
    | RebuttalSubmitted
    | AdjudicationStarted
    | AdjudicatorAssigned
    | InfoRequested
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | AppealWaived
    | DisputeAppealed
    | DisputeAppealDecided
    | DisputeFinalized
    | RemedyOrdered
    | DisputeWithdrawn
    | DisputeClosed
)
